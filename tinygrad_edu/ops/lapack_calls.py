"""How LAPACK is called: with arrays, whether it is for now or for a recording; its errors, and the node of a result.

The problem. LAPACK, by way of NumPy, takes and gives NumPy arrays, and raises where it can do nothing with them. A
tensor may have no array: on a GPU, or while a function is recorded (compiler/), when there are no numbers yet.

The idea. Say what is to be computed as a function of arrays, errors included, and give it to `computed`. That calls it
at once, or lets the recorder make a step of it.

Source: E. Anderson and others, LAPACK Users' Guide, 3rd edition, 1999, for what is refused, and why.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import is_grad_enabled, mode
from .linalg import check_operands
from .reduction import SavingNode
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


class LinAlgError(RuntimeError):
    """A matrix that an operation cannot be done with: singular, not positive-definite, not finite."""


def computed(compute: Callable[..., Any], *operands: Tensor) -> list[Tensor]:
    """What `compute` makes of the operands as arrays: tensors of the first one's dtype, without a graph.

    The shapes of its results, an array or several, must depend on those of the operands alone.
    """
    kind = operands[0].kind
    if kind.device.type != "cpu":
        raise NotImplementedError(
            "linear algebra beyond products is LAPACK's, which computes on the CPU: move the operands there with "
            ".cpu(), and the result back with .to(device)"
        )

    def arrays(*given: np.ndarray) -> list[np.ndarray]:
        found = compute(*given)
        return [np.asarray(x, kind.dtype.numpy, order="C") for x in (found if isinstance(found, tuple) else (found,))]

    if mode.recorder is not None:  # which asks for the shapes: those for matrices that nothing is wrong with
        ones = (np.broadcast_to(np.eye(x.shape[-2], x.shape[-1]), x.shape).astype(kind.dtype.numpy) for x in operands)
        found = mode.recorder.computes(arrays, operands, [x.shape for x in arrays(*ones)])
    else:
        values = arrays(*(x.detach().numpy() for x in operands))
        found = [(kind.backend.from_numpy(x), x.shape) for x in values]
    return [Tensor(buffer, Size(shape), kind) for buffer, shape in found]


# What is asked of a matrix ------------------------------------------------------------------------------------
def check_matrix(name: str, *matrices: Tensor, floating: bool = True) -> None:
    """RuntimeError for what is no float matrix, or batch of them."""
    check_operands(f"linalg.{name}", **dict(zip("AB", matrices, strict=False)))
    for letter, x in zip("AB", matrices, strict=False):
        if len(x.shape) < 2:
            raise RuntimeError(f"linalg.{name}: The input tensor {letter} must have at least 2 dimensions.")
        if floating and not x.kind.dtype.is_floating_point:
            raise RuntimeError(
                f"linalg.{name}: Expected a floating point or complex tensor as input. Got {x.kind.dtype.name}; "
                "convert it, with .float()"
            )


def check_square(name: str, x: Tensor, floating: bool = False) -> None:
    check_matrix(name, x, floating=floating)
    m, n = x.shape[-2:]
    if m != n:
        raise RuntimeError(f"linalg.{name}: A must be batches of square matrices, but they are {m} by {n} matrices")


def refusal(name: str, matrices: np.ndarray, ok: Callable[[np.ndarray], Any], text: str) -> LinAlgError:
    """The error for the first of the matrices that LAPACK refuses, for the first leading part of it that is bad.

    `ok` tells whether the part made of the first k rows and columns is good; `text` may say {k}.
    """
    batch = matrices.reshape(-1, *matrices.shape[-2:])
    for number, matrix in enumerate(batch):
        for k in range(1, len(matrix) + 1):
            if not ok(matrix[:, :k] if name != "cholesky" else matrix[:k, :k]):
                where_ = f"(Batch element {number}): " if matrices.ndim > 2 else ""
                return LinAlgError(f"linalg.{name}: {where_}" + text.format(k=k))
    return LinAlgError(f"linalg.{name}: the input is too close to what cannot be done: " + text.format(k=len(batch)))


def independent(columns: np.ndarray) -> bool:
    return np.linalg.matrix_rank(columns) == columns.shape[1]


# The nodes ----------------------------------------------------------------------------------------------------
class LapackBackward(SavingNode):
    """The operands and the result are saved; `vjp` gives their cotangents from (g, result, *operands)."""

    __slots__ = ("label", "vjp")

    def __init__(self, label: str, vjp: Any, out: Tensor, operands: tuple[Tensor, ...]) -> None:
        super().__init__(tuple(x.node for x in operands), out.detach(), *operands)
        self.label, self.vjp = label, vjp

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        out, *operands = self.saved()
        return self.vjp(g, self.result(out), *operands)


def result(label: str, out: Tensor, vjp: Any, *operands: Tensor) -> Tensor:
    """A tensor that was computed from operands, with its node."""
    if is_grad_enabled() and any(x.node is not None for x in operands):
        out.node = LapackBackward(label, vjp, out, operands)
    return out


def results(label: str, compute: Callable[..., Any], count: int, vjp: Any, x: Tensor) -> tuple[list[Tensor], Any]:
    """The first `count` arrays that are computed as views of one flat tensor, and the other ones, without a node.

    `vjp` takes (list of cotangents, list of results, x).
    """
    shapes: list[Any] = []

    def together(x: np.ndarray) -> Any:
        values = compute(x)
        shapes[:] = [value.shape for value in values[:count]]
        return np.concatenate([value.reshape(-1) for value in values[:count]]), *values[count:]

    whole, *rest = computed(together, x)
    starts = list(itertools.accumulate(map(prod, shapes), initial=0))

    def parts(whole: Tensor) -> list[Tensor]:
        return [whole.narrow(0, at, prod(s)).reshape(s) for at, s in zip(starts, shapes, strict=False)]

    def pull(g: Tensor, out: Tensor, x: Tensor) -> tuple[Tensor]:
        return (vjp(parts(g), parts(out), x),)

    found = parts(result(label, whole, pull, x))
    for part in found:
        if part.node is not None:
            part.node.label = label
    return found, rest


def converging(name: str, compute: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """The same, with our error where it does not come to an end."""

    def attempt(a: np.ndarray) -> Any:
        try:
            return compute(a)
        except np.linalg.LinAlgError:
            raise LinAlgError(
                f"linalg.{name}: The algorithm failed to converge because the input matrix contained non-finite values."
            ) from None

    return attempt
