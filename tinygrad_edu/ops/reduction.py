"""Sums and means over axes, and what they mean backward; the plan that all reductions share.

A sum adds a cotangent's worth of change from every element alike, so backward it only *repeats* the cotangent
along the summed axes. Nothing is written for that: the gradient is a view with stride 0 (`expand`).

    x (2, 3) ── sum over axis 1 ──▶ (2,)         g (2,) ── as (2, 1), expanded ──▶ (2, 3)

Forward, the axes are brought together and handed to one of two kernels (launch.py, codegen_reduction.py). That is the
same for every operation that the kernels know: sum, prod, max, any, ..., so a `Reduction` is prepared with the name of
one, and what differs backward is the class of its node: extrema.py, scan.py.

Source: A. Griewank, A. Walther, Evaluating Derivatives, 2nd edition, 2008, section 3.2 (the adjoint of a sum).
"""

from __future__ import annotations

import operator
from functools import wraps
from inspect import signature
from math import prod
from typing import TYPE_CHECKING, Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Formula, trace

from ..dtypes import BOOL, Kind, as_dtype, bool_, int64, kind_of, uint8
from ..graph import Node, changed, freed, mode, share
from ..prepared import table
from .launch import split_axes
from .strides import Shape, Size, broadcast_strides, contiguous_strides, reduced_axes

if TYPE_CHECKING:
    from ..tensors import Tensor

# The operations: the monoid that reduces (codegen_reduction.py), where it has another name
MONOIDS = {"mean": "sum", "count_nonzero": "sum", "amax": "max", "amin": "min"}
COMPUTE_IN_RESULT = ("sum", "mean", "prod")  # the dtype of the others is that of the operand: only the result differs


class SumBackward(Node):
    """The sum of x over axes, or its mean: g is repeated along them."""

    __slots__ = ("plan",)
    fresh = False  # the gradient is a view of g

    def __init__(self, x: Tensor, out: Tensor, plan: Reduction) -> None:
        self.walk = None
        self.parents, self.plan = (x.node,), plan

    def name(self) -> str:
        return self.plan.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        plan = self.plan
        if plan.mean:
            g = g / plan.count
        if graph or g.flat is None or g.kind is not plan.source:
            return (g.to_kind(plan.source).reshape(plan.kept).expand(plan.shape),)
        repeated = Tensor(None, plan.shape, g.kind)
        repeated.region = (g.flat, 0, plan.repeat, None)
        return (repeated,)


class SavingNode(Node):
    """A node that keeps tensors for its derivative, and refuses to use one that was changed in the meantime.

    Its own result is kept detached (a node never points to the tensor that it made: see graph.py).
    """

    __slots__ = ("tensors", "versions")

    def __init__(self, parents: tuple[Node | None, ...], *tensors: Tensor) -> None:
        self.walk = None
        self.parents = parents
        self.tensors: tuple[Tensor, ...] | None = tensors
        self.versions = [share(x).version for x in tensors]

    def release(self) -> None:
        self.tensors = None

    def saved(self) -> tuple[Tensor, ...]:
        """The tensors. RuntimeError if they were freed, or changed in place."""
        if self.tensors is None:
            raise freed(self)
        for x, version in zip(self.tensors, self.versions, strict=True):
            if share(x).version != version:
                raise changed(f"an operand of {self.name()} or its result, of shape {list(x.shape)}")
        return self.tensors

    def result(self, out: Tensor) -> Tensor:
        """The saved result, in the graph again: for derivatives that are differentiated themselves."""
        return Tensor(out.flat, out.shape, out.kind, self)


NODES: dict[str, Any] = {"sum": SumBackward, "mean": SumBackward}  # by operation; each is made from (x, out, plan)


