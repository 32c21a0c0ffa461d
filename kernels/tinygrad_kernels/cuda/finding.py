"""Finding on the GPU: the places of what is not 0, in order, and of what was overwritten.

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
from .indexing import INT64, mark_latest
from .jit import THREADS, Kernel, device, kernel
from .prefix import running
from .reduction import pieces_for

EACH = 8  # neighbours that a thread looks at in a tile
TILE = EACH * THREADS
PIECES = 4 * THREADS  # at most: a thread adds up the counts of four of them


@cache
def kernels(question: str, dtype: str) -> tuple[Kernel, Kernel]:
    """count and find, for the question 'true' (is x[i] not 0?) or 'overwritten' (is y[x[i]] not i?)."""
    _, before_block = running("sum", "int64")

    if question == "true":

        @device
        def wanted(x, y, i):
            return x[i] != 0
    else:

        @device
        def wanted(x, y, i):
            return y[x[i]] != i

    pointers = f"int64*, {dtype}*, {dtype if question == 'true' else 'int64'}*, int64, int64"

    @kernel(pointers)
    def count(counts, x, y, n, pieces):
        length = (n + pieces - 1) // pieces
        piece = cuda.blockIdx.x
        found = int64(0)
        for i in range(piece * length + cuda.threadIdx.x, min((piece + 1) * length, n), THREADS):
            if wanted(x, y, i):
                found += 1
        _, _, found, _ = before_block(found, 0)
        if cuda.threadIdx.x == 0:
            counts[piece] = found

    @kernel("int64*, " + pointers)
    def find(out, counts, x, y, n, pieces):
        length = (n + pieces - 1) // pieces
        piece, thread = cuda.blockIdx.x, cuda.threadIdx.x
        stop = min((piece + 1) * length, n)
        _, _, base, _ = before_block(some_of(counts, min(piece, pieces)), 0)
        for tile in range(piece * length, stop, TILE):
            begin = tile + thread * EACH
            found = int64(0)
            for i in range(begin, min(begin + EACH, stop)):
                if wanted(x, y, i):
                    found += 1
            before, _, total, _ = before_block(found, 0)
            to = base + before
            for i in range(begin, min(begin + EACH, stop)):
                if wanted(x, y, i):
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
    """One question to an array: `count` says how many are found, `write` writes their numbers."""

    def __init__(self, question: str, x: Any, y: Any) -> None:
        self.n = x.size
        self.pieces = min(PIECES, pieces_for(1, self.n, TILE))
        self.counts = memory.empty(self.pieces, INT64)
        self.operands = (self.counts, x, y, self.n, self.pieces)
        self.counter, self.finder = kernels(question, x.dtype.name)
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
    return Finding("true", x, x).count()


def find_true(at: Any, x: Any) -> None:
    """The places of the elements that are not 0, in order."""
    Finding("true", x, x).write(at)


def find_overwritten(out: Any, at: Any, latest: Any) -> int:
    """Which places occur again later in the list: their numbers, in order. `latest` is scratch, (length,).

    Returns how many there are; none are written to an `out` without elements.
    """
    mark_latest(latest, at)
    found = Finding("overwritten", at, latest)
    found.write(out)
    return found.count()
