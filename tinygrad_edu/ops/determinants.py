"""Determinants, and the methods of Tensor that LAPACK is behind.

The determinant is a sum of products, so it has derivatives everywhere: its gradient is made of the cofactors, the
determinants of A without a row and a column (with alternating signs), and exists where A has no inverse.

    d = det A         gA = g cof(A)         cof(A) = d A⁻ᵀ where d is not 0
    log |det A|       gA = g A⁻ᵀ

(PyTorch's gradient of a singular matrix is 0.)

Source: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import is_grad_enabled, mode
from .lapack import cholesky, inv, qr, solve, svd
from .lapack_calls import check_matrix, check_square, computed, result
from .linalg import matmul
from .sorting import result_type

if TYPE_CHECKING:
    from ..tensors import Tensor

Slogdet = result_type("linalg_slogdet", "sign", "logabsdet")
SvdOfTensor = result_type("svd", "U", "S", "V")


def det(A: Tensor) -> Tensor:
    """The determinant of a square matrix, or of each in a batch. Its gradient is right for singular ones too.

    >>> import tinygrad_edu as tg
    >>> tg.linalg.det(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(-2.)
    """
    check_square("det", A, True)

    def vjp(g: Tensor, d: Tensor, x: Tensor) -> tuple[Tensor]:
        singular = mode.recorder is not None or bool((d == 0).any())  # (a recording must be right for both)
        cofactors = det_gradient(x) if singular else d[..., None, None] * inv(x).mT
        return (g[..., None, None] * cofactors,)

    return result("LinalgDetBackward0", computed(np.linalg.det, A)[0], vjp, A)


def det_gradient(x: Tensor) -> Tensor:
    """The cofactors, which exist for singular matrices as well.

    With x = U S Vᵀ they are det(U) det(V) U C Vᵀ, where C is diagonal, and each element the product of the *other*
    singular values. That has no derivative where singular values are equal (two zeros, say); what is differentiated
    again is therefore made of n² minors, the determinants of x without a row and a column.
    """
    from ..ranges import arange, eye

    n = x.shape[-1]
    if not (is_grad_enabled() and x.node is not None):
        u, s, vh = svd(x, full_matrices=False)
        one = eye(n, dtype=x.kind.dtype)
        others = (s.unsqueeze(-2) * (1.0 - one) + one).prod(-1)
        return (det(u) * det(vh))[..., None, None] * matmul(u * others.unsqueeze(-2), vh)
    rest = arange(n - 1) + (arange(n - 1) >= arange(n).unsqueeze(1))  # row i: all numbers but i
    minors = x[..., rest[:, None, :, None], rest[None, :, None, :]]
    signs = 1 - 2 * ((arange(n) + arange(n).unsqueeze(1)) % 2)
    return det(minors) * signs.to(x.kind.dtype)


def slogdet(A: Tensor) -> Any:
    """The pair (sign, log |det|) of a square matrix: where the determinant itself would overflow."""
    check_square("slogdet", A, True)
    sign, value = computed(np.linalg.slogdet, A)
    return Slogdet(sign, result("LinalgSlogdetBackward0", value, lambda g, _, x: (g[..., None, None] * inv(x).mT,), A))


class LapackMethods:
    """The methods of Tensor that factor matrices. See torch.linalg for the newer forms of most."""

    __slots__ = ()

    det, slogdet, inverse = det, slogdet, inv

    def logdet(self: Any) -> Tensor:
        """The logarithm of the determinant: nan where that is negative, -inf where it is 0."""
        sign, logarithm = slogdet(self)
        return logarithm + sign.log()

    def cholesky(self: Any, upper: bool = False) -> Tensor:
        """The triangle L with self = L Lᵀ, or Lᵀ: see linalg.cholesky."""
        return cholesky(self, upper=upper)

    def cholesky_solve(self: Any, input2: Tensor, upper: bool = False) -> Tensor:
        """X with L Lᵀ X = self, for matrices (*, n, k) and the triangle L (Lᵀ, if `upper`) that cholesky gives.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[4.0], [9.0]]).cholesky_solve(tg.tensor([[2.0, 0.0], [0.0, 3.0]]))
        tensor([[1.],
                [1.]])
        """
        check_matrix("cholesky_solve", self, input2)
        check_square("cholesky_solve", input2, True)
        lower = input2.triu().mT if upper else input2.tril()
        columns = self.expand((1,) * (len(input2.shape) - len(self.shape)) + self.shape)  # never taken for vectors
        return solve(lower.mT, solve(lower, columns))

    def qr(self: Any, some: bool = True) -> Any:
        """The pair (Q, R): see linalg.qr."""
        return qr(self, "reduced" if some else "complete")

    def svd(self: Any, some: bool = True, compute_uv: bool = True) -> Any:
        """The triple (U, S, V), with V and not its transpose: see linalg.svd."""
        u, s, vh = svd(self, full_matrices=not some)
        return SvdOfTensor(u, s, vh.mT) if compute_uv else SvdOfTensor(u.detach() * 0.0, s, vh.mT.detach() * 0.0)

    def pinverse(self: Any, rcond: float = 1e-15) -> Tensor:
        """The pseudo-inverse: see linalg.pinv."""
        from ..linalg import pinv

        return pinv(self, rtol=rcond)
