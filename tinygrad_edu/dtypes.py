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

import math
from collections.abc import Callable, Iterable
from functools import cache
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

    @property
    def is_signed(self) -> bool:
        return self.name not in ("bool", "uint8")

    is_complex = False

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

default_float = float32  # read it as `dtypes.default_float`: set_default_dtype changes it


def set_default_dtype(d: Any) -> None:
    """Make d, float32 or float64, the dtype of tensors made from Python floats, and of integers divided.

    TypeError for what is no floating dtype.
    """
    global default_float
    if isinstance(d, MissingDtype):
        raise d.refusal()
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d!r}")
    if d is not default_float:
        from .graph import changes
        from .ops.plan import OPERATIONS

        default_float = d
        changes.count += 1
        for operation in OPERATIONS.values():  # what was planned for whole numbers no longer holds
            operation.plans.clear()


def get_default_dtype() -> dtype:
    """The dtype of tensors made from Python floats.

    >>> get_default_dtype()
    torch.float32
    """
    return default_float


def set_default_device(device: Any) -> None:
    """Make tensors on `device` where none is given; None is the CPU. RuntimeError if it cannot be used."""
    global default_device
    chosen = CPU if device is None else as_device(device)
    default_device = kind_of(default_float, chosen).device


def get_default_device() -> device:
    """The device of tensors where none is given.

    >>> get_default_device()
    device(type='cpu')
    """
    return default_device


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

    __slots__ = ("type", "index", "before")

    type: str
    index: int | None
    before: list[device]  # the default devices outside of `with` blocks with this one

    def __init__(self, type: str | device, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        if not isinstance(index, int | None):
            raise TypeError(f"device(): argument 'index' (position 2) must be int, not {index.__class__.__name__}")
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

    def __enter__(self) -> device:
        """`with torch.device('cuda'):` new tensors are made there."""
        self.before = [*getattr(self, "before", ()), default_device]
        set_default_device(self)
        return self

    def __exit__(self, *error: object) -> None:
        set_default_device(self.before.pop())

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
CPU = default_device = device("cpu")


def kind_of(dtype_: dtype, device_: device = CPU) -> Kind:
    """The Kind of a dtype and a device. A RuntimeError says why where the device cannot be used."""
    found = _kinds.get((dtype_, device_))
    if found is None:
        if device_.type == "cuda" and device_.index is None:
            found = kind_of(dtype_, device("cuda", 0))
        else:
            if device_.index:
                raise RuntimeError(
                    f"CUDA error: invalid device ordinal {device_.index}: the library uses one GPU, cuda:0"
                )
            found = Kind(dtype_, device_)
        _kinds[dtype_, device_] = found
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
    """Checks a `device=` argument: None is the default one; a number is that of a GPU."""
    if given is None:
        return default_device
    return given if isinstance(given, device) else device("cuda", given) if type(given) is int else device(given)


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


NUMBERS: dict[type, dtype] = {bool: bool_, int: int64, float: float32}  # and NumPy's, which count as Python's
NUMBERS |= {d.numpy.type: {BOOL: bool_, INTEGER: int64}.get(d.category, float32) for d in BY_NAME.values()}


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


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The dtype of an operation on tensors of these two.

    >>> promote_types(int64, float32)
    torch.float32
    """
    return promote(as_dtype(type1), as_dtype(type2))


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """The dtype of an operation on these two tensors or numbers.

    >>> result_type(1, 2.0)
    torch.float32
    """
    return result_dtype((tensor1, tensor2))


def can_cast(from_: dtype, to: dtype) -> bool:
    """May the result of an operation, of dtype `from_`, be stored in a tensor of dtype `to`?

    >>> can_cast(int64, uint8), can_cast(float32, int64)
    (True, False)
    """
    return as_dtype(from_).category <= as_dtype(to).category


class _Limits:
    """What finfo and iinfo share: numbers about a dtype, taken from NumPy's."""

    names: tuple[str, ...]
    category: int

    def __init__(self, type: dtype | None = None) -> None:
        d = as_dtype(type)
        if d.category != self.category:
            other = "iinfo" if self.category == FLOAT else "finfo"
            raise TypeError(f"{self.__class__.__name__}({d}): this describes other dtypes. Use {other} for {d}")
        found = np.finfo(d.numpy) if self.category == FLOAT else np.iinfo(d.numpy)
        self.dtype, self.bits = d.name, d.itemsize * 8
        for name in self.names:
            value = getattr(found, name)
            setattr(self, name, float(value) if self.category == FLOAT else int(value))

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={getattr(self, name):.6g}" for name in self.names)
        return f"{self.__class__.__name__}({numbers}, dtype={self.dtype})"


class finfo(_Limits):
    """The limits of a floating dtype (the default one): min, max, eps, tiny (smallest_normal), resolution, bits.

    >>> finfo(float32).eps
    1.1920928955078125e-07
    """

    names, category = ("resolution", "min", "max", "eps", "smallest_normal", "tiny"), FLOAT


class iinfo(_Limits):
    """The limits of an integer dtype: min, max, bits.

    >>> iinfo(int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    names, category = ("min", "max"), INTEGER


@cache
def limits(d: dtype) -> tuple:
    """The least and the greatest number that a dtype can be given. An unsigned one takes negative numbers and wraps."""
    if d.category == FLOAT:
        most = float(np.finfo(d.numpy).max)
        return -most, most
    found = np.iinfo(d.numpy)
    return (int(found.min) if d.is_signed else -int(found.max)), int(found.max)


def fitting(d: dtype, number: Any) -> Any:
    """A number as the elements of a dtype have it. RuntimeError where it cannot be one: 300 or nan in a uint8."""
    if d.category == BOOL:
        return bool(number)
    low, high = limits(d)
    if low <= number <= high:
        return float(number) if d.category == FLOAT else int(number) if d.is_signed else int(number) % (high + 1)
    if d.category == FLOAT and (number != number or number in (math.inf, -math.inf)):
        return float(number)
    raise RuntimeError(f"value cannot be converted to type {d.name} without overflow: {number}")