class Reduction:
    """A reduction prepared: for tensors of one kind and shape, over certain axes, into one kind.

    `kept` is the shape with the reduced axes as 1; `repeat` the strides that repeat a result along them again.
    """

    __slots__ = ("source", "shape", "axes", "kept", "repeat", "result", "out_shape", "size", "order", "count", "mean",
                 "label", "node", "kernel", "sizes")  # fmt: skip

    def __init__(self, x: Tensor, op: str, dim: Any, keepdim: bool, result: Kind) -> None:
        self.axes = axes = normalize_axes(dim, len(x.shape))
        rest = tuple(axis for axis in range(len(x.shape)) if axis not in axes)
        self.source, self.shape, self.result, self.mean = x.kind, x.shape, result, op == "mean"
        self.kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        self.repeat = broadcast_strides(self.kept, contiguous_strides(self.kept), x.shape)
        self.out_shape = Size(self.kept if keepdim else tuple(x.shape[axis] for axis in rest))
        self.size, self.count = prod(self.out_shape), prod(x.shape[axis] for axis in axes)
        overload = op in ("max", "min") or (dim is not None and not op.startswith("am"))  # PyTorch numbers them
        self.label = f"{op.capitalize()}Backward{int(overload)}"
        self.node = NODES.get(op) if result.dtype.is_floating_point else None
        self.order: tuple[int, ...] | None = None
        before, summed, after = split_axes(x.shape, axes)
        if before is None:  # the axes do not lie together: bring them to the end
            self.order, summed, after = (*rest, *axes), self.count, 1
        formula, signature = self.prologue(op)
        monoid = MONOIDS.get(op, op)
        big = prod(x.shape) >= result.backend.PARALLEL_FROM
        divisor = float(self.count) if self.mean else 1.0
        self.sizes: tuple[float, ...]
        if after > 1:
            self.kernel, self.sizes = result.backend.columns(formula, signature, big, monoid), (summed, after, divisor)
        else:
            self.kernel, self.sizes = result.backend.rows(formula, signature, big, monoid), (summed, divisor)

    def prologue(self, op: str) -> tuple[Formula, Signature]:
        """What is reduced: the elements, or for count_nonzero the answers, and in which dtype it is computed."""
        compute = self.result.dtype if op in COMPUTE_IN_RESULT else self.source.dtype
        if op != "count_nonzero":
            return FORMULAS[MONOIDS.get(op, op)], Signature([self.source.dtype.name], ["flat"], compute.name)
        if not compute.is_floating_point:
            compute = int64
        return COUNT, Signature([self.source.dtype.name], ["flat"], compute.name)


FORMULAS = {
    op: trace(op, lambda x: x, ("x",)) for op in ("sum", "prod", "max", "min", "any", "all", "argmax", "argmin")
}
COUNT = trace("count_nonzero", lambda x: x != 0, ("x",))

_plans: dict[tuple, Reduction] = table()


def reduce(x: Tensor, op: str, dim: Any, keepdim: bool, result: Kind) -> Tensor:
    """x reduced over axes (an int, several, or None for all), in a tensor of kind `result`.

    `op` is 'sum', 'mean', 'prod', 'amax', 'amin', 'max', 'min' (the last two of everything), 'any', 'all',
    'count_nonzero', 'argmax' or 'argmin'.
    """
    if type(keepdim) is not bool:  # as in x.sum(0, 1), which means x.sum((0, 1))
        raise TypeError(f"{op}(): argument 'keepdim' must be bool, not {type(keepdim).__name__}; several axes: a tuple")
    if isinstance(dim, list):
        dim = tuple(dim)
    key = (op, x.kind, x.shape, type(dim), dim, keepdim, result)  # the type: 1.0 == 1, and is no axis
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) > 2048:
            _plans.clear()
        plan = _plans[key] = Reduction(x, op, dim, keepdim, result)
    buffer = x.flat
    if buffer is None or plan.order is not None:
        source = x.detach() if plan.order is None else x.detach().permute(*plan.order)
        buffer = source.contiguous().flat
    out = Tensor(result.empty(plan.size), plan.out_shape, result)
    plan.kernel(out.flat, *plan.sizes, buffer)
    if x.node is not None and mode.grad and plan.node is not None:
        out.node = plan.node(x, out, plan)
    return out


def normalize_axes(dim: Any, dimensions: int) -> Shape:
    """The axes named by an int, a sequence of ints, or None for all; sorted, not negative.

    >>> normalize_axes(-1, 3), normalize_axes(None, 2)
    ((2,), (0, 1))
    """
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return tuple(range(dimensions))
    found = []
    for axis in dim if isinstance(dim, tuple | list) else (dim,):
        if isinstance(axis, bool) or not hasattr(axis, "__index__"):
            raise TypeError(f"dim must be an int or a tuple of ints, not {type(axis).__name__}")
        axis = operator.index(axis)  # of NumPy's integers
        reach = max(dimensions, 1)
        if not -reach <= axis < reach:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], but got {axis})"
            )
        axis %= reach
        if axis in found:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
        found.append(axis)
    return tuple(sorted(found)) if dimensions else ()


