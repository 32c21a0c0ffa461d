"""Random numbers on the GPU: a function of a counter, not a stream.

The problem. The Mersenne Twister hands out its words one after the other: the millionth is not known before all before
it. A million threads cannot wait in a line.

The idea. A *counter-based* generator scrambles a counter so thoroughly that the results look random: word i is f(seed,
i), and anybody can compute any of them. Philox multiplies and exchanges halves, ten times over:

    (a, b, c, d)  →  (high(M₁ c) ⊕ b ⊕ key₀,  low(M₁ c),  high(M₀ a) ⊕ d ⊕ key₁,  low(M₀ a)),   keys grow each round

A thread gives its counter to Philox and gets four words of 32 bits. Which element takes which word depends on its place
alone, so the numbers are the same however a launch is cut into blocks. A generator is a seed and the first counter that
was not used yet.

    uniform      24 bits / 2²⁴ (float64: 53 bits)         normal        √(-2 log u) · (cos, sin)(2πv)
    integers     64 bits modulo the range                 exponential   -log(1 - u)
    bernoulli    is a word below p 2³²?                   permutation   the order of random 64-bit keys

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, Parallel random numbers: as easy as 1, 2, 3, 2011; for normals, G. Box,
M. Muller, 1958.
"""

from __future__ import annotations

import secrets
from functools import cache
from threading import Lock
from typing import Any

import numba
import numpy as np

from ..random_checks import (
    FRESH_SEED,
    check_float,
    check_integers,
    check_normal,
    check_probability,
    check_uniform,
    checked_seed,
    greatest,
)
from . import math as functions
from . import memory
from .device import cuda, uint64
from .jit import THREADS, blocks_for, device, kernel

LOW = uint64(0xFFFFFFFF)
M0, M1 = uint64(0xD2511F53), uint64(0xCD9E8D57)
GROW0, GROW1 = uint64(0x9E3779B9), uint64(0xBB67AE85)
WORD = uint64(32)


@device
def philox(counter, seed):
    """Four words of 32 bits, each in a uint64."""
    a, b, c, d = counter & LOW, counter >> WORD, uint64(0), uint64(0)
    key0, key1 = seed & LOW, seed >> WORD
    for _ in range(10):
        x, y = M0 * a, M1 * c
        a, b, c, d = (y >> WORD) ^ b ^ key0, y & LOW, (x >> WORD) ^ d ^ key1, x & LOW
        key0, key1 = (key0 + GROW0) & LOW, (key1 + GROW1) & LOW
    return a, b, c, d


@cache
def fractions(dtype: str) -> Any:
    """A function of two words: a number in [0, 1) with all the bits that the dtype has room for."""
    T, wide = getattr(numba, dtype), dtype == "float64"
    shift = uint64(11 if wide else 8)
    unit = 2.0**-53 if wide else 2.0**-24

    @device
    def fraction(high, low):
        bits = (high << WORD) | low if wide else high
        return T(bits >> shift) * T(unit)

    return fraction


@cache
def uniform(dtype: str) -> Any:
    """low + span u, four elements to a thread in float32, two in float64."""
    T, fraction = getattr(numba, dtype), fractions(dtype)
    each = 2 if dtype == "float64" else 4

    @kernel(f"{dtype}*, int64, uint64, uint64, {dtype}, {dtype}")
    def uniform(out, n, seed, first, low, span):
        thread = cuda.grid(1)
        a, b, c, d = philox(first + uint64(thread), seed)
        for k in range(each):
            high, rest = (a, b) if k == 0 else (c, d)
            if each == 4:
                high = a if k == 0 else b if k == 1 else c if k == 2 else d
            i = thread * each + k
            if i < n:
                out[i] = T(low + span * fraction(high, rest))

    return uniform


@cache
def normal(dtype: str) -> Any:
    """mean + std z: of two uniform numbers come two normal ones."""
    T, fraction = getattr(numba, dtype), fractions(dtype)
    sqrt, log, sinpi, cospi = (getattr(functions, f"{name}_{dtype}") for name in ("sqrt", "log", "sinpi", "cospi"))
    pairs = 1 if dtype == "float64" else 2

    @kernel(f"{dtype}*, int64, uint64, uint64, {dtype}, {dtype}")
    def normal(out, n, seed, first, mean, std):
        thread = cuda.grid(1)
        a, b, c, d = philox(first + uint64(thread), seed)
        for pair in range(pairs):
            if pairs == 1:
                u, v = fraction(a, b), fraction(c, d)
            else:
                u, v = fraction(a, a), fraction(b, b)
                if pair == 1:
                    u, v = fraction(c, c), fraction(d, d)
            radius, angle = sqrt(T(-2) * log(T(1) - u)), v + v
            i = thread * 2 * pairs + 2 * pair
            if i < n:
                out[i] = mean + std * radius * cospi(angle)
            if i + 1 < n:
                out[i + 1] = mean + std * radius * sinpi(angle)

    return normal


