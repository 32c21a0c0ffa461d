"""The simulator's device memory: NumPy arrays, which hold nan wherever nothing has been written yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import simulator

TOTAL = 1 << 30  # bytes that the simulated GPU has
used = 0


def allocate(nbytes: int) -> np.ndarray:
    global used
    if used + nbytes > TOTAL:
        raise MemoryError
    used += nbytes
    return np.empty(nbytes, np.uint8)


def release(raw: np.ndarray) -> None:
    global used
    used -= raw.size


def trim() -> None:
    """There is no system behind the simulator."""


def view(raw: np.ndarray, n: int, dtype: np.dtype) -> np.ndarray:
    """The first n elements of a block, poisoned: a kernel that forgets to write one shows."""
    array = raw[: n * dtype.itemsize].view(dtype)
    array.fill(np.nan if dtype.kind == "f" else 1 if dtype.kind == "b" else 90)
    return array


def offset(at: np.ndarray, start: int, dtype: np.dtype) -> np.ndarray:
    return at[start:]


def copy_in(at: np.ndarray, array: np.ndarray) -> None:
    assert simulator.queue is None, "numbers of the host would be written down as they are now"
    at[: array.size] = array


send = copy_in


def copy_out(array: np.ndarray, at: np.ndarray) -> None:
    assert simulator.queue is None, "nothing is computed yet that could be asked for"
    array[:] = at[: array.size]


def copy_across(to: np.ndarray, at: np.ndarray, nbytes: int) -> None:
    n = nbytes // at.itemsize
    if simulator.queue is not None:
        simulator.queue.append((np.copyto, to[:n], at[:n]))
        return
    to[:n] = at[:n]


def synchronize() -> None:
    """Nothing runs behind the program's back here."""


wait_for_all = synchronize


def stream() -> int:
    """CUDA's default stream: there are none here."""
    return 1


def follow(later: int, earlier: int) -> None:
    """Everything happens at once, so everything follows everything."""


def info() -> tuple[int, int]:
    """Bytes that are free, and all of them."""
    return TOTAL - used, TOTAL


def properties() -> dict[str, Any]:
    return {"name": "simulated GPU", "compute_capability": (9, 0), "multiprocessors": 2}


def record(work: Callable[[], None]) -> Recorded:
    """What `work` queues, which is not run now."""
    simulator.queue = queue = list[tuple]()
    try:
        work()
    finally:
        simulator.queue = None
    return Recorded(queue)


class Recorded:
    """Kernels with their arguments."""

    def __init__(self, queue: list[tuple]) -> None:
        self.queue = queue

    def launch(self) -> None:
        for function, *arguments in self.queue:
            function(*arguments)


class Point:
    """A point in time."""

    def record(self) -> None:
        self.time = time.perf_counter()

    def wait(self) -> None: ...

    def reached(self) -> bool:
        return True

    def since(self, other: Point) -> float:
        """Milliseconds."""
        return (self.time - other.time) * 1e3
