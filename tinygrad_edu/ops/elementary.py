"""The other elementwise methods of Tensor: elementary functions, rounding, remainders, bounds, logic, bits.

The problem. An operation of the calculus is a formula; a method of PyTorch is a formula with habits: keywords with
defaults (`round(decimals=)`, `div(rounding_mode=)`), bounds that may be left out, an error instead of a number.

The idea. Where there are no habits, a method is one line in the table below, made by `unary`, `binary` or
`in_place`. Where there are, it is a short `def` that picks the operation and passes on numbers as operands.

Whole numbers divided by zero have no answer that a loop could write, so the divisor is looked at first:

    >>> import tinygrad_edu as tg
    >>> tg.tensor([7, -7]) // 3, tg.tensor([7, -7]) % 3, tg.tensor([7, -7]).fmod(3)
    (tensor([ 2, -3]), tensor([1, 2]), tensor([ 1, -1]))
    >>> tg.tensor([1]) // 0
    Traceback (most recent call last):
    RuntimeError: ZeroDivisionError

Source: PyTorch documentation, torch.Tensor; the formulas are in tinygrad_kernels/calculus/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from tinygrad_kernels import calculus

from ..dtypes import BOOL, NUMBERS, bool_, fitting, result_dtype
from .conversion import says_wrong
from .elementwise import ElementwiseMethods, binary, described, in_place, number_first, reflected, unary
from .in_place import apply_in_place
from .plan import OPERATIONS, apply

if TYPE_CHECKING:
    from ..tensors import Tensor


def between_tensors(op: type[calculus.Elementwise]) -> Callable[[Tensor, Tensor], Tensor]:
    """The method for an operation of two tensors, where PyTorch refuses a number."""
    compute = binary(op)

    def method(x: Tensor, other: Tensor) -> Tensor:
        if not isinstance(other, Tensor):
            raise TypeError(f"{op.name}(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
        return compute(x, other)

    return described(method, op)


def dividing(method: Callable[[Tensor, Any], Tensor]) -> Callable[[Tensor, Any], Tensor]:
    """The method, after a look at the divisor where the numbers are whole."""

    def checked(x: Tensor, other: Any) -> Tensor:
        check_divisor(x, other)
        return method(x, other)

    checked.__name__, checked.__qualname__, checked.__doc__ = method.__name__, method.__qualname__, method.__doc__
    return checked


def check_divisor(x: Any, y: Any) -> None:
    """RuntimeError, as PyTorch's, if whole numbers are divided by zero."""
    if not all(isinstance(v, Tensor) or type(v) in NUMBERS for v in (x, y)) or result_dtype((x, y)).is_floating_point:
        return
    if says_wrong((y == 0).any()) if isinstance(y, Tensor) else y == 0:
        raise RuntimeError("ZeroDivisionError")


