"""Seeing through parts: what is put together from the parts of one value, each at its place, is that value.

The problem. A network computes queries, keys and values as one matrix and cuts it in three. Backward, attention leaves
the three cotangents as it found their tensors, side by side in one memory (ops/attention.py). But the program does not
know: it makes a matrix, and copies the first third into it, then the second, then the third.

    v5[:, 0:8] = g[:, 0:8]
    v6 = v5, v6[:, 8:16] = g[:, 8:16]            ──▶   v7 is g
    v7 = v6, v7[:, 16:24] = g[:, 16:24]

The idea. Keep, for memory into which elements of another value are copied, each to the place where it was, which of
them are there. When all are, it is the other value.

(0 + g counts as g where g's elements are sums that began with 0: such a sum is never -0.0, which 0 + g would change.)

Source: the same as for copies of whole values, of which this is an elementwise kind (passes.py).
"""

from __future__ import annotations

import numpy as np

from .axes import flags_at
from .passes import keep_results_apart, lasting, replace
from .program import Access, Call, Loop, Program, Value

SUMS = ("attention_backward",)  # kernels whose results are sums that began with 0


def see_through_parts(program: Program) -> None:
    """Read a value in place of what its parts were put together to."""
    stays = lasting(program)
    there: dict[Value, tuple[Value, np.ndarray]] = {}  # whose elements a value has, and which of them
    new: dict[Value, Value] = {}
    for step in program.steps:
        if not isinstance(step, Loop) or step.target is None:
            continue
        (made,) = step.made
        source = copied(step)
        if source is None or source not in stays or (source.size, source.kind) != (made.size, made.kind):
            continue
        known, before = there.get(step.target.value, (source, np.zeros(made.size, bool)))
        copies = before.copy() if known is source else np.zeros(made.size, bool)
        flags_at(copies, step.target, step.shape)[...] = True
        there[made] = source, copies
        if copies.all() and made in stays and made.memory is None and source.memory is None:
            new[made] = source
    keep_results_apart(program, new)
    replace(program, new)


def copied(step: Loop) -> Value | None:
    """The value of which a loop copies a part to the same place; None if it does something else."""
    (e,), (made,) = step.outputs, step.made
    zero = e.op == "add" and e.args[0].op == "const" and e.args[0].value == 0
    e = e.args[1] if zero else e
    a = step.operands.get(e.value) if e.op == "input" else None
    if not isinstance(a, Access) or step.target is None or a[1:] != step.target[1:] or step.compute != made.dtype:
        return None
    sums = isinstance(a.value.step, Call) and a.value.step.name in SUMS
    return a.value if sums or not zero else None
