"""Pooling: one number for each window of an image, its maximum or its mean.

    x (n, channels, 28, 28)      max_pool2d(x, 2)               (n, channels, 14, 14)
    x (n, channels, 28, 28)      adaptive_avg_pool2d(x, 1)      (n, channels, 1, 1)      the mean of each channel
    x (n, channels, 28)          avg_pool1d(x, 3, stride=1)     (n, channels, 26)        a plane of height 1

Every form comes down to four lists (tinygrad_kernels/cpu/pooling.py): where windows begin and end, along either axis.
With kernel size k, stride s, padding p and dilation d, window number i begins at i s - p, and there are

    floor((length + 2 p - d (k - 1) - 1) / s) + 1

of them; with `ceil_mode` the quotient is rounded up, so that a last window may reach over the edge. An *adaptive* pool
is told how many windows there shall be, m, and number i reaches from floor(i length / m) to ceil((i + 1) length / m).

Derivatives. A mean is linear, so its vector-Jacobian product is its transpose, and that of the transpose the mean
again. For a maximum g goes to the places of the maxima: a scatter, whose derivative is a gather.

Source: D. Scherer, A. Müller, S. Behnke, Evaluation of pooling operations in convolutional architectures for object
recognition, ICANN 2010; K. He et al., Spatial pyramid pooling in deep convolutional networks, 2014 (adaptive windows).
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import Kind, int32, int64, kind_of
from ..graph import Node, mode
from ..hints import not_a_tensor
from ..tensors import Tensor
from .strides import Shape, Size


class Windows(NamedTuple):
    """The windows along one axis: buffers of int64. `counts` is what each is divided by in a mean."""

    first: Any
    last: Any
    counts: Any
    hollow: bool  # does one of them hold nothing but padding?


class Pool(NamedTuple):
    """A pooling prepared: x of `shape` as `planes` planes of `length` elements in rows of `width`."""

    name: str
    shape: Shape
    result: Shape
    rows: Windows
    cols: Windows
    planes: int
    length: int
    width: int


def sliding(kind: Kind, axis: tuple[int, ...], padding_counts: bool, divisor: int) -> Windows:
    """`out` windows of k elements, d apart, along an axis of length n, s from one to the next."""
    n, out, k, s, p, d = axis
    firsts, lasts, counts = [], [], []
    for start in range(-p, out * s - p, s):
        stop = min(start + d * (k - 1) + 1, n + p)
        first = start + max(0, -start + d - 1) // d * d  # the first element that is not padding
        firsts.append(first)
        lasts.append(min(stop, n))
        counts.append(divisor or max(stop - start if padding_counts else lasts[-1] - first, 1))
    return buffers(kind, firsts, lasts, counts)


def adaptive(kind: Kind, n: int, m: int) -> Windows:
    """m windows that cover an axis of length n."""
    firsts, lasts = [i * n // m for i in range(m)], [-((i + 1) * -n // m) for i in range(m)]
    return buffers(kind, firsts, lasts, [last - first for first, last in zip(firsts, lasts, strict=True)])


def buffers(kind: Kind, *lists: list[int]) -> Windows:
    hollow = any(first >= last for first, last in zip(*lists[:2], strict=True))
    first, last, counts = (kind.backend.from_numpy(np.array(numbers, np.int64)) for numbers in lists)
    return Windows(first, last, counts, hollow)


def label(name: str) -> str:
    """'max_pool2d' as PyTorch names its node: 'MaxPool2D'."""
    return "".join(part.capitalize() for part in name.split("_"))[:-1] + "D"


def prepared(name: str, shape: Shape, rows: Windows, cols: Windows, dims: int) -> Pool:
    sizes, lead = (rows.first.size, cols.first.size)[2 - dims :], shape[:-dims]
    return Pool(name, shape, Size((*lead, *sizes)), rows, cols, prod(lead), prod(shape[-dims:]), shape[-1])


# Maxima -------------------------------------------------------------------------------------------------------
class MaxPoolBackward(Node):
    """g goes back to where the maxima were: `at`, numbers within each plane."""

    __slots__ = ("at", "pool", "steps")

    def __init__(self, parent: Node, at: Tensor, pool: Pool, steps: tuple[int, int]) -> None:
        self.walk = None
        self.parents, self.at, self.pool, self.steps = (parent,), at, pool, steps

    def name(self) -> str:
        return f"{self.pool.name}Backward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        from ..creation import zeros

        pool = self.pool
        if graph:
            flat = (pool.planes, self.at.numel() // max(pool.planes, 1))
            planes = zeros(pool.planes, pool.length, dtype=g.kind.dtype, device=g.kind.device)
            return (planes.scatter_add(1, self.at.to(int64).reshape(flat), g.reshape(flat)).reshape(pool.shape),)
        out = Tensor(g.kind.empty(prod(pool.shape)), pool.shape, g.kind)
        windows = (pool.rows.first, pool.rows.last, pool.cols.first, pool.cols.last, self.steps, pool.width)
        backward = g.kind.backend.max_pool_backward
        backward(out.flat, g.contiguous().flat, self.at.flat, pool.planes, pool.length, windows)
        return (out,)


def maxima(x: Tensor, pool: Pool, steps: tuple[int, int], pairs: bool, return_indices: bool) -> Any:
    """The maximum of each window; with it, if wanted, its place in the plane (int64)."""
    n, small = prod(pool.result), kind_of(int32, x.kind.device)
    out, at = Tensor(x.kind.empty(n), pool.result, x.kind), Tensor(small.empty(n), pool.result, small)
    if n:
        x.kind.backend.max_pool(
            out.flat, at.flat, x.contiguous().flat, pool.rows.first, pool.rows.last, pool.cols.first, pool.cols.last,
            steps, pairs, pool.planes, pool.length, pool.width,
        )  # fmt: skip
    if x.node is not None and mode.grad:
        out.node = MaxPoolBackward(x.node, at, pool, steps)
    return (out, at.to(int64)) if return_indices else out


# Means --------------------------------------------------------------------------------------------------------
class AvgPoolBackward(Node):
    """A mean of windows, or its transpose: each is the derivative of the other."""

    __slots__ = ("pool", "transposed")
    fresh = True

    def __init__(self, parent: Node, pool: Pool, transposed: bool) -> None:
        self.walk = None
        self.parents, self.pool, self.transposed = (parent,), pool, transposed

    def name(self) -> str:
        return f"{self.pool.name}Backward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (means(g, self.pool, not self.transposed),)


def means(x: Tensor, pool: Pool, transposed: bool = False) -> Tensor:
    """The mean of each window of x; or (transposed) zeros, with the share of each element of x added to its window."""
    shape = pool.shape if transposed else pool.result
    out = Tensor(x.kind.empty(prod(shape)), shape, x.kind)
    kernel = x.kind.backend.average_pool_backward if transposed else x.kind.backend.average_pool
    if prod(shape):
        (top, bottom, rows, _), (left, right, cols, _) = pool.rows, pool.cols
        source = x.contiguous().flat
        kernel(out.flat, source, top, bottom, left, right, rows, cols, pool.planes, pool.length, pool.width)
    if x.node is not None and mode.grad:
        out.node = AvgPoolBackward(x.node, pool, transposed)
    return out


# Arguments ----------------------------------------------------------------------------------------------------
def per_axis(name: str, argument: str, value: Any, dims: int, short: bool = True) -> tuple[Any, ...]:
    """An int, or a sequence of ints, as one for each of `dims` axes; (`short`) one in a sequence counts for all."""
    numbers = tuple(value) if isinstance(value, tuple | list) else (value,) * dims
    if any(isinstance(n, bool) or not hasattr(n, "__index__") for n in numbers):
        what = type(value).__name__
        raise TypeError(f"{name}(): argument '{argument}' must be int or tuple of ints, not {what}: {value!r}")
    if len(numbers) == 1 and short:
        numbers *= dims
    if len(numbers) != dims:
        size = ("an int", "a single int, or a tuple of two ints")[dims - 1]
        raise RuntimeError(f"{name}: {argument} must either be {size}, got {len(numbers)} numbers: {value!r}")
    return numbers


def check_input(name: str, x: Any, dims: int, integers: tuple[str, ...] = (), filled: int = 1) -> None:
    """Raise unless x is a tensor of (batch,) channels and `dims` axes, of floats or one of these integer dtypes.

    Only the axes before number `filled` of an input with a batch may be empty.
    """
    if not isinstance(x, Tensor):
        raise not_a_tensor(name, "input", 1, x)
    n = len(x.shape)
    if n not in (dims + 1, dims + 2) or 0 in x.shape[filled + n - dims - 2 :]:
        raise RuntimeError(
            f"{name}: Expected {dims + 1}D or {dims + 2}D (batch mode) tensor with optional 0 dim batch size for "
            f"input, whose other dimensions are not empty, but got: {list(x.shape)}"
        )
    if not (x.kind.dtype.is_floating_point or x.kind.dtype.name in integers):
        raise NotImplementedError(f"{name} is not implemented for {x.kind.dtype.name}: convert with .float() first")


def hashable(*arguments: Any) -> tuple[Any, ...]:
    """Lists as tuples: what a prepared pool is looked up by."""
    return tuple(tuple(a) if isinstance(a, list) else a for a in arguments)


@lru_cache(maxsize=1024, typed=True)
def sliding_pool(
    name: str,
    kind: Kind,
    shape: Shape,
    dims: int,
    kernel: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil: Any,
    padding_counts: bool = False,
    divisor: int = 0,
) -> tuple[Pool, tuple[int, int], bool]:
    """A pool with sliding windows, the steps inside a window, and whether the windows are pairs of pairs side by side.

    `kind` is that of the lists. RuntimeError and TypeError for arguments that do not fit.
    """
    k = per_axis(name, "kernel_size", kernel, dims)
    s = k if stride is None or stride == () else per_axis(name, "stride", stride, dims)
    p, d = per_axis(name, "padding", padding, dims), per_axis(name, "dilation", dilation, dims)
    for argument, numbers, least in (("kernel_size", k, 1), ("stride", s, 1), ("padding", p, 0), ("dilation", d, 1)):
        if min(numbers) < least:
            bound = "greater than zero" if least else "non-negative"
            raise RuntimeError(f"{name}: {argument} should be {bound}, but got {numbers}")
    out = []
    for n, ki, si, pi, di in zip(shape[-dims:], k, s, p, d, strict=True):
        if pi > ki // 2:
            raise RuntimeError(
                f"{name}: pad should be at most half of kernel size, but got pad={pi} and kernel_size={ki}: pad the "
                "input with F.pad first, for more"
            )
        span = n + 2 * pi - di * (ki - 1) - 1
        count = (span + (si - 1 if ceil else 0)) // si + 1
        out.append(count - (bool(ceil) and (count - 1) * si >= n + pi))  # a window must begin before the padding behind
    if min(out) < 1:
        raise RuntimeError(
            f"{name}: Given input size: {tuple(shape[-dims - 1 :])}. Calculated output size: "
            f"{(shape[-dims - 1], *out)}. Output size is too small: the kernel is larger than the padded input"
        )
    pairs = dims == 2 and set((*k, *s)) == {2} and not any(p) and set(d) == {1}
    pairs = pairs and shape[-2] == 2 * out[0] and shape[-1] // 2 == out[1]
    axes: list[Any] = [(n, *numbers) for n, *numbers in zip(shape[-dims:], out, k, s, p, d, strict=True)]
    if dims == 1:
        axes = [(1, 1, 1, 1, 0, 1), *axes]  # a row of numbers is a plane of height 1
    divisors = (divisor, bool(divisor))
    rows, cols = (sliding(kind, axis, padding_counts, by) for axis, by in zip(axes, divisors, strict=True))
    if name[0] == "m" and (rows.hollow or cols.hollow):
        raise RuntimeError(f"{name}: with dilation={d}, padding={p} some window lies in the padding: it has no maximum")
    pool = prepared(label(name) + "WithIndices" * (name[0] == "m"), shape, rows, cols, dims)
    return pool, (axes[0][-1], axes[1][-1]), pairs


@lru_cache(maxsize=1024, typed=True)
def adaptive_pool(name: str, kind: Kind, shape: Shape, dims: int, output_size: Any) -> Pool:
    """The windows of an adaptive pool. None keeps the length of an axis."""
    given = output_size if isinstance(output_size, tuple) else (output_size,) * dims
    if len(given) != dims:
        raise RuntimeError(f"{name}: output_size must be {dims} ints (or one for all), got {output_size!r}")
    wanted = [n if m is None else m for n, m in zip(shape[-dims:], given, strict=True)]
    per_axis(name, "output_size", wanted, dims)
    if min(wanted) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {output_size}"
        )
    lengths, wanted = (1, *shape[-dims:])[-2:], [1, *wanted][-2:]
    rows, cols = (adaptive(kind, n, m) for n, m in zip(lengths, wanted, strict=True))
    return prepared(label(name), shape, rows, cols, dims)


# The functions ------------------------------------------------------------------------------------------------
def max_pool(
    x: Any, dims: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, indices: bool
) -> Any:
    name = f"max_pool{dims}d"
    check_input(name, x, dims, ("uint8", "int8", "int16", "int32", "int64") if dims == 2 or indices else ())
    lists = kind_of(int64, x.kind.device)
    pool, steps, pairs = sliding_pool(
        name, lists, x.shape, dims, *hashable(kernel, stride, padding, dilation), bool(ceil_mode)
    )
    return maxima(x, pool, steps, pairs, indices)


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window: (*, channels, length) -> (*, channels, windows). See max_pool2d."""
    return max_pool(input, 1, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window: (*, channels, height, width) -> (*, channels, rows, columns); with `return_indices`
    also its place, counted in its plane (int64).

    Sizes are ints or pairs; the stride is the kernel size unless given. Padding counts as -inf and is at most half of a
    window. A nan wins. Of equal elements the first gets the gradient. RuntimeError for sizes that do not fit.

    >>> import tinygrad_edu as tg
    >>> max_pool2d(tg.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return max_pool(input, 2, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool(
    x: Any, dims: int, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, padding_counts: bool, divisor: Any
) -> Tensor:
    name = f"avg_pool{dims}d"
    check_input(name, x, dims, ("int64",))
    if divisor == 0:
        raise RuntimeError(f"{name}: divisor must be not zero")
    lists, sizes = kind_of(int64, x.kind.device), hashable(kernel, stride, padding)
    pool, *_ = sliding_pool(name, lists, x.shape, dims, *sizes, 1, bool(ceil_mode), padding_counts, divisor or 0)
    return means(x, pool)


def avg_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window: (*, channels, length) -> (*, channels, windows). See avg_pool2d."""
    return avg_pool(input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window: (*, channels, height, width) -> (*, channels, rows, columns).

    A sum is divided by the size of its window, with or without the padding in it, or by `divisor_override`.

    >>> import tinygrad_edu as tg
    >>> avg_pool2d(tg.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return avg_pool(input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adapted(name: str, x: Any, dims: int, output_size: Any) -> Pool:
    check_input(name, x, dims, filled=2 if "avg" in name else 1)
    return adaptive_pool(name, kind_of(int64, x.kind.device), x.shape, dims, *hashable(output_size))


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Means of `output_size` windows: (*, channels, length) -> (*, channels, output_size)."""
    return means(input, adapted("adaptive_avg_pool1d", input, 1, output_size))


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Means of as many windows as asked for: (*, channels, height, width) -> (*, channels, *output_size).

    One int is for both axes, None keeps the length of an axis.

    >>> import tinygrad_edu as tg
    >>> adaptive_avg_pool2d(tg.arange(16.0).reshape(1, 4, 4), 1)
    tensor([[[7.5000]]])
    """
    return means(input, adapted("adaptive_avg_pool2d", input, 2, output_size))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of `output_size` windows: (*, channels, length) -> (*, channels, output_size). See max_pool2d."""
    return maxima(input, adapted("adaptive_max_pool1d", input, 1, output_size), (1, 1), False, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of as many windows as asked for: (*, channels, height, width) -> (*, channels, *output_size)."""
    return maxima(input, adapted("adaptive_max_pool2d", input, 2, output_size), (1, 1), False, return_indices)
