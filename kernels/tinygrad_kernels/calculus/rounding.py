"""Rounding, remainders, bounds; questions that are answered with true or false; bits.

The problem. These functions have steps: between the steps they are flat, or they are the operand itself. Their
derivatives are trivial; what is not trivial is what happens *at* a step, and with integers, infinities and nan.

The idea. Take PyTorch's answer where it is a convention, and write formulas that hold for floats and for integers:
on an integer floor, ceil, trunc and rint are the identity, and a quotient is a whole number (codegen.py prints them
so). Two conventions meet in the quotient of numbers with different signs:

    x     y     trunc(x / y)   fmod(x, y)     floor(x / y)   remainder(x, y)
    7     3      2              1              2              1
   -7     3     -2             -1             -3              2
    7    -3     -2              1             -3             -2

fmod has the sign of x, remainder that of y; each is what its quotient leaves over: x = quotient · y + rest.

A bound stops the gradient outside of it; at the bound itself it passes. Two equal operands of maximum share it.

Source: ISO/IEC 9899:2018 (C17), 7.12.10; R. Boute, The Euclidean definition of the functions div and mod, 1992.
"""

from __future__ import annotations

from . import core
from .core import Elementwise, abs, div, fmod, larger, rint, smaller, where


class Floor(Elementwise):
    """out = the largest whole number that is not above x;   its derivative is 0"""

    kinds = "if"

    def forward(x):
        return core.floor(x)

    def backward(g, x, out):
        return 0.0


class Ceil(Elementwise):
    """out = the smallest whole number that is not below x;   its derivative is 0"""

    kinds = "if"

    def forward(x):
        return core.ceil(x)

    def backward(g, x, out):
        return 0.0


class Trunc(Elementwise):
    """out = x without its fractional part;   its derivative is 0"""

    kinds = "if"

    def forward(x):
        return core.trunc(x)

    def backward(g, x, out):
        return 0.0


class Round(Elementwise):
    """out = the nearest whole number, of two the even one;   its derivative is 0"""

    name = "rint"
    kinds = "if"

    def forward(x):
        return rint(x)

    def backward(g, x, out):
        return 0.0


class RoundDecimals(Elementwise):
    """out = x rounded to a multiple of 1 / scale"""

    kinds = "f"
    parameters = ("scale",)

    def forward(x, scale):
        return div(rint(x * scale), scale)

    def backward(g, x, scale, out):
        return 0.0, None


class RoundTens(Elementwise):
    """out = x rounded to a multiple of scale"""

    kinds = "f"
    parameters = ("scale",)

    def forward(x, scale):
        return rint(div(x, scale)) * scale

    def backward(g, x, scale, out):
        return 0.0, None


class Frac(Elementwise):
    """out = x - trunc x"""

    kinds = "f"

    def forward(x):
        return x - core.trunc(x)

    def backward(g, x, out):
        return g


class Fmod(Elementwise):
    """out = x - y trunc(x / y), of the sign of x;   dout/dy = -trunc(x / y)"""

    kinds = "if"

    def forward(x, y):
        return fmod(x, y)

    def backward(g, x, y, out):
        return g, -g * core.trunc(div(x, y))


class Remainder(Elementwise):
    """out = x - y floor(x / y), of the sign of y;   dout/dy = -floor(x / y)"""

    kinds = "if"

    def forward(x, y):
        rest = fmod(x, y)
        return where((rest != 0.0) & ((y < 0.0) != (rest < 0.0)), rest + y, rest)

    def backward(g, x, y, out):
        return g, -g * floor_of_quotient(x, y)


def floor_of_quotient(x, y):
    """floor(x / y), without the rounding error that x / y may make across a whole number.

    x less its rest is a multiple of y, so that division is exact or nearly so: what is off is repaired. A
    quotient of 0 keeps the sign of x / y.
    """
    rest = fmod(x, y)
    exact = div(x - rest, y)
    below = where((rest != 0.0) & ((y < 0.0) != (rest < 0.0)), exact - 1.0, exact)
    whole = core.floor(below)
    nearest = where(below - whole > 0.5, whole + 1.0, whole)
    quotient = div(x, y)
    return where(y == 0.0, quotient, where(below == 0.0, 0.0 * quotient, nearest))


class FloorDivide(Elementwise):
    """out = floor(x / y): `x // y`, outside the graph as in PyTorch"""

    name = "floor_divide"
    kinds = "if"

    def forward(x, y):
        return floor_of_quotient(x, y)


class DivFloor(Elementwise):
    """out = floor(x / y);   its derivatives are 0"""

    kinds = "if"

    def forward(x, y):
        return floor_of_quotient(x, y)

    def backward(g, x, y, out):
        return 0.0, 0.0


class DivTrunc(Elementwise):
    """out = trunc(x / y);   its derivatives are 0"""

    kinds = "if"

    def forward(x, y):
        return core.trunc(div(x, y))

    def backward(g, x, y, out):
        return 0.0, 0.0


