"""Elementwise operations on tensors: arithmetic, functions, comparisons.

The formulas are in tinygrad_kernels/calculus/. What an array adds to them is in the files beside this one:

    plan.py      the operation prepared for certain kinds and shapes, its node in the graph, its gradients
    launch.py    which loop: contiguous, broadcast, strided, summed
    in_place.py  the forms that store their result in their first operand
    elementary.py, activations.py   the operations that are less common than those below

Here the methods of Tensor are made. `binary` and `unary` are the hot path of the library: a look-up, a buffer,
a kernel, a Tensor; everything that is not common leaves through `apply`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np
from tinygrad_kernels import calculus

from .. import dtypes
from ..dtypes import NUMBERS, bool_, result_dtype
from ..graph import Shared, mode, same_memory
from .in_place import apply_in_place
from .plan import OPERATIONS, ElementwiseNode, apply

if TYPE_CHECKING:
    from ..tensors import Tensor


def binary(op: type[calculus.Elementwise], operator: bool = True) -> Callable[[Tensor, Any], Tensor]:
    """The method for an operation of two operands. What is no operand: an `operator` leaves it to the other side."""
    operation = OPERATIONS[op.name]
    plans, differentiable = operation.plans, op.differentiable

    def method(x: Tensor, other: Any) -> Tensor:
        a = x.flat
        if isinstance(other, Tensor):
            b, node = other.flat, other.node
            plan = plans.get((x.kind, x.shape, other.kind, other.shape))
        elif type(other) in NUMBERS:
            b, node = other, None
            plan = plans.get((x.kind, x.shape, type(other)))
            if plan is not None:
                b = plan.number(other)
        else:
            number = python_number(other, op.name)
            if number is None and not operator:
                raise TypeError(f"{op.name}(): argument 'other' must be Tensor or Number, not {type(other).__name__}")
            return NotImplemented if number is None else method(x, number)
        if plan is None or a is None or b is None:
            return apply(operation, x, other)
        buffer = plan.new()
        plan.kernel(buffer, a, b)
        out = Tensor(buffer, plan.shape, plan.kind)
        if (x.node is not None or node is not None) and differentiable and mode.grad:
            mask = 1 if node is None else 2 if x.node is None else 3
            out.node = ElementwiseNode(plan, mask, (x.node, node), (x, other), out)
        return out

    return described(method, op)


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
        buffer = plan.new()
        plan.kernel(buffer, plan.number(x), y.flat)
        out = Tensor(buffer, plan.shape, plan.kind)
        if y.node is not None and op.differentiable and mode.grad:
            out.node = ElementwiseNode(plan, 2, (None, y.node), (x, y), out)
        return out

    return described(method, op)


def python_number(x: Any, name: str) -> Any:
    """A NumPy number as Python's; None for what is no number. TypeError for an array: NumPy would compute with it."""
    if isinstance(x, np.ndarray):
        raise TypeError(f"{name}(): expected a Tensor or a number, got a numpy.ndarray; make it one: from_numpy(array)")
    return x.item() if isinstance(x, np.generic) and type(x.item()) in NUMBERS else None


def unary(op: type[calculus.Elementwise]) -> Callable[[Tensor], Tensor]:
    """The method for an operation of one operand."""
    operation = OPERATIONS[op.name]
    plans, differentiable = operation.plans, op.differentiable

    def method(x: Tensor) -> Tensor:
        a = x.flat
        plan = plans.get((x.kind, x.shape))
        if plan is None or a is None:
            return apply(operation, x)
        buffer = plan.new()
        plan.kernel(buffer, a)
        out = Tensor(buffer, plan.shape, plan.kind)
        if x.node is not None and differentiable and mode.grad:
            out.node = ElementwiseNode(plan, 1, (x.node,), (x,), out)
        return out

    return described(method, op)


