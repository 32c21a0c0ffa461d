"""Taking elements from places, and putting them there, on the GPU: the lists of places, and everything that only moves.

What places are is told in cpu/indexing.py: x is seen as (outer, length, inner), a place is a number below `length`.

    take      out[o, m, j] = x[o, at[m], j]
    put       x[o, at[m], j] = v[o, m, j]          where places repeat, the last one stays

*Gather, not scatter.* Taking asks of each thread: which element of x do I need? Any number of threads may read one
place, so nothing has to be agreed upon. Putting asks: where does mine go? Two threads may want one place, and which of
them writes last is luck. So the places are asked first who comes last: for each, the largest m with at[m] = place
(atomics.py). Then only that one writes.

*Moving is not computing.* To move a number one need not know what it means. So the kernels here know four sizes of
elements, not eight dtypes; and where `inner` elements fill whole multiples of 16 bytes, a thread moves 16 at a time:

    take of rows of 64 float32      16 threads move a row         (inner 64 -> 16 units of 16 bytes)
    take of rows of 3 int8          3 threads move a row

*Checking.* A number out of range is an error, which Python has to raise; the first one is found by an atomic minimum.
The host waits for that one number: the price of an error message instead of a crash.

Adding at places is in scattering.py, finding the places of a mask in finding.py.

Source: G. Blelloch, Vector Models for Data-Parallel Computing, 1990 (gather and scatter as primitives).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from . import memory
from .atomics import atomic_max, atomic_min
from .device import cuda, uint32
from .elementwise import aligned
from .jit import THREADS, Kernel, blocks_for, device, index_for, kernel
from .vectors import load4, store4

INDEX = {"uint32": uint32, "int64": numba.int64}
NONE = int(np.iinfo(np.int64).max)  # the number of the first index that is out of range, if none is
INT64: Any = np.dtype("int64")


# From an index to places --------------------------------------------------------------------------------------
@cache
def folder(dtype: str) -> Kernel:
    @kernel(f"int64*, {dtype}*, int64*, int64, int64, int64")
    def fold(at, index, bad, n, size, first):
        m = cuda.grid(1)
        if m < n:
            i = numba.int64(index[m])
            if i < -size or i >= size:
                atomic_min(bad, 0, m)
            else:
                if i < 0:
                    i += size
                at[m] = i if first > 0 else at[m] * size + i

    return fold


@kernel("int64*, int64*, int64*, int64, int64, int64")
def start_places(at, index, bad, n, length, stride):
    m = cuda.grid(1)
    if m < n:
        i = index[m]
        if i < 0 or i >= length:
            atomic_min(bad, 0, m)
        else:
            at[m] = i * stride


@kernel("int64*, int64, int64, int64, int64")
def add_coordinate(at, n, after, size, stride):
    m = cuda.grid(1)
    if m < n:
        at[m] += m // after % size * stride


@kernel("int64*, int64*, int64, int64, int64, int64, int64")
def coordinate(out, at, n, dimensions, axis, after, size):
    m = cuda.grid(1)
    if m < n:
        out[m * dimensions + axis] = at[m] // after % size


def fold_index(at: Any, index: Any, size: int, first: bool) -> int:
    """at = at * size + index, with a negative index counted from the end; -1, or the number of one out of range.

    `index` is of any dtype of integers.
    """
    n = index.size
    if not n:
        return -1
    bad = filled(1, NONE)
    folder(index.dtype.name)(blocks_for(n, THREADS), THREADS, at, index, bad, n, size, int(first))
    return first_bad(bad)


def gather_places(at: Any, index: Any, shape: tuple, strides: tuple, axis: int, length: int) -> int:
    """The places of gather: `index` has `shape`, x has `strides`, and `length` elements along `axis`.

    Returns -1, or the number of an index that is out of range. A launch for the axis, and one for each other axis of
    more than one element; neighbours that lie as one in x count as one.
    """
    n = index.size
    if not n:
        return -1
    blocks, bad = blocks_for(n, THREADS), filled(1, NONE)
    start_places(blocks, THREADS, at, index, bad, n, length, strides[axis])
    found = first_bad(bad)
    if found < 0:
        for after, size, stride in other_axes(shape, strides, axis):
            add_coordinate(blocks, THREADS, at, n, after, size, stride)
    return found


def other_axes(shape: tuple, strides: tuple, axis: int) -> list[tuple[int, int, int]]:
    """The axes but one, as (elements behind each place on it, size, stride); those that lie as one are joined.

    >>> other_axes((2, 3, 4, 5), (60, 20, 5, 1), 1)
    [(1, 20, 1), (60, 2, 60)]
    """
    found: list[tuple[int, int, int]] = []
    behind = 1
    for k in reversed(range(len(shape))):
        if k != axis and shape[k] > 1:
            after, size, stride = found[-1] if found else (0, 0, 0)
            if found and after * size == behind and stride * size == strides[k]:
                found[-1] = (after, size * shape[k], stride)
            else:
                found.append((behind, shape[k], strides[k]))
        behind *= shape[k]
    return found


def coordinates(out: Any, at: Any, shape: tuple) -> None:
    """out (places, dimensions): where each place lies along each axis of an array of this shape."""
    after, n = 1, at.size
    for axis in reversed(range(len(shape))):
        if n:
            coordinate(blocks_for(n, THREADS), THREADS, out, at, n, len(shape), axis, after, shape[axis])
        after *= shape[axis]


def filled(n: int, number: int) -> Any:
    """A buffer of int64 with one number everywhere."""
    buffer = memory.empty(n, INT64)
    buffer[:] = number
    return buffer


def first_bad(bad: Any) -> int:
    found = memory.number(bad)
    return -1 if found == NONE else found


# Moving -------------------------------------------------------------------------------------------------------
FOUR = "float32x4"  # 16 bytes, moved as four float32


@cache
def mover(unit: str) -> Any:
    """move(out, i, x, j): out[i] = x[j], where an element is a `unit`."""
    if unit == FOUR:

        @device
        def move(out, i, x, j):
            a, b, c, d = load4(x, 4 * j)
            store4(out, 4 * i, a, b, c, d)
    else:

        @device
        def move(out, i, x, j):
            out[i] = x[j]

    return move


def as_units(inner: tuple[int, ...], *buffers: Any) -> tuple[str, tuple[int, ...], list[Any]]:
    """The unit in which pieces of such sizes can be moved, the sizes in units, and the buffers seen as of units."""
    itemsize = buffers[0].dtype.itemsize
    if all(size * itemsize % 16 == 0 for size in inner) and all(aligned(buffer) for buffer in buffers):
        return FOUR, tuple(size * itemsize // 16 for size in inner), [memory.seen_as(b, "float32") for b in buffers]
    unit = f"uint{8 * itemsize}"
    return unit, inner, [memory.seen_as(buffer, unit) for buffer in buffers]


def pointer(unit: str) -> str:
    return "float32*" if unit == FOUR else f"{unit}*"


@cache
def taker(unit: str, index: str) -> Kernel:
    move, Index = mover(unit), INDEX[index]

    @kernel(f"{pointer(unit)}, {pointer(unit)}, int64*, int64, {index}, {index}, int64")
    def take(out, x, at, n, count, inner, length):
        i = cuda.grid(1)
        if i < n:
            row = Index(i) // inner
            j, m, o = Index(i) % inner, row % count, row // count
            move(out, i, x, (o * length + at[m]) * inner + j)

    return take


@cache
def putter(unit: str, index: str) -> Kernel:
    move, Index = mover(unit), INDEX[index]

    @kernel(f"{pointer(unit)}, int64*, {pointer(unit)}, int64*, int64, {index}, {index}, int64, int64")
    def put(x, at, v, latest, n, count, inner, length, one):
        i = cuda.grid(1)
        if i < n:
            row = Index(i) // inner
            j, m, o = Index(i) % inner, numba.int64(row % count), row // count
            place = at[m]
            if one > 0:
                move(x, (o * length + place) * inner + j, v, 0)
            elif latest[place] == m:
                move(x, (o * length + place) * inner + j, v, i)

    return put


@kernel("int64*, int64*, int64")
def keep_latest(latest, at, n):
    m = cuda.grid(1)
    if m < n:
        atomic_max(latest, at[m], m)


def mark_latest(latest: Any, at: Any) -> None:
    """latest (length,): for each place the number of the last in the list `at` that is this place; -1 if none is."""
    latest[:] = -1
    if at.size:
        keep_latest(blocks_for(at.size, THREADS), THREADS, latest, at, at.size)


def take(out: Any, x: Any, at: Any, outer: int, length: int, inner: int) -> None:
    """out[o, m, j] = x[o, at[m], j]"""
    if out.size:
        unit, (inner,), (out, x) = as_units((inner,), out, x)
        n = outer * at.size * inner
        taker(unit, index_for(n))(blocks_for(n, THREADS), THREADS, out, x, at, n, at.size, inner, length)


def put(x: Any, at: Any, v: Any, outer: int, length: int, inner: int) -> None:
    """x[o, at[m], j] = v[o, m, j], the last one where places repeat; a v of one element goes everywhere."""
    one = v.size == 1
    if not outer * at.size * inner:
        return
    latest = memory.empty(0 if one else length, INT64)
    if one:
        unit = f"uint{8 * v.dtype.itemsize}"
        x, v = memory.seen_as(x, unit), memory.seen_as(v, unit)
    else:
        mark_latest(latest, at)
        unit, (inner,), (x, v) = as_units((inner,), x, v)
    n = outer * at.size * inner
    putter(unit, index_for(n))(
        blocks_for(n, THREADS), THREADS, x, at, v, latest, n, at.size, inner, length, int(one)
    )  # fmt: skip


# Parts of rows ------------------------------------------------------------------------------------------------
@cache
def paster(unit: str, index: str) -> Kernel:
    move, Index = mover(unit), INDEX[index]

    @kernel(f"{pointer(unit)}, {pointer(unit)}, int64, {index}, int64, int64")
    def paste(out, x, n, width, pitch, start):
        i = cuda.grid(1)
        if i < n:
            row, j = Index(i) // width, Index(i) % width
            move(out, row * pitch + start + j, x, i)

    return paste


def paste(out: Any, x: Any, rows: int, width: int, pitch: int, start: int) -> None:
    """out[row * pitch + start + j] = x[row * width + j]: the columns of x become some of the columns of out."""
    if rows * width:
        unit, (width, pitch, start), (out, x) = as_units((width, pitch, start), out, x)
        n = rows * width
        paster(unit, index_for(n))(blocks_for(n, THREADS), THREADS, out, x, n, width, pitch, start)


@cache
def triangle_of(unit: str, index: str) -> Kernel:
    T, Index = getattr(numba, unit), INDEX[index]

    @kernel(f"{unit}*, {unit}*, int64, {index}, {index}, int64, int64")
    def triangle(out, x, n, rows, columns, diagonal, lower):
        at = cuda.grid(1)
        if at < n:
            row = Index(at) // columns
            edge, j = numba.int64(row % rows) + diagonal, numba.int64(Index(at) % columns)
            inside = j <= edge if lower > 0 else j >= edge
            out[at] = x[at] if inside else T(0)

    return triangle


def triangle(out: Any, x: Any, rows: int, columns: int, diagonal: int, lower: bool) -> None:
    """x, a stack of matrices, with zeros above (lower) or below that diagonal."""
    n = x.size
    if n:
        unit = f"uint{8 * x.dtype.itemsize}"  # whose zero is that of all dtypes
        triangle_of(unit, index_for(n))(
            blocks_for(n, THREADS), THREADS, memory.seen_as(out, unit), memory.seen_as(x, unit), n, rows, columns,
            diagonal, int(lower),
        )  # fmt: skip
