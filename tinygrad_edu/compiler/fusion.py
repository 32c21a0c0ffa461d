"""Fusion: loops over the same places become one.

The problem. `((x * w + b).tanh() - y).square().sum()` is five loops when it runs eagerly, and each writes an array that
the next one reads again. The arithmetic takes a fraction of the time of this traffic, and for small arrays the
calls take more than both.

The idea. If one loop produces what another consumes, place by place, put the producer's formula into the consumer's and
compute both at once: the number in between stays in a register.

    v1[i] = x[i] * w[i]                  v3[i] = tanh(x[i] * w[i] + b[i])
    v2[i] = v1[i] + b[i]        ──▶      one loop, three reads and one write an element
    v3[i] = tanh(v2[i])                  in place of three loops, five reads and three writes

The same holds for loops that only read the same arrays (each is then read once), and for reductions, whose formula
takes in what leads up to it (the *prologue*). Loops that produce what somebody else still needs store it on the way.

When is it allowed? If afterwards the steps can still be put in an order: a step in between that needs one of the two
and is needed by the other forbids it. And all of it must be computed in one dtype (formulas.py).
When does it pay? What is stored or read once less is gained, and a call; a loop over very many arrays at once loses
that again. `worth` decides, by counting bytes.

Source: K. Kennedy, K. McKinley, Maximizing loop parallelism and improving data locality via loop fusion and
distribution, LCPC 1993.
"""

from __future__ import annotations

from math import prod
from typing import Any

from tinygrad_kernels.expr import Expr, walk

from ..ops.strides import contiguous_strides
from .formulas import PREDICATES, rebuilt
from .passes import in_a_row, in_order, is_plain
from .program import Access, Call, Fold, Loop, Number, Program, Shape, Step, Value

MOST_ARRAYS = 24  # that one loop reads and writes
MOST_OPERATIONS = 400  # of one loop: what takes long to compile does not gain by more
SMALL = 4096  # elements up to which a call costs more than the loop
REACH = 200  # steps back in which a partner is looked for


class Order:
    """Which steps must run before which: they make what is read, or read what is overwritten.

    `before` has the steps that each one needs directly. Steps are also bits of whole numbers, so that all that one
    needs, directly or not, is one number: `above`.
    """

    def __init__(self, program: Program) -> None:
        self.before: dict[Step, set[Step]] = {}
        readers: dict[Value, list[Step]] = {}
        latest: dict[Any, Value] = {}  # what each memory from outside holds
        last_act: Step | None = None
        for step in program.steps:
            needs = {v.step for v in step.reads() if v.step is not None}
            for v in step.reads():
                readers.setdefault(v, []).append(step)
                if v.memory is not None:
                    latest.setdefault(v.memory, v)
            for v in step.made:
                for old in (v.before, latest.get(v.memory) if v.memory is not None else None):
                    if old is not None:
                        needs.update(readers.get(old, ()))
                        if old.step is not None:
                            needs.add(old.step)
                if v.memory is not None:
                    latest[v.memory] = v
            if isinstance(step, Call) and not step.pure:
                if last_act is not None:
                    needs.add(last_act)
                last_act = step
            needs.discard(step)
            self.before[step] = needs
        self.bit: dict[Step, int] = {step: 1 << k for k, step in enumerate(program.steps)}
        self.above: dict[Step, int] = {}
        for step, needs in self.before.items():
            self.above[step] = self.all_above(needs)

        self.ask_first(program)

    def ask_first(self, program: Program) -> None:
        """What is outside is changed only after all questions have been asked whose answer may stop the program."""
        questions = [s for s in program.steps if isinstance(s, Call) and s.checks]
        writers = [s for s in program.steps if any(v.memory is not None for v in s.made)]
        for writer in writers if questions else []:
            for question in questions:
                if question is not writer and not self.above[question] & self.bit[writer]:
                    self.before[writer].add(question)
                    more = self.bit[question] | self.above[question]
                    for step, found in self.above.items():
                        if step is writer or found & self.bit[writer]:
                            self.above[step] = found | more

    def late_questions(self) -> bool:
        """Does a question depend on a change of what is outside?"""
        writers = [s for s in self.before if any(v.memory is not None for v in s.made)]
        late = sum(self.bit[s] for s in writers)
        return any(isinstance(s, Call) and s.checks and self.above[s] & late for s in self.before)

    def all_above(self, needs: set[Step]) -> int:
        found = 0
        for step in needs:
            found |= self.bit[step] | self.above[step]
        return found

    def apart(self, first: Step, second: Step) -> bool:
        """Must they stay two? Yes if a third step needs the first and is needed by the second, or the other way."""
        bit = self.bit[first]
        if self.above[first] & self.bit[second]:
            return True
        return any(self.above[s] & bit for s in self.before[second] if s is not first)

    def join(self, first: Step, second: Step, both: Step) -> None:
        """The two steps have become one."""
        needs = (self.before.pop(first) | self.before.pop(second)) - {first, second}
        for others in self.before.values():
            if first in others or second in others:
                others -= {first, second}
                others.add(both)
        self.before[both] = needs
        above = self.above[both] = self.above.pop(first) | self.above.pop(second)
        bit = self.bit[both] = self.bit.pop(first) | self.bit.pop(second)
        above &= ~bit
        self.above[both] = above
        for step, found in self.above.items():
            if found & bit:
                self.above[step] = found | bit | above

    def sorted(self, position: dict[Step, int]) -> list[Step]:
        """The steps, each after those that it needs; the rest as it was."""
        done: set[Step] = set()
        found: list[Step] = []
        for step in sorted(self.before, key=lambda s: position[s]):
            stack = [step]
            while stack:
                top = stack[-1]
                missing = sorted(
                    (s for s in self.before[top] if s not in done), key=lambda s: position[s], reverse=True
                )
                if missing:
                    stack.extend(missing)
                    continue
                stack.pop()
                if top not in done:
                    done.add(top)
                    found.append(top)
        return found


