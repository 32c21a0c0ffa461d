"""How a table of operations is compared with PyTorch, and with numerical gradients.

A row is a call, written once and run by both libraries, and the operands that it is given:

    row("bmm", lambda m, a, b: m.bmm(a, b), (3, 4, 5), (3, 5, 2))

`m` is PyTorch or ours. A plain shape stands for normal numbers; `integers`, `booleans`, `positive`, `distinct` and
`fixed` make other operands. What a call gives back may be a tensor, a number, or tuples, lists and dicts of these.

`parity(ROWS, REFUSED)` makes a class of tests out of a table (write `TestX = parity(...)`): values, shapes, dtypes,
gradients for a random cotangent, in float32 and float64, in one of them for transposed operands too; without PyTorch,
gradients of first and second order against differences; and calls that both must refuse with the same type of error.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

Operand = Callable[[np.random.Generator], np.ndarray]
TOLERANCES = {"float32": (2e-5, 2e-6), "float64": (1e-10, 1e-12)}  # relative, absolute: sums of some 100 terms


class Row(NamedTuple):
    name: str
    call: Callable[..., Any]
    operands: tuple[Operand, ...]
    gradient: bool  # compare first gradients, here with differences and there with PyTorch's
    second: bool  # and second ones, with differences
    dtypes: tuple[str, ...]
    layouts: tuple[str, ...]


def normal(*shape: int) -> Operand:
    return lambda rng: rng.normal(size=shape)


def positive(*shape: int) -> Operand:
    """Between 0.2 and 2."""
    return lambda rng: rng.uniform(0.2, 2.0, size=shape)


def distinct(*shape: int) -> Operand:
    """No two elements closer than 0.1, in random order: no ties, and no kink within reach of a difference."""
    return lambda rng: (rng.permutation(int(np.prod(shape))) * 0.13 - 1.0).reshape(shape)


def integers(low: int, high: int, *shape: int) -> Operand:
    """int64, from low up to and without high."""
    return lambda rng: rng.integers(low, high, size=shape)


def booleans(*shape: int) -> Operand:
    return lambda rng: rng.uniform(size=shape) < 0.5


def fixed(values: Any, dtype: Any = None) -> Operand:
    """These values. Floats become the dtype under test, unless a dtype is given."""
    return lambda rng: np.array(values, dtype)


def row(
    name: str,
    call: Callable[..., Any],
    *operands: Any,
    gradient: bool = True,
    second: bool = True,
    dtypes: Sequence[str] = ("float32", "float64"),
    layouts: Sequence[str] = ("contiguous", "transposed"),
) -> Row:
    made = tuple(normal(*operand) if isinstance(operand, tuple) else operand for operand in operands)
    return Row(name, call, made, gradient, gradient and second, tuple(dtypes), tuple(layouts))


def arrays(row: Row, dtype: str) -> list[np.ndarray]:
    rng = np.random.default_rng(len(row.name))
    made = [operand(rng) for operand in row.operands]
    return [array.astype(dtype) if array.dtype.kind == "f" else array for array in made]


def operands(m: Any, made: list[np.ndarray], layout: str, gradient: bool) -> tuple[list, list]:
    """Tensors of library m, and those of them that require a gradient."""
    tensors, leaves = [], []
    for array in made:
        if layout == "transposed" and array.ndim > 1:  # the same elements, the axes laid out in reverse order
            leaf = m.tensor(np.ascontiguousarray(array.T))
            use = lambda t: t.permute(*range(t.ndim - 1, -1, -1))  # noqa: E731
        else:
            leaf, use = m.tensor(array), lambda t: t
        if gradient and array.dtype.kind == "f":
            leaf.requires_grad_()
            leaves.append(leaf)
        tensors.append(use(leaf))
    return tensors, leaves


def flattened(result: Any) -> Iterator[Any]:
    """The tensors and numbers in a result, in order."""
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, tuple | list):
        for part in result:
            yield from flattened(part)
    else:
        yield result


def run(m: Any, row: Row, dtype: str, layout: str) -> tuple[list, list]:
    """The results of a row in library m, and the gradients of its operands."""
    tensors, leaves = operands(m, arrays(row, dtype), layout, row.gradient)
    results = list(flattened(row.call(m, *tensors)))
    if row.gradient:
        rng, total = np.random.default_rng(7), 0.0
        for result in results:
            if isinstance(result, m.Tensor) and result.requires_grad:
                cotangent = rng.normal(size=tuple(result.shape)).astype(str(result.dtype).split(".")[-1])
                total = total + (result * m.tensor(cotangent)).sum()
        assert not isinstance(total, float), f"{row.name}: no result has a gradient"
        total.backward()
    return results, [leaf.grad for leaf in leaves]


def same(found: Any, expected: Any, dtype: str, what: str) -> None:
    """Two results are alike: kind, shape, dtype and values."""
    if hasattr(expected, "detach"):
        assert isinstance(found, tg.Tensor), f"{what}: {type(found).__name__}, not a tensor"
        assert tuple(found.shape) == tuple(expected.shape), what
        assert str(found.dtype).split(".")[-1] == str(expected.dtype).split(".")[-1], what
        found, expected = found.detach().numpy(), expected.detach().numpy()
        relative, absolute = TOLERANCES[dtype]
        scale = float(np.abs(expected[np.isfinite(expected)]).max(initial=1.0)) if expected.dtype.kind == "f" else 1.0
        np.testing.assert_allclose(found, expected, rtol=relative, atol=absolute * scale, err_msg=what)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=TOLERANCES[dtype][0], nan_ok=True), what
    else:
        assert found == expected and type(found).__name__ == type(expected).__name__, what


def agree(torch: Any, row: Row, dtype: str, layout: str) -> None:
    """Ours gives PyTorch's results and gradients."""
    (found, gradients), (expected, wanted) = run(tg, row, dtype, layout), run(torch, row, dtype, layout)
    assert len(found) == len(expected), f"{row.name}: {len(found)} results, PyTorch has {len(expected)}"
    for i, (f, e) in enumerate(zip(found, expected, strict=True)):
        same(f, e, dtype, f"{row.name}: result {i}")
    for i, (f, e) in enumerate(zip(gradients, wanted, strict=True)):
        assert (f is None) == (e is None), f"{row.name}: gradient {i} is {f}, PyTorch's {e}"
        if e is not None:
            same(f, e, dtype, f"{row.name}: gradient {i}")


