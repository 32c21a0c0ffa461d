"""Remembering less: what is large and cheap is forgotten and computed again, while more memory is needed than eagerly.

The problem. A compiled step has its memory planned, so it should never need more than the same step run eagerly. But
its results are made before it begins, and all that a backward pass needs is there at its first step:

    memory    ▁▂▃▄▅▆▇█▇▆▅▄▃▂▁      forward, then backward: the top is between the two

The idea. Some kernels take hardly longer than reading and writing their result: layer norm is one. If such a result is
read before the top and again after it, and what it was made of is remembered anyway, forget it at its first reader and
make it again for the others.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost, 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from .passes import lasting, replace
from .program import Call, Program, Value

CHEAP = {"layer_norm"}  # kernels that are as fast as their memory


def origin(v: Value) -> Value:
    """The first of the values that lie in one place, each made by changing a part of the one before."""
    while v.before is not None:
        v = v.before
    return v


def lives(program: Program) -> dict[Value, tuple[int, int]]:
    """The first and the last step that need each piece of memory which is not from outside."""
    found: dict[Value, tuple[int, int]] = {}
    for k, step in enumerate(program.steps):
        for v in (*step.reads(), *step.made):
            if v.memory is None:
                v = origin(v)
                found[v] = (found.get(v, (k, k))[0], k)
    return found | {origin(v): (found[origin(v)][0], len(program.steps)) for v in program.results if v.step}


def most_memory(program: Program, ahead: bool) -> tuple[int, int]:
    """(bytes, step): how much is needed where most is. `ahead`: all results are there from the start."""
    change = [0] * (len(program.steps) + 2)
    results = {origin(v) for v in program.results}
    for v, (first, last) in lives(program).items():
        change[0 if ahead and v in results else first] += v.nbytes
        change[last + 1] -= v.nbytes
    sums = list(accumulate(change))
    return max(sums), sums.index(max(sums))


def remember_less(program: Program, limit: int) -> None:
    """Forget what is cheap, until `limit` bytes are enough or nothing is left."""
    while True:
        needed, top = most_memory(program, ahead=True)
        if needed <= limit or not forget_one(program, top):
            return


def forget_one(program: Program, top: int) -> bool:
    """Forget the largest cheap result that is only kept at the step `top`. Is there one?"""
    choices = [(v.nbytes, k, step, later) for v, k, step, later in forgettable(program, top)]
    if not choices:
        return False
    _, _, step, later = max(choices, key=lambda choice: choice[:2])
    compute_again(program, step, later)
    return True


def forgettable(program: Program, top: int) -> Iterator[tuple[Value, int, Call, int]]:
    """(value, its step and number, that of its next reader) of what could be computed again after step `top`."""
    stays, span, readers, wanted = lasting(program), lives(program), program.readers(), program.wanted()
    number = {step: k for k, step in enumerate(program.steps)}
    for k, step in enumerate(program.steps[:top]):
        if not isinstance(step, Call) or step.name not in CHEAP or not step.pure:
            continue
        v = step.made[0]
        users = [number[user] for user in readers.get(v, ())]
        later = min((k for k in users if k > top), default=None)
        if later is None or top in users or v.before is not None or v not in stays or v in wanted:
            continue
        changed = {made.memory for s in program.steps[k:later] for made in s.made}
        if all(
            u.memory not in changed if u.memory is not None else u in stays and span[origin(u)][1] >= later
            for u in step.reads()
        ):
            yield v, k, step, later


def compute_again(program: Program, step: Call, later: int) -> None:
    """Put the step there once more, before step number `later`, for that one and all that follow."""
    again: dict[Value, Value] = {}
    copied = Call(step.name, step.function, step.arguments, list(step.read), [], options=step.options)
    program.steps.insert(later, copied)
    for v in step.made:
        again[v] = program.new_value(v)
        again[v].step = copied
        copied.made.append(again[v])
    replace(Program(program.steps[later:], [], [], program.names), again)
