"""var, std, var_mean, std_mean, norm: values, corrections, gradients, and what they say where nothing varies."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

CALLS = [
    lambda x, **k: x.var(**k),
    lambda x, **k: x.std(**k),
    lambda x, **k: x.var(1, **k),
    lambda x, **k: x.std((0, 1), keepdim=True, **k),
    lambda x, **k: x.var(0, keepdim=True, **k),
]
CORRECTIONS = [{}, {"unbiased": False}, {"unbiased": True}, {"correction": 0}, {"correction": 2}, {"correction": 0.5}]


def compare(form, array, torch, rtol=1e-12):
    """The value and the gradient of the form, with both libraries."""
    results = []
    for library in (tg, torch):
        x = library.tensor(array).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            y = form(x)
        y.sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for found, expected in zip(*results, strict=True):
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-14)


@pytest.mark.parametrize("call", range(len(CALLS)))
@pytest.mark.parametrize("correction", CORRECTIONS, ids=str)
def test_variances_are_pytorchs(call, correction, torch):
    compare(lambda x: CALLS[call](x, **correction), np.random.default_rng(0).standard_normal((4, 5)), torch)


@pytest.mark.parametrize("row", [[1.0, 1.0, 1.0], [1.0, 2.0], [3.0], [1.0, 2.0, 4.0], [math.nan, 1.0]], ids=str)
@pytest.mark.parametrize("correction", [0, 1, 2, 3, 5])
def test_where_nothing_varies_or_no_freedom_is_left_the_answers_are_pytorchs(row, correction, torch):
    """Trap: std at 0 gives nan (HIPS autograd): take PyTorch's answer, and its inf and nan for n <= correction."""
    for name in ("var", "std"):
        compare(lambda x, name=name: getattr(x, name)(correction=correction), np.array(row), torch)


def test_a_variance_without_freedom_warns():
    with pytest.warns(UserWarning, match="degrees of freedom is <= 0"):
        assert math.isnan(tg.tensor([1.0]).var().item())


def test_large_means_do_not_drown_the_variance():
    """The short formula, mean of squares minus square of mean, is 0 or negative here."""
    a = (np.random.default_rng(2).standard_normal(10_000) + 10_000).astype(np.float32)
    exact = a.astype(np.float64).var()
    assert abs(tg.tensor(a).var(unbiased=False).item() - exact) < 1e-5 * exact
    rows = tg.tensor(a.reshape(100, 100))
    np.testing.assert_allclose(rows.var(1).numpy(), a.reshape(100, 100).astype(np.float64).var(1, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(rows.var(0).numpy(), a.reshape(100, 100).astype(np.float64).var(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("n", [2, 31, 32, 33, 1023, 1024, 1025, 2049, 70_001])
def test_variance_and_norm_of_many(n):
    a = np.random.default_rng(n).standard_normal(n)
    assert math.isclose(tg.tensor(a).std().item(), a.std(ddof=1), rel_tol=1e-12)
    assert math.isclose(tg.tensor(a).norm().item(), np.linalg.norm(a), rel_tol=1e-12)


@pytest.mark.parametrize("options", [{}, {"dim": 1}, {"dim": (0, 1), "keepdim": True}, {"dim": 0, "unbiased": False}])
@pytest.mark.parametrize("name", ["var_mean", "std_mean"])
def test_the_pair_with_the_mean(name, options, torch):
    def weighted(x):
        first, mean = getattr(tg if isinstance(x, tg.Tensor) else torch, name)(x, **options)
        return first + 2.0 * mean

    compare(weighted, np.random.default_rng(3).standard_normal((3, 4)), torch)
    x = tg.tensor([1.0, 2.0, 6.0])
    assert tg.var_mean(x)[1].item() == 3.0 and tg.var_mean(x)[0].item() == x.var().item()


@pytest.mark.parametrize("p", ["fro", None, 1, 2, 3, 0.5, math.inf, -math.inf])
@pytest.mark.parametrize("row", [[3.0, -4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [-2.0, 2.0, 1.0], [5.0]], ids=str)
def test_norms_and_their_gradients_are_pytorchs(p, row, torch):
    """Trap: norm at 0 gives nan (HIPS autograd): the gradient is 0, as PyTorch's."""
    compare(lambda x: x.norm(p), np.array(row), torch)
    compare(lambda x: x.norm(p, 1), np.array([row, row[::-1]]), torch)
    compare(lambda x: x.norm(p, (0, 1), True), np.array([row, row]), torch)


def test_the_zero_norm_counts():
    x = tg.tensor([3.0, 0.0, -1.0], requires_grad=True)
    assert x.norm(0).item() == 2.0 and not x.norm(0).requires_grad


@pytest.mark.parametrize("dim", [None, 0, 1])
def test_first_and_second_derivatives_pass_the_check(dim):
    x = tg.tensor(np.random.default_rng(5).uniform(0.5, 2.0, (3, 4)), requires_grad=True)
    forms = [lambda x: x.var(dim), lambda x: x.std(dim), lambda x: x.norm(2, dim), lambda x: x.norm(3, dim)]
    for form in [*forms, lambda x: x.norm(1, dim), lambda x: x.norm(math.inf, dim)]:
        assert gradcheck(form, x) and gradgradcheck(form, x)


@given(
    st.lists(st.sampled_from([1, 2, 3]), max_size=4).map(tuple),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from(["var", "std", "norm"]),
)
def test_permuted_views_are_pytorchs(shape, random, keepdim, name):
    torch = pytest.importorskip("torch")
    order = random.sample(range(len(shape)), len(shape))
    axes = tuple(random.sample(range(len(shape)), random.randint(0, len(shape))))
    array = np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)
    options = {"p": 2} if name == "norm" else {"correction": 0}
    axes = axes or None  # for dim=() PyTorch's gradient of var is not the derivative of its value
    compare(lambda x: getattr((x * 2).permute(order), name)(dim=axes, keepdim=keepdim, **options), array, torch, 1e-10)


def test_integers_have_none():
    for name in ("var", "std", "norm"):
        with pytest.raises(RuntimeError):
            getattr(tg.tensor([1, 2]), name)()
    with pytest.raises(RuntimeError, match="Expected a floating point"):
        tg.tensor([3, 4]).norm(dtype=tg.float64)
    with pytest.raises(RuntimeError, match="does not have an identity"):
        tg.zeros(0).norm(math.inf)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
@pytest.mark.parametrize("count", [2, 3, 7, 33, 1000])
def test_equal_numbers_have_a_spread_and_a_gradient_of_exactly_0(count, dtype):
    """The mean of n times 0.1 is not 0.1 when it is rounded; PyTorch's running mean is."""
    x = tg.full((count, 4), 0.1, dtype=dtype) * tg.tensor([1.0, -3.0, 7.7, 1e5])
    x.requires_grad_()
    std = x.std(0)
    std.sum().backward()
    assert std.tolist() == [0.0] * 4 and not x.grad.any()
