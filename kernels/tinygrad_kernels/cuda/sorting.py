"""Sorting rows on the GPU: a merge sort in which every element finds its own place, and what sorted rows are good for.

The problem. Sort the rows of an array, and say where each element came from. Equal elements keep their order (the sort
is *stable*), nan comes last. A thousand threads want work on one row.

The idea. Two sorted runs are merged by one thread that always takes the smaller of two heads, step by step. But where
an element goes can be said without a step: behind those before it in its own run, and behind those of the other run
that are smaller. The first number is its place, the second a binary search.

    runs        1 4 7 9  |  2 4 5          4 of the left run: 1 before it, and 1 smaller on the right (2)     place 2
                                           4 of the right run: 1 before it, and 2 not larger on the left      place 3
    merged      1 2 4 4 5 7 9

Of equal elements those of the left run go first: the left one counts what is smaller, the right one what is not larger.
So the sort is stable, and no two elements get one place.

Runs of 1, 2, 4, ..., 512 are merged in shared memory: a block sorts 1024 elements, or many short rows. Longer runs do
not fit. But 1024 neighbours of the merged run come from a stretch of the left run and a stretch of the right one, and
where both begin is found by one more binary search along a diagonal (*merge path*); then the stretches fit, and the
rest is as before.

The elements are compared by unsigned *keys* in the same order (../cpu/sorting.py): so there is one sort for all dtypes,
and descending order is that of the complement.

The first k of a row are a tournament: each 1024 are sorted and the first k kept, until 1024 are left.

Source: O. Green, R. McColl, D. Bader, GPU Merge Path, 2012; N. Satish, M. Harris, M. Garland, Designing efficient
sorting algorithms for manycore GPUs, 2009 (the rank by binary search); for the keys, M. Herf, Radix tricks, 2001.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
from numba import int32, int64

from . import memory
from .device import cuda
from .jit import ALL, THREADS, Kernel, blocks_for, device, kernel

EACH = 4  # elements of a tile that a thread places
TILE = EACH * THREADS
BITS = TILE.bit_length() - 1
INT64: Any = np.dtype("int64")


# Keys ---------------------------------------------------------------------------------------------------------
def unsigned(dtype: str) -> str:
    """The unsigned integer of the same size."""
    return f"uint{8 * np.dtype(dtype).itemsize}"


@cache
def key_maker(dtype: str) -> Kernel:
    """keys(keys, bits, n, descending): `bits` are those of the elements, as unsigned."""
    name = unsigned(dtype)
    K, size = getattr(numba, name), 8 * np.dtype(dtype).itemsize
    sign = K(0 if dtype == "bool" or dtype[0] == "u" else 1 << (size - 1))
    ones, floating = K((1 << size) - 1), "float" in dtype
    inf = K({"float32": 0x7F800000, "float64": 0x7FF << 52}.get(dtype, 0))
    nan = K(ones ^ sign if floating else 0)  # the greatest of the positive ones

    @kernel(f"{name}*, {name}*, int64, int64")
    def make_keys(keys, bits, n, descending):
        i = cuda.grid(1)
        if i < n:
            b = bits[i]
            if floating:
                magnitude = K(b & K(ones ^ sign))
                if magnitude > inf:
                    b = nan
                elif magnitude == K(0):
                    b = K(0)  # -0 and 0 are equal
                key = K(b ^ ones) if b & sign != K(0) else K(b | sign)
            else:
                key = K(b ^ sign)
            keys[i] = K(key ^ ones) if descending > 0 else key

    return make_keys


def keys_of(x: Any, descending: bool) -> Any:
    """Unsigned numbers that are in order where the elements of x are (or, descending, in the reverse)."""
    name = unsigned(x.dtype.name)
    keys, n = memory.empty(x.size, np.dtype(name)), x.size
    key_maker(x.dtype.name)(blocks_for(n, THREADS), THREADS, keys, memory.seen_as(x, name), n, int(descending))
    return keys


# The sort -----------------------------------------------------------------------------------------------------
@cache
def sorters(name: str) -> tuple[Kernel, Kernel]:
    """sort_tiles and merge, for keys of an unsigned type."""
    K = getattr(numba, name)

    @device
    def rank(kept, source, low, high, key, or_equal):
        """How many of the sorted kept[source, low:high] are smaller than the key (or equal to it)?"""
        first = low
        while low < high:
            middle = (low + high) // 2
            other = kept[source, middle]
            if other < key or (or_equal and other == key):
                low = middle + 1
            else:
                high = middle
        return low - first

    @kernel(f"{name}*, int64*, {name}*, int64*, int64, int64, int64, int64, int64, int64")
    def sort_tiles(keys_out, order_out, keys, order, pieces, width, bits, keep, width_out, numbered):
        """Sort each piece, 2^bits elements of a row, and write its first `keep`; rows of the result have `width_out`.

        The elements are numbered along each row; or, `numbered`, their numbers are in `order`.
        """
        kept, origin = cuda.shared.array((2, TILE), K), cuda.shared.array((2, TILE), int32)
        lengths, starts = cuda.local.array(EACH, int32), cuda.local.array(EACH, int64)
        size, mask = int64(1) << bits, int32((1 << bits) - 1)
        per_row = (width + size - 1) >> bits
        for k in range(EACH):
            slot = int32(k * THREADS + cuda.threadIdx.x)
            piece = cuda.blockIdx.x * int64(TILE >> bits) + (slot >> bits)
            row, number = piece // per_row, piece % per_row
            lengths[k] = int32(min(size, width - number * size)) if piece < pieces else int32(0)
            starts[k] = row * width + number * size
            place = slot & mask
            if place < lengths[k]:
                kept[0, slot], origin[0, slot] = keys[starts[k] + place], place
        cuda.syncthreads()
        source = 0
        for step in range(bits):  # runs of 2^step become runs of twice the length
            for k in range(EACH):
                slot = int32(k * THREADS + cuda.threadIdx.x)
                place, length = slot & mask, lengths[k]
                if place < length:
                    base = slot - place
                    start = (place >> (step + 1)) << (step + 1)
                    middle, stop = min(start + (1 << step), length), min(start + (2 << step), length)
                    key = kept[source, slot]
                    if place < middle:
                        to = place + rank(kept, source, base + middle, base + stop, key, False)
                    else:
                        to = start + (place - middle) + rank(kept, source, base + start, base + middle, key, True)
                    kept[1 - source, base + to], origin[1 - source, base + to] = key, origin[source, slot]
            cuda.syncthreads()
            source = 1 - source
        for k in range(EACH):
            slot = int32(k * THREADS + cuda.threadIdx.x)
            place = slot & mask
            if place < min(lengths[k], keep):
                row, first = starts[k] // width, starts[k] % width
                at = row * width_out + (first >> bits) * keep + place
                from_place = origin[source, slot]
                keys_out[at] = kept[source, slot]
                order_out[at] = order[starts[k] + from_place] if numbered > 0 else first + from_place

    @device
    def split(keys, left, lefts, right, rights, diagonal):
        """How many of the first `diagonal` elements of the merged run come from the left one?"""
        low, high = max(diagonal - rights, 0), min(diagonal, lefts)
        while low < high:
            middle = (low + high) // 2
            if keys[left + middle] <= keys[right + diagonal - 1 - middle]:
                low = middle + 1
            else:
                high = middle
        return low

    @kernel(f"{name}*, int64*, {name}*, int64*, int64, int64, int64")
    def merge(keys_out, order_out, keys, order, width, run, tiles):
        """Merge pairs of runs of each row; a block makes one tile of the result."""
        kept = cuda.shared.array((1, TILE), K)
        thread = cuda.threadIdx.x
        base, tile = cuda.blockIdx.x // tiles * width, cuda.blockIdx.x % tiles * TILE
        start = tile // (2 * run) * (2 * run)
        middle, stop = min(start + run, width), min(start + 2 * run, width)
        first, count = tile - start, min(TILE, stop - tile)
        diagonal = first + (count if thread % 2 == 1 else 0)
        found = split(keys, base + start, middle - start, base + middle, stop - middle, diagonal)
        left, lefts = cuda.shfl_sync(ALL, found, 0), cuda.shfl_sync(ALL, found, 1)
        lefts -= left
        right = first - left
        for k in range(EACH):
            slot = k * THREADS + thread
            if slot < count:
                at = start + left + slot if slot < lefts else middle + right + (slot - lefts)
                kept[0, slot] = keys[base + at]
        cuda.syncthreads()
        for k in range(EACH):
            slot = k * THREADS + thread
            if slot < count:
                key = kept[0, slot]
                if slot < lefts:
                    at, to = start + left + slot, slot + rank(kept, 0, lefts, count, key, False)
                else:
                    at, to = middle + right + (slot - lefts), slot - lefts + rank(kept, 0, 0, lefts, key, True)
                keys_out[base + tile + to] = key
                order_out[base + tile + to] = order[base + at]

    return sort_tiles, merge


def tile_bits(width: int) -> int:
    """The base-2 logarithm of the elements of a row that are sorted in shared memory."""
    return min((width - 1).bit_length(), BITS)


def sort_by_keys(order: Any, keys: Any, rows: int, width: int) -> Any:
    """order = the numbers of the elements of each row, sorted by key. Returns the keys, sorted; spoils those given."""
    sort_tiles, merge = sorters(keys.dtype.name)
    bits = tile_bits(width)
    tiles = blocks_for(width, 1 << bits)
    passes = (tiles - 1).bit_length()
    other_keys, other = memory.empty(keys.size, keys.dtype), memory.empty(order.size if passes else 0, INT64)
    source, target = (order, other) if passes % 2 == 0 else (other, order)
    sort_tiles(
        blocks_for(rows * tiles, TILE >> bits), THREADS, other_keys, source, keys, source, rows * tiles, width, bits,
        TILE, width, 0,
    )  # fmt: skip
    for k in range(passes):
        keys, other_keys = other_keys, keys
        merge(rows * tiles, THREADS, other_keys, target, keys, source, width, TILE << k, tiles)
        source, target = target, source
    return other_keys


def sort_rows(order: Any, x: Any, rows: int, width: int, descending: bool) -> None:
    """order (rows, width), int64: the numbers of the elements of each row of x, sorted; stable, nan as the greatest."""
    if x.size:
        sort_by_keys(order, keys_of(x, descending), rows, width)


def first_of_rows(order: Any, x: Any, rows: int, width: int, k: int, descending: bool) -> None:
    """order (rows, k), k up to 512: the first k of each row of what `sort_rows` gives, without sorting the rest."""
    if not order.size:
        return
    keys, numbers, numbered = keys_of(x, descending), order, 0
    sort_tiles, _ = sorters(keys.dtype.name)
    while True:
        bits = tile_bits(width)
        tiles = blocks_for(width, 1 << bits)
        left = (tiles - 1) * k + min(k, width - ((tiles - 1) << bits))
        best = memory.empty(rows * left, keys.dtype)
        found = order if tiles == 1 else memory.empty(rows * left, INT64)
        sort_tiles(
            blocks_for(rows * tiles, TILE >> bits), THREADS, best, found, keys, numbers, rows * tiles, width, bits,
            k, left, numbered,
        )  # fmt: skip
        if tiles == 1:
            return
        keys, numbers, numbered, width = best, found, 1, left


# On sorted rows -----------------------------------------------------------------------------------------------
@cache
def searcher(dtype: str, value: str, result: str) -> Kernel:
    R = getattr(numba, result)

    @kernel(f"{result}*, {dtype}*, int64*, {value}*, int64, int64, int64, int64, int64")
    def search(out, rows, order, values, n, width, count, right, ordered):
        i = cuda.grid(1)
        if i < n:
            start, v = i // count * width, values[i]
            low, high = int64(0), width
            while low < high:
                middle = (low + high) // 2
                x = rows[start + (order[start + middle] if ordered > 0 else middle)]
                goes_after = not (x > v) if right > 0 else not (x >= v)
                if goes_after:
                    low = middle + 1
                else:
                    high = middle
            out[i] = R(low)

    return search


def search_rows(
    out: Any, sorted_rows: Any, order: Any, values: Any, rows: int, width: int, count: int, right: bool
) -> None:
    """out (rows, count): where each value belongs in its sorted row: before its equals, or (right) after them.

    `order` (of the same shape, or empty) says in which order the row is sorted. A value that is nan belongs at the end;
    there should be none in the rows.
    """
    n = rows * count
    if n:
        search = searcher(sorted_rows.dtype.name, values.dtype.name, out.dtype.name)
        search(
            blocks_for(n, THREADS), THREADS, out, sorted_rows, order, values, n, width, count, int(right),
            int(order.size > 0),
        )  # fmt: skip


@cache
def median_finder(dtype: str) -> Kernel:
    @kernel(f"int64*, {dtype}*, int64*, int64, int64")
    def median(out, x, order, n, width):
        row = cuda.grid(1)
        if row < n:
            start = row * width
            last = x[start + order[start + width - 1]]
            found = (width - 1) // 2
            if last != last:  # they are all at the end: the first of them by a binary search
                low, high = int64(0), width - 1
                while low < high:
                    middle = (low + high) // 2
                    value = x[start + order[start + middle]]
                    if value == value:
                        low = middle + 1
                    else:
                        high = middle
                found = low
            out[row] = order[start + found]

    return median


def median_rows(out: Any, x: Any, order: Any, width: int) -> None:
    """out (rows,): the number of each row's median, the lower one of two, or of its first nan if it has any."""
    n = out.size
    if n:
        median_finder(x.dtype.name)(blocks_for(n, THREADS), THREADS, out, x, order, n, width)
