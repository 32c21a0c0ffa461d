"""Sorting rows: a radix sort, and what sorted rows are good for.

The problem. Sort the rows of an array, and say where each element came from. Equal elements keep their order (the sort
is *stable*), nan comes last.

The idea. Comparing two elements at a time takes about n log2(n) steps, each with a branch that no processor can guess.
A *radix sort* never compares. It sorts by the last digit, then by the one before, and so on; since each pass is
stable, elements that agree in the later-sorted digit stay in the order of the earlier ones:

    170  45  75  90 802  24        by the last digit, 0 0 2 4 5 5
    170  90 802  24  45  75        by the middle one, 0 2 4 7 7 9
    802  24  45 170  75  90        by the first,      0 0 0 0 1 8
     24  45  75  90 170 802

Digits here are bytes. A pass counts how often each occurs, which tells where its first element belongs, and then moves
the elements there. A byte in which all elements agree (the high bytes of small integers) takes no pass.

For this any dtype must become an unsigned *key* that sorts the same way. Integers: flip the sign bit. Floats are made
so that their bits sort like integers, except that negative ones sort backwards: flip all bits of those, the sign bit
of the others. Before that -0.0 becomes 0.0 (they are equal), and every nan the same positive one, which is above inf.
Descending order is that of the complement of the key, so it is stable too.

Rows of up to 32 elements are sorted by insertion: there the 256 counters would be most of the work.

Source: H. Seward, Information sorting in the application of electronic digital computers to business operations, 1954;
D. Knuth, The Art of Computer Programming 3, section 5.2.5; for the keys, M. Herf, Radix tricks, 2001.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from .jit import jit
from .threads import PARALLEL_FROM, parallel

SMALL = 32  # rows up to this length are sorted by insertion


@jit
def float_keys(keys, bits, x, sign, nan, flip):
    """`bits` are those of x seen as unsigned; `flip` is 0, or all ones for descending order."""
    zero = sign ^ sign
    for i in range(x.size):
        b = bits[i]
        b = nan if x[i] != x[i] else zero if x[i] == 0 else b
        keys[i] = (~b if b & sign else b | sign) ^ flip


@jit
def integer_keys(keys, bits, sign, flip):
    for i in range(bits.size):
        keys[i] = (bits[i] ^ sign) ^ flip


@jit
def insertion_sort(keys, order):
    for i in range(1, keys.size):
        key, mine = keys[i], order[i]
        j = i
        while j > 0 and keys[j - 1] > key:
            keys[j], order[j] = keys[j - 1], order[j - 1]
            j -= 1
        keys[j], order[j] = key, mine


@jit
def radix_sort(keys, order, other_keys, other_order, counts):
    """Sort keys, and `order` with them; the others are scratch of the same sizes, counts (itemsize, 256)."""
    n = keys.size
    size = counts.shape[0]
    counts[:] = 0
    for i in range(n):  # the counts of all bytes in one pass: moving elements does not change them
        key = np.uint64(keys[i])
        for byte in range(size):
            counts[byte, (key >> np.uint64(8 * byte)) & np.uint64(255)] += 1
    a, b, p, q = keys, other_keys, order, other_order
    swapped = False
    for byte in range(size):
        shift, places = np.uint64(8 * byte), counts[byte]
        if places[(np.uint64(a[0]) >> shift) & np.uint64(255)] == n:
            continue
        total = 0
        for digit in range(256):
            total, places[digit] = total + places[digit], total
        for i in range(n):
            digit = (np.uint64(a[i]) >> shift) & np.uint64(255)
            to = places[digit]
            b[to], q[to] = a[i], p[i]
            places[digit] = to + 1
        a, b, p, q, swapped = b, a, q, p, not swapped
    if swapped:
        for i in range(n):
            order[i] = p[i]


@jit
def _sort_rows(order, keys, width, first, last, size):
    """Rows `first` to `last`: order becomes the numbers of each row's elements, sorted by key. Spoils the keys."""
    n = width if width > SMALL else 0
    other_keys, other_order = np.empty(n, keys.dtype), np.empty(n, np.int64)
    counts = np.empty((size, 256), np.int64)
    for row in range(first, last):
        mine, numbers = keys[row * width : (row + 1) * width], order[row * width : (row + 1) * width]
        for i in range(width):
            numbers[i] = i
        if width <= SMALL:
            insertion_sort(mine, numbers)
        else:
            radix_sort(mine, numbers, other_keys, other_order, counts)


@jit
def _sort(order, keys, rows, width, size):
    _sort_rows(order, keys, width, 0, rows, size)


