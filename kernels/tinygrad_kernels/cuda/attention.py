"""Attention on the GPU: products of matrices, one for each head, and what happens to a row between them.

    S = scale Q Kᵀ + bias        (n, m)        forward      S = Q Kᵀ        P = softmax of rows        O = P V
    P = softmax of S's rows      (n, m)
    O = P V                      (n, e)        backward     gP = G Vᵀ       gS = P (gP - Σ_j gP P) scale
                                                            gQ = gS K       gK = gSᵀ Q       gV = Pᵀ G

The problem, and what the letters mean, are told in ../cpu/attention.py. There one head is the work of one thread, since
it fits in its cache. A GPU has thousands of threads for each head, and the whole of S fits in none of its near
memories.

The idea. A launch for each line above, over all heads at once; three forward, five backward. A product is that of
matmul.py, tile by tile, except that a batch has two axes here: the heads of a position lie side by side in memory, so
element (i, j) of a head is at

    at + batch * step + head * step + i * row + j * column

and nothing needs to be copied to be multiplied. Between the products a warp takes a row. It goes over it three times:

    largest    max over j of scale s + bias           so that no exponential overflows
    total      Σ_j exp(scale s + bias - largest)
    write      exp(...) / total                       the row is in the nearest cache by now

A query that may see nothing (its bias is -inf everywhere) gets weights of 0.

Source: A. Vaswani et al., Attention is all you need, 2017 (arXiv:1706.03762); M. Milakov, N. Gimelshein, Online
normalizer calculation for softmax, 2018 (arXiv:1805.02867), for the three passes, and how to make two of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np

from . import math, memory
from .device import cuda
from .jit import ALL, PER_LAUNCH, WARP, WARPS, Kernel, blocks_for, device, kernel
from .tiles import (
    ACROSS,
    ALIGNED,
    DEPTH,
    EACH,
    LINE,
    PARTS,
    SHARED,
    SIDE,
    TILE,
    bounds,
    lane_across,
    lane_along,
    products,
)  # fmt: skip

Layout = tuple[int, int, int, int, int]  # offset, steps from batch to batch, head to head, row to row, column to column


@cache
def product(dtype: str) -> Kernel:
    """C = A B for each head, A (m, k), B (k, n); the columns of C lie side by side."""
    T = getattr(numba, dtype)
    clear, fold = products(dtype)
    zero = T(0)
    numbers = ", int64" * (6 + 4 + 5 + 5)

    @kernel(f"{dtype}*, {dtype}*, {dtype}*" + numbers, bounds=bounds(dtype))
    def product(
        c, a, b, first, heads, tiles, m, n, k, c_at, c_batch, c_head, c_row,
        a_at, a_batch, a_head, a_row, a_col, b_at, b_batch, b_head, b_row, b_col,
    ):  # fmt: skip
        tile_a = cuda.shared.array(SHARED, T, alignment=ALIGNED)
        tile_b = cuda.shared.array(SHARED, T, alignment=ALIGNED)
        total, brings = cuda.local.array((EACH, EACH), T), cuda.local.array((2, PARTS), T)
        column, row, matrix = cuda.threadIdx.x, cuda.threadIdx.y, first + cuda.blockIdx.z
        top, left = cuda.blockIdx.x % tiles * TILE, cuda.blockIdx.x // tiles * TILE
        batch, head = matrix // heads, matrix % heads
        thread = row * SIDE + column
        p_a, i_a = lane_along(thread) if a_col == 1 else lane_across(thread)
        p_b, j_b = lane_across(thread) if b_col == 1 else lane_along(thread)
        from_a = a_at + batch * a_batch + head * a_head + (top + i_a) * a_row
        from_b = b_at + batch * b_batch + head * b_head + (left + j_b) * b_col
        clear(total)
        for begin in range(0, k + DEPTH, DEPTH):
            for part in range(PARTS):
                over = part * ACROSS
                inside = top + i_a + over < m and begin + p_a < k
                brings[0, part] = a[from_a + over * a_row + (begin + p_a) * a_col] if inside else zero
                inside = left + j_b + over < n and begin + p_b < k
                brings[1, part] = b[from_b + over * b_col + (begin + p_b) * b_row] if inside else zero
            if begin > 0:
                fold(total, tile_a, tile_b, row, column)
            cuda.syncthreads()
            for part in range(PARTS):
                tile_a[p_a * LINE + i_a + part * ACROSS] = brings[0, part]
                tile_b[p_b * LINE + j_b + part * ACROSS] = brings[1, part]
            cuda.syncthreads()
        to = c_at + batch * c_batch + head * c_head
        for i in range(EACH):
            for j in range(EACH):
                y, x = top + row * EACH + i, left + column * EACH + j
                if y < m and x < n:
                    c[to + y * c_row + x] = total[i, j]

    return product


# How the lanes of a warp agree: each step swaps with the lane whose number differs in one bit, so that all
# of them have the result in the end, to the last bit.


@device
def largest_of_warp(x):
    distance = WARP // 2
    while distance > 0:
        other = cuda.shfl_xor_sync(ALL, x, distance)
        x = other if other > x or other != other else x
        distance //= 2
    return x


@device
def sum_of_warp(x):
    distance = WARP // 2
    while distance > 0:
        x += cuda.shfl_xor_sync(ALL, x, distance)
        distance //= 2
    return x


@cache
def weigh(dtype: str) -> Kernel:
    """Softmax of each row of scores, in place; `biased`, `causal`: 1 or 0."""
    T = getattr(numba, dtype)
    exp = getattr(math, f"exp_{dtype}")
    nothing, zero, one = T(-np.inf), T(0), T(1)

    @device
    def score(s, bias, at, step, i, j, scale, biased, causal):
        x = s * scale
        if causal > 0 and j > i:
            return nothing
        return x + bias[at + j * step] if biased > 0 else x

    @kernel(f"{dtype}*, {dtype}*, int64, int64, int64, int64, {dtype}, int64, int64, int64, int64, int64, int64, int64")
    def weigh(weights, bias, rows, heads, n, m, scale, biased, causal, b_at, b_batch, b_head, b_row, b_col):
        number, lane = cuda.blockIdx.x * WARPS + cuda.threadIdx.y, cuda.threadIdx.x
        stop = m if number < rows else 0
        i, head, batch = number % n, number // n % heads, number // n // heads
        row, at = number * m, b_at + batch * b_batch + head * b_head + i * b_row
        largest, seen = nothing, zero if biased > 0 else one
        for j in range(lane, stop, WARP):
            x = score(weights[row + j], bias, at, b_col, i, j, scale, biased, causal)
            largest = x if x > largest or x != x else largest
            if biased > 0 and bias[at + j * b_col] != nothing:
                seen = one
        largest, seen = largest_of_warp(largest), largest_of_warp(seen)
        if seen == zero:
            largest = zero
        total = zero
        for j in range(lane, stop, WARP):
            total += exp(score(weights[row + j], bias, at, b_col, i, j, scale, biased, causal) - largest)
        total = sum_of_warp(total)
        factor = one / total if total != zero else one
        for j in range(lane, stop, WARP):
            x = score(weights[row + j], bias, at, b_col, i, j, scale, biased, causal)
            weights[row + j] = exp(x - largest) * factor

    return weigh


@cache
def weigh_backward(dtype: str) -> Kernel:
    """From gP to gS, in place: P (gP - Σ_j gP P) scale."""
    zero = getattr(numba, dtype)(0)

    @kernel(f"{dtype}*, {dtype}*, int64, int64, {dtype}")
    def weigh_backward(g, weights, rows, m, scale):
        number, lane = cuda.blockIdx.x * WARPS + cuda.threadIdx.y, cuda.threadIdx.x
        stop, row = m if number < rows else 0, number * m
        mean = zero
        for j in range(lane, stop, WARP):
            mean += g[row + j] * weights[row + j]
        mean = sum_of_warp(mean)
        for j in range(lane, stop, WARP):
            g[row + j] = weights[row + j] * (g[row + j] - mean) * scale

    return weigh_backward


def side_by_side(heads: int, rows: int, width: int) -> Layout:
    """The layout of what we allocate: (batch, rows, heads, width)."""
    return 0, rows * heads * width, width, heads * width, 1


def turned(layout: Layout) -> Layout:
    """The transposed matrices."""
    return *layout[:3], layout[4], layout[3]


def multiply(
    c: Any, c_layout: Layout, a: Any, a_layout: Layout, b: Any, b_layout: Layout,
    count: int, heads: int, m: int, n: int, k: int,
) -> None:  # fmt: skip
    """C = A B for `count` matrices, `heads` of them to a batch."""
    if not m * n:
        return
    tiles = blocks_for(m, TILE)
    numbers = heads, tiles, m, n, k, *c_layout[:4], *a_layout, *b_layout
    for first in range(0, count, PER_LAUNCH):
        blocks = tiles * blocks_for(n, TILE), 1, min(PER_LAUNCH, count - first)
        product(c.dtype.name)(blocks, (SIDE, SIDE), c, a, b, first, *numbers)


def attention(
    out: Any, weights: Any, q: Any, k: Any, v: Any, bias: Any, sizes: Any, scale: float, causal: bool
) -> None:
    """out = softmax(scale Q Kᵀ + bias) V for each head; `weights`, the softmax, is for the backward.

    `sizes`: heads, n, m, d, e; then for Q, K, V and the bias: offset, steps from batch to batch, head to head, row to
    row; last the bias's step from column to column. The last axis of q, k and v has stride 1. out is (batch, n, heads,
    e), weights (batch, heads, n, m); an empty bias is none.
    """
    (heads, n, m, d, e), (q_layout, k_layout, v_layout), bias_layout = layouts(sizes)
    count, square = weights.size // (n * m), (0, heads * n * m, n * m, m, 1)
    multiply(weights, square, q, q_layout, k, turned(k_layout), count, heads, n, m, d)
    rows, biased = count * n, int(bias.size > 0)
    weigh(weights.dtype.name)(
        blocks_for(rows, WARPS), (WARP, WARPS), weights, bias, rows, heads, n, m, scale, biased, int(causal),
        *bias_layout,
    )  # fmt: skip
    multiply(out, side_by_side(heads, n, e), weights, square, v, v_layout, count, heads, n, e, m)


def attention_backward(
    gq: Any, gk: Any, gv: Any, g: Any, weights: Any, q: Any, k: Any, v: Any, sizes: Any, scale: float, causal: bool
) -> None:
    """The gradients of q, k and v, which lie as the last twelve `sizes` say; g, of the shape of out, as out does."""
    (heads, n, m, d, e), (q_layout, k_layout, v_layout, *results), _ = layouts(sizes)
    count, square = weights.size // (n * m), (0, heads * n * m, n * m, m, 1)
    gs, rows, g_layout = memory.empty(weights.size, weights.dtype), count * n, side_by_side(heads, n, e)
    multiply(gs, square, g, g_layout, v, turned(v_layout), count, heads, n, m, e)
    weigh_backward(g.dtype.name)(blocks_for(rows, WARPS), (WARP, WARPS), gs, weights, rows, m, scale)
    multiply(gq, results[0], gs, square, k, k_layout, count, heads, n, d, m)
    multiply(gk, results[1], gs, turned(square), q, q_layout, count, heads, m, d, n)
    multiply(gv, results[2], weights, turned(square), g, g_layout, count, heads, m, e, n)


def layouts(sizes: Any) -> tuple[tuple[int, ...], tuple[Layout, ...], tuple[int, ...]]:
    """The five sizes, the layouts of Q, K, V (backward also of their gradients), and that of the bias."""
    matrices = tuple((*sizes[at : at + 4], 1) for at in (5, 9, 13, 22, 26, 30) if at < len(sizes))
    return sizes[:5], matrices, tuple(sizes[17:22])
