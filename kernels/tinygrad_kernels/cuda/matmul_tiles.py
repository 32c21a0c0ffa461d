"""What the kernels of the matrix product have in common: which tile a block computes, how tiles get to shared memory.

Every kernel over tiles takes the same arguments:

    out, a, b, bias               C and the operands
    side, second                  of an ending (matmul_endings.py); the first three kernels of the chapter have none
    biased                        0 or 1: is there a bias?
    m, n, k                       the sizes
    a_step, a_at, a_row, a_col    from one A of a batch to the next; its beginning; from row to row, column to column
    b_step, b_at, b_row, b_col
    rows, columns                 tiles below each other, and side by side
    pieces                        into how many the sum over p is cut (split-K)
    aligned                       may C be written 128 bits at a time?

**Split-K.** C = A B with small m and n and a long k has few tiles, and most of a GPU would stand idle. So the sum over
p is cut: block z computes piece z % pieces of product z // pieces, and what a launch makes is an array (batch, pieces,
m, n). A second launch, `join`, adds up the pieces, first to last: the same bits every time, which atomic additions
would not give.

**Tiles** lie in shared memory as [p][i], whatever the layout of the operand; the copy turns them. How it goes over an
operand is its *way*:

    'four'    neighbours across (in a row of B, a column of A) are neighbours in memory, and aligned: 128 bits at once
    'across'  the same, one number at a time: threads side by side go across
    'along'   neighbours in p are neighbours in memory (rows of A, B^T): threads side by side go along p

Rows of a tile are some numbers longer than they need to be (`length`): with 128, stores that walk down a column would
all want the same memory bank. Beyond the edges of a matrix zeros are copied, which change no sum.

Source: NVIDIA, CUTLASS: Efficient GEMM in CUDA, 2018 (threadblock rasterization, parallelized reductions).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numba
from numba import int32

from .asynchronous import copy4_async, copy_async
from .device import cuda
from .jit import Kernel, device, kernel
from .matmul_endings import PLAIN, store_one

BAND = 8  # tiles below each other that are computed before the next column of tiles
STEPS = 8  # of p, that 'along' copies side by side


def arguments_of(dtype: str) -> str:
    """The types of the arguments above."""
    return ", ".join([f"{dtype}*"] * 6 + ["int64"] * 16)


@device
def place_of_block(rows, columns):
    """(row, column) of the tile of this block. They are numbered in bands of BAND rows, top to bottom, then left to
    right: blocks at work at one time need few rows of A and few columns of B, and find them in the cache."""
    number = cuda.blockIdx.x
    band = number // (BAND * columns) * BAND
    height = min(rows - band, BAND)
    number -= band * columns
    return band + number % height, number // height


@device
def piece_of_block(k, pieces, depth):
    """(first, last + 1) of the steps of p that are this block's: a multiple of `depth`, but for the end."""
    length = (k + pieces * depth - 1) // (pieces * depth) * depth
    begin = cuda.blockIdx.z % pieces * length
    return begin, min(begin + length, k)


@cache
def join(dtype: str, ending: str = PLAIN) -> Kernel:
    """out[q] = the sum of parts[q, 0], parts[q, 1], ..., and the bias. `size` is m n, `n` the length of the bias."""
    T = getattr(numba, dtype)
    store = store_one(ending)

    @kernel(f"{', '.join([f'{dtype}*'] * 5)}, int64, int64, int64, int64, int64")
    def join(out, parts, bias, side, second, biased, total_size, size, n, pieces):
        i = cuda.grid(1)
        if i < total_size:
            place = i // size * pieces * size + i % size
            total = bias[i % n] if biased > 0 else T(0)
            for piece in range(pieces):
                total += parts[place + piece * size]
            store(out, second, side, i, total)

    return join


@cache
def fetcher(way: str, width: int, depth: int, threads: int, length: int) -> tuple[Callable, Callable]:
    """Functions that ask for a tile, tile[p, i] = X[i, p] for i < width, p < depth.

    first() is the (i, p) of the first number that this thread asks for, and fetch(tile, start, x, at, across, along,
    left, rest) asks: `start` and `at` are the places of that number in the tile and in X; `across` and `along` how far
    X[i + 1, p] and X[i, p + 1] are from X[i, p]; `left` and `rest` how many i and p there are from that number on.
    """
    side = {"four": width // 4, "across": width, "along": STEPS}[way]  # threads side by side
    step_p, step_i = (side, threads // side) if way == "along" else (threads // side, width)

    @device
    def first():
        thread = int32(cuda.threadIdx.x)
        if way == "along":
            return int32(thread // side), int32(thread % side)
        if way == "four":
            return int32(thread % side * 4), int32(thread // side)
        return int32(thread % side), int32(thread // side)

    @device
    def fetch(tile, start, x, at, across, along, left, rest):
        for p in range(0, depth, step_p):
            for i in range(0, width, step_i):
                if way == "four":
                    count = min(max(left, 0), 4) if p < rest else 0
                    copy4_async(tile, start + p * length, x, at + p * along, int32(count))
                else:
                    inside = i < left and p < rest
                    copy_async(tile, start + p * length + i, x, at + p * along + i * across, inside)

    return first, fetch
