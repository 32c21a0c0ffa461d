"""Matrix products, and their derivatives, which are matrix products.

For C = A B, a change dA changes C by dA B, so the cotangent G of C comes back as

    dL/dA = G Bᵀ        (m, n) (n, k) -> (m, k)
    dL/dB = Aᵀ G        (k, m) (m, n) -> (k, n)

The transposes are views: the kernel reads a transposed operand where it lies.

A product takes its operands apart as `@` does in NumPy and PyTorch: a vector on the left is a row, on the right a
column, and the axis made for it is dropped from the result; leading axes are a batch, and are broadcast.

Source: M. Giles, Collected matrix derivative results for forward and reverse mode algorithmic differentiation, 2008.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..graph import Node, changed, freed, mode
from ..prepared import table
from .launch import same_device
from .strides import Size, broadcast_shapes, broadcast_strides

if TYPE_CHECKING:
    from ..tensors import Tensor


class MmBackward(Node):
    """A B for matrices or batches of them. Only the operand that the other's gradient needs is kept."""

    __slots__ = ("a", "b", "shapes", "versions", "done")

    def __init__(self, a: Tensor, b: Tensor) -> None:
        self.walk = None
        self.parents = (a.node, b.node)
        self.shapes = (a.shape, b.shape)
        self.a: Tensor | None = a if b.node is not None else None
        self.b: Tensor | None = b if a.node is not None else None
        self.versions = self.count_changes()
        self.done = False

    def count_changes(self) -> int:
        versions = 0
        if self.a is not None and self.a.shared is not None:
            versions += self.a.shared.version
        if self.b is not None and self.b.shared is not None:
            versions += self.b.shared.version
        return versions

    def check(self) -> None:
        """Refuse if a saved operand has been changed in place since."""
        if self.count_changes() != self.versions:
            raise changed(f"an operand of the matrix product {list(self.shapes[0])} @ {list(self.shapes[1])}")

    def name(self) -> str:
        return "MmBackward0" if len(self.shapes[0]) == 2 else "BmmBackward0"

    def release(self) -> None:
        self.a = self.b = None
        self.done = True

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        if self.done:
            raise freed(self)
        self.check()
        a, b = self.a, self.b
        if graph or len(g.shape) > 2:
            ga = product(g, b.mT).sum_to(self.shapes[0]) if b is not None else None
            gb = product(a.mT, g).sum_to(self.shapes[1]) if a is not None else None
            return ga, gb
        return times(g, b, right=True) if b is not None else None, times(a, g, left=True) if a is not None else None


