"""Scans on the GPU: how a block of threads makes all running totals of many numbers, and for which operations.

The problem. Each running total needs the one before it. On its own, a thread can do nothing but walk along the line.

The idea. Where the operation is associative, (a b) (c d) = a (b (c d)), a total is that of what lies before a piece,
joined with that of the piece. So the pieces can start at once:

    each thread    4 neighbours, one after the other                    3 1 4 1 | 5 9 2 6 | 5 3 5 8    totals 9 22 21
    each warp      adds to its totals those of the lane 1, 2, 4, 8,
                   16 before it: after 5 steps all before it            0       | 9       | 31
    the block      the 8 totals of its warps meet in shared memory
    each thread    its 4 neighbours again, from that start              3 4 8 9 | 14 23 25 31 | 36 39 44 52

The first of these steps is why a scan is cheap: the shuffles are for a quarter of the numbers.

A state is a pair, as in monoids.py; but here the left operand is always what lies before, so `join` need not commute:

                    first            second                        join (a, b) with the later (c, d)
    sum             the total        what rounding took from it    two-sum
    prod            the product      -                             a c
    recurrence      a                b, of s → a s + b             (a c, c b + d): the left map, then the right one
    max, min        the best         its place                     the last of equals; nan wins
    logsumexp       the largest x    Σ e^(x - largest)             both sums, scaled to the larger of a and c

Products and recurrences of floats are computed in float64, as on the CPU. The product of a piece may still be larger
than any number, although a zero stands before it, and 0 · inf is nan where a thread that walks along the line has 0. So
what overflows becomes the largest number, which stands for "too large": times 0 it is 0, times anything else it
stays.

Source: G. Blelloch, Prefix sums and their applications, 1990; M. Harris, S. Sengupta, J. Owens, Parallel prefix sum
(scan) with CUDA, GPU Gems 3, chapter 39, 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from . import math
from .device import cuda
from .jit import ALL, WARP, WARPS, device
from .monoids import monoid


class Scan(NamedTuple):
    """An associative operation on pairs; `dtypes` of the first and the second. The rest are functions of the GPU."""

    dtypes: tuple[str, str]
    identity: Callable[[], Any]  # () -> pair
    lift: Callable[..., Any]  # (x, y, place) -> pair: an element of each operand, and where it is on the line
    join: Callable[..., Any]  # (pair, pair), as four numbers -> pair
    finish: Callable[..., Any]  # pair -> the result


@cache
def operation(op: str, dtype: str) -> Scan:
    """sum, prod, recurrence, max, min or logsumexp of elements of a dtype."""
    floating = "float" in dtype
    if op == "sum":
        return _of_monoid("sum", dtype, "int32" if not floating else dtype)
    if op == "prod":
        return _product() if floating else _of_monoid("prod", "int64", "int32")
    return {"recurrence": _recurrence, "max": _extreme, "min": _extreme, "logsumexp": _logsumexp}[op](op, dtype)


def _of_monoid(op: str, dtype: str, second: str) -> Scan:
    """A reduction's operation, every total of which is wanted."""
    m = monoid(op, dtype)
    A, B = getattr(numba, dtype), getattr(numba, second)
    join_pairs, end = m.join, m.finish
    start = A(1 if op == "prod" else 0)

    @device
    def identity():
        return start, B(0)

    @device
    def lift(x, y, at):
        return A(x), B(0)

    @device
    def join(a, b, c, d):
        first, second = join_pairs(a, b, c, d)
        return A(first), B(second)

    @device
    def finish(a, b):
        return end(a, b, A(1))

    return Scan((dtype, second), identity, lift, join, finish)


MOST = float(np.finfo(np.float64).max)  # too large


@device
def times(p, q):
    """p q of float64; too large, not infinite, where finite numbers overflow."""
    product = p * q
    finite, large = abs(p) < np.inf and abs(q) < np.inf, abs(p) == MOST or abs(q) == MOST or abs(product) == np.inf
    if finite and large and product != 0.0:
        return MOST if product > 0.0 else -MOST
    return product


