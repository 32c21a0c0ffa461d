"""The loops behind random.py: words of the Mersenne Twister in, numbers of a distribution out.

Each takes `words` (uint32, as drawn) and fills `out`, by the rule that PyTorch uses; random.py has the lesson and the
sources. Where a rule says one rounding, it is a fused multiply-add, written as such.
"""

from __future__ import annotations

import math

import numpy as np
from numba.extending import intrinsic

from tinygrad_kernels.cpu.jit import jit

SMALL = 16  # fewer normals than this are drawn one at a time


@intrinsic
def fma(typing_context, a, b, c):
    """a * b + c with one rounding: LLVM's `fma` (an instruction, or the C library's function without one)."""
    return a(a, a, a), lambda context, builder, signature, arguments: builder.fma(*arguments)


@jit
def join(first, second, out):
    for i in range(first.size):
        out[i] = first[i]
    for i in range(out.size - first.size):
        out[first.size + i] = second[i]
    return out


@jit
def word_64(words, i):
    return (np.uint64(words[2 * i]) << np.uint64(32)) | np.uint64(words[2 * i + 1])


@jit
def unit_float64(words, i):
    return np.float64(np.int64(word_64(words, i) & np.uint64(2**53 - 1))) * 2.0**-53


@jit
def uniform_float32(words, out, low, span):
    for i in range(out.size):
        u = np.float32(np.int32(words[i] & np.uint32(2**24 - 1))) * np.float32(2.0**-24)
        out[i] = fma(u, span, low)


@jit
def uniform_float64(words, out, low, span):
    for i in range(out.size):
        out[i] = fma(unit_float64(words, i), span, low)


@jit
def modulo_32(words, out, span, low):
    for i in range(out.size):
        out[i] = np.int64(words[i] % span) + low


@jit
def modulo_64(words, out, span, low):
    for i in range(out.size):
        out[i] = np.int64(word_64(words, i) % span) + low


@jit
def bernoulli(words, out, p):
    for i in range(out.size):
        out[i] = unit_float64(words, i) < p


@jit
def exponential(words, out):
    for i in range(out.size):
        out[i] = -math.log1p(-unit_float64(words, i))


@jit
def choose_by_weight(weights, columns, uniforms, samples, out):
    """For each row of weights, `samples` column numbers: where the running sum, as a part of its end, first is >= u."""
    running = np.empty(columns, weights.dtype)
    for row in range(weights.size // max(columns, 1)):
        total = weights[row * columns] * 0
        for j in range(columns):
            total += weights[row * columns + j]
            running[j] = total
        for j in range(columns):
            running[j] /= total
        running[columns - 1] = 1
        for i in range(row * samples, (row + 1) * samples):
            low, high = 0, columns
            while low < high:
                middle = (low + high) // 2
                if running[middle] < uniforms[i]:
                    low = middle + 1
                else:
                    high = middle
            out[i] = low


@jit
def shuffle(words, out):
    for i in range(out.size):
        out[i] = i
    for i in range(out.size - 1):
        j = i + np.int64(words[i]) % (out.size - i)
        out[i], out[j] = out[j], out[i]


@jit
def normal_pairs(words, out, mean, std, have_spare, spare):
    """Normals one at a time: the spare first, then pairs. Returns the second of the last pair (new spare)."""
    pair = 0
    for i in range(out.size):
        if have_spare:
            z = spare
        else:
            angle = 2 * math.pi * unit_float64(words, 2 * pair)
            radius = math.sqrt(-2 * math.log1p(-unit_float64(words, 2 * pair + 1)))
            z, spare = radius * math.cos(angle), radius * math.sin(angle)
            pair += 1
        have_spare = not have_spare
        out[i] = z * std + mean
    return spare


@jit
def box_muller_float64(out, mean, std):
    for block in range(0, out.size - SMALL + 1, SMALL):
        for i in range(block, block + SMALL // 2):
            radius = math.sqrt(-2 * math.log(1 - out[i]))
            angle = 2 * math.pi * out[i + SMALL // 2]
            out[i] = radius * math.cos(angle) * std + mean
            out[i + SMALL // 2] = radius * math.sin(angle) * std + mean


# Many float32 normals: log, cos and sin as polynomials in float64, so that the loop is vectorised (a scalar
# loop: 1.7 times the time of the whole fill). Their errors, below 1e-8, vanish in the rounding to float32.
@jit
def log(x):
    """log x, x > 0: x = 2**e * m with m in [sqrt(1/2), sqrt(2)), and log m = 2 atanh((m - 1) / (m + 1))."""
    bits = np.float64(x).view(np.int64)
    e = (bits - 0x3FE6A09E667F3BCD) >> 52
    m = np.int64(bits - (e << 52)).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    series = 2.0 + q * (2 / 3 + q * (2 / 5 + q * (2 / 7 + q * (2 / 9 + q * (2 / 11)))))
    return np.float64(e) * 0.6931471805599453 + s * series


@jit
def cos_sin(t):
    """cos t and sin t, t in [0, 2 pi]: t = k pi/2 + r, abs(r) <= pi/4; Taylor's series of r, k quarter turns."""
    k = np.int64(t * (2 / math.pi) + 0.5)
    r = t - np.float64(k) * (math.pi / 2)
    q = r * r
    cos = 1.0 + q * (-1 / 2 + q * (1 / 24 + q * (-1 / 720 + q * (1 / 40320 + q * (-1 / 3628800)))))
    sin = r * (1.0 + q * (-1 / 6 + q * (1 / 120 + q * (-1 / 5040 + q * (1 / 362880)))))
    x = sin if k & 1 else cos
    y = cos if k & 1 else sin
    return (-x if (k + 1) & 2 else x), (-y if k & 2 else y)


@jit
def polar_to_normal(u, v, mean, std):
    two_pi = np.float32(2 * math.pi)
    for i in range(u.size):
        radius = math.sqrt(-2.0 * log(np.float64(np.float32(1) - u[i])))
        # The angle is rounded to float32, as PyTorch does: the sine of a rounded 6.28 differs by 2e-7.
        cos, sin = cos_sin(np.float64(two_pi * v[i]))
        u[i], v[i] = radius * cos * std + mean, radius * sin * std + mean


@jit
def box_muller_float32(out, mean, std):
    # LLVM unrolls a loop over 8 elements and does not vectorise it. So 64 blocks are gathered into one loop.
    half = SMALL // 2
    u, v = np.empty(64 * half, np.float32), np.empty(64 * half, np.float32)
    for start in range(0, out.size - SMALL + 1, 64 * SMALL):
        blocks = min(64, (out.size - start) // SMALL)
        for b in range(blocks):
            for i in range(half):
                u[b * half + i] = out[start + b * SMALL + i]
                v[b * half + i] = out[start + b * SMALL + half + i]
        polar_to_normal(u[: blocks * half], v[: blocks * half], mean, std)
        for b in range(blocks):
            for i in range(half):
                out[start + b * SMALL + i] = u[b * half + i]
                out[start + b * SMALL + half + i] = v[b * half + i]
