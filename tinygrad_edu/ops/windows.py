"""Windows: every place at which a kernel can lie, laid out as an axis; and the sum that undoes it.

    x = 1 2 3 4 5      x.unfold(0, 3, 1)      1 2 3
                                              2 3 4
                                              3 4 5

The rows overlap, and nothing is copied: the next row begins `step` elements further, the next column one (or, dilated,
`dilation`), so it is a view with strides (step, dilation). For an image, two such views, one along each axis, hold
the windows that a convolution multiplies with its kernel; written out as columns they are *im2col*, `F.unfold`:

    x (n, channels, height, width)  ──▶  (n, channels · kernel height · kernel width, places)

Backward, each element collects from all windows that it is in: windows are added where they lie, `overlapped`. This
*is* `F.fold`, and its derivative is the view again, so each is the other's transpose.

Source: K. Chellapilla, S. Puri, P. Simard, High performance convolutional neural networks for document processing,
2006; for pixel_shuffle, W. Shi et al., Real-time single image and video super-resolution, CVPR 2016.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ..graph import Node, mode, no_grad
from .shape import check_axes, start, view_of
from .strides import Shape

if TYPE_CHECKING:
    from ..tensors import Tensor


class Lie(NamedTuple):
    """How windows lie: in a tensor of `shape`, along `axis`, `size` elements each, `dilation` apart, every `step`."""

    shape: Shape
    axis: int
    size: int
    step: int
    dilation: int = 1

    @property
    def places(self) -> int:
        reach = self.dilation * (self.size - 1) + 1 if self.size else 0
        return (self.shape[self.axis] - reach) // self.step + 1


def windows(x: Tensor, lie: Lie) -> Tensor:
    """A view of x with an axis replaced by the number of the window, and the elements of a window as the last axis."""
    axis, strides = lie.axis, x.stride()
    shape = (*x.shape[:axis], lie.places, *x.shape[axis + 1 :], lie.size)
    steps = (*strides[:axis], lie.step * strides[axis], *strides[axis + 1 :], lie.dilation * strides[axis])
    return view_of(x, shape, steps, start(x), "UnfoldBackward0", overlapped, lie)


def overlapped(g: Tensor, lie: Lie) -> Tensor:
    """The transpose: zeros of `lie.shape`, with every window of g added where it lies."""
    from ..creation import zeros

    out, before = zeros(lie.shape, dtype=g.kind.dtype, device=g.kind.device), (slice(None),) * lie.axis
    with no_grad():
        for k in range(lie.size):
            first = k * lie.dilation
            where = slice(first, first + (lie.places - 1) * lie.step + 1, lie.step)
            out[(*before, where)].add_(g.detach().select(-1, k))
    if g.node is not None and mode.grad:
        out.node = OverlapBackward(g.node, lie)
    return out


class OverlapBackward(Node):
    """The windows of g."""

    __slots__ = ("lie",)
    fresh = False

    def __init__(self, parent: Node, lie: Lie) -> None:
        self.walk = None
        self.parents, self.lie = (parent,), lie

    def name(self) -> str:
        return "UnfoldBackwardBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (windows(g, self.lie),)


class WindowMethods:
    """The method of Tensor that sees windows."""

    __slots__ = ()

    def unfold(self: Any, dimension: int, size: int, step: int) -> Tensor:
        """All windows of `size` elements along an axis, `step` from one to the next; their elements are the last axis.

        (..., n, ...) -> (..., (n - size) // step + 1, ..., size), a view. RuntimeError for a size or step that does not
        fit.

        >>> import tinygrad_edu as tg
        >>> tg.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
        """
        check_axes(len(self.shape), dimension)
        axis = dimension % max(len(self.shape), 1)
        n = (self.shape or (1,))[axis]
        if size < 0:
            raise RuntimeError(f"size is {size} but must be >= 0")
        if size > n:
            raise RuntimeError(f"maximum size for tensor at dimension {axis} is {n} but size is {size}")
        if step <= 0:
            raise RuntimeError(f"step is {step} but must be > 0")
        return windows(self, Lie(self.shape, axis, size, step)) if self.shape else self.reshape(1)[:size]


# Images -------------------------------------------------------------------------------------------------------
def sizes(name: str, **arguments: Any) -> list[tuple[int, int]]:
    """Kernel size, dilation, padding, stride (and output size): each an int or a pair, checked."""
    from .pooling import per_axis

    found = []
    for argument, value in arguments.items():
        pair = per_axis(name, argument, value, 2)
        least = 0 if argument == "padding" else 1
        if min(pair) < least:
            bound = "greater than zero" if least else "non-negative"
            raise RuntimeError(f"{name}: {argument} should be {bound}, but got {pair}")
        found.append(pair)
    return found


def lies(shape: Shape, k: Any, d: Any, s: Any) -> tuple[Lie, Lie]:
    """How windows lie along the height of padded images (n, channels, height, width); then, with the axis of what is
    in a window moved to the front of the places, along the width: (n, channels, k, places, width)."""
    rows = Lie(shape, 2, k[0], s[0], d[0])
    return rows, Lie((*shape[:2], k[0], rows.places, shape[3]), 4, k[1], s[1], d[1])


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of images as columns: (n, channels, height, width) -> (n, channels · kernel, places). Floats, bool.

    Images without a batch give (channels · kernel, places). RuntimeError for sizes that do not fit.

    >>> import tinygrad_edu as tg
    >>> unfold(tg.arange(6.0).reshape(1, 1, 2, 3), 2)
    tensor([[[0., 1.],
             [1., 2.],
             [3., 4.],
             [4., 5.]]])
    """
    from .padding import pad
    from .pooling import check_input

    k, d, p, s = sizes("unfold", kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
    check_input("unfold", input, 2, ("bool",))
    x = pad(input.reshape(-1, *input.shape[-3:]) if len(input.shape) == 4 else input.unsqueeze(0),
            (p[1], p[1], p[0], p[0]))  # fmt: skip
    rows, columns = lies(x.shape, k, d, s)
    if min(rows.places, columns.places) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(input.shape[-2:])}, kernel_size={k}, dilation={d}, padding={p}, "
            f"calculated shape of the array of sliding blocks as {(rows.places, columns.places)}, but its components "
            "must be at least one."
        )
    found = windows(windows(x, rows).permute(0, 1, 4, 2, 3), columns).permute(0, 1, 2, 5, 3, 4)
    out = found.reshape(x.shape[0], x.shape[1] * prod(k), rows.places * columns.places)
    return out if len(input.shape) == 4 else out.squeeze(0)


