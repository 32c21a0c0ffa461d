"""How near does device='cuda' come to what a GPU can do?

    python -m benchmarks.gpu                 # the table
    python -m benchmarks.gpu --json PATH     # and written, with the versions of driver, GPU and packages
    python -m benchmarks.gpu --quick         # tiny sizes: shows that the rows run, also in the simulator

The problem. Kernels are queued: a clock around a call measures how long queueing took. So an *event* is put into the
queue before the work and one behind it, and the GPU says how much time passed between them.

The idea. A GPU has two limits, the bytes that its memory moves and the operations that its multiprocessors do in a
second. Each row divides one of them by the time, and its floor and its stretch are shares of what an H200 can do
(4.8 TB/s, 67 TFLOP/s in float32; a copy reaches some 4.3 TB/s):

    relu, n numbers: 8 n bytes      a * b + c, two kernels: 24 n bytes      a sum: 4 n      a softmax: 8 n
    Adam: reads parameter, gradient and two means, writes all but the gradient: 28 n bytes
    product of two n x n matrices: 2 n³ operations

The table shows seconds, as that of `python -m benchmarks` does, and the rate behind them. One row is the time of the
host: how long Python takes to queue a small operation. The rest are ratios, our time over that of PyTorch on the same
card, where a PyTorch with CUDA is installed; 1.25 is 0.8 of its speed.

Source: NVIDIA, H200 data sheet; CUDA Runtime API, section 6.5 (events).
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from tinygrad_kernels.cuda import presence

import tinygrad_edu as tg
from benchmarks import report
from benchmarks.measure import Comparison, Result, Settings, Step, describe, judge
from benchmarks.training import mlp, sin_fit
from tinygrad_edu import doctor

BLOCK = 0.1  # seconds that a timed block lasts at least


# Workloads: functions of a library -------------------------------------------------------------------------------
def relu(m: Any, n: int) -> Step:
    x = m.rand(n) - 0.5
    return lambda i: (m.relu(x),)


def multiply_add(m: Any, n: int) -> Step:
    a, b, c = m.rand(n), m.rand(n), m.rand(n)
    return lambda i: (a * b + c,)


def total(m: Any, n: int) -> Step:
    x = m.rand(n)
    return lambda i: (x.sum(),)


def softmax(m: Any, rows: int, columns: int) -> Step:
    x = m.rand(rows, columns)
    return lambda i: (x.softmax(dim=1),)


def adam(m: Any, n: int) -> Step:
    weight = m.rand(n, requires_grad=True)
    weight.grad = m.rand(n)
    optimizer = m.optim.Adam([weight], fused=True)

    def step(i: int) -> Sequence[Any]:
        optimizer.step()
        return (weight,)

    return step


def matmul(m: Any, n: int) -> Step:
    """The numbers are the same on every device and in every library: results can be compared."""
    places = m.arange(n * n).reshape(n, n)
    a, b = ((places % prime).float() / prime - 0.5 for prime in (251, 241))
    return lambda i: (a @ b,)


def small_operations(m: Any, n: int = 1000) -> Step:
    x, y, z = (m.rand(n, requires_grad=True) for _ in range(3))
    return lambda i: (x * y + z,)


# Timing ----------------------------------------------------------------------------------------------------------
def on_gpu(m: Any, step: Step, repeats: int) -> float:
    """Seconds for each of some steps, by events in the queue of library `m`."""
    start, end = m.cuda.Event(enable_timing=True), m.cuda.Event(enable_timing=True)
    start.record()
    for i in range(repeats):
        step(i)
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / repeats


def on_host(m: Any, step: Step, repeats: int) -> float:
    """Seconds until each of some steps is queued."""
    m.cuda.synchronize()
    start = time.perf_counter()
    for i in range(repeats):
        step(i)
    return (time.perf_counter() - start) / repeats


def interleave(
    sides: Sequence[tuple[Any, Step]], settings: Settings, clock: Callable = on_gpu, most: int = 100_000
) -> list[tuple[float, ...]]:
    """The times of each side, a library and its step; every round times each once."""
    blocks = []
    for m, step in sides:
        first = 1 if settings.quick else 3
        on_gpu(m, step, first)  # compiles
        repeats = 1 if settings.quick else max(3, min(most, int(BLOCK / clock(m, step, first))))
        blocks.append(partial(clock, m, step, repeats))
    rounds = [[block() for block in blocks] for _ in range(settings.rounds)]
    return list(zip(*rounds, strict=True))


@contextmanager
def created_on_gpu(*libraries: Any):
    """New tensors live there meanwhile; afterwards the memory is given back."""
    for m in libraries:
        m.set_default_device("cuda")
    try:
        yield
    finally:
        for m in libraries:
            m.set_default_device("cpu")
            m.cuda.empty_cache()


# Rows ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rate:
    """A row in bytes or operations per second: `amount` of them in a step."""

    name: str
    work: str
    workload: Callable[[Any], Step]
    amount: float
    unit: str
    floor: float
    stretch: float
    tf32: bool = False

    def measure(self, settings: Settings) -> Result:
        slowest, hoped = (self.amount / (rate * 1e12) for rate in (self.floor, self.stretch))
        result = Result(self.name, self.work, "", slowest, hoped, unit="step")
        tg.backends.cuda.matmul.allow_tf32 = self.tf32
        try:
            with created_on_gpu(tg):
                (times,) = interleave([(tg, self.workload(tg))], settings)
        finally:
            tg.backends.cuda.matmul.allow_tf32 = False
        result.ours = median(times)
        rate = self.amount / result.ours / 1e12
        result.details = {self.unit: rate, "floor": self.floor, "stretch": self.stretch}
        result.note = f"{rate:.3g} {self.unit}, floor {self.floor:g}, stretch {self.stretch:g}"
        result.verdict = judge(result.ours, slowest, settings)
        return result


@dataclass(frozen=True)
class Host:
    """A row in seconds of Python for one of the `operations` of a step."""

    name: str
    work: str
    workload: Callable[[Any], Step]
    operations: int
    floor: float
    stretch: float

    def measure(self, settings: Settings) -> Result:
        with created_on_gpu(tg):
            (times,) = interleave(
                [(tg, self.workload(tg))], settings, on_host, most=400
            )  # a queue has some 1000 places
        result = Result(self.name, self.work, "", self.floor, self.stretch, unit="operation")
        result.ours = median(times) / self.operations
        result.verdict = judge(result.ours, self.floor, settings)
        return result


@dataclass(frozen=True)
class Against:
    """A row that compares with the same step of PyTorch on the same card."""

    name: str
    work: str
    workload: Callable[[Any], Step]
    floor: float
    stretch: float
    tolerance: float = 1e-5

    def measure(self, settings: Settings) -> Result:
        result = Result(self.name, self.work, "skipped", self.floor, self.stretch)
        torch = torch_with_cuda()
        if torch is None:
            result.note = "needs a PyTorch with CUDA"
            return result
        with created_on_gpu(tg, torch):
            step, peer = self.workload(tg), self.workload(torch)
            row = Comparison(self.name, self.work, self.workload, {}, self.floor, self.stretch, self.tolerance)
            row.agree({"ours": fetched(step), "torch": fetched(peer)})
            ours, theirs = interleave([(tg, step), (torch, peer)], settings)
        row.fill(result, {"ours": list(ours), "torch": list(theirs)}, settings)
        return result


def torch_with_cuda() -> Any:
    """PyTorch, if it is there and sees the GPU."""
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def fetched(step: Step) -> Step:
    """The step, its results on the host."""
    return lambda i: [result.detach().cpu() for result in step(i)]


def rows(quick: bool) -> list[Rate | Host | Against]:
    """All rows; `quick`: with few numbers."""
    n, k, side = (2**8, 2**8, 16) if quick else (2**28, 2**27, 8192)
    high, wide = (4, 32) if quick else (65536, 4096)
    product = partial(matmul, n=side)
    fit, net = (partial(sin_fit, points=16), partial(mlp, sizes=(8, 4, 3), batch=4)) if quick else (sin_fit, mlp)
    return [
        Rate("relu", f"relu, {n:,} float32", partial(relu, n=n), 8 * n, "TB/s", 4.0, 4.25),
        Rate("multiply_add", f"a * b + c, {n:,} float32", partial(multiply_add, n=n), 24 * n, "TB/s", 4.0, 4.25),
        Rate("sum", f"sum of {n:,} float32", partial(total, n=n), 4 * n, "TB/s", 4.0, 4.4),
        Rate("softmax", f"softmax of rows, {high} x {wide}", partial(softmax, rows=high, columns=wide),
             8 * high * wide, "TB/s", 3.7, 4.1),
        Rate("adam", f"Adam, {k:,} parameters", partial(adam, n=k), 28 * k, "TB/s", 3.9, 4.2),
        Rate("matmul", f"float32 matmul, n = {side}", product, 2 * side**3, "TFLOP/s", 45, 54),
        Rate("matmul_tf32", f"TF32 matmul, n = {side}", product, 2 * side**3, "TFLOP/s", 120, 220, tf32=True),
        Host("small_op", "x * y + z on 1000, host time of an operation", small_operations, 2, 8e-6, 5e-6),
        Against("matmul_torch", f"float32 matmul, n = {side}", product, 1.25, 1.075, 1e-4),
        Against("sin_fit", "sin fit, a step", fit, 1.0, 0.8, 1e-4),
        Against("mlp", "MLP 784-128-10, batch 64, a step", net, 1.0, 0.8, 1e-4),
    ]  # fmt: skip


def machine() -> dict[str, Any]:
    """What `python -m benchmarks` says of the machine, and what there is of CUDA."""
    about = report.machine()
    about["versions"]["numba-cuda"] = report.version("numba-cuda")
    return about | {"gpu": {name: found for name, found in doctor.gpu() if name}, "device": tg.cuda.get_device_name()}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="What our kernels reach on a GPU.")
    parser.add_argument("--rounds", type=int, default=9, help="a row reports the median of so many rounds (9)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the rows run, measures nothing")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results to this file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 if there is nothing to measure, or a row was wrong or crashed."""
    options = parse(arguments)
    if reason := presence.missing():
        print(f"There is no GPU to measure: {reason}.")
        return 1
    if presence.SIMULATED and not options.quick:
        print("The simulator's times say nothing of a GPU: --quick shows that the rows run.")
        return 1
    settings, about = Settings(options.rounds, 1, options.quick), machine()
    found = "; ".join(f"{name}: {value}" for name, value in about["gpu"].items())
    print(f"{about['device']}; {found}{report.heading(about, 1)}", flush=True)
    results = []
    for row in rows(options.quick):
        try:
            results.append(row.measure(settings))
        except Exception as error:  # one broken row must not take the table with it
            results.append(Result(row.name, row.work, "error", note=describe(error)))
        print(report.line(results[-1]), flush=True)
    print(report.summary(results))
    if options.json:
        report.write(options.json, about, datetime.date.today().isoformat(), [report.table(results, 1)])
        print(f"written: {options.json}")
    return int(any(result.verdict == "error" for result in results))


if __name__ == "__main__":
    sys.exit(main())
