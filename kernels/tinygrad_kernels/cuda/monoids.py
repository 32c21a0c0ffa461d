"""Reductions on the GPU: how a block of threads makes one number of many, and the launches around it.

The problem. A sum is one number; a GPU has a hundred thousand threads. They have to meet, and meetings are what a GPU
is worst at.

The idea. Meet in three rounds, each smaller than the one before:

    each thread    adds every 256th element of its piece, on its own         many elements → 256 totals
    each warp      its 32 threads hand totals down: lane k takes from k + 16, then from k + 8, 4, 2, 1   (a shuffle)
    the block      the 8 totals of its warps meet in shared memory            → 1 total

    lane    0    1    2    3    4    5    6    7
            └────┼────┼────┼──▶ +4 ──┘    │    │          after log2(32) = 5 shuffles lane 0 has the sum of all
            ...

A row with few elements has a warp, not a block; a long one is cut into pieces, one to a block, and a second launch
joins what they found. How many pieces depends on the sizes alone, and nobody uses atomic additions, whose order is
luck: so the same array gives the same bits, on any GPU.

As on the CPU any *monoid* will do (codegen_reduction.py). Its state is a pair, whatever the operation:

                first          second                              join
    sum         the total      what rounding took from it          two-sum: exact but for the last digit
    prod        the product    -
    max, min    the best       -                                   nan wins
    argmax      the best       its place                           the first of equals
    any, all    0 or 1         -

Source: M. Harris, Optimizing Parallel Reduction in CUDA, 2007; for shuffles, J. Luitjens, Faster Parallel Reductions on
Kepler, 2014; for the sum, D. Knuth, The Art of Computer Programming 2, section 4.2.2, theorem B.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from .device import cuda
from .jit import ALL, WARP, WARPS, device


class Monoid(NamedTuple):
    """An operation on pairs; `dtypes` of the first and the second. All but these are functions of the GPU."""

    dtypes: tuple[str, str]
    identity: Callable[[], Any]  # () -> pair
    lift: Callable[..., Any]  # (element, place) -> pair
    join: Callable[..., Any]  # (pair, pair), as four numbers -> pair
    finish: Callable[..., Any]  # (pair, divisor) -> the result


@cache
def monoid(op: str, dtype: str) -> Monoid:
    """sum, prod, max, min, argmax, argmin, any or all of elements computed in a dtype."""
    floating, place = "float" in dtype, op.startswith("arg")
    first = dtype if floating and op not in ("any", "all") else "int64"
    second = first if floating and op == "sum" else "int64"
    A, B = getattr(numba, first), getattr(numba, second)
    start = _identity(op, first)

    @device
    def identity():
        return A(start), B(0)

    if op in ("any", "all"):
        wanted = op == "any"

        @device
        def lift(x, at):
            return A(1 if (x != 0) == wanted else 0), B(0)
    elif place:

        @device
        def lift(x, at):
            return A(x), B(at)
    else:

        @device
        def lift(x, at):
            return A(x), B(0)

    @device
    def finish(a, b, divisor):
        return a

    if op == "sum" and floating:

        @device
        def join(a, b, c, d):
            total = a + c
            back = total - a
            return total, (b + d) + ((a - (total - back)) + (c - back))

        @device
        def finish(a, b, divisor):
            return (a + b if b == b else a) / divisor  # where a total is inf, b is nan and says nothing
    elif op == "sum":

        @device
        def join(a, b, c, d):
            return a + c, b
    elif op == "prod":

        @device
        def join(a, b, c, d):
            return a * c, b
    elif op in ("any", "all"):

        @device
        def join(a, b, c, d):
            return a | c, b

        @device
        def finish(a, b, divisor):
            return (a != 0) == wanted
    else:
        highest = op.endswith("max")

        @device
        def join(a, b, c, d):
            better = c > a if highest else c < a
            first_of_equals = (c == a or (c != c and a != a)) and d < b
            takes = (c != c and a == a) or (better and a == a) or first_of_equals
            return (c, d) if takes else (a, b)

    if place:
        nowhere = np.iinfo(np.int64).max  # so that any element wins over the identity

        @device
        def identity():
            return A(start), B(nowhere)

        @device
        def finish(a, b, divisor):
            return b

    return Monoid((first, second), identity, lift, join, finish)


def _identity(op: str, dtype: str) -> float:
    if op == "prod":
        return 1
    if op[-3:] not in ("max", "min"):
        return 0
    lowest = op.endswith("max")
    if "float" in dtype:
        return -np.inf if lowest else np.inf
    limits = np.iinfo(dtype)
    return int(limits.min if lowest else limits.max)


@cache
def meetings(op: str, dtype: str) -> tuple[Callable, Callable]:
    """join_warp(a, b) and join_block(a, b): the pair of all threads of a warp (a block), in its first thread."""
    m = monoid(op, dtype)
    join = m.join
    A, B = (getattr(numba, name) for name in m.dtypes)

    @device
    def join_warp(a, b):
        distance = WARP // 2
        while distance > 0:
            c, d = cuda.shfl_down_sync(ALL, a, distance), cuda.shfl_down_sync(ALL, b, distance)
            a, b = join(a, b, c, d)
            distance //= 2
        return a, b

    @device
    def join_block(a, b):
        firsts, seconds = cuda.shared.array(WARPS, A), cuda.shared.array(WARPS, B)
        thread = cuda.threadIdx.x
        a, b = join_warp(a, b)
        if thread % WARP == 0:
            firsts[thread // WARP], seconds[thread // WARP] = a, b
        cuda.syncthreads()
        if thread == 0:
            for k in range(1, WARPS):
                a, b = join(a, b, firsts[k], seconds[k])
        return a, b

    return join_warp, join_block


def divisor_type(dtype: str) -> str:
    return dtype if "float" in dtype else "int64"
