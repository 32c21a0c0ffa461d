"""The memory behind buffers: what owns it, and how a piece of it is seen.

A buffer may be a part of an array, or of another one of another dtype. Two buffers can be the same memory
only if they have the same owner, the *root*.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import Kind


def owner(buffer: Any) -> Any:
    """The owner of the memory of a buffer."""
    if not isinstance(buffer, np.ndarray):
        return buffer.block
    while isinstance(buffer.base, np.ndarray):
        buffer = buffer.base
    return buffer


def root_of(buffer: Any) -> tuple[Any, int]:
    """The owner of the memory of a buffer (it has `nbytes`), and how many of the buffer's elements lie before it."""
    if not isinstance(buffer, np.ndarray):
        from tinygrad_kernels.cuda.memory import offset_in_block

        return buffer.block, offset_in_block(buffer)
    root = owner(buffer)
    begin, at = root.__array_interface__["data"][0], buffer.__array_interface__["data"][0]
    return root, (at - begin) // buffer.itemsize


def size_of(root: Any, dtype: Any) -> int:
    """How many elements of a dtype a root has."""
    return getattr(root, "used", root.nbytes) // dtype.itemsize


def whole(root: Any, kind: Kind, size: int) -> Any:
    """All of the memory of a root, as a flat buffer of a kind's dtype."""
    if isinstance(root, np.ndarray):
        return root.ravel(order="K").view(kind.dtype.numpy)[:size]
    from tinygrad_kernels.cuda.memory import whole_block

    return whole_block(root, kind.dtype.numpy, size)


def part(arena: Any, kind: Kind, offset: int, size: int) -> Any:
    """A flat buffer of `size` elements, `offset` bytes into an arena of bytes."""
    piece = arena[offset : offset + size * kind.dtype.itemsize]
    if isinstance(piece, np.ndarray):
        return piece.view(kind.dtype.numpy)
    from tinygrad_kernels.cuda.memory import seen_as

    return seen_as(piece, kind.dtype.name)
