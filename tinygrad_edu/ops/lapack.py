"""Factorizations of matrices, by LAPACK; and their derivatives, which are ours.

The problem. Solving, inverting and factoring matrices well is forty years of careful numerical work, in LAPACK.
NumPy carries it, so the values come from there: the one exception to the rule that NumPy computes nothing here. LAPACK
knows no derivatives.

The idea. Each has a short formula made of the same operations, so with those of products (linalg.py) derivatives of
all orders are there. With g for the cotangent of the result, and Aᵀ for the transpose of each matrix:

    Y = A⁻¹           gA = -Yᵀ g Yᵀ
    X = A⁻¹ B         gB = A⁻ᵀ g            gA = -gB Xᵀ
    A = L Lᵀ          gA = ½ (S + Sᵀ),      S = L⁻ᵀ Φ(Lᵀ g) L⁻¹,     Φ: the lower triangle, its diagonal halved
    A = Q R           gA = (gQ + Q C) R⁻ᵀ,  C = the lower triangle of M = R gRᵀ - gQᵀ Q, mirrored to the upper one
    A = V diag(w) Vᵀ  gA = V (diag(gw) + (Vᵀ gV) / E) Vᵀ             E_ij = w_j - w_i
    A = U diag(s) Vᵀ  see `svd_gradient`

The derivative of *vectors* is infinite where two eigenvalues are equal: any rotation of the two is as good.

A factorization with several results keeps them in one flat tensor, the results are views of it, and so it is one node.
What they share, among it how LAPACK is called, is in lapack_calls.py.

Source: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008;
I. Murray, Differentiation of the Cholesky decomposition, 2016; S. Walter, L. Lehmann, Algorithmic differentiation of
linear algebra functions, 2012; J. Townsend, Differentiating the singular value decomposition, 2016.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import is_grad_enabled
from .elementwise import where
from .joining import joined
from .lapack_calls import check_matrix, check_square, computed, converging, independent, refusal, result, results
from .linalg import check_operands, matmul
from .sorting import result_type
from .strides import broadcast_shapes

if TYPE_CHECKING:
    from ..tensors import Tensor

Qr = result_type("linalg_qr", "Q", "R")
Svd = result_type("linalg_svd", "U", "S", "Vh")
Eigh = result_type("linalg_eigh", "eigenvalues", "eigenvectors")


# Inverse and solution -------------------------------------------------------------------------------
def inv(A: Tensor) -> Tensor:
    """The inverse of a square matrix, or of each in a batch (*, n, n). LinAlgError where there is none.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.inv(tg.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_square("inv", A, True)

    def inverse(a: np.ndarray) -> np.ndarray:
        try:
            return np.linalg.inv(a)
        except np.linalg.LinAlgError:
            text = (
                "The diagonal element {k} is zero, the inversion could not be completed because the input matrix is "
                "singular."
            )
            raise refusal("inv", a, independent, text) from None

    return result("LinalgInvExBackward0", computed(inverse, A)[0], lambda g, y, x: (-(y.mT @ g @ y.mT),), A)


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B (X A = B unless `left`), for square A (*, n, n) and B (*, n, k), or vectors (*, n).

    LinAlgError if A is singular. This is faster than the inverse, and more accurate.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.solve(tg.tensor([[2.0, 0.0], [0.0, 4.0]]), tg.tensor([1.0, 1.0]))
    tensor([0.5000, 0.2500])
    """
    check_square("solve", A, True)
    check_operands("linalg.solve", A=A, B=B)
    if A.kind is not B.kind:
        raise RuntimeError(
            "linalg.solve: Expected A and B to have the same dtype, but found A of type "
            f"{A.kind.dtype.name} and B of type {B.kind.dtype.name} instead"
        )
    vector = len(B.shape) == 1 or B.shape == A.shape[:-1]
    right = B.unsqueeze(-1) if vector else B
    if A.shape[-1] != right.shape[-2 if left else -1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX' if left else 'XA'} = B "
            f"({A.shape[-2]}x{A.shape[-1]} and {right.shape[-2]}x{right.shape[-1]})"
        )
    if not left:
        return solve(A.mT, right.mT).mT
    broadcast_shapes(A.shape[:-2], right.shape[:-2])

    def solution(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        try:
            return np.linalg.solve(a, b)
        except np.linalg.LinAlgError:
            raise refusal("solve", a, independent, "The solver failed because the input matrix is singular.") from None

    def vjp(g: Tensor, x: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        gb = solve(a.mT, g)
        return -matmul(gb, x.mT).sum_to(a.shape), gb.sum_to(b.shape)

    out = result("LinalgSolveExBackward0", computed(solution, A, right)[0], vjp, A, right)
    return out.squeeze(-1) if vector else out


# Factorizations -----------------------------------------------------------------------------------------------
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L with A = L Lᵀ, a lower triangle, for symmetric positive-definite A, of which only that triangle is read.

    With `upper` U = Lᵀ, and the upper triangle is read. LinAlgError if A is not positive-definite.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.cholesky(tg.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    check_square("cholesky", A, True)
    if upper:
        return cholesky(A.mT).mT

    def factor(a: np.ndarray) -> np.ndarray:
        found = triangle(a)
        if found is None:
            text = (
                "The factorization could not be completed because the input is not positive-definite (the leading "
                "minor of order {k} is not positive-definite)."
            )
            raise refusal("cholesky", a, lambda leading: triangle(leading) is not None, text)
        return found

    def vjp(g: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor]:
        inverse = inv(y)
        product = matmul(y.mT, g).tril()
        half = product - 0.5 * product.diagonal(0, -2, -1).diag_embed()
        gradient = inverse.mT @ half @ inverse
        return (0.5 * (gradient + gradient.mT),)

    return result("LinalgCholeskyExBackward0", computed(factor, A)[0], vjp, A)


def triangle(a: np.ndarray) -> np.ndarray | None:
    """The factor L of each matrix; None where one has none. (A nan in a matrix shows on the diagonal of its factor.)"""
    try:
        found = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return None
    return None if any(map(math.isnan, found.diagonal(0, -2, -1).reshape(-1).tolist())) else found


def qr(A: Tensor, mode: str = "reduced") -> Any:
    """The pair (Q, R): A = Q R, Q with orthonormal columns, R an upper triangle, for A (*, m, n).

    'reduced': Q (*, m, k), R (*, k, n), with k = min(m, n); 'complete': Q (*, m, m), R (*, m, n); 'r': R alone, and an
    empty Q. The gradient assumes that the first k columns of A are independent.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.qr(tg.tensor([[3.0, 1.0], [4.0, 2.0]])).R.abs()
    tensor([[5.0000, 2.2000],
            [0.0000, 0.4000]])
    """
    check_matrix("qr", A)
    how = mode
    if how not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{how}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    m, n = A.shape[-2:]
    differentiable = A.node is not None and is_grad_enabled()
    if differentiable and how == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )
    if differentiable and how == "complete" and m > n:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    if differentiable and m < n:  # the rest of R is Qᵀ times the rest of A
        q, r = qr(A.narrow(-1, 0, m))
        return Qr(q, joined([r, matmul(q.mT, A.narrow(-1, m, n - m))], -1, "CatBackward0"))
    if how == "r":
        return Qr(*computed(lambda a: (np.empty(0), np.linalg.qr(a, "r")), A))
    factors, _ = results("LinalgQrBackward0", lambda a: np.linalg.qr(a, how), 2, qr_gradient, A)  # type: ignore[call-overload]
    return Qr(*factors)


def qr_gradient(gs: list[Tensor], parts: list[Tensor], x: Tensor) -> Tensor:
    (gq, gr), (q, r) = gs, parts
    lower = matmul(r, gr.mT) - matmul(gq.mT, q)
    mirrored = lower.tril() + lower.tril(-1).mT
    return solve(r, (gq + matmul(q, mirrored)).mT).mT  # right-multiplied by R⁻ᵀ


def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """The pair (eigenvalues in rising order, eigenvectors in columns) of a symmetric matrix, of which one triangle
    is read: the lower, or the upper one with UPLO='U'.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.eigh(tg.tensor([[2.0, 1.0], [1.0, 2.0]])).eigenvalues
    tensor([1., 3.])
    """
    check_square("eigh", A, True)
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    compute = converging("eigh", lambda a: np.linalg.eigh(a, UPLO))  # type: ignore[call-overload]
    return Eigh(*results("LinalgEighBackward0", compute, 2, eigh_gradient, A)[0])


def eigh_gradient(gs: list[Tensor], parts: list[Tensor], x: Tensor) -> Tensor:
    (gw, gv), (w, v) = gs, parts
    product = matmul(v.mT, gv)
    product = product - product.diagonal(0, -2, -1).diag_embed()
    inner = quotient(product, w.unsqueeze(-2) - w.unsqueeze(-1)) + gw.diag_embed()
    return v @ inner @ v.mT


def quotient(x: Tensor, y: Tensor) -> Tensor:
    """x / y, and 0 where both are 0: a cotangent of 0 asks for nothing."""
    return x / where((x == 0).logical_and(y == 0), 1.0, y)


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """The triple (U, S, Vh): A = U diag(S) Vh, with orthonormal columns of U and rows of Vh, S falling and >= 0.

    For A (*, m, n) and k = min(m, n), U is (*, m, m) and Vh (*, n, n), or (*, m, k) and (*, k, n) unless
    `full_matrices`. The gradient is that of the first k columns and rows. `driver` is for CUDA.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.svd(tg.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    check_matrix("svd", A)
    if driver is not None:
        raise RuntimeError("linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER")
    k = min(A.shape[-2:])

    def factors(a: np.ndarray) -> Any:
        u, s, vh = np.linalg.svd(a, full_matrices)
        return u[..., :, :k], s, vh[..., :k, :], u[..., :, k:], vh[..., k:, :]

    compute = converging("svd", factors)
    (U, S, Vh), (rest_u, rest_v) = results("LinalgSvdBackward0", compute, 3, svd_gradient, A)
    if rest_u.numel():
        U = joined([U, rest_u], -1, "LinalgSvdBackward0")
    if rest_v.numel():
        Vh = joined([Vh, rest_v], -2, "LinalgSvdBackward0")
    return Svd(U, S, Vh)


def svd_gradient(gs: list[Tensor], parts: list[Tensor], x: Tensor) -> Tensor:
    """With F_ij = 1 / (s_j² - s_i²) and skew(M) = M - Mᵀ,

    gA = U [F ∘ skew(Uᵀ gU) diag(s) + diag(s) F ∘ skew(Vᵀ gV) + diag(gs)] Vᵀ
         + (I - U Uᵀ) gU diag(1/s) Vᵀ + U diag(1/s) gVᵀ (I - V Vᵀ)
    """
    (gu, gs_, gvh), (u, s, vh) = gs, parts
    column, row = s.unsqueeze(-1), s.unsqueeze(-2)
    gap = row * row - column * column
    uu, vv = matmul(u.mT, gu), matmul(vh, gvh.mT)
    inner = quotient(uu - uu.mT, gap) * row + column * quotient(vv - vv.mT, gap) + gs_.diag_embed()
    out = u @ inner @ vh
    if u.shape[-2] > u.shape[-1]:
        scaled = quotient(gu, row.expand(gu.shape))
        out = out + matmul(scaled - u @ (u.mT @ scaled), vh)
    if vh.shape[-1] > vh.shape[-2]:
        scaled = quotient(gvh, column.expand(gvh.shape))
        out = out + matmul(u, scaled - (scaled @ vh.mT) @ vh)
    return out