def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """The transpose of unfold: columns (n, channels · kernel, places) added up in images of `output_size`.

    >>> import tinygrad_edu as tg
    >>> fold(tg.ones(1, 4, 4), (3, 3), 2)
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    from .padding import pad
    from .pooling import check_input

    size, k, d, p, s = sizes(
        "fold", output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
    )
    check_input("fold", input, 1)
    x = input if len(input.shape) == 3 else input.unsqueeze(0)
    n, values, places = x.shape
    if values % prod(k):
        raise RuntimeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={values} and kernel_size={k}."
        )
    whole = (n, values // prod(k), size[0] + 2 * p[0], size[1] + 2 * p[1])
    rows, columns = lies(whole, k, d, s)
    if min(rows.places, columns.places) < 1 or rows.places * columns.places != places:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={k}, dilation={d}, padding={p}, stride={s}, expected size of "
            f"input's dimension 2 to match the calculated number of sliding blocks {rows.places} * {columns.places} = "
            f"{rows.places * columns.places}, but got input.size(2)={places}."
        )
    parts = x.reshape(n, whole[1], *k, rows.places, columns.places).permute(0, 1, 2, 4, 5, 3)
    out = pad(overlapped(overlapped(parts, columns).permute(0, 1, 3, 4, 2), rows), (-p[1], -p[1], -p[0], -p[0]))
    return out if len(input.shape) == 3 else out.squeeze(0)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels as pixels: (*, channels · r², height, width) -> (*, channels, height · r, width · r).

    >>> import tinygrad_edu as tg
    >>> pixel_shuffle(tg.arange(4).reshape(4, 1, 1), 2)
    tensor([[[0, 1],
             [2, 3]]])
    """
    r = factor("pixel_shuffle", input, "upscale_factor", upscale_factor)
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n, c = len(lead), channels // (r * r)
    parts = input.reshape(*lead, c, r, r, height, width)
    return parts.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2).reshape(*lead, c, height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Pixels as channels, the reverse: (*, channels, height · r, width · r) -> (*, channels · r², height, width)."""
    r = factor("pixel_unshuffle", input, "downscale_factor", downscale_factor)
    *lead, c, height, width = input.shape
    for what, size, axis in (("height", height, -2), ("width", width, -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but input.size({axis})={size} is "
                f"not divisible by {r}"
            )
    n = len(lead)
    parts = input.reshape(*lead, c, height // r, r, width // r, r)
    return parts.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3).reshape(*lead, c * r * r, height // r, width // r)


def factor(name: str, x: Any, argument: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}(): argument '{argument}' (position 2) must be int, not {type(value).__name__}")
    if len(x.shape) < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {len(x.shape)} dimension(s)"
        )
    if value <= 0:
        raise RuntimeError(f"{name} expects a positive {argument}, but got {value}")
    return value
