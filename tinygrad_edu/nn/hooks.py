"""Hooks of modules: watching, or changing, what goes into a module and comes out of it, forward and backward.

    register_forward_pre_hook           hook(module, args)                      before forward; may return other args
    register_forward_hook               hook(module, args, output)              after it; may return another output
    register_full_backward_pre_hook     hook(module, grad_output)               before its backward; may return another
    register_full_backward_hook         hook(module, grad_input, grad_output)   after it; may return other grad_inputs

A gradient cannot be met inside a module, which is no node. So where there are backward hooks, the tensors that enter
the module pass through one operation that does nothing, and those that leave it through another; backward, these two
meet the gradients with respect to all outputs, and all inputs, at once, and call the hooks.

A module without hooks pays for none of this: it asks whether `_hooked` is set.

Source: PyTorch documentation, torch.nn.Module, "register_full_backward_hook".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..autograd import Function
from ..creation import zeros_like
from ..graph import mode
from ..hooks import RemovableHandle
from ..tensors import Tensor

Gradients = tuple[Any, ...]


class Passage(Function):
    """Does nothing to tensors, and shows their gradients to `meet`, which may give others."""

    @staticmethod
    def forward(ctx: Any, meet: Callable[[Gradients], Gradients], *tensors: Tensor) -> Any:
        ctx.meet = meet
        ctx.set_materialize_grads(False)
        return tuple(x.detach() for x in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Gradients:
        return None, *ctx.meet(gradients)


def watched(values: tuple, meet: Callable[[Gradients], Gradients]) -> tuple[tuple, bool]:
    """These values, whose gradients `meet` will see (None for what is no tensor); and is there any to see?"""
    places = [k for k, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not places or not mode.grad:
        return values, False

    def spread(gradients: Gradients) -> Gradients:
        whole = [zeros_like(x) if isinstance(x, Tensor) else None for x in values]
        for k, g in zip(places, gradients, strict=True):
            whole[k] = g
        found = meet(tuple(whole))
        return tuple(found[k] for k in places)

    out = list(values)
    for k, x in zip(places, Passage.apply(spread, *(values[k] for k in places)), strict=True):
        out[k] = x
    return tuple(out), True


class HookedModule:
    """The part of Module that knows hooks."""

    forward: Callable[..., Any]
    _hooked = False
    _hooks: dict[str, dict[int, Any]]

    def _register(self, kind: str, hook: Any, prepend: bool = False) -> RemovableHandle:
        if not self._hooked:
            kinds = ("before", "after", "before backward", "after backward")
            self.__dict__.update(_hooked=True, _hooks={kind: {} for kind in kinds})
        hooks = self._hooks[kind]
        earlier = dict(hooks) if prepend else {}
        handle = RemovableHandle(hooks, hook)
        for number, other in earlier.items():  # to the end
            del hooks[number]
            hooks[number] = other
        return handle

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args) before `forward`; what it returns, if anything, replaces the arguments.

        With kwargs: hook(module, args, kwargs), which may return both.
        """
        return self._register("before", (hook, with_kwargs), prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call hook(module, args, output) after `forward`; what it returns, if anything, replaces the output.

        With kwargs: hook(module, args, kwargs, output). `always_call`: even if forward fails, with None for its output.
        """
        return self._register("after", (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_output) before the module's backward pass; it may return another grad_output.

        grad_output is a tuple: one gradient for each output of `forward`.
        """
        return self._register("before backward", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call hook(module, grad_input, grad_output) when the gradients of the module's inputs are there.

        Both are tuples; grad_input has one gradient for each positional argument, and what the hook returns, if
        anything, replaces it.
        """
        return self._register("after backward", hook, prepend)

    def _call_hooked(self, args: Any, kwargs: dict[str, Any]) -> Any:
        """forward, with all hooks around it."""
        hooks = {kind: list(of.values()) for kind, of in self._hooks.items()}
        called: list[Any] = []
        out = None
        try:
            for hook, with_kwargs in hooks["before"]:
                found = hook(self, args, kwargs) if with_kwargs else hook(self, args)
                if with_kwargs and found is not None:
                    if not isinstance(found, tuple) or len(found) != 2:
                        raise RuntimeError(
                            f"forward pre-hook must return None or a tuple of (args, kwargs), not {found}"
                        )
                    args, kwargs = found
                elif found is not None:
                    args = found if isinstance(found, tuple) else (found,)
            backward = hooks["before backward"] or hooks["after backward"]
            crossing = Crossing(self, hooks["before backward"], hooks["after backward"], args) if backward else None
            out = self.forward(*(args if crossing is None else crossing.args), **kwargs)
            for entry in hooks["after"]:
                called.append(entry)
                out = self._call_after(entry, args, kwargs, out)
            return out if crossing is None else crossing.leave(out)
        except Exception:
            for entry in hooks["after"]:
                if entry[2] and not any(entry is other for other in called):
                    try:
                        out = self._call_after(entry, args, kwargs, out)
                    except Exception as error:
                        warnings.warn(f"a forward hook with always_call=True failed as well: {error}", stacklevel=3)
            raise

    def _call_after(self, entry: tuple[Callable, bool, bool], args: Any, kwargs: dict[str, Any], out: Any) -> Any:
        hook, with_kwargs, _ = entry
        found = hook(self, args, kwargs, out) if with_kwargs else hook(self, args, out)
        return out if found is None else found


class Crossing:
    """One call of a module whose gradients somebody watches: it knows the way in and the way out."""

    def __init__(self, module: Any, before: list[Callable], after: list[Callable], args: tuple) -> None:
        self.module, self.before, self.after = module, before, after
        self.inputs = len(args)
        self.grad_output: Gradients | None = None  # not there yet
        self.args, self.meets_inputs = watched(args, self.at_inputs)

    def leave(self, out: Any) -> Any:
        whole = out if isinstance(out, tuple) else (out,)
        if not isinstance(out, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(out)}",
                stacklevel=4,
            )
            return out
        found, _ = watched(whole, self.at_outputs)
        return found if isinstance(out, tuple) else found[0]

    def at_outputs(self, gradients: Gradients) -> Gradients:
        for hook in self.before:
            gradients = replaced(hook(self.module, gradients), gradients)
        self.grad_output = gradients
        if not self.meets_inputs:
            self.at_inputs((None,) * self.inputs)
        return gradients

    def at_inputs(self, gradients: Gradients) -> Gradients:
        for hook in self.after if self.grad_output is not None else ():
            gradients = replaced(hook(self.module, gradients, self.grad_output), gradients)
        return gradients


def replaced(found: Any, gradients: Gradients) -> Gradients:
    """What a hook returned in place of the gradients, if anything."""
    if found is None:
        return gradients
    found = found if isinstance(found, tuple) else (found,)
    if len(found) != len(gradients):
        raise RuntimeError(
            f"Backward hook returned an invalid number of grad_input, got {len(found)}, but expected {len(gradients)}"
        )
    return found
