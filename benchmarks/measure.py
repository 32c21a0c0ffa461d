"""Timing two programs fairly on a machine that is not quiet.

The problem: on a shared machine the same loop takes 1.0 ms now and 1.6 ms a second later, so a time alone
means nothing, and "ours, then theirs" compares two different moments. What does survive is the *ratio* of
two times taken side by side. One round therefore times every side once, one right after the other, and a
row reports

    ratio = median over rounds of (our time in this round / the peer's time in this round).

Seven habits make a round fair:

1. *Steps change their input.* A step gets its number `i` and picks its data with it, so nothing can be
   cached.
2. *Same results.* Before any timing all sides run the same first steps from the same state, and their
   results must agree: a fast wrong answer is an error, not a ratio.
3. *Blocks.* A step of 20 µs is repeated until a block lasts some 40 ms, which the clock resolves well.
4. *Rest, then warm up.* Every library keeps its worker threads spinning for some milliseconds after a
   parallel loop, on the cores that the next side needs. So each block starts with a rest, in which the
   workers fall asleep, and a few untimed steps, which wake the right ones and fill the caches.
5. *Clean collector.* Garbage left by one side is collected before the next is timed, outside the clock.
6. *Alternating order.* Odd rounds run the sides backwards, so being first is nobody's advantage.
7. *Say when the machine was busy.* Two threads that wait for each other on two cores become hundreds of times
   slower (measured: a small matmul) when another program takes one of the cores. What the others used
   meanwhile is reported beside the row; such a row should be measured again.

Source: T. Kalibera and R. Jones, "Rigorous Benchmarking in Reasonable Time", 2013.
"""

from __future__ import annotations

import gc
import importlib
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import numpy as np

Step = Callable[[int], Sequence[Any]]  # runs step number i, returns what must agree with the other side
Build = Callable[[Any], Step]  # takes a library (a module), prepares the data, returns the step

# A peer: the module that a workload gets, and how to install it.
PEERS = {
    "torch": ("torch", "pip install torch==2.13.0"),
    "numpy": ("numpy", "pip install numpy"),
    "micrograd": ("micrograd.engine", "pip install micrograd"),
}

# What a library raises that does not have an operation yet; anything else is a mistake in it.
NOT_THERE_YET = (AttributeError, NotImplementedError, ImportError)


class WrongResult(Exception):
    """Ours and the peer's disagree about the result of the same step."""


class Others:
    """How much of a core all other programs have used since this object was made (Linux only, else 0).

    The first line of `/proc/stat` counts, in ticks, what all cores did: user, nice, system, idle, iowait,
    irq, softirq, steal (taken by the hypervisor). All but the two idle ones, less our own, is the others'.
    """

    def __init__(self) -> None:
        self.start, self.busy = time.perf_counter(), self.ticks()

    @staticmethod
    def ticks() -> float:
        """Busy seconds of all cores since the machine started, less this process's and its children's."""
        try:
            counts = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
        except (OSError, ValueError):
            return 0.0
        own = os.times()
        busy = sum(counts) - counts[3] - counts[4]
        return busy / os.sysconf("SC_CLK_TCK") - (own.user + own.system + own.children_user + own.children_system)

    def cores(self) -> float:
        """The average number of cores that others kept busy; 0 over a time too short for ticks to tell."""
        elapsed = time.perf_counter() - self.start
        return (self.ticks() - self.busy) / elapsed if elapsed > 0.5 else 0.0


@dataclass(frozen=True)
class Settings:
    """What the command line chose."""

    rounds: int = 9
    threads: int = 1
    quick: bool = False
    ours: str = "tinygrad_edu"

    @property
    def block(self) -> float:
        """Seconds that one timed block lasts at least."""
        return 0.001 if self.quick else 0.04

    @property
    def rest(self) -> float:
        """Seconds of silence before a block: OpenBLAS's workers spin longest, about 25 ms."""
        return 0.0 if self.quick else 0.03


@dataclass
class Result:
    """One row of the table. Times are in seconds, per step or per `unit`.

    `verdict` is "ok" or "miss" (within the floor or not), "measured" (too small to judge), "skipped" (no
    peer is installed), "absent" (the library cannot do this yet) or "error" (wrong result, or it crashed).
    """

    name: str
    work: str
    verdict: str
    floor: float | None = None
    stretch: float | None = None
    ours: float | None = None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    spread: tuple[float, float] | None = None  # quartiles of the ratio over the rounds
    others: float = 0.0  # cores that other programs kept busy meanwhile
    unit: str = ""  # "" = floor and stretch are ratios; else they are seconds per this unit
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def load(name: str) -> ModuleType:
    """Import the library `name` together with the submodules that workloads reach through it."""
    module = importlib.import_module(name)
    if name in ("torch", "tinygrad_edu"):
        for part in ("nn", "nn.functional", "optim"):
            try:
                importlib.import_module(f"{name}.{part}")
            except ModuleNotFoundError:
                pass  # a workload that needs it raises AttributeError, and its row says so
    return module


def load_peers(names: Sequence[str]) -> tuple[dict[str, ModuleType], str]:
    """The installed ones among `names`, and a hint on how to install the others."""
    found, hints = {}, []
    for name in names:
        module, hint = PEERS[name]
        try:
            found[name] = load(module)
        except ModuleNotFoundError:
            hints.append(hint)
    return found, "; ".join(hints)


