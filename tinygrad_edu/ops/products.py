"""The named products: which shapes each takes, and what its alpha and beta do.

All of them are `matmul` (linalg.py) or a broadcast multiplication, behind the doors that PyTorch gives them. A door
takes certain shapes only, so that a mistake is an error and not a broadcast:

    mm     (n, k) (k, m)        dot    (n,) (n,)      outer  (n,) (m,) -> (n, m)
    bmm    (b, n, k) (b, k, m)  mv     (n, k) (k,)    inner  the last axes of both

`addmm` and its relatives add to such a product what was there before, each with a factor:

    out = beta input + alpha (mat1 @ mat2)            beta = 0: input is not looked at, not even where it is nan

*Powers* by squaring: Aⁿ takes about log2 n products, for n = 13 = 8 + 4 + 1 it is A⁸ A⁴ A.

Source: for the powers, D. Knuth, The Art of Computer Programming 2, section 4.6.3.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Any

from .einsum import tensordot
from .linalg import check_operands, check_same_dtype, matmul
from .reduction import normalize_axes

if TYPE_CHECKING:
    from ..tensors import Tensor


def combined(name: str, input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta input + alpha product, in the shape of the product."""
    if input.kind is not product.kind:
        ours, theirs = input.kind.dtype.name, product.kind.dtype.name
        raise RuntimeError(f"{name}: self and mat2 must have the same dtype, but got {ours} and {theirs}; use .to()")
    input = input.expand(product.shape)
    if beta == 0:  # nan * 0 would be nan; what is overwritten has the gradient 0
        input = input.clone().zero_()
    if alpha != 1:
        product = product * alpha
    return product.add(input, alpha=beta or 1)


def dot(input: Tensor, tensor: Tensor, name: str = "dot") -> Tensor:
    check_operands(name, input=input, tensor=tensor)
    if not len(input.shape) == len(tensor.shape) == 1:
        raise RuntimeError(f"1D tensors expected, but got {len(input.shape)}D and {len(tensor.shape)}D tensors")
    if input.shape != tensor.shape:
        n, m = input.shape[0], tensor.shape[0]
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{n}] and src [{m}] to have the same number of elements, but "
            f"got {n} and {m} elements respectively"
        )
    return matmul(input, tensor)


def check_vectors(name: str, **operands: Any) -> None:
    check_operands(name, **operands)
    for argument, x in operands.items():
        if len(x.shape) != 1:
            raise RuntimeError(f"{name}: Expected 1-D argument {argument}, but got {len(x.shape)}-D")


def check_batches(name: str, a: Any, b: Any) -> None:
    check_operands(name, batch1=a, batch2=b)
    for position, x in ((1, a), (2, b)):
        if len(x.shape) != 3:
            raise RuntimeError(f"{name}: batch{position} must be a 3D tensor, got {len(x.shape)}D; matmul takes any")
    if b.shape[:2] != (a.shape[0], a.shape[2]):
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{a.shape[0]}, {a.shape[2]}] but got: {list(b.shape[:2])}."
        )


def in_place(name: str) -> Any:
    """The method that stores the result of another method in its tensor."""

    def method(self: Any, *operands: Any, beta: Any = 1, alpha: Any = 1) -> Tensor:
        out = getattr(self, name)(*operands, beta=beta, alpha=alpha)
        if out.shape != self.shape:
            raise RuntimeError(
                f"Bad in-place call: input tensor size {list(self.shape)} and output tensor size {list(out.shape)} "
                "should match"
            )
        return self.copy_(out)

    method.__name__, method.__qualname__ = f"{name}_", f"Tensor.{name}_"
    method.__doc__ = f"`{name}`, stored in self"
    return method


