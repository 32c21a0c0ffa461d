"""Padding: more elements around a tensor, or (a negative number of them) fewer.

    x = 1 2 3, padded by (2, 2)      constant     0 0 1 2 3 0 0
                                     reflect      3 2 1 2 3 2 1      the edge is a mirror
                                     replicate    1 1 1 2 3 3 3      the edge goes on
                                     circular     2 3 1 2 3 1 2      after the end comes the beginning

`pad` counts from the last axis: (left, right), (left, right, top, bottom), ...

Derivatives. A constant border is constant: g is cut back, which is the same operation with the numbers negated. The
other modes say, for each element of the result, which element of x it is, one axis after the other: an index_select,
whose derivative adds up what was repeated.

Source: NumPy documentation, `numpy.pad`.
"""

from __future__ import annotations

from math import prod
from typing import Any

from ..creation import tensor
from ..dtypes import device
from ..graph import Node, mode
from ..hints import not_a_tensor
from ..prepared import kept
from ..tensors import Tensor
from .strides import Shape, Size

MODES = ("reflect", "replicate", "circular")


class ConstantPadNdBackward(Node):
    """Padding with the numbers negated."""

    __slots__ = ("pad",)

    def __init__(self, parent: Node, pad: Shape) -> None:
        self.walk = None
        self.parents, self.pad = (parent,), pad

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (constant(g, tuple(-n for n in self.pad), 0),)


def constant(x: Tensor, pad: Shape, value: Any) -> Tensor:
    """x with `value` around it."""
    where = [(slice(None), slice(None))] * (len(x.shape) - len(pad) // 2)  # of the result, of x
    shape = list(x.shape)
    for axis, before, after in reversed(list(zip(range(-1, -len(pad), -1), pad[::2], pad[1::2], strict=False))):
        n = shape[axis]
        shape[axis] = n + before + after
        if shape[axis] < 0 or n + min(before, 0) + min(after, 0) < 0:
            raise RuntimeError(
                f"narrow(): length must be non-negative: the input size {n}, plus negative padding {before} and "
                f"{after}, would leave {n + min(before, 0) + min(after, 0)}"
            )
        stop, end = max(before, 0) + max(n + min(before, 0) + min(after, 0), 0), max(n + min(after, 0), 0)
        where.append((slice(max(before, 0), stop), slice(max(-before, 0), end)))
    out = Tensor(x.kind.empty(prod(shape)), Size(shape), x.kind)
    out.fill_(value)
    if all(to.start != to.stop or to.start is None for to, _ in where):
        out[tuple(to for to, _ in where)] = x.detach()[tuple(of for _, of in where)]
    if x.node is not None and mode.grad:
        out.node = ConstantPadNdBackward(x.node, pad)
    return out


@kept
def elements(mode: str, n: int, before: int, after: int, where: device) -> Tensor:
    """Which elements of an axis of length n the result has along it."""
    at = range(-before, n + after)
    if mode == "reflect":
        last = max(n - 1, 0)
        found = [last - abs(last - abs(k)) for k in at]
    elif mode == "replicate":
        found = [min(max(k, 0), n - 1) for k in at]
    else:  # what a negative number cuts off does not come back
        first, size = max(-before, 0), n + min(before, 0) + min(after, 0)
        found = [first + (k - first) % max(size, 1) for k in at]
    return tensor(found, device=where).long()


def check_border(x: Tensor, pad: Shape, mode: str) -> None:
    """Raise where a mode other than 'constant' cannot pad x."""
    axes, n = len(pad) // 2, len(x.shape)
    if axes > 3 or n not in (axes + 1, axes + 2):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {n}D input tensor.\nSupported combinations for non-constant "
            "padding:\n  - 2D or 3D input: padding size = 2 (pads last dimension)\n  - 3D or 4D input: padding size = "
            "4 (pads last 2 dimensions)\n  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    if mode != "circular" and 0 in x.shape[n - axes - 1 :]:
        raise RuntimeError(
            f"Expected {axes + 1}D or {axes + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(x.shape)}"
        )
    for axis, before, after in zip(range(n - 1, -1, -1), pad[::2], pad[1::2], strict=False):
        size = x.shape[axis]
        if mode == "reflect" and max(before, after) >= size:
            raise RuntimeError(
                "Padding size should be less than the corresponding input dimension, but got: padding "
                f"({before}, {after}) at dimension {axis} of input {list(x.shape)}"
            )
        if mode == "circular" and max(before, after) > size:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if size + before + after < 0:
            raise RuntimeError(
                f"input (size {size} at dimension {axis}) is too small for padding ({before}, {after}): the result "
                "would have a negative size"
            )


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """The tensor with a border: `pad` is (left, right) of the last axis, then of the one before, and so on.

    mode 'constant' pads any axes with `value` (0); 'reflect', 'replicate' and 'circular' the last one, two or three of
    a tensor of (batch,) channels and these axes. Negative numbers cut off. RuntimeError or NotImplementedError for what
    does not fit.

    >>> import tinygrad_edu as tg
    >>> pad(tg.tensor([[1, 2, 3]]), (1, 2))
    tensor([[0, 1, 2, 3, 0, 0]])
    >>> pad(tg.tensor([[1, 2, 3]]), (1, 2), mode="reflect")
    tensor([[2, 1, 2, 3, 2, 1]])
    """
    if not isinstance(input, Tensor):
        raise not_a_tensor("pad", "input", 1, input)
    if not isinstance(pad, tuple | list) or any(not hasattr(n, "__index__") for n in pad):
        raise TypeError(f"pad(): argument 'pad' (position 2) must be tuple of ints, not {pad!r}")
    numbers = tuple(pad)
    if len(numbers) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(numbers) > 2 * len(input.shape):
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(numbers)} and input of dimension {len(input.shape)}"
        )
    if mode == "constant":
        return constant(input, numbers, 0 if value is None else value)
    if mode not in MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}: the modes are constant, {', '.join(MODES)}")
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    check_border(input, numbers, mode)
    for axis, before, after in zip(range(-1, -len(numbers), -1), numbers[::2], numbers[1::2], strict=False):
        if before or after:
            input = input.index_select(axis, elements(mode, input.shape[axis], before, after, input.kind.device))
    return input
