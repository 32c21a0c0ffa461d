"""Scans: running sums, running products, and the recurrence that is the derivative of both.

The problem. A cumulative sum writes every total on the way. Each needs the one before, so nothing runs side by side
within a line; and a running float32 total rounds again at each step.

The idea. One more step back, all three are one loop with another step:

    cumsum       s_i = s_{i-1} + x_i
    cumprod      s_i = s_{i-1} x_i
    recurrence   s_i = a_i s_{i-1} + b_i       (backward: s_i = a_{i+1} s_{i+1} + b_i)

All run in float64 (or int64), whatever the dtype of the arrays. A running sum also keeps its rounding error on the side
(cpu/reduction.py), at no cost: the loop waits for the addition to s anyway, and the others fit in that wait.

An axis of length n of a contiguous array has the layout (outer, n, after). One *line* is the n elements with the same
place before and behind, `after` apart:

    x (2, 3) along axis 0     (1, 2, 3)     lines x[0], x[3] | x[1], x[4] | x[2], x[5]
    x (2, 3) along axis 1     (2, 3, 1)     lines x[0], x[1], x[2] | x[3], x[4], x[5]

Threads share out the lines, never the elements of one: so the result does not depend on their number.

Source: G. Blelloch, Prefix sums and their applications, 1990 (section 1.4: recurrences as scans).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
from numpy import float64

from .jit import jit
from .reduction import add
from .threads import PARALLEL_FROM, parallel

TASK = 16  # lines that one thread takes at a time: neighbours, which share cache lines


@jit
def sum_lines(first, last, out, n, x, after, reverse, zero):
    """Lines `first` to `last`. `zero` is 0.0 or 0, and with it the type of the totals."""
    step = -after if reverse else after
    for line in range(first, last):
        at = line // after * n * after + line % after
        at += (n - 1) * after if reverse else 0
        high, low = zero, zero
        for _ in range(n):
            high, low = add(high, low, x[at])
            out[at] = high + low if low == low else high
            at += step


@jit
def product_lines(first, last, out, n, x, after, one):
    for line in range(first, last):
        at = line // after * n * after + line % after
        total = one
        for _ in range(n):
            total *= x[at]
            out[at] = total
            at += after


@jit
def recurrence_lines(first, last, out, n, a, b, after, reverse):
    step = -after if reverse else after
    ahead = after if reverse else 0  # a_{i+1} on the way back
    for line in range(first, last):
        at = line // after * n * after + line % after
        at += (n - 1) * after if reverse else 0
        total = 0.0
        for i in range(n):
            total = b[at] + (a[at + ahead] * total if i > 0 else 0.0)
            out[at] = total
            at += step


@jit
def extreme_lines(first, last, out, n, x, after, largest):
    """Where the extreme so far is: the last of equal ones. nan is the most extreme."""
    for line in range(first, last):
        at = line // after * n * after + line % after
        best, place = x[at], 0
        for i in range(n):
            value = x[at]
            if value != value or (best == best and (value >= best if largest else value <= best)):
                best, place = value, i
            out[at] = place
            at += after


@jit
def logsumexp_lines(first, last, out, n, x, after):
    """log Σ eˣ so far, as the largest x so far and the sum of e to the power of the distances from it."""
    for line in range(first, last):
        at = line // after * n * after + line % after
        top, total = -math.inf, 0.0
        for _ in range(n):
            value = float64(x[at])
            if top == math.inf and value == value:
                pass
            elif value > top or value != value:
                total, top = total * math.exp(top - value) + 1.0 if total else 1.0, value
            elif value > -math.inf:
                total += math.exp(value - top)
            out[at] = top + math.log(total) if total and top < math.inf else top
            at += after


def over_lines(lines_kernel: Any) -> Callable[..., None]:
    """The function (out, n, *arguments) that calls lines_kernel(first, last, out, n, *arguments) for all lines of n.

    Small arrays in one go, large ones in tasks that the threads share out. (A closure, as in rows.py.)
    """

    @jit
    def serial(out, n, *arguments):
        lines_kernel(0, out.size // max(n, 1), out, n, *arguments)

    @jit(parallel=True)
    def shared(out, n, *arguments):
        lines = out.size // max(n, 1)
        for task in numba.prange((lines + TASK - 1) // TASK):
            lines_kernel(task * TASK, min((task + 1) * TASK, lines), out, n, *arguments)

    large = parallel(shared, serial)

    def call(out: Any, n: int, *arguments: Any) -> None:
        many = out.size >= PARALLEL_FROM and out.size // n > TASK
        (large if many else serial)(out, n, *arguments)

    return call


_sums, _products, _recurrence = over_lines(sum_lines), over_lines(product_lines), over_lines(recurrence_lines)
_extremes, _logsumexps = over_lines(extreme_lines), over_lines(logsumexp_lines)


def cumsum(out: Any, x: Any, n: int, after: int, reverse: bool) -> None:
    """out = the sums of x up to and with each element (from each element on, if `reverse`), along lines of n.

    Integers are added in int64, floats in float64.

    >>> import numpy as np
    >>> out = np.empty(6)
    >>> cumsum(out, np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 3, 1, False)
    >>> out
    array([ 1.,  3.,  6.,  4.,  9., 15.])
    """
    zero = 0.0 if x.dtype.kind == "f" else 0
    _sums(out, n, x, after, reverse, zero)


def cumprod(out: Any, x: Any, n: int, after: int) -> None:
    """out = the products of x up to and with each element; in float64 or int64 until they are stored."""
    one = 1.0 if x.dtype.kind == "f" else 1
    _products(out, n, x, after, one)


def recurrence(out: Any, a: Any, b: Any, n: int, after: int, reverse: bool) -> None:
    """out_i = a_i out_{i-1} + b_i; with `reverse`, out_i = a_{i+1} out_{i+1} + b_i. Floats."""
    _recurrence(out, n, a, b, after, reverse)


def cumextreme(out: Any, x: Any, n: int, after: int, largest: bool) -> None:
    """out (int64) = the place on its line of the largest (or smallest) of x up to and with each element."""
    _extremes(out, n, x, after, largest)


def logcumsumexp(out: Any, x: Any, n: int, after: int) -> None:
    """out = log(e^x_0 + ... + e^x_i) along lines of n, without overflow."""
    _logsumexps(out, n, x, after)
