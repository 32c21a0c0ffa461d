"""The rows of the table, with their bars.

`floor` is what a row must reach, `stretch` what it hopes to: ratios of our time to the peer's, or seconds
for the rows that have no peer. They were set from measurements on two Zen 5 cores before the library was
written, so a row that misses its floor is a finding, not a reason to change the number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from benchmarks.arrays import (
    Matmul,
    broadcast,
    cross_entropy,
    elementwise,
    layer_norm,
    numpy_reduction,
    reduction,
    residual_block,
    softmax,
)
from benchmarks.compiling import Memory
from benchmarks.measure import Build, Comparison, Result, Settings, Step
from benchmarks.networks import cnn
from benchmarks.recurrent import lstm
from benchmarks.scalars import Chain, compiled_moons, scalar_moons, tensor_chain, value_chain
from benchmarks.startup import FIRST_COMPILED, FIRST_EXAMPLE, FIRST_GPT, IMPORT, TENSOR, Startup
from benchmarks.training import adam, mlp, moons, sin_fit, small_graph
from benchmarks.transformer import gpt


class Row(Protocol):
    """Something that can be measured."""

    @property
    def name(self) -> str: ...

    def measure(self, settings: Settings) -> Result: ...


def bind(workload: Callable[..., Step], *arguments: Any) -> Build:
    """The workload with its sizes fixed: a function of the library alone."""
    return lambda m: workload(m, *arguments)


def against_torch(
    name: str,
    work: str,
    floor: float,
    stretch: float,
    workload: Callable[..., Step],
    *arguments: Any,
    **options: Any,
) -> Comparison:
    """A row whose only peer is PyTorch, running the same function."""
    build = bind(workload, *arguments)
    return Comparison(name, work, build, {"torch": build}, floor, stretch, **options)


def training_rows(quick: bool) -> list[Row]:
    """Whole training steps, and the smallest graph."""
    points, moon_points = (50, 10) if quick else (2000, 100)
    sizes, batch = ((20, 8, 4), 5) if quick else ((784, 128, 10), 64)
    count = 1000 if quick else 1_000_000
    layers, width, heads, context, examples = sizes_of_gpt = (1, 16, 2, 8, 2) if quick else (4, 128, 4, 64, 16)
    lstm_sizes = (3, 4, 5) if quick else (32, 32, 64)
    digits = (3, 8) if quick else (64, 28)
    return [
        against_torch("sin_fit", f"sin fit, {points} points, step", 0.6, 0.4, sin_fit, points),
        against_torch("moons", f"moons 2-16-16-1, {moon_points} points, step", 0.7, 0.5, moons, moon_points),
        against_torch("mlp", f"MLP {sizes[0]}-{sizes[1]}-{sizes[2]}, batch {batch}, step", 1.0, 0.8, mlp, sizes, batch),
        against_torch("cnn", f"CNN 8-16, {digits[0]} x {digits[1]} x {digits[1]}, step", 1.0, 0.6, cnn, *digits),
        against_torch("adam", f"Adam step, {count:,} parameters", 0.8, 0.5, adam, count),
        against_torch("lstm", "LSTM 64, 32 steps of 32, f+b", 1.0, 0.8, lstm, *lstm_sizes, tolerance=1e-4),
        against_torch("gpt", f"GPT {layers} x {width}, context {context}, step", 1.0, 0.7, gpt, *sizes_of_gpt),
        against_torch("small_op", "(a * b).sum().backward(), 8 elements", 0.5, 0.33, small_graph),
    ]


def compiled_rows(quick: bool) -> list[Row]:
    """The same training steps through `compile`, against PyTorch's eager ones."""
    points, moon_points = (50, 10) if quick else (2000, 100)
    sizes, batch = ((20, 8, 4), 5) if quick else ((784, 128, 10), 64)
    sizes_of_gpt = (1, 16, 2, 8, 2) if quick else (4, 128, 4, 64, 16)
    digits, rows = ((3, 8), (20, 10)) if quick else ((64, 28), (20_000, 1_000))
    return [
        compiled("sin_fit_compiled", f"sin fit, {points} points, compiled", 0.05, 0.02, sin_fit, points),
        compiled("moons_compiled", f"moons, {moon_points} points, compiled", 0.15, 0.05, moons, moon_points),
        compiled("mlp_compiled", f"MLP {sizes[0]}-{sizes[1]}-{sizes[2]}, compiled", 0.7, 0.5, mlp, sizes, batch),
        compiled("cnn_compiled", f"CNN 8-16, {digits[0]} images, compiled", 1.0, 0.6, cnn, *digits),
        compiled("block_compiled", f"x + norm(gelu(x)) of {rows}, compiled", 0.4, 0.25, residual_block, rows),
        compiled("gpt_compiled", "GPT step, compiled", 0.8, 0.6, gpt, *sizes_of_gpt),
        Memory("gpt_compiled_memory", "GPT step, compiled: peak memory", gpt, sizes_of_gpt),
    ]


def compiled(
    name: str, work: str, floor: float, stretch: float, workload: Callable[..., Step], *arguments: Any
) -> Comparison:
    """A row of a compiled step whose peer is PyTorch, running the same function eagerly."""
    peers = {"torch": bind(workload, *arguments)}
    return Comparison(name, work, lambda m: workload(m, *arguments, make=m.compile), peers, floor, stretch)


