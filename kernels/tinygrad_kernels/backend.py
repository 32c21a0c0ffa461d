"""What a device must be able to do, and which one does it.

The Tensor above this line knows shapes and graphs; it asks a backend for flat buffers and for kernels over them. `cpu`
implements the interface with Numba loops over NumPy arrays. Every function that computes comes in two steps: ask for
a kernel (once), then call it with buffers (each time), so that the second step costs as little as possible.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from .codegen import Signature
from .expr import Formula


class Backend(Protocol):
    """The functions of a device. A *buffer* is flat, contiguous, sliceable, and has `.size`."""

    PARALLEL_FROM: int  # elements from which `big=True` kernels pay

    def allocator(self, dtype: str) -> Callable[[int], Any]:
        """A function from a number of elements to a fresh buffer with anything in it."""

    def maker(self, dtype: str, n: int) -> Callable[[], Any]:
        """A function that gives a fresh buffer of n elements: the same, with the size decided beforehand."""

    def from_numpy(self, array: Any) -> Any:
        """A contiguous NumPy array as a flat buffer (shared where the device can)."""

    def to_numpy(self, buffer: Any) -> Any:
        """The reverse."""

    def address(self, buffer: Any) -> int:
        """Where it begins in the memory of the device."""

    Generator: Any  # cpu/random.py: a stream of random numbers that fills buffers

    def flat(self, formula: Formula, signature: Signature, big: bool) -> Callable:
        """Elementwise over contiguous operands: (*results, *inputs)."""

    def strided(self, formula: Formula, signature: Signature, dimensions: int, big: bool) -> Callable:
        """Elementwise over strided operands: (shape, result, result_at, x, x_at, ...)."""

    def rows(self, formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable:
        """Reduction over the last axis: (result, width, divisor, *inputs); `op` is one of codegen_reduction.py."""

    def columns(self, formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable:
        """Reduction over an axis before the last: (result, height, width, divisor, *inputs)."""

    def sums(self, formula: Formula, signature: Signature, count: int, big: bool) -> Callable:
        """Several sums over rows at once: (*sums, *stores, width, *divisors, *inputs). See codegen_sums.py."""

    # The kernels written by hand take buffers and sizes; each is described in cpu/matmul.py or cpu/rows.py.
    matmul_kernel: Callable[..., tuple[Callable[..., None], Any]]
    matmul_ending: Callable[..., Callable[..., None] | None]  # a formula of each element of the product
    batched_matmul: Callable[..., None]
    softmax: Callable[..., None]
    softmax_backward: Callable[..., None]
    log_softmax: Callable[..., None]
    log_softmax_backward: Callable[..., None]
    cross_entropy: Callable[..., int]
    cross_entropy_backward: Callable[..., None]
    logsumexp: Callable[..., None]
    logsumexp_backward: Callable[..., None]
    layer_norm: Callable[..., None]  # cpu/norm.py
    layer_norm_backward: Callable[..., None]
    recurrent: Callable[..., None]  # cpu/recurrent.py
    recurrent_backward: Callable[..., None]
    max_pool: Callable[..., None]  # cpu/pooling.py
    max_pool_backward: Callable[..., None]
    average_pool: Callable[..., None]
    average_pool_backward: Callable[..., None]
    batch_norm: Callable[..., None]  # cpu/batch_norm.py
    batch_norm_backward: Callable[..., None]
    attention: Callable[..., None]  # cpu/attention.py
    attention_backward: Callable[..., None]
    convolution: Callable[..., None]  # cpu/convolution.py

    variance: Callable[..., None]  # cpu/variance.py

    # Scans: cpu/scan.py.
    cumsum: Callable[..., None]
    cumprod: Callable[..., None]
    recurrence: Callable[..., None]
    cumextreme: Callable[..., None]
    logcumsumexp: Callable[..., None]

    # Index lists and order: cpu/indexing.py, cpu/sorting.py.
    fold_index: Callable[..., int]
    gather_places: Callable[..., int]
    count_true: Callable[..., int]
    find_true: Callable[..., None]
    coordinates: Callable[..., None]
    take: Callable[..., None]
    put: Callable[..., None]
    add_at: Callable[..., None]
    reduce_at: Callable[..., None]
    paste: Callable[..., None]
    triangle: Callable[..., None]
    sort_rows: Callable[..., None]
    first_of_rows: Callable[..., None]
    median_rows: Callable[..., None]
    search_rows: Callable[..., None]
    mark_runs: Callable[..., int]
    runs: Callable[..., None]
    smallest_and_largest: Callable[..., tuple[int, int]]


@cache
def get_backend(device: str) -> Backend:
    """The backend of 'cpu' or 'cuda'; RuntimeError, with what to do, where there is none."""
    if device == "cpu":
        from .cpu import backend

        return backend
    from .cuda.presence import require

    require()
    from .cuda import backend as cuda_backend

    return cuda_backend
