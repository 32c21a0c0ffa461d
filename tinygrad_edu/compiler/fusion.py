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

When is it allowed? If afterwards the steps can still be put in an order (order.py): a step in between that needs one of
the two and is needed by the other forbids it. The two must be seen in the same axes (axes.py), and all of it must be
computed in one dtype (formulas.py).
When does it pay? What is stored or read once less is gained, and a call; a loop over very many arrays at once loses
that again. `worth` decides, by counting bytes.

Source: K. Kennedy, K. McKinley, Maximizing loop parallelism and improving data locality via loop fusion and
distribution, LCPC 1993.
"""

from __future__ import annotations

from math import prod
from typing import Any

from tinygrad_kernels.expr import Expr, walk

from .axes import accesses, common_shape, seen_as
from .formulas import PREDICATES, rebuilt
from .order import Order
from .passes import in_a_row, in_order, is_plain
from .program import Access, Fold, Loop, Program, Shape, Step, Value

MOST_ARRAYS = 24  # that one loop reads and writes
MOST_OPERATIONS = 400  # of one loop: what takes long to compile does not gain by more
SMALL = 4096  # elements up to which a call costs more than the loop
REACH = 200  # loops back in which a partner is looked for


def fuse(program: Program) -> None:
    """Put the steps in an order, and join loops as long as it pays."""
    order = Order(program)
    if order.late_questions():
        raise RuntimeError(
            "compile: an index is checked, or an equation solved, after a parameter was updated: a step that fails "
            "there would be half done. Compile one update at a time"
        )
    join_loops(program, order)


def join_loops(program: Program, order: Order) -> None:
    """Join each loop with those before it, the nearest first."""
    position: dict[Step, int] = {step: k for k, step in enumerate(program.steps)}
    alike: dict[tuple, list[Loop]] = {}  # loops that could be one, as far as devices, dtypes and sizes go
    wanted = set(program.wanted())
    for step in program.steps:
        if not isinstance(step, Loop) or step.target is not None:
            continue
        loops = alike.setdefault((step.made[0].kind.device, step.compute, prod(step.shape)), [])
        current = step
        while (found := partner_of(current, loops, wanted, order)) is not None:
            first, both = found
            position[both] = position[current]
            order.join(first, current, both)
            loops.remove(first)
            current = both
        loops.append(current)
        loops.sort(key=lambda s: position[s])
    program.steps = order.sorted(position)


def partner_of(second: Loop, loops: list[Loop], wanted: set[Value], order: Order) -> tuple[Loop, Loop] | None:
    """The nearest loop to join with, and the two as one."""
    for first in reversed(loops[-REACH:]):
        if order.apart(first, second):
            continue
        both = joined(first, second, wanted, order)
        if both is not None:
            return first, both
    return None


def joined(first: Loop, second: Loop, wanted: set[Value], order: Order) -> Loop | None:
    """One loop for both, or None where it cannot be or does not pay. `second` may read what `first` makes."""
    if isinstance(first, Fold) and isinstance(second, Fold):
        if not first.op == second.op == "sum" or first.shape != second.shape or first.columns:
            return None
    shape = common_shape(first, second)
    if shape is None:
        return None
    one, two = seen_as(first, shape), seen_as(second, shape)
    given = formulas_for(first, two, shape)
    if given is None or overwrites_early(first, second, [*one.values(), *two.values()], shape):
        return None
    operands = {**one, **{name: a for name, a in two.items() if name not in given}}
    stored = [v in wanted or order.needed_elsewhere(v, second) for v in first.made]
    pairs = [pair for pair, keep in zip(pairs_of(first, first.outputs), stored, strict=True) if keep]
    pairs += pairs_of(second, rebuilt(second.outputs, given, second.compute))
    both = assembled(first, second, shape, operands, pairs)
    if both is None or not worth(first, second, both, bool(given)):
        return None
    for v in both.made:
        v.step = both
    return both


def formulas_for(first: Loop, operands: dict[str, Any], shape: Shape) -> dict[str, Expr] | None:
    """The formulas of the first loop for operands that read its results; None if one of them needs all of a result."""
    made = dict(zip(first.made, first.outputs, strict=True))
    sums = first.made[: len(first.divisors)] if isinstance(first, Fold) else []
    given: dict[str, Expr] = {}
    for name, a in operands.items():
        if isinstance(a, Access) and a.value in made:
            e = made[a.value]
            exact = a.value.dtype == first.compute or (a.value.dtype == "bool" and e.op in PREDICATES)
            if a.value in sums or not in_order(a, shape) or not exact:
                return None
            given[name] = e
    return given


def overwrites_early(first: Loop, second: Loop, operands: list[Any], shape: Shape) -> bool:
    """Would the joined loop write over elements that it has yet to read at another place?"""
    changed = {v.memory for v in (*first.made, *second.made) if v.memory is not None}
    return any(isinstance(a, Access) and a.value.memory in changed and not in_order(a, shape) for a in operands)


def pairs_of(step: Loop, outputs: list[Expr]) -> list[tuple[Value, Expr, float | None]]:
    """(value, formula, divisor) of each result; a result that is no sum has no divisor."""
    divisors: list[float | None] = [*step.divisors] if isinstance(step, Fold) else []
    return list(zip(step.made, outputs, divisors + [None] * (len(outputs) - len(divisors)), strict=True))


def assembled(
    first: Loop, second: Loop, shape: Shape, operands: dict[str, Any], pairs: list[tuple[Value, Expr, float | None]]
) -> Loop | None:
    """The loop of these results, sums first; None where no kernel of this form can be printed."""
    fold = first if isinstance(first, Fold) else second if isinstance(second, Fold) else None
    if fold is None:
        both = Loop(shape, operands, [e for _, e, _ in pairs], [v for v, _, _ in pairs], second.compute)
        both.prune()
        return both
    sums = [(v, e, d) for v, e, d in pairs if d is not None]
    plain = [(v, e) for v, e, d in pairs if d is None]
    if not sums or any(v.memory is not None for v, _ in plain):
        return None
    if len(pairs) > 1 and (fold.columns or fold.op != "sum"):
        return None
    outputs, made = [e for _, e, _ in sums] + [e for _, e in plain], [v for v, _, _ in sums] + [v for v, _ in plain]
    both = Fold(shape, operands, outputs, made, second.compute, fold.op, [d for _, _, d in sums])
    both.prune()
    found = accesses(both)
    return both if any(in_a_row(a, shape) for a in found) and all(is_plain(a, shape) for a in found) else None


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
