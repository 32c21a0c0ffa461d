"""Changing a tensor in place, and staying honest about gradients.

An operation in place (`x += y`) writes its result into the memory of x. Three things can go wrong, and each is met:

  - a node has saved the old x for its derivative: the version of the memory is counted up, and the node will refuse;
  - x is a leaf that requires a gradient: there would be no leaf left to give it to, so this is an error (wrap an
    update of parameters in no_grad());
  - other tensors share the memory: their elements have a new history too, and history.py gives it to them.

Recorded or not, x itself is then the result of the operation, with a node like any other result.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import trace

from ..dtypes import NUMBERS, Kind, fitting
from ..graph import Node, Shared, base_of, mode, same_memory, share
from ..prepared import kept
from .history import begin_change, record_change
from .launch import compute, on_one_device
from .plan import Operation, Plan, apply, plan_for, plan_key
from .shape import copy_into
from .strides import Shape

if TYPE_CHECKING:
    from ..tensors import Tensor

FILL = trace("fill", lambda x, value: value, ("x", "value"))


@kept
def fill_kernel(kind: Kind, big: bool) -> Callable[[Any, float], None]:
    """The loop (buffer, number) that stores a number everywhere."""
    name = kind.dtype.name
    return kind.backend.flat(FILL, Signature([name, "number"], ["flat", "number"], name, in_place=1), big)


def apply_in_place(operation: Operation, x: Tensor, *others: Any) -> Tensor:
    """x becomes operation(x, *others). The shape and the dtype of x stay."""
    plan = operation.plans.get(plan_key((x, *others)))
    if plan is None:
        if x.kind.device.type != "cpu":  # x stays where it is
            others = on_one_device((x, *others))[1:]
        plan = plan_for(operation, (x, *others))
    if not plan.fits_first:
        check_fit(plan, x)
    if (mode.grad or x.flat is None) and begin_change(x, operation.name, *others):
        return _recorded(operation, x, others)
    buffers = [x.flat]
    direct = plan.make_change is not None and x.flat is not None and plan.kind is x.kind
    for y in others:
        if not isinstance(y, Tensor):
            buffers.append(plan.number(y))
        else:  # strided, or a change of x element by element would disturb it?
            direct = direct and y.flat is not None and (y is x or not same_memory(x, y))
            buffers.append(y.flat)
    if not direct:
        copy_into(x, compute(operation.forward, (x, *others), plan.arithmetic, x.kind))
    else:
        change(plan, *buffers)
    if x.shared is None:
        x.shared = Shared()
    x.shared.version += 1
    return x


def check_fit(found: Any, x: Tensor) -> None:
    """RuntimeError if a result (a tensor, or the plan of one) cannot be stored in x."""
    if found.shape != x.shape:
        raise RuntimeError(
            f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(found.shape)}: an operation in "
            "place cannot make its tensor larger"
        )
    if found.kind.dtype.category > x.kind.dtype.category:
        raise RuntimeError(
            f"result type {found.kind.dtype.name} can't be cast to the desired output type {x.kind.dtype.name}: "
            f"write the result as a new tensor, or convert with .to({found.kind.dtype.name}) first"
        )


def change(plan: Plan, *buffers: Any) -> None:
    """Run the kernel of a plan that stores its result in its first operand."""
    if plan.change is None:
        plan.change = plan.make_change()  # type: ignore[misc]
    plan.change(*buffers)


def _recorded(operation: Operation, x: Tensor, others: tuple) -> Tensor:
    """The same in the graph: compute a result, move it into x's memory, and let x take over its node."""
    before = Tensor(x.flat, x.shape, x.kind, x.node)  # x as the node will remember it
    before.region, before.shared = x.region, share(x)
    mask = sum(2**i for i, y in enumerate((x, *others)) if isinstance(y, Tensor) and y.node is not None)
    keep = operation.keeps[mask]
    if keep is not None and keep[0]:  # the derivative asks for the old x: keep it elsewhere
        before = Tensor(x.detach().clone().flat, x.shape, x.kind, x.node)
    result = apply(operation, before, *others)
    if result.kind is not x.kind:
        result = result.to_kind(x.kind)
    copy_into(x, result)
    record_change(x, result.node)  # which saved what it needs of x before and of the result: both lie elsewhere
    return x


