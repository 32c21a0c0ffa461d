"""Layer normalisation on the GPU, forward and backward.

The formulas are those of ../cpu/norm.py, for one row x of n elements, with h = g w:

    x̂_j = (x_j - μ) r,   r = 1 / √(σ² + ε)          y_j = w_j x̂_j + b_j
    gx_j = r (h_j - mean(h) - x̂_j mean(h x̂))        gw_j = Σ g_j x̂_j,   gb_j = Σ g_j

The problem. Forward, a row is asked for μ, for σ² and for the result; backward, for two sums and for gx. And gw and
gb are sums down the *columns*: each thread that has a row would have to add to the same n numbers as all others.

The idea. A team (teams.py) has a row in its registers. Forward, it finds the moments of the row (variance.py) and
writes the result. Backward, a team takes several rows, one after the other. Since a thread always has the same
columns, it keeps their sums in registers too, and memory is read once for all three gradients:

    team 0    rows 0 ... 7       sums of 8 rows    ┐  the teams of a block meet, then
    team 1    rows 8 ... 15      sums of 8 rows    ┤  a reduction adds up what the blocks found
    ...                                            ┘

Rows longer than the registers have a team that is a whole block. Its sums are in memory; a column is still one
thread's.

μ is kept in two parts, high and low, as the rounding of μ in float32 would be left in each x̂ of data far from 0.
float64 is in two numbers per row, μ and r, as the backward pass gets them; nothing is computed in it.

Source: J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016 (arXiv:1607.06450); the sums in registers are those of
NVIDIA's Apex library, 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba import float64

from ..codegen import Signature
from ..expr import trace
from . import math, memory
from .device import cuda
from .jit import WARP, WARPS, Kernel, blocks_for, device, kernel
from .reduction import columns
from .rows import launch
from .teams import Way, add, chunk_of, meeting, reader, team, way_for
from .variance import moments

# Backward, where two rows and two sums are kept
WAYS: tuple[Way, ...] = (("warp", 4), ("warp", 16), ("block", 4), ("block", 16))


@cache
def arithmetic(dtype: str) -> tuple[Callable, Callable, Callable]:
    """parts(mean, rstd): (high, low, r), of float64. two_sum(a, b): a + b as high + low. centred: x̂ of x."""
    T = getattr(numba, dtype)

    @device
    def parts(mean, rstd):
        high = T(mean)
        return high, T(mean - float64(high)), T(rstd)

    @device
    def two_sum(a, b):
        high = a + b
        back = high - a
        return high, (a - (high - back)) + (b - back)

    @device
    def centred(x, high, low, r):
        return ((x - high) - low) * r

    return parts, two_sum, centred


@cache
def _layer_norm(dtype: str, way: Way) -> Kernel:
    T, sqrt = getattr(numba, dtype), getattr(math, f"sqrt_{dtype}")
    place, size, each, chunk = team(way[0]).place, team(way[0]).size, way[1], chunk_of(way)
    (count, read), (join, of_chunk) = reader(dtype, way), moments(dtype, each)
    meet, (_, two_sum, centred) = meeting(way[0], dtype, join), arithmetic(dtype)

    @kernel(f"{dtype}*, float64*, float64*, {dtype}*, {dtype}*, {dtype}*, int64, int64, {dtype}, int64")
    def layer_norm(out, means, rstds, x, weight, bias, rows, cols, eps, rms):
        kept = cuda.local.array(each, T)
        row, member = place()
        begin, stop = row * cols, cols if row < rows else 0
        origin = x[begin] if stop > 0 else T(0)
        total, mean, squares = T(0), T(0), T(0)
        for start in range(member, stop, chunk):
            n = count(start, stop)
            read(kept, x, begin + start, n, origin)
            some, m, s = of_chunk(kept, origin, n)
            total, mean, squares = join(total, mean, squares, some, m, s)
        total, mean, squares = meet(total, mean, squares)
        high, low = two_sum(origin, mean)
        variance = squares / total
        if rms:
            variance += high * high
            high, low = T(0), T(0)
        r = T(1) / sqrt(variance + eps)
        for start in range(member, stop, chunk):
            n = count(start, stop)
            if stop > chunk:
                read(kept, x, begin + start, n, origin)
            for k in range(each):
                if k < n:
                    column = start + k * size
                    out[begin + column] = centred(kept[k], high, low, r) * weight[column] + bias[column]
        if member == 0 and row < rows:
            means[row], rstds[row] = float64(high) + float64(low), float64(r)

    return layer_norm


@cache
def _backward(dtype: str, way: Way) -> Kernel:
    """gx, and the sums of g x̂ and of g over the rows of a block, side by side in sums_w and sums_b."""
    T = getattr(numba, dtype)
    of, each, chunk = team(way[0]), way[1], chunk_of(way)
    place, size, teams = of.place, of.size, of.count
    (count, read), meet, (parts, _, centred) = reader(dtype, way), meeting(way[0], dtype, add), arithmetic(dtype)

    @device
    def add_teams(kept, value):
        """The sum over the teams of a block, in its first one."""
        if teams == 1:
            return value
        kept[cuda.threadIdx.y, cuda.threadIdx.x] = value
        cuda.syncthreads()
        for k in range(1, teams):
            value += kept[k, cuda.threadIdx.x]
        cuda.syncthreads()
        return value

    @kernel(f"{', '.join([f'{dtype}*'] * 6)}, float64*, float64*, int64, int64, int64, int64, int64")
    def layer_norm_backward(gx, sums_w, sums_b, g, x, weight, means, rstds, rows, cols, each_rows, wanted, rms):
        kept_g, kept_x = cuda.local.array(each, T), cuda.local.array(each, T)
        total_w, total_b = cuda.local.array(each, T), cuda.local.array(each, T)
        met = cuda.shared.array((WARPS, WARP), T)
        number, member = place()
        for k in range(each):
            total_w[k], total_b[k] = T(0), T(0)
        sums = cuda.blockIdx.x * cols
        for step in range(each_rows):
            row = number * each_rows + step
            begin, stop = row * cols, cols if row < rows else 0
            high, low, r = parts(means[row], rstds[row]) if stop > 0 else (T(0), T(0), T(0))
            h_total, hx_total = T(0), T(0)
            for start in range(member, stop, chunk):
                n = count(start, stop)
                read(kept_g, g, begin + start, n, T(0))
                read(kept_x, x, begin + start, n, high)
                for k in range(each):
                    if k < n:
                        h = kept_g[k] * weight[start + k * size]
                        h_total += h
                        hx_total += h * centred(kept_x[k], high, low, r)
            h_total, hx_total, _ = meet(h_total, hx_total, T(0))
            h_mean, hx_mean = T(0) if rms else h_total / T(cols), hx_total / T(cols)
            for start in range(member, stop, chunk):
                n = count(start, stop)
                if cols > chunk:
                    read(kept_g, g, begin + start, n, T(0))
                    read(kept_x, x, begin + start, n, high)
                for k in range(each):
                    if k < n:
                        column, normal = start + k * size, centred(kept_x[k], high, low, r)
                        gx[begin + column] = r * ((kept_g[k] * weight[column] - h_mean) - normal * hx_mean)
                        total_w[k] += kept_g[k] * normal
                        total_b[k] += kept_g[k]
                        if wanted and cols > chunk:
                            at = sums + column
                            sums_w[at] = kept_g[k] * normal + (sums_w[at] if step > 0 else T(0))
                            sums_b[at] = kept_g[k] + (sums_b[at] if step > 0 else T(0))
        if wanted and cols <= chunk:
            for k in range(each):
                w, b = add_teams(met, total_w[k]), add_teams(met, total_b[k])
                column = member + k * size
                if column < cols and number % teams == 0:
                    sums_w[sums + column], sums_b[sums + column] = w, b

    return layer_norm_backward


# The interface: ../cpu/norm.py.


def layer_norm(
    out: Any, means: Any, rstds: Any, x: Any, weight: Any, bias: Any, rows: int, cols: int, eps: float,
    rms: bool = False,
) -> None:  # fmt: skip
    """out = (x - mean) / √(variance + eps) · weight + bias, in each row.

    out and x are (rows * cols,), weight and bias (cols,), all of one dtype; means and rstds = 1 / √(variance + eps)
    are (rows,) of float64, for the backward. `rms`: the root mean square norm.
    """
    launch(_layer_norm, rows, cols, out, means, rstds, x, weight, bias, rows, cols, eps, int(rms))


def layer_norm_backward(
    gx: Any, gw: Any | None, gb: Any | None, g: Any, x: Any, weight: Any, means: Any, rstds: Any, rows: int, cols: int,
    rms: bool = False,
) -> None:  # fmt: skip
    """The gradients of x (rows * cols,), and, unless both are None, of weight and bias (cols,)."""
    way = way_for(cols, WAYS)
    of = team(way[0])
    each_rows = rows_of_a_team(rows)
    blocks = blocks_for(rows, each_rows * of.count)
    wanted = gw is not None
    sums_w, sums_b = (memory.empty(blocks * cols if wanted else 0, x.dtype) for _ in range(2))
    _backward(x.dtype.name, way)(
        blocks, of.threads, gx, sums_w, sums_b, g, x, weight, means, rstds, rows, cols, each_rows, int(wanted), int(rms)
    )
    if wanted:
        add_columns = _add_columns(x.dtype.name)
        add_columns(gw, blocks, cols, 1.0, sums_w)
        add_columns(gb, blocks, cols, 1.0, sums_b)


def rows_of_a_team(rows: int) -> int:
    """4 rows at least, so that there are fewer sums than elements; 4096 teams keep a GPU busy."""
    return max(4, (rows + 4095) // 4096)


@cache
def _add_columns(dtype: str) -> Callable[..., None]:
    """The sums down the columns of a matrix: the kernel of Tensor.sum."""
    element = trace("element", lambda x: x, ("x",))
    return columns(element, Signature([dtype], ["flat"], dtype), False)
