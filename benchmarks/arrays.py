"""Array work: elementwise functions, reductions, broadcasting, rows, matmul.

The large rows move 80 MB and more, so they measure memory: how often an operation reads and writes it, and
whether a fresh output costs page faults (NumPy asks the kernel for 2 MB pages where the machine's setting
is `madvise`; the setting is printed above the table). Both sides read the same input arrays; two of them
take turns.
As in `training`, each workload is written once for PyTorch and ours; reductions and matmul have a NumPy
form too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.measure import Build, Comparison, Result, Settings, Step, judge

VARIANTS = 2


@lru_cache(maxsize=4)
def arrays(
    shape: tuple[int, ...], low: float = -3.0, high: float = 3.0, dtype: Any = np.float32
) -> tuple[np.ndarray, ...]:
    """`VARIANTS` arrays of uniform random numbers; both sides get the same arrays, not copies."""
    rng = np.random.default_rng(5)
    return tuple(rng.uniform(low, high, shape).astype(dtype) for _ in range(VARIANTS))


def elementwise(m: Any, function: Callable[[Any], Callable], size: int) -> Step:
    """Forward and backward of `function(m)` on `size` float32 elements, summed to get a scalar."""
    inputs = [m.from_numpy(x).requires_grad_() for x in arrays((size,))]
    apply = function(m)

    def step(i: int) -> Sequence[Any]:
        x = inputs[i % VARIANTS]
        x.grad = None
        y = apply(x)
        y.sum().backward()
        return y, x.grad

    return step


def reduction(m: Any, function: str, dim: int | None, shape: tuple[int, ...]) -> Step:
    """`function` ("sum", "mean", "amax") of a tensor of `shape`, over everything or over dimension `dim`."""
    inputs = [m.from_numpy(x) for x in arrays(shape, 0.0, 1.0)]
    reduce = getattr(m, "max" if function == "amax" and dim is None else function)

    def everything(i: int) -> Sequence[Any]:
        return (reduce(inputs[i % VARIANTS]),)

    def along(i: int) -> Sequence[Any]:
        return (reduce(inputs[i % VARIANTS], dim),)

    return everything if dim is None else along


def numpy_reduction(m: Any, function: str, dim: int | None, shape: tuple[int, ...]) -> Step:
    """The same with NumPy."""
    inputs = arrays(shape, 0.0, 1.0)
    reduce = getattr(m, function)
    return lambda i: (reduce(inputs[i % VARIANTS], dim),)


def broadcast(m: Any, shape: tuple[int, int]) -> Step:
    """Scale and shift by a row: the gradients of the rows are sums over the long axis of the incoming one."""
    inputs = [m.from_numpy(x).requires_grad_() for x in arrays(shape)]
    cotangents = [m.from_numpy(g) for g in arrays(shape, -1.0, 1.0)]
    scale, shift = (m.tensor(row, requires_grad=True) for row in arrays(shape[1:]))

    def step(i: int) -> Sequence[Any]:
        x = inputs[i % VARIANTS]
        x.grad = scale.grad = shift.grad = None
        y = x * scale + shift
        y.backward(cotangents[i % VARIANTS])
        return y, x.grad, scale.grad, shift.grad

    return step


def softmax(m: Any, shape: tuple[int, int]) -> Step:
    """Softmax over the rows, forward and backward with a given cotangent."""
    inputs = [m.from_numpy(x).requires_grad_() for x in arrays(shape)]
    cotangents = [m.from_numpy(g) for g in arrays(shape, -1.0, 1.0)]

    def step(i: int) -> Sequence[Any]:
        x = inputs[i % VARIANTS]
        x.grad = None
        y = m.nn.functional.softmax(x, dim=-1)
        y.backward(cotangents[i % VARIANTS])
        return y, x.grad

    return step


def layer_norm(m: Any, shape: tuple[int, int]) -> Step:
    """Layer norm over the rows with a scale and a shift, forward and backward with a given cotangent."""
    inputs = [m.from_numpy(x).requires_grad_() for x in arrays(shape)]
    cotangents = [m.from_numpy(g) for g in arrays(shape, -1.0, 1.0)]
    scale, shift = (m.tensor(row, requires_grad=True) for row in arrays(shape[1:]))

    def step(i: int) -> Sequence[Any]:
        x = inputs[i % VARIANTS]
        x.grad = scale.grad = shift.grad = None
        y = m.nn.functional.layer_norm(x, shape[1:], scale, shift)
        y.backward(cotangents[i % VARIANTS])
        return y, x.grad, scale.grad, shift.grad

    return step


def residual_block(m: Any, shape: tuple[int, int], *, make: Callable = lambda function: function) -> Step:
    """x + layer norm of gelu(x), forward and backward with a given cotangent."""
    inputs = [m.from_numpy(x).requires_grad_() for x in arrays(shape)]
    cotangents = [m.from_numpy(g) for g in arrays(shape, -1.0, 1.0)]
    scale, shift = (m.tensor(row, requires_grad=True) for row in arrays(shape[1:]))

    def train(x: Any, g: Any) -> Any:
        y = x + m.nn.functional.layer_norm(m.nn.functional.gelu(x), shape[1:], scale, shift)
        y.backward(g)
        return y.detach()

    train = make(train)

    def step(i: int) -> Sequence[Any]:
        x = inputs[i % VARIANTS]
        x.grad = scale.grad = shift.grad = None
        y = train(x, cotangents[i % VARIANTS])
        return y, x.grad, scale.grad, shift.grad

    return step


def cross_entropy(m: Any, shape: tuple[int, int]) -> Step:
    """Mean cross-entropy of rows of logits and integer targets, forward and backward."""
    rng = np.random.default_rng(6)
    inputs = [m.from_numpy(x).requires_grad_() for x in arrays(shape)]
    targets = [m.from_numpy(rng.integers(0, shape[1], shape[0])) for _ in inputs]

    def step(i: int) -> Sequence[Any]:
        x = inputs[i % VARIANTS]
        x.grad = None
        loss = m.nn.functional.cross_entropy(x, targets[i % VARIANTS])
        loss.backward()
        return loss, x.grad

    return step


def matmul(m: Any, form: str, n: int, dtype: Any) -> Step:
    """A product of two n x n matrices: `a @ b` (nn), or one of them transposed (nt, tn: its backward)."""
    lefts, rights = ([m.from_numpy(x) for x in arrays((n, n), low, 1.0, dtype)] for low in (-1.0, -2.0))
    if form == "nn":
        return lambda i: (lefts[i % VARIANTS] @ rights[i % VARIANTS],)
    if form == "nt":
        return lambda i: (lefts[i % VARIANTS] @ rights[i % VARIANTS].t(),)
    return lambda i: (lefts[i % VARIANTS].t() @ rights[i % VARIANTS],)


def numpy_matmul(m: Any, form: str, n: int, dtype: Any) -> Step:
    """The same with NumPy (OpenBLAS)."""
    lefts, rights = (arrays((n, n), low, 1.0, dtype) for low in (-1.0, -2.0))
    if form == "nn":
        return lambda i: (lefts[i % VARIANTS] @ rights[i % VARIANTS],)
    if form == "nt":
        return lambda i: (lefts[i % VARIANTS] @ rights[i % VARIANTS].T,)
    return lambda i: (lefts[i % VARIANTS].T @ rights[i % VARIANTS],)


def geometric_mean(ratios: Sequence[float]) -> float:
    """The mean that treats twice as fast and twice as slow alike."""
    return float(np.exp(np.mean(np.log(ratios))))


@dataclass(frozen=True)
class Matmul:
    """A row for one form and dtype: the geometric mean over the sizes; the times are the largest size's."""

    name: str
    work: str
    form: str
    dtype: Any
    sizes: Sequence[int]
    floor: float
    stretch: float

    def measure(self, settings: Settings) -> Result:
        cells = {}
        for n in self.sizes:
            cell = self.comparison(n).measure(settings)
            if cell.ratio is None:
                cell.work, cell.note = self.work, f"n = {n}: {cell.note}"
                return cell
            cells[n] = cell
        result = Result(self.name, self.work, "", self.floor, self.stretch)
        largest = cells[self.sizes[-1]]
        result.ours, result.peer, result.peer_name = largest.ours, largest.peer, largest.peer_name
        result.details = {str(n): cell.ratio for n, cell in cells.items()}
        result.ratio = geometric_mean(list(result.details.values()))
        result.verdict = judge(result.ratio, self.floor, settings)
        result.note = "  ".join(f"{n}: {ratio:.2f}" for n, ratio in result.details.items())
        return result

    def comparison(self, n: int) -> Comparison:
        """The comparison of one size."""

        def bind(workload: Callable[..., Step]) -> Build:
            return lambda m: workload(m, self.form, n, self.dtype)

        peers = {"numpy": bind(numpy_matmul), "torch": bind(matmul)}
        tolerance = 1e-5 if self.dtype == np.float32 else 1e-12
        return Comparison(self.name, self.work, bind(matmul), peers, self.floor, self.stretch, tolerance)


def summarise(results: Sequence[Result], settings: Settings) -> list[Result]:
    """The two figures that the `Matmul` rows are judged by together: mean and worst of all cells."""
    cells = {
        f"{row.name} n={n}": ratio
        for row in results
        if row.name.startswith("matmul") and row.ratio is not None
        for n, ratio in row.details.items()
    }
    if not cells:
        return []
    mean, worst = geometric_mean(list(cells.values())), max(cells.items(), key=lambda cell: cell[1])
    return [
        Result(
            "matmul_mean",
            f"matmul, geometric mean of {len(cells)}",
            judge(mean, 1.0, settings),
            floor=1.0,
            stretch=0.9,
            ratio=mean,
        ),
        Result(
            "matmul_worst",
            "matmul, worst",
            judge(worst[1], 1.4, settings),
            floor=1.4,
            ratio=worst[1],
            note=worst[0],
        ),
    ]
