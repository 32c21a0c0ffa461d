"""Sums and means over axes: values, shapes, dtypes, gradients, accuracy, and the same bits for all layouts."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

SHAPES = [(), (1,), (5,), (0,), (2, 3), (3, 3), (2, 0), (0, 3), (1, 4), (2, 3, 4), (3, 1, 2), (2, 3, 2, 3)]


def dims(n):
    """None, (), and every set of axes, some of them counted from the end."""
    yield None
    yield ()
    for k in range(1, n + 1):
        for axes in itertools.combinations(range(n), k):
            yield axes
            if k == 1:
                yield axes[0]
                yield axes[0] - n
            yield tuple(a - n for a in reversed(axes))


CASES = [(shape, dim) for shape in SHAPES for dim in dims(len(shape))]


@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize("shape, dim", CASES, ids=str)
def test_values_and_gradients_are_pytorchs(shape, dim, name, torch):
    """Traps: `sum(axis)` backward without its axis (TinyTorch: wrong on square input); `mean` drops the graph."""
    array = np.random.default_rng(0).standard_normal(shape)
    for keepdim in (False, True):
        results = []
        for library in (tg, torch):
            x = library.tensor(array).requires_grad_()
            y = getattr(x, name)() if dim is None and not keepdim else getattr(x, name)(dim, keepdim)
            weights = np.cos(1.0 + np.arange(y.numel())).reshape(tuple(y.shape))
            y.backward(library.tensor(weights))
            results.append((y.detach().numpy(), x.grad.numpy()))
        for found, expected in zip(*results, strict=True):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ["sum", "mean"])
@pytest.mark.parametrize("dim", [None, 0, 1, (0, 2)])
def test_the_gradient_passes_the_check(name, dim):
    x = tg.tensor(np.random.default_rng(1).standard_normal((3, 3, 2)), requires_grad=True)
    function = lambda x: getattr(x * x, name)(dim)  # noqa: E731
    assert gradcheck(function, x) and gradgradcheck(function, x)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float32", "float64"])
def test_the_dtype_of_a_sum_is_pytorchs(dtype, torch):
    y = torch.tensor([[1, 0, 1], [1, 1, 0]]).to(getattr(torch, dtype))
    x = tg.tensor(y.numpy())
    for dim in (None, 0, 1):
        assert repr(x.sum(dim).dtype) == repr(y.sum(dim).dtype) and x.sum(dim).tolist() == y.sum(dim).tolist()
    assert x.sum(dtype=tg.float64).dtype is tg.float64
    assert tg.tensor([200, 200], dtype=tg.uint8).sum().item() == 400


def test_integers_have_no_mean():
    with pytest.raises(RuntimeError, match=r"x\.float\(\)\.mean\(\)"):
        tg.tensor([1, 2]).mean()
    assert tg.tensor([1, 2]).mean(dtype=tg.float64).item() == 1.5


def test_empty_sums_and_means():
    assert tg.zeros(0).sum().item() == 0.0 and math.isnan(tg.zeros(0).mean().item())
    assert tg.zeros(0, 2).sum(0).tolist() == [0.0, 0.0] and tg.zeros(2, 0).sum(0).shape == (0,)


@pytest.mark.parametrize(
    "bad, error", [(2, IndexError), (-3, IndexError), ((0, 0), RuntimeError), (1.0, TypeError), ("0", TypeError)]
)
def test_bad_axes(bad, error):
    with pytest.raises(error):
        tg.zeros(2, 3).sum(bad)


layouts = {
    "contiguous": lambda t, a: t(a),
    "transposed": lambda t, a: t(np.ascontiguousarray(a.T)).t(),
    "sliced": lambda t, a: t(np.repeat(a, 2, 1))[:, ::2],
    "offset": lambda t, a: t(np.vstack([a[:1], a]))[1:],
    "expanded": lambda t, a: t(a[:1]).expand(*a.shape),
}


@pytest.mark.parametrize("layout", layouts)
@pytest.mark.parametrize("shape", [(7, 5), (300, 400), (1, 70_000), (70_000, 2), (3, 33_000)])
def test_layouts_do_not_change_the_bits(layout, shape):
    a = np.random.default_rng(2).standard_normal(shape)
    a = a if layout != "expanded" else np.broadcast_to(a[:1], shape)
    x, y = layouts[layout](tg.tensor, np.array(a)), tg.tensor(np.array(a))
    for dim in (None, 0, 1):
        np.testing.assert_array_equal(x.sum(dim).numpy(), y.sum(dim).numpy())
        exact = np.asarray(a.sum(dim, dtype=np.longdouble), np.float64)
        np.testing.assert_allclose(y.sum(dim).numpy(), exact, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 31, 32, 33, 1023, 1024, 1025, 2049, 65535, 65536, 65537, 1_000_003])
def test_a_float32_sum_is_as_good_as_one_in_float64(n):
    """Trap: a reduction that returns block partials (minitorch's CUDA reduce of 1,025 elements)."""
    a = np.random.default_rng(n).uniform(0.0, 1.0, n).astype(np.float32)
    total = tg.tensor(a).sum()
    assert total.shape == () and abs(total.item() - math.fsum(a)) <= 4e-7 * math.fsum(a)
    assert abs(tg.tensor(a).mean().item() - math.fsum(a) / n) <= 4e-7


@given(
    st.lists(st.sampled_from([0, 1, 2, 3]), max_size=4).map(tuple),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from(["sum", "mean"]),
    st.sampled_from([np.float32, np.float64]),
)
def test_reductions_of_permuted_views_are_pytorchs(shape, random, keepdim, name, dtype):
    torch = pytest.importorskip("torch")
    order = random.sample(range(len(shape)), len(shape))
    axes = tuple(random.sample(range(len(shape)), random.randint(0, len(shape))))
    array = np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape).astype(dtype)
    results = []
    for library in (tg, torch):
        x = library.tensor(array).requires_grad_()
        y = getattr((x * x).permute(order), name)(axes, keepdim=keepdim)
        (y * y).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for found, expected in zip(*results, strict=True):
        assert found.shape == expected.shape and found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype is np.float32 else 1e-12, atol=1e-6)


