"""The CPU as a backend: flat NumPy arrays, allocated by NumPy, computed on by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from .attention import attention, attention_backward
from .batch_norm import batch_norm, batch_norm_backward
from .elementwise import columns, flat, rows, strided, sums
from .indexing import (
    add_at,
    coordinates,
    count_true,
    find_true,
    fold_index,
    gather_places,
    paste,
    put,
    reduce_at,
    take,
    triangle,
)
from .matmul import batched_matmul, matmul_ending, matmul_kernel
from .memory import allocator, maker
from .norm import layer_norm, layer_norm_backward
from .pooling import average_pool, average_pool_backward, max_pool, max_pool_backward
from .random import Generator
from .recurrent import recurrent, recurrent_backward
from .rows import (
    cross_entropy,
    cross_entropy_backward,
    log_softmax,
    log_softmax_backward,
    logsumexp,
    logsumexp_backward,
    softmax,
    softmax_backward,
)
from .scan import cumextreme, cumprod, cumsum, logcumsumexp, recurrence
from .sorting import first_of_rows, mark_runs, median_rows, runs, search_rows, smallest_and_largest, sort_rows
from .threads import PARALLEL_FROM
from .variance import variance

__all__ = [
    "recurrent", "recurrent_backward",
    "convolution",
    "PARALLEL_FROM", "add_at", "address", "allocator", "attention", "attention_backward", "batch_norm",
    "batch_norm_backward", "batched_matmul", "columns", "coordinates", "count_true", "cross_entropy",
    "cross_entropy_backward", "cumprod", "cumsum", "find_true", "first_of_rows", "flat",
    "fold_index", "from_numpy", "Generator", "gather_places", "layer_norm", "layer_norm_backward", "log_softmax",
    "log_softmax_backward", "logsumexp", "logsumexp_backward", "maker", "mark_runs", "matmul_ending",
    "matmul_kernel", "median_rows", "paste", "put", "recurrence", "reduce_at", "rows", "runs", "search_rows",
    "smallest_and_largest", "softmax",
    "softmax_backward", "sort_rows", "strided", "take", "to_numpy", "triangle", "average_pool", "average_pool_backward",
    "max_pool", "max_pool_backward", "cumextreme", "logcumsumexp", "variance", "sums",
]  # fmt: skip


def from_numpy(array: np.ndarray) -> np.ndarray:
    """A C-contiguous array as a flat one that shares its memory."""
    return array.reshape(-1)


def address(buffer: np.ndarray) -> int:
    return buffer.ctypes.data


def convolution(*arguments: Any) -> None:
    """cpu/convolution.py, loaded by the first convolution."""
    from .convolution import convolution

    convolution(*arguments)


def to_numpy(buffer: np.ndarray) -> np.ndarray:
    return buffer
