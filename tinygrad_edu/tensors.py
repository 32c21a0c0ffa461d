"""The Tensor: many numbers of one dtype, a shape, and a place in a graph.

What `Value` does for one number, `Tensor` does for a whole array at once: the same calculus, the same engine, but
each operation is a compiled loop.

    flat      the buffer: one-dimensional, contiguous, on the tensor's device; None for a strided view
    shape     how many elements along each axis
    kind      dtype, device, and the backend that computes there
    node      the end of its graph: None, a Leaf (made by the user, requires a gradient), or an operation
    region    for a view: (buffer, offset, strides, base): where it lies in the memory of the tensor it is a view of
    shared    a record shared by all tensors on the same memory, made when the first view or in-place change is

Most tensors are contiguous, so their one array goes to a kernel as it is. Everything else about layout is in
ops/strides.py and ops/shape.py; the operations are in ops/, one file for each family, and are methods here.

Source: for the shape of the whole, PyTorch: A. Paszke et al., PyTorch: an imperative style, high-performance deep
learning library, NeurIPS 2019.
"""

from __future__ import annotations

import sys
import warnings
from math import prod
from typing import Any

from . import dtypes, engine
from .dtypes import Kind
from .graph import Detached, Leaf, Node, base_of, changes, mode, share
from .hints import closest
from .hooks import RemovableHandle, kept_gradient, register_after, register_hook, retain
from .ops.advanced import AdvancedMethods
from .ops.conversion import ConversionMethods
from .ops.cutting import CuttingMethods
from .ops.determinants import LapackMethods
from .ops.diagonals import DiagonalMethods
from .ops.elementary import ElementaryMethods
from .ops.elementwise import ElementwiseMethods
from .ops.exchange import INTERFACE, ExchangeMethods
from .ops.extrema import ExtremaMethods
from .ops.gathering import GatheringMethods
from .ops.in_place import InPlaceMethods
from .ops.indexing import IndexingMethods
from .ops.linalg import LinalgMethods
from .ops.products import ProductMethods
from .ops.random import RandomMethods
from .ops.ranks import RankMethods
from .ops.rearranging import RearrangingMethods
from .ops.reduction import ReductionMethods
from .ops.rows import RowMethods
from .ops.scan import ScanMethods
from .ops.scattering import ScatteringMethods
from .ops.shape import ShapeMethods
from .ops.sorting import SortingMethods
from .ops.special import SpecialMethods
from .ops.statistics import StatisticsMethods
from .ops.views import check_axes
from .ops.windows import WindowMethods


