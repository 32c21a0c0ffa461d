"""Elementwise kernels on the GPU: printed by codegen.py, launched with a thread for each element, or for four.

The dtype of a result is known when the first one comes, so a kernel is printed at its first call, and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np

from ..cache import load_source
from ..codegen import Signature
from ..expr import Formula, trace
from .codegen import print_flat, print_strided
from .jit import THREADS, Kernel, blocks_for, index_for
from .memory import Buffer, address


def flat(formula: Formula, signature: Signature, big: bool) -> Callable[..., None]:
    """The kernel (*results, *inputs) over contiguous buffers; without those results that are stored in place."""
    count = len(formula.outputs) - signature.in_place
    found: dict[tuple, Any] = {}
    checked = [k for k, access in enumerate(signature.access, count) if access == "flat"]
    checked += range(count)

    def run(*buffers: Any) -> None:
        n = buffers[0].size
        if n == 0:
            return
        dtypes = tuple(buffer.dtype.name for buffer in buffers[:count])
        module = found.get(dtypes)
        if module is None:
            module = found[dtypes] = load_source(print_flat(formula, signature, dtypes), f"{formula.name}_cuda")
        if hasattr(module, "flat4") and all(aligned(buffers[k]) for k in checked):
            module.flat4(blocks_for(n, 4 * THREADS), THREADS, *buffers, n)
        else:
            module.flat(blocks_for(n, THREADS), THREADS, *buffers, n)

    return run


def aligned(buffer: Buffer) -> bool:
    """Does it begin where 128 bits can be loaded at once?"""
    return address(buffer) % 16 == 0


def strided(formula: Formula, signature: Signature, dimensions: int, big: bool) -> Callable[..., None]:
    """The kernel (shape, result, result_at, x, x_at, ...) over `dimensions` strided dimensions.

    `x_at` is (offset, *strides); a number comes without. In place there is no result.
    """
    in_place = bool(signature.in_place)
    found: dict[tuple, Kernel] = {}

    def run(shape: tuple[int, ...], *arguments: Any) -> None:
        n = prod(shape)
        if n == 0:
            return
        index = index_for(n)
        results = () if in_place else (arguments[0].dtype.name,)
        kernel = found.get((results, index))
        if kernel is None:
            text = print_strided(formula, signature, dimensions, results, index)
            kernel = found[results, index] = load_source(text, f"{formula.name}_cuda").strided
        flattened: list[Any] = []
        for a in arguments:
            if isinstance(a, tuple):
                flattened += a
            else:
                flattened.append(a)
        kernel(blocks_for(n, THREADS), THREADS, n, *shape[1:], *flattened)

    return run


@cache
def _filler(dtype: str) -> Callable[..., None]:
    compute = "float64" if dtype == "float64" else "float32" if "float" in dtype else "int64"
    number = trace("fill", lambda x: x, ("x",))
    return flat(number, Signature([compute], ["number"], compute), False)


def fill(buffer: Buffer, number: Any) -> None:
    """Write one number everywhere."""
    _filler(buffer.dtype.name)(buffer, number.item() if isinstance(number, np.generic) else number)


@cache
def _copier(old: str, new: str) -> Callable[..., None]:
    same = trace("copy", lambda x: x, ("x",))
    return flat(same, Signature([old], ["flat"], new), False)


def copy(result: Buffer, x: Buffer) -> None:
    """The elements of x, in the dtype of the result."""
    _copier(x.dtype.name, result.dtype.name)(result, x)