def total_kind(x: Tensor, dtype: Any) -> Kind:
    """The kind of a sum or product of x: `dtype` where one is asked for, x's own, int64 for whole numbers."""
    if dtype is not None:
        return kind_of(as_dtype(dtype), x.kind.device)
    return x.kind if x.kind.dtype.is_floating_point else kind_of(int64, x.kind.device)


def truth_kind(x: Tensor) -> Kind:
    return x.kind if x.kind.dtype is uint8 else kind_of(bool_, x.kind.device)


OF_NUMPY = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(methods: Any) -> Any:
    """A class whose methods that take `dim` (and `keepdim`) take them by NumPy's names too; or such a method."""
    if isinstance(methods, type):
        for name, method in list(vars(methods).items()):
            if callable(method) and "dim" in signature(method).parameters:
                setattr(methods, name, numpy_names(method))
        return methods

    @wraps(methods)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs and not OF_NUMPY.keys().isdisjoint(kwargs):
            kwargs = {OF_NUMPY.get(key, key): value for key, value in kwargs.items()}
        return methods(self, *args, **kwargs)

    return call


class ReductionMethods:
    """The reducing methods of Tensor."""

    __slots__ = ()

    def sum(
        self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None, keepdims: Any = None
    ) -> Tensor:
        """The sum over axes `dim` (an int or several; None: all). Integers are summed in int64.

        >>> import tinygrad_edu as tg
        >>> tg.ones(2, 3).sum(1)
        tensor([3., 3.])
        """
        if axis is not None or keepdims is not None:  # NumPy's names; not by numpy_names, which costs a tenth
            dim, keepdim = dim if axis is None else axis, keepdim if keepdims is None else keepdims
        return reduce(self, "sum", dim, keepdim, total_kind(self, dtype))

    def mean(
        self: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, axis: Any = None, keepdims: Any = None
    ) -> Tensor:
        """The mean over axes `dim` (an int or several; None: all). Of floats only."""
        if axis is not None or keepdims is not None:
            dim, keepdim = dim if axis is None else axis, keepdim if keepdims is None else keepdims
        x = self if dtype is None else self.to(dtype)
        if not x.kind.dtype.is_floating_point:
            name = "Bool" if x.kind.dtype.category == BOOL else x.kind.dtype.name
            raise RuntimeError(
                f"mean(): could not infer output dtype. Input dtype must be a floating point dtype. Got: {name}. "
                "Use x.float().mean()"
            )
        return reduce(x, "mean", dim, keepdim, x.kind)

    @numpy_names
    def any(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Is any element not 0, over axes `dim` (an int or several; None: all)? bool; uint8 for uint8, as in PyTorch.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([[0, 1], [0, 0]]).any(1)
        tensor([ True, False])
        """
        return reduce(self, "any", dim, keepdim, truth_kind(self)) if dim not in ((), []) else self != 0

    @numpy_names
    def all(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Is no element 0, over axes `dim` (an int or several; None: all)? bool; uint8 for uint8, as in PyTorch."""
        return reduce(self, "all", dim, keepdim, truth_kind(self)) if dim not in ((), []) else self != 0

    @numpy_names
    def count_nonzero(self: Any, dim: Any = None) -> Tensor:
        """How many elements are not 0, over axes `dim` (an int or several; None: all): int64. nan is not 0.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([0.0, 1.0, 2.0]).count_nonzero()
        tensor(2)
        """
        return reduce(self, "count_nonzero", dim, False, kind_of(int64, self.kind.device))

    def sum_to(self: Any, shape: Shape) -> Tensor:
        """Undo a broadcast: the sum over the axes that were repeated to get from `shape` to this tensor's."""
        if self.shape == shape:
            return self
        axes = reduced_axes(self.shape, shape)
        return (self.sum(axes, keepdim=True) if axes else self).reshape(shape)