def composed(name: str) -> Callable[..., Tensor]:
    """The method `name_`, for a method that is made of others: x becomes x.name(...)."""

    def method(self: Any, *others: Any, **options: Any) -> Tensor:
        recorded = begin_change(self, name, *others)
        before = Tensor(self.detach().clone().flat, self.shape, self.kind, self.node)
        result = getattr(before, name)(*others, **options)
        check_fit(result, self)
        if not recorded:
            return overwrite(self, result, name)
        copy_into(self, result)
        record_change(self, result.to_kind(self.kind).node)
        return self

    method.__name__, method.__doc__ = f"{name}_", f"{name}, in place"
    return method


class OverwriteBackward(Node):
    """x after x.copy_(source) or x.fill_(number): the old elements are gone, so no gradient reaches them."""

    __slots__ = ("shape", "kind", "label")

    def __init__(self, parents: tuple[Node | None, Node | None], source: Any, label: str) -> None:
        self.walk = None
        self.parents, self.label = parents, label
        self.shape: Shape = source.shape if isinstance(source, Tensor) else ()
        self.kind: Any = source.kind if isinstance(source, Tensor) else None

    def name(self) -> str:
        return self.label

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, Tensor | None]:
        from ..creation import zeros

        old = zeros(g.shape, dtype=g.kind.dtype, device=g.kind.device) if self.parents[0] is not None else None
        new = g.clone().sum_to(self.shape).to_kind(self.kind) if self.parents[1] is not None else None
        return old, new


def overwrite(x: Tensor, source: Any, label: str) -> Tensor:
    """x takes over the elements of a tensor (broadcast, converted), or one number everywhere."""
    recorded = begin_change(x, label, source, same=not isinstance(source, Tensor))
    before = x.node if base_of(x) is x else None  # of a view: its base's new node sends zeros to the old elements
    if isinstance(source, Tensor):
        copy_into(x, source.clone() if same_memory(x, source) else source.detach())
    elif x.flat is not None:
        big = x.flat.size >= x.kind.backend.PARALLEL_FROM
        fill_kernel(x.kind, big)(x.flat, fitting(x.kind.dtype, source))
    elif x.numel():
        number = Tensor(x.kind.empty(1), (), x.kind)
        number.flat[0] = fitting(x.kind.dtype, source)
        copy_into(x, number)
    if recorded:
        parents = (before, source.node if isinstance(source, Tensor) else None)
        node = None if parents == (None, None) else OverwriteBackward(parents, source, f"{label.capitalize()}Backward0")
        record_change(x, node)
    else:
        share(x).version += 1
    return x


def store(out: Any, result: Tensor) -> Tensor:
    """What `out=` does: the result goes into the memory of a tensor, outside the graph. One of another shape gets new
    memory (with a warning, unless it was empty)."""
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if mode.grad and (out.node is not None or result.node is not None):
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments "
            "requires grad: use the returned tensor, or no_grad()"
        )
    if out.shape != result.shape:
        if out.numel():
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not "
                f"match the required output shape {list(result.shape)}. Give an empty one: out=torch.empty(0)",
                stacklevel=3,
            )
        out.data = out.new_empty(result.shape)
    check_fit(result, out)
    return overwrite(out, result, "copy")


class InPlaceMethods:
    """Replacing all elements of a Tensor."""

    __slots__ = ()

    def copy_(self: Any, source: Tensor, non_blocking: bool = False) -> Tensor:
        """Take over the elements of another tensor, broadcast and converted; or one number everywhere."""
        if type(source) in NUMBERS:
            return overwrite(self, source, "copy")
        if not isinstance(source, Tensor):
            raise TypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(source).__name__}")
        if not broadcasts_to(source.shape, self.shape):
            raise RuntimeError(
                f"The expanded size of the tensor must match: a source of shape {list(source.shape)} cannot be "
                f"broadcast to {list(self.shape)}"
            )
        return overwrite(self, source, "copy")

    def fill_(self: Any, value: Any) -> Tensor:
        """Set every element to a number (or to the one element of a 0-d tensor)."""
        if isinstance(value, Tensor):
            if value.shape:
                raise RuntimeError(
                    f"fill_ only supports 0-dimension value tensor but got tensor with {len(value.shape)} dimensions."
                )
            return overwrite(self, value, "fill")
        if type(value) not in NUMBERS:
            raise TypeError(f"fill_(): argument 'value' must be a number, not {type(value).__name__}")
        return overwrite(self, value, "fill")

    def zero_(self: Any) -> Tensor:
        """Set every element to 0."""
        return overwrite(self, 0, "zero")


def broadcasts_to(shape: Shape, target: Shape) -> bool:
    """May a tensor of `shape` be repeated to fill `target`?"""
    if len(shape) > len(target):
        return False
    return all(n in (1, m) for n, m in zip(reversed(shape), reversed(target), strict=False))
