"""Scans on the GPU: the launches of running sums, running products and the rest of cpu/scan.py.

What a block does with a piece of a line is in prefix.py. Here is which threads take which elements. An array is
(outer, n, after); a *line* is n elements that are `after` apart.

    rows        after = 1, long lines      a block to a line, 1024 elements at a time
    narrow      the same, short lines      a warp to a line, 32 elements at a time
    columns     lines side by side         a thread to a line: its neighbours' lines are its neighbours in memory

In `rows` a thread wants four elements in a row, but neighbouring threads should read neighbouring elements. Both can be
had by way of shared memory: written there in one order, read in the other.

    from memory    thread 0 takes 0, 256, 512, 768; thread 1 takes 1, 257, ...      neighbours side by side
    to compute     thread 0 takes 0, 1, 2, 3; thread 1 takes 4, 5, 6, 7             four in a row

Where the lines are few they are cut into pieces, and there are two launches: the first finds what each piece comes to,
the second starts each piece with what the pieces before it come to. So a long line is read twice and written once.

Source: D. Merrill, A. Grimshaw, Parallel scan for stream architectures, 2009 (reduce, then scan; the exchange through
shared memory).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from . import memory
from .device import cuda
from .jit import ALL, THREADS, WARP, WARPS, Kernel, blocks_for, device, kernel
from .prefix import operation, running
from .reduction import pieces_for

EACH = 4  # neighbours that a thread takes from a tile, and requests to memory that it has under way
TILE = EACH * THREADS
KEPT = TILE + TILE // WARP  # the room that a tile takes in shared memory; see `slot`
NARROW = 8 * WARP  # lines up to this length have a warp
SIDE = WARP  # so many lines side by side are worth a thread each
PIECES = 128  # of a column, whose threads each join all the pieces before theirs


@device
def slot(i):
    """Where element i of a tile is kept: a gap after every 32, so that threads 4 apart want different memory banks."""
    return i + i // WARP


@cache
def kernels(op: str, dtype: str, result: str) -> tuple[Kernel, Kernel, Kernel]:
    """rows, narrow and columns for an operation of prefix.py.

    x and y are the operands (y of the recurrence only). `backwards` is 1 to begin at the end of each line; then the y
    at i goes with the x at i + 1. With `store` 0 only the pairs of the pieces are found.
    """
    o = operation(op, dtype)
    identity, lift, join, finish = o.identity, o.lift, o.join, o.finish
    A, B = (getattr(numba, name) for name in o.dtypes)
    T, R = getattr(numba, dtype), getattr(numba, result)
    running_warp, before_block = running(op, dtype)
    two = op == "recurrence"
    kept = KEPT if two else 1

    @device
    def line_at(line, n, after, backwards):
        """The first element of a line, the step from each to the next, and how far ahead of y its x is."""
        first = line // after * n * after + line % after
        return (first + (n - 1) * after, -after, after) if backwards > 0 else (first, after, after * 0)

    @device
    def read(x, y, at, ahead, i):
        """An element as a pair. The first x of a recurrence is not read: backwards, it lies beyond the end."""
        if two:
            return lift(x[at + ahead] if i > 0 else T(0), y[at], i)
        return lift(x[at], T(0), i)

    pointers = f"{result}*, {dtype}*, {dtype}*, int64, int64, int64"

    @kernel(f"{pointers}, {o.dtypes[0]}*, {o.dtypes[1]}*, int64, int64")
    def rows(out, x, y, n, after, backwards, firsts, seconds, pieces, store):
        kept_x, kept_y, results = cuda.shared.array(KEPT, T), cuda.shared.array(kept, T), cuda.shared.array(KEPT, R)
        thread = cuda.threadIdx.x
        line, piece = cuda.blockIdx.x // pieces, cuda.blockIdx.x % pieces
        length = (n + pieces - 1) // pieces
        stop = min((piece + 1) * length, n)
        begin, step, ahead = line_at(line, n, after, backwards)
        a, b = identity()
        if pieces > 1 and store > 0:  # what the pieces before this one come to
            for k in range(EACH):
                before = thread * EACH + k
                if before < piece:
                    a, b = join(a, b, firsts[line * pieces + before], seconds[line * pieces + before])
            _, _, a, b = before_block(a, b)
        for tile in range(piece * length, stop, TILE):
            for k in range(EACH):
                i = k * THREADS + thread
                if tile + i < stop:
                    at = begin + (tile + i) * step
                    if two:
                        kept_x[slot(i)] = x[at + ahead] if tile + i > 0 else T(0)
                        kept_y[slot(i)] = y[at]
                    else:
                        kept_x[slot(i)] = x[at]
            cuda.syncthreads()
            c, d = identity()
            for k in range(EACH):
                i = thread * EACH + k
                if tile + i < stop:
                    p, q = lift(kept_x[slot(i)], kept_y[slot(i) if two else 0], tile + i)
                    c, d = join(c, d, p, q)
            c, d, total, rest = before_block(c, d)
            c, d = join(a, b, c, d)
            a, b = join(a, b, total, rest)
            for k in range(EACH):
                i = thread * EACH + k
                if tile + i < stop:
                    p, q = lift(kept_x[slot(i)], kept_y[slot(i) if two else 0], tile + i)
                    c, d = join(c, d, p, q)
                    results[slot(i)] = finish(c, d)
            cuda.syncthreads()
            for k in range(EACH):
                i = k * THREADS + thread
                if tile + i < stop and store > 0:
                    out[begin + (tile + i) * step] = results[slot(i)]
        if store == 0 and thread == 0:
            firsts[cuda.blockIdx.x], seconds[cuda.blockIdx.x] = a, b

    @kernel(f"{pointers}, int64")
    def narrow(out, x, y, n, after, backwards, lines):
        line, lane = cuda.blockIdx.x * WARPS + cuda.threadIdx.y, cuda.threadIdx.x
        begin, step, ahead = line_at(line, n, after, backwards)
        a, b = identity()
        for start in range(0, n, WARP):
            i = start + lane
            inside = i < n and line < lines
            c, d = identity()
            if inside:
                c, d = read(x, y, begin + i * step, ahead, i)
            c, d = running_warp(c, d)
            c, d = join(a, b, c, d)
            if inside:
                out[begin + i * step] = finish(c, d)
            a, b = cuda.shfl_sync(ALL, c, WARP - 1), cuda.shfl_sync(ALL, d, WARP - 1)

    @kernel(f"{pointers}, {o.dtypes[0]}*, {o.dtypes[1]}*, int64, int64, int64")
    def columns(out, x, y, n, after, backwards, firsts, seconds, lines, pieces, store):
        some_a, some_b = cuda.local.array(EACH, A), cuda.local.array(EACH, B)
        thread = cuda.grid(1)
        line, piece = thread % lines, thread // lines
        length = (n + pieces - 1) // pieces
        stop = min((piece + 1) * length, n) if piece < pieces else 0
        begin, step, ahead = line_at(line, n, after, backwards)
        a, b = identity()
        if store > 0 and piece < pieces:
            for before in range(piece):
                a, b = join(a, b, firsts[before * lines + line], seconds[before * lines + line])
        for start in range(piece * length, stop, EACH):
            for k in range(EACH):
                if start + k < stop:
                    some_a[k], some_b[k] = read(x, y, begin + (start + k) * step, ahead, start + k)
            for k in range(EACH):
                if start + k < stop:
                    a, b = join(a, b, some_a[k], some_b[k])
                    if store > 0:
                        out[begin + (start + k) * step] = finish(a, b)
        if store == 0 and piece < pieces:
            firsts[thread], seconds[thread] = a, b

    return rows, narrow, columns


def scan(op: str, out: Any, x: Any, y: Any, n: int, after: int, backwards: bool = False) -> None:
    """out = the running results of an operation along the lines of x, whose second operand is y."""
    if not out.size:
        return
    dtype, lines = x.dtype.name, out.size // n
    rows, narrow, columns = kernels(op, dtype, out.dtype.name)
    given = (out, x, y, n, after, int(backwards))
    side_by_side = after >= SIDE
    if n <= NARROW and not side_by_side:
        narrow(blocks_for(lines, WARPS), (WARP, WARPS), *given, lines)
        return
    if side_by_side:
        pieces = min(PIECES, pieces_for(blocks_for(lines, THREADS), n, 8 * EACH))
    else:
        pieces = pieces_for(lines, n, 2 * TILE)
    count = lines * pieces
    firsts, seconds = (
        memory.empty(count if pieces > 1 else 0, np.dtype(name)) for name in operation(op, dtype).dtypes
    )  # fmt: skip
    for store in (0, 1) if pieces > 1 else (1,):
        if side_by_side:
            columns(blocks_for(count, THREADS), THREADS, *given, firsts, seconds, lines, pieces, store)
        else:
            rows(count, THREADS, *given, firsts, seconds, pieces, store)


# The interface: ../cpu/scan.py.


def cumsum(out: Any, x: Any, n: int, after: int, reverse: bool) -> None:
    """out = the sums of x up to and with each element (from each element on, if `reverse`), along lines of n.

    What rounding takes from a total is kept beside it, so a float32 sum is as exact as one in float64 is on the CPU.
    """
    scan("sum", out, x, x, n, after, reverse)


def cumprod(out: Any, x: Any, n: int, after: int) -> None:
    """out = the products of x up to and with each element; in float64 or int64 until they are stored."""
    scan("prod", out, x, x, n, after)


def recurrence(out: Any, a: Any, b: Any, n: int, after: int, reverse: bool) -> None:
    """out_i = a_i out_{i-1} + b_i; with `reverse`, out_i = a_{i+1} out_{i+1} + b_i. Floats, in float64 until stored."""
    scan("recurrence", out, a, b, n, after, reverse)


def cumextreme(out: Any, x: Any, n: int, after: int, largest: bool) -> None:
    """out (int64) = the place on its line of the largest (or smallest) of x up to and with each element."""
    scan("max" if largest else "min", out, x, x, n, after)


def logcumsumexp(out: Any, x: Any, n: int, after: int) -> None:
    """out = log(e^x_0 + ... + e^x_i) along lines of n, without overflow."""
    scan("logsumexp", out, x, x, n, after)
