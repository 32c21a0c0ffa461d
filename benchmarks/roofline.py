"""The roofline of one core: what the machine can do at most, and how near our kernels come.

    python -m benchmarks.roofline                         # prints two tables (about ten seconds)
    python -m benchmarks.roofline --picture roofline.png  # and draws them (needs matplotlib)

The problem. "0.1 ns an element" says nothing until one knows what was possible. A loop has two prices: the bytes
that it moves and the operations that it does; and a core pays both at the same time.

The idea. With B the bandwidth of the memory (bytes/s), P the peak of the arithmetic (operations/s) and
I = operations / bytes the *arithmetic intensity* of a loop,

    attainable = min(P, I · B)            operations per second

Over I, on two logarithmic axes, that is a slope which ends in a flat part: a roof. Left of the corner at I = P / B a
loop waits for memory, right of it for arithmetic. No kernel is above the roof, and how far it is below says what is
left to gain. The bytes are those that *must* move, each operand once. Operands that lie in a cache come faster, so
there is a second, higher slope for them.

B and P are measured, with loops of our own. Bandwidth: read (a sum), copy, triad (a = b + s c), over arrays of 64 MiB
(the memory, unless the machine has an uncommonly large cache) and of 128 KiB (the second-level cache); each byte of
the program is counted once, as in STREAM (a store also reads the line that it writes, so the bus is busier than
that). B is the best of the three. Peak: 16 multiply-adds an element, over 1024 elements that stay in the first-level
cache, so that arithmetic is all that takes time. A multiply-add counts as two operations.

A roof is a maximum: the best time of several rounds is taken, and the rounds go over all rows before any row is
measured again, so that a busy second does not fall on one row alone. Everything runs on one thread.

Source: S. Williams, A. Waterman, D. Patterson, "Roofline: An Insightful Visual Performance Model for Multicore
Architectures", Communications of the ACM 52(4), 2009; J. McCalpin, "Memory Bandwidth and Machine Balance in Current
High Performance Computers", IEEE TCCA Newsletter, 1995 (STREAM).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cpu import elementwise, matmul, rows
from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.threads import get_num_threads, set_num_threads
from tinygrad_kernels.expr import trace

import tinygrad_edu as tg
from benchmarks import report

LARGE = 2**24  # elements: 64 MiB of float32, more than the caches of most machines
SMALL = 2**15  # elements: three such arrays fit into a second-level cache; a call of Python is a small part of the loop
STEPS = 16  # multiply-adds an element in the loop of the peak

# Operations for one element, counted in the source: a multiply-add is two, a selection or a shift none.
EXP, SIGMOID = 22, 25  # cpu/math_exp.py; sigmoid adds a sign, an addition, a division
SOFTMAX = EXP + 4  # the maximum, x - m, the sum, the scaling


@dataclass(frozen=True)
class Work:
    """Something to time: `run` does `flops` operations and must move `bytes` bytes, from `where`: memory or cache."""

    name: str
    run: Callable[[], Any]
    flops: float
    bytes: float
    dtype: str = "float32"
    where: str = "memory"

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.flops / self.bytes


@dataclass(frozen=True)
class Roof:
    """Bytes per second from memory and from a cache, and operations per second of one core for each dtype."""

    bandwidth: dict[str, float]
    peak: dict[str, float]

    def attainable(self, intensity: float, dtype: str = "float32", where: str = "memory") -> float:
        """The most operations per second that a loop of this intensity can do.

        >>> roof = Roof({"memory": 10e9}, {"float32": 100e9})
        >>> [roof.attainable(intensity) / 1e9 for intensity in (2.0, 50.0)]
        [20.0, 100.0]
        """
        return min(self.peak[dtype], intensity * self.bandwidth[where])


# The loops that measure the machine.


@jit(accumulate=True)
def _read(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total


@jit
def _copy(out, x):
    for i in range(out.size):
        out[i] = x[i]


@jit
def _triad(out, x, y, s):
    for i in range(out.size):
        out[i] = x[i] + s * y[i]


@jit
def _multiply_adds(x, scale, shift, repeats):
    """STEPS multiply-adds on each element, one after the other; eight elements are under way side by side.

    A multiply-add answers after some 4 cycles, and a core may start two in a cycle: with one chain at a time it would
    wait. The eight are eighths of the array, so that the loop over i can be vectorised.
    """
    n = x.size // 8
    x0, x1, x2, x3 = x[:n], x[n : 2 * n], x[2 * n : 3 * n], x[3 * n : 4 * n]
    x4, x5, x6, x7 = x[4 * n : 5 * n], x[5 * n : 6 * n], x[6 * n : 7 * n], x[7 * n : 8 * n]
    for _ in range(repeats):
        for i in range(n):
            a, b, c, d, e, f, g, h = x0[i], x1[i], x2[i], x3[i], x4[i], x5[i], x6[i], x7[i]
            for _ in range(STEPS):
                a = a * scale + shift
                b = b * scale + shift
                c = c * scale + shift
                d = d * scale + shift
                e = e * scale + shift
                f = f * scale + shift
                g = g * scale + shift
                h = h * scale + shift
            x0[i], x1[i], x2[i], x3[i], x4[i], x5[i], x6[i], x7[i] = a, b, c, d, e, f, g, h


def bandwidths(size: int, where: str) -> list[Work]:
    """read, copy and triad over `size` float32; the triad's multiply-adds take no time of their own."""
    a, b, c = (np.full(size, value, np.float32) for value in (0.0, 1.0, 2.0))
    s, repeats = np.float32(0.5), max(1, LARGE // size // 16)
    return [
        Work("read", _repeated(_read, (b,), repeats), size * repeats, 4 * size * repeats, where=where),
        Work("copy", _repeated(_copy, (a, b), repeats), 0, 8 * size * repeats, where=where),
        Work("triad", _repeated(_triad, (a, b, c, s), repeats), 2 * size * repeats, 12 * size * repeats, where=where),
    ]


def peaks(repeats: int) -> list[Work]:
    """Multiply-adds on 1024 elements, in both dtypes."""

    def peak(dtype: str) -> Work:
        x = np.full(1024, 0.5, dtype)
        scale, shift = x.dtype.type(0.5), x.dtype.type(0.25)  # 0.5 stays 0.5: nothing overflows, nothing is subnormal
        flops = 2.0 * STEPS * x.size * repeats
        run = _repeated(_multiply_adds, (x, scale, shift, repeats), 1)
        return Work("multiply-adds", run, flops, 2.0 * x.nbytes * repeats, dtype, "cache")

    return [peak("float32"), peak("float64")]


# Our kernels.


def _exp(x: Any) -> Any:
    return x.exp()


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + (-x).exp())


