"""The launches of a reduction: one kernel, or two where a row is too long for one block.

What happens inside a kernel is in monoids.py; the kernels are printed by codegen_reduction.py. Here is decided how many
blocks a row is cut into. A GPU with 132 multiprocessors is busy from some 1000 blocks on; a matrix of 8 long rows would
use 8. So its rows are cut into pieces, a block to each, and a second launch joins what the pieces came to.

Source: M. Harris, Optimizing Parallel Reduction in CUDA, 2007.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..cache import load_source
from ..codegen import Signature
from ..expr import Formula, inputs_of
from . import memory
from .codegen_reduction import print_columns, print_rows
from .device import cuda
from .elementwise import flat
from .jit import THREADS, WARP, WARPS, blocks_for, kernel
from .monoids import divisor_type, meetings, monoid

FILL = 1024  # blocks that keep a GPU busy: a launch of fewer is cut into pieces


@cache
def endings(op: str, dtype: str, result: str) -> tuple[Any, Any]:
    """The second launch: rows_end and columns_end join what the pieces of a row (or column) came to."""
    m = monoid(op, dtype)
    identity, join, finish = m.identity, m.join, m.finish
    _, join_block = meetings(op, dtype)
    kinds = f"{result}*, {m.dtypes[0]}*, {m.dtypes[1]}*, int64, int64, {divisor_type(dtype)}"

    @kernel(kinds)
    def rows_end(result, firsts, seconds, rows, pieces, divisor):
        row = cuda.blockIdx.x
        a, b = identity()
        piece = cuda.threadIdx.x
        while piece < pieces:
            at = row * pieces + piece
            a, b = join(a, b, firsts[at], seconds[at])
            piece += THREADS
        a, b = join_block(a, b)
        if cuda.threadIdx.x == 0:
            result[row] = finish(a, b, divisor)

    @kernel(kinds.replace("int64, int64", "int64, int64, int64"))
    def columns_end(result, firsts, seconds, n, width, pieces, divisor):
        i = cuda.grid(1)
        if i < n:
            outer, column = i // width, i % width
            a, b = identity()
            for piece in range(pieces):
                at = (outer * pieces + piece) * width + column
                a, b = join(a, b, firsts[at], seconds[at])
            result[i] = finish(a, b, divisor)

    return rows_end, columns_end


def pieces_for(blocks: int, length: int, least: int) -> int:
    """Into how many pieces each row is cut, so that there are blocks enough but no piece is shorter than `least`."""
    return max(1, min(FILL // max(blocks, 1), length // least))


def rows(formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable[..., None]:
    """The kernel (result, width, divisor, *inputs): the formula reduced by `op` over the last axis."""
    dtype = signature.compute
    found: dict[str, Any] = {}

    def run(result: Any, width: int, divisor: float, *inputs: Any) -> None:
        n = result.size
        if n == 0:
            return
        name = result.dtype.name
        module = found.get(name)
        if module is None:
            module = found[name] = load_source(print_rows(formula, signature, op, name), f"{formula.name}_{op}_cuda")
        if width <= 1024:
            module.narrow(blocks_for(n, WARPS), (WARP, WARPS), result, n, width, divisor, *inputs)
            return
        pieces = pieces_for(n, width, 4 * THREADS)
        firsts, seconds = _pairs(op, dtype, n * pieces if pieces > 1 else 0)
        module.rows(n * pieces, THREADS, result, firsts, seconds, width, pieces, divisor, *inputs)
        if pieces > 1:
            endings(op, dtype, name)[0](n, THREADS, result, firsts, seconds, n, pieces, divisor)

    return run


def sums(formula: Formula, signature: Signature, count: int, big: bool) -> Callable[..., None]:
    """The kernels (*sums, *stores, width, *divisors, *inputs): the first `count` formulas summed over the last axis.

    A kernel for each sum, and one for what is stored: a GPU has no lack of threads, and registers are dear.
    """
    alone = [rows(only(formula, k, k + 1), narrowed(formula, k, k + 1, signature), big) for k in range(count)]
    last = len(formula.outputs)
    stored = flat(only(formula, count, last), narrowed(formula, count, last, signature), big) if last > count else None
    places = [places_of(formula, k, k + 1) for k in range(count)]
    others = places_of(formula, count, last)

    def run(*arguments: Any) -> None:
        totals, stores, width = arguments[:count], arguments[count:last], arguments[last]
        divisors, inputs = arguments[last + 1 : last + 1 + count], arguments[last + 1 + count :]
        for add_up, total, divisor, used in zip(alone, totals, divisors, places, strict=True):
            add_up(total, width, divisor, *[inputs[k] for k in used])
        if stored is not None:
            stored(*stores, *[inputs[k] for k in others])

    return run


def places_of(formula: Formula, start: int, stop: int) -> list[int]:
    """Which inputs these outputs depend on."""
    used = inputs_of(formula.outputs[start:stop])
    return [k for k, name in enumerate(formula.inputs) if name in used]


def only(formula: Formula, start: int, stop: int) -> Formula:
    """Some of the outputs, over the inputs that they depend on."""
    inputs = tuple(formula.inputs[k] for k in places_of(formula, start, stop))
    return Formula(f"{formula.name}_{start}", inputs, formula.outputs[start:stop])


def narrowed(formula: Formula, start: int, stop: int, signature: Signature) -> Signature:
    """The signature for these inputs."""
    used = places_of(formula, start, stop)
    return Signature([signature.dtypes[k] for k in used], [signature.access[k] for k in used], signature.compute)


def columns(formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable[..., None]:
    """The kernel (result, height, width, divisor, *inputs): reduced by `op` over an axis before the last."""
    dtype = signature.compute
    found: dict[str, Any] = {}

    def run(result: Any, height: int, width: int, divisor: float, *inputs: Any) -> None:
        n = result.size
        if n == 0:
            return
        name = result.dtype.name
        module = found.get(name)
        if module is None:
            module = found[name] = load_source(print_columns(formula, signature, op, name), f"{formula.name}_{op}_cuda")
        tiles, outers = blocks_for(width, WARP), n // width
        pieces = pieces_for(tiles * outers, height, 8 * WARPS)
        firsts, seconds = _pairs(op, dtype, n * pieces if pieces > 1 else 0)
        module.columns(
            tiles * outers * pieces, (WARP, WARPS), result, firsts, seconds, height, width, pieces, divisor, *inputs
        )
        if pieces > 1:
            end = endings(op, dtype, name)[1]
            end(blocks_for(n, THREADS), THREADS, result, firsts, seconds, n, width, pieces, divisor)

    return run


def _pairs(op: str, dtype: str, n: int) -> tuple[Any, Any]:
    """Buffers for n pairs."""
    first, second = (memory.empty(n, np.dtype(name)) for name in monoid(op, dtype).dtypes)
    return first, second
