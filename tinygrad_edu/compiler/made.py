"""A program made ready to run: the passes, a place for each value, a function, and what makes buffers for results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .capture import Captured, device_of, worth
from .describe import step_text
from .early import compute_early
from .emission import Emission
from .endings import end_products
from .fusion import fuse
from .parts import see_through_parts
from .passes import drop_dead, forward_copies, share, spread_constants
from .planning import plan_memory
from .program import Program
from .recompute import recompute
from .remember import most_memory, remember_less
from .zeros import leave_zeros_out


class Made:
    """A program made ready to run: `run(arguments..., results..., numbers...)`, and `fresh()` results for it."""

    def __init__(self, program: Program, arguments: int, numbers: list[str]) -> None:
        self.before = (len(program.steps), program.bytes_moved())
        self.recorded = [step_text(step) for step in program.steps]
        given, eagerly = list(program.results), most_memory(program, ahead=False)[0]
        optimize(program)
        remember_less(program, eagerly)
        end_products(program)
        first = {v: k for k, v in reversed(list(enumerate(program.results)))}
        self.slot = {old: first[new] for old, new in zip(given, program.results, strict=True)}  # of results, by value
        self.program = program
        self.plan = plan_memory(program)
        device = device_of(program)
        captured = device is not None and worth(program)
        self.emission = Emission(program, self.plan, in_memory=captured)
        self.text = self.emission.source(arguments, numbers)
        self.run: Callable[..., Any]
        self.fresh: Callable[[], list[Any]]
        self.makers: list[Callable[[], Any]] | None = None  # of the results, where each is on its own
        if captured:
            self.run = run = Captured(program, self.emission, device, arguments, numbers)
            self.fresh = run.fresh
            return
        namespace = dict(self.emission.names)
        exec(compile(self.text, "<compiled program>", "exec"), namespace)
        self.run = namespace["replay"]
        self.makers = makers = [v.kind.backend.maker(v.dtype, v.size) for v in program.results]
        self.fresh = lambda: [make() for make in makers]


def optimize(program: Program) -> None:
    """All passes, in order."""
    drop_dead(program)
    forward_copies(program)
    share(program)
    spread_constants(program)
    leave_zeros_out(program)
    see_through_parts(program)
    drop_dead(program)
    fuse(program)
    recompute(program)
    compute_early(program)
    drop_dead(program)