class Tensor(
    ConversionMethods,
    ExchangeMethods,
    ElementwiseMethods,
    ElementaryMethods,
    SpecialMethods,
    InPlaceMethods,
    RandomMethods,
    ReductionMethods,
    ExtremaMethods,
    ScanMethods,
    StatisticsMethods,
    ShapeMethods,
    IndexingMethods,
    LinalgMethods,
    ProductMethods,
    DiagonalMethods,
    LapackMethods,
    AdvancedMethods,
    GatheringMethods,
    ScatteringMethods,
    CuttingMethods,
    RearrangingMethods,
    SortingMethods,
    RankMethods,
    RowMethods,
    WindowMethods,
):
    """An array with a gradient. Make one with `tensor`, `zeros`, `rand`, ...; the constructor is for operations.

    (For old programs Tensor([1, 2]) is tensor([1., 2.]), and Tensor(2, 3) is empty(2, 3).)
    """

    __slots__ = ("flat", "shape", "kind", "node", "region", "shared", "__weakref__")
    __hash__ = object.__hash__  # by identity: == compares elements
    __array_priority__ = 1000  # NumPy leaves `array + tensor` to the tensor, which refuses it with a message

    flat: Any
    shape: tuple[int, ...]
    kind: Kind
    node: Any  # Node | None
    region: Any
    shared: Any

    def __init__(self, flat: Any = (), shape: Any = None, kind: Any = None, node: Any = None) -> None:
        try:
            kind.dtype  # noqa: B018  # no Kind, so it is a user: Tensor([1.0, 2.0]) or Tensor(2, 3)
        except AttributeError:
            return self._construct([n for n in (flat, shape, kind, node) if n is not None])
        self.flat = flat
        self.shape = shape
        self.kind = kind
        self.node = node
        self.region = None
        self.shared = None

    def _construct(self, given: list) -> None:
        from .creation import constructed

        x = constructed(None, given)
        Tensor.__init__(self, x.flat, x.shape, x.kind)
        self.region, self.shared = x.region, x.shared

    def __getattr__(self, name: str) -> Any:  # called only where the usual look-up found nothing
        if name == INTERFACE:  # a property, but only of tensors on a GPU
            raise AttributeError(
                f"Can't get {name} on non-CUDA tensor type: {self.type()}. Use tensor.cuda() to copy it"
            )
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

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    nelement = numel

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        if dim is None:
            return self.shape
        check_axes(len(self.shape), dim)
        if not self.shape:
            raise IndexError("Dimension specified as 0 but tensor has no dimensions")
        return self.shape[dim]

    def is_view(self) -> bool:
        """Was this tensor made as a view of another one?"""
        return base_of(self) is not self

    @property
    def _version(self) -> int:
        """How often the memory has been changed in place."""
        return 0 if self.shared is None else self.shared.version

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
            changes.count += 1
        elif not requires_grad:
            self.node = None
            changes.count += 1
        return self

    @property
    def is_leaf(self) -> bool:
        """Was it made by the user (and not by a recorded operation)?"""
        return self.node is None or self.node.leaf

    @property
    def grad_fn(self) -> Node | None:
        """The operation that made this tensor; None for a leaf."""
        return None if self.is_leaf else self.node

    @property
    def grad(self) -> Tensor | None:
        """The gradient, after a backward pass: of leaves, and of tensors that asked for it by retain_grad()."""
        if self.node is None:
            return None
        if not (self.node.leaf or self.node.watched):
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed: backward() fills it only "
                "for leaves, and where retain_grad() was called before",
                stacklevel=2,
            )
        return kept_gradient(self.node)

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
            if value.kind is not self.kind:
                raise RuntimeError(
                    f"attempting to assign a gradient with dtype '{value.kind.dtype.name}' to a tensor with dtype "
                    f"'{self.kind.dtype.name}': convert it first, with .to()"
                )
        if self.node is None or not (self.node.leaf or self.node.watched):
            if value is None:
                return
            raise RuntimeError("only a leaf that requires a gradient has one to assign: call requires_grad_() first")
        if mode.recorder is not None:
            mode.recorder.assigns(self.node, value)
        (self.node if self.node.leaf else self.node.extras).grad = value

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor, which is not a leaf, in `grad` too."""
        if self.node is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not self.node.leaf:
            retain(self.node)

    @property
    def retains_grad(self) -> Any:
        """Does this tensor, which is not a leaf, keep its gradient?"""
        return not self.is_leaf and self.node.watched and self.node.extras.retains

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(gradient)` when the gradient of this tensor is complete; what it returns (a Tensor) replaces it.

        >>> import tinygrad_edu as tg
        >>> x = tg.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10.0)
        >>> (3.0 * x).sum().backward()
        >>> x.grad
        tensor([30., 30.])
        """
        if self.node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        return register_hook(self.node, hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Call `hook(x)` each time after a gradient was added to the `grad` of this leaf x.

        >>> import tinygrad_edu as tg
        >>> x = tg.ones(2, requires_grad=True)
        >>> handle = x.register_post_accumulate_grad_hook(lambda x: print(x.grad))
        >>> (3.0 * x).sum().backward()
        tensor([3., 3.])
        """
        if self.node is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if not self.node.leaf:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        return register_after(self, hook)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
        *,
        trace: bool = False,
    ) -> None:
        """Add the gradient of this tensor to the `grad` of every leaf that it was computed from.

        `gradient` is the cotangent to start with: of this tensor's shape, and 1 by default if that is one number.
        The graph is freed unless `retain_graph`; with `create_graph` the gradients have a graph themselves.
        With `inputs`, tensors, only these get their gradient. With `trace` each step is printed. RuntimeError if there
        is no graph, or it was freed already.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
        """
        if inputs is not None:
            from .autograd.grad import backward

            backward(self, gradient, retain_graph, create_graph, inputs=inputs)
            return
        watch: Any = None
        if trace:
            from .showing import print_step

            watch = print_step
        elif mode.anomaly:
            from .autograd.anomaly import check_backward as watch
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
        if self.region is not None:
            other.region = (*self.region[:3], None)
        other.shared = Detached(share(self))
        return other

    def detach_(self) -> Tensor:
        """Take this tensor out of the graph that made it: it becomes a leaf."""
        if self.is_view():
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self.node = None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, outside the graph. What is assigned becomes the tensor's memory (and shape, and dtype)."""
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self.node is not None and not value.kind.dtype.is_floating_point:
            raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
        other = value.detach()
        changes.count += 1
        self.flat, self.shape, self.kind, self.region, self.shared = (
            other.flat, other.shape, other.kind, other.region, other.shared
        )  # fmt: skip


for name, module in list(sys.modules.items()):
    if name.startswith(f"{__package__}.ops."):
        module.Tensor = Tensor  # type: ignore[attr-defined]  # they make tensors, and are its methods: the knot


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
