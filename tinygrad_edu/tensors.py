"""The Tensor: many numbers of one dtype, a shape, and a place in a graph.

What `Value` does for one number, `Tensor` does for a whole array at once: the same calculus, the same engine, but
each operation is a compiled loop.

    flat      the buffer: one-dimensional, contiguous, on the tensor's device; None for a strided view
    shape     how many elements along each axis
    kind      dtype, device, and the backend that computes there
    node      the end of its graph: None, a Leaf (made by the user, requires a gradient), or an operation
    view      for a strided view only: (buffer, offset, strides), in elements
    shared    a record shared by all tensors on the same memory, made when the first view or in-place change is

Most tensors are contiguous, so their one array goes to a kernel as it is. Everything else about layout is in
ops/strides.py and ops/shape.py; the operations are in ops/, one file for each family, and are methods here.

Source: for the shape of the whole, PyTorch: A. Paszke et al., PyTorch: an imperative style, high-performance deep
learning library, NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from . import dtypes, engine
from .dtypes import Kind
from .graph import Leaf, Node, Retained, mode, set_grad_enabled, share
from .hints import closest
from .ops import elementwise, in_place, indexing, launch, linalg, plan, reduction, rows, shape
from .ops.elementwise import ElementwiseMethods
from .ops.indexing import IndexingMethods
from .ops.linalg import LinalgMethods
from .ops.reduction import ReductionMethods
from .ops.shape import ShapeMethods
from .ops.strides import Size, contiguous_strides

KEEPS_GRADIENT = (Leaf, Retained)


class Tensor(ElementwiseMethods, ReductionMethods, ShapeMethods, IndexingMethods, LinalgMethods):
    """An array with a gradient. Make one with `tensor`, `zeros`, `rand`, ...; the constructor is for operations."""

    __slots__ = ("flat", "shape", "kind", "node", "view", "shared", "__weakref__")
    __hash__ = object.__hash__  # by identity: == compares elements
    __array_priority__ = 1000  # NumPy leaves `array + tensor` to the tensor, which refuses it with a message

    flat: Any
    shape: tuple[int, ...]
    kind: Kind
    node: Any  # Node | None
    view: Any
    shared: Any

    def __init__(self, flat: Any, shape: tuple[int, ...], kind: Kind, node: Node | None = None) -> None:
        self.flat = flat
        self.shape = shape
        self.kind = kind
        self.node = node
        self.view = None
        self.shared = None

    def __getattr__(self, name: str) -> Any:  # called only where the usual look-up found nothing
        hint = closest(name, dir(type(self)))
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{hint}")

    # What it is.
    @property
    def dtype(self) -> dtypes.dtype:
        return self.kind.dtype

    @property
    def device(self) -> dtypes.device:
        return self.kind.device

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def dim(self) -> int:
        return len(self.shape)

    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    nelement = numel

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[dim]

    def stride(self, dim: int | None = None) -> Any:
        """How many elements further in memory the next one along each axis (or along one) is."""
        strides = contiguous_strides(self.shape) if self.flat is not None else self.view[2]
        return strides if dim is None else strides[dim]

    def is_contiguous(self) -> bool:
        """Do the elements lie in order in memory?"""
        return self.flat is not None

    def is_view(self) -> bool:
        """Was this tensor made as a view of another one that is still alive?"""
        if self.shared is None:
            return False
        first = self.shared.tensors[0]()
        return first is not self

    def is_floating_point(self) -> bool:
        return self.kind.dtype.is_floating_point

    # Its gradient.
    @property
    def requires_grad(self) -> bool:
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Record what is done with this tensor, and keep its gradient in `grad` (or stop doing so)."""
        if not self.is_leaf:
            if requires_grad:
                return self
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed variable "
                "in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
            )
        if requires_grad and not self.kind.dtype.is_floating_point:
            raise RuntimeError(
                f"only Tensors of floating point dtype can require gradients, this one is {self.kind.dtype.name}: "
                "convert it first, with .float()"
            )
        if requires_grad and self.node is None:
            self.node = Leaf()
        elif not requires_grad:
            self.node = None
        return self

    @property
    def is_leaf(self) -> bool:
        """Was it made by the user (and not by a recorded operation)?"""
        return self.node is None or type(self.node) is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The operation that made this tensor; None for a leaf."""
        return None if self.is_leaf else self.node

    @property
    def grad(self) -> Tensor | None:
        """The gradient, after a backward pass: of leaves, and of tensors that asked for it by retain_grad()."""
        return self.node.grad if isinstance(self.node, KEEPS_GRADIENT) else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"assigned grad expected to be a Tensor or None but got {type(value).__name__}")
            if value.shape != self.shape:
                raise RuntimeError(
                    f"assigned grad has data of a different size: {list(value.shape)} for a tensor of "
                    f"{list(self.shape)}"
                )
        if not isinstance(self.node, KEEPS_GRADIENT):
            if value is None:
                return
            raise RuntimeError("only a leaf that requires a gradient has one to assign: call requires_grad_() first")
        self.node.grad = value

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor, which is not a leaf, in `grad` too."""
        if self.node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not isinstance(self.node, KEEPS_GRADIENT):
            self.node = Retained(self.node)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        *,
        trace: bool = False,
    ) -> None:
        """Add the gradient of this tensor to the `grad` of every leaf that it was computed from.

        `gradient` is the cotangent to start with: of this tensor's shape, and 1 by default if that is one number.
        The graph is freed unless `retain_graph`; with `create_graph` the gradients have a graph themselves.
        With `trace` each step is printed. RuntimeError if there is no graph, or it was freed already.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        watch: Any = None
        if trace:
            from .showing import print_step

            watch = print_step
        retain = create_graph if retain_graph is None else retain_graph
        seed = starting_gradient(self, gradient)
        before, mode.grad = mode.grad, create_graph
        try:
            engine.backward([(self.node, seed)], graph=create_graph, retain=retain, watch=watch)
        finally:
            mode.grad = before

    def detach(self) -> Tensor:
        """The same memory, outside the graph."""
        other = Tensor(self.flat, self.shape, self.kind)
        other.view = self.view
        other.shared = share(self)  # counted with the rest, but not listed: changes of its history do not concern it
        return other

    @property
    def data(self) -> Tensor:
        """The same memory, outside the graph; assigning replaces the elements, unrecorded."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        with set_grad_enabled(False):
            self[...] = value

    # To and from Python and NumPy.
    def item(self) -> Any:
        """The one element, as a Python number."""
        if prod(self.shape) != 1:
            raise RuntimeError(
                f"a Tensor with {self.numel()} elements cannot be converted to Scalar; use .tolist() or .numpy()"
            )
        buffer, at = (self.flat, 0) if self.flat is not None else self.view[:2]
        return self.kind.backend.to_numpy(buffer[at : at + 1]).item()

    def numpy(self) -> np.ndarray:
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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def tolist(self) -> Any:
        """Nested lists of Python numbers (a number for 0-d)."""
        return as_array(self).tolist()

    def __repr__(self) -> str:
        from .printing import tensor_repr

        return tensor_repr(
            as_array(self),
            dtype_name=self.kind.dtype.name,
            default_dtype=self.kind.dtype is dtypes.default_float,
            requires_grad=self.node is not None,
            grad_fn_name=None if self.is_leaf else self.node.name(),
        )

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.shape else object.__format__(self, spec)

    def __bool__(self) -> bool:
        if prod(self.shape) != 1:
            raise RuntimeError(
                f"Boolean value of Tensor with {'no values' if not self.numel() else 'more than one value'} is "
                "ambiguous; reduce it first, e.g. (x > 0).sum() > 0"
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.kind.dtype.is_floating_point or self.shape:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    # In place, and into other dtypes.
    def zero_(self) -> Tensor:
        """Set every element to 0."""
        return self.fill_(0)

    def fill_(self, value: float) -> Tensor:
        """Set every element to a number."""
        self[...] = value
        return self

    def copy_(self, source: Tensor) -> Tensor:
        """Take over the elements of another tensor, broadcast and converted."""
        self[...] = source
        return self

    def float(self) -> Tensor:
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        return self.to(dtypes.float64)

    def int(self) -> Tensor:
        return self.to(dtypes.int32)

    def long(self) -> Tensor:
        return self.to(dtypes.int64)

    def bool(self) -> Tensor:
        return self.to(dtypes.bool_)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self) -> Tensor:
        return self.to("cuda")


