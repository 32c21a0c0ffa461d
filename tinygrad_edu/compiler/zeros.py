"""Leaving out zeros that are written over: the cotangent of a tensor that was cut into parts.

The problem. `q, k, v = x.split(n)` cuts a tensor, and backward the three cotangents are put together again: zeros, the
first added to its part of them, then the second, then the third.

    v4 = 0                          v4[0:8]  is nothing yet
    v5 = v4, v5[0:8] += gq          v5[0:8]  = 0 + gq
    v6 = v5, v6[8:16] += gk   ──▶   v6[8:16] = 0 + gk
    v7 = v6, v7[16:24] += gv        v7[16:24] = 0 + gv

The idea. Keep, for memory that was filled with one number, which of its elements have been written since. Where none of
what a loop reads has been, it is that number. And if in the end nobody reads an element before it is written, nobody
needs the number.

(0 + g stays as it is written: it makes 0.0 of -0.0, and so does the program.)

Source: the same as for dead code, of which this is an elementwise kind: A. Aho et al., Compilers, 2nd edition, 2006.
"""

from __future__ import annotations

import numpy as np
from tinygrad_kernels.expr import Expr

from .axes import flags_at
from .formulas import rebuilt
from .program import Access, Fold, Loop, Program, Shape, Step, Value


class Fill:
    """A loop that fills a value with a number. `needed`: somebody reads it."""

    def __init__(self, value: Value, number: Expr, step: Loop) -> None:
        self.value, self.number, self.step, self.needed = value, number, step, False


class Filled:
    """What has been written of a value since it was filled."""

    def __init__(self, fill: Fill, written: np.ndarray) -> None:
        self.fill, self.written = fill, written

    def part(self, access: Access, shape: Shape) -> np.ndarray:
        return flags_at(self.written, access, shape)


def leave_zeros_out(program: Program) -> None:
    """Read the number where it is known, and do not write it where nobody reads it."""
    filled: dict[Value, Filled] = {}
    fills: list[Fill] = []
    for step in program.steps:
        if isinstance(step, Loop):
            read_numbers(step, filled)
        else:
            check_pieces(step, filled)
        if type(step) is not Loop:
            continue
        if step.target is not None and step.target.value in filled:
            old = filled[step.target.value]
            new = filled[step.made[0]] = Filled(old.fill, old.written.copy())
            new.part(step.target, step.shape)[...] = True
        elif step.target is None:
            for v, e in zip(step.made, step.outputs, strict=True):
                if e.op == "const" and v.memory is None and v.dtype == step.compute:
                    fills.append(Fill(v, e, step))
                    filled[v] = Filled(fills[-1], np.zeros(v.size, bool))
    for v in program.wanted():
        if v in filled and not filled[v].written.all():
            filled[v].fill.needed = True
    for fill in fills:
        if not fill.needed and any(fill.value is v.before for v in filled):
            forget(program, fill)


def read_numbers(step: Loop, filled: dict[Value, Filled]) -> None:
    """Put the number in place of operands of which nothing has been written."""
    given: dict[str, Expr] = {}
    for name, a in step.operands.items():
        found = filled.get(a.value) if isinstance(a, Access) else None
        if found is None or (part := found.part(a, step.shape)).all():
            continue
        if part.any() or a.value.dtype != step.compute or isinstance(step, Fold):
            found.fill.needed = True
        else:
            given[name] = found.fill.number
    if given:
        step.outputs = rebuilt(step.outputs, given, step.compute)
        step.prune()


def check_pieces(step: Step, filled: dict[Value, Filled]) -> None:
    """A kernel that was written by hand gets the numbers."""
    for v in step.reads():
        if v in filled and not filled[v].written.all():
            filled[v].fill.needed = True


def forget(program: Program, fill: Fill) -> None:
    """Nobody needs what the memory was filled with."""
    k = fill.step.made.index(fill.value)
    del fill.step.made[k], fill.step.outputs[k]
    fill.value.step = None
    if not fill.step.made:
        program.steps = [step for step in program.steps if step is not fill.step]
