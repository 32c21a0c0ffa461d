"""Recurrent layers on the GPU: two launches for each step of time, a product and one for everything else.

    RNN     h' = tanh(a + u)                                     a = W_ih x,   u = W_hh h,   each with its bias
    LSTM    c' = f c + i g,     h' = o tanh c'                   i, f, o = σ(a + u),  g = tanh(a + u)
    GRU     h' = n + z (h - n)                                   r, z = σ(a + u),     n = tanh(a + r u)

The problem. Step t needs the state of step t - 1, of all threads; and blocks of a GPU can wait for each other only by
ending. So a step is at least one launch, and what a launch costs, a few microseconds, is what there is to save. As
operations on tensors a step of an LSTM is some fifteen launches.

The idea. Two are left. W_hh h is a matrix product (matmul.py). All that comes after it, biases, σ, tanh and the
new state, needs for one feature of one sequence only the three or four gates of that feature: a thread takes one.

    u ◀── product ── h(t-1)            step: thread (sequence, j) reads a[k, j], u[k, j] of each gate k, and c(t-1)
                                             writes the gates over a, and c(t), h(t)

Backward goes the same way from the end, δ being the cotangent of a + u, G that of the outputs:

    back: thread (sequence, j)         dh = past + product + G         past: what has gone past the gates of step t + 1
          writes δ[k, j], past         δ = dh · derivatives of the step
    product ◀── δ W_hh

All that needs no state (W_ih x, and the gradients of x and of the weights) is a product over all steps at once, before
and after. Shapes and names are those of ../cpu/recurrent.py.

Sources: S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997; K. Cho et al., Learning
phrase representations using RNN encoder-decoder, EMNLP 2014; J. Appleyard, T. Kociský, P. Blunsom, Optimizing
performance of recurrent neural networks on GPUs, 2016 (arXiv:1604.01946).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba

from . import math, memory
from .device import cuda
from .elementwise import fill
from .jit import Kernel, blocks_for, device, kernel
from .matmul import batched_matmul

GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}
THREADS = 128  # a step is small: more blocks, rather


@cache
def functions(dtype: str) -> tuple[Any, Any]:
    """σ and tanh."""
    T, exp = getattr(numba, dtype), getattr(math, f"exp_{dtype}")

    @device
    def sigmoid(x):
        return T(1) / (T(1) + exp(-x))

    return sigmoid, getattr(math, f"tanh_{dtype}")


# One step: a (N, gates, H) holds W_ih x and takes the gates, u is W_hh h; h, s are the new states, h0, s0 the old ones.


@cache
def step(cell: str, dtype: str) -> Kernel:
    sigmoid, tanh = functions(dtype)
    T = getattr(numba, dtype)
    signature = kernel(", ".join([f"{dtype}*"] * 8) + ", int64, int64")

    @device
    def gate(a, u, b_ih, b_hh, at, j):
        return (a[at] + b_ih[j]) + (u[at] + b_hh[j])

    if cell == "tanh":

        @signature
        def tanh_step(a, u, b_ih, b_hh, h, h0, s, s0, size, n):
            i = cuda.grid(1)
            if i < size:
                value = tanh(gate(a, u, b_ih, b_hh, i, i % n))
                a[i], h[i] = value, value

        return tanh_step

    if cell == "relu":

        @signature
        def relu_step(a, u, b_ih, b_hh, h, h0, s, s0, size, n):
            i = cuda.grid(1)
            if i < size:
                value = gate(a, u, b_ih, b_hh, i, i % n)
                a[i] = value
                h[i] = T(0) if value <= T(0) else value  # nan stays

        return relu_step

    if cell == "lstm":

        @signature
        def lstm_step(a, u, b_ih, b_hh, h, h0, c, c0, size, n):
            i = cuda.grid(1)
            if i < size:
                j = i % n
                at = (i - j) * 4 + j
                enter = sigmoid(gate(a, u, b_ih, b_hh, at, j))
                forget = sigmoid(gate(a, u, b_ih, b_hh, at + n, n + j))
                new = tanh(gate(a, u, b_ih, b_hh, at + 2 * n, 2 * n + j))
                leave = sigmoid(gate(a, u, b_ih, b_hh, at + 3 * n, 3 * n + j))
                a[at], a[at + n], a[at + 2 * n], a[at + 3 * n] = enter, forget, new, leave
                kept = forget * c0[i] + enter * new
                c[i], h[i] = kept, leave * tanh(kept)

        return lstm_step

    @signature
    def gru_step(a, u, b_ih, b_hh, h, h0, q, q0, size, n):
        i = cuda.grid(1)
        if i < size:
            j = i % n
            at = (i - j) * 3 + j
            r = sigmoid(gate(a, u, b_ih, b_hh, at, j))
            z = sigmoid(gate(a, u, b_ih, b_hh, at + n, n + j))
            of_state = u[at + 2 * n] + b_hh[2 * n + j]
            new = tanh(a[at + 2 * n] + (b_ih[2 * n + j] + r * of_state))
            a[at], a[at + n], a[at + 2 * n] = r, z, new
            q[i], h[i] = of_state, new + z * (h0[i] - new)

    return gru_step


# The same backward: dh and product add up to the cotangent of h, with g (where `outer` is 1), that of the outputs; dh
# takes what of it goes past the gates. d is δ; du that of u, where it is another.


@cache
def back(cell: str, dtype: str) -> Kernel:
    _, tanh = functions(dtype)
    T = getattr(numba, dtype)
    signature = kernel(", ".join([f"{dtype}*"] * 11) + ", int64, int64, int64")

    @device
    def arriving(dh, product, g, outer, i):
        total = dh[i] + product[i]
        return total + g[i] if outer > 0 else total

    if cell == "tanh":

        @signature
        def tanh_back(d, du, dh, ds, product, g, a, h, h0, s, s0, outer, size, n):
            i = cuda.grid(1)
            if i < size:
                d[i] = arriving(dh, product, g, outer, i) * (T(1) - h[i] * h[i])
                dh[i] = T(0)

        return tanh_back

    if cell == "relu":

        @signature
        def relu_back(d, du, dh, ds, product, g, a, h, h0, s, s0, outer, size, n):
            i = cuda.grid(1)
            if i < size:
                d[i] = T(0) if h[i] <= T(0) else arriving(dh, product, g, outer, i)
                dh[i] = T(0)

        return relu_back

    if cell == "lstm":

        @signature
        def lstm_back(d, du, dh, dc, product, g, a, h, h0, c, c0, outer, size, n):
            i = cuda.grid(1)
            if i < size:
                j = i % n
                at = (i - j) * 4 + j
                enter, forget, new, leave = a[at], a[at + n], a[at + 2 * n], a[at + 3 * n]
                on_h, t = arriving(dh, product, g, outer, i), tanh(c[i])
                on_c = dc[i] + on_h * leave * (T(1) - t * t)
                d[at] = on_c * new * enter * (T(1) - enter)
                d[at + n] = on_c * c0[i] * forget * (T(1) - forget)
                d[at + 2 * n] = on_c * enter * (T(1) - new * new)
                d[at + 3 * n] = on_h * t * leave * (T(1) - leave)
                dc[i], dh[i] = on_c * forget, T(0)

        return lstm_back

    @signature
    def gru_back(d, du, dh, ds, product, g, a, h, h0, q, q0, outer, size, n):
        i = cuda.grid(1)
        if i < size:
            j = i % n
            at = (i - j) * 3 + j
            r, z, new = a[at], a[at + n], a[at + 2 * n]
            on_h = arriving(dh, product, g, outer, i)
            on_z = on_h * (h0[i] - new) * z * (T(1) - z)
            on_new = on_h * (T(1) - z) * (T(1) - new * new)
            on_r = on_new * q[i] * r * (T(1) - r)
            d[at], d[at + n], d[at + 2 * n] = on_r, on_z, on_new
            du[at], du[at + n], du[at + 2 * n] = on_r, on_z, on_new * r
            dh[i] = on_h * z

    return gru_back


@cache
def add(dtype: str) -> Kernel:
    @kernel(f"{dtype}*, {dtype}*, int64")
    def add(x, y, n):
        i = cuda.grid(1)
        if i < n:
            x[i] = x[i] + y[i]

    return add


def steps_of(buffer: Any, size: int) -> list[Any]:
    """A buffer as one for each step; unused ones are all the same."""
    return [buffer[at : at + size] for at in range(0, buffer.size, size)]


# The interface.


def recurrent(
    cell: str, hs: Any, states: Any, gates: Any, weight: Any, b_ih: Any, b_hh: Any, sizes: tuple[int, int, int],
    reverse: bool,
) -> None:  # fmt: skip
    """Run a layer of 'tanh', 'relu', 'lstm' or 'gru' cells; sizes = (T, N, H), flat buffers as described above.

    `weight` is W_hh (gates * H, H). The first state must be in hs (and, of an LSTM, in `states`), with `reverse` at the
    back. For 'tanh' and 'relu' `states` is not used: pass hs.
    """
    (steps, batch, n), dtype = sizes, hs.dtype
    size, wide = batch * n, GATES[cell] * n
    if not size:
        return
    u, run, blocks = memory.empty(batch * wide, dtype), step(cell, dtype.name), blocks_for(size, THREADS)
    all_h, all_s, all_gates = steps_of(hs, size), steps_of(states, size), steps_of(gates, batch * wide)
    for now in reversed(range(steps)) if reverse else range(steps):
        before, after = (now + 1, now) if reverse else (now, now + 1)
        batched_matmul(u, all_h[before], weight, 1, batch, wide, n, 0, (0, n, 1), 0, (0, 1, n))
        run(blocks, THREADS, all_gates[now], u, b_ih, b_hh, all_h[after], all_h[before], all_s[after], all_s[before],
            size, n)  # fmt: skip


def recurrent_backward(
    cell: str, d: Any, du: Any, dh: Any, ds: Any, g: Any, hs: Any, states: Any, gates: Any, weight: Any,
    sizes: tuple[int, int, int], reverse: bool,
) -> None:  # fmt: skip
    """The cotangents δ of the gates, d and du (T, N, gates * H): the same buffer, save for the GRU.

    g (T, N, H) is the cotangent of all outputs (or empty); dh and ds (N, H) are, on entry, those of the last states, on
    exit those of the first ones. hs, states and gates are as `recurrent` has left them.
    """
    (steps, batch, n), dtype = sizes, hs.dtype
    size, wide = batch * n, GATES[cell] * n
    if not size:
        return
    run, blocks, outer = back(cell, dtype.name), blocks_for(size, THREADS), int(g.size > 0)
    all_h, all_s = steps_of(hs, size), steps_of(states, size)
    all_g = steps_of(g, size) or [g] * steps
    all_gates, all_d, all_du = (steps_of(x, batch * wide) for x in (gates, d, du))
    product = memory.empty(size, dtype)
    fill(product, 0.0)
    for now in range(steps) if reverse else reversed(range(steps)):
        before, after = (now + 1, now) if reverse else (now, now + 1)
        run(blocks, THREADS, all_d[now], all_du[now], dh, ds, product, all_g[now], all_gates[now], all_h[after],
            all_h[before], all_s[after], all_s[before], outer, size, n)  # fmt: skip
        batched_matmul(product, all_du[now], weight, 1, batch, n, wide, 0, (0, wide, 1), 0, (0, n, 1))
    add(dtype.name)(blocks, THREADS, dh, product, size)
