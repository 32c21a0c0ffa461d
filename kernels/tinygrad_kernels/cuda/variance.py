"""Mean and variance on the GPU, of lines of numbers that lie next to each other or far apart.

The problem. The variance needs the mean first: two passes over memory. The one-pass formula, mean of x² minus mean
squared, loses every digit where the numbers are far from 0; and a sum over all of a large tensor has to be shared out
among blocks.

The idea. Each thread takes 8 numbers into registers and gives them both passes there. What it finds are three
*moments*: how many, their mean m, and the sum s of the squares of (x - m). Two sets of k and l numbers join without
loss, whoever found them: two chunks of a thread, two threads of a team (teams.py), two blocks with a piece of a line
each:

    m = m_a + (m_b - m_a) l / (k + l)
    s = s_a + s_b + (m_b - m_a)² k l / (k + l)

All this is done with the distances from an *origin*, the first number of the line. They are small where the numbers
are large and near each other (10,000.1, 10,000.2), so float32 has digits enough; and equal numbers have that very
number as their mean, and a variance of 0. The mean is origin + m: two numbers, with the digits of both.

Lines. A tensor is seen as (outer, n, inner, size), and a line are the n · size elements that share the other two
places:

    var of the last axis            (1, 1, rows, columns)             a line is a row
    var of another axis             (outer, n, inner, 1)              elements are `inner` apart
    a channel of a batch            (1, examples, channels, size)     a piece of `size` from every example

A thread walks along a line in steps of its team's size, and adds what this means in memory: no division for each
element.

Source: T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, Am. Statistician 37(3), 1983.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import nan
from typing import Any, NamedTuple

import numba
from numba import int64

from . import math, memory
from .device import cuda
from .elementwise import fill
from .jit import WARP, WARPS, Kernel, blocks_for, device, kernel
from .reduction import pieces_for
from .teams import meeting, reader, team

EACH = 8  # elements that a thread has in registers at once


# Moments: (count, mean, sum of squared distances from it).


@cache
def moments(dtype: str, each: int) -> tuple[Callable, Callable]:
    """join: of two sets. of_chunk(kept, origin, count): those of the first `count` elements, less the origin."""
    T = getattr(numba, dtype)

    @device
    def join(k, m, s, more, n, t):
        count = k + more
        part = more / count if more > T(0) else T(0)
        step = n - m if more > T(0) else T(0)
        return count, m + step * part, s + t + step * step * (k * part)

    @device
    def of_chunk(kept, origin, count):
        total, squares, n = T(0), T(0), T(count)
        for k in range(each):
            if k < count:
                total += kept[k] - origin
        mean = total / n if count > 0 else T(0)
        for k in range(each):
            if k < count:
                distance = (kept[k] - origin) - mean
                squares += distance * distance
        return n, mean, squares

    return join, of_chunk


# Lines.


class Lines(NamedTuple):
    """A tensor as (outer, n, inner, size), and into how many pieces each line is cut."""

    outer: int
    n: int
    inner: int
    size: int
    kind: str  # of team
    pieces: int

    @property
    def count(self) -> int:  # type: ignore[override]
        return self.outer * self.inner

    def launch(self, make: Callable[..., Kernel], dtype: str, *arguments: Any) -> None:
        """Start make(dtype, kind)(*arguments, *LINES) with a team to each piece of each line."""
        self._launch(make, dtype, self.kind, self.pieces, arguments)

    def launch_end(self, make: Callable[..., Kernel], dtype: str, *arguments: Any) -> None:
        """The same for a kernel that joins the pieces: a thread to each line, or a warp if there are pieces."""
        self._launch(make, dtype, "warp" if self.pieces > 1 else "thread", 1, arguments)

    def _launch(self, make: Callable[..., Kernel], dtype: str, kind: str, pieces: int, arguments: tuple) -> None:
        of, length = team(kind), blocks_for(self.n * self.size, self.pieces)
        lines = (self.count, self.n, self.inner, self.size, self.pieces, length, *divmod(of.size, self.size))
        make(dtype, kind)((blocks_for(self.count, of.count), pieces), of.threads, *arguments, *lines)


# What kernels take at their end: the number of lines, n, inner, size, pieces, the length of a piece, far and near: a
# step of a team's size is so many examples and so many elements. What the host divides, threads do not divide.
LINES = ", ".join(["int64"] * 8)


def lines_of(outer: int, n: int, inner: int, size: int, least: int = 4 * EACH) -> Lines:
    """The team for such lines, and pieces enough to keep a GPU busy, in which a thread has `least` elements or more."""
    length = n * size
    if size < WARPS and inner >= WARPS:
        kind = "column"
    else:
        kind = "warp" if length <= WARP * WARP else "block"
    blocks = blocks_for(outer * inner, team(kind).count)
    return Lines(outer, n, inner, size, kind, pieces_for(blocks, length, least * team(kind).size))


@device
def split(at, size):
    """at // size and at % size: a division only where there is something to divide."""
    return (at // size, at % size) if at >= size else (int64(0), at)


@device
def first_of(line, n, inner, size):
    """Where a line starts in memory."""
    outer, column = split(line, inner)
    return (outer * n * inner + column) * size


@cache
def walker(dtype: str, kind: str) -> tuple[Callable, Callable, Callable]:
    """How a thread goes along its piece of a line.

    begin(count, total, length): the number of the line, of the piece and of the thread in its team; then the thread's
    first element in the line of `total`, and the end of the piece (0 where there is no such line).
    walk(places, start, i, j, far, near, inner, size): where the thread's next EACH elements lie in memory, from element
    j of example i on; then the next i and j.
    read(kept, x, places, n): the first n of those elements, then 0.
    """
    place, T = team(kind).place, getattr(numba, dtype)

    @device
    def begin(count, total, length):
        line, member = place()
        piece = int64(cuda.blockIdx.y)
        stop = min((piece + 1) * length, total) if line < count else 0
        return int64(line), piece, member, piece * length + member, stop

    @device
    def walk(places, start, i, j, far, near, inner, size):
        for k in range(EACH):
            places[k] = start + i * inner * size + j
            i, j = i + far, j + near
            if j >= size:
                i, j = i + 1, j - size
        return i, j

    @device
    def read(kept, x, places, n):
        for k in range(EACH):
            kept[k] = x[places[k]] if k < n else T(0)

    return begin, walk, read


@cache
def _moments(dtype: str, kind: str) -> Kernel:
    """The moments of each piece of each line, less the line's first element, side by side in `parts`."""
    T = getattr(numba, dtype)
    (begin, walk, read), (join, of_chunk) = walker(dtype, kind), moments(dtype, EACH)
    (valid, _), meet, members = reader(dtype, (kind, EACH)), meeting(kind, dtype, join), team(kind).size

    @kernel(f"{dtype}*, {dtype}*, {LINES}")
    def moments_of_pieces(parts, x, count, n, inner, size, pieces, length, far, near):
        kept, places = cuda.local.array(EACH, T), cuda.local.array(EACH, int64)
        line, piece, member, at, stop = begin(count, n * size, length)
        start = first_of(line, n, inner, size)
        origin = x[start] if stop > 0 else T(0)
        total, mean, squares = T(0), T(0), T(0)
        i, j = split(at, size)
        while at < stop:
            i, j = walk(places, start, i, j, far, near, inner, size)
            read(kept, x, places, valid(at, stop))
            some, m, s = of_chunk(kept, origin, valid(at, stop))
            total, mean, squares = join(total, mean, squares, some, m, s)
            at += EACH * members
        total, mean, squares = meet(total, mean, squares)
        if member == 0 and line < count:
            here, all_pieces = line * pieces + piece, count * pieces
            parts[here], parts[all_pieces + here], parts[2 * all_pieces + here] = total, mean, squares

    return moments_of_pieces


@cache
def joiner(dtype: str, kind: str, join: Callable) -> Callable[..., Any]:
    """join_pieces(parts, line, member, count, pieces): the states of a line's pieces joined by a team."""
    T, meet, members = getattr(numba, dtype), meeting(kind, dtype, join), team(kind).size

    @device
    def join_pieces(parts, line, member, count, pieces):
        a, b, c = T(0), T(0), T(0)
        piece = member if line < count else pieces
        while piece < pieces:
            at, all_pieces = line * pieces + piece, count * pieces
            a, b, c = join(a, b, c, parts[at], parts[all_pieces + at], parts[2 * all_pieces + at])
            piece += members
        return meet(a, b, c)

    return join_pieces


def moments_of(x: Any, lines: Lines) -> Any:
    """The buffer (3, lines, pieces) of moments."""
    dtype = x.dtype.name
    parts = memory.empty(3 * lines.count * lines.pieces, x.dtype)
    lines.launch(_moments, dtype, parts, x)
    return parts


# Variance.


@cache
def _variance(dtype: str, kind: str) -> Kernel:
    T, sqrt = getattr(numba, dtype), getattr(math, f"sqrt_{dtype}")
    place, join_pieces = team(kind).place, joiner(dtype, kind, moments(dtype, EACH)[0])

    @kernel(f"{dtype}*, {dtype}*, {dtype}*, {dtype}*, {dtype}, int64, {LINES}")
    def variance(out, mean, parts, x, freedom, root, count, n, inner, size, pieces, length, far, near):
        line, member = place()
        total, m, s = join_pieces(parts, line, member, count, pieces)
        if member == 0 and line < count:
            quotient = s / T(freedom)
            mean[line] = x[first_of(line, n, inner, size)] + m
            out[line] = sqrt(quotient) if root else quotient

    return variance


def variance(out: Any, mean: Any, x: Any, n: int, inner: int, freedom: float, root: bool) -> None:
    """out = the sums of the squared distances from the mean, along lines of n, divided by `freedom`; `root`: its root.

    x is (outer, n, inner), out and mean (outer, inner): flat buffers.
    """
    if not x.size:
        fill(out, nan)
        fill(mean, nan)
        return
    lines = lines_of(1, 1, out.size, n) if inner == 1 else lines_of(out.size // inner, n, inner, 1)
    lines.launch_end(_variance, x.dtype.name, out, mean, moments_of(x, lines), x, freedom, int(root))
