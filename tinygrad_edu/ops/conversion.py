"""To and from Python, NumPy and other dtypes: where a Tensor meets the rest of the world.

Conversions share memory wherever that is possible: `x.numpy()` and `from_numpy(a)` are two looks at the same numbers,
so a change of one shows in the other. A number (`x.item()`, `float(x)`, `if x > 0:`) leaves the graph: no gradient
flows through Python. And a tensor that requires a gradient refuses to become an array before it is detached, so that
nobody loses a gradient without saying so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..dtypes import Kind
from ..graph import mode, share
from .strides import Size
from .views import check_format

if TYPE_CHECKING:
    from ..tensors import Tensor


class Named:
    """One of PyTorch's names that are arguments only: layouts and memory formats."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


strided, contiguous_format, preserve_format = map(Named, ("strided", "contiguous_format", "preserve_format"))
channels_last, channels_last_3d = Named("channels_last"), Named("channels_last_3d")


OLD_NAMES = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "int16": "Short",
             "int8": "Char", "uint8": "Byte", "bool": "Bool"}  # fmt: skip


def converter(name: str) -> Callable[..., Tensor]:
    """The method that converts to a dtype of this module `dtypes`."""
    target = getattr(dtypes, name)

    def method(self: Any, memory_format: Any = None) -> Tensor:
        check_format(memory_format)
        return self.to(target)

    method.__doc__ = f"The tensor as {target.name}: itself if that is its dtype."
    return method


