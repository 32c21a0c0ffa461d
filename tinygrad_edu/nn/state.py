"""Saving and loading: what a module's tensors are given by name, and what happens when the names do not fit.

A state is a flat dict, {'layer.weight': tensor, ...}: no classes, so it can be read by any program, and survives a
change of the code that made it.

Source: PyTorch documentation, "Saving and loading models".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..graph import Shared, changes, no_grad, share
from ..tensors import Tensor


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find, and what it had no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def load(
    name: str, own: dict[str, Tensor], state_dict: Mapping[str, Tensor], strict: bool, copy: bool = True
) -> IncompatibleKeys:
    """Copy `state_dict` into the tensors `own` of a module of class `name`; nothing is changed if anything is wrong.

    Without `copy` it is only checked.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    missing, unexpected = [k for k in own if k not in state_dict], [k for k in state_dict if k not in own]
    wrong = []
    if strict and missing:
        wrong.append(f"Missing key(s) in state_dict: {quoted(missing)}. ")
    if strict and unexpected:
        wrong.append(f"Unexpected key(s) in state_dict: {quoted(unexpected)}. ")
    for key, x in own.items():
        given = state_dict.get(key, x)
        if not isinstance(given, Tensor):
            wrong.append(f'"{key}": expected a Tensor, got {type(given).__name__}; make it one with tensor(...)')
        elif given.shape != (x.shape or given.shape[:1]):  # one element for a number: what old files hold
            wrong.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, the shape in "
                f"current model is {x.shape}."
            )
    if wrong:
        raise RuntimeError(f"Error(s) in loading state_dict for {name}:\n\t" + "\n\t".join(wrong))
    with no_grad():
        for key, x in own.items():
            if copy and key in state_dict:
                given = state_dict[key]
                x.copy_(given if given.shape == x.shape else given[0])
    return IncompatibleKeys(missing, unexpected)


def quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def replace_memory(x: Tensor, new: Tensor) -> None:
    """Give x the elements, dtype and device of another tensor, and its gradient the same. x stays the same object."""
    left = share(x)
    left.version += 1  # a graph that saved x refuses
    changes.count += 1
    x.flat, x.region, x.kind = new.flat, None, new.kind
    x.shared = Shared()
    x.shared.version = left.version
    if x.grad is not None:
        x.grad = x.grad.detach().to_kind(new.kind)
