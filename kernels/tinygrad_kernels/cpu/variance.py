"""Mean and variance along an axis, in one pass over memory.

The problem. The variance needs the mean first: two passes. The one-pass formula, mean of x² minus mean squared, loses
every digit where the numbers are far from 0.

The idea. Cut a row into chunks that stay in the nearest cache, and give each both passes: its mean m, and the sum s of
the squares of (x - m). Two chunks of k and l numbers join without loss:

    m = m_a + (m_b - m_a) l / (k + l)
    s = s_a + s_b + (m_b - m_a)² k l / (k + l)

Means are taken of the distances from the first number of a chunk, so equal numbers have that very number as their mean,
and a variance of 0, not of 1e-33.

An axis that is not the last has the layout (outer, n, inner): a block of neighbouring columns is walked down twice.
Everything is added up in float64. Threads share out rows or blocks, never the elements of one.

Source: T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, Am. Statistician 37(3), 1983.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import prange
from numpy import float64

from .jit import jit
from .threads import PARALLEL_FROM, parallel

CHUNK, BLOCK = 2048, 128  # numbers of a row, columns


@jit(accumulate=True)
def _sum_from(x, origin):
    total = 0.0
    for i in range(x.size):
        total += float64(x[i]) - origin
    return total


@jit(accumulate=True)
def _squares_from(x, mean):
    total = 0.0
    for i in range(x.size):
        d = float64(x[i]) - mean
        total += d * d
    return total


@jit
def _row(x):
    """(mean, sum of the squared distances from it)"""
    mean, squares, count = math.nan, 0.0, 0
    for start in range(0, x.size, CHUNK):
        part = x[start : start + CHUNK]
        origin = float64(part[0])
        m = origin + _sum_from(part, origin) / part.size
        total = count + part.size
        step = m - mean if count else 0.0
        squares += _squares_from(part, m) + step * step * (count * part.size / total)
        mean = mean + step * (part.size / total) if count else m
        count = total
    return mean, squares


@jit
def _columns(means, squares, x, at, n, inner, width):
    """The same for `width` columns, the first elements of which are at x[at], x[at + 1], ..."""
    for j in range(width):
        means[j] = 0.0
        squares[j] = 0.0
    for i in range(n):
        for j in range(width):
            means[j] += float64(x[at + i * inner + j]) - float64(x[at + j])
    for j in range(width):
        means[j] = float64(x[at + j]) + means[j] / n if n else math.nan
    for i in range(n):
        for j in range(width):
            d = float64(x[at + i * inner + j]) - means[j]
            squares[j] += d * d


@jit
def _units(first, last, out, mean, x, n, inner, freedom, root):
    """Rows (inner = 1), or blocks of columns, from `first` to `last`."""
    if inner == 1:
        for i in range(first, last):
            m, s = _row(x[i * n : (i + 1) * n])
            mean[i] = m
            out[i] = math.sqrt(s / freedom) if root else s / freedom
        return
    means, squares = np.empty(BLOCK), np.empty(BLOCK)
    blocks = (inner + BLOCK - 1) // BLOCK
    for unit in range(first, last):
        outer, column = unit // blocks, unit % blocks * BLOCK
        width = min(BLOCK, inner - column)
        _columns(means, squares, x, outer * n * inner + column, n, inner, width)
        at = outer * inner + column
        for j in range(width):
            mean[at + j] = means[j]
            out[at + j] = math.sqrt(squares[j] / freedom) if root else squares[j] / freedom


@jit(parallel=True)
def _shared(units, out, mean, x, n, inner, freedom, root):
    tasks = min(units, 64)
    for t in prange(tasks):
        _units(units * t // tasks, units * (t + 1) // tasks, out, mean, x, n, inner, freedom, root)


@jit
def _serial(units, out, mean, x, n, inner, freedom, root):
    _units(0, units, out, mean, x, n, inner, freedom, root)


_large = parallel(_shared, _serial)


def variance(out: Any, mean: Any, x: Any, n: int, inner: int, freedom: float, root: bool) -> None:
    """out = the sums of the squared distances from the mean, along lines of n, divided by `freedom`; `root`: its root.

    x is (outer, n, inner), out and mean (outer, inner): flat buffers.

    >>> import numpy as np
    >>> out, mean = np.empty(2), np.empty(2)
    >>> variance(out, mean, np.array([1.0, 2.0, 3.0, 5.0, 5.0, 5.0]), 3, 1, 2.0, False)
    >>> out, mean
    (array([1., 0.]), array([2., 5.]))
    """
    units = out.size if inner == 1 else out.size // inner * ((inner + BLOCK - 1) // BLOCK) if inner else 0
    (_large if x.size >= PARALLEL_FROM and units > 1 else _serial)(units, out, mean, x, n, inner, freedom, root)
