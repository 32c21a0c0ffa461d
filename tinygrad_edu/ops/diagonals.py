"""Diagonals: of a matrix seen as a vector, and the other way round.

An element on the main diagonal of a matrix with strides (s0, s1) is one step down *and* one to the right of the one
before: s0 + s1 further in memory. So a diagonal is a view like any other,

    (4, 4), strides (4, 1)     diagonal()      (4,), stride 5, offset 0
                               diagonal(1)     (3,), stride 5, offset 1       above the main one
                               diagonal(-1)    (3,), stride 5, offset 4       below it

and writing to it writes to the matrix. That is also how a matrix is made *from* a diagonal (diag_embed): zeros, and
the vector copied to their diagonal; and how the cotangent of a diagonal goes back.

Source: P. Dubois, K. Hinsen, J. Hugunin, Numerical Python, 1996 (diagonal); see strides.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .shape import check_axes, start, view_of
from .strides import Shape

if TYPE_CHECKING:
    from ..tensors import Tensor


def undo_diagonal(g: Tensor, how: tuple[Shape, int, int, int]) -> Tensor:
    """Zeros, with g on a diagonal."""
    from ..creation import zeros

    shape, *where = how
    whole = zeros(shape, dtype=g.kind.dtype, device=g.kind.device)
    whole.diagonal(*where).copy_(g)
    return whole


def two_axes(dimensions: int, dim1: int, dim2: int) -> tuple[int, int]:
    check_axes(dimensions, dim1, dim2)
    first, second = dim1 % max(dimensions, 1), dim2 % max(dimensions, 1)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


class DiagonalMethods:
    """The methods of Tensor that have to do with diagonals."""

    __slots__ = ()

    def diagonal(self: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
        """The diagonal of the matrices along two axes, as the last axis. A view: changes of it change self.

        `offset` 1 is the diagonal above the main one, -1 the one below. IndexError for a vector.

        >>> import tinygrad_edu as tg
        >>> x = tg.arange(9).reshape(3, 3)
        >>> x.diagonal(), x.diagonal(1)
        (tensor([0, 4, 8]), tensor([1, 5]))
        """
        first, second = two_axes(len(self.shape), dim1, dim2)
        old = self.stride()
        n = min(self.shape[first] + min(offset, 0), self.shape[second] - max(offset, 0))
        rest = [a for a in range(len(self.shape)) if a not in (first, second)]
        shape = (*(self.shape[a] for a in rest), max(n, 0))
        strides = (*(old[a] for a in rest), old[first] + old[second])
        at = start(self) + (abs(offset) * (old[second] if offset > 0 else old[first]) if n > 0 else 0)
        how = (self.shape, offset, first, second)
        return view_of(self, shape, strides, at, "DiagonalBackward0", undo_diagonal, how)

    def diag_embed(self: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
        """Matrices with self's last axis on a diagonal, zeros elsewhere; dim1 and dim2 are their axes in the result.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1, 2], [3, 4]]).diag_embed().shape
        torch.Size([2, 2, 2])
        """
        n = len(self.shape) + 1
        first, second = two_axes(n, dim1, dim2)
        size, rest = (self.shape or (1,))[-1] + abs(offset), list(self.shape[:-1])
        for axis in sorted((first, second)):
            rest.insert(axis, size)
        return undo_diagonal(self, (tuple(rest), offset, first, second))

    def diag(self: Any, diagonal: int = 0) -> Tensor:
        """A diagonal of a matrix; of a vector, the matrix that has it as a diagonal. A copy.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 2]).diag()
        tensor([[1, 0],
                [0, 2]])
        """
        if len(self.shape) not in (1, 2):
            raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {len(self.shape)}D; diagonal() takes any")
        return self.diag_embed(diagonal) if len(self.shape) == 1 else self.diagonal(diagonal).clone()

    def diagflat(self: Any, offset: int = 0) -> Tensor:
        """The matrix that has all elements of self on a diagonal."""
        return self.reshape(-1).diag_embed(offset)

    def trace(self: Any) -> Tensor:
        """The sum of the main diagonal of a matrix."""
        if len(self.shape) != 2:
            raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {len(self.shape)}")
        return self.diagonal().sum()

    def fill_diagonal_(self: Any, fill_value: float, wrap: bool = False) -> Tensor:
        """Every element whose indices are all equal becomes a number. In a tall matrix with `wrap` the diagonal starts
        again below its end, one row further on."""
        sizes = self.shape
        if len(sizes) < 2:
            raise RuntimeError("dimensions must larger than 1")
        if len(sizes) > 2 and len(set(sizes)) > 1:
            raise RuntimeError("all dimensions of input must be of equal length")
        if len(sizes) > 2:  # the diagonal of the diagonal, without its other elements
            part = self
            while len(part.shape) > 1:
                part = part.diagonal(0, 0, len(part.shape) - 1)
            part.fill_(fill_value)
            return self
        rows, columns = sizes
        for top in range(0, rows if wrap else min(rows, 1), columns + 1):
            self.narrow(0, top, rows - top).diagonal().fill_(fill_value)
        return self
