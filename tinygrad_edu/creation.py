"""Making tensors: from data, or filled. (ranges.py counts, random.py draws.)

`tensor(data)` copies; `as_tensor(data)` and `from_numpy(array)` share the memory where they can. Floats become the
default dtype (float32), integers int64, truth values bool, as in PyTorch; `dtype=` and `device=` override.

Every function here takes PyTorch's other keywords too: `out=` receives the result, `size=` may be named, and `layout`,
`pin_memory` and `memory_format` are accepted where they say what is the case anyway. `x.new_zeros(...)` and its
relatives are these functions with the dtype and the device of x.

Source: PyTorch documentation, torch, "Creation Ops".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import reduce, wraps
from math import prod
from typing import Any, TypeVar

import numpy as np

from . import dtypes
from .dtypes import BY_NUMPY, INTEGER, Kind, as_device, as_dtype, bool_, fitting, int64, kind_of, promote
from .hints import hinted
from .ops.conversion import OLD_NAMES, from_array, strided
from .ops.exchange import INTERFACE, from_cuda_array, on_memory
from .ops.in_place import fill_kernel, store
from .ops.shape import copy, shape_arguments
from .ops.strides import Size
from .ops.views import check_format
from .tensors import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def factory(function: F) -> F:
    """The function with the keywords that all of these have in PyTorch: see the top of the file."""
    helpful = hinted(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:  # most calls
            return function(*args)
        out = kwargs.pop("out", None)
        if kwargs.pop("pin_memory", False):
            raise RuntimeError("pin_memory=True: there is no accelerator here to pin memory for; leave it out")
        check_format(kwargs.pop("memory_format", None))
        if kwargs.pop("layout", strided) not in (None, strided):
            raise NotImplementedError("layout=: tensors are dense here, layout=torch.strided")
        if "size" in kwargs and "size" not in named:
            args = (kwargs.pop("size"), *args)
        if out is None:
            return helpful(*args, **kwargs)
        if "dtype" in named and isinstance(out, Tensor):
            kwargs.setdefault("dtype", out.dtype)
        return store(out, helpful(*args, **kwargs))

    code = function.__code__
    named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return call  # type: ignore[return-value]


@hinted
def tensor(
    data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, pin_memory: bool = False
) -> Tensor:
    """A new tensor with the given data: a number, nested lists of numbers, a NumPy array.

    Shape: that of the data. ValueError for ragged lists, TypeError for data that is not numbers, RuntimeError for an
    integer tensor that should require a gradient or for a device that is not there.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if pin_memory:
        raise RuntimeError("pin_memory=True: there is no accelerator here to pin memory for; leave it out")
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
            stacklevel=3,
        )
        return finish(copied(data, dtype, device), requires_grad)
    if isinstance(data, np.ndarray | np.generic):
        array = np.array(data, order="C")
    elif hasattr(data, INTERFACE):
        return finish(copied(x := from_cuda_array(data), dtype, x.device if device is None else device), requires_grad)
    else:
        check_nesting(data)
        kinds: set[Any] = set()
        array = np.array(tensors_to_numbers(data, kinds), order="C")
        if dtype is None and kinds - PLAIN.keys() and None not in kinds:  # with numbers that have a dtype among them
            dtype = reduce(promote, (PLAIN.get(kind, kind) or dtypes.default_float for kind in kinds))
        if dtype is not None and as_dtype(dtype).category == INTEGER and array.dtype.kind in "if":
            for number in array.ravel().tolist():
                fitting(as_dtype(dtype), number)
        if array.dtype == np.float64 or array.size == 0:
            array = array.astype(as_dtype(dtype).numpy)
    if array.dtype not in BY_NUMPY:
        if array.dtype.kind == "O":
            wrong = next((type(x).__name__ for x in array.ravel() if not isinstance(x, int | float)), None)
            if wrong is None:
                raise ValueError("Overflow when unpacking long long: an int is too large for int64")
            raise RuntimeError(f"Could not infer dtype of {wrong}: tensor() takes numbers and lists of them")
        if array.dtype.kind in "USV":
            raise TypeError(f"tensor(): the data must be numbers, got {type(data).__name__} with {array.dtype}")
        raise TypeError(f"tensor(): dtype {array.dtype} is not supported; the dtypes are {', '.join(dtypes.BY_NAME)}")
    wanted = BY_NUMPY[array.dtype] if dtype is None else as_dtype(dtype)
    return finish(from_array(array.astype(wanted.numpy, copy=False), make_kind(wanted, device)), requires_grad)


