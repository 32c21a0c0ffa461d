"""Shapes and strides: where element (i, j, ...) lies in a flat buffer, and what broadcasting does about it.

A tensor of shape (n0, n1) with strides (s0, s1) has its element (i, j) at `offset + i s0 + j s1`. Views change
only these numbers, never the data:

    contiguous (3, 4)      strides (4, 1)
    transposed (4, 3)      strides (1, 4)
    every second column    strides (4, 2)
    expanded (5, 3, 4)     strides (0, 4, 1)     stride 0: the same data again and again

*Broadcasting* aligns shapes at the right and repeats where one side has size 1: the repeated axis gets stride 0.

*Collapsing* merges neighbouring axes that one stride can walk for every operand: the loop over a contiguous
(20, 30, 40) is the loop over (24000,). Fewer axes, longer inner loops.

Source: S. van der Walt, S. C. Colbert, G. Varoquaux, The NumPy array, Computing in Science & Engineering 13(2), 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

Shape = tuple[int, ...]


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple, printed as PyTorch prints it.

    >>> Size((2, 3))
    torch.Size([2, 3])
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        return prod(self)

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"


@lru_cache(maxsize=4096)
def contiguous_strides(shape: Shape) -> Shape:
    """
    >>> contiguous_strides((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


@lru_cache(maxsize=4096)
def is_contiguous(shape: Shape, strides: Shape) -> bool:
    """Do the elements lie one after the other? The stride of an axis of size 1 does not matter."""
    step = 1
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and s != step:
            return prod(shape) == 0
        step *= n
    return True


@lru_cache(maxsize=4096)
def broadcast_shapes(*shapes: Shape) -> Shape:
    """The common shape. RuntimeError where two sizes differ and neither is 1.

    >>> broadcast_shapes((5, 1, 4), (3, 1))
    (5, 3, 4)
    """
    result: Shape = ()
    for shape in shapes:
        a, b = result, shape
        if len(a) < len(b):
            a = (1,) * (len(b) - len(a)) + a
        else:
            b = (1,) * (len(a) - len(b)) + b
        for axis in reversed(range(len(a))):  # the last axis that differs is named
            m, n = a[axis], b[axis]
            if m != n and m != 1 and n != 1:
                raise RuntimeError(
                    f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension "
                    f"{axis}: the shapes are {', '.join(str(list(s)) for s in shapes)}"
                )
        result = tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))
    return result


def broadcast_strides(shape: Shape, strides: Shape, target: Shape) -> Shape:
    """The strides with which a tensor is read as one of shape `target`; 0 along every axis of size 1."""
    lead = len(target) - len(shape)
    return (0,) * lead + tuple([0 if n == 1 else s for n, s in zip(shape, strides, strict=True)])


def collapse(shape: Shape, operands: Sequence[Shape]) -> tuple[Shape, list[Shape]]:
    """Merge neighbouring axes wherever all operands (given by their strides) allow it; drop axes of size 1.

    >>> collapse((2, 3, 4), [(12, 4, 1), (0, 0, 1)])
    ((6, 4), [(4, 1), (0, 1)])
    """
    axes: list[tuple[int, tuple[int, ...]]] = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        steps = tuple(strides[axis] for strides in operands)
        if axes and all(outer == s * n for outer, s in zip(axes[-1][1], steps, strict=True)):
            axes[-1] = (axes[-1][0] * n, steps)
        else:
            axes.append((n, steps))
    if not axes:
        axes = [(1, (0,) * len(operands))]
    return tuple(n for n, _ in axes), [tuple(steps[k] for _, steps in axes) for k in range(len(operands))]


def reduced_axes(shape: Shape, target: Shape) -> Shape:
    """The axes of `shape` over which a gradient is summed to get back to `target`, which was broadcast to it.

    >>> reduced_axes((5, 3, 4), (3, 1))
    (0, 2)
    """
    lead = len(shape) - len(target)
    return tuple(range(lead)) + tuple(
        lead + k for k, (n, t) in enumerate(zip(shape[lead:], target, strict=True)) if t == 1 and n != 1
    )
