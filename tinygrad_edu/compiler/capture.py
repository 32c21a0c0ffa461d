"""The replay of a program on a GPU: one launch for all of its kernels.

The problem. What the compiler has left of a small training step are ten kernels, and each is done sooner than it is
launched, which takes some 3 µs.

The idea. The driver can write down what is queued and queue it again with one call (tinygrad_kernels/cuda/graphs.py).
It writes down addresses and numbers too, so whatever changes from replay to replay gets a place that stays:

    arguments     are copied to their places before
    numbers       of optimizers are sent to the device; kernels read them there
    results       are made in one block, of which a copy leaves

Not every line can be written down: one that asks the GPU something, or that draws random numbers, has to be called. So
the first replay runs line by line, the second one watches which lines those are, and the third writes the others down,
each row of neighbours as a graph.

When does it pay? A launch saved is worth what the GPU could copy meanwhile (`worth`): a program with large arguments
and few kernels stays as it is.

Source: A. Gray, Getting started with CUDA graphs, NVIDIA technical blog, 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby
from types import CodeType
from typing import Any

import numpy as np
from tinygrad_kernels import precision

from .. import dtypes
from .emission import Emission
from .memory import part
from .program import Call, Program, Value

LAUNCH_SECONDS = 3e-6  # of host time
BYTES_PER_SECOND = 4e12  # that a large GPU reads and writes
ALIGN = 512  # bytes: what the places of results begin at


def device_of(program: Program) -> Any:
    """The one GPU on which all of a program runs, or None."""
    devices = {v.kind.device for step in program.steps for v in (*step.reads(), *step.made)}
    return next(iter(devices)) if len(devices) == 1 and all(d.type == "cuda" for d in devices) else None


def worth(program: Program) -> bool:
    """Is it worth copying arguments and results to save launches?"""
    moved = {v.memory: v.nbytes for step in program.steps for v in step.reads() if is_argument(v)}
    copied = 2 * (sum(moved.values()) + sum(v.nbytes for v in program.results))
    return len(program.steps) > 1 and copied < len(program.steps) * LAUNCH_SECONDS * BYTES_PER_SECOND


def is_argument(v: Value) -> bool:
    return v.memory is not None and isinstance(v.memory.home, int)


class Captured:
    """replay(*arguments, *results, *numbers), in a few launches."""

    def __init__(self, program: Program, emission: Emission, device: Any, arguments: int, numbers: list[str]) -> None:
        from tinygrad_kernels.cuda.memory import send, whole_block  # (not loaded where there is no GPU)

        self.send, self.whole_block = send, whole_block
        self.arguments = arguments
        self.places: dict[int, Any] = {}  # of the arguments that the program uses
        self.changed: set[int] = set()
        for step in program.steps:
            for v in (*step.reads(), *step.made):
                if is_argument(v):
                    k = v.memory.home
                    if k not in self.places:
                        self.places[k] = v.kind.empty(v.memory.size)
                    if v in step.made:
                        self.changed.add(k)
        self.results: list[tuple] = []  # (kind, byte at which it begins, size)
        total = 0
        for v in program.results:
            self.results.append((v.kind, total, v.size))
            total += -(-v.nbytes // ALIGN) * ALIGN
        byte = dtypes.kind_of(dtypes.uint8, device)
        self.nbytes, self.make_block = total, byte.empty
        self.block = byte.empty(total)
        self.names: dict[str, Any] = dict(emission.names)
        self.names |= {f"a{k}": place for k, place in self.places.items()}
        self.names |= {f"r{k}": result for k, result in enumerate(self.cut(self.block))}
        self.sent: list[tuple] = []  # (buffer, dtype, which numbers)
        for dtype in sorted(set(emission.numbers.values())):
            which = [k for k, name in enumerate(numbers) if emission.numbers.get(name) == dtype]
            buffer = dtypes.kind_of(dtypes.BY_NAME[dtype], device).empty(len(which))
            self.sent.append((buffer, dtype, which))
            self.names |= {numbers[k]: buffer[at : at + 1] for at, k in enumerate(which)}
        self.lines: list[CodeType] = [compile(line, "<compiled program>", "eval") for line in emission.lines]
        self.acts = [isinstance(s, Call) and (not s.pure or bool(s.checks)) for s in program.steps]
        self.replays = 0
        self.allowed = precision.allow_tf32
        self.parts: list[Callable[[], Any]] = []

    def cut(self, block: Any) -> list[Any]:
        """The results, in a block of bytes."""
        return [part(block, kind, offset, size) for kind, offset, size in self.results]

    def fresh(self) -> list[Any]:
        """New buffers for the results: parts of one block."""
        return self.cut(self.make_block(self.nbytes)) if self.results else []

    def __call__(self, *given: Any) -> None:
        end = self.arguments + len(self.results)
        for k, place in self.places.items():
            place[:] = given[k]
        for buffer, dtype, which in self.sent:
            self.send(buffer, np.array([given[end + k] for k in which], dtype))
        self.replay()
        for k in self.changed:
            given[k][:] = self.places[k]
        if self.results:
            self.whole_block(given[self.arguments].block, self.block.dtype, self.nbytes)[:] = self.block

    def replay(self) -> None:
        """The program, on its places."""
        if self.allowed != precision.allow_tf32:  # other kernels will be asked for
            self.allowed, self.replays = precision.allow_tf32, 0
        if self.replays > 2:
            for queue in self.parts:
                queue()
            return
        if self.replays == 0:
            call(self.lines, self.names)
        elif self.replays == 1:
            self.watch()
        else:
            self.parts = self.written_down()
            for queue in self.parts:
                queue()
        self.replays += 1  # not if something was raised

    def watch(self) -> None:
        """Run it, and note which lines ask the GPU something, or send it something."""
        from tinygrad_kernels.cuda.memory import crossings

        self.calls = list(self.acts)
        for k, line in enumerate(self.lines):
            before = crossings.count
            call([line], self.names)
            if crossings.count != before:
                self.calls[k] = True

    def written_down(self) -> list[Callable[[], Any]]:
        """The program as a list of calls: graphs of neighbouring lines, and the lines that cannot be in one."""
        from tinygrad_kernels.cuda.graphs import Graph

        names, parts = self.names, list[Callable[[], Any]]()
        for is_call, group in groupby(zip(self.calls, self.lines, strict=True), key=lambda pair: pair[0]):
            lines = [line for _, line in group]
            if is_call or len(lines) == 1:
                parts += [partial(call, [line], names) for line in lines]
            else:
                parts.append(Graph(partial(call, lines, names)).launch)
        return parts

    def __str__(self) -> str:
        """How it is queued, for the description of the program."""
        if not self.parts:
            return "queued kernel by kernel: the third replay writes graphs down"
        graphs = sum(not isinstance(queue, partial) for queue in self.parts)
        return f"queued in {len(self.parts)}: graphs {graphs}, single calls {len(self.parts) - graphs}"


def call(lines: list[CodeType], names: dict[str, Any]) -> None:
    for line in lines:
        eval(line, names)
