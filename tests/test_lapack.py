"""Factorizations, solutions, determinants and norms: values, gradients of two orders, and errors, against PyTorch."""

import math

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import fixed, row

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

S, B, TALL, WIDE, BT = (3, 3), (2, 3, 3), (4, 3), (2, 4), (2, 4, 3)
INF = math.inf


def linalg(name, *more, **keywords):
    return lambda m, *x: getattr(m.linalg, name)(*x, *more, **keywords)


def symmetric(x):
    return x + x.mT


def positive(m, x):
    """A symmetric matrix whose eigenvalues are at least 1."""
    return x @ x.mT + m.eye(x.shape[-1], dtype=x.dtype)


F64 = ("float64",)  # where float32 would need a tolerance of its own: the condition of random matrices is in the 100s

ROWS = [
    row("inv", linalg("inv"), S, dtypes=F64),
    row("inv of a batch", lambda m, a: (m.inverse(a), a.inverse()), B, dtypes=F64),
    row("inv of nothing", linalg("inv"), (0, 0), gradient=False),
    row("solve", linalg("solve"), S, (3, 2), dtypes=F64),
    row("solve a vector", linalg("solve"), S, (3,), dtypes=F64),
    row("solve vectors", linalg("solve"), B, (2, 3), dtypes=F64),
    row("solve one vector with each", linalg("solve"), B, (3,), dtypes=F64),
    row("solve broadcast", linalg("solve"), (2, 1, 3, 3), (2, 3, 2), dtypes=F64, second=False),
    row("solve from the right", linalg("solve", left=False), S, (2, 3), dtypes=F64),
    row("solve_triangular", lambda m, a, b: [m.linalg.solve_triangular(a + 3 * m.eye(3, dtype=a.dtype), b, upper=u,
        unitriangular=v) for u in (True, False) for v in (True, False)], S, (3, 2), dtypes=F64),
    row("solve_triangular from the right", lambda m, a, b: m.linalg.solve_triangular(a + 3 * m.eye(3, dtype=a.dtype), b,
        upper=False, left=False), B, (2, 3), dtypes=F64),
    row("det", lambda m, a: (m.det(a), a.det(), m.linalg.det(a)), S),
    row("det of a batch", linalg("det"), B),
    row("det of nothing", linalg("det"), (0, 0), gradient=False),
    row("slogdet", lambda m, a: (m.slogdet(a)[1], a.slogdet().logabsdet, m.linalg.slogdet(a).sign.detach()), B),
    row("logdet", lambda m, a: (m.logdet(positive(m, a)), positive(m, a).logdet()), B),
    row("logdet of 0 and less", lambda m, a: m.logdet(a), fixed([[[1.0, 0], [0, -1]], [[1, 1], [1, 1]]]),
        gradient=False),
    row("cholesky", lambda m, a: m.linalg.cholesky(positive(m, a)), S),
    row("cholesky of a batch", lambda m, a: m.linalg.cholesky(positive(m, a), upper=True), B),
    row("cholesky_solve", lambda m, a, b: m.cholesky_solve(b, m.linalg.cholesky(positive(m, a))), S, (3, 2)),
    row("cholesky_solve of a batch", lambda m, a, b: b.cholesky_solve(a.triu() + 2 * m.eye(3), upper=True), B, (3, 2)),
    row("torch.cholesky", lambda m, a: m.cholesky(positive(m, a), upper=True), S, second=False),
    row("qr", lambda m, a: [x.abs() for x in m.linalg.qr(a)], TALL, dtypes=F64),
    row("qr of a batch", lambda m, a: [x.abs() for x in m.linalg.qr(a)], BT, dtypes=F64),
    row("qr wide", lambda m, a: [x.abs() for x in m.linalg.qr(a)], WIDE, dtypes=F64),
    row("qr complete", lambda m, a: [x.abs() for x in m.linalg.qr(a, "complete")], S, dtypes=F64),
    row("qr complete, tall", lambda m, a: [x.shape for x in m.linalg.qr(a, mode="complete")], TALL, gradient=False),
    row("qr r", lambda m, a: (m.linalg.qr(a, mode="r").Q, m.linalg.qr(a, "r").R.abs()), TALL, gradient=False),
    row("Tensor.qr", lambda m, a: [x.shape for f in (True, False) for x in a.qr(some=f)], TALL, gradient=False),
    row("eigh", lambda m, a: [x.abs() for x in m.linalg.eigh(symmetric(a))], S, dtypes=F64),
    row("eigh of the upper", lambda m, a: [x.abs() for x in m.linalg.eigh(symmetric(a), UPLO="U")], B, dtypes=F64),
    row("eigvalsh", lambda m, a: m.linalg.eigvalsh(symmetric(a)), S),
    row("svd", lambda m, a: [x.abs() for x in m.linalg.svd(a, full_matrices=False)], TALL, dtypes=F64),
    row("svd wide", lambda m, a: [x.abs() for x in m.linalg.svd(a, full_matrices=False)], (2, 2, 3), dtypes=F64),
    row("svd full", lambda m, a: [m.linalg.svd(a).U[:, :3].abs(), m.linalg.svd(a).Vh.abs()], TALL, dtypes=F64),
    row("svd shapes", lambda m, a: [x.shape for x in (*m.linalg.svd(a), *m.svd(a), *a.svd(some=False))], BT,
        gradient=False),
    row("svd of torch", lambda m, a: m.svd(a)[2].abs(), TALL, dtypes=F64),
    row("svd without vectors", lambda m, a: m.svd(a, compute_uv=False), S, gradient=False),
    row("svdvals", linalg("svdvals"), BT),
    row("pinv", lambda m, a: (m.linalg.pinv(a), m.pinverse(a), a.pinverse()), TALL, dtypes=F64),
    row("pinv wide", linalg("pinv"), (2, 2, 4), dtypes=F64),
    row("pinv cut", linalg("pinv", rtol=0.1), fixed([[2.0, 0], [0, 0.1]]), gradient=False),
    row("pinv cut absolutely", linalg("pinv", atol=0.15), fixed([[2.0, 0], [0, 0.1]]), gradient=False),
    row("pinv hermitian", lambda m, a: m.linalg.pinv(symmetric(a), hermitian=True), S, dtypes=F64),
    row("matrix_rank", linalg("matrix_rank"), fixed([[[1.0, 0], [0, 1]], [[1, 1], [1, 1]], [[0, 0], [0, 0]]]),
        gradient=False),
    row("matrix_rank tol", lambda m, a: [m.linalg.matrix_rank(a, t) for t in (0.1, 0.6, 3.0)] + [
        m.linalg.matrix_rank(a, rtol=0.4), m.linalg.matrix_rank(a, atol=0.7, hermitian=True)],
        fixed([[2.0, 0], [0, 0.5]]), gradient=False),
    row("lstsq", lambda m, a, b: m.linalg.lstsq(a, b).solution, TALL, (4, 2), dtypes=F64),
    row("lstsq vectors", lambda m, a, b: m.linalg.lstsq(a, b)[0], BT, (2, 4), dtypes=F64),
    row("lstsq wide", lambda m, a, b: m.linalg.lstsq(a, b)[0], WIDE, (2, 1), dtypes=F64),
    row("lstsq, all of it", lambda m, a, b: [tuple(m.linalg.lstsq(a, b, driver=d)) for d in (None, "gelsd", "gelsy")],
        TALL, (4, 2), gradient=False, dtypes=F64),
    row("cond", lambda m, a: [m.linalg.cond(a, p) for p in (None, 2, -2)], S, dtypes=F64),
    row("cond of other norms", lambda m, a: [m.linalg.cond(a, p) for p in ("fro", "nuc", 1, -1, INF, -INF)], S,
        gradient=False, dtypes=F64),
    row("cond of a singular one", lambda m, a: [m.linalg.cond(a, p) for p in (1, "fro")], fixed([[0.0, 0], [0, 0]]),
        gradient=False),
    # norms
    row("vector_norm", lambda m, a: [m.linalg.vector_norm(a, p) for p in (2, 1, 3, 0.5, -1, INF, -INF)], TALL,
        dtypes=F64),
    row("vector_norm 0", lambda m, a: m.linalg.vector_norm(a, 0), TALL, gradient=False),
    row("vector_norm axes", lambda m, a: (m.linalg.vector_norm(a, 3, (0, -1), True), m.linalg.vector_norm(a, dim=1)),
        BT),
    row("vector_norm dtype", lambda m, a: m.linalg.vector_norm(a, dtype=m.float64), TALL),
    row("matrix_norm", lambda m, a: [m.linalg.matrix_norm(a, p) for p in ("fro", "nuc", 2, -2, 1, -1, INF, -INF)], BT,
        dtypes=F64),
    row("matrix_norm axes", lambda m, a: [m.linalg.matrix_norm(a, p, dim=(2, 0), keepdim=k) for k in (False, True)
        for p in ("fro", "nuc", 2, 1, INF)], BT, dtypes=F64),
    row("linalg.norm", lambda m, a: [m.linalg.norm(a), m.linalg.norm(a, "nuc"), m.linalg.norm(a, 2),
        m.linalg.norm(a, 1, dim=0), m.linalg.norm(a, INF, dim=(0, 1), keepdim=True)], TALL, dtypes=F64),
    row("linalg.norm of everything", lambda m, a: m.linalg.norm(a), BT),
    row("linalg.norm of a vector", lambda m, a: [m.linalg.norm(a, p) for p in (None, 1, -INF, 0.5)], (5,), dtypes=F64),
    row("torch.norm", lambda m, a: [m.norm(a, "nuc"), m.norm(a), m.norm(a, None), m.norm(a, "fro", dim=1),
        a.norm(p=1, dim=(0, 1), keepdim=True), m.norm(a, -INF), m.norm(a, 3, 0)], TALL, dtypes=F64),
    row("torch.norm nuc axes", lambda m, a: m.norm(a, "nuc", dim=(1, 2)), BT),
    row("torch.norm 0", lambda m, a: (m.norm(a, 0), m.norm(a, 0, 1), a.norm(dtype=m.float64)), TALL, gradient=False),
]  # fmt: skip


