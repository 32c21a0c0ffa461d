"""Layer norm: its definition, PyTorch's answers, both derivatives, and what it must not depend on."""

import numpy as np
import pytest
from tinygrad_kernels.cpu import norm as kernels
from tinygrad_kernels.cpu import threads

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.nn import functional as F

TOLERANCE = {"float32": {"rtol": 1e-5, "atol": 3e-6}, "float64": {"rtol": 1e-12, "atol": 1e-13}}
BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])
SHAPES = [((3, 5), 1), ((7, 33), 1), ((2, 3, 4), 2), ((4,), 1), ((1, 1025), 1), ((70, 1000), 1), ((33, 3), 1)]


def data(shape, dtype, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, shape).astype(dtype)


def exact(x, w, b, g, axes, eps=1e-5):
    """Result and gradients by the definition, in float64."""
    x, w, b, g = (a.astype(np.float64) for a in (x, w, b, g))
    last, before = tuple(range(x.ndim - axes, x.ndim)), tuple(range(x.ndim - axes))
    r = 1 / np.sqrt(x.var(last, keepdims=True) + eps)
    normal = (x - x.mean(last, keepdims=True)) * r
    h = g * w
    gx = r * (h - h.mean(last, keepdims=True) - normal * (h * normal).mean(last, keepdims=True))
    return normal * w + b, gx, (g * normal).sum(before), g.sum(before)


def ours(x, w, b, g, axes):
    leaves = [tg.tensor(a, requires_grad=True) for a in (x, w, b)]
    y = F.layer_norm(leaves[0], x.shape[x.ndim - axes :], *leaves[1:])
    y.backward(tg.tensor(g))
    return [y.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]


def operands(shape, axes, dtype):
    inner = shape[len(shape) - axes :]
    return data(shape, dtype), data(inner, dtype, 1), data(inner, dtype, 2), data(shape, dtype, 3)


@BOTH
@pytest.mark.parametrize("shape, axes", SHAPES)
def test_result_and_gradients_are_those_of_the_definition(shape, axes, dtype):
    given = operands(shape, axes, dtype)
    for found, expected in zip(ours(*given, axes), exact(*given, axes), strict=True):
        scale = max(1.0, np.abs(expected).max(initial=0.0))  # sums over many rows are large, with small ones between
        assert found.dtype == dtype
        np.testing.assert_allclose(found / scale, expected / scale, **TOLERANCE[dtype])


@BOTH
@pytest.mark.parametrize("shape, axes", SHAPES)
def test_result_and_gradients_are_pytorchs(shape, axes, dtype):
    torch = pytest.importorskip("torch")
    given = operands(shape, axes, dtype)
    leaves = [torch.tensor(a, requires_grad=True) for a in given[:3]]
    y = torch.nn.functional.layer_norm(leaves[0], shape[len(shape) - axes :], *leaves[1:])
    y.backward(torch.tensor(given[3]))
    for found, expected in zip(ours(*given, axes), [y.detach(), *(leaf.grad for leaf in leaves)], strict=True):
        scale = max(1.0, float(expected.abs().max()))
        np.testing.assert_allclose(found / scale, expected.numpy() / scale, **TOLERANCE[dtype])


@BOTH
@pytest.mark.parametrize("given", [(True, False), (False, True), (False, False)], ids=["weight", "bias", "neither"])
def test_weight_and_bias_may_be_missing(given, dtype):
    x, w, b, g = operands((6, 5), 1, dtype)
    leaf = tg.tensor(x, requires_grad=True)
    y = F.layer_norm(leaf, (5,), tg.tensor(w) if given[0] else None, tg.tensor(b) if given[1] else None)
    y.backward(tg.tensor(g))
    w, b = (w if given[0] else np.ones_like(w)), (b if given[1] else np.zeros_like(b))
    expected = exact(x, w, b, g, 1)
    np.testing.assert_allclose(y.detach().numpy(), expected[0], **TOLERANCE[dtype])
    np.testing.assert_allclose(leaf.grad.numpy(), expected[1], **TOLERANCE[dtype])


def leaves_of(shape, axes):
    return tuple(tg.tensor(a, requires_grad=True) for a in operands(shape, axes, "float64")[:3])


@pytest.mark.parametrize("shape, axes", [((3, 5), 1), ((2, 2, 3), 2), ((4,), 1)])
def test_first_and_second_derivatives(shape, axes):
    inner = shape[len(shape) - axes :]

    def function(x, w, b):
        return F.layer_norm(x, inner, w, b)

    assert gradcheck(function, leaves_of(shape, axes))
    assert gradgradcheck(function, leaves_of(shape, axes))


def test_layouts_of_the_operands_do_not_matter():
    """Transposed input, sliced weight, expanded cotangent."""
    x, w, _, _ = operands((6, 4), 1, "float64")
    leaf = tg.tensor(np.ascontiguousarray(x.T), requires_grad=True)
    wide = tg.tensor(np.repeat(w, 2), requires_grad=True)
    y = F.layer_norm(leaf.t(), (4,), wide[::2])
    y.sum().backward()
    expected = exact(x, w, np.zeros_like(w), np.ones_like(x), 1)
    np.testing.assert_allclose(y.detach().numpy(), expected[0], **TOLERANCE["float64"])
    np.testing.assert_allclose(leaf.grad.numpy().T, expected[1], **TOLERANCE["float64"])
    np.testing.assert_allclose(wide.grad.numpy()[::2], expected[2], **TOLERANCE["float64"])


