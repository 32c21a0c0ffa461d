"""Products in which one operand has only a few rows or columns: a matrix times a vector, or times up to 16 of them.

The problem. y = X v reads each element of X once and multiplies it once. Nothing can be used again, tiles gain nothing:
the product is as fast as X comes from memory, and the kernels that read memory well are the reductions (monoids.py).
With 16 vectors at a time this is still so.

The idea. Call the long operand X, (many, k), and the other one Y, (few, k): whichever of A and B they are,

    out[i, j] = Σ_p X[i, p] Y[j, p]         A B: X = A, Y = B^T where n is small; X = B^T, Y = A where m is small

and let neighbouring threads read neighbours in X. There are two cases:

    `rows`      rows of X lie in a row: a warp to each 4 rows. A lane has every 32nd p; at the end the lanes add up
    `columns`   columns of X lie in a row: a lane to each column i, 4 columns 32 apart. A warp has every 8th p; at the
                end the warps add up

A block takes 128 steps of p at a time. Y's part for them is put into shared memory first, so that the vectors are read
from there by all, and X from memory once. Where X has few rows the sum over p is cut into pieces (matmul_tiles.py).

Source: N. Bell and M. Garland, Efficient Sparse Matrix-Vector Multiplication on CUDA, 2008 (a warp to a row); M.
Harris, Optimizing Parallel Reduction in CUDA, 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import int32, int64

from .device import cuda
from .jit import ALL, PER_LAUNCH, THREADS, WARP, WARPS, Kernel, blocks_for, device, kernel
from .matmul_tiles import piece_of_block
from .reduction import pieces_for

DEPTH = 128  # steps of p at a time


def arguments_of(dtype: str) -> str:
    """The types of the arguments: `width` is the number of vectors; bias[i * bias_many + j * bias_few] is added."""
    return ", ".join([f"{dtype}*"] * 4 + ["int64"] * 17)


def each_of(few: int, dtype: str) -> int:
    """How many rows or columns of X a lane works on: so many that its sums take 32 registers."""
    return min(4, 32 // few if dtype == "float32" else 16 // few)


@cache
def filler(dtype: str, few: int) -> Callable:
    """fill(part, y, at, step_few, step_p, width, rest): part[j, p] = Y[j, p] for j < width, p < rest."""
    T = getattr(numba, dtype)
    passes = (few * DEPTH + THREADS - 1) // THREADS

    @device
    def fill(part, y, at, step_few, step_p, width, rest):
        thread = int32(cuda.threadIdx.y * WARP + cuda.threadIdx.x)
        if step_p == 1:  # threads side by side go along what lies in a row
            j, p, down, right = thread // DEPTH, thread % DEPTH, THREADS // DEPTH, 0
        else:
            j, p, down, right = thread % few, thread // few, 0, THREADS // few
        at += j * step_few + p * step_p
        for _ in range(passes):
            if j < few and p < DEPTH:
                part[j * DEPTH + p] = y[at] if j < width and p < rest else T(0)
            j += down
            p += right
            at += down * step_few + right * step_p

    return fill


def wide(dtype: str) -> Any:
    """The type in which sums are kept."""
    return getattr(numba, dtype if "float" in dtype else "int64")


@cache
def adder(dtype: str, few: int, together: int) -> Callable:
    """The loop of both kernels: add_up(total, places, x, x_p, part, y, y_place, y_few, y_p, width, rest, mine).

    total[r * few + j] becomes the sum of X[r, p] Y[j, p] over the p of a thread: mine, mine + together, ... below
    `rest`. `places` is where its rows of X begin. Whole blocks call it: Y comes through `part`, in shared memory.
    """
    W, fill = wide(dtype), filler(dtype, few)
    each = each_of(few, dtype)

    @device
    def add_up(total, places, x, x_p, part, y, y_place, y_few, y_p, width, rest, mine):
        some = cuda.local.array(each, W)
        for e in range(each * few):
            total[e] = W(0)
        left = int32(rest)
        while left > 0:
            cuda.syncthreads()
            fill(part, y, y_place, y_few, y_p, width, left)
            cuda.syncthreads()
            for q in range(0, DEPTH, together):
                for r in range(each):
                    some[r] = W(x[places[r] + q * x_p]) if q + mine < left else W(0)
                for j in range(few):
                    factor = W(part[j * DEPTH + q + mine])
                    for r in range(each):
                        total[r * few + j] += some[r] * factor
            for r in range(each):
                places[r] += DEPTH * x_p
            y_place += DEPTH * y_p
            left = int32(left - DEPTH)

    return add_up


@cache
def storer(dtype: str) -> Callable:
    """store(i, j, value, ...): the element of this block's C, with the bias."""
    T = getattr(numba, dtype)

    @device
    def store(i, j, value, out, out_many, out_few, many, width, bias, biased, bias_many, bias_few):
        if i < many and j < width:
            if biased > 0:
                value += bias[i * bias_many + j * bias_few]
            out[cuda.blockIdx.z * many * width + i * out_many + j * out_few] = T(value)

    return store


