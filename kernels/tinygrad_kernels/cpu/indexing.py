"""Taking elements from places, and putting them there: the loops behind `x[index]`, gather and scatter.

The problem. Indexing by tensors comes in a dozen forms: `x[rows]`, `x[rows, columns]`, `x[mask]`, `index_select`,
`gather`, ... A loop for each would be a dozen loops, and as many for their gradients.

The idea. Two steps. First the index becomes a list of *places*, one int64 each, checked and not negative. Then an
array is seen as (outer, length, inner), and a place is a number below `length`:

    take      out[o, m, j] = x[o, at[m], j]        x (outer, length, inner), out (outer, places, inner)
    put       x[o, at[m], j] = v[o, m, j]          where places repeat, the last one stays
    add_at    x[o, at[m], j] += v[o, m, j]         where places repeat, all are added; reduce_at: multiplied, ...

`take` is a product with a matrix of zeros that has a single 1 in every row, and `add_at` the product with its
transpose: so each is the derivative of the other. For a (1000, 64) table, rows picked by 32 numbers are (1, 1000, 64)
and 32 places; `x[:, :, columns]` is (rows, length, 1); `gather` numbers every element, (1, elements, 1).

`add_at` keeps the order of the places for every element, so the sum of what meets there does not depend on the number
of threads: they share out the columns (or the outer part), never the places.

Source: G. Blelloch, Vector Models for Data-Parallel Computing, 1990 (gather and scatter as primitives).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .jit import jit
from .threads import PARALLEL_FROM, parallel

BLOCK = 1024  # elements that one thread takes at a time, about


# From an index to places --------------------------------------------------------------------------------------
@jit
def fold_index(at, index, size, first):
    """at = at * size + index, with a negative index counted from the end; -1, or the number of one out of range."""
    for m in range(index.size):
        i = index[m]
        if i < -size or i >= size:
            return m
        if i < 0:
            i += size
        at[m] = i if first else at[m] * size + i
    return -1


@jit
def _gather_places(at, index, sizes, strides, axis, length):
    """An odometer over the axes of `index`: at[n] = sum of strides[a] * coordinate[a], with index[n] along `axis`."""
    last = sizes.size - 1
    coordinates = np.zeros(sizes.size, np.int64)
    for row in range(index.size // max(sizes[last], 1)):
        base = 0
        for a in range(last):
            if a != axis:
                base += strides[a] * coordinates[a]
        first = row * sizes[last]
        for k in range(sizes[last]):
            i = index[first + k]
            if i < 0 or i >= length:
                return first + k
            at[first + k] = base + strides[axis] * i + (0 if axis == last else strides[last] * k)
        for a in range(last - 1, -1, -1):
            coordinates[a] += 1
            if coordinates[a] < sizes[a]:
                break
            coordinates[a] = 0
    return -1


def gather_places(at: Any, index: Any, shape: tuple, strides: tuple, axis: int, length: int) -> int:
    """The places of gather: `index` has `shape`, x has `strides`, and `length` elements along `axis`.

    Returns -1, or the number of an index that is out of range.

    >>> at, index = np.empty(4, np.int64), np.array([0, 1, 1, 0])
    >>> gather_places(at, index, (2, 2), (10, 1), 1, 2), at
    (-1, array([ 0,  1, 11, 10]))
    """
    return _gather_places(at, index, np.array(shape, np.int64), np.array(strides, np.int64), axis, length)


@jit
def count_true(x):
    """How many elements are not 0?"""
    found = 0
    for i in range(x.size):
        found += x[i] != 0
    return found


@jit
def find_true(at, x):
    """The places of the elements that are not 0, in order."""
    found = 0
    for i in range(x.size):
        if x[i] != 0:
            at[found] = i
            found += 1


@jit
def _coordinates(out, at, sizes):
    dimensions = sizes.size
    for m in range(at.size):
        rest = at[m]
        for a in range(dimensions - 1, -1, -1):
            out[m * dimensions + a] = rest % sizes[a]
            rest //= sizes[a]


def coordinates(out: Any, at: Any, shape: tuple) -> None:
    """out (places, dimensions): where each place lies along each axis of an array of this shape."""
    _coordinates(out, at, np.array(shape, np.int64))


# Taking and putting -------------------------------------------------------------------------------------------
@jit
def _take_rows(out, x, at, length, inner, first, last):
    """Rows `first` to `last` of the result, which has outer * at.size of them, of `inner` elements each."""
    row = first
    while row < last:  # once for each o
        o = row // at.size
        stop = min(last, (o + 1) * at.size)
        source = x[o * length * inner : (o + 1) * length * inner]
        target, places = out[row * inner : stop * inner], at[row - o * at.size : stop - o * at.size]
        if inner == 1:
            for m in range(places.size):
                target[m] = source[places[m]]
        else:
            for m in range(places.size):
                of, to = source[places[m] * inner : (places[m] + 1) * inner], target[m * inner : (m + 1) * inner]
                for j in range(inner):
                    to[j] = of[j]
        row = stop


@jit
def _take(out, x, at, outer, length, inner):
    _take_rows(out, x, at, length, inner, 0, outer * at.size)


@jit(parallel=True)
def _take_parallel(out, x, at, outer, length, inner):
    rows = outer * at.size
    step = max(1, BLOCK // inner)
    for block in numba.prange((rows + step - 1) // step):
        _take_rows(out, x, at, length, inner, block * step, min(rows, (block + 1) * step))


_take_large = parallel(_take_parallel, _take)


def take(out: Any, x: Any, at: Any, outer: int, length: int, inner: int) -> None:
    """out[o, m, j] = x[o, at[m], j]

    >>> out = np.empty(4)
    >>> take(out, np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), np.array([2, 0]), 1, 3, 2)
    >>> out
    array([5., 6., 1., 2.])
    """
    (_take if out.size < PARALLEL_FROM else _take_large)(out, x, at, outer, length, inner)


@jit
def put(x, at, v, outer, length, inner):
    """x[o, at[m], j] = v[o, m, j]; a v of one element goes everywhere."""
    count, one = at.size, v.size == 1
    for o in range(outer):
        for m in range(count):
            start, of = (o * length + at[m]) * inner, (o * count + m) * inner
            target = x[start : start + inner]
            if one:
                for j in range(inner):
                    target[j] = v[0]
            else:
                source = v[of : of + inner]
                for j in range(inner):
                    target[j] = source[j]


@jit
def _add_columns(x, at, v, o, length, inner, first, last):
    """For one o, columns `first` to `last`, all places in order."""
    count = at.size
    for m in range(count):
        start, of = (o * length + at[m]) * inner, (o * count + m) * inner
        target, source = x[start + first : start + last], v[of + first : of + last]
        for j in range(last - first):
            target[j] += source[j]


@jit
def _add(x, at, v, outer, length, inner):
    for o in range(outer):
        if inner == 1:
            target, source = x[o * length : (o + 1) * length], v[o * at.size : (o + 1) * at.size]
            for m in range(at.size):
                target[at[m]] += source[m]
        else:
            _add_columns(x, at, v, o, length, inner, 0, inner)


@jit(parallel=True)
def _add_parallel(x, at, v, outer, length, inner, width):
    parts = (inner + width - 1) // width
    for k in numba.prange(outer * parts):
        first = k % parts * width
        _add_columns(x, at, v, k // parts, length, inner, first, min(first + width, inner))


def _add_by_columns(x: Any, at: Any, v: Any, outer: int, length: int, inner: int) -> None:
    _add_parallel(x, at, v, outer, length, inner, 64)  # 64 elements: a few whole cache lines


_add_large = parallel(_add_by_columns, _add)


def add_at(x: Any, at: Any, v: Any, outer: int, length: int, inner: int) -> None:
    """x[o, at[m], j] += v[o, m, j], for repeated places too, added in the order in which they are listed.

    >>> x = np.zeros(3)
    >>> add_at(x, np.array([1, 1, 2]), np.array([1.0, 10.0, 5.0]), 1, 3, 1)
    >>> x
    array([ 0., 11.,  5.])
    """
    shared = outer > 1 or inner >= 128
    (_add_large if shared and v.size >= PARALLEL_FROM else _add)(x, at, v, outer, length, inner)


@jit
def _reduce(x, at, v, op):
    for m in range(at.size):
        a, b = x[at[m]], v[m]
        if op == 0:
            x[at[m]] = a * b
        elif b != b or (b > a if op > 0 else b < a):  # a nan stays: nothing is larger, or smaller
            x[at[m]] = b


def reduce_at(x: Any, at: Any, v: Any, op: str) -> None:
    """x[at[m]] = x[at[m]] * v[m] for 'prod', or the larger ('amax') or smaller ('amin') of both; nan wins.

    >>> x = np.array([1.0, 2.0])
    >>> reduce_at(x, np.array([0, 0, 1]), np.array([3.0, 5.0, 0.0]), "amax")
    >>> x
    array([5., 2.])
    """
    _reduce(x, at, v, {"prod": 0, "amax": 1, "amin": -1}[op])


@jit
def paste(out, x, rows, width, pitch, start):
    """out[row * pitch + start + j] = x[row * width + j]: the columns of x become some of the columns of out."""
    for row in range(rows):
        source, at = x[row * width : (row + 1) * width], row * pitch + start
        target = out[at : at + width]
        for j in range(width):
            target[j] = source[j]


@jit
def triangle(out, x, rows, columns, diagonal, lower):
    """x, a stack of matrices, with zeros above (lower) or below that diagonal."""
    for row in range(x.size // max(columns, 1)):
        i, start = row % rows, row * columns
        source, target = x[start : start + columns], out[start : start + columns]
        edge = i + diagonal  # the column of the diagonal in this row
        for j in range(columns):
            inside = j <= edge if lower else j >= edge
            target[j] = source[j] if inside else 0
