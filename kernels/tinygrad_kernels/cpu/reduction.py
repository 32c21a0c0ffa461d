"""What every printed reduction needs: a total that carries its own rounding error along.

Adding b to a total a in floating point gives s = fl(a + b), and the part that was rounded away can be had exactly
from two subtractions (whichever of a and b is larger goes first). Summed up on the side and added at the
end, it makes the total of n numbers as good as one rounding, independent of n.

Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54, 1974.
"""

from __future__ import annotations

from .jit import jit


@jit
def add(high, low, x):
    """(high, low) + x, where `low` collects what `high` cannot hold."""
    total = high + x
    lost = (high - total) + x if abs(high) >= abs(x) else (x - total) + high
    return total, low + lost


@jit
def finish(high, low, divisor):
    """The total as one number, divided. Where a total is inf, `low` is nan and says nothing."""
    return (high + low if low == low else high) / divisor


@jit
def add_int(high, low, x):
    """Integers round nothing away (they wrap around, as everywhere)."""
    return high + x, low


@jit
def finish_int(high, low, divisor):
    return high + low
