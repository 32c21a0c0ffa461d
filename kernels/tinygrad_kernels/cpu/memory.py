"""Memory for results: small arrays from NumPy, large ones used again.

The problem. A large array that is fresh from the operating system has no memory behind it. At the first write to each
page the processor stops, the kernel finds a page, fills it with zeros, and goes on: a *page fault*. For 80 MB this
takes as long as the arithmetic itself, since sigmoid and its like run at the speed of memory:

    20,000,000 x float32, one core      16 ms to fault the pages of the result in, 22 ms to compute it

A training step makes the same arrays again and again. NumPy gives a large one back to the system when it dies, so every
step pays anew.

The idea. Keep a list of the large arrays handed out. One that nobody but the list refers to is free: hand it out again.
Python counts the references already, and every view of an array counts as one on its owner, so there is nothing to
track and nothing to call when a tensor dies.

What is kept in the list is bounded: above LIMIT bytes the oldest is forgotten, and dies with its tensor as
usual.

Source: for the costs, U. Drepper, What every programmer should know about memory, 2007, section 7.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from sys import getrefcount
from typing import Any

import numpy as np

LARGE = 1 << 22  # bytes from which an array is kept; below, the C library reuses memory by itself
PAGES = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 1 << 33
LIMIT = PAGES // 8  # bytes kept: an eighth of the machine's memory


def references(arrays: list[np.ndarray]) -> list[int]:
    """How many references there are to each array."""
    return [getrefcount(array) for array in arrays]


FREE = references([np.empty(0)])[0]  # to an array that only a list holds (how many that is differs between Pythons)


class Pool:
    """The large arrays handed out so far, oldest first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.arrays: list[np.ndarray] = []
        self.lock = threading.Lock()

    def empty(self, n: int, dtype: np.dtype) -> np.ndarray:
        """A flat array of n elements with anything in it: one that is free, or else a new one."""
        with self.lock:
            for k, count in enumerate(references(self.arrays)):
                if count == FREE and self.arrays[k].size == n and self.arrays[k].dtype == dtype:
                    return self.arrays[k]
            try:
                array = np.empty(n, dtype)
            except MemoryError:
                self.arrays.clear()  # what is free among them goes back to the system
                array = np.empty(n, dtype)
            self.arrays.append(array)
            while sum(a.nbytes for a in self.arrays) > self.limit:
                del self.arrays[0]
            return array

    def clear(self) -> None:
        """Forget all arrays; those that are free go back to the operating system."""
        self.arrays.clear()


pool = Pool(LIMIT)


def allocator(dtype: str) -> Callable[[int], np.ndarray]:
    """n -> a fresh flat array of n elements, not initialised."""
    numpy_dtype: Any = np.dtype(dtype)
    large = LARGE // numpy_dtype.itemsize

    def empty(n: int) -> np.ndarray:
        return np.empty(n, numpy_dtype) if n < large else pool.empty(n, numpy_dtype)

    return empty


def maker(dtype: str, n: int) -> Callable[[], np.ndarray]:
    """() -> a fresh flat array of n elements: for those who need the same size each time."""
    numpy_dtype = np.dtype(dtype)
    if n * numpy_dtype.itemsize < LARGE:
        return partial(np.empty, n, numpy_dtype)
    return partial(pool.empty, n, numpy_dtype)
