"""What every printed reduction needs: how totals are joined, and how they become a result.

*Sums.* Adding b to a total a in floating point gives s = fl(a + b), and the part that was rounded away can be had
exactly from two subtractions (whichever of a and b is larger goes first). Summed up on the side and added at the
end, it makes the total of n numbers as good as one rounding, independent of n.

*Maxima.* A maximum of floats does not vectorise: nan and -0.0 forbid another order. A maximum of integers does. The
bits of a float, read as an integer, sort as the float does, except that negative ones sort backwards; so the bits below
the sign are flipped in those. That is the *key* of a float. Turning it back is the same flip.

    float32     bits        key                        float32      bits        key
    2.0         40000000     40000000                  -0.0         80000000    -1
    1.0         3f800000     3f800000                  -1.0         bf800000    -3f800001
    0.0         00000000     0                         -2.0         c0000000    -40000001

nan gets the greatest integer, whose flip is a nan again, so it wins, as PyTorch wants it. The minimum is the maximum of
the complements ~key, nan again the greatest.

All joins have one form, join((high, low), x) -> (high, low), where `low` is what a sum keeps on the side.

Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54, 1974; for the
keys, M. Herf, Radix tricks, 2001.
"""

from __future__ import annotations

from numpy import float32, float64, int32, int64

from .jit import jit


# Joining a block's total into the totals so far ---------------------------------------------------------------
@jit
def add(high, low, x):
    """(high, low) + x, where `low` collects what `high` cannot hold."""
    total = high + x
    lost = (high - total) + x if abs(high) >= abs(x) else (x - total) + high
    return total, low + lost


@jit
def add_exact(high, low, x):
    """Integers round nothing away (they wrap around, as everywhere)."""
    return high + x, low


@jit
def multiply(high, low, x):
    return high * x, low


@jit
def larger(high, low, x):
    return max(high, x), low


@jit
def either(high, low, x):
    return high | x, low


# The result ---------------------------------------------------------------------------------------------------
@jit
def finish(high, low, divisor):
    """The total as one number, divided. Where a total is inf, `low` is nan and says nothing."""
    return (high + low if low == low else high) / divisor


@jit
def finish_exact(high, low, divisor):
    return high


@jit
def finish_any(high, low, divisor):
    return high != 0


@jit
def finish_all(high, low, divisor):
    return high == 0


@jit
def finish_max(high, low, divisor):
    return high


@jit
def finish_min(high, low, divisor):
    return ~high


# Floats as integers in the same order, and back ----------------------------------------------------------------
@jit
def flip_float32(bits):
    """The bits below the sign flipped in negative numbers; its own inverse."""
    return int32(bits ^ int32((bits >> int32(31)) & int32(0x7FFFFFFF)))


@jit
def flip_float64(bits):
    return int64(bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF))


@jit
def key_max_float32(x):
    """An integer that sorts as x does; nan is the greatest."""
    return flip_float32(float32(x).view(int32)) if x == x else int32(0x7FFFFFFF)


@jit
def key_max_float64(x):
    return flip_float64(float64(x).view(int64)) if x == x else int64(0x7FFFFFFFFFFFFFFF)


@jit
def key_min_float32(x):
    """An integer that sorts backwards; nan is the greatest here too."""
    return int32(~flip_float32(float32(x).view(int32))) if x == x else int32(0x7FFFFFFF)


@jit
def key_min_float64(x):
    return int64(~flip_float64(float64(x).view(int64))) if x == x else int64(0x7FFFFFFFFFFFFFFF)


@jit
def finish_max_float32(high, low, divisor):
    return int32(flip_float32(int32(high))).view(float32)


@jit
def finish_max_float64(high, low, divisor):
    return int64(flip_float64(int64(high))).view(float64)


@jit
def finish_min_float32(high, low, divisor):
    return int32(flip_float32(int32(~high))).view(float32)


@jit
def finish_min_float64(high, low, divisor):
    return int64(flip_float64(int64(~high))).view(float64)