def copied(x: Tensor, dtype: Any, device: Any) -> Tensor:
    """A copy without history."""
    return copy(x.detach(), x.kind, "").to(dtype=dtype, device=device)


@hinted
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """Data as a tensor, on the same memory where it is a tensor or an array of the right dtype already.

    Arrays are NumPy's, and those on a GPU that have a `__cuda_array_interface__` (CuPy's, Numba's).

    >>> x = tensor([1.0])
    >>> as_tensor(x) is x
    True
    """
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    if isinstance(data, np.ndarray):
        return from_numpy(data).to(dtype=dtype, device=as_device(device))
    if hasattr(data, INTERFACE):  # it lies on a GPU, and stays there
        return from_cuda_array(data).to(dtype=dtype, device=device)
    return tensor(data, dtype=dtype, device=device)


@hinted
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """Data as a tensor, as `as_tensor` makes it; with `copy` always new, with copy=False never (ValueError).

    >>> asarray([1, 2])
    tensor([1, 2])
    """
    found = as_tensor(obj, dtype=dtype, device=device)
    if isinstance(obj, np.ndarray):
        sharing = found.is_cpu and np.shares_memory(obj, found.detach().numpy())
    else:
        at = None if isinstance(obj, Tensor) else getattr(obj, INTERFACE, None)
        sharing = found is obj or (at is not None and found.is_cuda and at["data"][0] == found.data_ptr())
    if copy is False and not sharing:
        raise ValueError("can't alias data of another kind or dtype: use copy=None, or copy=True")
    found = found.detach()
    return finish(found.clone() if copy and sharing else found, requires_grad)


@hinted
def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A number as a 0-d tensor of the default dtype."""
    return finish(tensor(s, dtype=as_dtype(dtype), device=device), requires_grad)


def frombuffer(buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """The bytes of an object (bytes, bytearray, array.array) as a 1-d tensor, on the same memory.

    >>> frombuffer(bytearray([1, 2, 3]), dtype=dtypes.uint8, offset=1)
    tensor([2, 3], dtype=torch.uint8)
    """
    return finish(from_numpy(np.frombuffer(buffer, as_dtype(dtype).numpy, count, offset)), requires_grad)


def check_nesting(data: Any) -> None:
    """ValueError where the lists inside lists differ in length, naming the place."""
    if isinstance(data, str | bytes):
        raise TypeError(f"tensor(): the data must be a number or (nested) lists of numbers, not {type(data).__name__}")
    if not isinstance(data, list | tuple) or not data:
        return
    nested = [isinstance(x, list | tuple) for x in data]
    if any(nested):
        for i, x in enumerate(data):
            if not nested[i]:
                if isinstance(x, Tensor | np.ndarray) and x.shape:
                    continue
                raise TypeError(f"tensor(): element {i} is a {type(x).__name__}, but its neighbours are lists")
            if len(x) != len(data[nested.index(True)]):
                raise ValueError(
                    f"expected sequence of length {len(data[0])} at dim 1 (got {len(x)}): the lists differ in length, "
                    f"look at element {i}"
                )
            check_nesting(x)


PLAIN = {bool: bool_, int: int64, float: None}  # Python's numbers; a float is of the default dtype


def tensors_to_numbers(data: Any, kinds: set[Any]) -> Any:
    """Nested lists with every tensor in them, each of one element, replaced by its number.

    `kinds` collects of what dtypes the elements are, or, of those that have none, of what types.
    """
    if isinstance(data, Tensor):
        if data.numel() != 1:
            raise ValueError("only one element tensors can be converted to Python scalars; stack() joins others")
        kinds.add(data.dtype)
        return data.item()
    if isinstance(data, list | tuple):
        return [tensors_to_numbers(x, kinds) for x in data]
    if isinstance(data, np.ndarray | np.generic):
        kinds.add(BY_NUMPY.get(data.dtype))
    elif type(data) in PLAIN:
        kinds.add(type(data))
    return data


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
    if array.dtype in BY_NUMPY and not array.flags.writeable:
        warnings.warn("The given NumPy array is not writable: the tensor is a copy of it", stacklevel=2)
        array = array.copy()
    return on_memory(array)


@factory
def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of one number, many times; bool, int64 or the default dtype, by the number.

    >>> full((2,), 7)
    tensor([7, 7])
    """
    if not isinstance(size, tuple | list):
        raise TypeError(f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}")
    if isinstance(fill_value, Tensor):
        if fill_value.shape or fill_value.requires_grad:
            raise TypeError("full(): argument 'fill_value' (position 2) must be Number, not Tensor: use .item()")
        fill_value = fill_value.item()
    if dtype is None:
        found = dtypes.NUMBERS.get(type(fill_value))
        dtype = None if found is None or found.is_floating_point else found
    return finish(empty(size, dtype=dtype, device=device).fill_(fill_value), requires_grad)


