"""Compiled functions of Values: the graph, written down once as a list of lines.

The problem. A training step on `Value`s makes a node for each product, walks all of them back, and throws them away:
some hundred thousand objects, to do the same arithmetic as in the step before. The arithmetic takes a hundredth of the
time.

The idea. Run the function once and keep what it did as a *tape*, straight-line code with a line for each operation:

    loss = (w * x).tanh()           t0 = w * x          forward
                                    t1 = tanh(t0)
                                    t2 = t1 * t1        backward, for the gradient g0 that arrives at t1
                                    t3 = 1.0 - t2
                                    t4 = g0 * t3
                                    t5 = t4 * x         the gradient of w

Later calls read the numbers of the inputs and run the tape (tinygrad_kernels/cpu/tape.py): no graph, and no Python for
each line.

Three observations make it short.
- Values are made one after the other, operands first. So the list of those made during the call *is* the tape.
- The calculus reads names as well as numbers. Each operation's `forward`, read on expressions (expr.py), gives its
  lines: a sigmoid becomes an exponential, a sum and a quotient, and what was computed already is shared.
- The engine does not mind either. Walking the same graph with expressions for gradients, it *writes* the backward
  program instead of running it. No derivative stands here, and no second walk over graphs.

To the engine, the result of a call is one node: an operation with many operands, whose derivative is the rest of the
tape. What a recording cannot see (`v.data`, a comparison) is refused while recording: scalar_watch.py.

Recording takes as long as ten to twenty ordinary steps. From then on a step of the network 2-16-16-1 on 100 points,
70,000 lines forward and 120,000 backward, takes a millisecond: a few hundred times less than on Values.

Source: R. Wengert, A simple automatic derivative evaluation program, CACM 7(8), 1964; for the tape as a program that
can be run again: A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, 2008, chapter 6.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import math
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinygrad_kernels.expr import Expr

from .. import engine
from ..value import Value
from .scalar_program import Program
from .scalar_watch import WATCH, Seen

KEPT = 8  # recordings of one function, for different structures of its arguments


def compile_values(function: Callable) -> CompiledValues:
    """`function` as a program that is recorded at the first call and replayed by later ones.

    Arguments are Values, numbers, and lists, tuples and dicts of them. Values and floats are inputs, read at every
    call; so are Values that the function finds elsewhere (the weights of a model). Everything else (ints, strings, the
    lengths of lists) is part of the structure: for another one the function is recorded again. Floats that do not come
    from the arguments are constants, random ones too, and what the function does besides computing is done once.

        >>> w = Value(0.5)
        >>> loss = compile_values(lambda x: (w * x - 1.0).square())
        >>> for step in range(20):
        ...     w.grad = 0.0
        ...     loss(3.0).backward()
        ...     w.data -= 0.05 * w.grad
        >>> round(w.data, 6)
        0.333333

    `print(loss.program)` shows the tape. RuntimeError where the function does what cannot be recorded, and for
    `backward(create_graph=True)` through a result.
    """
    return CompiledValues(function)


class CompiledValues:
    """What `compile_values` makes."""

    def __init__(self, function: Callable) -> None:
        functools.update_wrapper(self, function, updated=())
        self.function = function
        self.recordings: OrderedDict[Any, Recording] = OrderedDict()  # by the structure of the arguments

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if WATCH.here():  # another function is being recorded, which calls this one
            return self.function(*args, **kwargs)
        operands: list[Any] = []
        structure = flatten((args, kwargs), operands)
        recording = self.recordings.get(structure)
        if recording is None:
            with without_collector():
                recording = self.recordings[structure] = Recording(self.function, structure, operands)
            if len(self.recordings) > KEPT:
                self.recordings.popitem(last=False)
                warnings.warn(
                    f"'{recording.program.name}' has been recorded for more than {KEPT} structures of its arguments, "
                    "and forgets the oldest. Lengths of lists and ints are part of the structure: pass what varies "
                    "as floats",
                    RuntimeWarning,
                    stacklevel=2,
                )
        else:
            self.recordings.move_to_end(structure)
        return recording.replay(operands)

    @property
    def program(self) -> Program:
        """The tape of the latest call."""
        if not self.recordings:
            raise RuntimeError("there is no program yet: it is recorded by the first call")
        return next(reversed(self.recordings.values())).program


def has_values(args: Any) -> bool:
    """Is there a Value among these, or in lists, tuples and dicts among them?"""
    if isinstance(args, dict):
        args = args.values()
    elif not isinstance(args, list | tuple):
        return isinstance(args, Value)
    return any(map(has_values, args))


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Python's cyclic garbage collector rests: it would look again and again at the hundred thousand objects of a
    recording, none of which is garbage yet (a third of the time)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


# Structures.

OPERAND = {Value: "Value", float: "float"}  # what stands for them in a structure


def flatten(x: Any, operands: list[Any]) -> Any:
    """The structure of x, which can be hashed. Values and floats are appended to `operands`."""
    kind = type(x)
    if kind in OPERAND:
        operands.append(x)
        return OPERAND[kind]
    if kind is list or kind is tuple:
        return kind, *[flatten(part, operands) for part in x]
    if kind is dict:
        return dict, tuple(x), *[flatten(part, operands) for part in x.values()]
    if isinstance(x, float):  # NumPy's, too
        operands.append(float(x))
        return "float"
    if x is None or kind in (int, bool, str):
        return None, kind, x
    raise TypeError(
        f"a compiled function of Values takes and returns Values, numbers, and lists, tuples and dicts of them, "
        f"not {kind.__module__}.{kind.__qualname__}; of an array, pass x.tolist()"
    )


def unflatten(structure: Any, operands: Iterator[Any]) -> Any:
    """The inverse of `flatten`."""
    if type(structure) is str:
        return next(operands)
    kind, *parts = structure
    if kind is None:
        return parts[1]
    if kind is dict:
        return {key: unflatten(part, operands) for key, part in zip(parts[0], parts[1:], strict=True)}
    return kind(unflatten(part, operands) for part in parts)


# Recording.


class Name(engine.Scratch):
    """A Value without a number: a node of the same graph, whose `data` and gradients are expressions."""

    __slots__ = ("data", "op", "saved", "parents", "varies", "grad")
    fresh = False

    varies: bool  # does somebody want its gradient?
    parents: tuple[Name | None, ...]
    grad: Expr | None

    def __init__(self, data: Expr, op: Any = None, operands: Sequence[Name] = (), varies: bool = False) -> None:
        self.data, self.op, self.walk = data, op, None
        self.saved = tuple(x.data for x in operands)
        self.varies = varies or any(x.varies for x in operands)
        self.parents = tuple(x if x.varies else None for x in operands) if self.varies else ()
        self.grad = None

    def pull(self, g: Expr, graph: bool) -> tuple:
        found = self.op.cotangents(g, *self.saved, self.data)
        return tuple(None if c is None else Expr.of(c) for c in found)

    def receive(self, g: Expr, owned: bool) -> None:
        self.grad = g if self.grad is None else self.grad + g

    def release(self) -> None:
        """Nothing is kept."""


class Names:
    """The Name of each Value, by id."""

    def __init__(self) -> None:
        self.nodes: dict[int, Name] = {}
        self.used: set[str] = set()

    def unused(self, text: str) -> str:
        """The text, with something added to it if it is taken, or looks like the name of a line."""
        while text in self.used or re.fullmatch(r"t\d+", text):
            text += "_"
        self.used.add(text)
        return text

    def add(self, v: Value, text: str, varies: bool) -> None:
        """An input."""
        self.nodes[id(v)] = Name(Expr.input(self.unused(text)), varies=varies)

    def write(self, seen: Seen) -> list[Value]:
        """The formulas of all Values that were made, read on names. Returns those that were there before."""
        others: list[Value] = []
        for v in seen.made:  # operands first: nothing has to be sorted
            if v.op is None:
                copied = seen.copies.get(id(v))
                self.nodes[id(v)] = Name(Expr.of(v.data)) if copied is None else self.nodes[id(copied)]
                continue
            for p in v.parents:
                if id(p) not in self.nodes:
                    self.add(p, p.label or f"p{len(others)}", True)
                    others.append(p)
            operands = [self.nodes[id(p)] for p in v.parents]
            self.nodes[id(v)] = Name(Expr.of(v.op.forward(*(x.data for x in operands))), v.op, operands)
        return others


class Recording:
    """A function recorded for one structure of its arguments: its program, what it reads, and what it returns."""

    def __init__(self, function: Callable, structure: Any, operands: list[Any]) -> None:
        # Fresh Values stand for the arguments, which may be results of other operations, or one Value twice
        inputs = [Value(x.data) if type(x) is Value else Value(x) for x in operands]
        args, kwargs = unflatten(structure, iter(inputs))
        texts = argument_names(function, args, kwargs)
        floats = [v for v, x in zip(inputs, operands, strict=True) if type(x) is float]
        with WATCH.recording(floats) as seen:
            found = function(*args, **kwargs)
        results: list[Any] = []
        self.structure = flatten(found, results)

        names = Names()
        for v, x in zip(inputs, operands, strict=True):
            names.add(v, texts[id(v)], type(x) is Value)
        self.others = names.write(seen)  # Values that the function found elsewhere: weights

        made = {id(v) for v in seen.made}
        outputs = {key: k for k, key in enumerate(dict.fromkeys(id(r) for r in results if id(r) in made))}
        position = {id(v): k for k, v in enumerate(inputs)}
        self.returned = [  # for each result, where it is found: (list, index), or the thing itself
            ("operands", position[id(r)]) if id(r) in position else
            ("made", outputs[id(r)]) if id(r) in made else ("itself", r)
            for r in results
        ]  # fmt: skip

        roots = [names.nodes[key] for key in outputs]
        seeds = [Expr.input(names.unused(f"g{k}")) for k in range(len(roots))]
        self.varying = [root.varies for root in roots]
        engine.backward(((root, g) for root, g in zip(roots, seeds, strict=True) if root.varies), retain=True)
        leaves = [names.nodes[id(v)] for v in (*inputs, *self.others)]
        self.wanted = [k for k, leaf in enumerate(leaves) if leaf.grad is not None]  # those that get a gradient
        title = getattr(function, "__name__", type(function).__name__)
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        self.program = Program(title, [leaf.data for leaf in leaves], seeds, [root.data for root in roots], gradients)

    def replay(self, operands: list[Any]) -> Any:
        """What the function returns for these operands."""
        leaves = operands + self.others
        numbers = [x.data if type(x) is Value else x for x in leaves]
        run = Run(self.program, numbers)
        parents = tuple(leaves[k] for k in self.wanted)
        saved = tuple(numbers[k] for k in self.wanted)
        made = self.program.results(run.t)
        if len(made) > 1 and parents:
            run_node = node(run, parents, saved, 0.0)
            nodes = [
                node(Part(run, k), (run_node,), (0.0,), x) if varies else Value(x)
                for k, (x, varies) in enumerate(zip(made, self.varying, strict=True))
            ]
        else:
            nodes = [node(run, parents, saved, x) if parents else Value(x) for x in made]
        lists = {"operands": operands, "made": nodes}
        return unflatten(self.structure, (x if which == "itself" else lists[which][x] for which, x in self.returned))


def node(op: Any, parents: tuple[Value, ...], saved: tuple[float, ...], number: float) -> Value:
    """A Value made by `op`."""
    out = Value(number)
    out.op, out.parents, out.saved = op, parents, saved
    return out


def argument_names(function: Callable, args: Any, kwargs: Any) -> dict[int, str]:
    """What a reader would call each Value among the arguments, by id: x, or points[3][0]."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # a function without a signature
        bound = {f"x{k}": x for k, x in enumerate(args)} | kwargs
    found: dict[int, str] = {}

    def visit(text: str, x: Any) -> None:
        if type(x) is Value:
            found[id(x)] = text
        elif isinstance(x, list | tuple | dict):
            for key, part in x.items() if isinstance(x, dict) else enumerate(x):
                visit(f"{text}[{key!r}]", part)

    for text, x in bound.items():
        visit(text, x)
    return found


