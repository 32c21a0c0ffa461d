"""Finding on the GPU: the places of what is not 0, in order.

The problem. `x[mask]` wants the numbers of the True elements, one behind the other. Where does thread i write its own?
Behind those of all threads before it: a number that nobody has counted yet.

The idea. Count first. How many there are before each thread is a running sum (prefix.py), so three steps make the list:

    x        0 1 1 0 | 1 0 0 1 | 1 1 1 0         a block to each piece
    count        2         2         3           launch 1, whose sum is the size of the result
    before       0         2         4           launch 2: a block adds up the counts of the pieces before its own, then
    write      1 2       4 7     8 9 10          makes the running sum in its piece: each thread knows where to write

This is *compaction*. The result has no gaps and is in order, whatever the threads do first.

Source: G. Blelloch, Prefix sums and their applications, 1990, section 1.3.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import int64

from . import memory
from .device import cuda
from .indexing import INT64
from .jit import THREADS, Kernel, device, kernel
from .prefix import running
from .reduction import pieces_for

EACH = 8  # neighbours that a thread looks at in a tile
TILE = EACH * THREADS
PIECES = 4 * THREADS  # at most: a thread adds up the counts of four of them


@cache
def kernels(dtype: str) -> tuple[Kernel, Kernel]:
    """count(counts, x, n, pieces) for each piece of x, and find(out, counts, x, n, pieces)."""
    _, before_block = running("sum", "int64")
    pointers = f"int64*, {dtype}*, int64, int64"

    @kernel(pointers)
    def count(counts, x, n, pieces):
        length = (n + pieces - 1) // pieces
        piece = cuda.blockIdx.x
        found = int64(0)
        for i in range(piece * length + cuda.threadIdx.x, min((piece + 1) * length, n), THREADS):
            if x[i] != 0:
                found += 1
        _, _, found, _ = before_block(found, 0)
        if cuda.threadIdx.x == 0:
            counts[piece] = found

    @kernel("int64*, " + pointers)
    def find(out, counts, x, n, pieces):
        length = (n + pieces - 1) // pieces
        piece, thread = cuda.blockIdx.x, cuda.threadIdx.x
        stop = min((piece + 1) * length, n)
        _, _, base, _ = before_block(some_of(counts, min(piece, pieces)), 0)
        for tile in range(piece * length, stop, TILE):
            begin = tile + thread * EACH
            found = int64(0)
            for i in range(begin, min(begin + EACH, stop)):
                if x[i] != 0:
                    found += 1
            before, _, total, _ = before_block(found, 0)
            to = base + before
            for i in range(begin, min(begin + EACH, stop)):
                if x[i] != 0:
                    out[to] = i
                    to += 1
            base += total

    return count, find


@device
def some_of(counts, pieces):
    """The sum of those among the first counts that are this thread's."""
    total = int64(0)
    for piece in range(cuda.threadIdx.x, pieces, THREADS):
        total += counts[piece]
    return total


@cache
def adder() -> Kernel:
    _, before_block = running("sum", "int64")

    @kernel("int64*, int64*, int64")
    def add_counts(total, counts, pieces):
        _, _, found, _ = before_block(some_of(counts, pieces), 0)
        if cuda.threadIdx.x == 0:
            total[0] = found

    return add_counts


class Finding:
    """`count` says how many elements of x are not 0, `write` writes their numbers."""

    def __init__(self, x: Any) -> None:
        self.n = x.size
        self.pieces = min(PIECES, pieces_for(1, self.n, TILE))
        self.counts = memory.empty(self.pieces, INT64)
        self.operands = (self.counts, x, self.n, self.pieces)
        self.counter, self.finder = kernels(x.dtype.name)
        if self.n:
            self.counter(self.pieces, THREADS, *self.operands)

    def count(self) -> int:
        if not self.n:
            return 0
        total = memory.empty(1, INT64)
        adder()(1, THREADS, total, self.counts, self.pieces)
        return memory.number(total)

    def write(self, out: Any) -> None:
        if self.n and out.size:
            self.finder(self.pieces, THREADS, out, *self.operands)


# The interface: ../cpu/indexing.py.


def count_true(x: Any) -> int:
    """How many elements are not 0?"""
    return Finding(x).count()


def find_true(at: Any, x: Any) -> None:
    """The places of the elements that are not 0, in order."""
    Finding(x).write(at)