@jit(parallel=True)
def _sort_parallel(order, keys, rows, width, size):
    step = max(1, 4096 // width)
    for block in numba.prange((rows + step - 1) // step):
        _sort_rows(order, keys, width, block * step, min(rows, (block + 1) * step), size)


_sort_large = parallel(_sort_parallel, _sort)


def sort_rows(order: Any, x: Any, rows: int, width: int, descending: bool) -> None:
    """order (rows, width), int64: the numbers of the elements of each row of x, sorted; stable, nan as the greatest.

    >>> order = np.empty(6, np.int64)
    >>> sort_rows(order, np.array([3.0, np.nan, 1.0, 2.0, 0.0, 2.0]), 2, 3, False)
    >>> order
    array([2, 0, 1, 1, 0, 2])
    """
    if x.size:
        run = _sort_large if x.size >= PARALLEL_FROM and rows > 1 else _sort
        run(order, keys_of(x, descending), rows, width, x.dtype.itemsize)


def keys_of(x: Any, descending: bool) -> Any:
    """Unsigned numbers that are in order where the elements of x are (or, descending, in the reverse)."""
    unsigned, sign, ones, nan = CONSTANTS[x.dtype.kind + str(x.dtype.itemsize)]
    keys = np.empty(x.size, unsigned)
    flip = ones if descending else unsigned(0)
    if nan:
        float_keys(keys, x.view(unsigned), x, sign, nan, flip)
    else:
        integer_keys(keys, x.view(unsigned), sign, flip)
    return keys


def _constants() -> dict[str, tuple]:
    """For each dtype its unsigned twin, the sign bit, all bits, and nan (0 where there is none)."""
    found = {}
    for name, nan in {
        "f4": 0x7FC00000,
        "f8": 0x7FF8000000000000,
        "b1": 0,
        "u1": 0,
        "i1": 0,
        "i2": 0,
        "i4": 0,
        "i8": 0,
    }.items():
        bits = 8 * int(name[1])
        unsigned = np.dtype(f"u{name[1]}").type
        sign = 0 if name[0] in "bu" else 2 ** (bits - 1)
        found[name] = (unsigned, unsigned(sign), unsigned(2**bits - 1), unsigned(nan))
    return found


CONSTANTS = _constants()


@jit
def _first_of_rows(order, keys, rows, width, k):
    best = np.empty(k, keys.dtype)
    for row in range(rows):
        mine, numbers = keys[row * width : (row + 1) * width], order[row * k : (row + 1) * k]
        found = 0
        for i in range(width):
            key = mine[i]
            if found == k and key >= best[k - 1]:
                continue
            j = found if found < k else k - 1
            while j > 0 and best[j - 1] > key:
                best[j], numbers[j] = best[j - 1], numbers[j - 1]
                j -= 1
            best[j], numbers[j] = key, i
            found = min(found + 1, k)


def first_of_rows(order: Any, x: Any, rows: int, width: int, k: int, descending: bool) -> None:
    """order (rows, k): the first k of each row of what `sort_rows` gives, without sorting the rest.

    One pass that keeps the k best so far in order. Of n elements in random order only about k ln(n/k) get in.
    """
    if order.size:
        _first_of_rows(order, keys_of(x, descending), rows, width, k)


# On sorted rows -----------------------------------------------------------------------------------------------
@jit
def search_rows(out, sorted_rows, order, values, rows, width, count, right):
    """out (rows, count): where each value belongs in its sorted row: before its equals, or (right) after them.

    `order` (of the same shape, or empty) says in which order the row is sorted. A value that is nan belongs at the end;
    there should be none in the rows.
    """
    for row in range(rows):
        for k in range(count):
            v = values[row * count + k]
            low, high = 0, width
            while low < high:
                middle = (low + high) // 2
                at = order[row * width + middle] if order.size else middle
                x = sorted_rows[row * width + at]
                goes_after = not (x > v) if right else not (x >= v)
                low, high = (middle + 1, high) if goes_after else (low, middle)
            out[row * count + k] = low


@jit
def mark_runs(run, x, order):
    """run[i]: which run of equal elements the i-th of x, taken in sorted order, belongs to. Returns how many."""
    number = -1
    for i in range(order.size):
        if i == 0 or x[order[i]] != x[order[i - 1]]:
            number += 1
        run[i] = number
    return number + 1


@jit
def runs(first, inverse, counts, run, order):
    """For each run one element, and how many it has; for each element of x its run."""
    counts[:] = 0
    for i in range(order.size - 1, -1, -1):
        first[run[i]] = order[i]
        inverse[order[i]] = run[i]
        counts[run[i]] += 1


@jit
def smallest_and_largest(x):
    """Of integers; (0, -1) if there are none."""
    low, high = (np.int64(x[0]), np.int64(x[0])) if x.size else (np.int64(0), np.int64(-1))
    for i in range(x.size):
        low, high = min(low, np.int64(x[i])), max(high, np.int64(x[i]))
    return low, high


@jit
def median_rows(out, x, order, width):
    """out (rows,): the number of each row's median, the lower one of two, or of its first nan if it has any."""
    for row in range(out.size):
        start = row * width
        out[row] = order[start + (width - 1) // 2]
        for i in range(width):
            if x[start + i] != x[start + i]:
                out[row] = i
                break
