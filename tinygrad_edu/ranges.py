"""Tensors that count: ranges, the identity, indices of triangles, grids.

A range is given by its ends and a step (`arange`) or by its ends and a number of steps (`linspace`). The second is the
one to use for floats: whether 0.1 · 10 reaches 1.0 depends on rounding, so the length of arange(0, 1, 0.1) does too.

    arange(0, 5)         0  1  2  3  4         up to, not including
    linspace(0, 5, 3)    0  2.5  5             both included
    logspace(0, 2, 3)    1  10  100            base to these powers

A grid is the table of all pairs (or triples, ...) of coordinates, one tensor for each coordinate:

    meshgrid([1, 2], [3, 4])    1 1    3 4
                                2 2    3 4

Source: PyTorch documentation, torch, "Creation Ops".
"""

from __future__ import annotations

import warnings
from math import ceil, isfinite
from typing import Any

import numpy as np

from . import dtypes
from .creation import factory, finish, make_kind, tensor
from .dtypes import FLOAT, as_dtype, bool_, int64
from .ops.conversion import from_array
from .tensors import Tensor


@factory
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix of zeros."""
    for name, size in (("n", n), ("m", n if m is None else m)):
        if not hasattr(size, "__index__"):
            raise TypeError(f"eye(): argument '{name}' must be int, not {type(size).__name__}")
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return finish(tensor(np.eye(n, m), dtype=as_dtype(dtype), device=device), requires_grad)


def numbers(name: str, *given: Any) -> list[Any]:
    """Python numbers, or 0-d tensors as such. RuntimeError for larger ones, TypeError for what is neither."""
    for x in given:
        if isinstance(x, Tensor) and x.shape:
            raise RuntimeError(f"{name} only supports 0-dimensional tensors, but got one with {x.ndim} dimension(s)")
        if not isinstance(x, Tensor | int | float | np.generic):
            raise TypeError(f"{name}(): expected numbers, got {type(x).__name__}")
    return [x.item() if isinstance(x, Tensor | np.generic) else x for x in given]


@factory
def arange(*bounds: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False, **named: Any) -> Tensor:
    """Numbers from start (0) up to, not including, end in steps (of 1): arange(end), arange(start, end[, step]).

    For an integer dtype, bounds and step are first cut to whole numbers, as in PyTorch.

    >>> arange(1, 6, 2), arange(end=2.0)
    (tensor([1, 3, 5]), tensor([0., 1.]))
    """
    names = ("end",) if len(bounds) == 1 and "end" not in named else ("start", "end", "step")
    given = {"start": 0, "step": 1, **dict(zip(names, bounds, strict=False)), **named}
    if len(bounds) > 3 or given.keys() != {"start", "end", "step"}:
        raise TypeError(f"arange() takes (end) or (start, end, step=1), got {len(bounds)} numbers and {[*named]}")
    values = numbers("arange", given["start"], given["end"], given["step"])
    if dtype is not None and not as_dtype(dtype).is_floating_point:
        if as_dtype(dtype) is bool_:
            raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'; compare: arange(n) > 0")
        values = [int(b) for b in values]
    start, end, step = values
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (isfinite(start) and isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None:
        dtype = as_dtype(None) if any(isinstance(b, float) for b in values) else int64
    array = start + np.arange(max(ceil((end - start) / step), 0)) * step
    return finish(tensor(array, dtype=as_dtype(dtype), device=device), requires_grad)


@factory
def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced.

    As in PyTorch the first half is counted from the start and the second from the end, in the dtype of the result.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    start, end, steps = numbers("linspace", start, end, steps)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    kind = make_kind(dtype, device)
    T, exact = kind.dtype.numpy.type, kind.dtype.numpy.type
    if not kind.dtype.is_floating_point:  # between integers, in float64, cut off
        start, end, T = int(start), int(end), np.float64
    step = (T(end) - T(start)) / T(max(steps - 1, 1))
    i = np.arange(steps)
    low = np.float64(T(start)) + np.float64(step) * i  # one rounding, as a fused multiply-add does
    high = np.float64(T(end)) - np.float64(step) * (steps - 1 - i)
    array = np.where(i < steps // 2 if steps > 1 else i < 1, low, high).astype(exact)
    return finish(from_array(array, kind), requires_grad)


@factory
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base to the powers linspace(start, end, steps).

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    wanted = as_dtype(dtype)
    exponents = linspace(start, end, steps, dtype=wanted if wanted.is_floating_point else dtypes.float64, device=device)
    return finish((float(base) ** exponents).to(wanted), requires_grad)


def triangle(name: str, below: bool, row: int, col: int, offset: int, dtype: Any, device: Any) -> Tensor:
    for label, n in (("row", row), ("col", col)):
        if n < 0:
            raise RuntimeError(f"{label} must be non-negative, got {n}")
    if as_dtype(dtype).category == FLOAT:
        raise NotImplementedError(f"{name} not implemented for {dtype}: indices are integers")
    lower = np.tri(row, col, offset if below else offset - 1, dtype=bool)
    return tensor(np.argwhere(lower if below else ~lower).T, dtype=dtype, device=device)


@factory
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None) -> Tensor:
    """Rows and columns (2, n) of the elements of a (row, col) matrix on and below a diagonal.

    >>> tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return triangle("tril_indices", True, row, col, offset, dtype, device)


@factory
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, device: Any = None) -> Tensor:
    """Rows and columns (2, n) of the elements of a (row, col) matrix on and above a diagonal."""
    return triangle("triu_indices", False, row, col, offset, dtype, device)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """Coordinates (n, m, ...) of a grid, one tensor for each axis given by its 1-d tensor of coordinates.

    indexing='ij': the first tensor varies along the first axis; 'xy': along the second.

    >>> meshgrid(tensor([1, 2]), tensor([3, 4]), indexing="ij")[1]
    tensor([[3, 4],
            [3, 4]])
    """
    given = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for x in given:
        if not isinstance(x, Tensor):
            raise TypeError(f"meshgrid(): expected tensors, got {type(x).__name__}; make one with tensor(...)")
        if len(x.shape) > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x}")
        if x.dtype is not given[0].dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.", stacklevel=2
        )
    elif indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    shape = [x.numel() for x in given]
    views = [x.reshape([-1 if k == i else 1 for k in range(len(given))]) for i, x in enumerate(given)]
    grids = [x.expand(shape) for x in views]
    return tuple(x.transpose(0, 1) for x in grids) if indexing == "xy" and len(given) > 1 else tuple(grids)