def fuse(program: Program) -> None:
    """Put the steps in an order, and join loops as long as it pays."""
    order = Order(program)
    if order.late_questions():
        raise RuntimeError(
            "compile: an index is checked after a parameter was updated: a step that fails there would be half done. "
            "Compile one update at a time"
        )
    join_loops(program, order)


def join_loops(program: Program, order: Order) -> None:
    """Join each loop with those before it, the nearest first."""
    position: dict[Step, int] = {step: k for k, step in enumerate(program.steps)}
    loops: list[Loop] = []
    wanted = set(program.wanted())
    for step in program.steps:
        if not isinstance(step, Loop) or step.target is not None:
            continue
        current = step
        while True:
            for partner in reversed(loops[-REACH:]):
                if not fits(partner, current) or order.apart(partner, current):
                    continue
                both = joined(program, partner, current, wanted, order)
                if both is None:
                    continue
                position[both] = position[current]
                order.join(partner, current, both)
                loops.remove(partner)
                current = both
                break
            else:
                break
        loops.append(current)
        loops.sort(key=lambda s: position[s])
    program.steps = order.sorted(position)


def fits(first: Loop, second: Loop) -> bool:
    """Could the two be one loop, as far as their places, devices and dtypes go?"""
    if first.made[0].kind.device != second.made[0].kind.device:
        return False
    if first.compute != second.compute or prod(first.shape) != prod(second.shape):
        return False
    if isinstance(first, Fold) and isinstance(second, Fold):
        return first.op == second.op == "sum" and first.shape == second.shape and not first.columns
    return True


def joined(program: Program, first: Loop, second: Loop, wanted: set[Value], order: Order) -> Loop | None:
    """One loop for both, or None where it cannot be or does not pay. `second` may read what `first` makes."""
    shape = common_shape(first, second)
    if shape is None:
        return None
    one, two = seen_as(first, shape), seen_as(second, shape)
    given: dict[str, Expr] = {}
    made = dict(zip(first.made, first.outputs, strict=True))
    sums = len(first.divisors) if isinstance(first, Fold) else 0
    for name, a in two.items():
        if isinstance(a, Access) and a.value in made:
            e = made[a.value]
            exact = a.value.dtype == first.compute or (a.value.dtype == "bool" and e.op in PREDICATES)
            if a.value in first.made[:sums] or not in_order(a, shape) or not exact:
                return None
            given[name] = e
    changed = {v.memory for v in (*first.made, *second.made) if v.memory is not None}
    for a in (*one.values(), *two.values()):  # what is overwritten on the way may be read in its place only
        if isinstance(a, Access) and a.value.memory in changed and not in_order(a, shape):
            return None
    outputs = rebuilt(second.outputs, given, second.compute)
    operands = {**one, **{name: a for name, a in two.items() if name not in given}}
    keep = [v in wanted or needed_elsewhere(v, second, order) for v in first.made]
    stored = [(v, e) for v, e, k in zip(first.made, first.outputs, keep, strict=True) if k]
    both = assembled(first, second, shape, operands, stored, outputs)
    if both is None or not worth(first, second, both, bool(given)):
        return None
    for v in both.made:
        v.step = both
    return both


def needed_elsewhere(v: Value, consumer: Step, order: Order) -> bool:
    return any(v in step.reads() or v in {m.before for m in step.made} for step in order.before if step is not consumer)