REFUSED = {
    f"{name} {what}": lambda m, name=name, make=make: getattr(m.linalg, name)(make(m))
    for name in ("inv", "det", "slogdet", "cholesky", "eigh")
    for what, make in {
        "not square": lambda m: m.ones(2, 3), "of a vector": lambda m: m.ones(3), "of a number": lambda m: 2.0,
    }.items()
}  # fmt: skip
REFUSED |= {
    "inv of integers": lambda m: m.linalg.inv(m.ones(2, 2).long()),
    "det of integers": lambda m: m.linalg.det(m.ones(2, 2).long()),
    "solve not square": lambda m: m.linalg.solve(m.ones(2, 3), m.ones(2)),
    "solve sizes": lambda m: m.linalg.solve(m.eye(3), m.ones(2, 2)),
    "solve batches": lambda m: m.linalg.solve(m.ones(2, 3, 3), m.ones(4, 3, 3)),
    "solve dtypes": lambda m: m.linalg.solve(m.eye(3), m.ones(3).double()),
    "solve_triangular without upper": lambda m: m.linalg.solve_triangular(m.eye(3), m.ones(3, 1)),
    "solve_triangular of a vector": lambda m: m.linalg.solve_triangular(m.eye(3), m.ones(3), upper=True),
    "solve_triangular sizes": lambda m: m.linalg.solve_triangular(m.eye(3), m.ones(2, 1), upper=True),
    "qr mode": lambda m: m.linalg.qr(m.eye(3), mode="x"),
    "qr of a vector": lambda m: m.linalg.qr(m.ones(3)),
    "qr r gradient": lambda m: m.linalg.qr(m.ones(3, 2, requires_grad=True), "r").R.sum().backward(),
    "qr complete gradient": lambda m: m.linalg.qr(m.ones(3, 2, requires_grad=True), "complete").R.sum().backward(),
    "eigh UPLO": lambda m: m.linalg.eigh(m.eye(3), "X"),
    "svd of a vector": lambda m: m.linalg.svd(m.ones(3)),
    "svd driver": lambda m: m.linalg.svd(m.eye(3), driver="gesvd"),
    "pinv of a vector": lambda m: m.linalg.pinv(m.ones(3)),
    "matrix_rank of a vector": lambda m: m.linalg.matrix_rank(m.ones(3)),
    "lstsq sizes": lambda m: m.linalg.lstsq(m.ones(4, 2), m.ones(3, 1)),
    "lstsq driver": lambda m: m.linalg.lstsq(m.ones(4, 2), m.ones(4, 1), driver="x"),
    "cond not square": lambda m: m.linalg.cond(m.ones(2, 3), 1),
    "cond 3": lambda m: m.linalg.cond(m.eye(3), 3),
    "norm 3 of a matrix": lambda m: m.linalg.norm(m.eye(3), 3),
    "norm of a cube": lambda m: m.linalg.norm(m.ones(2, 2, 2), 2),
    "norm three axes": lambda m: m.linalg.norm(m.ones(2, 2, 2), dim=(0, 1, 2)),
    "norm nuc of a vector": lambda m: m.linalg.norm(m.ones(3), "nuc"),
    "norm of integers": lambda m: m.linalg.norm(m.ones(3).long()),
    "vector_norm fro": lambda m: m.linalg.vector_norm(m.ones(3), "fro"),
    "vector_norm inf of nothing": lambda m: m.linalg.vector_norm(m.ones(0), INF),
    "matrix_norm of a vector": lambda m: m.linalg.matrix_norm(m.ones(3)),
    "matrix_norm one axis": lambda m: m.linalg.matrix_norm(m.eye(3), dim=(0,)),
    "matrix_norm the same axis": lambda m: m.linalg.matrix_norm(m.eye(3), dim=(0, -2)),
    "matrix_norm 3": lambda m: m.linalg.matrix_norm(m.eye(3), 3),
    "torch.norm x": lambda m: m.norm(m.eye(3), "x"),
    "torch.norm nuc of a vector": lambda m: m.norm(m.ones(3), "nuc"),
    "torch.norm of integers": lambda m: m.norm(m.ones(3).long(), dtype=m.float64),
    "inverse of a vector": lambda m: m.inverse(m.ones(3)),
}

