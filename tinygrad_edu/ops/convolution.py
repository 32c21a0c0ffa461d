"""Convolutions of one and two dimensions, and the transposed ones; one node for all of them and their derivatives.

    conv2d            x (N, C, H, W), w (O, C/groups, P, Q)              ->  y (N, O, I, J)
    conv_transpose2d  y (N, O, I, J), w (O, C/groups, P, Q)              ->  x (N, C, H, W)

    I = floor((H + 2 padding - dilation (P - 1) - 1) / stride) + 1
    H = (I - 1) stride - 2 padding + dilation (P - 1) + output_padding + 1

The three operands. Let T(x, w, y) be the sum of y times the convolution of x with w. It is linear in each, and

    dT/dy = the convolution          of x and w        slot 2
    dT/dx = the transposed one       of w and y        slot 0
    dT/dw = the gradient of weights  of x and y        slot 1

are all the operations there are. One of them has two operands and a result in the third slot; when its cotangent comes
back it stands in that slot, and the derivative by either operand is the operation of *that operand's* slot, of the two
others. So one node closes under differentiation, as often as one likes. The kernels are in
tinygrad_kernels/cpu/convolution.py. One dimension is an image of height 1.

Kernels without room to move. One as large as its image makes one number of it: a product of matrices (`covered`). One
as wide as its image moves along the height only, and that is a convolution of one dimension (`across`).

Source: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning, 2016 (arXiv:1603.07285).
"""

from __future__ import annotations

from typing import Any

from tinygrad_kernels.cpu.convolution import Geometry

from ..graph import mode, no_grad
from ..tensors import Tensor
from .linalg import times
from .reduction import SavingNode
from .strides import Size

X, W, Y = 0, 1, 2


class ConvolutionBackward(SavingNode):
    """The operation of `slot`; keeps the operands, which are in the two other slots."""

    __slots__ = ("slot", "slots", "geometry")

    def __init__(self, slot: int, operands: dict[int, Tensor], bias: Tensor | None, geometry: Geometry) -> None:
        parents = (*(x.node for x in operands.values()), None if bias is None else bias.node)
        super().__init__(parents, *operands.values())
        self.slot, self.slots, self.geometry = slot, tuple(operands), geometry

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        slots = (*self.slots, self.slot)
        operands = dict(zip(slots, (*self.saved(), g), strict=True))
        gradients = [
            None
            if parent is None
            else convolution(slot, {other: operands[other] for other in slots if other != slot}, None, self.geometry)
            for slot, parent in zip(self.slots, self.parents[:2], strict=True)
        ]
        return *gradients, g.sum((2, 3)).sum(0) if self.parents[2] is not None else None