class ProductMethods:
    """The methods of Tensor that multiply vectors and matrices, each for certain shapes."""

    __slots__ = ()

    def bmm(self: Any, mat2: Tensor) -> Tensor:
        """The products of two batches of matrices: (b, n, k) and (b, k, m) make (b, n, m). Nothing is broadcast.

        >>> import tinygrad_edu as tg
        >>> tg.ones(2, 3, 4).bmm(tg.ones(2, 4, 5)).shape
        torch.Size([2, 3, 5])
        """
        check_batches("bmm", self, mat2)
        return matmul(self, mat2)

    def mv(self: Any, vec: Tensor) -> Tensor:
        """The product of a matrix (n, k) and a vector (k,)."""
        check_operands("mv", input=self, vec=vec)
        check_matrix_vector(None, self, vec)
        return matmul(self, vec)

    def dot(self: Any, tensor: Tensor) -> Tensor:
        """The sum of the products of the elements of two vectors.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 2.0]).dot(tg.tensor([3.0, 4.0]))
        tensor(11.)
        """
        return dot(self, tensor)

    def vdot(self: Any, other: Tensor) -> Tensor:
        """`dot`: for complex numbers, which there are none of here, it would conjugate self."""
        return dot(self, other, "vdot")

    def outer(self: Any, vec2: Tensor) -> Tensor:
        """All products of an element of one vector (n,) and one of another (m,): (n, m)."""
        check_vectors("outer", self=self, vec2=vec2)
        return self.unsqueeze(1) * vec2

    def ger(self: Any, vec2: Tensor) -> Tensor:
        """`outer`, by its name in BLAS."""
        return self.outer(vec2)

    def inner(self: Any, other: Tensor) -> Tensor:
        """The sums of products along the last axes of both: (*, k) and (+, k) make (*, +). A number multiplies."""
        check_operands("inner", input=self, other=other)
        check_same_dtype(self, other)
        if not self.shape or not other.shape:
            return self * other
        if self.shape[-1] != other.shape[-1]:
            raise RuntimeError(
                "inner() the last dimension must match on both input tensors but got shapes "
                f"{list(self.shape)} and {list(other.shape)}"
            )
        return tensordot(self, other, ([-1], [-1]))

    def addmm(self: Any, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """beta self + alpha (mat1 @ mat2), where self is broadcast to the shape of the product.

        >>> import tinygrad_edu as tg
        >>> tg.ones(2).addmm(tg.eye(2), tg.eye(2), beta=2, alpha=5)
        tensor([[7., 2.],
                [2., 7.]])
        """
        check_operands("addmm", input=self, mat1=mat1, mat2=mat2)
        return combined("addmm", self, mat1.mm(mat2), beta, alpha)

    def addmv(self: Any, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """beta self + alpha (mat @ vec), for a matrix (n, k) and a vector (k,)."""
        check_operands("addmv", input=self, mat=mat, vec=vec)
        check_matrix_vector(self, mat, vec)
        return combined("addmv", self, matmul(mat, vec), beta, alpha)

    def addr(self: Any, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """beta self + alpha outer(vec1, vec2)."""
        check_vectors("addr", vec1=vec1, vec2=vec2)
        return combined("addr", self, vec1.outer(vec2), beta, alpha)

    def baddbmm(self: Any, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """beta self + alpha bmm(batch1, batch2)."""
        check_batches("baddbmm", batch1, batch2)
        return combined("baddbmm", self, matmul(batch1, batch2), beta, alpha)

    def addbmm(self: Any, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        """beta self + alpha Σ batch1[i] @ batch2[i], the sum over the batch."""
        check_batches("addbmm", batch1, batch2)
        return combined("addbmm", self, matmul(batch1, batch2).sum(0), beta, alpha)

    addmm_, addmv_, addr_ = in_place("addmm"), in_place("addmv"), in_place("addr")
    baddbmm_, addbmm_ = in_place("baddbmm"), in_place("addbmm")

    def kron(self: Any, other: Tensor) -> Tensor:
        """Kronecker's product: every element of self, times a copy of other. Sizes are multiplied, axis by axis.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1, 10]).kron(tg.tensor([1, 2, 3]))
        tensor([ 1,  2,  3, 10, 20, 30])
        """
        check_operands("kron", input=self, other=other)
        n = max(len(self.shape), len(other.shape))
        a, b = ((1,) * (n - len(x.shape)) + x.shape for x in (self, other))
        apart = self.reshape([m for k in a for m in (k, 1)]) * other.reshape([m for k in b for m in (1, k)])
        return apart.reshape([j * k for j, k in zip(a, b, strict=True)])

    def matrix_power(self: Any, n: int) -> Tensor:
        """A A ... A, n times, for square matrices; the identity for n = 0, the inverse's power below.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[1, 1], [1, 0]]).matrix_power(10)
        tensor([[89, 55],
                [55, 34]])
        """
        from ..ranges import eye
        from .lapack_calls import check_square

        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise TypeError(f"matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}")
        check_square("matrix_power", self)
        if not n:
            one = eye(self.shape[-1], dtype=self.kind.dtype, device=self.kind.device)
            return one.expand(self.shape).clone()
        power, n = self if n > 0 else self.inverse(), abs(operator.index(n))
        factors = []
        while n:
            factors += [power] if n % 2 else []
            n //= 2
            power = matmul(power, power) if n else power
        return reduce(matmul, factors) if len(factors) > 1 or factors[0] is not self else self.clone()

    def cross(self: Any, other: Tensor, dim: int | None = None) -> Tensor:
        """The vector product in three dimensions, along an axis of size 3 (None: the first one that is).

        >>> import tinygrad_edu as tg
        >>> tg.tensor([1.0, 0.0, 0.0]).cross(tg.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
        """
        check_operands("cross", input=self, other=other)
        if len(self.shape) != len(other.shape):
            raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
        if dim is None:
            dim = next((k for k, n in enumerate(self.shape) if n == 3), None)
            if dim is None:
                raise RuntimeError("no dimension of size 3 in input")
        (axis,) = normalize_axes(dim, len(self.shape)) or (0,)
        sizes = [x.shape[axis] if x.shape else 1 for x in (self, other)]
        if sizes != [3, 3]:
            raise RuntimeError(
                f"linalg.cross: inputs dimension {dim} must have length 3. Got {sizes[0]} and {sizes[1]}"
            )
        return self.roll(-1, axis) * other.roll(-2, axis) - self.roll(-2, axis) * other.roll(-1, axis)


def check_matrix_vector(input: Tensor | None, mat: Tensor, vec: Tensor) -> None:
    """PyTorch's errors for what is no matrix times a vector (plus a vector)."""
    dimensions = [1 if input is None else len(input.shape), len(mat.shape), len(vec.shape)]
    if dimensions[0] > 1 or dimensions[1:] != [2, 1]:
        raise RuntimeError(f"vector + matrix @ vector expected, got {', '.join(map(str, dimensions))}")
    n = mat.shape[0] if input is None else input.numel()
    if mat.shape[1] != vec.shape[0] or n not in (1, mat.shape[0]):
        raise RuntimeError(f"size mismatch, got input ({n}), mat ({mat.shape[0]}x{mat.shape[1]}), vec ({vec.shape[0]})")
