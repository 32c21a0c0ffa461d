"""Seeing two loops in the same axes.

A loop over 6 elements and one over (2, 3) can be one, over (2, 3), if the first reads its operands in order: a stride
of 1 along 6 is one of 3 along the outer and of 1 along the inner axis. In general, cut an axis wherever either of the
two loops has one.

Source: the layouts are those of ../ops/strides.py.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..ops.strides import contiguous_strides
from .passes import in_a_row, is_plain
from .program import Access, Fold, Loop, Number, Shape


def accesses(step: Loop) -> list[Access]:
    return [a for a in step.operands.values() if isinstance(a, Access)]


def flags_at(flags: np.ndarray, access: Access, shape: Shape) -> np.ndarray:
    """Of one flag for each element of a value, those of the elements that a loop sees: a view, to read or to set."""
    return as_strided(flags[access.offset :], shape, access.strides)


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