class Maximum(Elementwise):
    """out = the larger one, nan if there is one;   equal operands get half of the gradient each"""

    def forward(x, y):
        return larger(x, y)

    def backward(g, x, y, out):
        shared = where(x == y, 0.5 * g, g)
        return where(x < y, 0.0, shared), where(x > y, 0.0, shared)


class Minimum(Elementwise):
    """out = the smaller one, nan if there is one;   equal operands get half of the gradient each"""

    def forward(x, y):
        return smaller(x, y)

    def backward(g, x, y, out):
        shared = where(x == y, 0.5 * g, g)
        return where(x > y, 0.0, shared), where(x < y, 0.0, shared)


class Clamp(Elementwise):
    """out = min(max(x, low), high);   the gradient goes to x up to the bounds, beyond them to the bound"""

    kinds = "if"

    def forward(x, low, high):
        return smaller(larger(x, low), high)

    def backward(g, x, low, high, out):
        inside = (x >= low) & (x <= high)
        return (
            where(inside, g, 0.0),
            where((x < low) & (low < high), g, 0.0),
            where((x > high) | (high < low), g, 0.0),
        )


class ClampMin(Elementwise):
    """out = max(x, low)"""

    name = "clamp_min"

    def forward(x, low):
        return larger(x, low)

    def backward(g, x, low, out):
        return where(x >= low, g, 0.0), where(x < low, g, 0.0)


class ClampMax(Elementwise):
    """out = min(x, high)"""

    name = "clamp_max"

    def forward(x, high):
        return smaller(x, high)

    def backward(g, x, high, out):
        return where(x <= high, g, 0.0), where(x > high, g, 0.0)


class MaskedFill(Elementwise):
    """out = value where the mask holds, else x"""

    name = "masked_fill"
    parameters = ("mask", "value")

    def forward(x, mask, value):
        return where(mask, value, x)

    def backward(g, x, mask, value, out):
        return where(mask, 0.0, g), None, where(mask, g, 0.0)


class NanToNum(Elementwise):
    """out = x, with a number in place of nan, of inf and of -inf"""

    name = "nan_to_num"
    parameters = ("nan", "above", "below")

    def forward(x, nan, above, below):
        finite = x - x == 0.0
        return where(finite, x, where(x != x, nan, where(x > 0.0, above, below)))

    def backward(g, x, nan, above, below, out):
        return where(x - x == 0.0, g, 0.0), None, None, None


# Questions. `x - x` is 0 for every finite number, also for an integer, and nan for the rest.


class IsNan(Elementwise):
    predicate = True

    def forward(x):
        return x != x


class IsInf(Elementwise):
    predicate = True

    def forward(x):
        return (x == x) & (x - x != 0.0)


class IsFinite(Elementwise):
    predicate = True

    def forward(x):
        return x - x == 0.0


class IsClose(Elementwise):
    """|x - y| <= atol + rtol |y|, and equal infinities; `both_nan` is how nan and nan are counted"""

    predicate, floating = True, True
    parameters = ("rtol", "atol", "both_nan")

    def forward(x, y, rtol, atol, both_nan):
        distance = abs(x - y)
        near = (distance <= atol + abs(rtol * y)) & (distance - distance == 0.0)
        return (x == y) | near | ((x != x) & (y != y) & (both_nan != 0.0))


class LogicalAnd(Elementwise):
    name, predicate = "logical_and", True

    def forward(x, y):
        return (x != 0.0) & (y != 0.0)


class LogicalOr(Elementwise):
    name, predicate = "logical_or", True

    def forward(x, y):
        return (x != 0.0) | (y != 0.0)


class LogicalXor(Elementwise):
    name, predicate = "logical_xor", True

    def forward(x, y):
        return (x != 0.0) != (y != 0.0)


class LogicalNot(Elementwise):
    name, predicate = "logical_not", True

    def forward(x):
        return x == 0.0


# Bits, of whole numbers and truth values.


class BitwiseAnd(Elementwise):
    name, kinds = "bitwise_and", "bi"

    def forward(x, y):
        return x & y


class BitwiseOr(Elementwise):
    name, kinds = "bitwise_or", "bi"

    def forward(x, y):
        return x | y


class BitwiseXor(Elementwise):
    name, kinds = "bitwise_xor", "bi"

    def forward(x, y):
        return x ^ y


class BitwiseNot(Elementwise):
    """out = x with every bit turned: -1 is all ones, true is not false"""

    name, kinds = "bitwise_not", "bi"

    def forward(x):
        return x ^ -1


class BitwiseLeftShift(Elementwise):
    """out = x · 2ʸ; 0 where no bit is left"""

    name, kinds = "bitwise_left_shift", "i"

    def forward(x, y):
        far = (y < 0) | (y > 63)
        return where(far, 0, x << where(far, 0, y))


class BitwiseRightShift(Elementwise):
    """out = floor(x / 2ʸ); 0 or -1 where no bit is left"""

    name, kinds = "bitwise_right_shift", "i"

    def forward(x, y):
        return x >> where((y < 0) | (y > 63), 63, y)