def test_data_far_from_0_keeps_its_digits():
    """mean(x²) - mean² and a mean rounded to float32 both fail here."""
    x = (1e4 + np.random.default_rng(5).normal(size=(3, 512))).astype("float32")
    w, b = np.ones(512, "float32"), np.zeros(512, "float32")
    y = F.layer_norm(tg.tensor(x), (512,)).numpy()
    np.testing.assert_allclose(y, exact(x, w, b, x, 1)[0], rtol=1e-5, atol=1e-6)


def test_column_sums_over_many_rows_are_accurate():
    """Within a few units in the last place of the sum of magnitudes' root: chunks are added in float64."""
    given = operands((5000, 8), 1, "float32")
    _, _, gw, gb = ours(*given, 1)
    _, _, true_gw, true_gb = exact(*given, 1)
    np.testing.assert_allclose(gw, true_gw, rtol=1e-5, atol=2e-4)
    np.testing.assert_allclose(gb, true_gb, rtol=1e-6)


def test_the_result_does_not_depend_on_the_number_of_threads():
    given = operands((1000, 100), 1, "float32")
    many = ours(*given, 1)
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    try:
        one = ours(*given, 1)
    finally:
        threads.set_num_threads(before)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a, b)


@BOTH
def test_a_row_of_one_number_gives_the_bias_and_no_gradient(dtype):
    """Its variance is 0, so r = 1 / √eps = 316 multiplies the rounding error of g w."""
    given = operands((33, 1), 1, dtype)
    y, gx, _, _ = ours(*given, 1)
    np.testing.assert_array_equal(y, np.broadcast_to(given[2], (33, 1)))
    np.testing.assert_allclose(gx, 0.0, atol=317 * np.finfo(dtype).eps * np.abs(given[3] * given[1]).max())


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_empty_rows(shape):
    x, w = tg.zeros(*shape, requires_grad=True), tg.ones(shape[1], requires_grad=True)
    y = F.layer_norm(x, (shape[1],), w)
    y.sum().backward()
    assert y.shape == x.grad.shape == shape
    assert w.grad.tolist() == [0.0] * shape[1]


@BOTH
def test_a_constant_row_gives_the_bias(dtype):
    y = F.layer_norm(tg.tensor(np.full((2, 3), 7.0, dtype)), (3,), None, tg.tensor(np.array([1, 2, 3], dtype)))
    np.testing.assert_array_equal(y.numpy(), [[1, 2, 3], [1, 2, 3]])


@pytest.mark.parametrize(
    "arguments, error",
    [
        ((tg.zeros(2, 3), (4,)), RuntimeError),
        ((tg.zeros(2, 3), ()), RuntimeError),
        ((tg.zeros(3), (2, 3)), RuntimeError),
        ((tg.zeros(2, 3), 3), TypeError),
        ((tg.zeros(2, 3).long(), (3,)), NotImplementedError),
        ((tg.zeros(2, 3), (3,), tg.ones(2)), RuntimeError),
        ((tg.zeros(2, 3), (3,), tg.ones(3).double()), RuntimeError),
        ((tg.zeros(2, 3), (3,), None, tg.ones(3, 1)), RuntimeError),
    ],
)
def test_operands_that_do_not_fit_raise_as_in_pytorch(arguments, error):
    with pytest.raises(error):
        F.layer_norm(*arguments)


def test_a_change_in_place_after_the_pass_is_refused():
    x = tg.zeros(2, 3, requires_grad=True) * 1.0
    y = F.layer_norm(x, (3,))
    x += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_second_pass_needs_retain_graph():
    y = F.layer_norm(tg.zeros(2, 3, requires_grad=True), (3,)).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


@pytest.mark.parametrize(
    "options, expected",
    [
        ((5,), "LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=True)"),
        (([2, 5], 1e-3), "LayerNorm((2, 5), eps=0.001, elementwise_affine=True, bias=True)"),
        ((5, 1e-5, True, False), "LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=False)"),
        ((5, 1e-5, False), "LayerNorm((5,), eps=1e-05, elementwise_affine=False, bias=False)"),
    ],
)
def test_the_module_has_pytorchs_parameters_and_repr(options, expected):
    torch = pytest.importorskip("torch")
    layer, theirs = tg.nn.LayerNorm(*options), torch.nn.LayerNorm(*options)
    assert repr(layer) == repr(theirs) == expected
    found = {name: p.tolist() for name, p in layer.named_parameters()}
    assert found == {name: p.tolist() for name, p in theirs.named_parameters()}


def test_the_module_applies_its_parameters():
    layer = tg.nn.LayerNorm(3)
    with tg.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.fill_(1.0)
    y = layer(tg.tensor([[1.0, 2.0, 3.0]]))
    np.testing.assert_allclose(y.tolist(), [[1 - 6**0.5, 1.0, 1 + 6**0.5]], rtol=1e-4)


def test_the_kernel_leaves_out_column_sums_that_nobody_wants():
    x, w = data(12, "float64"), np.ones(4)
    means, rstds, out = np.empty(3), np.empty(3), np.empty(12)
    kernels.layer_norm(out, means, rstds, x, w, np.zeros(4), 3, 4, 0.0)
    gx = np.empty(12)
    kernels.layer_norm_backward(gx, None, None, x, x, w, means, rstds, 3, 4)
    np.testing.assert_allclose(gx, 0.0, atol=1e-14)  # x is a constant plus a multiple of x̂: no change of y