def allocated(size: tuple, dtype: Any, device: Any, number: float | None = None) -> Tensor:
    """A tensor with anything in it, or with one number everywhere."""
    shape, kind = Size(shape_arguments(size)), make_kind(dtype, device)
    if shape and min(shape) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    count = prod(shape)
    x = Tensor(kind.empty(count), shape, kind)
    if number is not None:
        number = float(number) if kind.dtype.is_floating_point else int(number)
        fill_kernel(kind, count >= kind.backend.PARALLEL_FROM)(x.flat, number)
    return x


@factory
def empty(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with anything in it."""
    return finish(allocated(size, dtype, device), requires_grad)


@factory
def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros.

    >>> zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return finish(allocated(size, dtype, device, 0), requires_grad)


@factory
def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones."""
    return finish(allocated(size, dtype, device, 1), requires_grad)


def like(make: Callable[..., Tensor], input: Any, *rest: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """make(shape, *rest) with the shape, and if nothing else is said the dtype and device, of a tensor."""
    if not isinstance(input, Tensor):
        name = f"{make.__name__}_like"
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    dtype, device = input.dtype if dtype is None else dtype, input.device if device is None else device
    return make(input.shape, *rest, dtype=dtype, device=device, requires_grad=requires_grad)


@factory
def zeros_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros, of the shape, dtype and device of a tensor."""
    return like(zeros, input, dtype=dtype, device=device, requires_grad=requires_grad)


@factory
def ones_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones, of the shape, dtype and device of a tensor."""
    return like(ones, input, dtype=dtype, device=device, requires_grad=requires_grad)


@factory
def empty_like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Anything, of the shape, dtype and device of a tensor."""
    return like(empty, input, dtype=dtype, device=device, requires_grad=requires_grad)


@factory
def full_like(
    input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """One number, many times, in the shape, dtype and device of a tensor."""
    return like(full, input, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


def constructed(dtype: dtypes.dtype | None, given: Any) -> Tensor:
    """What the old constructors make: of sizes an empty tensor, of a sequence or array one with these elements."""
    if len(given) == 1 and not isinstance(given[0], Size):
        (data,) = given
        if isinstance(data, Tensor):
            if dtype not in (None, data.dtype):
                raise TypeError(f"expected a tensor of {dtype} (got {data.dtype}): convert it, with .to({dtype})")
            return data.detach()
        if isinstance(data, str):
            raise TypeError("new(): invalid data type 'str'")
        if isinstance(data, bool | np.ndarray) or not hasattr(data, "__index__"):
            if not hasattr(data, "__len__"):
                raise TypeError(f"new(): data must be a sequence (got {type(data).__name__}): use tensor(...)")
            return tensor(data, dtype=as_dtype(dtype))
    return empty(*given, dtype=as_dtype(dtype))


class TensorType:
    """One of the old constructors: `FloatTensor([1, 2])`, `LongTensor(2, 3)`; and a question for isinstance."""

    def __init__(self, name: str, dtype: dtypes.dtype) -> None:
        self.__name__, self.dtype = name, dtype

    def __call__(self, *given: Any) -> Tensor:
        return constructed(self.dtype, given or ((),))

    def __instancecheck__(self, x: Any) -> bool:
        return isinstance(x, Tensor) and x.dtype is self.dtype

    def __repr__(self) -> str:
        return f"<class 'torch.{self.__name__}'>"


FloatTensor, DoubleTensor, LongTensor, IntTensor, ShortTensor, CharTensor, ByteTensor, BoolTensor = (
    TensorType(f"{old}Tensor", dtypes.BY_NAME[name]) for name, old in OLD_NAMES.items()
)
