"""The matrix product on the GPU: which kernel, and its launch.

    C = A B,  A (m, k), B (k, n):    C[i, j] = Σ_p A[i, p] B[p, j]        2 m n k operations on m k + k n + m n numbers

The kernels are a chapter that grows; each mends what holds the one before it back:

    matmul_naive.py    1. naive: a thread to an element            every number is read from memory n (or m) times
                       2. tiled: a block to a tile                 two reads from shared memory per multiplication
                       3. registers: a thread to 4 x 4 elements    waits for memory between tiles; loads one by one
    asynchronous.py,
    matmul_tiles.py    how a tile gets to shared memory while another is multiplied; edges; layouts; split-K
    matmul_warp.py     4. warps: a tile of a block to its warps    nine tenths of all instructions are multiplications
    matmul_tf32.py     5. tensor: the same on tensor cores         fewer digits: only where it was allowed
    matmul_endings.py  what follows a product is computed before it is stored (4 and 5)
    matmul_skinny.py   a matrix times a few vectors                as fast as memory

Operands come with strides, so Aᵀ and Bᵀ of the backward pass need no copies: (offset of the first, step to the next
row, step to the next column). A batch is the third dimension of the grid.

**The choice** is made from the sizes, the layouts and the dtype alone, as if every GPU had 132 multiprocessors: the
same product has the same bits on any of them. For float32 it is a small model of time, in cycles of a multiprocessor.
Of `blocks` tiles, the busiest multiprocessor computes ⌈blocks / 132⌉, and multiplies 128 numbers in a cycle, if it has
warps enough to hide its waiting, for the share of the cycles in which the inner loop multiplies:

    2048 x 2048, k = 2048, tiles of 128 x 256: 128 blocks on 132 multiprocessors; one round, hardly anything is idle
    1024 x 1024, k = 1024:                     32 blocks, 100 idle. Tiles of 64 x 64 make 256: two rounds, short ones
    256 x 256,   k = 8192:                     4 blocks of 128 x 128, each long: cut k into 32 pieces, join them later

Source: S. Boehm, How to optimize a CUDA matmul kernel for cuBLAS-like performance, 2022; M. Osama et al., Stream-K:
Work-centric Parallel Decomposition for Dense Matrix-Matrix Multiplication on the GPU, 2023 (quantization in waves).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from .. import precision
from ..expr import Formula, walk
from . import matmul_naive, matmul_skinny, matmul_tf32, memory
from .elementwise import aligned
from .jit import PER_LAUNCH, blocks_for
from .matmul_endings import MOST_OPERATIONS, PLAIN, print_ending
from .matmul_tiles import join
from .matmul_warp import TILES, Tile, warps

Layout = tuple[int, int, int]  # (offset, row stride, column stride)
MULTIPROCESSORS = 132
FEW = 16  # rows or columns up to which a product is read from memory rather than computed in tiles
START = 2000.0  # cycles until a block multiplies and after: the first tile, the last stores
LAUNCH = 5000.0  # cycles of another launch
BYTES = 2400.0  # from memory in a cycle, for all multiprocessors
REGISTERS = Tile(matmul_naive.TILE, matmul_naive.TILE, matmul_naive.DEPTH, 2, 4, 2, 0.3)
TENSOR = Tile(matmul_tf32.SIDE, matmul_tf32.SIDE, matmul_tf32.DEPTH, 2, 4, 2, 2.5)


class Plan(NamedTuple):
    """How a product is computed: the step of the chapter, its tile, and into how many pieces the sum is cut."""

    step: str
    tile: Tile
    pieces: int


def cycles(tile: Tile, pieces: int, batch: int, m: int, n: int, k: int) -> float:
    """The model: about how long a product takes with a tile, its sum over p cut into pieces."""
    blocks = blocks_for(m, tile.rows) * blocks_for(n, tile.columns) * batch * pieces
    rounds = -(-blocks // MULTIPROCESSORS)
    at_work = min(rounds, tile.resident) * tile.threads / 256  # 8 warps keep a multiprocessor busy
    work = tile.rows * tile.columns * -(-k // pieces) / (128 * tile.share)
    joining = LAUNCH + 4 * batch * m * n * (2 * pieces + 1) / BYTES if pieces > 1 else 0.0
    return rounds * work / min(at_work, 1.0) + START + joining


@cache
def plan(dtype: str, batch: int, m: int, n: int, k: int, modern: bool, tf32: bool) -> Plan:
    """Which kernel? `modern`: the GPU copies asynchronously."""
    few = min(m, n)
    if dtype == "bool" or few <= FEW and k < 64:
        return Plan("naive", REGISTERS, 1)
    if few <= FEW:
        return Plan("skinny", REGISTERS, matmul_skinny.pieces(dtype, batch, m, n, k))
    if "float" not in dtype:
        return Plan("tiled", REGISTERS, 1)
    if dtype != "float32" or not modern:
        step, tiles = "registers", [REGISTERS]
    elif tf32:
        step, tiles = "tensor", [TENSOR]
    else:
        step, tiles = "warps", TILES
    most = max(min(k // 128, PER_LAUNCH // batch), 1)
    cuts = [pieces for pieces in (1, 2, 4, 8, 16, 32, 64) if pieces <= most]
    _, tile, pieces = min((cycles(tile, pieces, batch, m, n, k), tile, pieces) for tile in tiles for pieces in cuts)
    return Plan(step, tile, pieces)


def way(x: Any, at: int, step: int, across: int, along: int) -> str:
    """How tiles of an operand are copied: see matmul_tiles.py."""
    if across == 1:
        return "four" if aligned(x) and at % 4 == step % 4 == along % 4 == 0 else "across"
    return "along" if along < across else "across"


@cache
def modern() -> bool:
    """Can threads of this GPU ask for asynchronous copies?"""
    return memory.memory.properties()["compute_capability"] >= (8, 0)


def launch(
    out: Any, a: Any, b: Any, batch: int, m: int, n: int, k: int,
    a_step: int, a_layout: Layout, b_step: int, b_layout: Layout, bias: Any = None, ending: str = PLAIN,
    side: Any = None, second: Any = None,
) -> None:  # fmt: skip
    """out[q] = A[q] @ B[q] (+ a bias to each row) for q < batch; or what an ending makes of it (matmul_endings.py)."""
    if not out.size:
        return
    dtype = out.dtype.name
    step, tile, pieces = plan(dtype, batch, m, n, k, modern(), precision.allow_tf32)
    target = out if pieces == 1 else memory.empty(out.size * pieces, out.dtype)
    biased = int(bias is not None and pieces == 1)
    beside = [out if x is None else x for x in (bias, side, second)]  # an address that is not there is any other
    if step == "skinny":
        head = (target, a, b, beside[0], biased)
        matmul_skinny.launch(dtype, head, batch, m, n, k, a_step, a_layout, b_step, b_layout, pieces)
    else:
        arguments = (target, a, b, *beside, biased, m, n, k, a_step, *a_layout, b_step, *b_layout)
        start(dtype, step, tile, pieces, batch, arguments, ending if pieces == 1 else PLAIN)
    if pieces > 1:
        joined = (out, target, *beside, int(bias is not None), out.size, m * n, n, pieces)
        join(dtype, ending)(blocks_for(out.size, 256), 256, *joined)


def start(dtype: str, step: str, tile: Tile, pieces: int, batch: int, arguments: tuple, ending: str = PLAIN) -> None:
    """Launch a kernel of the chapter on (out, a, b, bias, side, second, biased, m, n, k, a_step, *a_layout, b_step,
    *b_layout)."""
    out, a, b, _, side, second, _, m, n, _, a_step, a_at, a_row, a_col, b_step, b_at, b_row, b_col = arguments
    if step == "naive":
        matmul_naive.naive(dtype)((blocks_for(m * n, 256), 1, batch), 256, *arguments, 0, 0, 1, 0)
        return
    threads: Any = (matmul_naive.SIDE, matmul_naive.SIDE)
    if step == "tiled":
        kernel, height, width = matmul_naive.tiled(dtype), matmul_naive.SIDE, matmul_naive.SIDE
    elif step == "registers":
        kernel, height, width = matmul_naive.registers(dtype), tile.rows, tile.columns
    else:
        ways = way(a, a_at, a_step, a_row, a_col), way(b, b_at, b_step, b_col, b_row)
        kernel = matmul_tf32.tensor(*ways, ending) if step == "tensor" else warps(tile, *ways, ending)
        height, width, threads = tile.rows, tile.columns, tile.threads
    rows, columns = blocks_for(m, height), blocks_for(n, width)
    by_four = int(n % 4 == 0 and aligned(out) and aligned(side) and aligned(second))
    kernel((rows * columns, 1, batch * pieces), threads, *arguments, rows, columns, pieces, by_four)


def matmul_kernel(
    dtype: str, m: int, n: int, k: int, a_layout: Layout, b_layout: Layout
) -> tuple[Callable[..., None], Any]:
    """The kernel (out, a, b, sizes[, bias]) for such a product, and its last argument."""

    def run(out: Any, a: Any, b: Any, sizes: Any, bias: Any = None) -> None:
        launch(out, a, b, 1, m, n, k, 0, a_layout, 0, b_layout, bias)

    return run, None


def matmul_ending(
    formula: Formula, dtype: str, m: int, n: int, k: int, a_layout: Layout, b_layout: Layout
) -> Callable[..., None] | None:
    """The kernel (*results, a, b, sizes, bias, *sides) that stores, for each element p of the product (with its bias),
    a formula of p and of y, the number at the same place of a side array; None where the kernels have none."""
    step = plan(dtype, 1, m, n, k, modern(), precision.allow_tf32).step
    if step not in ("warps", "tensor") or sum(1 for _ in walk(formula.outputs)) > MOST_OPERATIONS:
        return None
    count, ending = len(formula.outputs), print_ending(formula)

    def run(*arguments: Any) -> None:
        out, *more = arguments[:count]
        a, b, _, bias, *sides = arguments[count:]
        side, second = (found[0] if found else None for found in (sides, more))
        launch(out, a, b, 1, m, n, k, 0, a_layout, 0, b_layout, bias, ending, side, second)

    return run


def batched_matmul(
    out: Any, a: Any, b: Any, batch: int, m: int, n: int, k: int,
    a_step: int, a_layout: Layout, b_step: int, b_layout: Layout,
) -> None:  # fmt: skip
    """out[q] = A[q] @ B[q] for q < batch; a step of 0 uses one matrix for the whole batch."""
    for first in range(0, batch, PER_LAUNCH):
        count, piece = min(PER_LAUNCH, batch - first), m * n
        launch(
            out[first * piece : (first + count) * piece], a, b, count, m, n, k,
            a_step, (a_layout[0] + first * a_step, *a_layout[1:]),
            b_step, (b_layout[0] + first * b_step, *b_layout[1:]),
        )  # fmt: skip
