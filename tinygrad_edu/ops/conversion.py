"""To and from Python, NumPy and other dtypes: where a Tensor meets the rest of the world.

Conversions share memory wherever that is possible: `x.numpy()` and `from_numpy(a)` are two looks at the same numbers,
so a change of one shows in the other. A number (`x.item()`, `float(x)`, `if x > 0:`) leaves the graph: no gradient
flows through Python. And a tensor that requires a gradient refuses to become an array before it is detached, so that
nobody loses a gradient without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..dtypes import Kind
from ..graph import share
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


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

    def numpy(self: Any) -> np.ndarray:
        """A NumPy array on the same memory. RuntimeError for a tensor that requires a gradient."""
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
        return array if dtype is None else array.astype(dtype)

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
        return float(self.item())

    def __int__(self: Any) -> int:
        return int(self.item())

    def __index__(self: Any) -> int:
        if self.kind.dtype.is_floating_point or self.shape:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self: Any) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self: Any) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def float(self: Any) -> Tensor:
        return self.to(dtypes.float32)

    def double(self: Any) -> Tensor:
        return self.to(dtypes.float64)

    def int(self: Any) -> Tensor:
        return self.to(dtypes.int32)

    def short(self: Any) -> Tensor:
        return self.to(dtypes.int16)

    def byte(self: Any) -> Tensor:
        return self.to(dtypes.uint8)

    def half(self: Any) -> Tensor:
        return self.to(dtypes.float16)

    def bfloat16(self: Any) -> Tensor:
        return self.to(dtypes.bfloat16)

    def long(self: Any) -> Tensor:
        return self.to(dtypes.int64)

    def bool(self: Any) -> Tensor:
        return self.to(dtypes.bool_)

    def cpu(self: Any) -> Tensor:
        return self.to("cpu")

    def cuda(self: Any) -> Tensor:
        return self.to("cuda")


def as_array(x: Tensor) -> np.ndarray:
    """The elements as a NumPy array, on the same memory where x is on the CPU."""
    if x.flat is not None:
        return x.kind.backend.to_numpy(x.flat).reshape(x.shape)
    buffer, offset, strides, _ = x.region
    array = x.kind.backend.to_numpy(buffer)
    steps = tuple(s * array.itemsize for s in strides)
    return np.lib.stride_tricks.as_strided(array[offset:], x.shape, steps)


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
