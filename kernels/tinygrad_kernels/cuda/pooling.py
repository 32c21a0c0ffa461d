"""Pooling on the GPU: the largest element, or the mean, of each window; forward and backward.

The problem, and the four lists that say where windows begin and end, are those of ../cpu/pooling.py. There a thread
takes whole planes. Here it takes one element of the result, and asks everything it needs from the lists:

    forward     thread (plane, r, c) reads window r, c          rows top[r] ... bottom[r], columns left[c] ... right[c]
    backward    thread (plane, y, z) reads all windows that have y, z in them

The idea of backward. To *scatter*, a thread for each window that adds to the elements it came from, is the first
thought; but windows overlap, and two threads must not add to one number at once. Turned around it is a *gather*: each
element adds up its own windows, in order, and nobody meets anybody. Windows are sorted, so those that contain row y are
neighbours:

    windows     ├──0──┤                 first: the first whose end lies behind y
                   ├──1──┤     y        last:  the first that begins behind y
                      ├──2──┤  │
                         ├──3──┤──┤     both by bisection: a dozen reads from lists that everybody reads
                            ├──4──┤

Of maxima an element takes the cotangent only where `at`, the place that forward found, is its own.

A mean over a large window (of a whole plane, often) has a warp: its threads read side by side.

Source: D. Scherer, A. Müller, S. Behnke, Evaluation of pooling operations in convolutional architectures for object
recognition, ICANN 2010; M. McCool, A. Robison, J. Reinders, Structured Parallel Programming, 2012 (gather and scatter).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba

from .device import cuda
from .jit import THREADS, WARP, WARPS, Kernel, blocks_for, device, index_for, kernel
from .monoids import meetings, monoid
from .places import place

WIDE = 64  # elements of a window from which a warp takes it
LISTS = "int64*, int64*, int64*, int64*"  # top, bottom, left, right


@device
def first_behind(numbers, n, y):
    """The place of the first of n sorted numbers that is > y; n if none is."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] > y:
            high = middle
        else:
            low = middle + 1
    return low


@cache
def largest(dtype: str, index: str) -> Kernel:
    find = place(index)

    @kernel(f"{dtype}*, int32*, {dtype}*, {LISTS}, int64, int64, int64, int64, int64, int64, int64")
    def largest(out, at, x, top, bottom, left, right, rows, cols, down, across, n, length, width):
        i = cuda.grid(1)
        if i < n:
            plane, r, c = find(i, rows, cols)
            begin, first, last = plane * length, left[c], right[c]
            place = top[r] * width + first
            best = x[begin + place]
            for y in range(top[r], bottom[r], down):
                for z in range(first, last, across):
                    v = x[begin + y * width + z]
                    if v > best or v != v:
                        best, place = v, y * width + z
            out[i], at[i] = best, place

    return largest


@cache
def largest_backward(dtype: str, index: str) -> Kernel:
    """A window of which y is an element begins at most at y; with `down` between its elements, lists are sorted only
    so far that whoever begins `down` behind y comes after all of those."""
    find, T = place(index), getattr(numba, dtype)

    @kernel(f"{dtype}*, {dtype}*, int32*, {LISTS}, int64, int64, int64, int64, int64, int64, int64")
    def largest_backward(gx, g, at, top, bottom, left, right, rows, cols, down, across, n, height, width):
        i = cuda.grid(1)
        if i < n:
            plane, y, z = find(i, height, width)
            first, last = first_behind(right, cols, z), first_behind(left, cols, z + across - 1)
            total = T(0)
            for r in range(first_behind(bottom, rows, y), first_behind(top, rows, y + down - 1)):
                for c in range(first, last):
                    window = (plane * rows + r) * cols + c
                    if at[window] == y * width + z:
                        total += g[window]
            gx[i] = total

    return largest_backward


@cache
def mean(dtype: str, index: str) -> Kernel:
    find, T = place(index), getattr(numba, dtype)

    @kernel(f"{dtype}*, {dtype}*, {LISTS}, int64*, int64*, int64, int64, int64, int64, int64")
    def mean(out, x, top, bottom, left, right, row_counts, col_counts, rows, cols, n, length, width):
        i = cuda.grid(1)
        if i < n:
            plane, r, c = find(i, rows, cols)
            begin, first, last = plane * length, left[c], right[c]
            total = T(0)
            for y in range(top[r], bottom[r]):
                for z in range(first, last):
                    total += x[begin + y * width + z]
            out[i] = total / T(row_counts[r] * col_counts[c])

    return mean


