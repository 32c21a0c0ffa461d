"""Pooling: the largest element, or the mean, of each window of an image; forward and backward.

The problem. A network that looks for something in an image need not know the pixel. Pooling keeps one number for each
small window, and the image shrinks:

    1 3 | 2 0
    5 2 | 1 1      windows of 2 x 2, maxima     5 2
    ----+----      ───────────────────────▶     9 4
    0 9 | 4 4
    7 1 | 0 3

The idea. A window is a range of rows and a range of columns. So all that kernel size, stride, padding, ceil_mode and
adaptive sizes mean is said by two pairs of lists, made once: `top, bottom` for the rows of windows, `left, right` for
the columns of windows (a window that reaches over the edge is cut off there):

    max       out[r, c] = max of x[y, z],                         y in top[r] ... bottom[r], z in left[c] ... right[c]
    average   out[r, c] = sum of x[y, z] / (rows[r] cols[c])      how many a window counts as, along either axis

Backward. The cotangent of a maximum goes to the place where it was found, which is kept: int32, 4 bytes for each
window. That of a mean goes to all of its window; as a mean is linear, this is its transpose.

An image (n, channels, height, width) is n · channels planes; a row of numbers is a plane of height 1. Windows may
overlap, so one thread takes whole planes, and adds in the order of the windows.

Source: D. Scherer, A. Müller, S. Behnke, Evaluation of pooling operations in convolutional architectures for object
recognition, ICANN 2010.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import jit
from .rows import over_rows


@jit
def _max_plane(i, length, out, at, x, top, bottom, left, right, down, across, width):
    """One plane of maxima; `down` and `across` are the steps inside a window. A nan wins, the last one if several."""
    x, count = x[i * length : (i + 1) * length], top.size * left.size
    out, at = out[i * count : (i + 1) * count], at[i * count : (i + 1) * count]
    n = 0
    for r in range(top.size):
        for c in range(left.size):
            place = top[r] * width + left[c]
            best = x[place]
            for y in range(top[r], bottom[r], down):
                for z in range(left[c], right[c], across):
                    v = x[y * width + z]
                    if v > best or v != v:
                        best, place = v, y * width + z
            out[n], at[n] = best, place
            n += 1


@jit(inline=True)
def _better(best, place, v, other):
    """The larger of two elements, with its place; the second if it is nan."""
    wins = (v > best) | (v != v)
    return v if wins else best, other if wins else place


@jit
def _max_plane_of_pairs(i, length, out, at, x, width):
    """The same for 2 x 2 windows side by side, the most common ones: no inner loops and no branches.

    A sixth of the time for planes of 28 x 28.
    """
    rows, cols = length // width // 2, width // 2
    for r in range(rows):
        first, to = i * length + 2 * r * width, (i * rows + r) * cols
        upper, lower = x[first : first + width], x[first + width : first + 2 * width]
        values, places = out[to : to + cols], at[to : to + cols]
        for c in range(cols):
            z = 2 * c
            best, place = _better(upper[z], 0, upper[z + 1], 1)
            best, place = _better(best, place, lower[z], width)
            best, place = _better(best, place, lower[z + 1], width + 1)
            values[c], places[c] = best, 2 * r * width + z + place


@jit
def _max_backward_plane(i, length, gx, g, at):
    gx, count = gx[i * length : (i + 1) * length], at.size // (gx.size // length)
    g, at = g[i * count : (i + 1) * count], at[i * count : (i + 1) * count]
    gx[:] = 0
    for n in range(count):
        gx[at[n]] += g[n]


@jit
def _average_plane(i, length, out, x, top, bottom, left, right, rows, cols, width):
    """Windows in one row of windows have their rows in common: these are added up first, then parts of the sum."""
    x, sums = x[i * length : (i + 1) * length], np.empty(width, x.dtype)
    n = i * top.size * left.size
    for r in range(top.size):
        sums[:] = 0
        for y in range(top[r], bottom[r]):
            row = x[y * width : (y + 1) * width]
            for z in range(sums.size):
                sums[z] += row[z]
        for c in range(left.size):
            total = x.dtype.type(0)
            for z in range(left[c], right[c]):
                total += sums[z]
            out[n] = total / x.dtype.type(rows[r] * cols[c])
            n += 1


@jit
def _average_backward_plane(i, length, gx, g, top, bottom, left, right, rows, cols, width):
    """The same backward: the shares of a row of windows are added up in one row, and that to each of their rows."""
    gx, shares = gx[i * length : (i + 1) * length], np.empty(width, g.dtype)
    gx[:] = 0
    n = i * top.size * left.size
    for r in range(top.size):
        shares[:] = 0
        for c in range(left.size):
            share = g[n] / g.dtype.type(rows[r] * cols[c])
            for z in range(left[c], right[c]):
                shares[z] += share
            n += 1
        for y in range(top[r], bottom[r]):
            row = gx[y * width : (y + 1) * width]
            for z in range(shares.size):
                row[z] += shares[z]


_max, _max_of_pairs, _max_backward = map(over_rows, (_max_plane, _max_plane_of_pairs, _max_backward_plane))
_average, _average_backward = map(over_rows, (_average_plane, _average_backward_plane))


# The interface. x is `planes` planes of `length` elements in rows of `width`.


def max_pool(
    out: Any, at: Any, x: Any, top: Any, bottom: Any, left: Any, right: Any,
    steps: tuple[int, int], pairs: bool, planes: int, length: int, width: int,
) -> None:  # fmt: skip
    """The maximum of each window, and (int32) its place in its plane. `steps` lie between the elements of a window.

    `pairs` says that the windows are of 2 x 2, side by side, and leave out nothing but a last column.

    >>> x, out, at = np.array([1.0, 3.0, 5.0, 2.0]), np.empty(1), np.empty(1, np.int32)
    >>> zero, two = np.array([0]), np.array([2])
    >>> max_pool(out, at, x, zero, two, zero, two, (1, 1), True, 1, 4, 2)
    >>> out, at
    (array([5.]), array([2], dtype=int32))
    """
    if pairs:
        _max_of_pairs(planes, length, out, at, x, width)
    else:
        _max(planes, length, out, at, x, top, bottom, left, right, *steps, width)


def max_pool_backward(gx: Any, g: Any, at: Any, planes: int, length: int, windows: Any = None) -> None:
    """gx: zeros, with g added at the places, plane by plane. (The GPU asks where windows are: ../cuda/pooling.py.)"""
    _max_backward(planes, length, gx, g, at)


def average_pool(
    out: Any, x: Any, top: Any, bottom: Any, left: Any, right: Any, rows: Any, cols: Any,
    planes: int, length: int, width: int,
) -> None:  # fmt: skip
    """The sum of each window, divided by rows[r] * cols[c]."""
    _average(planes, length, out, x, top, bottom, left, right, rows, cols, width)


def average_pool_backward(
    gx: Any, g: Any, top: Any, bottom: Any, left: Any, right: Any, rows: Any, cols: Any,
    planes: int, length: int, width: int,
) -> None:  # fmt: skip
    """The transpose: each g, divided alike, added to all of its window."""
    _average_backward(planes, length, gx, g, top, bottom, left, right, rows, cols, width)
