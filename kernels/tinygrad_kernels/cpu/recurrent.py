"""Recurrent layers: one pass through time forward, one backward.

The problem. A recurrent layer reads a sequence x_1 ... x_T and keeps a state h; every step needs the one before it:

    RNN     h' = tanh(a + u)                                     a = W_ih x + b_ih,   u = W_hh h + b_hh
    LSTM    c' = f c + i g,     h' = o tanh c'                   i, f, o = σ(a + u),  g = tanh(a + u)
    GRU     h' = n + z (h - n)                                   r, z = σ(a + u),     n = tanh(a + r u)

Step by step, in operations on tensors, that is some ten kernels and nodes a step, each over a few thousand numbers.

The idea. W_ih x needs no state, so it is one product for all steps, done before. What is left stays in one loop over
time: W_hh is packed once, as the tiles of a matrix product read it (matmul.py), and each step is a small product and
one pass over the gates. Backward is the same in reverse, "through time": with δ the cotangent of a + u (the gates
before their functions), and G that of the output,

    dh_t = G_t + δ_{t+1} W_hh  (+ what goes past the gates)        δ_t = dh_t · (derivatives of the step)

and since all δ are kept, the gradients of x and of the weights are products over all steps at once, done afterwards.

Shapes, for T steps, N sequences, H features and 1, 4 or 3 gates: gates (T, N, gates · H), on entry W_ih x, on exit
the values of the gates; hs (T + 1, N, H) all states, the first one included: at the front, or, for a layer that reads
from the end, at the back. `states` is like hs: c of the LSTM, or u of the GRU's gate n.

Sequences do not meet, so threads share out the N rows; what is done to a row does not depend on who does it.

The loops are short and many on purpose: before a loop is vectorised it must be clear that its arrays do not overlap,
and the compiler gives up at more than a few pairs of them.

Sources: S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997; K. Cho et al., Learning
phrase representations using RNN encoder-decoder, EMNLP 2014; P. Werbos, Backpropagation through time, 1990.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import prange
from numba.extending import overload
from numpy import float32, ndarray

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math import exp_float32, exp_float64, tanh_float32, tanh_float64
from tinygrad_kernels.cpu.matmul import THREADS_FROM, _pack
from tinygrad_kernels.cpu.matmul_blocks import ROWS, VECTOR_BYTES, VECTORS, tile
from tinygrad_kernels.cpu.threads import parallel

GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}
CHUNK = 16  # sequences that a thread takes at a time


# One number: `_sigmoid` and `_tanh` choose by dtype, Numba at compile time.


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + (exp_float32(-x) if x.dtype == float32 else exp_float64(-x)))


def _tanh(x: Any) -> Any:
    return tanh_float32(x) if x.dtype == float32 else tanh_float64(x)


@overload(_sigmoid)
def _choose_sigmoid(x):
    if x == numba.float32:
        return lambda x: float32(1) / (float32(1) + exp_float32(-x))
    return lambda x: 1.0 / (1.0 + exp_float64(-x))


@overload(_tanh)
def _choose_tanh(x):
    return (lambda x: tanh_float32(x)) if x == numba.float32 else (lambda x: tanh_float64(x))


# One step, of all sequences: a (N, gates, H) holds the gates, u is W_hh h; h, s are the new states, h0, s0 the old.


@jit
def _add(a, u, b_ih, b_hh, gates):
    """a + u with both biases, for the first gates."""
    for i in range(a.shape[0]):
        for k in range(gates):
            for j in range(a.shape[2]):
                a[i, k, j] = (a[i, k, j] + b_ih[k, j]) + (u[i, k, j] + b_hh[k, j])


@jit
def _sigmoids(a, first, last):
    for i in range(a.shape[0]):
        for k in range(first, last):
            for j in range(a.shape[2]):
                a[i, k, j] = _sigmoid(a[i, k, j])


@jit
def _tanhs(a, k):
    for i in range(a.shape[0]):
        for j in range(a.shape[2]):
            a[i, k, j] = _tanh(a[i, k, j])


@jit
def _tanh_step(a, u, b_ih, b_hh, h, h0, s, s0):
    _add(a, u, b_ih, b_hh, 1)
    _tanhs(a, 0)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[i, j] = a[i, 0, j]


@jit
def _relu_step(a, u, b_ih, b_hh, h, h0, s, s0):
    _add(a, u, b_ih, b_hh, 1)
    zero = a.dtype.type(0)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[i, j] = zero if a[i, 0, j] <= zero else a[i, 0, j]  # nan stays


@jit
def _lstm_step(a, u, b_ih, b_hh, h, h0, c, c0):
    """The gates are i, f, g, o."""
    _add(a, u, b_ih, b_hh, 4)
    _sigmoids(a, 0, 2)
    _tanhs(a, 2)
    _sigmoids(a, 3, 4)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            c[i, j] = a[i, 1, j] * c0[i, j] + a[i, 0, j] * a[i, 2, j]
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[i, j] = a[i, 3, j] * _tanh(c[i, j])


@jit
def _gru_step(a, u, b_ih, b_hh, h, h0, q, q0):
    """The gates are r, z, n."""
    _add(a, u, b_ih, b_hh, 2)
    _sigmoids(a, 0, 2)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            q[i, j] = u[i, 2, j] + b_hh[2, j]
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            a[i, 2, j] += b_ih[2, j] + a[i, 0, j] * q[i, j]
    _tanhs(a, 2)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            h[i, j] = a[i, 2, j] + a[i, 1, j] * (h0[i, j] - a[i, 2, j])


# The same backward: from dh to δ (and δu, that of u, where it is another), and to what of dh goes past the gates.


@jit
def _tanh_back(d, du, dh, ds, a, h, h0, s, s0, scratch):
    one = h.dtype.type(1)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 0, j] = dh[i, j] * (one - h[i, j] * h[i, j])
    dh[:] = 0


@jit
def _relu_back(d, du, dh, ds, a, h, h0, s, s0, scratch):
    zero = h.dtype.type(0)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 0, j] = zero if h[i, j] <= zero else dh[i, j]
    dh[:] = 0


@jit
def _lstm_back(d, du, dh, dc, a, h, h0, c, c0, t):
    one = h.dtype.type(1)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            t[i, j] = _tanh(c[i, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            dc[i, j] += dh[i, j] * a[i, 3, j] * (one - t[i, j] * t[i, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 3, j] = dh[i, j] * t[i, j] * a[i, 3, j] * (one - a[i, 3, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 0, j] = dc[i, j] * a[i, 2, j] * a[i, 0, j] * (one - a[i, 0, j])
            d[i, 2, j] = dc[i, j] * a[i, 0, j] * (one - a[i, 2, j] * a[i, 2, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 1, j] = dc[i, j] * c0[i, j] * a[i, 1, j] * (one - a[i, 1, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            dc[i, j] *= a[i, 1, j]
    dh[:] = 0


@jit
def _gru_back(d, du, dh, ds, a, h, h0, q, q0, scratch):
    one = h.dtype.type(1)
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 1, j] = dh[i, j] * (h0[i, j] - a[i, 2, j]) * a[i, 1, j] * (one - a[i, 1, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 2, j] = dh[i, j] * (one - a[i, 1, j]) * (one - a[i, 2, j] * a[i, 2, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            d[i, 0, j] = d[i, 2, j] * q[i, j] * a[i, 0, j] * (one - a[i, 0, j])
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            du[i, 0, j], du[i, 1, j] = d[i, 0, j], d[i, 1, j]
            du[i, 2, j] = d[i, 2, j] * a[i, 0, j]
    for i in range(h.shape[0]):
        for j in range(h.shape[1]):
            dh[i, j] *= a[i, 1, j]


# The product of each step, with one matrix that stays: A B, or C + A B, for B packed once.


@jit
def _pack_once(panels, b, across, along, n, k):
    """Copy B (k, n) into panels as wide as a tile; B[p, j] is b[p * along + j * across]. Returns where they begin."""
    panels[:] = 0
    line = -np.int64(panels.ctypes.data) % 64 // panels.itemsize
    _pack(panels, line, np.int64(VECTORS * VECTOR_BYTES // panels.itemsize), b, np.int64(0), across, along, n, k)
    return line


@jit
def _product(c, c_at, first, a, a_at, panels, line, m, n, k):
    """C (m, n) = A B, or C += A B where not `first`; A (m, k) and C are contiguous."""
    lanes = VECTOR_BYTES // c.itemsize
    width = VECTORS * lanes
    for j in range(0, n, width):
        at, columns = line + j * k, n - j
        for i in range(0, m, ROWS):
            row, left, below = c_at + i * n + j, a_at + i * k, m - i
            if columns > 2 * lanes:
                tile(3, c, row, n, below, columns, first, a, left, k, 1, panels, at, width, k, False, 0, 0, 0)
            elif columns > lanes:
                tile(2, c, row, n, below, columns, first, a, left, k, 1, panels, at, width, k, False, 0, 0, 0)
            else:
                tile(1, c, row, n, below, columns, first, a, left, k, 1, panels, at, width, k, False, 0, 0, 0)


# All steps.


@cache
def _through_time(cell: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """The functions that run one step after another, forward and backward, for the sequences lo ... hi."""
    step, back = STEPS[cell]

    @jit
    def some(lo, hi, sizes, hs, states, gates, b_ih, b_hh, panels):
        steps, now, turn, line = sizes
        n, wide = hs.shape[2], gates.shape[2] * gates.shape[3]
        u = np.empty((hi - lo, gates.shape[2], n), hs.dtype)
        for _ in range(steps):
            before, after = (now, now + 1) if turn > 0 else (now + 1, now)
            _product(u, 0, True, hs, (before * hs.shape[1] + lo) * n, panels, line, hi - lo, wide, n)
            h, h0, s, s0 = hs[after, lo:hi], hs[before, lo:hi], states[after, lo:hi], states[before, lo:hi]
            step(gates[now, lo:hi], u, b_ih, b_hh, h, h0, s, s0)
            now += turn

    @jit
    def some_back(lo, hi, sizes, d, du, dh, ds, g, hs, states, gates, panels):
        steps, now, turn, line = sizes
        batch, n, wide = hs.shape[1], hs.shape[2], gates.shape[2] * gates.shape[3]
        arriving, other, scratch = dh[lo:hi], ds[lo:hi], np.empty((hi - lo, n), hs.dtype)
        for _ in range(steps):
            before, after = (now, now + 1) if turn > 0 else (now + 1, now)
            if g.size > 0:
                for i in range(lo, hi):
                    for j in range(n):
                        dh[i, j] += g[now, i, j]
            h, h0, s, s0 = hs[after, lo:hi], hs[before, lo:hi], states[after, lo:hi], states[before, lo:hi]
            back(d[now, lo:hi], du[now, lo:hi], arriving, other, gates[now, lo:hi], h, h0, s, s0, scratch)
            _product(dh, lo * n, False, du, (now * batch + lo) * wide, panels, line, hi - lo, n, wide)
            now -= turn

    return _shared_out(some), _shared_out(some_back)


def _shared_out(some: Any) -> Callable[..., None]:
    """(batch, big, sizes, *arrays): all sequences at once, or, if `big`, in chunks that threads share out."""

    @jit
    def in_turn(batch, sizes, *arrays):
        some(0, batch, sizes, *arrays)

    @jit(parallel=True)
    def divided(batch, sizes, *arrays):
        for c in prange((batch + CHUNK - 1) // CHUNK):
            some(c * CHUNK, min((c + 1) * CHUNK, batch), sizes, *arrays)

    large = parallel(divided, in_turn)

    def call(batch: int, big: bool, sizes: tuple[int, ...], *arrays: Any) -> None:
        (large if big else in_turn)(batch, sizes, *arrays)

    return call


STEPS = {
    "tanh": (_tanh_step, _tanh_back),
    "relu": (_relu_step, _relu_back),
    "lstm": (_lstm_step, _lstm_back),
    "gru": (_gru_step, _gru_back),
}


# The interface.


def recurrent(
    cell: str,
    hs: ndarray,
    states: ndarray,
    gates: ndarray,
    weight: ndarray,
    b_ih: ndarray,
    b_hh: ndarray,
    sizes: tuple[int, int, int],
    reverse: bool,
) -> None:
    """Run a layer of 'tanh', 'relu', 'lstm' or 'gru' cells; sizes = (T, N, H), flat arrays as described above.

    `weight` is W_hh (gates * H, H). The first state must be in hs (and, of an LSTM, in `states`), with `reverse` at the
    back. For 'tanh' and 'relu' `states` is not used: pass hs.

    >>> hs, gates = np.zeros(3), np.array([1.0, 2.0])  # h = relu(x + 10 h)
    >>> recurrent("relu", hs, hs, gates, np.array([10.0]), np.zeros(1), np.zeros(1), (2, 1, 1), False)
    >>> hs.tolist()
    [0.0, 1.0, 12.0]
    """
    (steps, batch, n), count = sizes, GATES[cell]
    if batch == 0:
        return
    panels, line = _packed(weight, n, 1, count * n, n)
    now, turn = (steps - 1, -1) if reverse else (0, 1)
    all_h, all_s = hs.reshape(-1, batch, n), states.reshape(-1, batch, n)
    arrays = all_h, all_s, gates.reshape(steps, batch, count, n), b_ih.reshape(count, n), b_hh.reshape(count, n)
    _through_time(cell)[0](batch, _big(gates.size, batch, n), (steps, now, turn, line), *arrays, panels)


def recurrent_backward(
    cell: str,
    d: ndarray,
    du: ndarray,
    dh: ndarray,
    ds: ndarray,
    g: ndarray,
    hs: ndarray,
    states: ndarray,
    gates: ndarray,
    weight: ndarray,
    sizes: tuple[int, int, int],
    reverse: bool,
) -> None:
    """The cotangents δ of the gates, d and du (T, N, gates * H): the same array, save for the GRU.

    g (T, N, H) is the cotangent of all outputs (or empty); dh and ds (N, H) are, on entry, those of the last states, on
    exit those of the first ones. hs, states and gates are as `recurrent` has left them.
    """
    (steps, batch, n), count = sizes, GATES[cell]
    if batch == 0:
        return
    panels, line = _packed(weight, 1, n, n, count * n)
    now, turn = (0, -1) if reverse else (steps - 1, 1)
    shape = (steps, batch, count, n)
    last = [x.reshape(batch, n) for x in (dh, ds)]
    rest = [x.reshape(-1, batch, n) for x in (g, hs, states)]
    arrays = d.reshape(shape), du.reshape(shape), *last, *rest, gates.reshape(shape)
    _through_time(cell)[1](batch, _big(gates.size, batch, n), (steps, now, turn, line), *arrays, panels)


def _big(gates: int, batch: int, n: int) -> bool:
    return batch > CHUNK and gates * n >= THREADS_FROM


def _packed(weight: ndarray, across: int, along: int, n: int, k: int) -> tuple[ndarray, int]:
    width = VECTORS * VECTOR_BYTES // weight.itemsize
    panels = np.empty((n + 2 * width) * k, weight.dtype)
    return panels, _pack_once(panels, weight, across, along, n, k)
