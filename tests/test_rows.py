"""Softmax, log-softmax, log-sum-exp, cross-entropy over rows: their definitions, their edges, PyTorch's answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinygrad_kernels.cpu import rows as kernels
from tinygrad_kernels.cpu import threads

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

SHAPES = [(1, 1), (3, 5), (7, 33), (2, 1025), (70, 1000), (1, 70001)]  # the last two run in parallel
TOLERANCE = {"float32": {"rtol": 1e-5, "atol": 1e-6}, "float64": {"rtol": 1e-13, "atol": 1e-14}}
BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])


def matrix(shape, dtype, seed=0):
    return (3.0 * np.random.default_rng(seed).normal(size=shape[0] * shape[1])).astype(dtype)


def call(kernel, shape, *arrays):
    out = np.empty_like(arrays[0])
    kernel(out, *arrays, *shape)
    return out


def cross_entropy(x, targets, shape, **options):
    losses, logsum = np.full(shape[0], 7.0, x.dtype), np.full(shape[0], 7.0)
    return kernels.cross_entropy(losses, logsum, x, targets, *shape, **options), losses, logsum


def reference(name, x, g, shape, dtype):
    """PyTorch's result and gradient, computed in float64."""
    torch = pytest.importorskip("torch")
    leaf = torch.tensor(x.reshape(shape).astype("float64"), requires_grad=True)
    out = getattr(torch, name)(leaf, -1)
    out.backward(torch.tensor(g.reshape(shape).astype("float64")))
    return out.detach().numpy().ravel().astype(dtype), leaf.grad.numpy().ravel().astype(dtype)


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_forward_and_backward_are_pytorchs(name, shape, dtype):
    x, g = matrix(shape, dtype), matrix(shape, dtype, seed=1)
    expected, expected_gradient = reference(name, x, g, shape, dtype)
    y = call(getattr(kernels, name), shape, x)
    np.testing.assert_allclose(y, expected, **TOLERANCE[dtype])
    gradient = call(getattr(kernels, name + "_backward"), shape, g, y)
    scale = np.abs(g).sum() / shape[0] if name == "log_softmax" else 1.0  # the row sum of g multiplies eʸ
    np.testing.assert_allclose(gradient / scale, expected_gradient / scale, **TOLERANCE[dtype])


@BOTH
def test_softmax_equals_the_naive_one(dtype):
    shape = (9, 77)
    x = matrix(shape, dtype)
    np.testing.assert_allclose(
        call(kernels.softmax, shape, x), call(kernels.naive_softmax, shape, x), **TOLERANCE[dtype]
    )


@BOTH
def test_softmax_of_huge_logits_is_finite(dtype):
    x = np.array([1e30, 1e30, -1e30, 1000.0, 1000.0, 0.0], dtype)
    np.testing.assert_array_equal(call(kernels.softmax, (2, 3), x), np.array([0.5, 0.5, 0.0] * 2, dtype))


@BOTH
def test_minus_infinity_has_probability_0_and_a_row_of_it_is_nan(dtype):
    inf, nan = np.inf, np.nan
    x = np.array([0.0, -inf, 0.0, -inf, -inf, -inf, 1.0, nan, 1.0], dtype)
    expected = np.array([0.5, 0.0, 0.5] + [nan] * 6, dtype)
    np.testing.assert_array_equal(call(kernels.softmax, (3, 3), x), expected)
    y = call(kernels.log_softmax, (3, 3), x)
    assert y[1] == -inf and np.isfinite(y[[0, 2]]).all() and np.isnan(y[3:]).all()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(1, 70), st.integers(0, 2**32 - 1), st.floats(-100, 100))