def numerical(row: Row) -> None:
    """First and, where the row says so, second gradients are those that differences give."""
    made = arrays(row, "float64")
    leaves = [tg.tensor(array, requires_grad=True) if array.dtype.kind == "f" else tg.tensor(array) for array in made]

    def function(*tensors: tg.Tensor) -> Any:
        results = [r for r in flattened(row.call(tg, *tensors)) if isinstance(r, tg.Tensor) and r.requires_grad]
        return results[0] if len(results) == 1 else tuple(results)

    assert gradcheck(function, tuple(leaves))
    if row.second:
        assert gradgradcheck(function, tuple(leaves))
        for fast, graph in zip(*(first_gradients(function, leaves, graph) for graph in (False, True)), strict=True):
            np.testing.assert_allclose(fast, graph, rtol=1e-9, atol=1e-11, err_msg=row.name)


def first_gradients(function: Callable[..., Any], leaves: list, graph: bool) -> list[np.ndarray]:
    """By the backward that can be differentiated again, or by the fast one: these are different code, often."""
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    total = sum((result * result).sum() for result in flattened(function(*leaves)))
    found = tg.autograd.grad(total, wanted, create_graph=graph, allow_unused=True)
    return [np.zeros(1) if g is None else g.detach().numpy() for g in found]


def refuse(torch: Any, call: Callable[[Any], Any]) -> None:
    """PyTorch refuses the call; ours does so with the same type of error, and with a message."""
    with pytest.raises(Exception) as theirs:
        call(torch)
    with pytest.raises(Exception) as ours:
        call(tg)
    assert isinstance(ours.value, theirs.type), f"{ours.type.__name__}, PyTorch {theirs.type.__name__}: {theirs.value}"
    assert len(str(ours.value)) > 10


def combinations(row: Row) -> list[tuple[str, str]]:
    """Every dtype, and in one of them every layout: of the rows, half are transposed in float32, half in float64."""
    whole = row.dtypes[zlib.crc32(row.name.encode()) % len(row.dtypes)]
    return [(d, layout) for d in row.dtypes for layout in row.layouts if d == whole or layout == row.layouts[0]]


def parity(rows: Sequence[Row], refused: dict[str, Callable[[Any], Any]] | None = None) -> type:
    """A class of tests for a table."""
    cases = [(row, *case) for row in rows for case in combinations(row)]
    names = [f"{row.name}-{dtype}-{layout}" for row, dtype, layout in cases]
    differentiable = [row for row in rows if row.gradient]

    class Parity:
        @pytest.mark.parametrize("row, dtype, layout", cases, ids=names)
        def test_results_and_gradients_are_pytorchs(self, row: Row, dtype: str, layout: str, torch: Any) -> None:
            agree(torch, row, dtype, layout)

        @pytest.mark.parametrize("row", differentiable, ids=[row.name for row in differentiable])
        def test_gradients_are_those_of_differences(self, row: Row) -> None:
            numerical(row)

        @pytest.mark.parametrize("call", (refused or {}).values(), ids=list(refused or {}))
        def test_bad_input_is_refused_as_in_pytorch(self, call: Callable[[Any], Any], torch: Any) -> None:
            refuse(torch, call)

    return Parity


def identical(ours: Any, theirs: Any) -> None:
    """Same shape, dtype, strides where it matters, and elements."""
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert repr(ours.dtype) == repr(theirs.dtype)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