def convolution(slot: int, operands: dict[int, Tensor], bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The operation of `slot`, of operands with four axes, in the slots that are left."""
    g = geometry
    shape = Size(
        (
            (g.batch, g.groups * g.channels, *g.image),
            (g.groups * g.features, g.channels, *g.kernel),
            (g.batch, g.groups * g.features, *g.result),
        )[slot]
    )
    operands = {number: x.contiguous() for number, x in operands.items()}
    if g.kernel == g.image and g.result == (1, 1) and g.padding == (0, 0) and g.groups == 1:
        out = covered(slot, operands, bias).reshape(shape)
    elif g.kernel[1] == g.image[1] > 1 == g.result[1] and g.padding[1] == 0:
        out = across(slot, operands, bias, geometry).reshape(shape)
    else:
        kind = next(iter(operands.values())).kind
        out = Tensor(kind.empty(shape.numel()), shape, kind)
        flats = [(operands | {slot: out})[number].flat for number in (X, W, Y)]
        kind.backend.convolution(slot, *flats, None if bias is None else bias.contiguous().flat, geometry)
    if mode.grad and any(x is not None and x.node is not None for x in (*operands.values(), bias)):
        out.node = ConvolutionBackward(slot, operands, bias, geometry)
    return out


def covered(slot: int, operands: dict[int, Tensor], bias: Tensor | None) -> Tensor:
    """The operation, outside of the graph, with a kernel as large as its image: a product of matrices."""
    with no_grad():
        matrices = {number: x.flatten(1) for number, x in operands.items()}
        if slot == W:
            return times(matrices[Y], matrices[X], left=True)
        if slot == Y:
            return times(matrices[X], matrices[W], right=True, bias=None if bias is None else bias.contiguous().flat)
        out = times(matrices[Y], matrices[W])
        return out if bias is None else out.unflatten(1, (len(bias), -1)) + bias.unsqueeze(1)


def across(slot: int, operands: dict[int, Tensor], bias: Tensor | None, g: Geometry) -> Tensor:
    """The operation, outside of the graph, with a kernel as wide as its image (of word vectors, say).

    Such a kernel moves down only. Each column is a channel of an image of one line, and the height becomes the width:
    x (N, C, H, W) -> (N, C W, 1, H), and w likewise. The kernels then see no border and no position twice.
    """
    width = g.image[1]
    turned = g._replace(
        channels=g.channels * width, image=(1, g.image[0]), kernel=(1, g.kernel[0]), result=(1, g.result[0]),
        stride=(1, g.stride[0]), padding=(0, g.padding[0]), dilation=(1, g.dilation[0]),
    )  # fmt: skip
    with no_grad():
        lines = {number: x.transpose(2, 3).flatten(1, 2).unsqueeze(2) for number, x in operands.items()}
        if Y in lines:
            lines[Y] = operands[Y].transpose(2, 3)
        bias = bias.repeat_interleave(width) if bias is not None and slot == X else bias
        out = convolution(slot, lines, bias, turned)
        return out if slot == Y else out.unflatten(1, (-1, width)).squeeze(3).transpose(2, 3).contiguous()


# Arguments --------------------------------------------------------------------------------------------------
def numbers(name: str, value: Any, dims: int, lowest: int) -> tuple[int, ...]:
    """An argument that is one int, or one for each of `dims` axes."""
    given = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in given):
        raise TypeError(f"argument '{name}' must be tuple of ints, not {value!r}")
    if len(given) not in (1, dims):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {dims} values to match the convolution "
            f"dimensions, but got {name}={list(given)}"
        )
    given = given * dims if len(given) == 1 else given
    if min(given) < lowest:
        raise RuntimeError(
            f"{name} should be greater than zero, but got {list(given)}"
            if name == "dilation"
            else f"{'negative' if lowest == 0 else 'non-positive'} {name} is not supported, got {list(given)}"
        )
    return given


def check(name: str, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, dims: int, transposed: bool) -> None:
    """Raise where the operands of a convolution do not fit together."""
    for role, operand in (("input", x), ("weight", weight), ("bias", bias)):
        if not isinstance(operand, Tensor) and not (operand is None and role == "bias"):
            raise TypeError(f"{name}(): argument '{role}' must be Tensor, not {type(operand).__name__}")
    if groups < 1:
        raise RuntimeError("non-positive groups is not supported")
    if len(weight.shape) != dims + 2:
        raise RuntimeError(
            f"expected a weight of {dims + 2} dimensions (out, in / groups, *kernel) to match the convolution "
            f"dimensions of {name}, but got weight of size {list(weight.shape)}"
        )
    if len(x.shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got input of size: "
            f"{list(x.shape)}"
        )
    sizes = f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size {list(weight.shape)}, "
    if weight.shape[0] == 0 or weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least 1 and divisible by {groups} at dimension 0, but "
            f"got weight of size {list(weight.shape)} instead"
        )
    if min(weight.shape[2:]) < 1:
        raise RuntimeError(f"kernel size should be greater than zero, but got {list(weight.shape[2:])}")
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if x.shape[-dims - 1] != channels:
        raise RuntimeError(
            f"{sizes}expected input{list(x.shape)} to have {channels} channels, but got {x.shape[-dims - 1]} channels "
            "instead"
        )
    if weight.kind is not x.kind:
        raise RuntimeError(
            f"expected scalar type {x.kind.dtype.name} but found {weight.kind.dtype.name}: input and weight must have "
            "one dtype, convert one with .to()"
        )
    features = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is None:
        return
    if bias.shape != (features,):
        raise RuntimeError(
            f"{sizes}expected bias to be 1-dimensional with {features} elements, but got bias of size "
            f"{list(bias.shape)} instead"
        )
    if bias.kind is not x.kind:
        raise RuntimeError(
            f"Input type ({x.kind.dtype.name}) and bias type ({bias.kind.dtype.name}) should be the same"
        )


def pair(sizes: Any, missing: int) -> Any:
    """(height, width), of the one or two numbers that a convolution has for its axes."""
    return tuple(sizes) if len(sizes) == 2 else (missing, *sizes)


def applied(slot: int, x: Tensor, weight: Tensor, bias: Tensor | None, dims: int, **sizes: Any) -> Tensor:
    """The convolution of an input with or without batch, of one dimension or two; `sizes` are those of a Geometry."""
    unbatched = len(x.shape) == dims + 1
    x = x.unsqueeze(0) if unbatched else x
    if dims == 1:
        x, weight = x.unsqueeze(2), weight.unsqueeze(2)
    missing = {"padding": 0, "stride": 1, "dilation": 1, "image": 1, "result": 1}
    geometry = Geometry(
        batch=x.shape[0],
        channels=weight.shape[1],
        features=weight.shape[0] // sizes["groups"],
        kernel=(weight.shape[2], weight.shape[3]),
        groups=sizes.pop("groups"),
        **{name: pair(value, missing[name]) for name, value in sizes.items()},
    )
    out = convolution(slot, {X if slot == Y else Y: x, W: weight}, bias, geometry)
    out = out.squeeze(2) if dims == 1 else out
    return out.squeeze(0) if unbatched else out


def convolve(
    dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Tensor:
    """conv1d and conv2d."""
    check(f"conv{dims}d", input, weight, bias, groups, dims, False)
    steps, spread = numbers("stride", stride, dims, 1), numbers("dilation", dilation, dims, 1)
    image, kernel = input.shape[-dims:], weight.shape[2:]
    reach = [d * (k - 1) for k, d in zip(kernel, spread, strict=True)]
    if padding == "same":
        if steps != (1,) * dims:
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        before, both = [r // 2 for r in reach], reach
    elif isinstance(padding, str) and padding != "valid":
        raise RuntimeError(f"Invalid padding string: '{padding}'; use 'same', 'valid' or ints")
    else:
        before = list(numbers("padding", 0 if padding == "valid" else padding, dims, 0))
        both = [2 * p for p in before]
    result = [(n + b - r - 1) // s + 1 for n, b, r, s in zip(image, both, reach, steps, strict=True)]
    if min(result) < 1:
        padded = " x ".join(str(n + b) for n, b in zip(image, both, strict=True))
        raise RuntimeError(
            f"Calculated padded input size per channel: ({padded}). Kernel size: "
            f"({' x '.join(str(r + 1) for r in reach)}). Kernel size can't be greater than actual input size"
        )
    if 0 in image:
        raise RuntimeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(input.shape)}"
        )
    sizes = {"stride": steps, "padding": before, "dilation": spread, "image": image, "result": result}
    return applied(Y, input, weight, bias, dims, groups=groups, **sizes)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Lay a kernel on each place of a line: (N, C, L) or (C, L), (O, C / groups, K), (O,) -> (N, O, M) or (O, M).

    Arguments and errors as in `conv2d`.

    >>> import tinygrad_edu as tg
    >>> conv1d(tg.tensor([[1.0, 2.0, 4.0, 8.0]]), tg.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2., 4.]])
    """
    return convolve(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """Lay a kernel on each place of an image: (N, C, H, W) or (C, H, W), (O, C / groups, P, Q), (O,) -> (N, O, I, J).

    stride: from one place to the next; dilation: between the pixels of one place; padding: zeros around the image, or
    'same' (the result is as large as the image; stride 1 only) or 'valid' (none). Each is an int, or a pair of height
    and width. With `groups`, each of as many parts of the channels makes its own part of the features. RuntimeError
    where sizes or dtypes do not fit.

    >>> import tinygrad_edu as tg
    >>> conv2d(tg.ones(1, 3, 3), tg.ones(1, 1, 2, 2), padding=1)
    tensor([[[1., 2., 2., 1.],
             [2., 4., 4., 2.],
             [2., 4., 4., 2.],
             [1., 2., 2., 1.]]])
    """
    return convolve(2, input, weight, bias, stride, padding, dilation, groups)


def transposed(
    dims: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, more: Any, groups: int,
    dilation: Any,
) -> Tensor:  # fmt: skip
    """conv_transpose1d and conv_transpose2d; `more` is the output padding."""
    check(f"conv_transpose{dims}d", input, weight, bias, groups, dims, True)
    steps, spread = numbers("stride", stride, dims, 1), numbers("dilation", dilation, dims, 1)
    before, after = numbers("padding", padding, dims, 0), numbers("output_padding", more, dims, 0)
    if any(a >= max(s, d) for a, s, d in zip(after, steps, spread, strict=True)):
        raise RuntimeError(
            f"output padding must be smaller than either stride or dilation, but got output_padding={list(after)}, "
            f"stride={list(steps)}, dilation={list(spread)}"
        )
    result = input.shape[-dims:]
    sizes = zip(result, weight.shape[2:], steps, before, after, spread, strict=True)
    image = [(n - 1) * s - 2 * p + d * (k - 1) + a + 1 for n, k, s, p, a, d in sizes]
    if min(image) < 1 or 0 in result:
        raise RuntimeError(
            f"Given input size per channel: {list(result)}. Calculated output size per channel: {image}. Output size "
            "is too small"
        )
    at = {"stride": steps, "padding": before, "dilation": spread, "image": image, "result": result}
    return applied(X, input, weight, bias, dims, groups=groups, **at)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv1d: (N, O, M) or (O, M), (O, C / groups, K), (C,) -> (N, C, L) or (C, L).

    >>> import tinygrad_edu as tg
    >>> conv_transpose1d(tg.tensor([[1.0, 10.0]]), tg.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[ 1., 12., 23., 30.]])
    """
    return transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """The transpose of conv2d, its gradient by the image: each pixel of the input lays down the kernel, scaled.

    (N, O, I, J) or (O, I, J), (O, C / groups, P, Q), (C,) -> (N, C, H, W) or (C, H, W). Several image sizes have the
    same result under a stride; `output_padding` says by how much the one that is meant is larger than the smallest.

    >>> import tinygrad_edu as tg
    >>> conv_transpose2d(tg.ones(1, 2, 1), tg.ones(1, 1, 1, 2), stride=2, output_padding=1)
    tensor([[[1., 1., 0.],
             [0., 0., 0.],
             [1., 1., 0.],
             [0., 0., 0.]]])
    """
    return transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)
