"""Adding at places on the GPU, where places repeat: sorted first, so that the result does not depend on luck.

    add_at       x[o, at[m], j] += v[o, m, j]          reduce_at    the same with a product, a maximum, a minimum

The problem. Thousands of threads want to add to one place. The hardware can do it (an *atomic* addition: read, add and
write in one step), but in an order that changes from run to run; and since a sum of floats depends on the order, so do
its last digits. A training run could not be repeated.

The idea. Sort the places (sorting.py), stably, so that equal ones lie side by side, in the order in which they were
listed. Then the thread at the beginning of each run of equal places adds up the run, alone, in this order:

    at          2 0 2 1 2            x[2] += v[0] + v[2] + v[4], by thread 2
    sorted      0 1 2 2 2            x[0] += v[1],               by thread 0
    order       1 3 0 2 4            x[1] += v[3],               by thread 1; threads 3 and 4 have nothing to do

No two threads write one element, and every sum has the order that it has on the CPU: the same bits, each time.

Long runs. If all places are one, a thread would be alone with everything. So the list is cut into chunks of 256; the
part of a run in each chunk is added up by a thread of its own first, and the beginning of the run then adds the parts.

Source: G. Blelloch, Prefix sums and their applications, 1990, section 1.5 (segmented operations).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba

from . import memory
from .device import cuda
from .indexing import INDEX, INT64
from .jit import THREADS, Kernel, blocks_for, device, index_for, kernel
from .sorting import keys_of, sort_by_keys

CHUNK = 256  # places that one thread adds up


@cache
def joiner(op: str, dtype: str) -> Any:
    """join(a, b): one number of two, on the GPU; `b` is the later one. nan wins in a maximum and in a minimum."""
    T = getattr(numba, dtype)

    if op == "sum":

        @device
        def join(a, b):
            return T(a + b)
    elif op == "any":

        @device
        def join(a, b):
            return T(a | b)
    elif op == "prod":

        @device
        def join(a, b):
            return T(a * b)
    else:
        largest = op == "amax"

        @device
        def join(a, b):
            better = b > a if largest else b < a
            return b if b != b or better else a

    return join


@cache
def kernels(op: str, dtype: str, index: str) -> tuple[Kernel, Kernel]:
    """find_parts(parts, ...) for the chunks that begin inside a run, and join_runs(x, parts, ...)."""
    Index, join = INDEX[index], joiner(op, dtype)

    @device
    def rest_of_part(total, v, places, order, k, count, start, inner):
        """Join v at the places from k on that equal the one before, to the end of the chunk: the total, and the end."""
        stop = min((k // CHUNK + 1) * CHUNK, count)
        place = places[k - 1]
        while k < stop and places[k] == place:
            total = join(total, v[start + order[k] * inner])
            k += 1
        return total, k

    @kernel(f"{dtype}*, {dtype}*, int64*, int64*, int64, int64, int64, int64")
    def find_parts(parts, v, places, order, n, count, inner, chunks):
        i = cuda.grid(1)
        if i < n:
            j, chunk, o = i % inner, i // inner % chunks, i // inner // chunks
            k = chunk * CHUNK
            if k > 0 and places[k] == places[k - 1]:
                start = o * count * inner + j
                total = v[start + order[k] * inner]
                if k + 1 < count:
                    total, _ = rest_of_part(total, v, places, order, k + 1, count, start, inner)
                parts[i] = total

    @kernel(f"{dtype}*, {dtype}*, {dtype}*, int64*, int64*, int64, {index}, {index}, int64, int64")
    def join_runs(x, parts, v, places, order, n, count, inner, length, chunks):
        i = cuda.grid(1)
        if i < n:
            row = Index(i) // inner
            j, k, o = Index(i) % inner, numba.int64(row % count), numba.int64(row // count)
            place = places[k]
            if k == 0 or places[k - 1] != place:
                at, start = (o * length + place) * inner + j, o * count * inner + j
                total = join(x[at], v[start + order[k] * inner])
                k += 1
                if k % CHUNK != 0 and k < count:
                    total, k = rest_of_part(total, v, places, order, k, count, start, inner)
                while k % CHUNK == 0 and k < count and places[k] == place:
                    total = join(total, parts[(o * chunks + k // CHUNK) * inner + j])
                    k += CHUNK
                x[at] = total

    return find_parts, join_runs


def join_at(op: str, x: Any, at: Any, v: Any, outer: int, length: int, inner: int) -> None:
    """x[o, at[m], j] = x[o, at[m], j] joined with v[o, m, j], for all m in order."""
    count = at.size
    n = outer * count * inner
    if not n:
        return
    order = memory.empty(count, INT64)
    keys = keys_of(memory.seen_as(at, "uint64"), False)
    places = memory.seen_as(sort_by_keys(order, keys, 1, count), "int64")
    if x.dtype.kind == "b":
        op, x, v = "any" if op == "sum" else op, memory.seen_as(x, "uint8"), memory.seen_as(v, "uint8")
    find_parts, join_runs = kernels(op, x.dtype.name, index_for(n))
    chunks = blocks_for(count, CHUNK)
    parts = memory.empty(outer * chunks * inner if chunks > 1 else 0, x.dtype)
    if chunks > 1:
        find_parts(
            blocks_for(parts.size, THREADS), THREADS, parts, v, places, order, parts.size, count, inner, chunks
        )  # fmt: skip
    join_runs(
        blocks_for(n, THREADS), THREADS, x, parts, v, places, order, n, count, inner, length, chunks
    )  # fmt: skip


# The interface: ../cpu/indexing.py.


def add_at(x: Any, at: Any, v: Any, outer: int, length: int, inner: int) -> None:
    """x[o, at[m], j] += v[o, m, j], for repeated places too, added in the order in which they are listed."""
    join_at("sum", x, at, v, outer, length, inner)


def reduce_at(x: Any, at: Any, v: Any, op: str) -> None:
    """x[at[m]] = x[at[m]] * v[m] for 'prod', or the larger ('amax') or smaller ('amin') of both; nan wins."""
    join_at(op, x, at, v, 1, x.size, 1)
