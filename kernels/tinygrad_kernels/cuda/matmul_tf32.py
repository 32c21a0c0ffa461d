"""The matrix product on tensor cores: several times as fast, with three decimal digits instead of seven.

It is the kernel of matmul_warp.py with another inner loop: a warp computes 64 x 32 of the 128 x 128 elements of a block
as 4 x 4 tiles of 16 x 8, each by one instruction for 8 steps of p (tensor_cores.py says which lane holds what). A lane
needs 16 numbers of A and 8 of B for 16 of these instructions.

Rows of the tiles in shared memory are 136 long: lane 4 g + q reads the number q * 136 + g, and 136 is 8 more than a
multiple of the 32 memory banks, so that the 32 lanes read from 32 banks.

It is used only where it was asked for, as in PyTorch: backends.cuda.matmul.allow_tf32 = True.

Source: NVIDIA, CUTLASS: Efficient GEMM in CUDA, 2018; NVIDIA A100 Tensor Core GPU Architecture, 2020.
"""

from __future__ import annotations

from functools import cache

from numba import float32, int32

from .asynchronous import wait_for_copies
from .device import cuda, uint32
from .jit import THREADS, WARP, Kernel, device, kernel
from .matmul_endings import PLAIN, store_all
from .matmul_tiles import arguments_of, fetcher, piece_of_block, place_of_block
from .tensor_cores import multiply_tf32, round_tf32

SIDE, DEPTH = 128, 16  # of the tile of a block
LENGTH = SIDE + 8  # of a row of a tile in shared memory
BUFFER = DEPTH * LENGTH
BUFFERS = 2 * BUFFER
DOWN, RIGHT = 4, 4  # tiles of 16 x 8 that a warp computes
WARPS_ACROSS = SIDE // (RIGHT * 8)
COUNT, OF_A, OF_B = DOWN * RIGHT * 4, DOWN * 4, RIGHT * 2  # numbers in a lane's registers: sums, of A, of B


@device
def read(tile, at):
    return round_tf32(tile[uint32(at)])  # a signed index might count from the end, which takes a comparison


@device
def multiply(tile_a, tile_b, at_a, at_b, some_a, some_b, total):
    """Eight steps of p."""
    for i in range(DOWN):
        place = at_a + 16 * i
        some_a[4 * i] = read(tile_a, place)
        some_a[4 * i + 1] = read(tile_a, place + 8)
        some_a[4 * i + 2] = read(tile_a, place + 4 * LENGTH)
        some_a[4 * i + 3] = read(tile_a, place + 4 * LENGTH + 8)
    for j in range(RIGHT):
        some_b[2 * j] = read(tile_b, at_b + 8 * j)
        some_b[2 * j + 1] = read(tile_b, at_b + 8 * j + 4 * LENGTH)
    for i in range(DOWN):
        for j in range(RIGHT):
            e = 4 * (i * RIGHT + j)
            total[e], total[e + 1], total[e + 2], total[e + 3] = multiply_tf32(
                total[e], total[e + 1], total[e + 2], total[e + 3],
                some_a[4 * i], some_a[4 * i + 1], some_a[4 * i + 2], some_a[4 * i + 3],
                some_b[2 * j], some_b[2 * j + 1],
            )  # fmt: skip


@cache
def tensor(a_way: str, b_way: str, ending: str = PLAIN) -> Kernel:
    """The kernel for the ways of A and B (matmul_tiles.py)."""
    places = tuple((4 * (i // 2 * RIGHT + j) + i % 2 * 2, 8 * i, 8 * j) for i in range(2 * DOWN) for j in range(RIGHT))
    store = store_all(ending, places, 2)
    first_a, fetch_a = fetcher(a_way, SIDE, DEPTH, THREADS, LENGTH)
    first_b, fetch_b = fetcher(b_way, SIDE, DEPTH, THREADS, LENGTH)

    @kernel(arguments_of("float32"), bounds=(THREADS, 2))
    def tensor(
        out, a, b, bias, side, second, biased, m, n, k, a_step, a_at, a_row, a_col, b_step, b_at, b_row, b_col, rows,
        columns, pieces, aligned,
    ):  # fmt: skip
        tile_a = cuda.shared.array(BUFFERS, float32, alignment=16)
        tile_b = cuda.shared.array(BUFFERS, float32, alignment=16)
        total = cuda.local.array(COUNT, float32)
        some_a, some_b = cuda.local.array(OF_A, float32), cuda.local.array(OF_B, float32)
        warp, lane = int32(cuda.threadIdx.x) // WARP, int32(cuda.threadIdx.x) % WARP
        g, q = lane // 4, lane % 4
        down, right = warp // WARPS_ACROSS * (DOWN * 16), warp % WARPS_ACROSS * (RIGHT * 8)
        row, column = place_of_block(rows, columns)
        top, left = int32(row * SIDE), int32(column * SIDE)
        begin, end = piece_of_block(k, pieces, DEPTH)
        batch, depth_left = cuda.blockIdx.z // pieces, int32(end - begin)
        i, p = first_a()
        a_place = a_at + batch * a_step + (top + i) * a_row + (begin + p) * a_col
        a_start, a_left, a_rest = int32(p * LENGTH + i), int32(min(m - top, SIDE) - i), int32(depth_left - p)
        j, p = first_b()
        b_place = b_at + batch * b_step + (begin + p) * b_row + (left + j) * b_col
        b_start, b_left, b_rest = int32(p * LENGTH + j), int32(min(n - left, SIDE) - j), int32(depth_left - p)
        first_row, first_column = int32(top + down + g), int32(left + right + 2 * q)
        for j in range(RIGHT):
            for e in range(4):  # the sums begin with the bias
                start = bias[min(first_column + 8 * j + e % 2, n - 1)] if biased > 0 else float32(0)
                for i in range(DOWN):
                    total[4 * (i * RIGHT + j) + e] = start

        fetch_a(tile_a, a_start, a, a_place, a_row, a_col, a_left, a_rest)
        fetch_b(tile_b, b_start, b, b_place, b_col, b_row, b_left, b_rest)
        wait_for_copies()
        cuda.syncthreads()
        now = int32(0)
        while depth_left > 0:
            other = int32(1 - now)
            depth_left = int32(depth_left - DEPTH)
            if depth_left > 0:
                a_place += DEPTH * a_col
                b_place += DEPTH * b_row
                a_rest, b_rest = int32(a_rest - DEPTH), int32(b_rest - DEPTH)
                fetch_a(tile_a, other * BUFFER + a_start, a, a_place, a_row, a_col, a_left, a_rest)
                fetch_b(tile_b, other * BUFFER + b_start, b, b_place, b_col, b_row, b_left, b_rest)
            at = now * BUFFER + q * LENGTH + g
            multiply(tile_a, tile_b, at + down, at + right, some_a, some_b, total)
            at += 8 * LENGTH
            multiply(tile_a, tile_b, at + down, at + right, some_a, some_b, total)
            wait_for_copies()
            cuda.syncthreads()
            now = other

        store(total, out, second, side, cuda.blockIdx.z, first_row, first_column, m, n, False)

    return tensor
