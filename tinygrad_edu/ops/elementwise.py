"""Elementwise operations on tensors: arithmetic, functions, comparisons.

The formulas are in tinygrad_kernels/calculus.py. What an array adds to them is in the files beside this one:

    plan.py      the operation prepared for certain kinds and shapes, its node in the graph, its gradients
    launch.py    which loop: contiguous, broadcast, strided, summed
    in_place.py  the forms that store their result in their first operand

Here the methods of Tensor are made. `binary` and `unary` are the hot path of the library: a look-up, a buffer,
a kernel, a Tensor; everything that is not common leaves through `apply`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from tinygrad_kernels import calculus

from ..dtypes import NUMBERS, bool_
from ..graph import mode
from .in_place import apply_in_place
from .plan import OPERATIONS, ElementwiseNode, apply

if TYPE_CHECKING:
    from ..tensors import Tensor


def binary(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    """The method for an operation of two operands."""
    operation = OPERATIONS[op.name]
    plans, differentiable = operation.plans, op.differentiable

    def method(x: Tensor, y: Any) -> Tensor:
        a = x.flat
        if isinstance(y, Tensor):
            b, node = y.flat, y.node
            plan = plans.get((x.kind, x.shape, y.kind, y.shape))
        elif type(y) in NUMBERS:
            b, node = y, None
            plan = plans.get((x.kind, x.shape, type(y)))
            if plan is not None:
                b = plan.number(y)
        else:
            y = python_number(y, op.name)
            return NotImplemented if y is None else method(x, y)
        if plan is None or a is None or b is None:
            return apply(operation, x, y)
        buffer = plan.kind.empty(plan.size)
        plan.kernel(buffer, a, b)
        out = Tensor(buffer, plan.shape, plan.kind)
        if (x.node is not None or node is not None) and differentiable and mode.grad:
            out.node = ElementwiseNode(plan, (x.node, node), (x, y), out)
        return out

    return _described(method, op)


def reflected(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    """The method for `number op tensor`."""
    operation = OPERATIONS[op.name]
    plans = operation.plans

    def method(y: Tensor, x: Any) -> Tensor:
        plan = plans.get((type(x), y.kind, y.shape))
        if plan is None or y.flat is None:
            if type(x) not in NUMBERS:
                x = python_number(x, op.name)
            return NotImplemented if x is None else apply(operation, x, y)
        buffer = plan.kind.empty(plan.size)
        plan.kernel(buffer, plan.number(x), y.flat)
        out = Tensor(buffer, plan.shape, plan.kind)
        if y.node is not None and mode.grad:
            out.node = ElementwiseNode(plan, (None, y.node), (x, y), out)
        return out

    return _described(method, op)


def python_number(x: Any, name: str) -> Any:
    """A NumPy number as Python's; None for what is no number. TypeError for an array: NumPy would compute with it."""
    if isinstance(x, np.ndarray):
        raise TypeError(f"{name}(): expected a Tensor or a number, got a numpy.ndarray; make it one: from_numpy(array)")
    return x.item() if isinstance(x, np.generic) and type(x.item()) in NUMBERS else None


def unary(op: type[calculus.Elementwise]) -> Callable[[Tensor], Tensor]:
    """The method for an operation of one operand."""
    operation = OPERATIONS[op.name]
    plans = operation.plans

    def method(x: Tensor) -> Tensor:
        a = x.flat
        plan = plans.get((x.kind, x.shape))
        if plan is None or a is None:
            return apply(operation, x)
        buffer = plan.kind.empty(plan.size)
        plan.kernel(buffer, a)
        out = Tensor(buffer, plan.shape, plan.kind)
        if x.node is not None and mode.grad:
            out.node = ElementwiseNode(plan, (x.node,), (x,), out)
        return out

    return _described(method, op)


