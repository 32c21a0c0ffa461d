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
from .symbols import Refused, active, cannot


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
    arrays: tuple[Any, ...]  # parameter and state


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


def asked(updates: list[Update]) -> tuple[list[float], list[tuple[dict, dict]]]:
    """The numbers of all updates, and what to put back into which state if the step is not made after all.

    The optimizers do their Python for this step, and are stopped short of the kernels. Raises Refused, with nothing
    changed, where one of them wants another rule or has another state than was recorded.
    """
    numbers: list[float] = []
    before: list[tuple[dict, dict]] = []
    expected: Any = None

    def catch(rule: Any, p: Tensor, g: Tensor, state: Any, *given: float) -> None:
        if rule is not expected.rule or any(s.flat is not a for s, a in zip(state, expected.arrays[1:], strict=True)):
            raise Refused
        numbers.extend(given)

    optimizers = {id(u.optimizer): u.optimizer for u in updates}.values()
    for optimizer in optimizers:
        optimizer.apply = catch
    try:
        for expected in updates:
            state = expected.optimizer.state.get(expected.parameter)
            if state:
                before.append((state, dict(state)))
            expected.optimizer.update(expected.parameter, None, expected.group)
    except Refused:
        if state is None:  # what was begun for a parameter that has none
            expected.optimizer.state.pop(expected.parameter, None)
        put_back(before)
        raise
    finally:
        for optimizer in optimizers:
            del optimizer.apply
    return numbers, before


def put_back(before: list[tuple[dict, dict]]) -> None:
    """Undo what optimizers counted for a step that is not made."""
    for state, kept in reversed(before):
        state.clear()
        state.update(kept)


def record_step(optimizer: Any) -> None:
    """One step of an optimizer, as a part of the recording."""
    recorder = active()
    if optimizer.before or optimizer.after:
        raise cannot("an optimizer with hooks takes a step", "step it outside, or remove the hooks")
    recorder.undo.append((optimizer.state, dict(optimizer.state)))
    for group in optimizer.param_groups:
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            if p.flat is None:
                raise cannot("a parameter that is a strided view is updated", "give the optimizer what it is a view of")
            recorder.undo.append((optimizer.state[p], dict(optimizer.state[p])))
            with suspended():
                found = applied(optimizer, p, g, group)
            arrays = [p.flat, *(s.flat for s in found.state), g.contiguous().flat]
            recorder.update(len(recorder.updates), found.rule, arrays, len(found.numbers), p.kind)
            if not optimizer.state[p]:  # it remembers nothing, so eagerly there is no entry either
                del optimizer.state[p]
            recorder.updates.append(Update(optimizer, group, p, found.rule, tuple(arrays[:-1])))
            recorder.numbers.append(found.numbers)
            if p.shared is not None:
                p.shared.version += 1
    recorder.steppers.append(optimizer)