def _add(x: Any, y: Any) -> Any:
    return x + y


def kernels(large: int, small: int, sides: Sequence[int]) -> list[Work]:
    """Printed loops over `large` and `small` arrays, a sum, softmax over rows, products of n x n matrices."""
    x = np.random.default_rng(0).standard_normal(large, np.float32)
    y, out = x[::-1].copy(), np.empty_like(x)
    found = []
    for size, where in ((large, "memory"), (small, "cache")):
        repeats = large // size // 8 or 1
        for name, formula, flops, operands in (
            ("add", _add, 1, (x[:size], y[:size])),
            ("exp", _exp, EXP, (x[:size],)),
            ("sigmoid", _sigmoid, SIGMOID, (x[:size],)),
        ):
            names = ("x", "y")[: len(operands)]
            signature = Signature(["float32"] * len(names), ["flat"] * len(names), "float32")
            run = _repeated(
                elementwise.flat(trace(name, formula, names), signature, False), (out[:size], *operands), repeats
            )
            moved = 4.0 * size * (len(operands) + 1)
            found.append(Work(name, run, flops * size * repeats, moved * repeats, where=where))
    width = 1024
    softmax = _repeated(rows.softmax, (out, x, large // width, width), 1)
    found.append(Work(f"softmax, rows of {width}", softmax, SOFTMAX * large, 8.0 * large))
    found.append(Work("sum", tg.from_numpy(x).sum, large, 4.0 * large))
    return found + [_product(n, dtype) for dtype in ("float32", "float64") for n in sides]


def _repeated(loop: Callable, arguments: tuple[Any, ...], repeats: int) -> Callable[[], None]:
    """Many calls of a short loop, so that the clock can resolve them."""

    def run() -> None:
        for _ in range(repeats):
            loop(*arguments)

    return run


def _product(n: int, dtype: str) -> Work:
    """C = A @ B: 2 n³ operations, three matrices."""
    a, b, out = (np.full(n * n, value, dtype) for value in (0.5, 0.25, 0.0))
    repeats = 256**3 // n**3 or 1
    run = _repeated(matmul.matmul, (out, a, b, n, n, n, (0, n, 1), (0, n, 1)), repeats)
    return Work(f"matmul n = {n}", run, 2.0 * n**3 * repeats, 3.0 * a.nbytes * repeats, dtype)


# Measuring, and what is made of it.


def best_times(works: list[Work], rounds: int) -> list[float]:
    """The shortest time of each in seconds; every round goes over all of them."""
    for work in works:
        work.run()  # compiles
    best = [math.inf] * len(works)
    for _ in range(rounds):
        for k, work in enumerate(works):
            start = time.perf_counter()
            work.run()
            best[k] = min(best[k], time.perf_counter() - start)
    return best


def roof_of(works: list[Work], times: list[float]) -> Roof:
    """The roof that read, copy, triad and the multiply-adds show."""
    bandwidth: dict[str, float] = {}
    peak: dict[str, float] = {}
    for work, seconds in zip(works, times, strict=True):
        if work.name == "multiply-adds":
            peak[work.dtype] = work.flops / seconds
        else:
            bandwidth[work.where] = max(bandwidth.get(work.where, 0.0), work.bytes / seconds)
    return Roof(bandwidth, peak)


def roof_table(roof: Roof, works: list[Work], times: list[float]) -> list[str]:
    """What was measured of the machine, and where the corner of its roof is."""
    lines = []
    for work, seconds in zip(works, times, strict=True):
        if work.name == "multiply-adds":
            lines.append(f"{work.name + ', ' + work.dtype:<26} {work.flops / seconds / 1e9:>7.1f} GFLOP/s")
        else:
            lines.append(f"{work.name + ', ' + work.where:<26} {work.bytes / seconds / 1e9:>7.1f} GB/s")
    corners = (f"{roof.peak[dtype] / roof.bandwidth['memory']:.1f} for {dtype}" for dtype in roof.peak)
    return [*lines, f"corner of the roof, operations a byte from memory: {', '.join(corners)}"]


def kernel_table(roof: Roof, works: list[Work], times: list[float]) -> list[str]:
    """A line for each kernel: what it did, what the roof allows, the share of it."""
    head = f"{'kernel':<24} {'dtype':<8} {'from':<7} {'op/byte':>7} {'GB/s':>6} {'GFLOP/s':>8} {'roof':>7} {'share':>6}"
    lines = [head, "-" * len(head)]
    for work, seconds in zip(works, times, strict=True):
        speed, limit = work.flops / seconds, roof.attainable(work.intensity, work.dtype, work.where)
        what = f"{work.name:<24} {work.dtype:<8} {work.where:<7} {work.intensity:>7.2f}"
        reached = f"{work.bytes / seconds / 1e9:>6.1f} {speed / 1e9:>8.1f} {limit / 1e9:>7.1f} {speed / limit:>6.0%}"
        lines.append(f"{what} {reached}")
    return lines


def draw(path: Path, roof: Roof, works: list[Work], times: list[float]) -> None:
    """The roofs of each dtype and a dot for each kernel (a ring: from a cache), on logarithmic axes."""
    from matplotlib.figure import Figure  # only whoever draws waits for it

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    across = np.geomspace(0.05, 1000, 400)
    for dtype, color in (("float32", "tab:blue"), ("float64", "tab:red")):
        for where, style in (("memory", "-"), ("cache", "--")):
            limits = [roof.attainable(intensity, dtype, where) / 1e9 for intensity in across]
            axes.plot(across, limits, style, color=color, label=f"roof, {dtype} from {where}")
        for work, seconds in zip(works, times, strict=True):
            if work.dtype == dtype:
                place = work.intensity, work.flops / seconds / 1e9
                axes.plot(*place, "o", color=color, fillstyle="none" if work.where == "cache" else "full")
                axes.annotate(work.name, place, (6, -3), textcoords="offset points", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="operations a byte", ylabel="GFLOP/s", title=report.cpu_name())
    axes.legend(loc="lower right")
    figure.savefig(path)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline", description="The roofline of one core.")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it, as .png, .svg or .pdf")
    parser.add_argument("--rounds", type=int, default=9, help="the best of so many rounds is taken (9)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    options = parser.parse_args()
    threads = get_num_threads()
    set_num_threads(1)
    try:
        large, small, repeats, sides = (2048, 1024, 1, (8,)) if options.quick else (LARGE, SMALL, 1024, (64, 256, 1024))
        machine = [*bandwidths(large, "memory"), *bandwidths(small, "cache"), *peaks(repeats)]
        ours = kernels(large, small, sides)
        times = best_times([*machine, *ours], options.rounds)
    finally:
        set_num_threads(threads)
    about, measured = times[: len(machine)], times[len(machine) :]
    roof = roof_of(machine, about)
    print(f"{report.cpu_name()}, one thread\n")
    print("\n".join([*roof_table(roof, machine, about), "", *kernel_table(roof, ours, measured)]))
    if options.picture:
        draw(options.picture, roof, ours, measured)
        print(f"written: {options.picture}")


if __name__ == "__main__":
    main()