def scalar_rows(quick: bool) -> list[Row]:
    """Graphs of single numbers, and the long chains."""
    points, length = (5, 2000) if quick else (100, 1_000_000)
    build, compiled = bind(scalar_moons, points), bind(compiled_moons, points)
    micrograd = {"micrograd": build}
    title = f"moons on Value, {points} points"
    bars = (1e-6, 0.5e-6)
    return [
        Comparison("scalar_moons", title, build, micrograd, 0.25, 0.1, 1e-9),
        Comparison("scalar_moons_nogc", f"{title}, collector off", build, micrograd, 0.8, 0.6, 1e-9, collector=False),
        Comparison("scalar_moons_compiled", f"{title}, compiled", compiled, micrograd, 0.01, 0.005, 1e-9),
        Chain("chain_add", f"backward of {length:,} y = y + 1", tensor_chain, plus_one, length, *bars, "torch"),
        Chain("chain_mul", f"backward of {length:,} y = y * -1", tensor_chain, flip, length, *bars, "torch"),
        Chain("chain_value", f"backward of {length:,} Value + 1", value_chain, plus_one, length, *bars),
    ]


def plus_one(y: Any) -> Any:
    """The cheapest node: its backward hands the gradient on."""
    return y + 1.0


def flip(y: Any) -> Any:
    """A node that computes something in its backward pass, exactly."""
    return y * -1.0


def elementwise_rows(quick: bool) -> list[Row]:
    """Large elementwise functions, forward and backward."""
    size = 1000 if quick else 20_000_000
    functions: dict[str, Callable[[Any], Callable]] = {
        "sigmoid": lambda m: m.sigmoid,
        "tanh": lambda m: m.tanh,
        "exp": lambda m: m.exp,
        "relu": lambda m: m.relu,
        "gelu": lambda m: m.nn.functional.gelu,
    }
    return [
        against_torch(f"large_{name}", f"{name}, {size:,}, f+b", 0.4, 0.25, elementwise, function, size)
        for name, function in functions.items()
    ]


def reduction_rows(quick: bool) -> list[Row]:
    """Large reductions over everything, over each row and over each column, against the best of two peers."""
    shape = (20, 50) if quick else (20_000, 1000)
    size = shape[0] * shape[1]
    rows: list[Row] = []
    for dim, title, floor, stretch in (
        (None, f"of {size:,}", 1.1, 0.95),
        (1, f"of each row of {shape[0]:,} x {shape[1]:,}", 1.0, 0.85),
        (0, f"of each column of {shape[0]:,} x {shape[1]:,}", 1.0, 0.85),
    ):
        for function in ("sum", "mean", "amax"):
            arguments = (function, dim, shape if dim is not None else (size,))
            build, with_numpy = bind(reduction, *arguments), bind(numpy_reduction, *arguments)
            name = f"{function.removeprefix('a')}{'' if dim is None else '_rows' if dim else '_columns'}"
            peers = {"torch": build, "numpy": with_numpy}
            work = f"{function.removeprefix('a')} {title}"
            rows.append(Comparison(f"reduce_{name}", work, build, peers, floor, stretch, 3e-5))
    return rows


def matrix_rows(quick: bool) -> list[Row]:
    """Broadcast gradients, the row-wise operations, and matmul."""
    wide, tall = ((8, 16), (16, 32)) if quick else ((4096, 1024), (8192, 1024))
    title = f"{tall[0]} x {tall[1]}, f+b"
    rows: list[Row] = [
        against_torch("broadcast", f"x * row + row, {wide[0]} x {wide[1]}, f+b", 0.8, 0.4, broadcast, wide),
        against_torch("softmax", f"softmax, {title}", 0.6, 0.45, softmax, tall),
        against_torch("layer_norm", f"layer norm, {title}", 0.6, 0.45, layer_norm, tall, tolerance=1e-4),
        against_torch("cross_entropy", f"cross-entropy, {title}", 0.6, 0.45, cross_entropy, tall),
    ]
    sizes: Sequence[int] = (8, 16) if quick else (32, 64, 128, 256, 512, 1024, 2048)
    for dtype, label in ((np.float32, "float32"), (np.float64, "float64")):
        for form, formula in (("nn", "a @ b"), ("nt", "a @ b.t()"), ("tn", "a.t() @ b")):
            work = f"{formula}, {label}, n = {sizes[0]} ... {sizes[-1]}"
            rows.append(Matmul(f"matmul_{label}_{form}", work, form, dtype, sizes, 1.0, 0.9))
    return rows


def startup_rows() -> list[Row]:
    """Fresh processes; seconds, no peer."""
    example = "first example (import, first sin fit step)"
    return [
        Startup("import", "import tinygrad_edu", IMPORT, 0.4, 0.25),
        Startup("import_tensor", "import tinygrad_edu, then a tensor", TENSOR, 0.4, 0.25),
        Startup("first_cold", f"{example}, cold", FIRST_EXAMPLE, 3.0, 2.0, "cold"),
        Startup("first_warm", f"{example}, warm", FIRST_EXAMPLE, 0.8, 0.5, "warm"),
        Startup("compiled_cold", "first call of the compiled sin fit, cold", FIRST_COMPILED, 3.0, 2.0, "cold"),
        Startup("compiled_warm", "first call of the compiled sin fit, warm", FIRST_COMPILED, 0.5, 0.3, "warm"),
        Startup("compiled_gpt_warm", "first call of the compiled GPT step, warm", FIRST_GPT, 4.0, 2.0, "warm"),
    ]


def all_rows(quick: bool) -> list[Row]:
    """Every row, in the order of the table."""
    return [
        *training_rows(quick),
        *compiled_rows(quick),
        *scalar_rows(quick),
        *elementwise_rows(quick),
        *reduction_rows(quick),
        *matrix_rows(quick),
        *startup_rows(),
    ]
