"""Matrix products through the Tensor. (The kernels themselves are in test_matmul_kernel.py.)"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

SHAPES = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((1, 3), (3, 1)), ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((2, 3, 4), (2, 4, 5)), ((1, 3, 4), (6, 4, 2)), ((2, 1, 3, 4), (5, 4, 2)),
    ((2, 5, 3, 4), (2, 5, 4, 2)), ((0, 3), (3, 4)), ((2, 0), (0, 4)), ((2, 3), (3, 0)), ((0,), (0,)), ((0, 2, 3),
    (0, 3, 4)),
    ((2, 3, 4), (4,)), ((1, 1), (1, 1)), ((70, 33), (33, 65)), ((3, 20, 30), (3, 30, 20)),
]  # fmt: skip


def product(library, arrays, f=lambda a, b: a @ b, dtype="float64"):
    a, b = (library.tensor(x).requires_grad_() for x in arrays)
    out = f(a, b)
    weights = np.cos(np.arange(out.numel())).reshape(tuple(out.shape)).astype(arrays[0].dtype)
    out.backward(library.tensor(weights))
    return [out.detach().numpy(), a.grad.numpy(), b.grad.numpy()]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a, b", SHAPES, ids=str)
def test_products_and_gradients_are_pytorchs(a, b, dtype, torch):
    """Traps: batched matmul as `dot` (DeZero: shape (2, 3, 2, 5)); vector @ matrix backward (DeZero, TinyTorch)."""
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(s).astype(dtype) for s in (a, b)]
    for found, expected in zip(product(tg, arrays), product(torch, arrays), strict=True):
        assert found.shape == expected.shape and found.dtype == expected.dtype
        tolerance = 2e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("a, b", [s for s in SHAPES if np.prod(s[0]) * np.prod(s[1]) and np.prod(s[0]) < 100], ids=str)
def test_the_gradient_passes_the_check(a, b):
    random = np.random.default_rng(1)
    operands = [tg.tensor(random.standard_normal(s), requires_grad=True) for s in (a, b)]
    assert gradcheck(lambda a, b: a @ b, operands)
    if len(a) + len(b) < 6:
        assert gradgradcheck(lambda a, b: a @ b, operands)


VIEWS = {
    "a transposed": (lambda a, b: a.t() @ b, (3, 2), (3, 4)),
    "b transposed": (lambda a, b: a @ b.t(), (2, 3), (4, 3)),
    "both transposed": (lambda a, b: a.t() @ b.t(), (3, 2), (4, 3)),
    "sliced rows": (lambda a, b: a[::2] @ b[1:], (4, 3), (4, 5)),
    "sliced columns": (lambda a, b: a[:, ::2] @ b[:, 1:], (2, 6), (3, 5)),
    "a column": (lambda a, b: a[:, 1:2] @ b[1:2], (4, 3), (4, 5)),
    "a column as a vector": (lambda a, b: a[:, 1] @ b, (4, 3), (4, 5)),
    "expanded row": (lambda a, b: a[:1].expand(5, 3) @ b, (4, 3), (3, 2)),
    "expanded column": (lambda a, b: a[:, :1].expand(4, 3) @ b, (4, 3), (3, 2)),
    "a permuted batch": (lambda a, b: a.permute(1, 0, 2) @ b, (3, 2, 4), (2, 4, 5)),
    "expanded batch": (lambda a, b: a.expand(6, 3, 4) @ b, (1, 3, 4), (6, 4, 2)),
    "sliced batch": (lambda a, b: a[::2] @ b, (4, 3, 4), (2, 4, 2)),
    "mT": (lambda a, b: a.mT @ b, (2, 4, 3), (2, 4, 5)),
    "strided batch of two axes": (lambda a, b: a.transpose(0, 1) @ b, (2, 5, 3, 4), (5, 2, 4, 2)),
    "strided batch and a matrix": (lambda a, b: a.transpose(0, 1) @ b, (3, 2, 4), (4, 5)),
    "mm": (lambda a, b: a.mm(b), (2, 3), (3, 4)),
    "matmul": (lambda a, b: a.matmul(b), (2, 3), (3, 4)),
    "with itself": (lambda a, b: (a @ a.t()) @ b, (2, 3), (2, 4)),
}


@pytest.mark.parametrize("name", VIEWS)
def test_products_of_views_are_pytorchs(name, torch):
    f, *shapes = VIEWS[name]
    arrays = [np.random.default_rng(2).standard_normal(s) for s in shapes]
    for found, expected in zip(product(tg, arrays, f), product(torch, arrays, f), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@given(
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.tuples(st.booleans(), st.booleans()),
    st.integers(0, 5),
)
def test_products_of_any_size_are_numpys(m, n, k, transposed, seed):
    random = np.random.default_rng(seed)
    a, b = random.standard_normal((m, k)), random.standard_normal((k, n))
    x = tg.tensor(np.ascontiguousarray(a.T)).t() if transposed[0] else tg.tensor(a)
    y = tg.tensor(np.ascontiguousarray(b.T)).t() if transposed[1] else tg.tensor(b)
    np.testing.assert_allclose((x @ y).numpy(), a @ b, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("shape", [(300, 400, 500), (1, 1000, 1000), (1000, 1000, 1), (65, 3, 2000)])
def test_large_products(shape):
    m, k, n = shape
    random = np.random.default_rng(3)
    a, b = random.standard_normal((m, k)), random.standard_normal((k, n))
    np.testing.assert_allclose((tg.tensor(a) @ tg.tensor(b)).numpy(), a @ b, rtol=1e-10, atol=1e-10)


def test_only_what_a_gradient_needs_is_saved():
    """A constant operand's own gradient is not computed; its partner need not be kept."""
    x, w = tg.rand(3, 4), tg.rand(4, 2, requires_grad=True)
    y = (x @ w).sum()
    w.detach().add_(1.0)  # w is not needed for w's own gradient
    y.backward()
    assert w.grad.shape == (4, 2)


def test_products_with_vectors_have_a_node_of_their_own(torch):
    for m in (tg, torch):
        a, v, w = (m.ones(*shape, requires_grad=True) for shape in ((2, 3), (3,), (3,)))
        assert (v @ w).grad_fn.name() == v.dot(w).grad_fn.name() == "DotBackward0"
        assert (a @ v).grad_fn.name() == a.mv(v).grad_fn.name() == "MvBackward0"
        changed = v * 1
        y = changed @ w
        changed += 1
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()


@pytest.mark.parametrize(
    "a, b, error, text",
    [
        ((2, 3), (4, 5), RuntimeError, "2x3 and 4x5"),
        ((2,), (3,), RuntimeError, "2"),
        ((), (3,), RuntimeError, "at least 1D"),
        ((2, 3, 4), (3, 4, 5), RuntimeError, "must match"),
    ],
)
def test_shapes_that_do_not_fit(a, b, error, text, torch):
    with pytest.raises(error, match=text):
        tg.zeros(a) @ tg.zeros(b)
    with pytest.raises(error):
        torch.zeros(a) @ torch.zeros(b)


def test_dtypes_that_do_not_fit():
    with pytest.raises(RuntimeError, match="same dtype.*float32 != float64"):
        tg.zeros(2, 2) @ tg.zeros(2, 2, dtype=tg.float64)


def test_products_of_integers():
    a, b = np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal((tg.tensor(a) @ tg.tensor(b)).numpy(), a @ b)