def judge(value: float, floor: float, settings: Settings) -> str:
    """The verdict on a measured ratio (or time)."""
    if settings.quick:
        return "measured"
    return "ok" if value <= floor else "miss"


def as_array(value: Any) -> np.ndarray:
    """A tensor of either library, an array or a number, as float64 (or longer) NumPy values."""
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    return np.asarray(value, dtype=np.float64)


def check(ours: Sequence[Any], peers: Sequence[Any], tolerance: float) -> None:
    """Raise `WrongResult` unless each result agrees: max |ours - peer| <= tolerance * max |peer|."""
    if len(ours) != len(peers):
        raise WrongResult(f"{len(ours)} results instead of {len(peers)}")
    for k, (mine, theirs) in enumerate(zip(ours, peers, strict=True)):
        a, b = as_array(mine), as_array(theirs)
        if a.shape != b.shape:
            raise WrongResult(f"result {k} has shape {a.shape} instead of {b.shape}")
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            raise WrongResult(f"result {k} is not finite")
        error, scale = float(np.abs(a - b).max(initial=0.0)), float(np.abs(b).max(initial=0.0))
        if error > tolerance * scale:
            raise WrongResult(f"result {k} is off by {error:.2g} where the largest value is {scale:.2g}")


class Side:
    """One of the programs that are compared: its step, and how many steps it has run."""

    def __init__(self, step: Step):
        self.step = step
        self.count = 0
        self.repeats = 1

    def run(self, repeats: int) -> float:
        """Run `repeats` steps; seconds per step."""
        step, first = self.step, self.count
        start = time.perf_counter()
        for i in range(first, first + repeats):
            step(i)
        elapsed = time.perf_counter() - start
        self.count += repeats
        return elapsed / repeats

    def calibrate(self, seconds: float) -> float:
        """Choose `repeats` so that a block lasts about `seconds`; the time of one block."""
        repeats = 1
        while (each := self.run(repeats)) * repeats < seconds / 4:
            repeats *= 4
        self.repeats = max(1, math.ceil(seconds / each))
        return each * self.repeats

    def block(self, settings: Settings, collector: bool) -> float:
        """One rested, warmed-up, timed block; seconds per step."""
        if not settings.quick:
            gc.collect()
            time.sleep(settings.rest)
        if not collector:
            gc.disable()
        try:
            self.run(math.ceil(self.repeats / 8))
            return self.run(self.repeats)
        finally:
            gc.enable()


def interleave(steps: dict[str, Step], settings: Settings, collector: bool = True) -> dict[str, list[float]]:
    """Time all `steps` in alternation: for each of them one time per round, in seconds per step."""
    sides = {name: Side(step) for name, step in steps.items()}
    cost = 1.2 * sum(side.calibrate(settings.block) for side in sides.values())
    rounds = min(settings.rounds, max(3, int(15 / cost)))  # slow rows: fewer rounds, never less than a median of 3
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            times[name].append(sides[name].block(settings, collector))
    return times


@dataclass(frozen=True)
class Comparison:
    """A row that compares our step with the same step of each peer, and reports the fastest peer."""

    name: str
    work: str
    build: Build
    peers: dict[str, Build]
    floor: float
    stretch: float
    tolerance: float = 1e-5
    collector: bool = True

    def measure(self, settings: Settings) -> Result:
        result = Result(self.name, self.work, "", self.floor, self.stretch)
        modules, hint = load_peers(list(self.peers))
        if not modules:
            result.verdict, result.note = "skipped", hint
            return result
        steps = {name: self.peers[name](module) for name, module in modules.items()}
        try:
            steps = {"ours": self.build(load(settings.ours))} | steps
            self.agree(steps)
            times = interleave(steps, settings, self.collector)
        except NOT_THERE_YET as error:
            result.verdict, result.note = "absent", describe(error)
        except Exception as error:  # one broken row must not take the table with it
            result.verdict, result.note = "error", describe(error)
        else:
            self.fill(result, times, settings)
            result.note = f"{hint} for the other peer" if hint else ""
        return result

    def agree(self, steps: dict[str, Step]) -> None:
        """Run the first three steps everywhere (this compiles, too) and compare the last results."""
        results = {name: [step(i) for i in range(3)][-1] for name, step in steps.items()}
        ours = results.pop("ours")
        for name, theirs in results.items():
            try:
                check(ours, theirs, self.tolerance)
            except WrongResult as error:
                raise WrongResult(f"{error} ({name})") from None

    def fill(self, result: Result, times: dict[str, list[float]], settings: Settings) -> None:
        """Turn the times of all rounds into a ratio against the peer with the lowest median."""
        best = min((name for name in times if name != "ours"), key=lambda name: median(times[name]))
        ratios = [mine / theirs for mine, theirs in zip(times["ours"], times[best], strict=True)]
        result.ours, result.peer, result.peer_name = median(times["ours"]), median(times[best]), best
        result.ratio = median(ratios)
        result.spread = (float(np.quantile(ratios, 0.25)), float(np.quantile(ratios, 0.75)))
        result.verdict = judge(result.ratio, self.floor, settings)
        result.details = {f"{name} seconds": median(values) for name, values in times.items()}


def describe(error: Exception) -> str:
    """The error's type and the first line of its message, short enough for a table."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:100]
