"""The GPU's memory, seen by other libraries: what DLPack and the CUDA array interface need besides NumPy.

The problem. Both protocols hand over an address with a shape, strides and a dtype, and promises about who frees what.
NumPy keeps such promises, but only for memory of the CPU.

The idea. An array object of NumPy's *is* an address with a shape, strides and a dtype; no number is read until somebody
looks. So we let NumPy make an array whose address is on the GPU, a *shell*, and nobody looks inside. NumPy writes the
capsule for it, or reads one, and one word is changed on the way: which device that address belongs to.

    out   buffer ── shell ──▶ array ── NumPy ──▶ capsule "CPU" ── relabel ──▶ capsule "CUDA"
    in    capsule "CUDA" ── relabel ──▶ capsule "CPU" ── NumPy ──▶ array ── adopt ──▶ buffer

The other promise is about time. Our kernels are queued on our stream, the other library's on its own, and the two know
nothing of each other. Whoever takes memory over therefore names its stream, which then waits for ours; and whoever
gives memory back waits for the whole GPU, since the next owner would write to it while the last one may still read.

Source: Python Specification for DLPack, "Semantics"; Numba documentation, CUDA Array Interface (version 3),
"Synchronization".
"""

from __future__ import annotations

from ctypes import c_char
from typing import Any

import numpy as np

from ..capsule import Described
from .memory import SIMULATED, Buffer, address, memory

LEGACY = 1  # the stream that CUDA uses where none is named


class Guard:
    """Keeps the owner of some memory alive, and lets go of it when the GPU is done with everything."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def __del__(self) -> None:
        if memory is not None:  # Python may be ending
            memory.wait_for_all()


def shell(buffer: Buffer, lent: bool) -> np.ndarray:
    """An array with the address of a buffer: nobody may look inside. One that is lent keeps the buffer alive."""
    place: Any = (c_char * buffer.nbytes).from_address(address(buffer))
    place.guard = Guard(buffer) if lent else None
    return np.frombuffer(place, buffer.dtype)


def described(facts: dict[str, Any], owner: Any) -> np.ndarray:
    """The shell of what a `__cuda_array_interface__` describes, once what was done to it elsewhere is done."""
    if facts.get("mask") is not None:
        raise NotImplementedError("__cuda_array_interface__ with a mask: fill in the masked elements first")
    if facts["version"] < 3 or "stream" not in facts:  # it does not say who is working on it
        memory.wait_for_all()
    elif facts["stream"] is not None:
        memory.follow(memory.stream(), facts["stream"])
    names = ("shape", "typestr", "strides", "data")
    return np.asarray(Described(owner, **{name: facts.get(name) for name in names}))


def adopt(array: np.ndarray) -> Buffer:
    """The buffer on a flat contiguous shell."""
    return Buffer(array if SIMULATED else array.ctypes.data, array.size, array.dtype, Guard(array))


def stream() -> int:
    """Our stream, as other libraries are told of it."""
    return memory.stream()


def hand_over(other: int | None) -> None:
    """What is queued on another stream from now on comes after all that was queued on ours; -1: whatever it likes."""
    if other == 0:
        raise ValueError("stream=0 is ambiguous: 1 is CUDA's default stream, 2 that of each thread")
    if other != -1:
        memory.follow(LEGACY if other is None else other, memory.stream())
