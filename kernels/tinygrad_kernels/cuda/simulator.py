"""A GPU to learn with: runs a kernel's threads one after the other, in Python, and finds its mistakes.

A GPU runs thousands of threads at once, in no order. A kernel that forgets to wait for the others (`syncthreads`) is
often right by luck, and wrong on another day. Here the threads of a block take turns: each runs until it reaches a
barrier or its end, then the next one does. When all wait at the barrier, all go on.

              thread 0     thread 1     thread 2
    forward   a ──┐        a ──┐        a ──┐         between two barriers a learner's GPU is free to choose
                  └────────▶   └────────▶   │         the order, so run it forward, then in REVERSE: a result
    barrier   ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒   that needs one of them differs in the other
    reverse   b ◀──────── b ◀───────── b

What else is checked: shared and local memory holds nan (or a strange integer) until it is written, a barrier that not
all threads reach raises, an index out of bounds raises too, as does an unaligned vector.

`cuda` below has the names that kernels use of `numba.cuda`: threadIdx, blockIdx, grid, syncthreads, shared, shuffles,
atomics. A thread is a greenlet: a function that can be left in the middle and entered again.

Source: CUDA C++ Programming Guide, sections 2 (threads, blocks, grids) and 7.6, 7.22 (barriers, shuffles).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import numpy as np

WARP = 32
order = "forward"  # or "reverse": in which the threads of a block take their turns


class Place:
    """An index or a size in three dimensions."""

    __slots__ = ("x", "y", "z")

    def __init__(self, x: int = 1, y: int = 1, z: int = 1) -> None:
        self.x, self.y, self.z = x, y, z


class Thread:
    """One thread of a block: where it is, and what it waits for ('', 'block' or 'warp')."""

    __slots__ = ("index", "number", "block", "fiber", "waits")

    def __init__(self, index: Place, number: int, block: Block) -> None:
        self.index, self.number, self.block = index, number, block
        self.fiber: Any = None
        self.waits = ""


class Block:
    """What the threads of one block have in common: its place, its shared arrays, what a warp exchanges."""

    def __init__(self, index: Place, size: Place, blocks: Place) -> None:
        self.index, self.size, self.blocks = index, size, blocks
        self.shared: dict[Any, np.ndarray] = {}
        self.exchange: dict[int, Any] = {}
        self.scheduler: Any = None
        places = [Place(x, y, z) for z in range(size.z) for y in range(size.y) for x in range(size.x)]
        self.threads = [Thread(place, k, self) for k, place in enumerate(places)]
        self.warps = [self.threads[first : first + WARP] for first in range(0, len(places), WARP)]


current: Any = None  # the thread that runs
queue: list[tuple] | None = None  # while a graph is written down (graphs.py): its launches


def run(function: Callable, blocks: Place, threads: Place, arguments: tuple, barriers: bool) -> None:
    """Run a kernel. Without `barriers` a thread is a call, and needs no greenlet."""
    global current
    if queue is not None:
        queue.append((run, function, blocks, threads, arguments, barriers))
        return
    with np.errstate(all="ignore"):  # a GPU does not warn
        try:
            for z in range(blocks.z):
                for y in range(blocks.y):
                    for x in range(blocks.x):
                        block = Block(Place(x, y, z), threads, blocks)
                        if barriers:
                            _take_turns(block, function, arguments)
                            continue
                        for current in _ordered(block.threads):  # noqa: B007  (kernels ask for it)
                            function(*arguments)
        finally:
            current = None


def _ordered(threads: list[Thread]) -> list[Thread]:
    return threads if order == "forward" else threads[::-1]


def _take_turns(block: Block, function: Callable, arguments: tuple) -> None:
    """Run each thread up to its next barrier, then see who may go on: a warp, or all."""
    from greenlet import getcurrent, greenlet

    block.scheduler = getcurrent()
    for t in block.threads:
        t.fiber = greenlet(function, block.scheduler)
        t.fiber.gr_context = copy_context()  # in which NumPy keeps that it is not to warn
    for t in _ordered(block.threads):
        _enter(t, arguments)
    while True:
        alive = [t for t in block.threads if not t.fiber.dead]
        if not alive:
            return
        ready = [t for warp in block.warps if _all_wait(warp) for t in warp]
        if not ready:
            if len(alive) < len(block.threads) or any(t.waits != "block" for t in alive):
                raise RuntimeError(
                    f"a barrier that not all threads of a block reach: {sum(t.waits == 'block' for t in alive)} wait "
                    f"at syncthreads(), {sum(t.waits == 'warp' for t in alive)} for their warp, "
                    f"{len(block.threads) - len(alive)} have ended. Put it where every thread comes by"
                )
            ready = alive
        for t in _ordered(ready):
            _enter(t, ())


def _all_wait(warp: list[Thread]) -> bool:
    return all(t.waits == "warp" and not t.fiber.dead for t in warp)


def _enter(thread: Thread, arguments: tuple) -> None:
    global current
    current = thread
    thread.waits = ""
    thread.fiber.switch(*arguments)


def _wait(kind: str) -> None:
    thread = current
    thread.waits = kind
    thread.block.scheduler.switch()


def poisoned(shape: Any, dtype: Any) -> np.ndarray:
    """An array as memory is before it is written: nan, or an integer that nobody expects."""
    array = np.empty(shape, np.dtype(dtype if isinstance(dtype, type) else str(dtype)))
    array.fill(np.nan if array.dtype.kind == "f" else 90)
    return array


class Shared:
    """cuda.shared: one array for all threads of a block, found again by the place in the code that asks for it."""

    def array(self, shape: Any, dtype: Any, alignment: int | None = None) -> np.ndarray:
        frame = sys._getframe(1)
        key = (frame.f_code, frame.f_lasti)
        found = current.block.shared.get(key)
        if found is None:
            found = current.block.shared[key] = poisoned(shape, dtype)
        return found


class Local:
    """cuda.local: an array of one thread."""

    def array(self, shape: Any, dtype: Any, alignment: int | None = None) -> np.ndarray:
        return poisoned(shape, dtype)


class Cuda:
    """What kernels ask of `numba.cuda`, answered for the thread that runs."""

    shared, local = Shared(), Local()

    @property
    def threadIdx(self) -> Place:
        return current.index

    @property
    def blockIdx(self) -> Place:
        return current.block.index

    @property
    def blockDim(self) -> Place:
        return current.block.size

    @property
    def gridDim(self) -> Place:
        return current.block.blocks

    @property
    def laneid(self) -> int:
        return current.number % WARP

    def grid(self, dimensions: int) -> int:
        """The number of this thread among all threads of the launch, along x."""
        assert dimensions == 1
        block = current.block
        return block.index.x * block.size.x + current.index.x

    def gridsize(self, dimensions: int) -> int:
        """How many threads the launch has, along x."""
        assert dimensions == 1
        return current.block.blocks.x * current.block.size.x

    def syncthreads(self) -> None:
        _wait("block")

    def syncwarp(self, mask: int = 0xFFFFFFFF) -> None:
        _wait("warp")

    def _shuffle(self, value: Any, source: Callable[[int], int]) -> Any:
        """What the thread with lane `source(lane)` gives; one's own value where there is no such lane."""
        thread = current
        lane = thread.number % WARP
        thread.block.exchange[thread.number] = value
        _wait("warp")
        wanted = source(lane)
        given = thread.block.exchange[thread.number - lane + wanted] if 0 <= wanted < WARP else value
        _wait("warp")
        return given

    def shfl_sync(self, mask: int, value: Any, lane: int) -> Any:
        return self._shuffle(value, lambda own: lane % WARP)

    def shfl_down_sync(self, mask: int, value: Any, distance: int) -> Any:
        return self._shuffle(value, lambda own: own + distance)

    def shfl_up_sync(self, mask: int, value: Any, distance: int) -> Any:
        return self._shuffle(value, lambda own: own - distance)

    def shfl_xor_sync(self, mask: int, value: Any, bits: int) -> Any:
        return self._shuffle(value, lambda own: own ^ bits)


cuda = Cuda()
BARRIERS = {name for name in dir(Cuda) if name.startswith(("sync", "shfl"))}


def launch(
    function: Callable, blocks: int | tuple, threads: int | tuple, *arguments: Any, backwards: bool = False
) -> None:
    """Run a function as a kernel over NumPy arrays and numbers: for learners. `backwards`: the last thread goes first.

    >>> def double(x):
    ...     i = cuda.grid(1)
    ...     if i < x.size:
    ...         x[i] = x[i] + x[i]
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> launch(double, 2, 2, x)
    >>> x
    array([2., 4., 6.])
    """
    global order
    before, order = order, "reverse" if backwards else "forward"
    grid, block = (Place(*((n,) if isinstance(n, int) else n)) for n in (blocks, threads))
    try:
        run(function, grid, block, arguments, barriers=True)
    finally:
        order = before