TestLapack = oracle.parity(ROWS, REFUSED)

SINGULAR = {
    "inv": lambda m: m.linalg.inv(m.zeros(2, 2)),
    "inv, element 3": lambda m: m.linalg.inv(m.tensor([[1.0, 0, 1], [0, 1, 1], [0, 0, 0]])),
    "inv of a batch": lambda m: m.linalg.inv(m.stack([m.eye(3), m.zeros(3, 3)])),
    "solve": lambda m: m.linalg.solve(m.zeros(2, 2), m.ones(2)),
    "solve a batch": lambda m: m.linalg.solve(m.stack([m.eye(3), m.zeros(3, 3)]), m.ones(2, 3)),
    "matrix_power": lambda m: m.matrix_power(m.zeros(2, 2), -1),
    "cholesky": lambda m: m.linalg.cholesky(m.tensor([[1.0, 2], [2, 1]])),
    "cholesky of a batch": lambda m: m.linalg.cholesky(m.stack([m.eye(3), -m.eye(3)])),
    "cholesky of nan": lambda m: m.linalg.cholesky(m.full((2, 2), math.nan)),
    "svd of nan": lambda m: m.linalg.svd(m.full((2, 2), math.nan)),
}


@pytest.mark.parametrize("call", SINGULAR.values(), ids=SINGULAR)
def test_what_cannot_be_factored_is_a_linalgerror_with_pytorchs_words(call, torch):
    with pytest.raises(torch.linalg.LinAlgError) as theirs:
        call(torch)
    with pytest.raises(tg.linalg.LinAlgError) as ours:
        call(tg)
    assert isinstance(ours.value, RuntimeError)
    assert str(ours.value) == str(theirs.value).removeprefix("torch.")


