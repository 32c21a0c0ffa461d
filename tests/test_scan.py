"""cumsum, cumprod, prod: values, dtypes, accuracy, and gradients that are right where factors are zero."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

SHAPES = [(), (1,), (5,), (0,), (2, 3), (3, 3), (2, 0), (0, 3), (2, 3, 4), (40, 30), (300, 400)]
FORMS = {
    "cumsum": lambda x, dim: x.cumsum(dim),
    "cumprod": lambda x, dim: x.cumprod(dim),
    "prod": lambda x, dim: x.prod(dim),
    "prod()": lambda x, dim: x.prod(),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_are_pytorchs(shape, name, torch):
    array = np.random.default_rng(0).uniform(0.8, 1.2, shape)
    for dim in range(max(len(shape), 1)):
        results = []
        for library in (tg, torch):
            x = library.tensor(array).requires_grad_()
            y = FORMS[name](x, dim)
            y.backward(library.tensor(np.cos(1.0 + np.arange(y.numel())).reshape(tuple(y.shape))))
            results.append((y.detach().numpy(), x.grad.numpy()))
        for found, expected in zip(*results, strict=True):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


ZEROS = [[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0], [2.0, 3.0, 4.0, 0.0]]


@pytest.mark.parametrize("row", ZEROS, ids=str)
@pytest.mark.parametrize("name", ["prod", "prod()", "cumprod"])
def test_the_gradient_at_zeros_is_the_product_of_the_others(row, name, torch):
    """Trap: prod with a zero, nan instead of the product of the others (two zeros too; HIPS autograd)."""
    gradients = []
    for library in (tg, torch):
        x = library.tensor(row, dtype=library.float64, requires_grad=True)
        FORMS[name](x, 0).sum().backward()
        gradients.append(x.grad.tolist())
    assert gradients[0] == gradients[1]
    if name != "cumprod":
        assert gradients[0] == [math.prod(row[:k] + row[k + 1 :]) for k in range(len(row))]


@pytest.mark.parametrize("zeros", [0, 1, 2])
@pytest.mark.parametrize("name", FORMS)
def test_first_and_second_derivatives_pass_the_check(name, zeros):
    a = np.random.default_rng(1).uniform(0.5, 1.5, (4, 3))
    a[1 : 1 + zeros, 1] = 0.0
    x = tg.tensor(a, requires_grad=True)
    for dim in (0, 1):
        function = lambda x, dim=dim: FORMS[name](x, dim)  # noqa: E731
        assert gradcheck(function, x) and gradgradcheck(function, x)


def test_third_derivatives_of_a_product():
    """Of x0 x1 x2 by all three: 1."""
    x = tg.tensor([0.0, 0.0, 3.0], requires_grad=True)
    y = x.prod()
    for k in range(3):
        y = tg.autograd.grad(y, x, create_graph=True)[0][k]
    assert y.item() == 1.0


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_dtypes_are_pytorchs(dtype, torch):
    y = torch.tensor([[1, 0, 1], [1, 1, 1]]).to(getattr(torch, dtype))
    x = tg.tensor(y.numpy())
    for name in FORMS:
        found, expected = FORMS[name](x, 1), FORMS[name](y, 1)
        assert repr(found.dtype) == repr(expected.dtype) and found.tolist() == expected.tolist()
    assert x.prod(dtype=tg.float64).dtype is tg.float64 and x.cumsum(0, dtype=tg.float32).dtype is tg.float32
    assert tg.tensor([200, 200], dtype=tg.uint8).prod().item() == 40_000


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 1023, 1024, 1025, 2049, 100_003])
def test_a_float32_running_sum_is_as_good_as_pytorchs(n, torch):
    a = np.random.default_rng(n).uniform(-1.0, 3.0, n).astype(np.float32)
    exact = a.astype(np.longdouble).cumsum()
    ours, theirs = (np.abs(m.tensor(a).cumsum(0).numpy() - exact).max(initial=0.0) for m in (tg, torch))
    assert ours <= theirs
    rows = np.ascontiguousarray(np.broadcast_to(a, (3, n)))
    np.testing.assert_array_equal(tg.tensor(rows).cumsum(1)[2].numpy(), tg.tensor(a).cumsum(0).numpy())
    np.testing.assert_array_equal(tg.tensor(rows.T.copy()).t().cumsum(1)[1].numpy(), tg.tensor(a).cumsum(0).numpy())


def test_a_running_sum_past_inf_stays_inf():
    assert tg.tensor([1.0, math.inf, 1.0]).cumsum(0).tolist() == [1.0, math.inf, math.inf]


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 1023, 1024, 1025, 2049, 70_001])
def test_products_of_many_factors(n):
    a = np.random.default_rng(n).uniform(0.99, 1.01, n).astype(np.float32)
    assert math.isclose(tg.tensor(a).prod().item(), math.prod(a.tolist()), rel_tol=1e-6)


@given(
    st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=4).map(tuple),
    st.randoms(use_true_random=False),
    st.sampled_from(["cumsum", "cumprod", "prod"]),
)
def test_scans_of_permuted_views_are_pytorchs(shape, random, name):
    torch = pytest.importorskip("torch")
    order = random.sample(range(len(shape)), len(shape))
    dim = random.randrange(-len(shape), len(shape))
    array = np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape)
    results = []
    for library in (tg, torch):
        x = library.tensor(array).requires_grad_()
        y = FORMS[name]((x * x).permute(order), dim)
        (y * y).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("bad, error", [(2, IndexError), (None, TypeError), ((0,), TypeError), (1.0, TypeError)])
def test_bad_axes(bad, error):
    for name in ("cumsum", "cumprod"):
        with pytest.raises(error):
            getattr(tg.zeros(2, 3), name)(bad)