def maker(name: str) -> Callable[..., Tensor]:
    """The method `new_...` for a function of creation.py."""

    def method(self: Any, *given: Any, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
        from .. import creation

        kind = {"dtype": self.dtype if dtype is None else dtype, "device": self.device if device is None else device}
        return getattr(creation, name)(*given, **kind, **options)

    method.__name__, method.__doc__ = (
        f"new_{name}",
        f"What {name}(...) makes, with the dtype and device of this tensor.",
    )
    return method


def only_number(x: Tensor) -> Any:
    """The one element. ValueError if there are more or none."""
    if x.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars; reduce it, or use .tolist()")
    return x.item()


def says_wrong(x: Tensor) -> bool:
    """The answer of a check of numbers, one element. While a function is recorded it is no, and each replay asks."""
    return bool(x.item()) if mode.recorder is None else mode.recorder.doubts(x)


class ConversionMethods:
    """The methods of Tensor that lead out of it."""

    __slots__ = ()

    def item(self: Any) -> Any:
        """The one element, as a Python number."""
        if prod(self.shape) != 1:
            raise RuntimeError(
                f"a Tensor with {self.numel()} elements cannot be converted to Scalar; use .tolist() or .numpy()"
            )
        buffer, at = (self.flat, 0) if self.flat is not None else self.region[:2]
        return self.kind.backend.to_numpy(buffer[at : at + 1]).item()

    def numpy(self: Any, *, force: bool = False) -> np.ndarray:
        """A NumPy array on the same memory. RuntimeError for a tensor that requires a gradient, unless `force`."""
        if force:
            return self.detach().cpu().numpy()
        if self.node is not None:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.kind.device.type != "cpu":
            raise TypeError(
                f"can't convert {self.kind.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor "
                "to host memory first."
            )
        share(self)
        return as_array(self)

    def __array__(self: Any, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if copy is False and dtype not in (None, array.dtype):
            raise ValueError(f"an array of {dtype} cannot share the memory of a tensor of {self.dtype}: allow a copy")
        return np.array(array, dtype) if copy else array.astype(dtype or array.dtype, copy=False)

    def __deepcopy__(self: Any, memo: Any) -> Tensor:
        """A leaf with elements and a gradient of its own: what copy.deepcopy makes of one."""
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol: use "
                "x.detach().clone()"
            )
        x = self.detach().clone()
        other = renewed(type(self), x.flat, self.shape, self.kind, self.requires_grad)
        if self.grad is not None:
            other.grad = self.grad.detach().clone()
        return other

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        """What pickle stores: class, elements, and whether a gradient is required; no graph."""
        return unpickled, (type(self), as_array(self.detach().contiguous()), str(self.device), self.requires_grad)

    def tolist(self: Any) -> Any:
        """Nested lists of Python numbers (a number for 0-d)."""
        return as_array(self).tolist()

    def __repr__(self: Any) -> str:
        from ..printing import tensor_repr

        return tensor_repr(
            as_array(self),
            dtype_name=self.kind.dtype.name,
            default_dtype=self.kind.dtype is dtypes.default_float,
            requires_grad=self.node is not None,
            grad_fn_name=None if self.is_leaf else self.node.name(),
            device=None if self.kind.device.type == "cpu" else str(self.kind.device),
        )

    def __format__(self: Any, spec: str) -> str:
        return format(self.item(), spec) if not self.shape else object.__format__(self, spec)

    def __bool__(self: Any) -> bool:
        if prod(self.shape) != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with {'no values' if not self.numel() else 'more than one value'} is "
                "ambiguous; reduce it first, e.g. (x > 0).sum() > 0"
            )
        return bool(self.item())

    def __float__(self: Any) -> float:
        return float(only_number(self))

    def __int__(self: Any) -> int:
        return int(only_number(self))

    def __complex__(self: Any) -> complex:
        return complex(only_number(self))

    def __index__(self: Any) -> int:
        if self.kind.dtype.is_floating_point or prod(self.shape) != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __contains__(self: Any, element: Any) -> bool:
        if not isinstance(element, Tensor | int | float):
            raise RuntimeError(
                f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
            )
        return bool((self == element).any())

    def __reversed__(self: Any) -> Tensor:
        return self.flip(0) if self.shape else self

    def __len__(self: Any) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self: Any) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    # The same numbers in another dtype, or on another device.
    float, double, half, bfloat16 = (converter(d) for d in ("float32", "float64", "float16", "bfloat16"))
    long, int, short, char = (converter(d) for d in ("int64", "int32", "int16", "int8"))
    byte, bool = converter("uint8"), converter("bool_")

    def cpu(self: Any, memory_format: Any = None) -> Tensor:
        """The tensor in the computer's memory: itself, if it is there."""
        check_format(memory_format)
        return self.to("cpu")

    def cuda(self: Any, device: Any = None, non_blocking: Any = False, memory_format: Any = None) -> Tensor:
        """The tensor on a GPU. RuntimeError where there is none."""
        return self.to("cuda" if device is None else device)

    def type(self: Any, dtype: Any = None, non_blocking: Any = False) -> Any:
        """The name of its kind, 'torch.FloatTensor'; or the tensor in another dtype, which may be given by such a name.

        >>> import tinygrad_edu as tg
        >>> tg.ones(1).type(), tg.ones(1).type("torch.LongTensor")
        ('torch.FloatTensor', tensor([1]))
        """
        if dtype is None:
            return f"torch.{OLD_NAMES[self.dtype.name]}Tensor"
        name = str(getattr(dtype, "__name__", dtype)).removeprefix("torch.").removesuffix("Tensor")
        if isinstance(dtype, str) and name not in OLD_NAMES.values():
            raise ValueError(f"invalid type: '{dtype}'; the names are 'torch.FloatTensor', 'torch.LongTensor', ...")
        return self.to(next((dtypes.BY_NAME[d] for d, old in OLD_NAMES.items() if old == name), dtype))

    def type_as(self: Any, other: Tensor) -> Tensor:
        """The tensor in the dtype, and on the device, of another."""
        if not isinstance(other, Tensor):
            raise TypeError(f"type_as(): argument 'other' (position 1) must be Tensor, not {other.__class__.__name__}")
        return self.to(other)

    # New tensors of the same dtype and device; sizes, options and errors are those of the function.
    new_zeros, new_ones, new_empty = (maker(name) for name in ("zeros", "ones", "empty"))
    new_full, new_tensor = maker("full"), maker("tensor")

    def new(self: Any, *given: Any) -> Tensor:
        """A tensor of the same dtype, by size or from a list: the old form of new_empty and new_tensor."""
        from ..creation import constructed

        return constructed(self.dtype, given)

    # What it is.
    layout, is_sparse, is_quantized, is_mps, is_meta = strided, *[False] * 4

    @property
    def is_cuda(self: Any) -> Any:
        """Does it lie in the memory of a GPU?"""
        return self.device.type == "cuda"

    @property
    def is_cpu(self: Any) -> Any:
        """Does it lie in the memory of the CPU?"""
        return self.device.type == "cpu"

    def get_device(self: Any) -> Any:
        """The number of its GPU, -1 on the CPU."""
        return -1 if self.device.type == "cpu" else self.device.index or 0

    def ndimension(self: Any) -> Any:
        """The number of axes."""
        return len(self.shape)

    def is_complex(self: Any) -> Any:
        """False: there are no complex tensors here."""
        return False

    def is_signed(self: Any) -> Any:
        """Can its dtype hold negative numbers?"""
        return self.dtype.is_signed

    def is_nonzero(self: Any) -> Any:
        """Is its one element not 0? RuntimeError if there are more or none."""
        return self.__bool__()

    def is_pinned(self: Any) -> Any:
        """False: memory is pinned for accelerators only."""
        return False

    def share_memory_(self: Any) -> Tensor:
        """Itself: threads share it anyway, and worker processes get copies."""
        return self

    def apply_(self: Any, callable: Callable[[Any], Any]) -> Tensor:
        """Replace each element by callable(element): Python, one at a time, and no gradient."""
        if self.requires_grad:
            raise RuntimeError("Can't call apply_() on Variable that requires grad. Use var.detach().apply_() instead.")
        with_new = [callable(v) for v in self.reshape(-1).tolist()]
        return self.copy_(from_array(np.array(with_new, self.dtype.numpy), self.kind).reshape(self.shape))


