"""Runs on the GPU: the stretches of equal elements in an array that is sorted.

    x, in order      2 2 2 5 7 7
    change           0 0 0 1 1 0        1 where an element differs from the one before
    run              0 0 0 1 2 2        the running sum of that: which run each is in

`run` is sorted itself. So where run r begins is found by binary search, by a thread for each run; how long it is, by
searching for r + 1.

Source: G. Blelloch, Prefix sums and their applications, 1990, section 1.5 (segments).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import int64

from ..codegen import Signature
from ..expr import trace
from . import memory, reduction, scan
from .device import cuda
from .indexing import INT64
from .jit import THREADS, Kernel, blocks_for, device, kernel


@cache
def change_marker(dtype: str) -> Kernel:
    @kernel(f"int64*, {dtype}*, int64*, int64")
    def mark_changes(change, x, order, n):
        i = cuda.grid(1)
        if i < n:
            change[i] = int64(1 if i > 0 and x[order[i]] != x[order[i - 1]] else 0)

    return mark_changes


def mark_runs(run: Any, x: Any, order: Any) -> int:
    """run[i]: which run of equal elements the i-th of x, taken in sorted order, belongs to. Returns how many."""
    n = order.size
    if not n:
        return 0
    change_marker(x.dtype.name)(blocks_for(n, THREADS), THREADS, run, x, order, n)
    scan.cumsum(run, run, n, 1, False)
    return memory.number(run[n - 1 :]) + 1


@device
def first_at_least(x, n, value):
    """Where the first element of the sorted x is that is not below the value; n if none is."""
    low, high = int64(0), n
    while low < high:
        middle = (low + high) // 2
        if x[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@kernel("int64*, int64*, int64*, int64*, int64, int64")
def describe_runs(first, counts, run, order, n, count):
    r = cuda.grid(1)
    if r < count:
        begin = first_at_least(run, n, r)
        first[r], counts[r] = order[begin], first_at_least(run, n, r + 1) - begin


@kernel("int64*, int64*, int64*, int64")
def invert(inverse, run, order, n):
    i = cuda.grid(1)
    if i < n:
        inverse[order[i]] = run[i]


def runs(first: Any, inverse: Any, counts: Any, run: Any, order: Any) -> None:
    """For each run one element (its first), and how many it has; for each element of x its run."""
    n, count = order.size, counts.size
    if n:
        describe_runs(blocks_for(count, THREADS), THREADS, first, counts, run, order, n, count)
        invert(blocks_for(n, THREADS), THREADS, inverse, run, order, n)


@cache
def extreme(op: str, dtype: str) -> Callable[..., None]:
    """The smallest or largest of a row, as a kernel of reduction.py."""
    itself = trace("itself", lambda x: x, ("x",))
    return reduction.rows(itself, Signature([dtype], ["flat"], "int64"), False, op)


def smallest_and_largest(x: Any) -> tuple[int, int]:
    """Of integers; (0, -1) if there are none."""
    if not x.size:
        return 0, -1
    found = memory.empty(1, INT64)
    ends = []
    for op in ("min", "max"):
        extreme(op, x.dtype.name)(found, x.size, 1, x)
        ends.append(memory.number(found))
    return ends[0], ends[1]