def test_results_print_as_pytorchs(torch):
    for call in (lambda m: m.linalg.slogdet(m.eye(2)), lambda m: m.linalg.eigh(m.eye(2))):
        assert repr(call(tg)) == repr(call(torch))


def test_factors_can_be_used_alone_and_after_a_change():
    """One node for several results: each may be used alone, and one that is changed in place is refused backward."""
    x = tg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    values, vectors = tg.linalg.eigh(x)
    values.sum().backward()
    assert x.grad.sub(tg.eye(2)).abs().max() < 1e-6
    values, vectors = tg.linalg.eigh(x)
    loss = (vectors * vectors).sum()
    values.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_the_gradient_of_singular_values_exists_where_they_are_equal():
    x = tg.eye(3, requires_grad=True)
    tg.linalg.svdvals(x).sum().backward()
    assert (x.grad.detach() - tg.eye(3)).abs().max() < 1e-6


def test_det_of_a_singular_matrix_has_gradients_of_both_orders():
    """PyTorch's is 0 there; the right one are the cofactors."""
    for rank in (0, 1, 2):
        x = tg.zeros(3, 3, dtype=tg.float64)
        x.diagonal()[:rank] = 2.0
        x.requires_grad_()
        assert gradcheck(tg.det, (x,)) and gradgradcheck(tg.det, (x,))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10**6))
def test_factors_multiply_to_the_matrix(m, n, seed):
    a = tg.tensor(np.random.default_rng(seed).normal(size=(m, n)))
    u, s, vh = tg.linalg.svd(a, full_matrices=False)
    q, r = tg.linalg.qr(a)
    symmetric = a @ a.mT
    w, v = tg.linalg.eigh(symmetric)
    for product, of in ((u * s @ vh, a), (q @ r, a), (v * w @ v.mT, symmetric), (a @ tg.linalg.pinv(a) @ a, a)):
        np.testing.assert_allclose(product.numpy(), of.numpy(), atol=1e-9)
