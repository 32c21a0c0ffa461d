"""Random numbers: one stream of 32-bit words, and the arithmetic that turns words into distributions.

**The problem.** A program that says `manual_seed(42)` wants the same numbers tomorrow, and a program
written for PyTorch wants PyTorch's numbers. Both follow if we take the same *words* and do the same
*arithmetic* on them.

**The words** come from the Mersenne Twister MT19937. Its state is a block of 624 words. One "twist" turns a
block into the next, and each word is scrambled ("tempered") as it is handed out. NumPy has it, so NumPy
gives the words, and that is all it does here: they are drawn a whole block at a time, and the `Generator`
remembers how many words of the last block are used up. (So a single random number costs no call into NumPy,
and the pair (block, words used) is exactly the state that PyTorch saves: `get_state` returns PyTorch's own
5056 bytes.)

**The arithmetic** is done by Numba loops:

=================  ==================================================================================
uniform float32    u = (low 24 bits of a word) / 2**24, then fma(u, high - low, low)
uniform float64    u = (low 53 bits of two words, the first one high) / 2**53, then the same
integers           word % (high - low) + low; two words an element when high - low >= 2**28
permutation        Fisher-Yates: swap p[i] with p[i + word % (n - i)] for i = 0 ... n - 2
bernoulli          (float64 uniform) < p
exponential        -log(1 - u)
normal             Box-Muller: r = sqrt(-2 log(1 - u)), t = 2 pi v; r cos t and r sin t are two normals
=================  ==================================================================================

Why Box-Muller works: two independent normals are a random point of the plane whose angle t is uniform and
whose squared radius r² is exponential with mean 2, so draw these two and convert from polar coordinates.
Few (below 16) normals are drawn one at a time in float64, and the second of a pair is kept for the next
call (the "spare"); many are drawn 16 at a time: 8 radii, 8 angles.

An fma (fused multiply-add) rounds once where `u * (high - low) + low` rounds twice; about half of all
elements would differ in the last bit.

Sources: M. Matsumoto and T. Nishimura, Mersenne Twister: a 623-dimensionally equidistributed uniform
pseudo-random number generator, 1998; G. Box and M. Muller, A note on the generation of random normal
deviates, 1958; R. Durstenfeld, Algorithm 235: random permutation, 1964.
"""

from __future__ import annotations

import secrets
import threading

import numpy as np

from tinygrad_kernels.cpu.random_kernels import (
    SMALL,
    bernoulli,
    box_muller_float32,
    box_muller_float64,
    exponential,
    join,
    modulo_32,
    modulo_64,
    normal_pairs,
    shuffle,
    uniform_float32,
    uniform_float64,
)
from tinygrad_kernels.random_checks import (
    FRESH_SEED,
    check_float,
    check_integers,
    check_normal,
    check_probability,
    check_uniform,
    checked_seed,
    greatest,
)

BLOCK = 624  # words in a state of the Mersenne Twister
CHUNK = 64 * BLOCK  # words drawn at a time for large arrays: 156 KB stay in the level-2 cache
WIDE_SPAN = 1 << 28  # from this span on, an integer takes two words

# The bytes of PyTorch's saved state: seed, words left before the next twist (plus 1), seeded?, words used,
# the block (each word in 64 bits), and Box-Muller's spare (in `normal_y`).
STATE = np.dtype(
    [
        ("seed", "<u8"),
        ("left", "<i4"),
        ("seeded", "<i4"),
        ("next", "<u8"),
        ("block", "<u8", BLOCK),
        ("normal_x", "<f8"),
        ("normal_y", "<f8"),
        ("normal_rho", "<f8"),
        ("has_spare", "<i4"),
        ("padding", "V4"),
        ("float_spare", "<f4"),
        ("has_float_spare", "<i4"),
    ]
)