def in_place(op: type[calculus.Elementwise]) -> Callable[..., Tensor]:
    """The method that stores the result of an operation in its first operand."""
    operation = OPERATIONS[op.name]
    plans = operation.plans

    def method(x: Tensor, *others: Any) -> Tensor:
        if len(others) != op.arity - 1:
            raise TypeError(f"{op.name}_() takes {op.arity - 1} operands besides the tensor, got {len(others)}")
        return apply_in_place(operation, x, *others)

    def with_one(x: Tensor, other: Any) -> Tensor:
        a = x.flat
        if isinstance(other, Tensor):
            b, free = other.flat, other.node is None and not same_memory(x, other)
            plan = plans.get((x.kind, x.shape, other.kind, other.shape))
        else:
            if type(other) not in NUMBERS:
                number = python_number(other, op.name)
                if number is None:
                    raise TypeError(
                        f"{op.name}_(): argument 'other' must be Tensor or Number, not {type(other).__name__}"
                    )
                other = number
            b, free = other, True
            plan = plans.get((x.kind, x.shape, type(other)))
            if plan is not None:
                b = plan.number(other)
        if plan is None or plan.change is None or a is None or b is None or not free:
            return apply_in_place(operation, x, other)
        if not plan.fits_first or (mode.grad and (x.node is not None or x.region is not None)):
            return apply_in_place(operation, x, other)
        plan.change(a, b)
        if x.shared is None:
            x.shared = Shared()
        x.shared.version += 1
        return x

    return described(with_one if op.arity == 2 else method, op, suffix="_")


def described(method: Any, op: type[calculus.Elementwise], suffix: str = "") -> Any:
    name = {"rint": "round"}.get(op.name, op.name) + suffix
    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    method.__doc__ = op.__doc__
    return method


def check_power(x: Tensor, exponent: Any) -> None:
    if type(exponent) is int and exponent < 0 and not x.kind.dtype.is_floating_point:
        raise RuntimeError("Integers to negative integer powers are not allowed. Use x.float() ** y")


_pow_in_place = in_place(calculus.Pow)
_add, _sub = binary(calculus.Add, operator=False), binary(calculus.Sub, operator=False)


def scaled(x: Tensor, y: Any, alpha: Any, sign: int = 1) -> tuple[Tensor, Any, Any]:
    """The operands of x ± alpha y, checked: an alpha that the result's dtype cannot hold is an error."""
    both = (x, y)
    dtype = result_dtype(both)
    if sign < 0 and dtype is bool_:
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported. Use x != y")
    if type(alpha) is bool and dtype is not bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if type(alpha) is float and not dtype.is_floating_point:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return x, y, sign * alpha


def number_first(name: str, number: Any, *tensors: Any) -> tuple:
    """PyTorch's old form `x.add_(alpha, other)`, with a warning: the operands in today's order, and the number."""
    names, keyword = ("tensor1, tensor2", "value") if name.startswith("addc") else ("other", "alpha")
    fits = len(tensors) == names.count(",") + 1 and all(isinstance(x, Tensor) for x in tensors)
    if type(number) not in NUMBERS or not fits:
        given = ", ".join(type(x).__name__ for x in (number, *tensors))
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({given}), but expected ({names}, *, "
            f"{keyword}=1)"
        )
    warn(
        f"This overload of {name} is deprecated: {name}(Number {keyword}, {names}). "
        f"Consider using {name}({names}, *, {keyword}=...) instead",
        stacklevel=3,
    )
    return *tensors, number


