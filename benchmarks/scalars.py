"""Graphs of single numbers, and very long graphs.

The moons again, this time on scalar `Value`s as micrograd does it: a step builds some 90,000 nodes, walks
them back and throws them away, so it measures what a node costs in Python. Whether Python's cyclic garbage
collector runs matters as much as the arithmetic: micrograd's closures make reference cycles, which only the
collector can free, so the row is measured with the collector on and off. A third row compiles the loss.

The chains, a million nodes one after the other, show two things: the time per node of the backward pass,
and that it needs no recursion.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.measure import (
    NOT_THERE_YET,
    Result,
    Settings,
    Step,
    WrongResult,
    as_array,
    describe,
    judge,
    load,
    load_peers,
)
from benchmarks.training import VARIANTS, moons_weights, two_moons


def scalar_moons(m: Any, points: int = 100, wrap: Callable[[Callable], Callable] = lambda function: function) -> Step:
    """Forward and backward of the network 2-16-16-1 on `m.Value`s; hinge loss and L2 penalty, no update.

    The loss is computed by `wrap(function)`.
    """
    value = m.Value
    nothing = value(0.0).grad  # what a fresh Value holds as its gradient
    arrays = moons_weights()
    layers = [
        ([[value(w) for w in column] for column in weights.T.tolist()], [value(b) for b in bias.tolist()])
        for weights, bias in zip(arrays[::2], arrays[1::2], strict=True)
    ]
    weights = [p for columns, biases in layers for p in [*sum(columns, []), *biases]]
    data = [[array.tolist() for array in two_moons(points, seed)] for seed in range(VARIANTS)]

    def network(row: list[float]) -> Any:
        activations = [value(x) for x in row]
        for depth, (columns, biases) in enumerate(layers):
            sums = [sum((w * x for w, x in zip(column, activations, strict=True)), bias)
                    for column, bias in zip(columns, biases, strict=True)]  # fmt: skip
            activations = [s.relu() for s in sums] if depth < len(layers) - 1 else sums
        return activations[0]

    @wrap
    def loss_of(rows: list[list[float]], labels: list[float]) -> Any:
        losses = [(1 + -label * network(row)).relu() for row, label in zip(rows, labels, strict=True)]
        return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in weights)

    def step(i: int) -> Sequence[Any]:
        for p in weights:
            p.grad = nothing
        loss = loss_of(*data[i % VARIANTS])
        loss.backward()
        return loss.data, [p.grad for p in weights]

    return step


def compiled_moons(m: Any, points: int = 100) -> Step:
    """The same with a compiled loss: recorded in the first step, which is not timed."""
    from tinygrad_edu.compiler.scalars import compile_values

    return scalar_moons(m, points, compile_values)


def tensor_chain(m: Any, operation: Callable[[Any], Any], length: int) -> tuple[Any, Any]:
    """A leaf of 8 elements and the sum of what `length` operations in a row make of it."""
    leaf = m.tensor(np.ones(8, np.float32), requires_grad=True)
    y = leaf
    for _ in range(length):
        y = operation(y)
    return leaf, y.sum()


def value_chain(m: Any, operation: Callable[[Any], Any], length: int) -> tuple[Any, Any]:
    """The same for one scalar `Value`."""
    leaf = y = m.Value(1.0)
    for _ in range(length):
        y = operation(y)
    return leaf, y


@dataclass(frozen=True)
class Chain:
    """A row that times only the backward pass of a long chain, in seconds per node; the peer's has a tenth as many."""

    name: str
    work: str
    build: Callable[[Any, Callable[[Any], Any], int], tuple[Any, Any]]
    operation: Callable[[Any], Any]  # a step of the chain whose derivative is 1 or -1: the result is then exact
    length: int
    floor: float
    stretch: float
    peer: str = ""  # shown beside ours; the floor is a time, not a ratio

    def measure(self, settings: Settings) -> Result:
        result = Result(self.name, self.work, "", self.floor, self.stretch, unit="node")
        modules, result.note = load_peers([self.peer] if self.peer else [])
        try:
            sides = {"ours": load(settings.ours)} | modules
            for module in sides.values():
                self.backward(module, 100)  # warm up: this compiles what the chain needs
            times: dict[str, list[float]] = {name: [] for name in sides}
            for _ in range(min(settings.rounds, 3)):
                for name, module in sides.items():
                    length = self.length if name == "ours" else max(1, self.length // 10)
                    times[name].append(self.backward(module, length))
        except NOT_THERE_YET as error:
            result.verdict, result.note = "absent", describe(error)
        except Exception as error:  # one broken row must not take the table with it
            result.verdict, result.note = "error", describe(error)
        else:
            result.ours = median(times["ours"])
            result.verdict = judge(result.ours, self.floor, settings)
            if self.peer in times:
                result.peer, result.peer_name = median(times[self.peer]), self.peer
                result.ratio = median(a / b for a, b in zip(times["ours"], times[self.peer], strict=True))
        return result

    def backward(self, module: Any, length: int) -> float:
        """Build the chain (collector off: it would walk the nodes again and again), then time `backward`."""
        gc.collect()
        gc.disable()
        try:
            leaf, out = self.build(module, self.operation, length)
        finally:
            gc.enable()
        gc.collect()
        start = time.perf_counter()
        out.backward()
        elapsed = time.perf_counter() - start
        if not (np.abs(as_array(leaf.grad)) == 1).all():
            raise WrongResult("the gradient of the chain is not 1")
        return elapsed / length