@cache
def exponential(dtype: str) -> Any:
    T, fraction = getattr(numba, dtype), fractions(dtype)
    log1p = getattr(functions, f"log1p_{dtype}")

    @kernel(f"{dtype}*, int64, uint64, uint64")
    def exponential(out, n, seed, first):
        i = cuda.grid(1)
        if i < n:
            a, b, _, _ = philox(first + uint64(i), seed)
            out[i] = T(-log1p(-fraction(a, b)))

    return exponential


@cache
def integers(dtype: str) -> Any:
    """low + 64 bits modulo a span (0: all 64 bits), two elements to a thread."""
    T = getattr(numba, "uint8" if dtype == "bool" else dtype)

    @kernel(f"{dtype}*, int64, uint64, uint64, int64, uint64")
    def integers(out, n, seed, first, low, span):
        thread = cuda.grid(1)
        a, b, c, d = philox(first + uint64(thread), seed)
        for k in range(2):
            bits = (a << WORD) | b if k == 0 else (c << WORD) | d
            i = thread * 2 + k
            if i < n:
                out[i] = T(low + numba.int64(bits % span if span > uint64(0) else bits))

    return integers


@cache
def bernoulli(dtype: str) -> Any:
    """1 where a word is below `limit`, four elements to a thread."""
    T = getattr(numba, "uint8" if dtype == "bool" else dtype)

    @kernel(f"{dtype}*, int64, uint64, uint64, uint64")
    def bernoulli(out, n, seed, first, limit):
        thread = cuda.grid(1)
        a, b, c, d = philox(first + uint64(thread), seed)
        for k in range(4):
            word = a if k == 0 else b if k == 1 else c if k == 2 else d
            i = thread * 4 + k
            if i < n:
                out[i] = T(1 if word < limit else 0)

    return bernoulli


class Generator:
    """A seed, and how many counters of it have been used. Fills buffers with numbers, as the CPU's does arrays."""

    def __init__(self, seed: int = FRESH_SEED) -> None:
        self._lock = Lock()  # threads that share a generator get different numbers
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> Generator:
        """Start over with this seed. ValueError if it does not fit into 64 bits."""
        self._seed, self._used = checked_seed(seed), 0
        return self

    def initial_seed(self) -> int:
        return self._seed

    def seed(self) -> int:
        """Start over with a seed that nobody knows, and return it."""
        self.manual_seed(secrets.randbits(63))
        return self._seed

    def get_state(self) -> np.ndarray:
        """Seed and counter as 16 bytes."""
        return np.array([self._seed, self._used], np.uint64).view(np.uint8)

    def set_state(self, state: np.ndarray) -> Generator:
        """Continue from what get_state() returned. RuntimeError for anything else."""
        if state.size != 16:
            raise RuntimeError(f"RNG state is wrong size: expected 16 bytes, got {state.size}")
        self._seed, self._used = (int(n) for n in np.ascontiguousarray(state).view(np.uint64))
        return self

    def _draw(self, make: Any, out: Any, each: int, *parameters: Any) -> None:
        """Launch a kernel whose threads fill `each` elements, one counter to a thread."""
        if out.size:
            threads = blocks_for(out.size, each)
            kernel = make(out.dtype.name)
            with self._lock:
                first, self._used = self._used, (self._used + threads) % 2**64
            kernel(blocks_for(threads, THREADS), THREADS, out, out.size, self._seed, first, *parameters)

    def uniform(self, out: Any, low: float = 0.0, high: float = 1.0) -> None:
        """Numbers in [low, high)."""
        check_uniform(out.dtype, low, high)
        self._draw(uniform, out, 16 // out.dtype.itemsize, low, high - low)

    def normal(self, out: Any, mean: float = 0.0, std: float = 1.0, *, contiguous: bool = True) -> None:
        """Normal numbers."""
        check_normal(out.dtype, std)
        self._draw(normal, out, 16 // out.dtype.itemsize, mean, std)

    def exponential(self, out: Any) -> None:
        """Exponential numbers of rate 1."""
        check_float(out.dtype, "exponential_")
        self._draw(exponential, out, 1)

    def integers(self, out: Any, low: int, high: int) -> None:
        """Whole numbers in [low, high)."""
        check_integers(out.dtype, low, high)
        self._draw(integers, out, 2, low, (high - low) % 2**64)

    def random(self, out: Any) -> None:
        """Whole numbers from 0 to the greatest of the dtype."""
        self._draw(integers, out, 2, 0, (greatest(out.dtype) + 1) % 2**64)

    def bernoulli(self, out: Any, p: float) -> None:
        """1 with probability p, else 0."""
        check_probability(p)
        self._draw(bernoulli, out, 4, round(p * 2**32))

    def permutation(self, out: Any) -> None:
        """0 ... n - 1 in random order: the order of random keys."""
        from .elementwise import copy
        from .sorting import sort_rows

        if out.size:
            keys = memory.empty(out.size, np.dtype("int64"))
            self.random(keys)
            order = out if out.dtype == "int64" else memory.empty(out.size, np.dtype("int64"))
            sort_rows(order, keys, 1, out.size, False)
            if order is not out:
                copy(out, order)
