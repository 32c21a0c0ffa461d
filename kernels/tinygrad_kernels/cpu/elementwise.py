"""Elementwise kernels and fused reductions for the CPU: printed, compiled, kept.

There is no arithmetic here: codegen.py prints the loops, and cache.py turns their text into a module. This file
keeps each compiled kernel by what it was printed from, and says which of its two forms to run: the plain loop for a
small array, the parallel one for a large one (starting the threads costs more than a small loop takes).
"""

from __future__ import annotations

from collections.abc import Callable

from ..cache import load_source
from ..codegen import Signature, print_flat, print_strided
from ..codegen_reduction import print_reduction
from ..codegen_sums import print_sums
from ..expr import Formula
from .threads import parallel


def flat(formula: Formula, signature: Signature, big: bool) -> Callable:
    """The kernel (*results, *inputs) over contiguous arrays; `big`: the one that uses every core."""
    return _pick(print_flat(formula, signature), formula, "loop", big)


def strided(formula: Formula, signature: Signature, dimensions: int, big: bool) -> Callable:
    """The kernel (shape, result, result_at, x, x_at, ...) over `dimensions` strided dimensions."""
    return _pick(print_strided(formula, signature, dimensions), formula, "loop", big and dimensions > 1)


def rows(formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable:
    """The kernel (result, width, divisor, *inputs): the formula reduced by `op` over the last axis."""
    return _pick(print_reduction(formula, signature, columns=False, op=op), formula, "rows", big)


def columns(formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable:
    """The kernel (result, height, width, divisor, *inputs): reduced by `op` over an axis before the last."""
    return _pick(print_reduction(formula, signature, columns=True, op=op), formula, "columns", big)


def sums(formula: Formula, signature: Signature, count: int, big: bool) -> Callable:
    """The kernel (*sums, *stores, width, *divisors, *inputs): the first `count` formulas summed over the last axis."""
    return _pick(print_sums(formula, signature, count), formula, "rows", big)


def _pick(source: str, formula: Formula, function: str, big: bool) -> Callable:
    module = load_source(source, formula.name)
    serial = getattr(module, function)
    return parallel(getattr(module, f"{function}_parallel"), serial) if big else serial
