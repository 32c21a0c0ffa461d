"""What a recording is made of: values, and the steps that compute them.

The problem. While a program runs eagerly, the memory of a tensor is overwritten, looked at through views, handed out
again. To reorder or merge its steps one has to know which of them needs which numbers, not which memory.

The idea. A *value* is what a piece of memory holds between two writes. It is computed by one step and never changes:
a write makes a new value. (This is static single assignment: in it, two equal expressions over equal values are
equal.) There are three kinds of step:

    Loop     for every place of a shape: values ← formulas of operands          elementwise work, copies, updates
    Fold     the sum (maximum, ...) of a formula over rows or columns            reductions
    Call     a kernel that was written by hand, with its arguments               matrix products, softmax, ...

A loop's operands are *accesses*: a value, where in it to begin, and a stride for each axis of the loop. Each distinct
access has a name, and formulas are expressions (tinygrad_kernels/expr.py) over these names. So two steps
that compute the same thing from the same values hold the very same expression.

Source: R. Cytron et al., Efficiently computing static single assignment form and the control dependence graph, ACM
TOPLAS 13(4), 1991.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

from tinygrad_kernels.expr import Expr, Formula, inputs_of

Shape = tuple[int, ...]


class Value:
    """What a piece of memory holds between two writes.

    `memory` is where it must lie: a buffer from outside the recording, or None where the compiler may choose. `before`
    is the value that it was made from by changing a part of it, in the same memory.
    """

    __slots__ = ("number", "size", "dtype", "kind", "memory", "before", "step")

    def __init__(self, number: int, size: int, kind: Any, memory: Any = None, before: Value | None = None) -> None:
        self.number, self.size, self.kind, self.memory, self.before = number, size, kind, memory, before
        self.dtype: str = kind.dtype.name
        self.step: Step | None = None  # that computes it; None for what was there at the start

    @property
    def nbytes(self) -> int:
        return self.size * self.kind.dtype.itemsize

    def __repr__(self) -> str:
        return f"{'v' if self.step else 'm'}{self.number}"


class Access(NamedTuple):
    """How a loop reads a value: element `offset + Σ index * stride`."""

    value: Value
    offset: int
    strides: Shape


class Number(NamedTuple):
    """A number that is asked for before each replay: the k-th of an optimizer's update."""

    update: int
    k: int


class Names:
    """The name of each distinct access: the same for the same elements in the same order."""

    def __init__(self) -> None:
        self.known: dict[tuple, str] = {}

    def of(self, access: Access, shape: Shape) -> str:
        merged: list[tuple[int, int]] = []  # (size, stride) of the axes, those that follow each other made one
        for n, s in zip(shape, access.strides, strict=True):
            if n == 1:
                continue
            if merged and merged[-1][1] == n * s:
                merged[-1] = (merged[-1][0] * n, s)
            else:
                merged.append((n, s))
        key = (access.value.number, access.offset, tuple(merged))
        return self.known.setdefault(key, f"x{len(self.known)}")


class Piece(NamedTuple):
    """What a Call gets of a value: `size` elements, from `offset` on."""

    value: Value
    offset: int
    size: int


class Step:
    """One step of a program: it reads values and makes values."""

    made: list[Value]

    def reads(self) -> Iterator[Value]:
        raise NotImplementedError


class Loop(Step):
    """For every place of `shape`: made[k] ← outputs[k], in dtype `compute`. Results are contiguous.

    `operands` are the accesses (and numbers) by name. Where `target` is set, the one result is stored there, in a part
    of the memory of made[0].before.
    """

    def __init__(
        self, shape: Shape, operands: dict[str, Any], outputs: list[Expr], made: list[Value], compute: str,
        target: Access | None = None,
    ) -> None:  # fmt: skip
        self.shape, self.operands, self.outputs, self.made, self.compute = shape, operands, outputs, made, compute
        self.target = target

    def reads(self) -> Iterator[Value]:
        yield from (a.value for a in self.operands.values() if isinstance(a, Access))
        if self.target is not None:
            yield self.target.value

    def prune(self) -> None:
        """Forget operands that no output asks for."""
        used = inputs_of(tuple(self.outputs))
        self.operands = {name: a for name, a in self.operands.items() if name in used}