def in_place(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    """The method that stores the result of an operation of two operands in the first."""
    operation = OPERATIONS[op.name]

    def method(x: Tensor, y: Any) -> Tensor:
        return apply_in_place(operation, x, y)

    return _described(method, op, suffix="_")


def _described(method: Any, op: type[calculus.Elementwise], suffix: str = "") -> Any:
    method.__name__ = op.name + suffix
    method.__qualname__ = f"Tensor.{op.name}{suffix}"
    method.__doc__ = op.__doc__
    return method


class ElementwiseMethods:
    """The elementwise methods of Tensor. Each is one line: the operation; see the calculus for its formula."""

    __slots__ = ()

    __add__ = binary(calculus.Add)
    __sub__ = binary(calculus.Sub)
    __mul__ = binary(calculus.Mul)
    __truediv__ = binary(calculus.Div)
    __radd__ = reflected(calculus.Add)
    __rsub__ = reflected(calculus.Sub)
    __rmul__ = reflected(calculus.Mul)
    __rtruediv__ = reflected(calculus.Div)
    __rpow__ = reflected(calculus.Pow)
    __neg__ = unary(calculus.Neg)
    __lt__ = binary(calculus.Lt)
    __le__ = binary(calculus.Le)
    __gt__ = binary(calculus.Gt)
    __ge__ = binary(calculus.Ge)
    __eq__ = binary(calculus.Eq)  # type: ignore[assignment]  # elementwise, as in PyTorch
    __ne__ = binary(calculus.Ne)  # type: ignore[assignment]

    __iadd__ = in_place(calculus.Add)
    __isub__ = in_place(calculus.Sub)
    __imul__ = in_place(calculus.Mul)
    __itruediv__ = in_place(calculus.Div)

    mul, div, mul_, div_ = __mul__, __truediv__, __imul__, __itruediv__
    lt, le, gt, ge, eq, ne, neg = __lt__, __le__, __gt__, __ge__, __eq__, __ne__, __neg__

    exp = unary(calculus.Exp)
    log = unary(calculus.Log)
    sin = unary(calculus.Sin)
    cos = unary(calculus.Cos)
    tanh = unary(calculus.Tanh)
    sqrt = unary(calculus.Sqrt)
    square = unary(calculus.Square)
    relu = unary(calculus.Relu)
    sigmoid = unary(calculus.Sigmoid)
    _cube = unary(calculus.Cube)

    def add(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self + alpha * other"""
        return self + (other if alpha == 1 else alpha * other)

    def sub(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self - alpha * other"""
        return self - (other if alpha == 1 else alpha * other)

    def add_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self += alpha * other"""
        return apply_in_place(OPERATIONS["add"], self, other if alpha == 1 else alpha * other)

    def sub_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self -= alpha * other"""
        return apply_in_place(OPERATIONS["sub"], self, other if alpha == 1 else alpha * other)

    def __pow__(self: Any, exponent: Any) -> Tensor:
        """self to the power `exponent`; squares and cubes are multiplications"""
        if isinstance(exponent, Tensor):
            return apply(OPERATIONS["pow"], self, exponent)
        if type(exponent) not in NUMBERS:
            return NotImplemented
        op = calculus.power(exponent)
        if op is calculus.Square:
            return self.square()
        if op is calculus.Cube:
            return self._cube()
        if op is calculus.Sqrt and self.kind.dtype.is_floating_point:
            return self.sqrt()
        if type(exponent) is int and exponent < 0 and not self.kind.dtype.is_floating_point:
            raise RuntimeError("Integers to negative integer powers are not allowed. Use x.float() ** y")
        return apply(OPERATIONS["pow"], self, exponent)

    pow = __pow__

    def where(self: Any, condition: Tensor, other: Any) -> Tensor:
        """self where `condition`, else `other`"""
        return where(condition, self, other)

    def _where(self: Any, x: Any, y: Any) -> Tensor:  # what a formula of the calculus calls
        return where(self, x, y)


def where(condition: Tensor, x: Any, y: Any) -> Tensor:
    """x where the condition holds, else y; all three are broadcast together. Tensors or numbers.

    >>> import tinygrad_edu as tg
    >>> a = tg.tensor([-1.0, 2.0])
    >>> tg.where(a > 0, a, 0.0)
    tensor([0., 2.])
    """
    if not isinstance(condition, Tensor) or condition.kind.dtype is not bool_:
        raise RuntimeError("where expected condition to be a boolean tensor; write a comparison such as x > 0")
    return apply(OPERATIONS["where"], condition, x, y)
