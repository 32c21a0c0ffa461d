"""How a kernel is written, compiled and launched.

A kernel is a Python function that every thread of the GPU runs, and a signature that says what it is given:

    @kernel("float32*, float32*, uint32")
    def double(result, x, n):
        i = cuda.grid(1)                          the number of this thread
        if i < n:
            result[i] = x[i] + x[i]

    double(blocks_for(n, 256), 256, result, x, n)  so many blocks of 256 threads, then the arguments

`float32*` is a bare address: kernels get no shapes, no strides and no bounds, which are worth nothing to a thread and
would have to be packed at every launch. An ordinary launch of Numba's with three arrays takes 15 µs of Python; with
addresses, about 1 µs.

Compiling goes Python → PTX (Numba) → machine code for one processor, a *cubin* (nvJitLink), and needs no GPU. It
happens at the first launch; cubins are kept on disk under the hash of everything they were made from (fingerprint.py).
In the simulator nothing is compiled.

Source: S. Lam, A. Pitrou, S. Seibert, Numba: A LLVM-based Python JIT Compiler, 2015; CUDA Driver API, section 6.12.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numba
from numba import types

from ..fingerprint import fingerprint, reached_names
from . import simulator
from .device import SIMULATED

C_TYPES: dict[str, Any] = {
    "uint32": ctypes.c_uint32, "uint64": ctypes.c_uint64, "int32": ctypes.c_int32, "int64": ctypes.c_int64,
    "float32": ctypes.c_float, "float64": ctypes.c_double, "uint8": ctypes.c_uint8,
}  # fmt: skip
WARP, THREADS = 32, 256  # threads that go in step; those of most blocks
WARPS = THREADS // WARP
ALL = 0xFFFFFFFF  # every lane of a warp takes part in a shuffle
PER_LAUNCH = 65535  # the most blocks that a grid has along y or z
HALF = 2**31  # elements from which places are counted in 64 bits


def numba_type(name: str) -> Any:
    """`float32*` as Numba's type. A bool in memory is a byte."""
    element = name.rstrip("*")
    scalar = getattr(types, "uint8" if element == "bool" else element)
    return types.CPointer(scalar) if name.endswith("*") else scalar


class Kernel:
    """A function for the GPU, with its signature; call it with (blocks, threads, *arguments).

    Blocks and threads are numbers or tuples (x, y, z). `bounds`: (threads of a block, blocks that should fit on
    one multiprocessor), from which the compiler knows how many registers a thread may have.
    """

    __slots__ = ("function", "signature", "bounds", "converters", "entry", "barriers")

    def __init__(self, function: Callable, signature: tuple[str, ...], bounds: tuple[int, int] | None) -> None:
        self.function, self.signature, self.bounds = function, signature, bounds
        self.converters = [None if name.endswith("*") else C_TYPES[name] for name in signature]
        self.entry: Any = None  # the loaded machine code
        self.barriers: bool | None = None

    @property
    def name(self) -> str:
        return self.function.__name__

    def __call__(self, blocks: int | tuple, threads: int | tuple, *arguments: Any) -> None:
        if SIMULATED:
            self.simulate(blocks, threads, arguments)
            return
        if self.entry is None:
            from .compile import load

            self.entry = load(self)
        self.entry(
            blocks, threads, *[a.at if c is None else c(a) for c, a in zip(self.converters, arguments, strict=True)]
        )

    def simulate(self, blocks: int | tuple, threads: int | tuple, arguments: tuple) -> None:
        if self.barriers is None:
            self.barriers = not simulator.BARRIERS.isdisjoint(reached_names(self.function))
        given = []
        for argument, name in zip(arguments, self.signature, strict=True):
            if name.endswith("*"):
                expected = name[:-1]
                assert argument.dtype == expected, f"{self.name}: {argument.dtype} for {name}"
                given.append(argument.at)
            else:
                given.append(int(argument) if "int" in name else getattr(numba, name)(argument))
        simulator.run(self.function, _place(blocks), _place(threads), tuple(given), self.barriers)

    def fingerprint(self) -> str:
        return fingerprint(self.function, (self.signature, self.bounds))


def _place(size: int | tuple) -> simulator.Place:
    return simulator.Place(size) if isinstance(size, int) else simulator.Place(*size)


def kernel(signature: str, bounds: tuple[int, int] | None = None) -> Callable[[Callable], Kernel]:
    """Make a function a kernel: `@kernel("float32*, uint32")`."""
    names = tuple(name.strip() for name in signature.split(","))
    return lambda function: Kernel(function, names, bounds)


def device(function: Callable) -> Any:
    """Make a function one that kernels call; it is put where the call stands."""
    if SIMULATED:
        return function
    from numba import cuda

    return cuda.jit(device=True, forceinline=True)(function)


def blocks_for(n: int, threads: int) -> int:
    """How many blocks of so many threads have a thread for each of n elements."""
    return max((n + threads - 1) // threads, 1)


def index_for(n: int) -> str:
    """The integer in which places among n elements are divided: a division of 64 bits takes several times as long."""
    return "uint32" if n < HALF else "int64"
