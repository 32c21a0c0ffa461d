"""How a tensor lies in a value, so that each replay can make it anew."""

from __future__ import annotations

from typing import Any

from ..ops.strides import contiguous_strides
from ..tensors import Tensor
from .program import Value


def buffer_of(x: Tensor) -> Any:
    return x.flat if x.flat is not None else x.region[0]


class Layout:
    """How a tensor lies in a value of `size` elements: what makes a Tensor of a buffer."""

    __slots__ = ("value", "shape", "kind", "offset", "strides", "whole", "n")

    def __init__(self, x: Tensor, value: Value) -> None:
        self.value, self.shape, self.kind, self.n = value, x.shape, x.kind, x.numel()
        buffer = buffer_of(x)
        self.offset = buffer.offset + (x.region[1] if x.flat is None else 0)
        self.strides = None if x.flat is not None else x.region[2]
        self.whole = self.strides is None and self.n == value.size

    def put(self, x: Tensor, buffer: Any) -> Tensor:
        """x, on this buffer."""
        if self.whole:
            x.flat, x.region = buffer, None
        elif self.strides is None:
            x.flat = buffer[self.offset : self.offset + self.n]
            x.region = (buffer, self.offset, contiguous_strides(self.shape), None)
        else:
            x.flat, x.region = None, (buffer, self.offset, self.strides, None)
        x.shared = None
        return x

    def tensor(self, buffer: Any) -> Tensor:
        """A new tensor on this buffer."""
        return self.put(Tensor(buffer, self.shape, self.kind), buffer)
