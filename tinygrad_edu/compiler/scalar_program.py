"""The tape of a compiled function of Values: lines forward, then lines backward, in one row of registers.

The problem. A recorded function is a graph of expressions (expr.py), and a machine wants a list: which operation, on
what.

The idea. Each expression gets a place, operands before the operations that use them, and a line says three numbers:

    registers     w  x | g0 | 1.0 | t0  t1 | t2  t3  t4  t5        inputs, arriving gradients, constants, lines
    lines         t0 = w * x                forward, up to the results
                  t1 = tanh(t0)
                  t2 = t1 * t1              backward, up to the gradients
                  ...

Walking from the results finds what they are made of, and nothing else: what nobody uses is never written down. Walking
on, from the gradients, adds what is new: whatever backward shares with forward is in its register already.

Source: A. Ershov, On programming of arithmetic operations, CACM 1(8), 1958.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tinygrad_kernels.expr import Expr, inputs_of, render, walk

SHOWN = 40  # lines of a printed program, forward and backward each


class Program:
    """A tape for the machine of tinygrad_kernels/cpu/tape.py.

    `seeds` are the names of the gradients that arrive at `outputs`; of them, the `gradients` of inputs are made.
    """

    def __init__(
        self, name: str, inputs: list[Expr], seeds: list[Expr], outputs: list[Expr], gradients: list[Expr]
    ) -> None:
        import numpy as np
        from tinygrad_kernels.cpu.memory import maker
        from tinygrad_kernels.cpu.tape import CODES, machine

        self.name, self.machine = name, machine()
        everything = list(walk((*outputs, *gradients)))
        constants = [e for e in everything if e.op == "const"]
        lines = [e for e in everything if e.args]
        self.inputs, self.seeds = len(inputs), len(seeds)
        registers = [*inputs, *seeds, *constants, *lines]
        place = {id(e): k for k, e in enumerate(registers)}
        self.constants = [float(e.value) for e in constants]
        self.texts = [e.value for e in (*inputs, *seeds)] + [repr(e.value) for e in constants]
        self.first = len(self.texts)
        # The lines forward are the first ones, and the last of them is a result
        self.ahead = max((place[id(e)] + 1 - self.first for e in outputs if e.args), default=0)
        self.code = np.array([CODES[e.op] for e in lines], np.uint8)
        operands = [[place[id(a)] for a in e.args] + [0, 0] for e in lines]
        self.x, self.y, self.z = (np.array([o[k] for o in operands], np.uint32) for k in range(3))
        self.outputs = np.array([place[id(e)] for e in outputs], np.intp)
        self.gradients = np.array([place[id(e)] for e in gradients], np.intp)
        self.make = maker("float64", len(registers))
        self.pieces = [
            (np.uint32(self.first + lo), self.code[lo:hi], self.x[lo:hi], self.y[lo:hi], self.z[lo:hi])
            for lo, hi in ((0, self.ahead), (self.ahead, len(lines)))
        ]

    def forward(self, numbers: list[float]) -> Any:
        """The registers after the lines forward."""
        t = self.make()
        t[: self.inputs] = numbers
        t[self.inputs + self.seeds : self.first] = self.constants
        self.machine(t, *self.pieces[0])
        return t

    def results(self, t: Any) -> list[float]:
        return t[self.outputs].tolist()

    def backward(self, t: Any, arrived: dict[int, float]) -> tuple[float, ...]:
        """The gradients, for those that have arrived at the results."""
        t[self.inputs : self.inputs + self.seeds] = [arrived.get(k, 0.0) for k in range(self.seeds)]
        self.machine(t, *self.pieces[1])
        return tuple(t[self.gradients].tolist())

    def __len__(self) -> int:
        return self.code.size

    def __repr__(self) -> str:
        return "\n".join(print_program(self))


def print_program(program: Program) -> Iterator[str]:
    """The program as text, without its middle if it is long."""
    from tinygrad_kernels.cpu.tape import LINES

    operations = list(LINES)

    def text(place: int) -> str:
        return program.texts[place] if place < program.first else f"t{place - program.first}"

    def line(k: int) -> str:
        op = operations[program.code[k]]
        arity = len(inputs_of((LINES[op],)))
        operands = tuple(Expr.input(text(places[k])) for places in (program.x, program.y, program.z)[:arity])
        return f"    t{k} = {render(Expr(op, operands), pow_call=True)}"

    def listed(places: Iterable[int]) -> str:
        found = [text(k) for k in places]
        return ", ".join(found if len(found) <= 8 else [*found[:5], "...", *found[-2:]])

    def body(lo: int, hi: int) -> Iterator[str]:
        cut = hi - lo > SHOWN
        yield from map(line, range(lo, lo + SHOWN // 2 if cut else hi))
        if cut:
            yield f"    ...    {hi - lo - SHOWN:,} lines"
            yield from map(line, range(hi - SHOWN // 2, hi))

    ahead, total = program.ahead, len(program)
    yield f"# {program.name}: {program.inputs:,} inputs, {ahead:,} lines forward, {total - ahead:,} lines backward"
    yield f"forward({listed(range(program.inputs))}):"
    yield from body(0, ahead)
    yield f"    return {listed(program.outputs)}"
    if len(program.gradients):
        yield f"backward({listed(range(program.inputs, program.inputs + program.seeds))}):"
        yield from body(ahead, total)
        yield f"    return {listed(program.gradients)}"