def test_softmax_rows_sum_to_1_and_ignore_a_constant(rows, cols, seed, shift):
    x = matrix((rows, cols), "float64", seed)
    y = call(kernels.softmax, (rows, cols), x)
    np.testing.assert_allclose(y.reshape(rows, cols).sum(1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(call(kernels.softmax, (rows, cols), x + shift), y, rtol=1e-11)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_empty_matrices(shape):
    for name in ("softmax", "log_softmax"):
        assert call(getattr(kernels, name), shape, np.empty(0)).size == 0


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_result_does_not_depend_on_the_number_of_threads(name):
    shape = (70, 1000)
    x = matrix(shape, "float32")
    many = call(getattr(kernels, name), shape, x)
    before = threads.get_num_threads()
    threads.set_num_threads(1)
    try:
        one = call(getattr(kernels, name), shape, x)
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(one, many)
    serial = np.concatenate([call(getattr(kernels, name), (1, 1000), row) for row in x.reshape(shape)])
    np.testing.assert_array_equal(serial, many)


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [True, False], ids=["one cotangent", "one per row"])
def test_cross_entropy_is_pytorchs(shape, shared, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, targets = matrix(shape, dtype), rng.integers(0, shape[1], shape[0])
    targets[1::3] = -100
    g = np.array([0.25], dtype) if shared else rng.normal(size=shape[0]).astype(dtype)
    leaf = torch.tensor(x.reshape(shape).astype("float64"), requires_grad=True)
    expected = torch.nn.functional.cross_entropy(leaf, torch.tensor(targets), reduction="none")
    expected.backward(torch.tensor(np.broadcast_to(g, shape[0]).astype("float64")))
    bad, losses, logsum = cross_entropy(x, targets, shape)
    gradient = np.empty_like(x)
    kernels.cross_entropy_backward(gradient, g, x, logsum, targets, *shape)
    assert bad == -1
    np.testing.assert_allclose(losses, expected.detach().numpy().astype(dtype), **TOLERANCE[dtype])
    np.testing.assert_allclose(gradient, leaf.grad.numpy().ravel().astype(dtype), **TOLERANCE[dtype])


def test_cross_entropy_of_large_float32_logits_keeps_its_digits():
    x = np.array([10000.0, 10001.0, 10002.0], "float32")
    targets = np.array([0])
    _, losses, logsum = cross_entropy(x, targets, (1, 3))
    gradient = np.empty_like(x)
    kernels.cross_entropy_backward(gradient, np.ones(1, "float32"), x, logsum, targets, 1, 3)
    y = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    np.testing.assert_allclose(losses, [-np.log(y[0])], rtol=1e-6)
    np.testing.assert_allclose(gradient, y - [1.0, 0.0, 0.0], rtol=1e-6)


@pytest.mark.parametrize("target", [3, -1, -101, 2**40])
def test_a_target_out_of_range_is_reported_and_nothing_is_written(target):
    bad, losses, logsum = cross_entropy(np.zeros(12), np.array([0, 2, target, target]), (4, 3))
    assert bad == 2
    assert (losses == 7.0).all() and (logsum == 7.0).all()


def test_ignore_index_can_be_a_class_and_hides_nan():
    x, targets = np.array([0.0, np.nan, 0.0, 0.0]), np.array([1, 0])
    bad, losses, logsum = cross_entropy(x, targets, (2, 2), ignore_index=1)
    gradient = np.empty_like(x)
    kernels.cross_entropy_backward(gradient, np.ones(1), x, logsum, targets, 2, 2, ignore_index=1)
    assert bad == -1
    np.testing.assert_allclose(losses, [0.0, np.log(2.0)])
    np.testing.assert_allclose(gradient, [0.0, 0.0, -0.5, 0.5])


def logsumexp(x, shape):
    out, logsum = np.empty(shape[0], x.dtype), np.empty(shape[0])
    kernels.logsumexp(out, logsum, x, *shape)
    return out, logsum


@BOTH
@pytest.mark.parametrize("shape", SHAPES)
def test_logsumexp_and_its_gradient_are_those_of_the_definition(shape, dtype):
    x, g = matrix(shape, dtype), np.random.default_rng(1).normal(size=shape[0]).astype(dtype)
    out, logsum = logsumexp(x, shape)
    exact = x.astype(np.float64).reshape(shape)
    expected = np.log(np.exp(exact).sum(1))
    np.testing.assert_allclose(out, expected, **TOLERANCE[dtype])
    gradient = np.empty_like(x)
    kernels.logsumexp_backward(gradient, g, x, logsum, *shape)
    np.testing.assert_allclose(
        gradient.reshape(shape), g[:, None] * np.exp(exact - expected[:, None]), **TOLERANCE[dtype]
    )


@BOTH
def test_logsumexp_of_infinities_is_pytorchs(dtype):
    torch = pytest.importorskip("torch")
    inf = np.inf
    rows = [[-inf, -inf], [inf, 1.0], [inf, inf], [inf, -inf], [np.nan, 1.0], [1.0, -inf], [1e30, -1e30]]
    ours = tg.tensor(np.array(rows, dtype), requires_grad=True)
    theirs = torch.tensor(np.array(rows, dtype), requires_grad=True)
    y, expected = ours.logsumexp(1), torch.logsumexp(theirs, 1)
    y.sum().backward()
    expected.sum().backward()
    np.testing.assert_array_equal(y.detach().numpy(), expected.detach().numpy())
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("dim", [0, 1, -1, (0, 2), (2, 1), (0, 1, 2)])
@pytest.mark.parametrize("keepdim", [True, False])
def test_logsumexp_over_any_axes(dim, keepdim):
    torch = pytest.importorskip("torch")
    x = matrix((6, 4), "float64").reshape(2, 3, 4)
    leaf = torch.tensor(x, requires_grad=True)
    expected = torch.logsumexp(leaf, dim, keepdim)
    g = np.random.default_rng(2).normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(g))
    ours = tg.tensor(x, requires_grad=True)
    y = tg.logsumexp(ours, dim, keepdim)
    y.backward(tg.tensor(g))
    assert y.shape == tuple(expected.shape)
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-13)
    np.testing.assert_allclose(ours.grad.numpy(), leaf.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dim", [1, (0, 2)])
def test_logsumexp_derivatives(dim):
    x = tg.tensor(matrix((4, 3), "float64").reshape(2, 2, 3), requires_grad=True)
    assert gradcheck(lambda x: x.logsumexp(dim), x)
    assert gradgradcheck(lambda x: x.logsumexp(dim), x)


def test_logsumexp_of_nothing_of_one_number_and_of_integers():
    assert tg.logsumexp(tg.zeros(2, 0), 1).tolist() == [-np.inf, -np.inf]
    assert tg.logsumexp(tg.zeros(0, 2), 1).tolist() == []
    assert tg.logsumexp(tg.tensor(2.0), 0).tolist() == 2.0
    assert tg.logsumexp(tg.tensor([0, 0]), 0).dtype is tg.float32


def test_logsumexp_of_large_float32_numbers_keeps_the_digits_of_its_gradient():
    x = tg.tensor([10000.0, 10001.0, 10002.0], requires_grad=True)
    x.logsumexp(0).backward()
    y = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    np.testing.assert_allclose(x.grad.numpy(), y, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("others", [[], [-np.inf], [np.inf], [1.0]])
def test_logsumexp_of_a_nan_with_a_negative_sign_is_nan(others, dtype):
    """0 / 0 gives one on common processors, and in the order of the bits it is below -inf."""
    x = np.array([*others, np.copysign(np.nan, -1.0)], dtype=dtype)
    assert np.isnan(tg.from_numpy(x).logsumexp(0).item())