@cache
def rows(dtype: str, few: int) -> Kernel:
    """For an X whose rows lie in a row; `few` is a power of 2, of which `width` vectors are there."""
    T, W = getattr(numba, dtype), wide(dtype)
    each, size = each_of(few, dtype), few * DEPTH
    count = each * few
    add_up, store = adder(dtype, few, WARP), storer(dtype)

    @kernel(arguments_of(dtype), bounds=(THREADS, 2))
    def rows(
        out, x, y, bias, biased, bias_many, bias_few, many, width, k, x_step, x_at, x_many, x_p, y_step, y_at,
        y_few, y_p, out_many, out_few, pieces,
    ):  # fmt: skip
        part = cuda.shared.array(size, T)
        total, places = cuda.local.array(count, W), cuda.local.array(each, int64)
        lane, batch = cuda.threadIdx.x, cuda.blockIdx.z // pieces
        first = (cuda.blockIdx.x * WARPS + cuda.threadIdx.y) * each
        begin, end = piece_of_block(k, pieces, DEPTH)
        for r in range(each):  # a row too far is computed again, and not stored
            places[r] = batch * x_step + x_at + min(first + r, many - 1) * x_many + (begin + lane) * x_p
        add_up(
            total, places, x, x_p, part, y, batch * y_step + y_at + begin * y_p, y_few, y_p, width, end - begin, lane
        )
        for e in range(count):
            for bit in range(5):
                total[e] += cuda.shfl_xor_sync(ALL, total[e], 16 >> bit)
        mine = W(0)  # now every lane has all sums: lane e stores number e
        for e in range(count):
            mine = total[e] if lane == e else mine
        if lane < count:
            i, j = first + lane // few, lane % few
            store(i, j, mine, out, out_many, out_few, many, width, bias, biased, bias_many, bias_few)

    return rows


@cache
def columns(dtype: str, few: int) -> Kernel:
    """For an X whose columns lie in a row."""
    T, W = getattr(numba, dtype), wide(dtype)
    each, size = each_of(few, dtype), few * DEPTH
    count = each * few
    meeting = count * WARPS * WARP
    add_up, store = adder(dtype, few, WARPS), storer(dtype)

    @kernel(arguments_of(dtype), bounds=(THREADS, 2))
    def columns(
        out, x, y, bias, biased, bias_many, bias_few, many, width, k, x_step, x_at, x_many, x_p, y_step, y_at,
        y_few, y_p, out_many, out_few, pieces,
    ):  # fmt: skip
        part, sums = cuda.shared.array(size, T), cuda.shared.array(meeting, W)
        total, places = cuda.local.array(count, W), cuda.local.array(each, int64)
        lane, warp, batch = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockIdx.z // pieces
        first = cuda.blockIdx.x * WARP * each + lane
        begin, end = piece_of_block(k, pieces, DEPTH)
        for r in range(each):  # a row too far is computed again, and not stored
            places[r] = batch * x_step + x_at + min(first + r * WARP, many - 1) * x_many + (begin + warp) * x_p
        add_up(
            total, places, x, x_p, part, y, batch * y_step + y_at + begin * y_p, y_few, y_p, width, end - begin, warp
        )
        for e in range(count):
            sums[(e * WARPS + warp) * WARP + lane] = total[e]
        cuda.syncthreads()
        for e in range(warp, count, WARPS):
            value = W(0)
            for w in range(WARPS):
                value += sums[(e * WARPS + w) * WARP + lane]
            i, j = first + e // few * WARP, e % few
            store(i, j, value, out, out_many, out_few, many, width, bias, biased, bias_many, bias_few)

    return columns


def shape(dtype: str, m: int, n: int) -> tuple[int, int, int, int]:
    """Of X and Y: many, width, the power of two that is not below width, and rows of X for a lane."""
    many, width = max(m, n), min(m, n)
    few = 1 << (width - 1).bit_length()
    return many, width, few, each_of(few, dtype)


def pieces(dtype: str, batch: int, m: int, n: int, k: int) -> int:
    """Into how many pieces the sum over p is cut."""
    many, _, _, each = shape(dtype, m, n)
    return min(pieces_for(blocks_for(many, WARPS * each) * batch, k, 4 * DEPTH), PER_LAUNCH // batch)


def launch(
    dtype: str, head: tuple, batch: int, m: int, n: int, k: int, a_step: int, a_layout: tuple, b_step: int, b_layout:
    tuple, pieces: int,
) -> None:  # fmt: skip
    """Launch the kernel for (out, a, b, bias, biased): see matmul.py."""
    many, width, few, each = shape(dtype, m, n)
    out, a, b, bias, biased = head
    a_at, a_row, a_col = a_layout
    b_at, b_row, b_col = b_layout
    left, right = (a_step, a_at, a_row, a_col), (b_step, b_at, b_col, b_row)
    if n <= m:
        x, y, places, steps, towards = a, b, (*left, *right), (n, 1), (0, 1)
    else:
        x, y, places, steps, towards = b, a, (*right, *left), (1, n), (1, 0)
    along_rows = places[3] <= places[2]
    kernel = rows(dtype, few) if along_rows else columns(dtype, few)
    blocks = blocks_for(many, (WARPS if along_rows else WARP) * each), 1, batch * pieces
    kernel(blocks, (WARP, WARPS), out, x, y, bias, biased, *towards, many, width, k, *places, *steps, pieces)
