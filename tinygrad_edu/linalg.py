"""torch.linalg: linear algebra under its newer names.

The problem. Old names of torch keep old habits (`svd` gives V where everyone writes Vᵀ, `norm` guesses what is meant).
This module has the names that say what they do; the factorizations themselves are in ops/lapack.py.

*Norms.* Of a vector, (Σ |x|^p)^(1/p). Of a matrix there are several families:

    'fro'    that of its elements in one long vector
    'nuc'    the sum of the singular values
    2, -2    the largest, the smallest singular value: how much A can stretch, or must
    1, -1    the largest, smallest sum of |A| over a column
    ±inf     the same for rows

*Condition*: ‖A‖ ‖A⁻¹‖, for p = 2 the largest singular value over the smallest. It says how many digits solving loses.

Source: G. Golub, C. Van Loan, Matrix Computations, 4th edition, 2013, chapters 2 and 5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dtypes import as_dtype
from .graph import no_grad
from .hints import refusing
from .ops.determinants import det, slogdet
from .ops.elementwise import where
from .ops.lapack import cholesky, eigh, inv, qr, solve, svd
from .ops.lapack_calls import LinAlgError, check_matrix, check_square, result
from .ops.linalg import matmul
from .ops.places import scalar
from .ops.reduction import normalize_axes
from .ops.sorting import result_type
from .ops.statistics import vector_norm as norm_over
from .tensors import Tensor

__all__ = ["LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul",
           "matrix_norm", "matrix_power", "matrix_rank", "norm", "pinv", "qr", "slogdet", "solve",
           "solve_triangular", "svd", "svdvals", "vecdot", "vector_norm"]  # fmt: skip

Lstsq = result_type("linalg_lstsq", "solution", "residuals", "rank", "singular_values")


# Products and parts -------------------------------------------------------------------------------------------
def matrix_power(A: Tensor, n: int) -> Tensor:
    """A A ... A, n times; the inverse's power for negative n."""
    return A.matrix_power(n)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector product along an axis of size 3."""
    return input.cross(other, dim)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sum of the products along an axis; the others are broadcast.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.vecdot(tg.ones(2, 3), tg.ones(3))
    tensor([3., 3.])
    """
    return (x * y).sum(dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices: a view."""
    return A.diagonal(offset, dim1, dim2)


# Norms --------------------------------------------------------------------------------------------------------
def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The p-norm, p = ord, over axes `dim` (an int or several; None: all). 0 counts what is not 0.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.vector_norm(tg.tensor([[3.0, 4.0], [0.0, 1.0]]), dim=1)
    tensor([5., 1.])
    """
    if not isinstance(ord, int | float):
        raise TypeError(f"linalg_vector_norm(): argument 'ord' (position 2) must be Number, not {type(ord).__name__}")
    return norm_over(x, float(ord), normalize_axes(dim, len(x.shape)), keepdim, dtype)


def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A norm of matrices, which lie along two axes: 'fro', 'nuc', 2, -2, 1, -1, inf, -inf; see the top of the file.

    >>> import tinygrad_edu as tg
    >>> A = tg.tensor([[3.0, 0.0], [4.0, 1.0]])
    >>> tg.linalg.matrix_norm(A, 1), tg.linalg.matrix_norm(A, float("inf"))
    (tensor(7.), tensor(5.))
    """
    check_matrix("matrix_norm", A)
    if not isinstance(dim, tuple | list) or len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    axes = normalize_axes(dim[0], len(A.shape)) + normalize_axes(dim[1], len(A.shape))
    if axes[0] == axes[1]:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got {tuple(dim)}")
    x = A if dtype is None else A.to(as_dtype(dtype))
    if ord == "fro":
        return vector_norm(x, 2, axes, keepdim)
    if ord not in ("nuc", 2, -2, 1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    if ord == "nuc" or abs(ord) == 2:
        s = svdvals(x.movedim(axes, (-2, -1)))
        out = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord > 0 else s.amin(-1)
        for axis in sorted(axes) if keepdim else ():
            out = out.unsqueeze(axis)
        return out
    summed, compared = axes if abs(ord) == 1 else axes[::-1]
    sums = x.abs().sum(summed, keepdim=True)
    out = sums.amax(compared, keepdim=True) if ord > 0 else sums.amin(compared, keepdim=True)
    return out if keepdim else out.squeeze(axes)


def norm(
    A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, out: None = None, dtype: Any = None
) -> Tensor:
    """`vector_norm` along one axis, `matrix_norm` along two (with an `ord`); of everything, if neither is given.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.norm(tg.tensor([3.0, 4.0]))
    tensor(5.)
    """
    axes = (dim,) if isinstance(dim, int) else None if dim is None else tuple(dim)
    if axes is not None and len(axes) not in (1, 2):
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(axes)}")
    if axes is None and ord is not None and len(A.shape) not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {len(A.shape)}D."
        )
    matrices = len(axes or A.shape) == 2 or isinstance(ord, str)
    if ord is not None and matrices:
        return matrix_norm(A, ord, axes or (-2, -1), keepdim, dtype=dtype)
    return vector_norm(A, 2 if ord is None else ord, axes, keepdim, dtype=dtype)


# What singular values tell ------------------------------------------------------------------------------------
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, falling."""
    return svd(A, full_matrices=False, driver=driver).S


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a symmetric matrix, in rising order."""
    return eigh(A, UPLO).eigenvalues


def cutoff(x: Tensor, s: Tensor, atol: Any, rtol: Any) -> Tensor:
    """The singular value up to which they count as 0: max(atol, rtol s_max); rtol is eps max(m, n) by default."""
    if rtol is None:
        rtol = float(np.finfo(x.kind.dtype.numpy).eps) * max(x.shape[-2:]) if atol is None else 0.0
    largest = s.amax(-1, keepdim=True) if s.shape[-1] else s
    found = largest * (rtol.unsqueeze(-1) if isinstance(rtol, Tensor) else rtol)
    return (
        found if atol is None else found.maximum(atol.unsqueeze(-1)) if isinstance(atol, Tensor) else found.clamp(atol)
    )


def symmetric(x: Tensor) -> Tensor:
    """The symmetric matrix with the lower triangle of x."""
    return x.tril() + x.tril(-1).mT


def pinv(A: Tensor, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """The pseudo-inverse P (*, n, m) of A (*, m, n): of all X the one for which A X - I, and then X, is smallest.

    Singular values up to max(atol, rtol s_max) count as 0. With `hermitian` only the lower triangle is read.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.pinv(tg.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    check_matrix("pinv", A)
    A = symmetric(A) if hermitian else A
    with no_grad():
        u, s, vh = svd(A, full_matrices=False)
        small = s <= cutoff(A, s, atol, rtol)
        p = matmul(vh.mT, where(small, 0.0, 1.0 / where(small, 1.0, s)).unsqueeze(-1) * u.mT)

    def vjp(g: Tensor, p: Tensor, a: Tensor) -> tuple[Tensor]:
        pt, gt = p.mT, g.mT
        left = gt @ p @ pt
        right = pt @ p @ gt
        return (left - a @ (p @ left) + right - (right @ p) @ a - pt @ g @ pt,)

    return result("LinalgPinvBackward0", p, vjp, A)


def matrix_rank(A: Tensor, tol: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Tensor:
    """How many singular values are greater than max(atol, rtol s_max): int64. `tol` is the older name of atol.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.matrix_rank(tg.ones(3, 3))
    tensor(1)
    """
    check_matrix("matrix_rank", A)
    x = A.detach()
    s = svdvals(symmetric(x) if hermitian else x)
    return (s > cutoff(x, s, atol if tol is None else tol, rtol)).sum(-1)


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number in a matrix norm (None: 2); inf for a singular matrix.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.cond(tg.tensor([[4.0, 0.0], [0.0, 1.0]]))
    tensor(4.)
    """
    if p in (None, 2, -2):
        s = svdvals(A)
        ends = s[..., 0], s[..., -1]
        return ends[1] / ends[0] if p == -2 else ends[0] / ends[1]
    if p not in ("fro", "nuc", 1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    check_square(f"cond(ord={p})", A, True)
    try:
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    except LinAlgError:
        if len(A.shape) > 2:
            raise
        return scalar(A.kind, math.inf)


# Equations ----------------------------------------------------------------------------------------------------
def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B (X A = B unless `left`), where of A only a triangle is read; its diagonal counts as 1 if
    `unitriangular`. LinAlgError where an element of that is 0 (PyTorch gives inf and nan there).

    >>> import tinygrad_edu as tg
    >>> tg.linalg.solve_triangular(tg.tensor([[2.0, 9.0], [1.0, 1.0]]), tg.tensor([[2.0], [2.0]]), upper=False)
    tensor([[1.],
            [1.]])
    """
    check_square("solve_triangular", A, True)
    check_matrix("solve_triangular", A, B)
    cut = A.triu if upper else A.tril
    if not unitriangular:
        return solve(cut(), B.expand(batch_of(A, B)), left=left)
    ones = A.detach().diagonal(0, -2, -1).clone().fill_(1.0).diag_embed()
    return solve(cut(1 if upper else -1) + ones, B.expand(batch_of(A, B)), left=left)


def batch_of(A: Tensor, B: Tensor) -> tuple[int, ...]:
    """B's shape with as many batch axes as A has, so that it is never taken for vectors."""
    return (1,) * (len(A.shape) - len(B.shape)) + B.shape


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Any:
    """The X for which A X - B, column by column, is shortest (and of several the shortest X): for A (*, m, n) and
    B (*, m, k) or (*, m), a tuple (solution, residuals, rank, singular_values).

    The residuals, sums of squares, are there if m > n and A has full rank; the rank unless driver='gels'; the singular
    values for 'gelsd' and 'gelss'. Singular values up to rcond s_max count as 0. The solution is differentiable.

    >>> import tinygrad_edu as tg
    >>> A = tg.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    >>> tg.linalg.lstsq(A, tg.tensor([[1.0], [3.0], [5.0]])).solution.round(decimals=3)
    tensor([[1.],
            [2.]])
    """
    check_matrix("lstsq", A)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            f"torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), not {driver}"
        )
    vector = len(B.shape) == len(A.shape) - 1
    right = B.unsqueeze(-1) if vector else B
    m, n = A.shape[-2:]
    if len(right.shape) < 2 or right.shape[-2] != m:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    solution = matmul(pinv(A, rtol=rcond), right)
    s = svdvals(A.detach())
    rank = (s > cutoff(A, s, None, rcond)).sum(-1)
    none = s.reshape(-1)[:0]
    full = m > n and driver not in (None, "gelsy") and bool((rank == n).all())
    residuals = (matmul(A, solution) - right).detach().square().sum(-2) if full else none
    if vector:
        solution = solution.squeeze(-1)
    return Lstsq(
        solution, residuals, none.long() if driver == "gels" else rank, s if driver in ("gelsd", "gelss") else none
    )


__getattr__ = refusing("tinygrad_edu.linalg", __all__)
