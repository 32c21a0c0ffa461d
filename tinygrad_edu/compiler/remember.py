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
    """Compute the largest cheap result again that is only kept at the step `top`."""
    stays, span = lasting(program), lives(program)
    readers: dict[Value, list[int]] = {}
    for k, step in enumerate(program.steps):
        for v in set(step.reads()):
            readers.setdefault(v, []).append(k)
    best: tuple[int, Call, Value, int] | None = None
    for k, step in enumerate(program.steps[:top]):
        if not isinstance(step, Call) or step.name not in CHEAP or not step.pure:
            continue
        v = step.made[0]
        later = [r for r in readers.get(v, ()) if r > top]
        if not later or top in readers[v] or origin(v) is not v or v not in stays or v in program.wanted():
            continue
        changed = {made.memory for s in program.steps[k : later[0]] for made in s.made}
        there = all(
            u.memory not in changed if u.memory is not None else u in stays and span[origin(u)][1] >= later[0]
            for u in step.reads()
        )
        if there and (best is None or v.nbytes > best[0]):
            best = v.nbytes, step, v, later[0]
    if best is None:
        return False
    _, step, v, at = best
    number = 1 + max(v.number for s in program.steps for v in (*s.made, *s.reads()))
    again = {old: Value(number + k, old.size, old.kind) for k, old in enumerate(step.made)}
    copied = Call(step.name, step.function, step.arguments, list(step.read), list(again.values()), options=step.options)
    for made in copied.made:
        made.step = copied
    replace(Program([copied], [], [], program.names), again)
    replace(Program(program.steps[at:], [], [], program.names), {v: again[v]})
    program.steps.insert(at, copied)
    return True