class ElementwiseMethods:
    """The elementwise methods of Tensor. Each is one line: the operation; see the calculus for its formula."""

    __slots__ = ()

    __add__ = binary(calculus.Add)
    __sub__ = binary(calculus.Sub)
    __mul__ = binary(calculus.Mul)
    __truediv__ = binary(calculus.Div)
    __radd__ = __add__  # as PyTorch does: next_functions has the tensor first
    __rsub__ = reflected(calculus.Sub)
    __rmul__ = __mul__
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

    mul, mul_ = binary(calculus.Mul, operator=False), __imul__
    lt, le, gt = (binary(op, operator=False) for op in (calculus.Lt, calculus.Le, calculus.Gt))
    ge, eq, ne = (binary(op, operator=False) for op in (calculus.Ge, calculus.Eq, calculus.Ne))
    neg = __neg__

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

    def add(self: Any, other: Any, *old: Tensor, alpha: float = 1) -> Tensor:
        """self + alpha * other"""
        if old:
            other, alpha = number_first("add", other, *old)
        return _add(self, other) if alpha == 1 else apply(OPERATIONS["addscaled"], *scaled(self, other, alpha))

    def sub(self: Any, other: Any, *old: Tensor, alpha: float = 1) -> Tensor:
        """self - alpha * other"""
        if old:
            other, alpha = number_first("sub", other, *old)
        return _sub(self, other) if alpha == 1 else apply(OPERATIONS["addscaled"], *scaled(self, other, alpha, -1))

    def add_(self: Any, other: Any, *old: Tensor, alpha: float = 1) -> Tensor:
        """self += alpha * other"""
        if old:
            other, alpha = number_first("add_", other, *old)
        if alpha == 1:
            return self.__iadd__(other)
        return apply_in_place(OPERATIONS["addscaled"], *scaled(self, other, alpha))

    def sub_(self: Any, other: Any, *old: Tensor, alpha: float = 1) -> Tensor:
        """self -= alpha * other"""
        if old:
            other, alpha = number_first("sub_", other, *old)
        if alpha == 1:
            return self.__isub__(other)
        return apply_in_place(OPERATIONS["addscaled"], *scaled(self, other, alpha, -1))

    def __pow__(self: Any, exponent: Any) -> Tensor:
        """self to the power `exponent`; squares and cubes are multiplications"""
        if isinstance(exponent, Tensor):
            return apply(OPERATIONS["pow"], self, exponent)
        if type(exponent) not in NUMBERS:
            exponent = python_number(exponent, "pow")
            if exponent is None:
                return NotImplemented
        if type(exponent) is float and not self.kind.dtype.is_floating_point:
            return self.to(dtypes.default_float).pow(exponent)
        op = calculus.power(exponent)
        if op is calculus.Square:
            return self.square()
        if op is calculus.Cube:
            return self._cube()
        if op is calculus.Sqrt:
            return self.sqrt()
        check_power(self, exponent)
        return apply(OPERATIONS["pow"], self, exponent)

    def pow_(self: Any, exponent: Any) -> Tensor:
        """self **= exponent"""
        check_power(self, exponent)
        return _pow_in_place(self, exponent)

    __ipow__ = pow_

    def pow(self: Any, exponent: Any) -> Tensor:
        """self to the power `exponent`, a tensor or a number"""
        found = self.__pow__(exponent)
        if found is NotImplemented:
            raise TypeError(f"pow(): argument 'exponent' must be Tensor or Number, not {type(exponent).__name__}")
        return found

    def where(self: Any, condition: Tensor, other: Any) -> Tensor:
        """self where `condition`, else `other`"""
        return where(condition, self, other)

    def _where(self: Any, x: Any, y: Any) -> Tensor:  # what a formula of the calculus calls
        return where(self, x, y)


def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, else `other`; all three are broadcast together. Tensors or numbers.

    Of a condition alone: the places where it holds, one index tensor for each axis.

    >>> import tinygrad_edu as tg
    >>> a = tg.tensor([-1.0, 2.0])
    >>> tg.where(a > 0, a, 0.0)
    tensor([0., 2.])
    """
    if isinstance(condition, Tensor) and input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if not isinstance(condition, Tensor) or condition.kind.dtype is not bool_:
        wrong = RuntimeError if isinstance(condition, Tensor) else TypeError
        raise wrong("where expected condition to be a boolean tensor; write a comparison such as x > 0")
    if input is None or other is None:
        raise TypeError("where() takes a condition and two operands, or a condition alone")
    return apply(OPERATIONS["where"], condition, input, other)