def test_gradients_of_broadcast_operands_in_large_arrays():
    """The sum over the repeated axes is fused with the product, serial and parallel."""
    random = np.random.default_rng(3)
    a = random.standard_normal((500, 300))
    for shape in [(300,), (500, 1), (1, 300), (), (1, 1)]:
        b = random.standard_normal(shape)
        x, y = tg.tensor(a, requires_grad=True), tg.tensor(b).requires_grad_()
        (x * y * x).sum().backward()
        kept = tuple(k for k in range(2) if k >= 2 - len(shape) and shape[k - 2 + len(shape)] > 1)
        gone = tuple(k for k in range(2) if k not in kept)
        np.testing.assert_allclose(y.grad.numpy().reshape(-1), (a * a).sum(gone).reshape(-1), rtol=1e-12)
        np.testing.assert_allclose(x.grad.numpy(), np.broadcast_to(2 * a * b, a.shape), rtol=1e-12)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "any", "argmin", "prod"])
def test_keepdim_is_a_bool_and_no_second_axis(name):
    x = tg.ones(2, 3)
    getattr(x, name)(0, True)  # an equal key: the plan that is kept must not answer for 1
    with pytest.raises(TypeError, match="keepdim"):
        getattr(x, name)(0, 1)


def test_an_axis_may_be_an_integer_of_numpy():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum(np.int64(0)).tolist() == [4, 6] and x.max(np.int64(1)).values.tolist() == [2, 4]
    for no_axis in (1.0, True, "0"):
        with pytest.raises(TypeError):
            x.sum(no_axis)
