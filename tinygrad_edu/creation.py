"""Making tensors: from data, filled, counted, random.

`tensor(data)` copies; `from_numpy(array)` shares. Floats become the default dtype (float32), integers int64, truth
values bool, as in PyTorch; `dtype=` and `device=` override.

Random numbers come from one Mersenne Twister per program, seeded by `manual_seed`, and are PyTorch's own on the CPU:
the same seed gives the same numbers (tinygrad_kernels/cpu/random.py).
"""

from __future__ import annotations

from math import ceil, prod
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import BY_NUMPY, Kind, as_device, as_dtype, bool_, default_float, int64, kind_of
from .hints import hinted
from .ops.conversion import from_array
from .ops.shape import copy, shape_arguments
from .ops.strides import Size
from .tensors import Tensor


@hinted
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor with the given data: a number, nested lists of numbers, a NumPy array.

    Shape: that of the data. ValueError for ragged lists, TypeError for data that is not numbers, RuntimeError for an
    integer tensor that should require a gradient or for a device that is not there.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(data, Tensor):
        return finish(copy(data.detach(), data.kind, "").to(*present(dtype, device)), requires_grad)
    if isinstance(data, np.ndarray | np.generic):
        array = np.array(data, order="C")
    else:
        check_nesting(data)
        array = np.array(tensors_to_numbers(data), order="C")
        if array.dtype == np.float64 or array.size == 0:
            array = array.astype(default_float.numpy if dtype is None else as_dtype(dtype).numpy)
    if array.dtype not in BY_NUMPY:
        if array.dtype.kind in "OUSV":
            raise TypeError(f"tensor(): the data must be numbers, got {type(data).__name__} with {array.dtype}")
        raise TypeError(f"tensor(): dtype {array.dtype} is not supported; the dtypes are {', '.join(dtypes.BY_NAME)}")
    wanted = BY_NUMPY[array.dtype] if dtype is None else as_dtype(dtype)
    return finish(from_array(array.astype(wanted.numpy, copy=False), make_kind(wanted, device)), requires_grad)


def check_nesting(data: Any) -> None:
    """ValueError where the lists inside lists differ in length, naming the place."""
    if isinstance(data, str | bytes | dict | set):
        raise TypeError(f"tensor(): the data must be a number or (nested) lists of numbers, not {type(data).__name__}")
    if not isinstance(data, list | tuple) or not data:
        return
    nested = [isinstance(x, list | tuple) for x in data]
    if any(nested):
        for i, x in enumerate(data):
            if not nested[i]:
                if isinstance(x, Tensor) and x.shape:
                    continue
                raise TypeError(f"tensor(): element {i} is a {type(x).__name__}, but its neighbours are lists")
            if len(x) != len(data[nested.index(True)]):
                raise ValueError(
                    f"expected sequence of length {len(data[0])} at dim 1 (got {len(x)}): the lists differ in length, "
                    f"look at element {i}"
                )
            check_nesting(x)


def tensors_to_numbers(data: Any) -> Any:
    """Nested lists with every tensor in them replaced by its numbers."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, list | tuple):
        return [tensors_to_numbers(x) for x in data]
    return data


def present(*arguments: Any) -> list:
    return [a for a in arguments if a is not None]


def make_kind(dtype: Any, device: Any) -> Kind:
    return kind_of(as_dtype(dtype), as_device(device))


def finish(x: Tensor, requires_grad: bool) -> Tensor:
    return x.requires_grad_() if requires_grad else x


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the same memory as a NumPy array: a change of one is seen in the other.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> t = from_numpy(a)
    >>> a[0] = 7.0
    >>> t
    tensor([7., 0.], dtype=torch.float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    if array.dtype not in BY_NUMPY:
        raise TypeError(f"can't convert np.ndarray of type {array.dtype}; supported are {', '.join(dtypes.BY_NAME)}")
    kind = kind_of(BY_NUMPY[array.dtype])
    if array.flags.c_contiguous:
        return from_array(array, kind)
    steps = tuple(s // array.itemsize for s in array.strides)
    if any(s % array.itemsize or s < 0 for s in array.strides):
        raise ValueError("from_numpy(): negative or fractional strides are not supported; pass array.copy()")
    reach = sum((n - 1) * s for n, s in zip(array.shape, steps, strict=True)) + 1
    x = Tensor(None, Size(array.shape), kind)
    x.region = (np.lib.stride_tricks.as_strided(array, (reach,), (array.itemsize,)), 0, steps, None)
    return x


@hinted
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one number, many times."""
    if dtype is None:
        dtype = {bool: bool_, int: int64}.get(type(fill_value), default_float)
    x = empty(size, dtype=dtype, device=device)
    return finish(x.fill_(fill_value), requires_grad)


@hinted
def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with anything in it."""
    shape = shape_arguments(size)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    kind = make_kind(dtype, device)
    return finish(Tensor(kind.empty(prod(shape)), Size(shape), kind), requires_grad)


@hinted
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros.

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return finish(empty(*size, dtype=dtype, device=device).zero_(), requires_grad)


@hinted
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return finish(empty(*size, dtype=dtype, device=device).fill_(1), requires_grad)


def like(make: Any, x: Tensor, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    dtype, device = x.dtype if dtype is None else dtype, x.device if device is None else device
    return make(x.shape, dtype=dtype, device=device, requires_grad=requires_grad)


@hinted
def zeros_like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros, of the shape, dtype and device of x."""
    return like(zeros, x, dtype, device, requires_grad)


@hinted
def ones_like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones, of the shape, dtype and device of x."""
    return like(ones, x, dtype, device, requires_grad)


@hinted
def empty_like(x: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Anything, of the shape, dtype and device of x."""
    return like(empty, x, dtype, device, requires_grad)


@hinted
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix of zeros."""
    return finish(tensor(np.eye(n, m), dtype=as_dtype(dtype), device=device), requires_grad)


@hinted
def arange(*bounds: float, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Numbers from start (0) up to, not including, end in steps (of 1): arange(end), arange(start, end[, step]).

    For an integer dtype, bounds and step are first cut to whole numbers, as in PyTorch.

    >>> arange(1, 6, 2)
    tensor([1, 3, 5])
    """
    if not 1 <= len(bounds) <= 3:
        raise TypeError(f"arange() takes 1 to 3 numbers, got {len(bounds)}")
    if dtype is not None and not as_dtype(dtype).is_floating_point:
        bounds = tuple(int(b) for b in bounds)
    start, end = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    step = bounds[2] if len(bounds) == 3 else 1
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None:
        dtype = default_float if any(type(b) is float for b in bounds) else int64
    count = max(ceil((end - start) / step), 0)
    array = start + np.arange(count) * step
    return finish(tensor(array, dtype=as_dtype(dtype), device=device), requires_grad)


@hinted
def linspace(
    start: float, end: float, steps: int, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced.

    As in PyTorch the first half is counted from the start and the second from the end, in the dtype of the result.

    >>> linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
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
