"""Optimizers in a recording: the update is recorded, its numbers are asked for anew.

The problem. `optimizer.step()` computes numbers in Python before each kernel: Adam's are powers of the step count,
every rule's depend on the learning rate, which a scheduler changes. A recording that contained them would make the
same step for ever.

The idea. A rule is called as `apply(rule, parameter, gradient, state, *numbers)`. Let the optimizer run its Python as
it always does, up to this call, and catch the call: while recording, its arrays become a step of the program; before
each replay, its numbers become arguments. So the state that counts steps advances, schedulers and loaded states take
effect, and no optimizer has to know of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..tensors import Tensor
from .recording import suspended
from .symbols import active, cannot


class Applied(NamedTuple):
    """What an optimizer wanted to do to a parameter."""

    rule: Any
    state: tuple[Tensor, ...]
    numbers: tuple[float, ...]


class Update(NamedTuple):
    """The update of one parameter in a recording: whose it is, and what must be so again at each replay."""

    optimizer: Any
    group: dict[str, Any]
    parameter: Tensor
    rule: Any
    arrays: tuple[Any, ...]

    def ask(self) -> Applied:
        """Let the optimizer do its Python for this parameter."""
        return applied(self.optimizer, self.parameter, None, self.group)


def applied(optimizer: Any, p: Tensor, g: Any, group: dict[str, Any]) -> Applied:
    """What an optimizer does to p, without doing it."""
    caught: list[Applied] = []

    def catch(rule: Any, p: Tensor, g: Tensor, state: Any, *numbers: float) -> None:
        caught.append(Applied(rule, tuple(state), numbers))

    optimizer.apply = catch
    try:
        optimizer.update(p, g, group)
    finally:
        del optimizer.apply
    if len(caught) != 1:
        raise cannot(f"{type(optimizer).__name__} updates a parameter in {len(caught)} steps", "step it outside")
    return caught[0]


def record_step(optimizer: Any) -> None:
    """One step of an optimizer, as a part of the recording."""
    recorder = active()
    if optimizer.before or optimizer.after:
        raise cannot("an optimizer with hooks takes a step", "step it outside, or remove the hooks")
    for group in optimizer.param_groups:
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            if p.flat is None:
                raise cannot("a parameter that is a strided view is updated", "give the optimizer what it is a view of")
            state = optimizer.state[p]
            recorder.undo.append((state, {k: v for k, v in state.items() if type(v) in (int, float)}))
            with suspended():
                found = applied(optimizer, p, g, group)
            arrays = [p.flat, *(s.flat for s in found.state), g.contiguous().flat]
            recorder.update(len(recorder.updates), found.rule, arrays, len(found.numbers), p.kind)
            recorder.updates.append(Update(optimizer, group, p, found.rule, tuple(arrays[:-1])))
            recorder.numbers.append(found.numbers)
            if p.shared is not None:
                p.shared.version += 1
    recorder.steppers.append(optimizer)
