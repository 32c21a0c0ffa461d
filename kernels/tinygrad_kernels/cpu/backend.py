"""The CPU as a backend: flat NumPy arrays, allocated by NumPy, computed on by Numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .elementwise import columns, flat, rows, strided

try:
    from .matmul import batched_matmul, matmul
except ImportError:
    from .matmul import matmul

    batched_matmul = None
from .threads import PARALLEL_FROM

__all__ = [
    "PARALLEL_FROM", "allocator", "batched_matmul", "columns", "flat", "from_numpy", "matmul", "rows", "strided",
    "to_numpy",
]  # fmt: skip


def allocator(dtype: str) -> Callable[[int], np.ndarray]:
    """n -> a fresh flat array of n elements, not initialised."""
    return partial(np.empty, dtype=np.dtype(dtype))


def from_numpy(array: np.ndarray) -> np.ndarray:
    """A C-contiguous array as a flat one that shares its memory."""
    return array.reshape(-1)


def to_numpy(buffer: np.ndarray) -> np.ndarray:
    return buffer
