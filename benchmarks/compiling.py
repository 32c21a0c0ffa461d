"""What a compiled step costs besides its time: the memory that it needs at most.

Peak memory is what a step allocates, at the moment when most of it is alive, plus what the compiled step keeps from
call to call (its arena). Parameters and the optimizer's state are there in both cases and are not counted; that
old gradients die when new ones come holds for both as well.

Source: PEP 454, tracemalloc, to which NumPy reports its arrays.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Result, Settings, Step, describe, judge, load


def peak(step: Step) -> int:
    """The most bytes that are allocated at one time during a step; the first ones warm up."""
    for i in range(3):
        step(i)
    tracemalloc.start()
    try:
        step(3)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def arena(compiled: Any) -> int:
    """The bytes that a compiled function keeps."""
    return sum(sum(session.forward.plan.sizes.values()) for _, session in compiled.sessions)


@dataclass(frozen=True)
class Memory:
    """A row that compares a compiled step with the same step run eagerly; ratios of bytes."""

    name: str
    work: str
    workload: Callable[..., Step]
    arguments: tuple
    floor: float = 1.0
    stretch: float = 0.8

    def measure(self, settings: Settings) -> Result:
        result = Result(self.name, self.work, "", self.floor, self.stretch, peer_name="eager")
        made: list[Any] = []
        try:
            m = load(settings.ours)
            eagerly = peak(self.workload(m, *self.arguments))
            step = self.workload(m, *self.arguments, make=lambda f: made.append(m.compile(f)) or made[0])
            compiled = peak(step) + arena(made[0])
        except Exception as error:  # one broken row must not take the table with it
            result.verdict, result.note = "error", describe(error)
        else:
            result.ratio = compiled / eagerly
            result.verdict = judge(result.ratio, self.floor, settings)
            result.note = f"{compiled / 1e6:.1f} MB, eagerly {eagerly / 1e6:.1f} MB"
            result.details = {"compiled": compiled, "eager": eagerly}
        return result