def assembled(
    first: Loop, second: Loop, shape: Shape, operands: dict[str, Any], stored: list, outputs: list[Expr],
    ) -> Loop | None:  # fmt: skip
    """The joined loop: sums first, then what is stored; None where no kernel of this form can be printed."""
    folds = [step for step in (first, second) if isinstance(step, Fold)]
    rest = list(zip(second.made, outputs, strict=True))
    if not folds:
        both = Loop(shape, operands, [], [], second.compute)
        pairs = [*stored, *rest]
    else:
        sums: list[tuple[Value, Expr]] = []
        divisors: list[float] = []
        plain: list[tuple[Value, Expr]] = []
        for step, pairs in ((first, stored), (second, rest)):
            n = len(step.divisors) if isinstance(step, Fold) else 0
            of = {id(v): d for v, d in zip(step.made, step.divisors, strict=False)} if isinstance(step, Fold) else {}
            for v, e in pairs:
                if id(v) in of and v in step.made[:n]:
                    sums.append((v, e))
                    divisors.append(of[id(v)])
                else:
                    plain.append((v, e))
        if not sums:
            return None
        if (plain or len(sums) > 1) and (folds[0].columns or folds[0].op != "sum"):
            return None
        if plain and any(v.memory is not None for v, _ in plain):
            return None
        both = Fold(shape, operands, [], [], second.compute, folds[0].op, divisors)
        pairs = [*sums, *plain]
    both.made, both.outputs = [v for v, _ in pairs], [e for _, e in pairs]
    both.prune()
    if isinstance(both, Fold):
        found = accesses(both)
        if not any(in_a_row(a, shape) for a in found) or not all(is_plain(a, shape) for a in found):
            return None
    return both


def common_shape(first: Loop, second: Loop) -> Shape | None:
    """The axes in which both can be seen: cut wherever one of them is. A reduction keeps its own."""
    for step, other in ((first, second), (second, first)):
        if isinstance(step, Fold):
            return step.shape if seen_in(other, step.shape) else None
    if first.shape == second.shape:
        return first.shape
    cuts = sorted({prod(s[k:]) for s in (first.shape, second.shape) for k in range(len(s) + 1)})
    if any(a == 0 or b % a for a, b in zip(cuts, cuts[1:], strict=False)):
        return None
    shape = tuple(b // a for a, b in zip(cuts, cuts[1:], strict=False))[::-1]
    return shape or (1,)


def seen_in(step: Loop, shape: Shape) -> bool:
    """Can a loop be seen in these axes: because they are its own, or all its operands are in order or one number?"""
    if step.shape == shape:
        return True
    return all(is_plain(a, step.shape) for a in accesses(step))


def seen_as(step: Loop, shape: Shape) -> dict[str, Any]:
    """The operands of a loop, with their strides along the axes of `shape`, which are its own or finer."""
    found: dict[str, Any] = {}
    for name, a in step.operands.items():
        if isinstance(a, Number):
            found[name] = a
        elif in_a_row(a, step.shape):
            found[name] = Access(a.value, a.offset, contiguous_strides(shape))
        elif not any(a.strides):
            found[name] = Access(a.value, a.offset, (0,) * len(shape))
        else:
            found[name] = Access(a.value, a.offset, split(step.shape, a.strides, shape))
    return found


def split(shape: Shape, strides: Shape, finer: Shape) -> Shape:
    """The strides along finer axes."""
    if shape == finer:
        return strides
    found: list[int] = []
    axes = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    rest, stride = 1, 0
    for n in reversed(finer):
        if rest == 1 and n != 1:
            rest, stride = axes.pop()
        found.append(stride if n != 1 else 0)
        stride *= n
        rest //= n
    return tuple(reversed(found))


def arrays(step: Loop) -> int:
    """How many arrays run along a loop."""
    running = sum(isinstance(a, Access) and any(a.strides) for a in step.operands.values())
    return running + len(step.made)


def worth(first: Loop, second: Loop, both: Loop, chained: bool) -> bool:
    """Is one loop better than two? Fewer bytes, or fewer calls where these are what counts."""
    if arrays(both) > MOST_ARRAYS or sum(1 for _ in walk(tuple(both.outputs))) > MOST_OPERATIONS:
        return False
    ordered = all(is_plain(a, both.shape) for a in accesses(both))
    if not ordered and len(both.made) > 1:
        return False  # printed strided loops have one result
    if not ordered and all(is_plain(a, s.shape) for s in (first, second) for a in accesses(s)):
        return False
    if chained or arrays(both) < arrays(first) + arrays(second):
        return True
    return prod(both.shape) <= SMALL


def accesses(step: Loop) -> list[Access]:
    return [a for a in step.operands.values() if isinstance(a, Access)]
