"""The CPU as a backend: flat NumPy arrays, allocated by NumPy, computed on by Numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .elementwise import columns, flat, rows, strided
from .matmul import batched_matmul, matmul
from .rows import (
    cross_entropy,
    cross_entropy_backward,
    log_softmax,
    log_softmax_backward,
    softmax,
    softmax_backward,
)
from .threads import PARALLEL_FROM

__all__ = [
    "PARALLEL_FROM", "allocator", "batched_matmul", "columns", "cross_entropy", "cross_entropy_backward", "flat",
    "from_numpy", "log_softmax", "log_softmax_backward", "matmul", "rows", "softmax", "softmax_backward", "strided",
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
