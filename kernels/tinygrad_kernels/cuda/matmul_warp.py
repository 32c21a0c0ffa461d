"""The matrix product for float32, at the speed of the multipliers.

`registers` (matmul_naive.py) spends half of its instructions on other things than multiplying, and waits for memory
between one tile and the next. Four changes mend that.

1. A thread computes 8 x 8 elements, or 8 x 16, so that 16 (24) numbers read from shared memory serve 64 (128)
   multiplications. They are read four at a time: 4 (6) loads.
2. The tile of a block is shared out to warps, and that of a warp to its 32 lanes, 8 x 4 of them, each with blocks of
   4 x 4. Side by side they read side by side, and what they read together fits in a few rows of memory banks:

       tile of a block, 128 x 128         tile of a warp, 64 x 32                  lane 5 of a warp
       ┌────┬────┬────┬────┐              lanes 0 1 2 3│0 1 2 3   32 rows          has the blocks ■ of 4 x 4:
       │ w0 │ w1 │ w2 │ w3 │                    4 5 6 7│4 5 6 7                       · · · ·│· · · ·
       ├────┼────┼────┼────┤              ...      ... │    ...                       · ■ · ·│· ■ · ·
       │ w4 │ w5 │ w6 │ w7 │              ─────────────┼────────                      ───────┼───────
       └────┴────┴────┴────┘              lanes 0 1 2 3│0 1 2 3   32 rows             · ■ · ·│· ■ · ·

3. While a tile is being multiplied, the next one is on its way into a second buffer (asynchronous.py).
4. The steps of p are written out, eight of them, so that no instruction goes into counting.

How tiles get into shared memory, whatever the layout of an operand, is in matmul_tiles.py.

Source: S. Boehm, How to optimize a CUDA matmul kernel for cuBLAS-like performance, 2022; NVIDIA, CUTLASS: Efficient
GEMM in CUDA, 2018.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from numba import float32, int32

from .asynchronous import wait_for_copies
from .device import cuda
from .jit import WARP, Kernel, device, kernel
from .matmul_endings import PLAIN, store_all
from .matmul_tiles import STEPS, arguments_of, fetcher, piece_of_block, place_of_block
from .vectors import load4

LANES_DOWN, LANES_ACROSS = 8, 4
PADDING = 4


class Tile(NamedTuple):
    """How a block goes about its part of C."""

    rows: int
    columns: int
    depth: int  # steps of p in shared memory at once
    down: int  # warps below each other
    across: int  # warps side by side
    resident: int  # blocks that should fit on one multiprocessor
    share: float  # of multiplications among the instructions of the loop, read off the machine code

    @property
    def threads(self) -> int:
        return self.down * self.across * WARP


TILES = [
    Tile(128, 256, 8, 2, 4, 1, 0.89),
    Tile(128, 128, 8, 2, 4, 2, 0.84),
    Tile(64, 64, 16, 2, 2, 4, 0.76),
    Tile(32, 128, 16, 1, 4, 4, 0.75),
    Tile(128, 32, 16, 4, 1, 4, 0.75),
]


@cache
def warps(tile: Tile, a_way: str, b_way: str, ending: str = PLAIN) -> Kernel:
    """The kernel for a tile and the ways of A and B (matmul_tiles.py, where the arguments are explained, too)."""
    rows_of_tile, columns_of_tile, depth = tile.rows, tile.columns, tile.depth
    warps_across, threads = tile.across, tile.threads
    warp_rows, warp_columns = rows_of_tile // tile.down, columns_of_tile // warps_across
    height, width = warp_rows // LANES_DOWN, warp_columns // LANES_ACROSS  # of the elements of a thread
    step_down, step_across = 4 * LANES_DOWN, 4 * LANES_ACROSS  # from one of its 4 x 4 blocks to the next
    a_length, b_length = rows_of_tile + PADDING, columns_of_tile + PADDING
    a_buffer, b_buffer, elements = depth * a_length, depth * b_length, height * width
    a_buffers, b_buffers = 2 * a_buffer, 2 * b_buffer
    places = tuple(
        (i * width + j, i // 4 * step_down + i % 4, j // 4 * step_across)
        for i in range(height)
        for j in range(0, width, 4)
    )
    store = store_all(ending, places, 4)
    first_a, fetch_a = fetcher(a_way, rows_of_tile, depth, threads, a_length)
    first_b, fetch_b = fetcher(b_way, columns_of_tile, depth, threads, b_length)

    @device
    def multiply(tile_a, tile_b, at_a, at_b, some_a, some_b, total):
        """One step of p: a column of A's tile times a row of B's."""
        for i in range(0, height, 4):
            some_a[i], some_a[i + 1], some_a[i + 2], some_a[i + 3] = load4(tile_a, at_a + i // 4 * step_down)
        for j in range(0, width, 4):
            some_b[j], some_b[j + 1], some_b[j + 2], some_b[j + 3] = load4(tile_b, at_b + j // 4 * step_across)
        for i in range(height):
            for j in range(width):
                total[i * width + j] += some_a[i] * some_b[j]

    @kernel(arguments_of("float32"), bounds=(threads, tile.resident))
    def warps(
        out, a, b, bias, side, second, biased, m, n, k, a_step, a_at, a_row, a_col, b_step, b_at, b_row, b_col, rows,
        columns, pieces, aligned,
    ):  # fmt: skip
        tile_a = cuda.shared.array(a_buffers, float32, alignment=16)
        tile_b = cuda.shared.array(b_buffers, float32, alignment=16)
        total = cuda.local.array(elements, float32)
        some_a, some_b = cuda.local.array(height, float32), cuda.local.array(width, float32)
        thread = int32(cuda.threadIdx.x)
        warp, lane = thread // WARP, thread % WARP
        down = warp // warps_across * warp_rows + lane // LANES_ACROSS * 4  # in the tile: the thread's first element
        right = warp % warps_across * warp_columns + lane % LANES_ACROSS * 4
        row, column = place_of_block(rows, columns)
        top, left = int32(row * rows_of_tile), int32(column * columns_of_tile)
        first_row, first_column = int32(top + down), int32(left + right)
        begin, end = piece_of_block(k, pieces, depth)
        batch, depth_left = cuda.blockIdx.z // pieces, int32(end - begin)
        i, p = first_a()
        a_place = a_at + batch * a_step + (top + i) * a_row + (begin + p) * a_col
        a_start, a_left, a_rest = int32(p * a_length + i), int32(min(m - top, rows_of_tile) - i), int32(depth_left - p)
        j, p = first_b()
        b_place = b_at + batch * b_step + (begin + p) * b_row + (left + j) * b_col
        b_start, b_left, b_rest = (
            int32(p * b_length + j),
            int32(min(n - left, columns_of_tile) - j),
            int32(depth_left - p),
        )
        for j in range(width):  # the sums begin with the bias
            x = first_column + j // 4 * step_across + j % 4
            start = bias[min(x, n - 1)] if biased > 0 else float32(0)
            for i in range(height):
                total[i * width + j] = start

        fetch_a(tile_a, a_start, a, a_place, a_row, a_col, a_left, a_rest)
        fetch_b(tile_b, b_start, b, b_place, b_col, b_row, b_left, b_rest)
        wait_for_copies()
        cuda.syncthreads()
        now = int32(0)  # the buffer that is multiplied; the other one is filled
        while depth_left > 0:
            other = int32(1 - now)
            depth_left = int32(depth_left - depth)
            if depth_left > 0:
                a_place += depth * a_col
                b_place += depth * b_row
                a_rest, b_rest = int32(a_rest - depth), int32(b_rest - depth)
                fetch_a(tile_a, other * a_buffer + a_start, a, a_place, a_row, a_col, a_left, a_rest)
                fetch_b(tile_b, other * b_buffer + b_start, b, b_place, b_col, b_row, b_left, b_rest)
            for q in range(now * depth, (now + 1) * depth, STEPS):
                at_a, at_b = q * a_length + down, q * b_length + right
                multiply(tile_a, tile_b, at_a, at_b, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + a_length, at_b + b_length, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + 2 * a_length, at_b + 2 * b_length, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + 3 * a_length, at_b + 3 * b_length, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + 4 * a_length, at_b + 4 * b_length, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + 5 * a_length, at_b + 5 * b_length, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + 6 * a_length, at_b + 6 * b_length, some_a, some_b, total)
                multiply(tile_a, tile_b, at_a + 7 * a_length, at_b + 7 * b_length, some_a, some_b, total)
            wait_for_copies()
            cuda.syncthreads()
            now = other

        store(total, out, second, side, cuda.blockIdx.z, first_row, first_column, m, n, aligned > 0)

    return warps
