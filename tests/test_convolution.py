"""Convolution: the fast kernels against the loops that define it, the functions and modules against PyTorch."""

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import integers, normal, row
from tinygrad_kernels.cpu import convolution as kernels

import tinygrad_edu as tg


# The kernels --------------------------------------------------------------------------------------------------
def geometry(batch, groups, channels, features, image, kernel, stride, padding, dilation):
    axes = zip(image, kernel, stride, padding, dilation, strict=True)
    result = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)
    sizes = (batch, groups, channels, features, image, kernel, result, stride, padding, dilation)
    return kernels.Geometry(*sizes) if min(result) > 0 else None


def operands(g, dtype):
    random = np.random.default_rng(0)
    sizes = (
        g.batch * g.groups * g.channels * g.image[0] * g.image[1],
        g.groups * g.features * g.channels * g.kernel[0] * g.kernel[1],
        g.batch * g.groups * g.features * g.result[0] * g.result[1],
    )
    return [random.normal(size=n).astype(dtype) for n in sizes]


def compare(g, dtype):
    """Each of the three operations, fast and as the seven loops."""
    for slot in range(3):
        expected, found = operands(g, dtype), operands(g, dtype)
        expected[slot][:] = 0
        found[slot][:] = np.nan  # every element is written
        kernels.naive(slot, *expected, *g)
        kernels.convolution(slot, *found, None, g)
        scale = max(1.0, np.abs(expected[slot]).max())
        tolerance = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(found[slot], expected[slot], rtol=0, atol=tolerance * scale, err_msg=f"{slot} {g}")


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


SIZES = st.tuples(
    st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.integers(1, 10),  # batch, groups, channels, features
    pairs(1, 20), pairs(1, 4), pairs(1, 3), pairs(0, 4), pairs(1, 3),  # image, kernel, stride, padding, dilation
)  # fmt: skip


@given(SIZES, st.sampled_from(["float32", "float64"]))
def test_the_fast_kernels_are_the_seven_loops(sizes, dtype):
    g = geometry(*sizes)
    if g is not None:
        compare(g, dtype)