class Generator:
    """A stream of random numbers that fills flat, contiguous NumPy arrays; equal to PyTorch's on the CPU.

    Every method is one critical section: threads may share a generator (which thread gets which numbers is
    then theirs to decide). Creating one costs nothing: the twister is seeded when the first word is needed.

    >>> import numpy as np
    >>> out = np.empty(3, np.float32)
    >>> generator = Generator().manual_seed(42)
    >>> generator.uniform(out)
    >>> out
    array([0.88226926, 0.91500396, 0.38286376], dtype=float32)
    """

    def __init__(self, seed: int = FRESH_SEED) -> None:
        self._lock = threading.RLock()
        self.manual_seed(seed)

    # -- seed and state --------------------------------------------------------------------------------------
    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to `seed`, and return self.

        `seed` is in -2**63 ... 2**64 - 1, and only its low 32 bits count. Raises ValueError outside that range,
        as PyTorch does, and RuntimeError if `seed` is a float.
        """
        seed = checked_seed(seed)
        with self._lock:
            self._seed = seed
            self._twister: np.random.RandomState | None = None
            self._words = np.empty(0, np.uint32)  # the block in use, tempered; empty before the first twist
            self._used = 0
            self._spare: float | None = None
        return self

    def initial_seed(self) -> int:
        """The seed of this stream, as an unsigned 64-bit number."""
        return self._seed

    def seed(self) -> int:
        """Start a stream that nobody can predict, and return its seed."""
        with self._lock:
            return self.manual_seed(secrets.randbits(64)).initial_seed()

    def get_state(self) -> np.ndarray:
        """The state as 5056 bytes (uint8), laid out as PyTorch's `get_rng_state()` lays it out."""
        with self._lock:
            state = np.zeros((), STATE)
            state["seed"], state["seeded"] = self._seed, 1
            state["block"] = self._mersenne_twister().get_state(legacy=False)["state"]["key"]
            # Before the first twist PyTorch says next = 0, left = 1: no word is left, so the next one twists.
            state["next"] = self._used
            state["left"] = BLOCK + 1 - self._used if self._words.size else 1
            if self._spare is not None:
                state["normal_y"], state["has_spare"] = self._spare, 1
            return np.frombuffer(state.tobytes(), np.uint8).copy()

    def set_state(self, state: np.ndarray | bytes) -> Generator:
        """Continue from what `get_state` (or PyTorch's `get_rng_state().numpy()`) returned. Returns self.

        Raises RuntimeError if `state` does not have 5056 bytes or holds no Mersenne Twister.
        """
        raw = bytes(state) if isinstance(state, bytes | bytearray) else np.asarray(state, np.uint8).tobytes()
        if len(raw) != STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE.itemsize} but found the input RNG state "
                f"size to be {len(raw)}: pass what get_state() returned"
            )
        saved = np.frombuffer(raw, STATE)[0]
        left, used = int(saved["left"]), int(saved["next"])
        if not (saved["seeded"] and 0 < left <= BLOCK and used <= BLOCK):
            raise RuntimeError("Invalid mt19937 state: pass what get_state() returned")
        key = saved["block"].astype(np.uint32)
        with self._lock:
            self.manual_seed(int(saved["seed"]))
            # Position 0: the block is complete, none of it handed out. So drawing it again gives its words.
            fresh = left == 1 and used == 0
            self._twister = np.random.RandomState(0)
            self._twister.set_state({"bit_generator": "MT19937", "state": {"key": key, "pos": BLOCK if fresh else 0}})
            if not fresh:
                self._words, self._used = self._draw_blocks(1), BLOCK + 1 - left
            if saved["has_spare"]:
                self._spare = float(saved["normal_y"])
        return self

    # -- words -----------------------------------------------------------------------------------------------
    def _mersenne_twister(self) -> np.random.RandomState:
        if self._twister is None:
            self._twister = np.random.RandomState(self._seed & 0xFFFFFFFF)
        return self._twister

    def _draw_blocks(self, count: int) -> np.ndarray:
        # Over the full range, `randint` hands out the words as they are. (`bytes` copies them twice more.)
        return self._mersenne_twister().randint(0, 2**32, count * BLOCK, dtype=np.uint32)

    def _take(self, count: int) -> np.ndarray:
        """The next `count` words: a view of the block in use if they are all in it, else a new array."""
        ready = self._words[self._used : self._used + count]
        self._used += ready.size
        if ready.size == count:
            return ready
        new = self._draw_blocks(-((ready.size - count) // BLOCK))  # rounded up
        missing = count - ready.size
        self._words, self._used = new[-BLOCK:], BLOCK - (new.size - missing)
        return new[:missing] if ready.size == 0 else join(ready, new, np.empty(count, np.uint32))

    def _fill(self, kernel, out: np.ndarray, words_each: int, *parameters) -> None:
        """Call `kernel(words, part, *parameters)` for parts of `out` that are small enough for the cache."""
        _check_flat(out)
        step = CHUNK // words_each
        for start in range(0, out.size, step):
            part = out[start : start + step]
            kernel(self._take(part.size * words_each), part, *parameters)

    # -- distributions ---------------------------------------------------------------------------------------
    def uniform(self, out: np.ndarray, low: float = 0.0, high: float = 1.0) -> None:
        """Fill `out` (n,), float32 or float64, with numbers in [low, high). A float64 takes two words each.

        Raises RuntimeError if low > high or high - low overflows.
        """
        check_uniform(out.dtype, low, high)
        number = out.dtype.type
        low, span = number(low), number(high) - number(low)
        with self._lock:
            self._uniform(out, low, span)

    def _uniform(self, out: np.ndarray, low, span) -> None:
        if out.dtype == np.float32:
            self._fill(uniform_float32, out, 1, low, span)
        else:
            self._fill(uniform_float64, out, 2, low, span)

    def normal(self, out: np.ndarray, mean: float = 0.0, std: float = 1.0, *, contiguous: bool = True) -> None:
        """Fill `out` (n,), float32 or float64, with normals.

        From 16 on they are made in blocks of 16; fewer, or those of a tensor that is not `contiguous`, one
        at a time from the stream of pairs. Float64 equals PyTorch's; 16 or more float32 are within 1e-6 of it.

        Raises RuntimeError if std < 0.
        """
        check_normal(out.dtype, std)
        with self._lock:
            if out.size >= SMALL and contiguous:
                self._many_normals(out, mean, std)
            else:
                self._few_normals(out, mean, std)

    def _few_normals(self, out: np.ndarray, mean: float, std: float) -> None:
        _check_flat(out)
        have_spare = self._spare is not None
        pairs = (out.size - have_spare + 1) // 2
        spare = normal_pairs(self._take(4 * pairs), out, float(mean), float(std), have_spare, self._spare or 0.0)
        if out.size:
            self._spare = None if (out.size - have_spare) % 2 == 0 else spare

    def _many_normals(self, out: np.ndarray, mean: float, std: float) -> None:
        number = out.dtype.type
        box_muller = box_muller_float32 if out.dtype == np.float32 else box_muller_float64
        self._uniform(out, number(0), number(1))
        box_muller(out, number(mean), number(std))
        if out.size % SMALL:  # a ragged end: the last 16 places get 16 new uniforms
            self._uniform(out[-SMALL:], number(0), number(1))
            box_muller(out[-SMALL:], number(mean), number(std))

    def integers(self, out: np.ndarray, low: int, high: int) -> None:
        """Fill `out` (n,), of any integer, float or bool dtype, with whole numbers in [low, high).

        Raises RuntimeError if low >= high, or if an integer `out` cannot hold low or high - 1.
        """
        check_integers(out.dtype, low, high)
        with self._lock:
            self._modulo(out, low, high - low, two_words=high - low >= WIDE_SPAN)

    def random(self, out: np.ndarray) -> None:
        """Fill `out` (n,) with whole numbers from 0 to the greatest of its dtype (float: to 2**24 or 2**53).

        This is PyTorch's `random_()`. Here the width of the dtype decides between one word and two.
        """
        with self._lock:
            self._modulo(out, 0, greatest(out.dtype) + 1, two_words=out.dtype.itemsize == 8)

    def _modulo(self, out: np.ndarray, low: int, span: int, two_words: bool) -> None:
        if two_words:
            self._fill(modulo_64, out, 2, np.uint64(span), np.int64(low))
        else:
            self._fill(modulo_32, out, 1, np.uint32(span), np.int64(low))

    def bernoulli(self, out: np.ndarray, p: float) -> None:
        """Fill `out` (n,), of any dtype, with 1 (probability `p`) and 0. Two words each, whatever the dtype.

        (PyTorch calls another library, with other numbers, on some Intel machines.) Raises RuntimeError if
        p is not in [0, 1].
        """
        check_probability(p)
        with self._lock:
            self._fill(bernoulli, out, 2, float(p))

    def exponential(self, out: np.ndarray) -> None:
        """Fill `out` (n,), float32 or float64, with exponential numbers of rate 1. Two words each."""
        check_float(out.dtype, "exponential_")
        with self._lock:
            self._fill(exponential, out, 2)

    def permutation(self, out: np.ndarray) -> None:
        """Fill `out` (n,), an integer dtype, with 0 ... n - 1 in random order. Takes n - 1 words."""
        _check_flat(out)
        with self._lock:
            shuffle(self._take(max(out.size - 1, 0)), out)


# -- checks --------------------------------------------------------------------------------------------------
def _check_flat(out: np.ndarray) -> None:
    if out.ndim != 1 or not out.flags.c_contiguous:
        raise ValueError(f"out must be flat and contiguous, got shape {out.shape}, strides {out.strides}")