class Fold(Loop):
    """made[0] ← the formula, reduced by `op` over an axis of `shape` and divided by `divisor`.

    `shape` is (kept, reduced) for rows, (outer, reduced, kept) for columns.
    """

    def __init__(
        self, shape: Shape, operands: dict[str, Any], outputs: list[Expr], made: list[Value], compute: str,
        op: str, divisors: list[float],
    ) -> None:  # fmt: skip
        super().__init__(shape, operands, outputs, made, compute)
        self.op, self.divisors = op, divisors

    @property
    def columns(self) -> bool:
        return len(self.shape) == 3


class Call(Step):
    """`function(*arguments)`; pieces of values stand among the arguments, also inside tuples and lists.

    `pure`: does it depend on nothing but its arguments, and write nothing but `made`? `checks` are the questions that
    were asked about its result while recording (see recorder.py). `ending` gives the kernel that computes a formula of
    each result before it is stored, if there is one (endings.py).
    """

    def __init__(
        self, name: str, function: Callable[..., Any], arguments: tuple, read: list[Value], made: list[Value],
        pure: bool = True, options: dict[str, Any] | None = None,
        ending: Callable[[Formula], Callable | None] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.function, self.arguments, self.read, self.made = name, function, arguments, read, made
        self.pure, self.options, self.ending = pure, options or {}, ending
        self.checks: list[Callable[[Any], bool]] = []

    def reads(self) -> Iterator[Value]:
        return iter(self.read)


class Ended(Call):
    """A matrix product with an ending: made[k] ← outputs[k], formulas of the product and of other values, by name.

    `call` is the product alone. The arguments are what is made, those of the call (with a bias or None), and the sides.
    """

    def __init__(
        self, call: Call, function: Callable[..., Any], outputs: list[Expr], names: dict[str, Value], made: list[Value]
    ) -> None:
        self.call, self.outputs, self.names = call, outputs, names
        results, (p,) = [Piece(v, 0, v.size) for v in made], call.made
        sides = [v for v in names.values() if v is not p]
        given = (*call.arguments[1:], *[None] * (5 - len(call.arguments)), *(Piece(v, 0, v.size) for v in sides))
        super().__init__(call.name, function, (*results, *given), [*call.read, *sides], made)


class Program:
    """The steps in order, and what of their results somebody outside will see.

    `results`: values that leave (returned tensors, gradients, ...). `final`: for each memory from outside that changes,
    the value that it holds at the end.
    """

    def __init__(self, steps: list[Step], results: list[Value], final: list[Value], names: Names) -> None:
        self.steps, self.results, self.final, self.names = steps, results, final, names

    def wanted(self) -> list[Value]:
        return [*self.results, *self.final]

    def readers(self) -> dict[Value, list[Step]]:
        """The steps that read each value, in order."""
        found: dict[Value, list[Step]] = {}
        for step in self.steps:
            for v in dict.fromkeys(step.reads()):
                found.setdefault(v, []).append(step)
        return found

    def new_value(self, like: Value) -> Value:
        """A value that no step makes yet, as large as another one and of its kind."""
        number = max(v.number for step in self.steps for v in (*step.reads(), *step.made))
        return Value(number + 1, like.size, like.kind)

    def bytes_moved(self) -> int:
        """What the steps read and write, if each looks at each of its operands once."""
        return sum(moved_by(step) for step in self.steps)


def moved_by(step: Step) -> int:
    """Bytes that a step reads and writes."""
    if isinstance(step, Loop):
        places = prod(step.shape)
        read = 0
        for a in step.operands.values():
            if isinstance(a, Access):
                distinct = prod(n for n, s in zip(step.shape, a.strides, strict=True) if s)
                read += min(distinct, places) * a.value.kind.dtype.itemsize
        return read + sum(v.nbytes if step.target is None else places * v.kind.dtype.itemsize for v in step.made)
    return sum({id(v): v.nbytes for v in step.reads()}.values()) + sum(v.nbytes for v in step.made)