class AddmmBackward(MmBackward):
    """x Wᵀ + b: the layer of nn.Linear as one node. dL/dx = G W, dL/dW = Gᵀ x, dL/db = the sum of G's rows."""

    __slots__ = ()

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__(x, weight)
        self.walk = None
        self.parents = (x.node, weight.node, bias.node)

    def name(self) -> str:
        return "AddmmBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        if self.done:
            raise freed(self)
        self.check()
        gx = gw = None
        if self.b is not None:
            gx = product(g, self.b) if graph else times(g, self.b)
        if self.a is not None:
            gw = product(g.mT, self.a) if graph else times(g, self.a, left=True)
        return gx, gw, g.sum(0) if self.parents[2] is not None else None


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x Wᵀ + b for matrices x (rows, in), W (out, in) and a vector b (out,), with one node."""
    if x.shape[1] != weight.shape[1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({x.shape[0]}x{x.shape[1]} and {weight.shape[1]}x"
            f"{weight.shape[0]}): the layer takes {weight.shape[1]} features"
        )
    out = times(x, weight, False, True, bias.flat)
    if mode.grad and (x.node is not None or weight.node is not None or bias.node is not None):
        out.node = AddmmBackward(x, weight, bias)
    return out


class Product:
    """A B for two matrices of certain shapes and layouts, prepared: the kernel, its sizes, what becomes of it."""

    __slots__ = ("shape", "new", "kernel", "sizes")

    def __init__(self, a: Tensor, b: Tensor, left: bool, right: bool) -> None:
        m, k = reversed(a.shape) if left else a.shape
        n = b.shape[0] if right else b.shape[1]
        a_at, *a_steps = layout(a)
        b_at, *b_steps = layout(b)
        a_row, a_col = reversed(a_steps) if left else a_steps
        b_row, b_col = reversed(b_steps) if right else b_steps
        kind = a.kind
        self.shape, self.new = Size((m, n)), kind.backend.maker(kind.dtype.name, m * n)
        self.kernel, self.sizes = kind.backend.matmul_kernel(
            kind.dtype.name, m, n, k, (a_at, a_row, a_col), (b_at, b_row, b_col)
        )


_products: dict[tuple, Product] = table()


def times(a: Tensor, b: Tensor, left: bool = False, right: bool = False, bias: Any = None) -> Tensor:
    """A B for two matrices, Aᵀ in place of A with `left`, Bᵀ in place of B with `right`; no graph, no views.

    `bias` is a buffer that is added to each row.
    """
    x, y = a.flat, b.flat
    key: tuple = (a.kind, a.shape, b.shape, left, right)
    if x is None:
        x, *place = a.region[:3]
        key += (1, *place)
    if y is None:
        y, *place = b.region[:3]
        key += (2, *place)
    plan = _products.get(key)
    if plan is None:
        if len(_products) > 2048:
            _products.clear()
        plan = _products[key] = Product(a, b, left, right)
    out = plan.new()
    if bias is None:
        plan.kernel(out, x, y, plan.sizes)
    else:
        plan.kernel(out, x, y, plan.sizes, bias)
    return Tensor(out, plan.shape, a.kind)


def product(a: Tensor, b: Tensor) -> Tensor:
    """A B for matrices, or batches of them, with the node of the graph."""
    *batch_a, m, k = a.shape
    *batch_b, k_b, n = b.shape
    if k != k_b:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({m}x{k} and {k_b}x{n}): the last axis of the first and the "
            "second last of the second must be equal"
        )
    if batch_a or batch_b:
        batch = broadcast_shapes(tuple(batch_a), tuple(batch_b))
        out = Tensor(a.kind.empty(prod(batch) * m * n), Size((*batch, m, n)), a.kind)
        batched(out, a, b, batch, m, n, k)
    else:
        out = times(a, b)
    if (a.node is not None or b.node is not None) and mode.grad:
        out.node = MmBackward(a, b)
    return out


class VectorBackward(MmBackward):
    """A product of two vectors, or of a vector and a matrix."""

    __slots__ = ()

    def name(self) -> str:
        return "DotBackward0" if len(self.shapes[0]) == len(self.shapes[1]) else "MvBackward0"

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        if self.done:
            raise freed(self)
        self.check()
        a, b = self.a, self.b
        if not g.shape:  # of two vectors
            return b * g if b is not None else None, a * g if a is not None else None
        if len(self.shapes[1]) == 1:
            return g.unsqueeze(1) * b if b is not None else None, matmul(a.mT, g) if a is not None else None
        return matmul(b, g) if b is not None else None, a.unsqueeze(1) * g if a is not None else None


def as_matrix(x: Tensor, column: bool) -> Tensor:
    """A vector as a row or a column, for the kernel alone: neither the graph nor the family of x knows of it."""
    n = x.shape[0]
    out = Tensor(x.flat, Size((n, 1) if column else (1, n)), x.kind)
    if x.flat is None:
        root, offset, (step,), base = x.region
        out.region = (root, offset, (step, 1) if column else (n * step, step), base)
    return out


def vector_product(a: Tensor, b: Tensor) -> Tensor:
    """A product of operands that fit, of which one is a vector and the other a vector or a matrix."""
    row = a if len(a.shape) == 2 else as_matrix(a, False)
    column = b if len(b.shape) == 2 else as_matrix(b, True)
    out = Tensor(times(row, column).flat, Size((*a.shape[:-1], *b.shape[1:])), a.kind)
    if (a.node is not None or b.node is not None) and mode.grad:
        out.node = VectorBackward(a, b)
    return out


def buffer(x: Tensor) -> Any:
    return x.flat if x.flat is not None else x.region[0]


def layout(x: Tensor) -> tuple[int, int, int]:
    """(offset, row stride, column stride) of the last two axes."""
    if x.flat is not None:
        return 0, x.shape[-1], 1
    _, offset, strides, _ = x.region
    return offset, strides[-2], strides[-1]


def batched(out: Tensor, a: Tensor, b: Tensor, batch: tuple, m: int, n: int, k: int) -> None:
    """All products of a batch; an operand whose batch axes do not fall into one stride is copied first."""
    strides = []
    operands = []
    for x in (a, b):
        steps = batch_stride(x, batch)
        if steps is None:
            x = x.detach().expand(*batch, *x.shape[-2:]).contiguous()
            steps = x.shape[-2] * x.shape[-1]
        operands.append(x)
        strides.append(steps)
    a, b = operands
    out.kind.backend.batched_matmul(
        out.flat, buffer(a), buffer(b), prod(batch), m, n, k, strides[0], layout(a), strides[1], layout(b)
    )


def batch_stride(x: Tensor, batch: tuple) -> int | None:
    """The one stride from each matrix to the next, once broadcast to `batch`; None if there is none."""
    steps = broadcast_strides(x.shape[:-2], x.stride()[:-2], batch)
    axes = [(size, s) for size, s in zip(batch, steps, strict=True) if size != 1]
    for (_, outer), (size, inner) in zip(axes, axes[1:], strict=False):
        if outer != size * inner:
            return None
    return axes[-1][1] if axes else 0


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """The matrix product `a @ b`.

    (k,) @ (k,) -> ();   (m, k) @ (k,) -> (m,);   (k,) @ (k, n) -> (n,);   (*, m, k) @ (*, k, n) -> (*, m, n).
    RuntimeError where the sizes or dtypes do not fit.

    >>> import tinygrad_edu as tg
    >>> tg.matmul(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    if not isinstance(b, Tensor):
        raise TypeError(f"matmul(): argument 'other' must be Tensor, not {type(b).__name__}")
    if len(a.shape) == len(b.shape) == 2 and a.kind is b.kind and a.shape[1] == b.shape[0]:  # the hot path
        out = times(a, b)
        if (a.node is not None or b.node is not None) and mode.grad:
            out.node = MmBackward(a, b)
        return out
    if a.kind is not b.kind:
        same_device(a, b)
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {a.kind.dtype.name} != {b.kind.dtype.name}; "
            f"convert one of them, e.g. with .to({a.kind.dtype.name})"
        )
    if not a.shape or not b.shape:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {len(a.shape)}D and {len(b.shape)}D; "
            "multiply by a number with *"
        )
    if len(a.shape) == len(b.shape) == 2:
        return product(a, b)
    if len(a.shape) <= 2 and len(b.shape) <= 2 and a.shape[-1] == b.shape[0]:
        return vector_product(a, b)
    row = a if len(a.shape) > 1 else a.reshape(1, -1)
    column = b if len(b.shape) > 1 else b.reshape(-1, 1)
    if len(a.shape) > 2 and len(b.shape) <= 2 and a.flat is not None:  # fold the batch into the rows: one product
        out = product(a.reshape(-1, a.shape[-1]), column).reshape(*a.shape[:-1], column.shape[-1])
    else:
        out = product(row, column)
    if len(a.shape) == 1:
        out = out.reshape(*out.shape[:-2], out.shape[-1])
    if len(b.shape) == 1:
        out = out.reshape(out.shape[:-1])
    return out


def check_operands(name: str, **operands: Any) -> None:
    """TypeError for what is no Tensor."""
    for position, (argument, x) in enumerate(operands.items(), 1):
        if not isinstance(x, Tensor):
            what = type(x).__name__
            raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be Tensor, not {what}")


def check_same_dtype(a: Tensor, b: Tensor) -> None:
    if a.kind is not b.kind:
        raise RuntimeError(
            f"both inputs should have same dtype, expected {a.kind.dtype.name} but found {b.kind.dtype.name}; use .to()"
        )


class LinalgMethods:
    """The methods of Tensor that multiply matrices."""

    __slots__ = ()

    matmul = __matmul__ = matmul  # which refuses an array: NumPy would compute with it

    def mm(self: Any, mat2: Tensor) -> Tensor:
        """The product of two matrices: (n, k) and (k, m) make (n, m). Nothing is broadcast."""
        check_operands("mm", input=self, mat2=mat2)
        if len(self.shape) != 2 or len(mat2.shape) != 2:
            raise RuntimeError(f"mm: both must be matrices, got {len(self.shape)}D and {len(mat2.shape)}D; use matmul")
        return matmul(self, mat2)
