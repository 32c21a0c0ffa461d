"""Changing a tensor in place, and staying honest about gradients.

An operation in place (`x += y`) writes its result into the memory of x. Three things can go wrong, and each is met:

  - a node has saved the old x for its derivative: the version of the memory is counted up, and the node will refuse;
  - x is a leaf that requires a gradient: there would be no leaf left to give it to, so this is an error (wrap an
    update of parameters in no_grad());
  - other tensors share the memory: their graphs say how the *old* elements came about. If the change is
    recorded they get a `Stale` node, which refuses to be differentiated.

Recorded or not, x itself is then the result of the operation, with a node like any other result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph import Leaf, Shared, Stale, mode, share
from .launch import compute
from .plan import Operation, Plan, apply, plan_for
from .shape import copy_into

if TYPE_CHECKING:
    from ..tensors import Tensor


def apply_in_place(operation: Operation, x: Tensor, y: Any) -> Tensor:
    """x becomes operation(x, y). The shape and the dtype of x stay."""
    if isinstance(y, Tensor):
        plan = operation.plans.get((x.kind, x.shape, y.kind, y.shape)) or plan_for(operation, (x, y))
    else:
        plan = operation.plans.get((x.kind, x.shape, type(y))) or plan_for(operation, (x, y))
    if plan.shape != x.shape:
        raise RuntimeError(
            f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(plan.shape)}: an operation in "
            "place cannot make its tensor larger"
        )
    if plan.kind is not x.kind and plan.kind.dtype.category > x.kind.dtype.category:
        raise RuntimeError(
            f"result type {plan.kind.dtype.name} can't be cast to the desired output type {x.kind.dtype.name}: "
            f"write the result as a new tensor, or convert with .to({plan.kind.dtype.name}) first"
        )
    if begin_change(x, operation.name, y):
        return _recorded(operation, x, y)
    if plan.make_change is None or x.flat is None or plan.kind is not x.kind or _may_overlap(x, y):
        copy_into(x, compute(operation.forward, (x, y), plan.arithmetic, x.kind))
    else:
        change(plan, x.flat, y.flat if isinstance(y, Tensor) else plan.number(y))
    if x.shared is None:
        x.shared = Shared(x)
    x.shared.version += 1
    return x


def change(plan: Plan, x: Any, y: Any) -> None:
    """Run the kernel of a plan that stores its result in its first operand."""
    if plan.change is None:
        plan.change = plan.make_change()  # type: ignore[misc]
    plan.change(x, y)


def _recorded(operation: Operation, x: Tensor, y: Any) -> Tensor:
    """The same in the graph: compute a result, move it into x's memory, and let x take over its node."""
    before = Tensor(x.flat, x.shape, x.kind, x.node)  # x as the node will remember it
    before.view, before.shared = x.view, share(x)
    mask = (x.node is not None) + 2 * (isinstance(y, Tensor) and y.node is not None)
    keep = operation.keeps[mask]
    if keep is not None and keep[0]:  # y's gradient will ask for the old x: keep it elsewhere
        before = Tensor(before.detach().clone().flat, x.shape, x.kind, x.node)
    result = apply(operation, before, y)
    if result.kind is not x.kind:
        result = result.to_kind(x.kind)
    copy_into(x, result)
    end_change(x, operation.name)
    x.node = result.node  # it saved what it needs of x before and of the result: both lie elsewhere, safe from changes
    return x


def _may_overlap(x: Tensor, y: Any) -> bool:
    """Would writing x element by element disturb y before it is read? Or is y not contiguous?"""
    if not isinstance(y, Tensor) or y is x:
        return False
    return y.flat is None or (y.shared is not None and y.shared is x.shared)


def begin_change(x: Tensor, name: str, source: Any = None) -> bool:
    """Checks before x is changed in place (by what `source` has); must the change be recorded?"""
    if x.flat is None and any(n > 1 and not s for n, s in zip(x.shape, x.view[2], strict=True)):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory "
            f"location. Please clone() the tensor before {name}_"
        )
    if not mode.grad:
        return False
    if x.node is None and (not isinstance(source, Tensor) or source.node is None):
        return False
    if type(x.node) is Leaf:
        raise RuntimeError(
            f"a leaf Variable that requires grad is being used in an in-place operation ({name}_). "
            "Wrap an update of parameters in `with no_grad():`, or work on a clone()"
        )
    if x.is_view():
        raise RuntimeError(
            f"{name}_ on a view of a tensor that takes part in a graph is not supported: change the tensor itself "
            "(x[i] = ...), or write the result as a new tensor"
        )
    return True


def end_change(x: Tensor, name: str, recorded: bool = True) -> None:
    """Count the change; if it is recorded, the graphs of other tensors on the same memory are out of date."""
    shared = share(x)
    shared.version += 1
    if recorded:
        for reference in shared.tensors:
            y = reference()
            if y is not None and y is not x:
                y.node = Stale(y.node, f"{name}_")
