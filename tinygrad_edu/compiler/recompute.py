"""Computing again what is cheaper to compute than to store.

The problem. A forward pass stores what the backward pass will need, and a wall between the two (a sum, a product)
keeps their loops apart. The stored array is written once and read once; arithmetic is nearly free beside that.

The idea. If every reader of an array is a loop, and the array is a short formula of others, put the formula into the
readers and do not store the array. It pays where fewer bytes move: what is saved is one write and a read for
each reader, what it costs is the reading of operands that a reader did not read before.

    h = 2 x + 1 ───▶ sum ─▶ s                 h is read by both loops: one write, one read
      └─────────────▶ h * s                   recomputed: the second loop reads x instead, and h is not stored

Only formulas of a few simple operations are taken: an exp costs as much as a read from memory.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost, 2016 (the same trade, for
memory).
"""

from __future__ import annotations

from math import prod
from typing import Any

from tinygrad_kernels.expr import Expr, inputs_of

from ..ops.strides import contiguous_strides
from .formulas import PREDICATES, cost, rebuilt
from .passes import in_order, is_plain, lasting, runs_along
from .program import Access, Fold, Loop, Program, Step, Value

CHEAP = 6  # operations of a formula that is computed again


def recompute(program: Program) -> None:
    """Put cheap stored results of loops into the loops that read them, where fewer bytes move then."""
    stays, wanted, readers = lasting(program), set(program.wanted()), program.readers()
    for step in program.steps:
        if not isinstance(step, Loop) or step.target is not None:
            continue
        sums = len(step.divisors) if isinstance(step, Fold) else 0
        for v, e in list(zip(step.made, step.outputs, strict=True))[sums:]:
            users = readers.get(v, [])
            if v in wanted or v.memory is not None or v not in stays or not users or cost(e) > CHEAP:
                continue
            operands = {name: step.operands[name] for name in inputs_of((e,))}
            if not all(
                isinstance(a, Access) and a.value in stays and is_plain(a, step.shape) for a in operands.values()
            ):
                continue
            if all(can_take(user, v, e, step) for user in users) and pays(v, operands, users, program, step):
                for user in users:
                    assert isinstance(user, Loop)
                    take_in(program, user, v, e, operands, step)
                    for a in user.operands.values():
                        if isinstance(a, Access) and user not in readers.setdefault(a.value, []):
                            readers[a.value].append(user)


def can_take(user: Step, v: Value, e: Expr, step: Loop) -> bool:
    """Can a reader have the formula in place of each reading of v?"""
    if not isinstance(user, Loop) or user.compute != step.compute or prod(user.shape) != prod(step.shape):
        return False
    if not (v.dtype == step.compute or (v.dtype == "bool" and e.op in PREDICATES)):
        return False
    if user.target is not None and user.target.value is v:
        return False
    return all(in_order(a, user.shape) for a in user.operands.values() if isinstance(a, Access) and a.value is v)


def moved(a: Access, shape: tuple[int, ...]) -> Access:
    """The same elements in the axes of another loop."""
    strides = contiguous_strides(shape) if any(a.strides) else (0,) * len(shape)
    return Access(a.value, a.offset, strides)


def pays(v: Value, operands: dict[str, Any], users: list[Step], program: Program, step: Loop) -> bool:
    """Do fewer bytes move?"""
    saved = v.nbytes * (1 + len(users))
    added = 0
    for user in users:
        assert isinstance(user, Loop)
        for a in operands.values():
            if any(a.strides) and program.names.of(moved(a, user.shape), user.shape) not in user.operands:
                added += prod(step.shape) * a.value.kind.dtype.itemsize
    return added < saved


def take_in(program: Program, user: Loop, v: Value, e: Expr, operands: dict[str, Any], step: Loop) -> None:
    """Put the formula in place of v."""
    inner: dict[str, Expr] = {}
    all_operands = dict(user.operands)
    for name, a in operands.items():
        other = moved(a, user.shape)
        new = program.names.of(other, user.shape)
        all_operands[new] = other
        inner[name] = Expr.input(new)
    (formula,) = rebuilt([e], inner, step.compute)
    given = {name: formula for name, a in user.operands.items() if isinstance(a, Access) and a.value is v}
    outputs = rebuilt(user.outputs, given, user.compute)
    if not isinstance(user, Fold) or runs_along(outputs, all_operands):
        user.operands, user.outputs = all_operands, outputs
        user.prune()