for module in (elementwise, in_place, indexing, launch, linalg, plan, reduction, rows, shape):
    module.Tensor = Tensor  # type: ignore[attr-defined]  # the operations make tensors, and are its methods: here is the knot


def starting_gradient(x: Tensor, gradient: Tensor | None) -> Tensor:
    """The cotangent that a backward pass from x starts with."""
    if x.node is None:
        raise RuntimeError(
            "element 0 of tensors does not require grad and does not have a grad_fn: nothing it was computed from "
            "has requires_grad=True, or it was computed under no_grad()"
        )
    if gradient is None:
        if prod(x.shape) != 1:
            raise RuntimeError(
                f"grad can be implicitly created only for scalar outputs, this one has shape {list(x.shape)}: call "
                "backward() on a loss such as x.sum(), or pass backward(gradient=...) of the same shape"
            )
        return Tensor(x.kind.one, x.shape, x.kind)
    if not isinstance(gradient, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(gradient).__name__}")
    if gradient.shape != x.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] has a shape of {x.shape}."
        )
    return gradient.to_kind(x.kind)


def as_array(x: Tensor) -> np.ndarray:
    """The elements as a NumPy array, on the same memory where x is on the CPU."""
    if x.flat is not None:
        return x.kind.backend.to_numpy(x.flat).reshape(x.shape)
    buffer, offset, strides = x.view
    array = x.kind.backend.to_numpy(buffer)
    steps = tuple(s * array.itemsize for s in strides)
    return np.lib.stride_tricks.as_strided(array[offset:], x.shape, steps)


def from_array(array: np.ndarray, kind: Kind) -> Tensor:
    """A tensor on the memory of a C-contiguous array of the kind's dtype."""
    return Tensor(kind.backend.from_numpy(array), Size(array.shape), kind)