def as_array(x: Tensor) -> np.ndarray:
    """The elements as a NumPy array, on the same memory where x is on the CPU."""
    if x.flat is not None:
        return x.kind.backend.to_numpy(x.flat).reshape(x.shape)
    return laid_out(x, x.kind.backend.to_numpy(x.region[0]))


def laid_out(x: Tensor, array: np.ndarray) -> np.ndarray:
    """The array that lies in another one, which is flat, as a view lies in its buffer."""
    _, offset, strides, _ = x.region
    return np.lib.stride_tricks.as_strided(array[offset:], x.shape, tuple(s * array.itemsize for s in strides))


def moved(x: Tensor, kind: Kind) -> Tensor:
    """The elements of x, contiguous, on the device of `kind`. No graph."""
    target = dtypes.kind_of(x.kind.dtype, kind.device)
    return Tensor(target.backend.from_numpy(as_array(x.detach().contiguous())), x.shape, target)


def from_array(array: np.ndarray, kind: Kind) -> Tensor:
    """A tensor on the memory of a C-contiguous array of the kind's dtype."""
    return Tensor(kind.backend.from_numpy(array), Size(array.shape), kind)


def renewed(cls: type[Tensor], flat: Any, shape: tuple[int, ...], kind: Kind, requires_grad: bool) -> Tensor:
    """A leaf of a class of tensors, whose constructor may take other arguments."""
    x = cls.__new__(cls)
    Tensor.__init__(x, flat, shape, kind)
    return x.requires_grad_(requires_grad)


def unpickled(cls: type[Tensor], array: np.ndarray, device: str, requires_grad: bool) -> Tensor:
    """The reverse of Tensor.__reduce_ex__."""
    kind = dtypes.kind_of(dtypes.BY_NUMPY[array.dtype], dtypes.device(device))
    return renewed(cls, kind.backend.from_numpy(array), Size(array.shape), kind, requires_grad)