@cache
def wide_mean(dtype: str, index: str) -> Kernel:
    """A warp to a window, whose elements are counted through, row by row."""
    find, T = place(index), getattr(numba, dtype)
    sums = monoid("sum", dtype)
    identity, lift, join, finish = sums[1:]
    join_warp, _ = meetings("sum", dtype)

    @kernel(f"{dtype}*, {dtype}*, {LISTS}, int64*, int64*, int64, int64, int64, int64, int64")
    def wide_mean(out, x, top, bottom, left, right, row_counts, col_counts, rows, cols, n, length, width):
        i = cuda.blockIdx.x * WARPS + cuda.threadIdx.y
        within = min(i, n - 1)
        plane, r, c = find(within, rows, cols)
        across = right[c] - left[c]
        size, begin = (bottom[r] - top[r]) * across, plane * length + top[r] * width + left[c]
        a, b = identity()
        for k in range(cuda.threadIdx.x, size, WARP):
            _, y, z = find(k, size, across)
            e, f = lift(x[begin + y * width + z], k)
            a, b = join(a, b, e, f)
        a, b = join_warp(a, b)
        if cuda.threadIdx.x == 0 and i < n:
            out[i] = finish(a, b, T(1)) / T(row_counts[r] * col_counts[c])

    return wide_mean


@cache
def mean_backward(dtype: str, index: str) -> Kernel:
    find, T = place(index), getattr(numba, dtype)

    @kernel(f"{dtype}*, {dtype}*, {LISTS}, int64*, int64*, int64, int64, int64, int64, int64")
    def mean_backward(gx, g, top, bottom, left, right, row_counts, col_counts, rows, cols, n, height, width):
        i = cuda.grid(1)
        if i < n:
            plane, y, z = find(i, height, width)
            first, last = first_behind(right, cols, z), first_behind(left, cols, z)
            total = T(0)
            for r in range(first_behind(bottom, rows, y), first_behind(top, rows, y)):
                shares = T(0)
                for c in range(first, last):
                    shares += g[(plane * rows + r) * cols + c] / T(row_counts[r] * col_counts[c])
                total += shares
            gx[i] = total

    return mean_backward


# The interface. x is `planes` planes of `length` elements in rows of `width`.


def max_pool(
    out: Any, at: Any, x: Any, top: Any, bottom: Any, left: Any, right: Any,
    steps: tuple[int, int], pairs: bool, planes: int, length: int, width: int,
) -> None:  # fmt: skip
    """The maximum of each window, and (int32) its place in its plane. `steps` lie between the elements of a window."""
    n = out.size
    largest(out.dtype.name, index_for(n))(
        blocks_for(n, THREADS), THREADS, out, at, x, top, bottom, left, right, top.size, left.size, *steps, n, length,
        width,
    )  # fmt: skip


def max_pool_backward(gx: Any, g: Any, at: Any, planes: int, length: int, windows: tuple) -> None:
    """gx: zeros, with g added at the places, plane by plane. `windows`: top, bottom, left, right, steps, width."""
    top, bottom, left, right, steps, width = windows
    n = gx.size
    if n:
        largest_backward(gx.dtype.name, index_for(n))(
            blocks_for(n, THREADS), THREADS, gx, g, at, top, bottom, left, right, top.size, left.size, *steps, n,
            length // width, width,
        )  # fmt: skip


def average_pool(
    out: Any, x: Any, top: Any, bottom: Any, left: Any, right: Any, rows: Any, cols: Any,
    planes: int, length: int, width: int,
) -> None:  # fmt: skip
    """The sum of each window, divided by rows[r] * cols[c]."""
    n = out.size
    lists = top, bottom, left, right, rows, cols, top.size, left.size
    if length >= WIDE * top.size * left.size:
        launch = wide_mean(out.dtype.name, index_for(x.size))
        launch(blocks_for(n, WARPS), (WARP, WARPS), out, x, *lists, n, length, width)
    else:
        mean(out.dtype.name, index_for(n))(blocks_for(n, THREADS), THREADS, out, x, *lists, n, length, width)


def average_pool_backward(
    gx: Any, g: Any, top: Any, bottom: Any, left: Any, right: Any, rows: Any, cols: Any,
    planes: int, length: int, width: int,
) -> None:  # fmt: skip
    """The transpose: each g, divided alike, added to all of its window."""
    n = gx.size
    lists = top, bottom, left, right, rows, cols, top.size, left.size
    launch = mean_backward(gx.dtype.name, index_for(n))
    launch(blocks_for(n, THREADS), THREADS, gx, g, *lists, n, length // width, width)