# Replaying.


class Run:
    """One run of a program, as an operation: like those of the calculus, with as many operands as there are inputs."""

    def __init__(self, program: Program, numbers: list[float]) -> None:
        self.program, self.name = program, program.name
        self.t = program.forward(numbers)

    def forward(self, *operands: Any) -> Expr:
        """The name of this, for those who print the graph."""
        return Expr(self.name, tuple(Expr.of(x) for x in operands))

    def backward(self, g: Any, *saved_and_out: float) -> tuple[float, ...]:
        return self.program.backward(self.t, g if type(g) is Gradients else {0: g})

    def cotangents(self, g: Any, *operands_and_out: Any) -> tuple:
        """For backward(create_graph=True), with Values, which is refused."""
        if type(g) is Value:
            raise RuntimeError(
                f"the derivative of the compiled function '{self.name}' cannot be differentiated again: its program "
                "computes numbers. For backward(create_graph=True) call the function without compiling it"
            )
        if self.program.seeds > 1 and type(g) is float:  # backward(trace=True) asks for slopes: of which result?
            return (math.nan,) * len(self.program.gradients)
        return self.backward(g)


class Gradients(dict):
    """What has arrived at each of several results, by its number: the gradient that arrives at their run."""

    def __add__(self, other: Gradients) -> Gradients:
        return Gradients({k: self.get(k, 0.0) + other.get(k, 0.0) for k in self | other})

    def __float__(self) -> float:  # for those who print the walk
        return float(sum(self.values()))


class Part:
    """One of several results of a run, so that the tape goes backward once, when all of their gradients are in."""

    def __init__(self, run: Run, number: int) -> None:
        self.run, self.number, self.name = run, number, f"{run.name}[{number}]"
        self.forward = run.forward

    def backward(self, g: float, *saved_and_out: float) -> Gradients:
        return Gradients({self.number: g})

    def cotangents(self, g: Any, *operands_and_out: Any) -> tuple:
        return (self.run.cotangents(g) if type(g) is Value else self.backward(g),)