def dividing_reflected(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    compute = reflected(op)

    def method(y: Tensor, x: Any) -> Tensor:
        check_divisor(x, y)
        return compute(y, x)

    return described(method, op)


class ElementaryMethods:
    """The elementwise methods of Tensor that are less common than those of ElementwiseMethods."""

    __slots__ = ()

    # One operand.
    exp2, expm1, exp2_, expm1_ = (m(op) for m in (unary, in_place) for op in (calculus.Exp2, calculus.Expm1))
    log2, log10, log1p = map(unary, (calculus.Log2, calculus.Log10, calculus.Log1p))
    rsqrt, reciprocal, abs, sign = map(unary, (calculus.Rsqrt, calculus.Reciprocal, calculus.Abs, calculus.Sign))
    tan, asin, acos, atan = map(unary, (calculus.Tan, calculus.Asin, calculus.Acos, calculus.Atan))
    sinh, cosh, asinh = map(unary, (calculus.Sinh, calculus.Cosh, calculus.Asinh))
    acosh, atanh, erf, erfc = map(unary, (calculus.Acosh, calculus.Atanh, calculus.Erf, calculus.Erfc))
    floor, ceil, trunc, frac = map(unary, (calculus.Floor, calculus.Ceil, calculus.Trunc, calculus.Frac))
    isnan, isinf, isfinite = map(unary, (calculus.IsNan, calculus.IsInf, calculus.IsFinite))
    logical_not, bitwise_not = unary(calculus.LogicalNot), unary(calculus.BitwiseNot)
    __abs__ = abs

    exp_, log_, sin_, cos_ = map(in_place, (calculus.Exp, calculus.Log, calculus.Sin, calculus.Cos))
    tanh_, sqrt_, square_, neg_ = map(in_place, (calculus.Tanh, calculus.Sqrt, calculus.Square, calculus.Neg))
    relu_, sigmoid_ = in_place(calculus.Relu), in_place(calculus.Sigmoid)
    log2_, log10_, log1p_ = map(in_place, (calculus.Log2, calculus.Log10, calculus.Log1p))
    rsqrt_, reciprocal_, abs_, sign_ = map(in_place, (calculus.Rsqrt, calculus.Reciprocal, calculus.Abs, calculus.Sign))
    tan_, asin_, acos_, atan_ = map(in_place, (calculus.Tan, calculus.Asin, calculus.Acos, calculus.Atan))
    sinh_, cosh_, asinh_ = map(in_place, (calculus.Sinh, calculus.Cosh, calculus.Asinh))
    acosh_, atanh_, erf_, erfc_ = map(in_place, (calculus.Acosh, calculus.Atanh, calculus.Erf, calculus.Erfc))
    floor_, ceil_, trunc_, frac_ = map(in_place, (calculus.Floor, calculus.Ceil, calculus.Trunc, calculus.Frac))
    bitwise_not_ = in_place(calculus.BitwiseNot)

    logical_not_ = in_place(calculus.LogicalNot)

    # Two.
    atan2, maximum, minimum = map(between_tensors, (calculus.Atan2, calculus.Maximum, calculus.Minimum))
    logaddexp, logical_and = between_tensors(calculus.LogAddExp), between_tensors(calculus.LogicalAnd)
    logical_or, logical_xor = between_tensors(calculus.LogicalOr), between_tensors(calculus.LogicalXor)
    copysign, copysign_ = binary(calculus.CopySign, operator=False), in_place(calculus.CopySign)
    atan2_ = in_place(calculus.Atan2)
    lt_, le_, gt_, ge_ = map(in_place, (calculus.Lt, calculus.Le, calculus.Gt, calculus.Ge))
    eq_, ne_, logical_and_ = map(in_place, (calculus.Eq, calculus.Ne, calculus.LogicalAnd))
    logical_or_, logical_xor_ = map(in_place, (calculus.LogicalOr, calculus.LogicalXor))

    __mod__, __rmod__ = dividing(binary(calculus.Remainder)), dividing_reflected(calculus.Remainder)
    __floordiv__, __rfloordiv__ = dividing(binary(calculus.FloorDivide)), dividing_reflected(calculus.FloorDivide)
    remainder = dividing(binary(calculus.Remainder, operator=False))
    fmod = dividing(binary(calculus.Fmod, operator=False))
    floor_divide = dividing(binary(calculus.FloorDivide, operator=False))
    __imod__ = remainder_ = dividing(in_place(calculus.Remainder))
    __ifloordiv__ = floor_divide_ = dividing(in_place(calculus.FloorDivide))
    fmod_ = dividing(in_place(calculus.Fmod))

    __and__, __rand__ = binary(calculus.BitwiseAnd), reflected(calculus.BitwiseAnd)
    __or__, __ror__ = binary(calculus.BitwiseOr), reflected(calculus.BitwiseOr)
    __xor__, __rxor__ = binary(calculus.BitwiseXor), reflected(calculus.BitwiseXor)
    __lshift__, __rlshift__ = binary(calculus.BitwiseLeftShift), reflected(calculus.BitwiseLeftShift)
    __rshift__, __rrshift__ = binary(calculus.BitwiseRightShift), reflected(calculus.BitwiseRightShift)
    bitwise_and = binary(calculus.BitwiseAnd, operator=False)
    bitwise_or = binary(calculus.BitwiseOr, operator=False)
    bitwise_xor = binary(calculus.BitwiseXor, operator=False)
    bitwise_left_shift = binary(calculus.BitwiseLeftShift, operator=False)
    bitwise_right_shift = binary(calculus.BitwiseRightShift, operator=False)
    __iand__ = bitwise_and_ = in_place(calculus.BitwiseAnd)
    __ior__ = bitwise_or_ = in_place(calculus.BitwiseOr)
    __ixor__ = bitwise_xor_ = in_place(calculus.BitwiseXor)
    __ilshift__ = bitwise_left_shift_ = in_place(calculus.BitwiseLeftShift)
    __irshift__ = bitwise_right_shift_ = in_place(calculus.BitwiseRightShift)

    def __invert__(self: Any) -> Tensor:
        if self.kind.dtype.is_floating_point:
            raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return self.bitwise_not()

    def positive(self: Any) -> Tensor:
        """The tensor itself."""
        if self.kind.dtype.category == BOOL:
            raise RuntimeError("The `+` operator, on a bool tensor is not supported. Use x.int()")
        return self

    __pos__ = positive

    # With habits.
    def div(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """self / other; rounded down with rounding_mode='floor', towards 0 with 'trunc'.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([7, -7])
        >>> x.div(2), x.div(2, rounding_mode="floor"), x.div(2, rounding_mode="trunc")
        (tensor([ 3.5000, -3.5000]), tensor([ 3, -4]), tensor([ 3, -3]))
        """
        return apply(OPERATIONS[rounded_division(self, other, rounding_mode)], self, other)

    def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """div, in place"""
        return apply_in_place(OPERATIONS[rounded_division(self, other, rounding_mode)], self, other)

    def round(self: Any, *, decimals: int = 0) -> Tensor:
        """The nearest whole number, of two the even one; with `decimals`, the nearest multiple of 10 ** -decimals.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([0.5, 1.5, 2.3456]).round(), tg.tensor([2.3456]).round(decimals=2)
        (tensor([0., 2., 2.]), tensor([2.3500]))
        """
        operation, operands = rounding(self, decimals)
        return apply(operation, *operands)

    def round_(self: Any, *, decimals: int = 0) -> Tensor:
        """round, in place"""
        operation, operands = rounding(self, decimals)
        return apply_in_place(operation, *operands)

    def clamp(self: Any, min: Any = None, max: Any = None) -> Tensor:
        """min(max(self, min), max): tensors or numbers, of which one may be left out.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([-1.0, 0.5, 3.0]).clamp(0, 1)
        tensor([0.0000, 0.5000, 1.0000])
        """
        operation, operands = bounding(self, min, max)
        return apply(operation, *operands)

    def clamp_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        """clamp, in place"""
        operation, operands = bounding(self, min, max)
        return apply_in_place(operation, *operands)

    clip, clip_ = clamp, clamp_

    def clamp_min(self: Any, min: Any) -> Tensor:
        """max(self, min)"""
        return self.clamp(min)

    def clamp_max(self: Any, max: Any) -> Tensor:
        """min(self, max)"""
        return self.clamp(None, max)

    def clamp_min_(self: Any, min: Any) -> Tensor:
        """clamp_min, in place"""
        return self.clamp_(min)

    def clamp_max_(self: Any, max: Any) -> Tensor:
        """clamp_max, in place"""
        return self.clamp_(None, max)

    def lerp(self: Any, end: Tensor, weight: Any) -> Tensor:
        """self + weight (end - self), from self at weight 0 to `end` at 1"""
        return apply(OPERATIONS["lerp"], self, end, weight)

    def lerp_(self: Any, end: Tensor, weight: Any) -> Tensor:
        """lerp, in place"""
        return apply_in_place(OPERATIONS["lerp"], self, end, weight)

    def addcmul(self: Any, tensor1: Any, tensor2: Tensor, *old: Tensor, value: float = 1) -> Tensor:
        """self + value * tensor1 * tensor2"""
        if old:
            tensor1, tensor2, value = number_first("addcmul", tensor1, tensor2, *old)
        return apply(OPERATIONS["addcmul"], self, tensor1, tensor2, value)

    def addcmul_(self: Any, tensor1: Any, tensor2: Tensor, *old: Tensor, value: float = 1) -> Tensor:
        """addcmul, in place"""
        if old:
            tensor1, tensor2, value = number_first("addcmul_", tensor1, tensor2, *old)
        return apply_in_place(OPERATIONS["addcmul"], self, tensor1, tensor2, value)

    def addcdiv(self: Any, tensor1: Any, tensor2: Tensor, *old: Tensor, value: float = 1) -> Tensor:
        """self + value * tensor1 / tensor2"""
        if old:
            tensor1, tensor2, value = number_first("addcdiv", tensor1, tensor2, *old)
        return apply(OPERATIONS["addcdiv"], self, tensor1, tensor2, value)

    def addcdiv_(self: Any, tensor1: Any, tensor2: Tensor, *old: Tensor, value: float = 1) -> Tensor:
        """addcdiv, in place"""
        if old:
            tensor1, tensor2, value = number_first("addcdiv_", tensor1, tensor2, *old)
        return apply_in_place(OPERATIONS["addcdiv"], self, tensor1, tensor2, value)

    def masked_fill(self: Any, mask: Tensor, value: Any) -> Tensor:
        """`value`, a number or a 0-d tensor, where the mask holds; else self.

        >>> import tinygrad_edu as tg
        >>> x = tg.tensor([1.0, -2.0])
        >>> x.masked_fill(x < 0, 0.0)
        tensor([1., 0.])
        """
        return apply(OPERATIONS["masked_fill"], self, *filling(self, mask, value))

    def masked_fill_(self: Any, mask: Tensor, value: Any) -> Tensor:
        """masked_fill, in place"""
        return apply_in_place(OPERATIONS["masked_fill"], self, *filling(self, mask, value))

    def nan_to_num(
        self: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """self, with numbers in place of nan and of ±inf: by default 0 and the largest and least finite ones"""
        return apply(OPERATIONS["nan_to_num"], self, *stand_ins(self, nan, posinf, neginf))

    def nan_to_num_(
        self: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
    ) -> Tensor:
        """nan_to_num, in place"""
        return apply_in_place(OPERATIONS["nan_to_num"], self, *stand_ins(self, nan, posinf, neginf))

    def isclose(self: Any, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
        """Is |self - other| <= atol + rtol |other|, element by element?"""
        if not isinstance(other, Tensor):
            raise TypeError(f"isclose(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
        if other.kind.dtype is not self.kind.dtype:
            raise RuntimeError(f"isclose expects tensors of one dtype, got {self.kind.dtype} and {other.kind.dtype}")
        if rtol < 0 or atol < 0:
            raise RuntimeError("isclose: rtol and atol must be greater than or equal to zero")
        return apply(OPERATIONS["isclose"], self, other, float(rtol), float(atol), float(equal_nan))


ALIASES = {
    "absolute": "abs", "negative": "neg", "multiply": "mul", "subtract": "sub", "divide": "div", "true_divide": "div",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne", "fix": "trunc",
    "arccos": "acos", "arcsin": "asin", "arctan": "atan", "arctan2": "atan2", "arccosh": "acosh", "arcsinh": "asinh",
    "arctanh": "atanh", "sgn": "sign",
}  # fmt: skip
for alias, name in ALIASES.items():  # a second name for the method, and for its form in place
    for suffix in ("", "_"):
        home = ElementaryMethods if hasattr(ElementaryMethods, name + suffix) else ElementwiseMethods
        setattr(ElementaryMethods, alias + suffix, getattr(home, name + suffix))


def rounded_division(x: Any, y: Any, mode: str | None) -> str:
    """The name of the operation for `div`."""
    if mode not in (None, "floor", "trunc"):
        raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{mode}'")
    if mode is not None:
        check_divisor(x, y)
    return {None: "div", "floor": "divfloor", "trunc": "divtrunc"}[mode]


def rounding(x: Tensor, decimals: int) -> tuple[Any, tuple]:
    """The operation and operands for `round`."""
    if not decimals:
        return OPERATIONS["rint"], (x,)
    name = "rounddecimals" if decimals > 0 else "roundtens"
    return OPERATIONS[name], (x, 10.0 ** max(decimals, -decimals))


def bounding(x: Tensor, low: Any, high: Any) -> tuple[Any, tuple]:
    """The operation and operands for `clamp`."""
    if low is None and high is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if low is None:
        return OPERATIONS["clamp_max"], (x, high)
    if high is None:
        return OPERATIONS["clamp_min"], (x, low)
    return OPERATIONS["clamp"], (x, low, high)


def filling(x: Tensor, mask: Any, value: Any) -> tuple[Tensor, Any]:
    """The operands of masked_fill, checked."""
    if not isinstance(mask, Tensor) or mask.kind.dtype is not bool_:
        wrong = RuntimeError if isinstance(mask, Tensor) else TypeError
        raise wrong("masked_fill expects a mask of dtype bool; write a comparison such as x > 0")
    if isinstance(value, Tensor) and value.shape:
        raise RuntimeError(f"masked_fill only supports a 0-dimensional value tensor, got {len(value.shape)} dimensions")
    if type(value) is float and not x.kind.dtype.is_floating_point:
        value = fitting(x.kind.dtype, value)
    return mask, value


def stand_ins(x: Tensor, nan: float | None, above: float | None, below: float | None) -> tuple[float, float, float]:
    """The numbers for nan, inf and -inf. Whole numbers are all finite: any will do."""
    if not x.kind.dtype.is_floating_point:
        return 0.0, 0.0, 0.0
    limits = np.finfo(x.kind.dtype.numpy)
    return (
        0.0 if nan is None else nan,
        float(limits.max) if above is None else above,
        float(limits.min) if below is None else below,
    )
