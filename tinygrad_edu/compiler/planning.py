"""Which memory each value lives in.

The problem. Values never change and there are hundreds of them; memory is what makes a program slow.

The idea. The order of the steps is known, so it is known for each value from which step to which it is needed. Two
values that are never needed at the same time may lie in the same place: go through the values from the largest to the
smallest, and put each at the lowest place where nothing lies that it would meet.

      step    0   1   2   3   4   5
      v1      ├───────┤                     v1 and v3 share a place,
      v2          ├───────────┤             v2 has one of its own
      v3                  ├───────┤

All of them lie in one array, the *arena*, which is made once. Not in it are values that leave the program (a
fresh array each time, since the caller may keep it) and those whose memory comes from outside.

Where a part of a value is changed in place, the new value lies where the old one did, unless somebody needs the old one
later; then it is copied first. And where a loop is the last to read an operand, its result may take the operand's place
right away.

Source: Y. Pisarchyk, J. Lee, Efficient memory management for deep neural net inference, 2020 (greedy by size).
"""

from __future__ import annotations

from typing import Any

from tinygrad_kernels.expr import Expr

from .passes import in_order
from .program import Access, Loop, Program, Step, Value

ALIGN = 64  # bytes: a cache line, and the widest vector


class Place:
    """Memory for one value, or for several of which each replaces the one before.

    `home` is memory from outside, `result` the number of a result that leaves; otherwise it is in the arena, at
    `offset`.
    """

    __slots__ = ("nbytes", "kind", "size", "home", "result", "first", "last", "offset")

    def __init__(self, v: Value) -> None:
        self.nbytes, self.kind, self.size = v.nbytes, v.kind, v.size
        self.home: Any = None
        self.result: int | None = None
        self.first, self.last, self.offset = 1 << 60, -1, 0


class Plan:
    """The place of each value, and how large the arena is (on each device)."""

    def __init__(self, places: dict[Value, Place], sizes: dict[Any, int]) -> None:
        self.places, self.sizes = places, sizes


def plan_memory(program: Program) -> Plan:
    """Give every value a place. Copies are added to the program where two values would need one place at once."""
    results = {v: k for k, v in enumerate(program.results)}
    last_read: dict[Value, int] = {v: len(program.steps) for v in program.results}
    for k, step in enumerate(program.steps):
        for v in step.reads():
            if v not in results:
                last_read[v] = k
    places: dict[Value, Place] = {}
    homes: dict[Any, Place] = {}  # of memory from outside: its values share it
    steps: list[Step] = []

    def place(v: Value) -> Place:
        found = places.get(v)
        if found is None:
            found = places[v] = homes.get(v.memory) or Place(v)
            found.home = v.memory
            if v.memory is not None:
                homes[v.memory] = found
        return found

    for k, step in enumerate(program.steps):
        for v in step.reads():
            place(v)
        taken: set[Place] = set()
        for v in step.made:
            if v.before is None:
                old_place = None if v.memory else dying(step, v, places, taken, last_read, k)
                if old_place is not None:
                    places[v] = old_place
                taken.add(place(v))
                continue
            old = place(v.before)
            if v.memory is None and (old.home is not None or last_read.get(v.before, -1) > k):
                copied = Value(v.before.number, v.size, v.kind)
                steps.append(copy_step(program, v.before, copied))
                places[copied] = places[v] = Place(v)
                swap_before(step, v, copied)
            else:
                places[v] = old
        steps.append(step)
    program.steps = steps
    for v, k in results.items():
        if v in places and places[v].home is None:
            places[v].result = k
    for k, step in enumerate(program.steps):
        for v in (*step.reads(), *step.made):
            p = place(v)
            p.first, p.last = min(p.first, k), max(p.last, k)
    return Plan(places, lay_out({id(p): p for p in places.values() if p.home is None and p.result is None}))


def dying(
    step: Step, v: Value, places: dict[Value, Place], taken: set[Place], last_read: dict[Value, int], k: int
) -> Place | None:
    """The place of an operand that an elementwise step is the last to read: its result may replace it there."""
    if type(step) is not Loop or step.target is not None:
        return None
    accesses = [a for a in step.operands.values() if isinstance(a, Access)]
    for a in accesses:
        u, p = a.value, places[a.value]
        if u.step is None or p.home is not None or p in taken or (u.size, u.dtype) != (v.size, v.dtype):
            continue
        alone = all(in_order(b, step.shape) for b in accesses if places[b.value] is p)
        if alone and last_read[u] == k and p.size == v.size:
            return p
    return None


def copy_step(program: Program, source: Value, made: Value) -> Loop:
    """A loop that copies a whole value."""
    access = Access(source, 0, (1,))
    name = program.names.of(access, (source.size,))
    step = Loop((source.size,), {name: access}, [Expr.input(name)], [made], source.dtype)
    made.step = step
    return step


def swap_before(step: Any, v: Value, copied: Value) -> None:
    """`v` is made by changing a part of `copied`, not of the value it was made from."""
    old, v.before = v.before, copied
    if isinstance(step, Loop):
        if step.target is not None:
            step.target = Access(copied, *step.target[1:])
    else:
        step.read = [copied if r is old else r for r in step.read]


def lay_out(places: dict[int, Place]) -> dict[Any, int]:
    """Put each place somewhere in the arena of its device; the sizes of the arenas in bytes."""
    sizes: dict[Any, int] = {}
    done: list[Place] = []
    for p in sorted(places.values(), key=lambda p: (-p.nbytes, p.first)):
        device = p.kind.device
        taken = sorted(
            (q.offset, q.offset + q.nbytes)
            for q in done
            if q.kind.device == device and q.first <= p.last and p.first <= q.last
        )
        at = 0
        for begin, end in taken:
            if at + p.nbytes <= begin:
                break
            at = max(at, -(-end // ALIGN) * ALIGN)
        p.offset = at
        done.append(p)
        sizes[device] = max(sizes.get(device, 0), at + p.nbytes)
    return sizes
