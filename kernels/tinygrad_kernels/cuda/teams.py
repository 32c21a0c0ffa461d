"""Teams: which threads work on a row together, how each of them reads it, and how they agree on a result.

The problem. Softmax, a norm, a variance ask first for something of a whole row (its largest element, its mean), then
use it for each element. Rows have 10 elements or 100,000; and a kernel should read a row from memory once, not for
each question.

The idea. A row is the work of a *team*: a warp if it is short, a block if it is long; or, where the elements of a row
lie far apart in memory but its neighbours' elements lie next to them, 8 threads below each other, beside 31 such
teams.

    warp       8 rows to a block                  row 0  ░░░░░░░░   32 threads side by side
                                                  row 1  ░░░░░░░░
    block      1 row to a block                   row 0  ░░░░░░░░░░░░░░░░░░░░   256 threads side by side
    column     32 lines to a block                ▒ ▒ ▒ ▒   line 3: one thread in each of the 8 warps
                                                  ▒ ▒ ▒ ▒

A kernel is written once, for any team. In it a thread reads `each` elements of the row into registers, as far apart as
the team has members, so that neighbours read neighbours and `each` requests to memory are under way at once:

    chunk of 32 x 4      thread 0 has elements 0, 32, 64, 96;  thread 1 has 1, 33, 65, 97;  ...

A row of one chunk stays in the registers until its result is written: memory is read once. A longer one is read again,
chunk by chunk, and mostly found in a cache.

Then the team *meets*. Each thread has folded its elements into a state of three numbers; `join` makes one of two, and
all members get the same result, to the last bit:

                  state                                          join
    softmax       largest, sum of e^(x - largest), -             rows.py
    moments       count, mean, squared distances from it         variance.py
    sums          a, b, -                                        addition

Source: J. Luitjens, Faster Parallel Reductions on Kepler, 2014; on rows in registers, NVIDIA, Apex (fused layer norm),
and P. Tillet, H. Kung, D. Cox, Triton, 2019, whose first example is this softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
from numba import int32

from .device import cuda
from .jit import ALL, THREADS, WARP, WARPS, device

Way = tuple[str, int]  # a team, and how many elements of a chunk each member has

WAYS: tuple[Way, ...] = (("warp", 4), ("warp", 32), ("block", 16))


class Team(NamedTuple):
    """How the threads of a block are divided among teams."""

    threads: tuple[int, int]  # of a block
    size: int  # members of a team
    count: int  # type: ignore[assignment]  # teams in a block
    place: Callable[[], Any]  # () -> the number of this thread's team in the launch, and its own in the team


def way_for(cols: int, ways: tuple[Way, ...] = WAYS) -> Way:
    """The team for rows of so many elements: the first whose registers are enough, else the last."""
    return next((way for way in ways if cols <= chunk_of(way)), ways[-1])


def chunk_of(way: Way) -> int:
    """The elements of a chunk: so many are in registers at once."""
    return team(way[0]).size * way[1]


@cache
def team(kind: str) -> Team:
    """'thread', 'warp', 'block' or 'column'."""
    if kind == "thread":

        @device
        def place():
            return cuda.grid(1), 0

        return Team((THREADS, 1), 1, THREADS, place)

    if kind == "warp":

        @device
        def place():
            return cuda.blockIdx.x * WARPS + cuda.threadIdx.y, cuda.threadIdx.x

        return Team((WARP, WARPS), WARP, WARPS, place)

    if kind == "block":

        @device
        def place():
            return cuda.blockIdx.x, cuda.threadIdx.x

        return Team((THREADS, 1), THREADS, 1, place)

    @device
    def place():
        return cuda.blockIdx.x * WARP + cuda.threadIdx.x, cuda.threadIdx.y

    return Team((WARP, WARPS), WARPS, WARP, place)


@cache
def reader(dtype: str, way: Way) -> tuple[Callable, Callable]:
    """How a thread gets its elements of a chunk.

    count(start, stop): how many there are, from number `start` of the row on, its first, to `stop`, where the row ends.
    read(kept, x, at, n, missing): those n, of which the first is x[at]; then `missing`.
    """
    size, each = team(way[0]).size, way[1]

    @device
    def count(start, stop):
        return int32(min((stop - start + size - 1) // size, each))

    @device
    def read(kept, x, at, n, missing):
        for k in range(each):
            kept[k] = x[at + k * size] if k < n else missing

    return count, read


@cache
def meeting(kind: str, dtype: str, join: Callable[..., Any]) -> Callable[..., Any]:
    """meet(a, b, c): the states of all members joined, for all members. Every thread of the block has to come."""
    T = getattr(numba, dtype)

    if kind == "thread":

        @device
        def meet(a, b, c):
            return a, b, c

        return meet

    @device
    def meet_warp(a, b, c):
        distance = WARP // 2
        while distance > 0:
            d, e = cuda.shfl_down_sync(ALL, a, distance), cuda.shfl_down_sync(ALL, b, distance)
            a, b, c = join(a, b, c, d, e, cuda.shfl_down_sync(ALL, c, distance))
            distance //= 2
        return cuda.shfl_sync(ALL, a, 0), cuda.shfl_sync(ALL, b, 0), cuda.shfl_sync(ALL, c, 0)

    if kind == "warp":
        return meet_warp

    if kind == "block":

        @device
        def meet(a, b, c):
            kept = cuda.shared.array((3, WARPS), T)
            thread = cuda.threadIdx.x
            a, b, c = meet_warp(a, b, c)
            if thread % WARP == 0:
                kept[0, thread // WARP], kept[1, thread // WARP], kept[2, thread // WARP] = a, b, c
            cuda.syncthreads()
            a, b, c = kept[0, 0], kept[1, 0], kept[2, 0]
            for k in range(1, WARPS):
                a, b, c = join(a, b, c, kept[0, k], kept[1, k], kept[2, k])
            cuda.syncthreads()  # all have read, so that the next meeting may write
            return a, b, c

        return meet

    @device
    def meet(a, b, c):
        kept = cuda.shared.array((3, WARPS, WARP), T)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        kept[0, y, x], kept[1, y, x], kept[2, y, x] = a, b, c
        cuda.syncthreads()
        a, b, c = kept[0, 0, x], kept[1, 0, x], kept[2, 0, x]
        for k in range(1, WARPS):
            a, b, c = join(a, b, c, kept[0, k, x], kept[1, k, x], kept[2, k, x])
        cuda.syncthreads()
        return a, b, c

    return meet


@device
def add(a, b, c, d, e, f):
    """The join of sums."""
    return a + d, b + e, c + f
