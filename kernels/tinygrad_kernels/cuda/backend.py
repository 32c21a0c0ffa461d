"""The GPU as a backend: the names of the interface (../backend.py), computed by the kernels of this folder."""

from __future__ import annotations

from .attention import attention, attention_backward
from .batch_norm import batch_norm, batch_norm_backward
from .convolution import convolution
from .elementwise import fill, flat, strided
from .finding import count_true, find_true
from .indexing import coordinates, fold_index, gather_places, paste, put, take, triangle
from .matmul import batched_matmul, matmul_ending, matmul_kernel
from .memory import Buffer, address, allocator, from_numpy, maker, to_numpy
from .norm import layer_norm, layer_norm_backward
from .pooling import average_pool, average_pool_backward, max_pool, max_pool_backward
from .random import Generator
from .recurrent import recurrent, recurrent_backward
from .reduction import columns, rows, sums
from .rows import (
    cross_entropy,
    cross_entropy_backward,
    log_softmax,
    log_softmax_backward,
    logsumexp,
    logsumexp_backward,
    softmax,
    softmax_backward,
)  # fmt: skip
from .runs import mark_runs, runs, smallest_and_largest
from .scan import cumextreme, cumprod, cumsum, logcumsumexp, recurrence
from .scattering import add_at, reduce_at
from .sorting import first_of_rows, median_rows, search_rows, sort_rows
from .variance import variance

PARALLEL_FROM = 1 << 62  # `big=True` is a question of the CPU: here everything is parallel

__all__ = [
    "batch_norm", "batch_norm_backward", "layer_norm", "layer_norm_backward", "variance",
    "cross_entropy", "cross_entropy_backward", "log_softmax", "log_softmax_backward", "logsumexp", "logsumexp_backward",
    "softmax", "softmax_backward",
    "attention", "attention_backward", "average_pool", "average_pool_backward", "max_pool", "max_pool_backward",
    "convolution", "recurrent", "recurrent_backward",
    "cumextreme", "cumprod", "cumsum", "logcumsumexp", "recurrence",
    "add_at", "coordinates", "count_true", "find_true", "fold_index", "gather_places", "paste",
    "put", "reduce_at", "take", "triangle",
    "first_of_rows", "mark_runs", "median_rows", "runs", "search_rows", "smallest_and_largest", "sort_rows",
    "Buffer", "PARALLEL_FROM", "address", "allocator", "batched_matmul", "columns", "fill", "flat", "from_numpy",
    "Generator", "maker", "matmul_ending", "matmul_kernel", "rows", "strided", "sums", "to_numpy",
]  # fmt: skip