@device
def shown(x):
    """What is too large is infinite in a result."""
    return x * 2.0 if abs(x) == MOST else x


def _product() -> Scan:
    T, B = numba.float64, numba.int32

    @device
    def identity():
        return T(1), B(0)

    @device
    def lift(x, y, at):
        return T(x), B(0)

    @device
    def join(a, b, c, d):
        return times(a, c), b

    @device
    def finish(a, b):
        return shown(a)

    return Scan(("float64", "int32"), identity, lift, join, finish)


def _recurrence(op: str, dtype: str) -> Scan:
    T = numba.float64

    @device
    def identity():
        return T(1), T(0)

    @device
    def lift(x, y, at):
        return T(x) if at > 0 else T(0), T(y)  # nothing comes before the first

    @device
    def join(a, b, c, d):
        return times(a, c), times(c, b) + d

    @device
    def finish(a, b):
        return shown(b)

    return Scan(("float64", "float64"), identity, lift, join, finish)


def _extreme(op: str, dtype: str) -> Scan:
    first = dtype if "float" in dtype else "int64"
    A, B, largest = getattr(numba, first), numba.int64, op == "max"

    @device
    def identity():
        return A(0), B(-1)  # nowhere

    @device
    def lift(x, y, at):
        return A(x), B(at)

    @device
    def join(a, b, c, d):
        better = c >= a if largest else c <= a
        takes = d >= 0 and (b < 0 or c != c or (a == a and better))
        return (c, d) if takes else (a, b)

    @device
    def finish(a, b):
        return b

    return Scan((first, "int64"), identity, lift, join, finish)


def _logsumexp(op: str, dtype: str) -> Scan:
    T, lowest = getattr(numba, dtype), -np.inf
    exp, log = getattr(math, f"exp_{dtype}"), getattr(math, f"log_{dtype}")

    @device
    def identity():
        return T(lowest), T(0)

    @device
    def lift(x, y, at):
        return T(x), T(1)

    @device
    def join(a, b, c, d):
        top, total, low, rest = (c, d, a, b) if c > a else (a, b, c, d)
        return top, total + rest * (T(1) if low == top else exp(low - top))  # inf - inf would be nan

    @device
    def finish(a, b):
        return a + log(b)

    return Scan((dtype, dtype), identity, lift, join, finish)


@cache
def running(op: str, dtype: str) -> tuple[Callable, Callable]:
    """What warps and blocks do together, by all of their threads:

    running_warp(a, b)       the pair of this thread and those before it in its warp
    before_block(a, b)       the pair of those before it in its block, and that of the block: four numbers
    """
    o = operation(op, dtype)
    identity, join = o.identity, o.join
    A, B = (getattr(numba, name) for name in o.dtypes)

    @device
    def running_warp(a, b):
        lane = cuda.threadIdx.x % WARP
        distance = 1
        while distance < WARP:
            c, d = cuda.shfl_up_sync(ALL, a, distance), cuda.shfl_up_sync(ALL, b, distance)
            if lane >= distance:
                a, b = join(c, d, a, b)
            distance *= 2
        return a, b

    @device
    def before_block(a, b):
        firsts, seconds = cuda.shared.array(WARPS, A), cuda.shared.array(WARPS, B)
        lane, warp = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP
        a, b = running_warp(a, b)
        if lane == WARP - 1:
            firsts[warp], seconds[warp] = a, b
        cuda.syncthreads()
        a, b = cuda.shfl_up_sync(ALL, a, 1), cuda.shfl_up_sync(ALL, b, 1)
        if lane == 0:
            a, b = identity()
        c, d = identity()
        for k in range(WARPS):
            if k == warp:
                a, b = join(c, d, a, b)
            c, d = join(c, d, firsts[k], seconds[k])
        cuda.syncthreads()  # all have read, so that the next call may write
        return a, b, c, d

    return running_warp, before_block
