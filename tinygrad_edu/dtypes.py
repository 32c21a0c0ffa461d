"""Dtypes, devices, and what comes out when two of them meet.

A tensor's elements have a *dtype*, and they live on a *device*. The pair of both is its `Kind`: two tensors of the
same kind can share a loop, so the one comparison `x.kind is y.kind` decides the fast path.

*Promotion*: `int64 + float32` is float32. Dtypes have a category (bool < integer < float), and within a category a
width. Among tensors with dimensions the highest category wins, then the greater width; a 0-d tensor counts only
where its category is higher than theirs, and a Python number only where its category is higher still:

    float32 tensor + 2.5          float32   (Python's 64-bit float does not widen the tensor)
    int64 tensor   + 2.5          float32   (the default dtype: the number brings a new category)
    float32 tensor + float64 0-d  float32
    int32 tensor   + int64 tensor int64

Source: PyTorch documentation, Tensor Attributes, "torch.dtype: type promotion".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


class dtype:
    """The type of a tensor's elements, e.g. `float32`. Printed as PyTorch prints it."""

    __slots__ = ("name", "category", "width", "numpy", "itemsize")

    def __init__(self, name: str, category: int) -> None:
        self.name, self.category = name, category
        self.numpy = np.dtype(name)
        self.itemsize = self.numpy.itemsize
        self.width = self.itemsize * 2 - (name == "uint8")  # uint8 and int8 meet in int16, see promote()

    @property
    def is_floating_point(self) -> bool:
        return self.category == FLOAT

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


BOOL, INTEGER, FLOAT = 0, 1, 2

bool_ = dtype("bool", BOOL)
uint8, int8 = dtype("uint8", INTEGER), dtype("int8", INTEGER)
int16, int32, int64 = dtype("int16", INTEGER), dtype("int32", INTEGER), dtype("int64", INTEGER)
float32, float64 = dtype("float32", FLOAT), dtype("float64", FLOAT)

BY_NAME = {d.name: d for d in (bool_, uint8, int8, int16, int32, int64, float32, float64)}
BY_NUMPY = {d.numpy: d for d in BY_NAME.values()}
OF_PYTHON: dict[type, dtype] = {bool: bool_, int: int64, float: float64}  # `dtype=float`

default_float = float32


class MissingDtype:
    """A dtype of PyTorch's that there are no kernels for: a name, and a TypeError where it is used."""

    __slots__ = ("name", "instead")

    def __init__(self, name: str, instead: str) -> None:
        self.name, self.instead = name, instead

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def refusal(self) -> TypeError:
        return TypeError(f"{self} is a name only: there are no kernels for it here. Use {self.instead} instead")


float16, bfloat16 = MissingDtype("float16", "float32"), MissingDtype("bfloat16", "float32")
complex64 = MissingDtype("complex64", "two float32 tensors")
complex128 = MissingDtype("complex128", "two float64 tensors")


class device:
    """Where a tensor lives: `device('cpu')` or `device('cuda')`."""

    __slots__ = ("type", "index")

    type: str
    index: int | None

    def __init__(self, type: str | device, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        if not isinstance(type, str):
            raise TypeError(f"a device is given by name, 'cpu' or 'cuda', not {type!r}")
        name, _, number = type.partition(":")
        if name not in ("cpu", "cuda"):
            raise RuntimeError(f"Expected one of cpu, cuda device type at start of device string: {type}")
        if number and not number.isdigit():
            raise RuntimeError(f"Invalid device string: '{type}'; write '{name}' or '{name}:0'")
        self.type = name
        self.index = int(number) if number else index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"


class Kind:
    """A dtype on a device, with the backend that computes there. There is one object per pair: see `kind_of`."""

    __slots__ = ("dtype", "device", "backend", "empty", "one")

    def __init__(self, dtype: dtype, device: device) -> None:
        from tinygrad_kernels.backend import get_backend

        self.dtype, self.device = dtype, device
        self.backend = get_backend(device.type)
        self.empty: Callable[[int], Any] = self.backend.allocator(dtype.name)  # n -> a flat buffer of n elements
        self.one = self.empty(1)  # a 1 to start backward passes with; nobody writes to it
        self.one[0] = 1

    def __repr__(self) -> str:
        return f"<{self.dtype.name} on {self.device}>"


_kinds: dict[tuple[dtype, device], Kind] = {}
CPU = device("cpu")


def kind_of(dtype_: dtype, device_: device = CPU) -> Kind:
    """The Kind of a dtype and a device. A RuntimeError says why where the device cannot be used."""
    found = _kinds.get((dtype_, device_))
    if found is None:
        found = _kinds[dtype_, device_] = Kind(dtype_, device_)
    return found


def as_dtype(given: Any) -> dtype:
    """Checks a `dtype=` argument."""
    if isinstance(given, dtype):
        return given
    if given is None:
        return default_float
    if isinstance(given, type) and given in OF_PYTHON:
        return OF_PYTHON[given]
    if isinstance(given, MissingDtype):
        raise given.refusal()
    raise TypeError(f"dtype must be a dtype such as float32, not {given!r}")


def as_device(given: Any) -> device:
    """Checks a `device=` argument: None is the CPU."""
    return CPU if given is None else given if isinstance(given, device) else device(given)


def promote(x: dtype, y: dtype) -> dtype:
    """The dtype of an operation on tensors (with dimensions) of dtypes x and y.

    >>> promote(int32, float32), promote(uint8, int8), promote(float32, float64)
    (torch.float32, torch.int16, torch.float64)
    """
    if x is y:
        return x
    if x.category != y.category:
        return x if x.category > y.category else y
    if uint8 in (x, y) and int8 in (x, y):
        return int16
    return x if x.width > y.width else y


NUMBERS = {bool: bool_, int: int64, float: float32}


def result_dtype(operands: Iterable[Any]) -> dtype:
    """The common dtype of tensors (anything with `dtype` and `shape`) and Python numbers, weakest last."""
    groups: dict[int, dtype] = {}  # 0: tensors with dimensions, 1: 0-d tensors, 2: numbers
    for x in operands:
        kind = NUMBERS.get(type(x))
        if kind is None:
            strength, kind = (0 if x.shape else 1), x.dtype
        else:
            strength, kind = 2, default_float if kind is float32 else kind
        groups[strength] = promote(groups[strength], kind) if strength in groups else kind
    result = None
    for strength in sorted(groups):
        found = groups[strength]
        if result is None or found.category > result.category:
            result = found
    assert result is not None
    return result