WIDE = {
    "lines wider than a tile": (2, 1, 2, 9, (5, 70), (3, 3), (1, 1), (1, 1), (1, 1)),
    "one line": (3, 1, 4, 8, (1, 200), (1, 5), (1, 1), (0, 0), (1, 1)),
    "several blocks of images, parallel": (70, 1, 8, 16, (14, 14), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise": (4, 24, 1, 1, (12, 12), (3, 3), (1, 1), (1, 1), (1, 1)),
    "a stride larger than the kernel": (2, 1, 3, 4, (17, 19), (2, 1), (3, 4), (0, 2), (1, 1)),
    "padding larger than the kernel": (1, 1, 2, 2, (3, 4), (2, 2), (1, 2), (5, 7), (1, 1)),
    "many channels": (2, 1, 40, 33, (7, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
}


@pytest.mark.parametrize("sizes", WIDE.values(), ids=list(WIDE))
def test_shapes_of_their_own(sizes):
    compare(geometry(*sizes), "float32")


# The functions ------------------------------------------------------------------------------------------------
def conv(name, **options):
    return lambda m, *operands: getattr(m.nn.functional, name)(*operands, **options)


ROWS = [
    row("conv2d", conv("conv2d"), (2, 3, 6, 5), (4, 3, 3, 2)),
    row("conv2d bias", conv("conv2d"), (2, 3, 6, 5), (4, 3, 3, 2), (4,)),
    row("conv2d unbatched", conv("conv2d", padding=1), (3, 6, 5), (4, 3, 3, 3), (4,)),
    row("conv2d all", conv("conv2d", stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), (2, 4, 7, 6),
        (6, 2, 3, 2), (6,)),
    row("conv2d stride in a tuple of one", conv("conv2d", stride=(2,), padding=[1]), (1, 2, 5, 5), (2, 2, 3, 3)),
    row("conv2d same", conv("conv2d", padding="same"), (2, 2, 5, 4), (3, 2, 3, 3), (3,)),
    row("conv2d same, even kernel", conv("conv2d", padding="same", dilation=(1, 3)), (1, 2, 5, 6), (3, 2, 4, 2)),
    row("conv2d valid", conv("conv2d", padding="valid", stride=2), (2, 2, 5, 4), (3, 2, 3, 3)),
    row("conv2d depthwise", conv("conv2d", padding=1, groups=4), (2, 4, 5, 5), (4, 1, 3, 3), (4,)),
    row("conv2d depthwise times two", conv("conv2d", groups=3), (2, 3, 5, 5), (6, 1, 3, 3), (6,)),
    row("conv2d kernel 1", conv("conv2d"), (2, 3, 4, 4), (5, 3, 1, 1), (5,)),
    row("conv2d kernel of the image", conv("conv2d"), (2, 3, 4, 4), (5, 3, 4, 4), (5,)),
    row("conv2d kernel of the image, unbatched", conv("conv2d"), (3, 4, 2), (5, 3, 4, 2)),
    row("conv2d kernel of the image, groups", conv("conv2d", groups=2), (2, 4, 3, 2), (6, 2, 3, 2), (6,)),
    row("conv2d kernel as wide as the image", conv("conv2d"), (2, 3, 6, 4), (5, 3, 2, 4), (5,)),
    row("conv2d as wide, all", conv("conv2d", stride=(2, 3), padding=(1, 0), dilation=(2, 1), groups=2), (2, 4, 9, 5),
        (6, 2, 2, 5), (6,)),
    row("conv2d kernel 1, stride 2", conv("conv2d", stride=2), (2, 3, 5, 4), (5, 3, 1, 1)),
    row("conv2d no batch", conv("conv2d"), (0, 3, 5, 4), (5, 3, 3, 3), (5,), second=False),
    row("conv2d integers", conv("conv2d", padding=1, stride=2), integers(-9, 9, 2, 3, 5, 4),
        integers(-9, 9, 4, 3, 3, 3), integers(-9, 9, 4), gradient=False),
    row("conv2d top", lambda m, x, w: m.conv2d(x, w, None, 2), (1, 2, 5, 5), (2, 2, 3, 3)),
    row("conv2d large", conv("conv2d", padding=1), normal(9, 8, 14, 14), normal(16, 8, 3, 3), (16,), second=False,
        layouts=("contiguous",)),
    row("conv1d", conv("conv1d"), (2, 3, 9), (4, 3, 3), (4,)),
    row("conv1d all", conv("conv1d", stride=2, padding=2, dilation=3, groups=2), (2, 4, 11), (6, 2, 3), (6,)),
    row("conv1d unbatched", conv("conv1d", padding=(1,)), (3, 9), (4, 3, 3)),
    row("conv1d same", conv("conv1d", padding="same"), (2, 3, 9), (4, 3, 5), (4,)),
    row("conv1d top", lambda m, x, w: m.conv1d(x, w, stride=3), (1, 2, 9), (2, 2, 3)),
    row("conv_transpose2d", conv("conv_transpose2d"), (2, 3, 4, 5), (3, 4, 3, 2), (4,)),
    row("conv_transpose2d all",
        conv("conv_transpose2d", stride=(2, 3), padding=(1, 2), output_padding=(1, 2), groups=2, dilation=(2, 1)),
        (2, 4, 3, 4), (4, 3, 3, 4), (6,)),
    row("conv_transpose2d unbatched", conv("conv_transpose2d", stride=2), (3, 4, 5), (3, 4, 3, 2)),
    row("conv_transpose2d stride over kernel", conv("conv_transpose2d", stride=3), (1, 2, 3, 3), (2, 2, 2, 1), (2,)),
    row("conv_transpose2d depthwise", conv("conv_transpose2d", groups=3), (1, 3, 4, 4), (3, 1, 3, 3)),
    row("conv_transpose2d of one pixel", conv("conv_transpose2d"), (2, 3, 1, 1), (3, 4, 3, 2), (4,)),
    row("conv_transpose2d of one column", conv("conv_transpose2d", stride=2, padding=(1, 0), groups=2), (2, 4, 3, 1),
        (4, 3, 3, 4), (6,)),
    row("conv_transpose2d integers", conv("conv_transpose2d"), integers(-9, 9, 1, 2, 3, 3), integers(-9, 9, 2, 3, 2, 2),
        gradient=False),
    row("conv_transpose1d", conv("conv_transpose1d", stride=2, output_padding=1), (2, 3, 5), (3, 4, 3), (4,)),
    row("conv_transpose1d top", lambda m, x, w: m.conv_transpose1d(x, w, padding=1), (3, 5), (3, 4, 3)),
]  # fmt: skip


def refused(name, *shapes, dtypes=("float32",) * 3, **options):
    def call(m):
        tensors = [m.zeros(*shape, dtype=getattr(m, dtype)) for shape, dtype in zip(shapes, dtypes, strict=False)]
        return getattr(m.nn.functional, name)(*tensors, **options)

    return call


X, WEIGHT = (1, 2, 5, 5), (4, 2, 3, 3)
REFUSED = {
    "channels": refused("conv2d", (1, 3, 5, 5), WEIGHT),
    "channels unbatched": refused("conv2d", (3, 5, 5), WEIGHT),
    "groups": refused("conv2d", (1, 4, 5, 5), (3, 2, 3, 3), groups=2),
    "no groups": refused("conv2d", X, WEIGHT, groups=0),
    "kernel larger than the image": refused("conv2d", (1, 2, 2, 5), WEIGHT),
    "kernel larger than the line": refused("conv1d", (1, 2, 2), (4, 2, 3)),
    "two axes": refused("conv2d", (5, 5), WEIGHT),
    "five axes": refused("conv2d", (1, 1, 2, 5, 5), WEIGHT),
    "conv1d of four axes": refused("conv1d", X, (4, 2, 3)),
    "weight of three axes": refused("conv2d", X, (4, 2, 3)),
    "mixed dtypes": refused("conv2d", X, WEIGHT, dtypes=("float32", "float64")),
    "integer image": refused("conv2d", X, WEIGHT, dtypes=("int64", "float32")),
    "dtype of the bias": refused("conv2d", X, WEIGHT, (4,), dtypes=("float32", "float32", "float64")),
    "size of the bias": refused("conv2d", X, WEIGHT, (3,)),
    "axes of the bias": refused("conv2d", X, WEIGHT, (4, 1)),
    "same with a stride": refused("conv2d", X, WEIGHT, padding="same", stride=2),
    "unknown padding": refused("conv2d", X, WEIGHT, padding="full"),
    "negative padding": refused("conv2d", X, WEIGHT, padding=-1),
    "stride 0": refused("conv2d", X, WEIGHT, stride=0),
    "dilation 0": refused("conv2d", X, WEIGHT, dilation=0),
    "three strides": refused("conv2d", X, WEIGHT, stride=(1, 1, 1)),
    "fractional stride": refused("conv2d", X, WEIGHT, stride=1.5),
    "empty image": refused("conv2d", (1, 2, 0, 5), (4, 2, 1, 3), padding=1),
    "empty kernel": refused("conv2d", X, (4, 2, 0, 3)),
    "no features": refused("conv2d", X, (0, 2, 3, 3)),
    "a list": lambda m: m.nn.functional.conv2d([1.0], m.zeros(WEIGHT)),
    "no weight": lambda m: m.nn.functional.conv2d(m.zeros(X), None),
    "transposed channels": refused("conv_transpose2d", (1, 3, 5, 5), WEIGHT),
    "transposed bias": refused("conv_transpose2d", (1, 4, 5, 5), WEIGHT, (4,)),
    "transposed groups": refused("conv_transpose2d", (1, 4, 5, 5), WEIGHT, groups=3),
    "output padding": refused("conv_transpose2d", (1, 4, 5, 5), WEIGHT, output_padding=1),
    "negative output padding": refused("conv_transpose2d", (1, 4, 5, 5), WEIGHT, output_padding=-1),
    "nothing left": refused("conv_transpose2d", (1, 4, 1, 1), WEIGHT, padding=2),
    "transposed same": refused("conv_transpose2d", (1, 4, 5, 5), WEIGHT, padding="same"),
    "module groups": lambda m: m.nn.Conv2d(3, 4, 3, groups=2),
    "module features": lambda m: m.nn.Conv2d(4, 3, 3, groups=2),
    "module no groups": lambda m: m.nn.Conv2d(4, 3, 3, groups=0),
    "module padding": lambda m: m.nn.Conv2d(4, 3, 3, padding="full"),
    "module same": lambda m: m.nn.Conv2d(4, 3, 3, padding="same", stride=2),
    "module mode": lambda m: m.nn.Conv2d(4, 3, 3, padding_mode="mirror"),
    "module transposed mode": lambda m: m.nn.ConvTranspose2d(4, 3, 3, padding_mode="reflect"),
    "output size": lambda m: m.nn.ConvTranspose2d(4, 3, 3, stride=2)(m.zeros(1, 4, 5, 5), output_size=(13, 13)),
    "axes of the output size": lambda m: m.nn.ConvTranspose2d(4, 3, 3)(m.zeros(1, 4, 5, 5), output_size=(1, 1, 7)),
}
TestConvolution = oracle.parity(ROWS, REFUSED)


def test_the_message_names_the_sizes():
    with pytest.raises(RuntimeError, match=r"expected input\[1, 3, 5, 5\] to have 2 channels, but got 3 channels"):
        tg.conv2d(tg.zeros(1, 3, 5, 5), tg.zeros(WEIGHT))


def test_the_node_has_pytorchs_name():
    y = tg.conv2d(tg.zeros(1, 2, 5, 5), tg.zeros(4, 2, 3, 3, requires_grad=True))
    assert y.grad_fn.name() == "ConvolutionBackward0"


def test_an_operand_changed_in_place_is_refused():
    x, w = tg.ones(1, 2, 5, 5), tg.ones(4, 2, 3, 3, requires_grad=True)
    y = tg.conv2d(x, w)
    x.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_second_backward_is_refused():
    y = tg.conv2d(tg.ones(1, 2, 5, 5), tg.ones(4, 2, 3, 3, requires_grad=True)).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_the_third_derivative_is_pytorchs(torch):
    """One node closes under differentiation: T is trilinear, so with x³ as input the third derivative lives."""

    def third(m):
        x = m.tensor(np.linspace(-1, 1, 32).reshape(1, 2, 4, 4), requires_grad=True)
        w = m.tensor(np.linspace(-1, 2, 24).reshape(3, 2, 2, 2), requires_grad=True)
        y = (m.conv2d(x, w, stride=2, padding=1) ** 3).sum()
        (gx,) = m.autograd.grad(y, x, create_graph=True)
        (gw,) = m.autograd.grad((gx * gx).sum(), w, create_graph=True)
        return m.autograd.grad((gw**2).sum(), (x, w))

    for ours, theirs in zip(third(tg), third(torch), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-9)


# The modules --------------------------------------------------------------------------------------------------
def bordered(mode, padding):
    return lambda m: m.nn.Conv2d(2, 3, (3, 4), padding=padding, padding_mode=mode)


MODULES = {
    "Conv1d": (lambda m: m.nn.Conv1d(2, 3, 3, padding="valid"), (2, 2, 9)),
    "Conv2d": (lambda m: m.nn.Conv2d(2, 3, 3), (2, 2, 6, 7)),
    "Conv2d double": (lambda m: m.nn.Conv2d(2, 3, (3, 1), padding="same", dtype=m.float64), (2, 2, 6, 7)),
    "Conv2d all": (lambda m: m.nn.Conv2d(4, 6, (3, 2), 2, (1, 2), 2, 2, False), (2, 4, 9, 8)),
    "ConvTranspose1d": (lambda m: m.nn.ConvTranspose1d(2, 3, 3, 2, 1, 1), (2, 2, 5)),
    "ConvTranspose2d": (lambda m: m.nn.ConvTranspose2d(4, 6, (3, 2), 3, 1, 1, 2, True, 2), (2, 4, 5, 4)),
    **{
        f"{mode} {padding}": (bordered(mode, padding), (2, 2, 6, 7))
        for mode in ("reflect", "replicate", "circular")
        for padding in ((1, 2), "same", "valid")
    },
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_pytorchs(name, torch):
    """The same seed gives the same bits of weights; the results and the printed form agree."""
    make, shape = MODULES[name]
    torch.manual_seed(5)
    tg.manual_seed(5)
    theirs, ours = make(torch), make(tg)
    for (key, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert key == other and p.detach().numpy().tobytes() == q.detach().numpy().tobytes()
    assert repr(ours) == repr(theirs)
    dtype = "float64" if "double" in name else "float32"
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    found, expected = ours(tg.tensor(x)), theirs(torch.tensor(x))
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(11, 11), (12, 11), (1, 3, 12, 12)])
def test_an_output_size_is_reached(size):
    layer = tg.nn.ConvTranspose2d(4, 3, 3, stride=2)
    assert layer(tg.zeros(1, 4, 5, 5), output_size=size).shape[-2:] == size[-2:]


def test_state_travels_to_pytorch(torch):
    ours, theirs = tg.nn.Conv2d(2, 3, 3), torch.nn.Conv2d(2, 3, 3)
    theirs.load_state_dict({key: torch.tensor(p.numpy()) for key, p in ours.state_dict().items()})
    x = np.ones((1, 2, 5, 5), np.float32)
    np.testing.assert_allclose(ours(tg.tensor(x)).detach().numpy(), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5)
