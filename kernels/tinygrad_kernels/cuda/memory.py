"""Memory on the device: buffers, and blocks of it that are used again.

The problem. Asking the driver for memory takes many microseconds and may wait for everything that runs; a training step
asks a hundred times, always for the same sizes.

The idea. What a dead tensor leaves behind is kept in a list of its size, and the next tensor of that size takes it.
This is safe although the GPU may still be computing with it: all kernels are queued on one *stream*, one behind the
other, so whoever writes to the block next does so later. Sizes are rounded up, to 512 bytes below a megabyte and to 2
MiB above, so that the lists are few and every block begins where 128-bit loads can.

    Buffer   at ──▶ address, or in the simulator a NumPy array;   size, dtype;   block ──▶ Block, given back when the
             last buffer on it dies

Out of memory: the lists are emptied and the driver is asked again; then torch's error, with the sizes.

Source: PyTorch's CUDACachingAllocator (PyTorch documentation, CUDA semantics, "Memory management"); CUDA C++
Programming Guide, section 15 (stream-ordered allocation).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..errors import OutOfMemoryError
from .presence import SIMULATED

if SIMULATED:
    from . import memory_simulated as memory
else:
    from . import memory_real as memory

SMALL, LARGE = 512, 2 << 20  # bytes to which sizes are rounded up, below and above a megabyte


class Pool:
    """The blocks that are free, by size, and what is in use."""

    def __init__(self) -> None:
        self.free: defaultdict[int, list[Any]] = defaultdict(list)
        self.allocated = self.peak = self.reserved = 0  # bytes: in tensors, the most there ever were, from the driver

    def take(self, nbytes: int) -> Any:
        """The raw memory of a block of `nbytes`, a rounded size."""
        try:
            raw = self.free[nbytes].pop()  # one step, also where several threads take blocks
        except IndexError:
            raw = self._new(nbytes)
        self.allocated += nbytes
        if self.allocated > self.peak:
            self.peak = self.allocated
        return raw

    def give_back(self, raw: Any, nbytes: int) -> None:
        self.allocated -= nbytes
        self.free[nbytes].append(raw)

    def _new(self, nbytes: int) -> Any:
        for attempt in range(2):
            try:
                raw = memory.allocate(nbytes)
                self.reserved += nbytes
                return raw
            except MemoryError:
                if attempt == 0:
                    self.empty()
        free, total = memory.info()
        raise OutOfMemoryError(
            f"CUDA out of memory. Tried to allocate {_readable(nbytes)}. The GPU has {_readable(total)}, of which "
            f"{_readable(free)} is free; tensors of this process hold {_readable(self.allocated)}. Delete tensors that "
            "are no longer needed, or use smaller batches"
        )

    def empty(self) -> None:
        """Give all free blocks back to the driver."""
        memory.synchronize()
        for nbytes, blocks in self.free.items():
            self.reserved -= nbytes * len(blocks)
            for raw in blocks:
                memory.release(raw)
        self.free.clear()
        memory.synchronize()
        memory.trim()


def _readable(nbytes: int) -> str:
    return f"{nbytes / 2**30:.2f} GiB" if nbytes >= 2**30 else f"{nbytes / 2**20:.2f} MiB"


pool = Pool()


class Block:
    """Memory that goes back to the pool with the last buffer on it. Of its `nbytes`, `used` were asked for."""

    __slots__ = ("raw", "nbytes", "used")

    def __init__(self, nbytes: int, used: int) -> None:
        self.nbytes, self.used = nbytes, used
        self.raw = pool.take(nbytes)

    def __del__(self) -> None:
        if hasattr(self, "raw") and pool is not None:  # not if there was no memory, nor when Python ends
            pool.give_back(self.raw, self.nbytes)


class Buffer:
    """Elements of one dtype, in a row, on the device.

    `at` is what a kernel gets: the address of the first one (in the simulator, an array). A slice is a buffer
    on the same memory.
    """

    __slots__ = ("at", "size", "dtype", "block", "__weakref__")

    def __init__(self, at: Any, size: int, dtype: np.dtype, block: Any) -> None:
        self.at, self.size, self.dtype, self.block = at, size, dtype, block

    def __len__(self) -> int:
        return self.size

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __getitem__(self, piece: slice) -> Buffer:
        start, stop, step = piece.indices(self.size)
        assert step == 1
        return Buffer(memory.offset(self.at, start, self.dtype), max(stop - start, 0), self.dtype, self.block)

    def __setitem__(self, where: Any, number: Any) -> None:
        """Write one number to one element or to all of a slice, or to a slice a buffer of its size and dtype."""
        from .elementwise import fill

        target = self[where] if isinstance(where, slice) else self[where : where + 1]
        if isinstance(number, Buffer):
            assert (number.size, number.dtype) == (target.size, target.dtype)
            memory.copy_across(target.at, number.at, number.nbytes)
        else:
            fill(target, number)

    def copy(self) -> Buffer:
        """The same numbers in memory of their own."""
        other = empty(self.size, self.dtype)
        other[:] = self
        return other

    def __repr__(self) -> str:
        return f"<{self.size} x {self.dtype} on cuda>"


def rounded(nbytes: int) -> int:
    """The size of the block for so many bytes."""
    unit = SMALL if nbytes < 1 << 20 else LARGE
    return max((nbytes + unit - 1) // unit, 1) * unit


def empty(n: int, dtype: np.dtype) -> Buffer:
    """A fresh buffer with anything in it (in the simulator nan)."""
    block = Block(rounded(n * dtype.itemsize), n * dtype.itemsize)
    return Buffer(memory.view(block.raw, n, dtype), n, dtype, block)


def allocator(dtype: str) -> Callable[[int], Buffer]:
    numpy_dtype: Any = np.dtype(dtype)
    return lambda n: empty(n, numpy_dtype)


def maker(dtype: str, n: int) -> Callable[[], Buffer]:
    return partial(empty, n, np.dtype(dtype))


class Crossings:
    """How often numbers went from the host to the device or back."""

    count = 0


crossings = Crossings()


def from_numpy(array: np.ndarray) -> Buffer:
    """A copy of an array on the device."""
    crossings.count += 1
    array = np.ascontiguousarray(array).reshape(-1)
    buffer = empty(array.size, array.dtype)
    if array.size:
        memory.copy_in(buffer.at, array)
    return buffer


def send(buffer: Buffer, array: np.ndarray) -> None:
    """Fill a buffer with a small array, and do not wait."""
    memory.send(buffer.at, array)


def to_numpy(buffer: Buffer) -> np.ndarray:
    """A copy of a buffer on the host. Waits for everything that was queued before."""
    crossings.count += 1
    array = np.empty(buffer.size, buffer.dtype)
    if array.size:
        memory.copy_out(array, buffer.at)
    return array


def number(buffer: Buffer) -> Any:
    """Element 0, as a Python number. Waits for everything that was queued before."""
    return to_numpy(buffer[:1])[0].item()


def seen_as(buffer: Buffer, dtype: str) -> Buffer:
    """The same bits as elements of another dtype: the same memory."""
    other: Any = np.dtype(dtype)
    size = buffer.nbytes // other.itemsize
    return Buffer(buffer.at[: buffer.size].view(other) if SIMULATED else buffer.at, size, other, buffer.block)


def address(buffer: Buffer) -> int:
    """Where it begins in the memory of the device."""
    return buffer.at.ctypes.data if SIMULATED else buffer.at


def offset_in_block(buffer: Buffer) -> int:
    """How many elements of a buffer's dtype lie between the beginning of its block and its own."""
    if SIMULATED:
        return (buffer.at.ctypes.data - buffer.block.raw.ctypes.data) // buffer.dtype.itemsize
    return (buffer.at - memory.offset(buffer.block.raw, 0, buffer.dtype)) // buffer.dtype.itemsize


def whole_block(block: Any, dtype: np.dtype, size: int) -> Buffer:
    """The first `size` elements of the memory of a block."""
    at = block.raw.view(dtype) if SIMULATED else memory.offset(block.raw, 0, dtype)
    return Buffer(at[:size] if SIMULATED else at, size, dtype, block)
