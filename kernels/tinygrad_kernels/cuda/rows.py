"""Softmax, log-softmax, log-sum-exp and cross-entropy on the GPU, forward and backward.

The formulas are those of ../cpu/rows.py:

    softmax           y_j = e^{x_j - m} / Σ_k e^{x_k - m}            gx_j = y_j (g_j - Σ_k g_k y_k)
    log-softmax       y_j = x_j - m - log Σ_k e^{x_k - m}            gx_j = g_j - e^{y_j} Σ_k g_k
    log-sum-exp       y = m + log Σ_k e^{x_k - m}                    gx_j = g e^{x_j - y}
    cross-entropy     loss = m - x_t + log Σ_k e^{x_k - m}           gx_j = g (e^{x_j - y} - [j = t])

The problem. m is the largest element of the row, and is known only at its end: first a loop for m, then one for the
sum, then one for the result. On a GPU the loops are cheap, and reading the row for each of them is not.

The idea. Maximum and sum are folded in *one* loop, *online*: the state (m, s) means "the largest so far is m, and the
sum of e^{x - m} is s". Two such states, of two chunks or of two threads, join like this:

    (m, s) and (n, t)   ──▶   top = max(m, n),    (top,  s e^{m - top} + t e^{n - top})

    x = 1, 3 | 2, 5           (3, 1.14) and (5, 1.05)  ──▶  (5, 1.14 e⁻² + 1.05) = (5, 1.20)

Who folds what, and how all threads of a row come to know the state of the whole row: teams.py. Sums are of the
dtype of the row, chunk by chunk and then over the threads, so that no number has been through many additions.

A row of -inf has s = 0, and one with an inf s = inf: log-sum-exp is -inf or inf. Softmax and cross-entropy, which
would be 0 / 0 or inf / inf, are nan. A nan may pass by m unnoticed, but makes s nan, and so every result.

float64 has its place in one number per row, the log-sum-exp that the backward pass needs: x - y of large float32
numbers would leave little.

Source: M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, 2018 (arXiv:1805.02867).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import inf, nan
from typing import Any

import numba
import numpy as np
from numba import float64, int64

from . import math, memory
from .atomics import atomic_min
from .device import cuda
from .elementwise import fill
from .jit import Kernel, blocks_for, device, kernel
from .teams import Way, add, chunk_of, meeting, reader, team, way_for

NONE = np.iinfo(np.int64).max  # the number of the first bad row, where there is none


# The state (m, s) of a row.


@cache
def joiner(dtype: str) -> Callable[..., Any]:
    """join: of two states (m, s, unused)."""
    T, exp = getattr(numba, dtype), getattr(math, f"exp_{dtype}")

    @device
    def scale(m, top):
        """e^(m - top); 1 where both are infinite."""
        return T(1) if m == top else exp(m - top)

    @device
    def join(m, s, unused, n, t, unused_too):
        top = max(m, n)
        return top, s * scale(m, top) + t * scale(n, top), unused

    return join


@cache
def folder(dtype: str, way: Way) -> Callable[..., Any]:
    """fold(kept, x, begin, member, stop): (m, s) of a row; leaves its last chunk in `kept`."""
    T, exp = getattr(numba, dtype), getattr(math, f"exp_{dtype}")
    join, (count, read) = joiner(dtype), reader(dtype, way)
    meet, each, chunk = meeting(way[0], dtype, join), way[1], chunk_of(way)

    @device
    def fold(kept, x, begin, member, stop):
        m, s = T(-inf), T(0)
        for start in range(member, stop, chunk):
            read(kept, x, begin + start, count(start, stop), T(-inf))
            n, t = T(-inf), T(0)
            for k in range(each):
                n = max(n, kept[k])
            finite = T(0) if n == T(-inf) or n == T(inf) else n  # e^(inf - 0) is inf, and nan is left to nan
            for k in range(each):
                t += exp(kept[k] - finite)
            m, s, _ = join(m, s, T(0), n, t, T(0))
        m, s, _ = meet(m, s, T(0))
        return m, s

    return fold


# The kernels. `way`: the team of a row.


@cache
def _softmax(dtype: str, way: Way, log_of: bool) -> Kernel:
    T, exp, log = getattr(numba, dtype), getattr(math, f"exp_{dtype}"), getattr(math, f"log_{dtype}")
    place, size, each, chunk = team(way[0]).place, team(way[0]).size, way[1], chunk_of(way)
    (count, read), fold = reader(dtype, way), folder(dtype, way)

    @kernel(f"{dtype}*, {dtype}*, int64, int64")
    def softmax(out, x, rows, cols):
        kept = cuda.local.array(each, T)
        row, member = place()
        begin, stop = row * cols, cols if row < rows else 0
        m, s = fold(kept, x, begin, member, stop)
        rest = T(nan) if m == T(inf) else log(s) if log_of else T(1) / s
        for start in range(member, stop, chunk):
            at, n = begin + start, count(start, stop)
            if stop > chunk:
                read(kept, x, at, n, T(0))
            for k in range(each):
                if k < n:
                    out[at + k * size] = (kept[k] - m) - rest if log_of else exp(kept[k] - m) * rest

    return softmax


@cache
def _softmax_backward(dtype: str, way: Way, log_of: bool) -> Kernel:
    T, exp = getattr(numba, dtype), getattr(math, f"exp_{dtype}")
    place, size, each, chunk = team(way[0]).place, team(way[0]).size, way[1], chunk_of(way)
    (count, read), meet = reader(dtype, way), meeting(way[0], dtype, add)

    @kernel(f"{dtype}*, {dtype}*, {dtype}*, int64, int64")
    def softmax_backward(gx, g, y, rows, cols):
        kept_g, kept_y = cuda.local.array(each, T), cuda.local.array(each, T)
        row, member = place()
        begin, stop = row * cols, cols if row < rows else 0
        total = T(0)
        for start in range(member, stop, chunk):
            at, n = begin + start, count(start, stop)
            read(kept_g, g, at, n, T(0))
            read(kept_y, y, at, n, T(0))
            part = T(0)
            for k in range(each):
                part += kept_g[k] if log_of else kept_g[k] * kept_y[k]
            total += part
        total, _, _ = meet(total, T(0), T(0))
        for start in range(member, stop, chunk):
            at, n = begin + start, count(start, stop)
            if stop > chunk:
                read(kept_g, g, at, n, T(0))
                read(kept_y, y, at, n, T(0))
            for k in range(each):
                if k < n:
                    a, b = kept_g[k], kept_y[k]
                    gx[at + k * size] = a - exp(b) * total if log_of else b * (a - total)

    return softmax_backward


@cache
def _logsumexp(dtype: str, way: Way) -> Kernel:
    T, log = getattr(numba, dtype), getattr(math, f"log_{dtype}")
    place, each, fold = team(way[0]).place, way[1], folder(dtype, way)

    @kernel(f"{dtype}*, float64*, {dtype}*, int64, int64")
    def logsumexp(out, logsum, x, rows, cols):
        kept = cuda.local.array(each, T)
        row, member = place()
        m, s = fold(kept, x, row * cols, member, cols if row < rows else 0)
        if member == 0 and row < rows:
            y = float64(m) + float64(log(s))
            logsum[row], out[row] = y, T(y)

    return logsumexp


@cache
def _cross_entropy(dtype: str, way: Way) -> Kernel:
    T, log = getattr(numba, dtype), getattr(math, f"log_{dtype}")
    place, each, fold = team(way[0]).place, way[1], folder(dtype, way)

    @kernel(f"{dtype}*, float64*, int64*, {dtype}*, int64*, int64, int64, int64")
    def cross_entropy(losses, logsum, bad, x, targets, rows, cols, ignore_index):
        kept = cuda.local.array(each, T)
        row, member = place()
        target = targets[row] if row < rows else ignore_index
        inside = target >= 0 and target < cols
        counts = inside and target != ignore_index
        m, s = fold(kept, x, row * cols, member, cols if counts else 0)
        if member == 0 and row < rows:
            loss, rest = T(0), T(0)
            if counts:
                rest = T(nan) if m == T(inf) else log(s)
                loss = (m - x[row * cols + target]) + rest
            elif target != ignore_index:
                atomic_min(bad, 0, row)
            losses[row], logsum[row] = loss, float64(m) + float64(rest) if counts else float64(0)

    return cross_entropy


@cache
def _from_logsum(dtype: str, way: Way, classes: bool) -> Kernel:
    """gx = g e^(x - y), and, for `classes`, g less in the column of the target."""
    T, exp = getattr(numba, dtype), getattr(math, f"exp_{dtype}")
    place, size, each, chunk = team(way[0]).place, team(way[0]).size, way[1], chunk_of(way)
    count, read = reader(dtype, way)

    @kernel(f"{dtype}*, {dtype}*, int64, {dtype}*, float64*, int64*, int64, int64, int64")
    def from_logsum(gx, g, g_step, x, logsum, targets, rows, cols, ignore_index):
        kept = cuda.local.array(each, T)
        row, member = place()
        if row >= rows:
            return
        begin, target = row * cols, targets[row] if classes else int64(-1)
        y = logsum[row]
        high = T(y)
        low = T(0) if high == T(inf) or high == T(-inf) else T(y - float64(high))
        factor = T(0) if classes and target == ignore_index else g[row * g_step]
        for start in range(member, cols, chunk):
            n = count(start, cols)
            read(kept, x, begin + start, n, T(0))
            for k in range(each):
                if k < n:
                    column = start + k * size
                    e = factor * exp((kept[k] - high) - low)
                    gx[begin + column] = e - factor if column == target else e

    return from_logsum


def launch(make: Callable[..., Kernel], rows: int, cols: int, *arguments: Any, options: tuple = ()) -> None:
    """Start make(dtype, way, *options) with a team to each row. The first argument tells the dtype."""
    if rows:
        way = way_for(cols)
        kind = team(way[0])
        make(arguments[0].dtype.name, way, *options)(blocks_for(rows, kind.count), kind.threads, *arguments)


# The interface: ../cpu/rows.py.


def softmax(out: Any, x: Any, rows: int, cols: int) -> None:
    """out = softmax of each row of x; both (rows * cols,), of one dtype. `out` may be `x`."""
    launch(_softmax, rows, cols, out, x, rows, cols, options=(False,))


def softmax_backward(gx: Any, g: Any, y: Any, rows: int, cols: int) -> None:
    """gx = y (g - Σ g y) in each row, y the result of `softmax`; all (rows * cols,), of one dtype."""
    launch(_softmax_backward, rows, cols, gx, g, y, rows, cols, options=(False,))


def log_softmax(out: Any, x: Any, rows: int, cols: int) -> None:
    """out = log softmax of each row of x; both (rows * cols,), of one dtype. `out` may be `x`."""
    launch(_softmax, rows, cols, out, x, rows, cols, options=(True,))


def log_softmax_backward(gx: Any, g: Any, y: Any, rows: int, cols: int) -> None:
    """gx = g - eʸ Σ g in each row, y the result of `log_softmax`; all (rows * cols,), of one dtype."""
    launch(_softmax_backward, rows, cols, gx, g, y, rows, cols, options=(True,))


def logsumexp(out: Any, logsum: Any, x: Any, rows: int, cols: int) -> None:
    """out[i] = log Σ e^x of row i: ±inf where the largest element is. `logsum`: the same in float64, for backward."""
    launch(_logsumexp, rows, cols, out, logsum, x, rows, cols)


def logsumexp_backward(gx: Any, g: Any, x: Any, logsum: Any, rows: int, cols: int) -> None:
    """gx = g e^(x - logsum) in each row: g and logsum are (rows,), gx and x (rows * cols,)."""
    none = memory.empty(0, np.dtype(np.int64))
    launch(_from_logsum, rows, cols, gx, g, 1, x, logsum, none, rows, cols, 0, options=(False,))


def cross_entropy(
    losses: Any, logsum: Any, x: Any, targets: Any, rows: int, cols: int, ignore_index: int = -100
) -> int:
    """losses[i] = -log softmax(x[i])[targets[i]], 0 where the target is `ignore_index`; see ../cpu/rows.py.

    Returns the first row whose target is no column, or -1. The CPU waits for it: one number comes from the device.
    """
    bad = memory.empty(1, np.dtype(np.int64))
    fill(bad, NONE)
    launch(_cross_entropy, rows, cols, losses, logsum, bad, x, targets, rows, cols, ignore_index)
    first = memory.number(bad)
    return -1 if first == NONE else first


def cross_entropy_backward(
    gx: Any, g: Any, x: Any, logsum: Any, targets: Any, rows: int, cols: int, ignore_index: int = -100
) -> None:
    """gx[i] = g (softmax(x[i]) - onehot(targets[i])), 0 in ignored rows; g is (rows,), or (1,): shared by all rows."""
    step = 0 if len(g) == 1 else 1
    launch(_from_logsum, rows, cols, gx, g, step, x, logsum, targets, rows, cols, ignore_index, options=(True,))
