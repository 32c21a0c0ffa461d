"""From a planned program to a Python function of one line for each kernel.

    def replay(a0, r0):
        k0(r0, c0, c1, a0, 1.0)
        k1(c2, c0)

`k` are kernels, `c` buffers that stay (the arena, parameters), `a` the arguments' buffers, `r` fresh ones for results,
`n` numbers that optimizers give. The kernels come from the same backend as those of eager mode, by the same
formulas: what is new is only that a formula is longer.

Source: for programs as printed straight-line code, A. Griewank, A. Walther, Evaluating Derivatives, 2nd edition, 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Expr, Formula, walk

from .. import dtypes
from ..ops.strides import contiguous_strides
from .formulas import renamed
from .memory import part, whole
from .passes import in_a_row, in_order, is_plain
from .planning import Place, Plan
from .program import Access, Call, Fold, Loop, Number, Piece, Program, Value
from .symbols import Constant, Refused


class Emission:
    """The lines of the replay function, and what their names stand for."""

    def __init__(self, program: Program, plan: Plan, in_memory: bool = False) -> None:
        """`in_memory`: the numbers that optimizers give come as buffers of one element (capture.py)."""
        self.program, self.plan, self.in_memory = program, plan, in_memory
        self.numbers: dict[str, str] = {}  # and the dtype of each
        self.names: dict[str, Any] = {}
        self.known: dict[Any, str] = {}
        self.lines: list[str] = []
        self.arena: dict[Any, Any] = {}
        for step in program.steps:
            if isinstance(step, Fold):
                self.fold(step)
            elif isinstance(step, Loop):
                self.loop(step)
            else:
                assert isinstance(step, Call)
                self.call(step)

    def name(self, letter: str, thing: Any, key: Any = None) -> str:
        """A name for something that stays."""
        key = (letter, id(thing) if key is None else key)
        if key not in self.known:
            self.known[key] = f"{letter}{sum(1 for k in self.known if k[0] == letter)}"
            self.names[self.known[key]] = thing
        return self.known[key]

    def buffer(self, v: Value, offset: int = 0, size: int | None = None) -> str:
        """The text for elements of a value."""
        size = v.size if size is None else size
        p = self.plan.places[v]
        whole = (offset, size) == (0, p.size)
        if p.result is not None:
            text = f"r{p.result}"
        elif p.home is not None and isinstance(p.home.home, int):
            text = f"a{p.home.home}"
        else:
            return self.name("c", self.lasting_buffer(v, p)[offset : offset + size], (id(p), v.dtype, offset, size))
        return text if whole else f"{text}[{offset}:{offset + size}]"

    def lasting_buffer(self, v: Value, p: Place) -> Any:
        """The memory of a value that stays from replay to replay."""
        if p.home is not None:
            return whole(p.home.home, v.kind, p.size)
        device = v.kind.device
        if device not in self.arena:
            self.arena[device] = dtypes.kind_of(dtypes.uint8, device).empty(self.plan.sizes[device])
        return part(self.arena[device], v.kind, p.offset, p.size)

    # Loops.
    def number(self, a: Number, compute: str) -> tuple[str, str, str]:
        """(text, access, dtype) of a number."""
        text = f"n{a.update}_{a.k}"
        self.numbers[text] = compute
        return (text, "one", compute) if self.in_memory else (text, "number", "number")

    def operand(self, a: Any, step: Loop) -> tuple[str, str, str]:
        """(text, access, dtype) of an operand that is read in order, or is one number."""
        shape = step.shape
        if isinstance(a, Number):
            return self.number(a, step.compute)
        if in_a_row(a, shape):
            return self.buffer(a.value, a.offset, prod(shape)), "flat", a.value.dtype
        return self.buffer(a.value, a.offset, 1), "one", a.value.dtype

    def formula(self, outputs: list[Expr], names: list[str]) -> Formula:
        """The outputs as a formula over xa, xb, ..., named after what it does."""
        inputs = tuple(f"x{letters(k)}" for k in range(len(names)))  # no digits: printers number elements and rows
        ops = list(dict.fromkeys(e.op for e in walk(tuple(outputs)) if e.op not in ("input", "const")))
        title = "_".join(ops[:4]) or "copy"
        return Formula(title, inputs, tuple(renamed(outputs, dict(zip(names, inputs, strict=True)))))

    def loop(self, step: Loop) -> None:
        if step.target is not None or not all(
            isinstance(a, Number) or is_plain(a, step.shape) for a in step.operands.values()
        ):
            self.strided(step)
            return
        places = self.plan.places
        inside = {places[a.value]: name for name, a in step.operands.items()
                  if isinstance(a, Access) and in_order(a, step.shape)}  # fmt: skip
        changed = [k for k, v in enumerate(step.made) if places[v] in inside]
        order = [*changed, *(k for k in range(len(step.made)) if k not in changed)]
        first = [inside[places[step.made[k]]] for k in changed]
        names = [*first, *(name for name in step.operands if name not in first)]
        given = [self.operand(step.operands[name], step) for name in names]
        formula = self.formula([step.outputs[k] for k in order], names)
        signature = Signature([d for _, _, d in given], [a for _, a, _ in given], step.compute, len(changed))
        kind = step.made[0].kind
        backend = kind.backend
        kernel = backend.flat(formula, signature, prod(step.shape) >= backend.PARALLEL_FROM)
        results = [self.buffer(step.made[k]) for k in order[len(changed) :]]
        self.line(kernel, [*results, *(text for text, _, _ in given)])

    def strided(self, step: Loop) -> None:
        (made,) = step.made
        dims, names = step.shape, list(step.operands)
        place = step.target or Access(made, 0, contiguous_strides(dims))
        same = [n for n in names if isinstance(a := step.operands[n], Access) and a[1:] == place[1:]
                and self.plan.places[a.value] is self.plan.places[made]]  # fmt: skip
        names = [*same, *(n for n in names if n not in same)]
        access, dtypes, texts = [], [], []
        for name in names:
            a = step.operands[name]
            if isinstance(a, Number):
                text, how, dtype = self.number(a, step.compute)
                access.append("fixed" if how == "one" else how)
                dtypes.append(dtype)
                texts += [text, repr((0,) * (len(dims) + 1))] if how == "one" else [text]
                continue
            access.append({1: "unit", 0: "fixed"}.get(a.strides[-1], "strided"))
            dtypes.append(a.value.dtype)
            texts += [self.buffer(a.value), repr((a.offset, *a.strides))]
        in_place = int(bool(same))
        access.append("unit" if place.strides[-1] == 1 else "strided")
        formula = self.formula(step.outputs, names)
        signature = Signature(dtypes, access, step.compute, in_place)
        backend = made.kind.backend
        kernel = backend.strided(formula, signature, len(dims), prod(dims) >= backend.PARALLEL_FROM)
        out = [] if in_place else [self.buffer(made), repr((place.offset, *place.strides))]
        self.line(kernel, [repr(tuple(dims)), *out, *texts])

    def fold(self, step: Fold) -> None:
        names = list(step.operands)
        given = [self.operand(step.operands[name], step) for name in names]
        formula = self.formula(step.outputs, names)
        signature = Signature([d for _, _, d in given], [a for _, a, _ in given], step.compute)
        backend = step.made[0].kind.backend
        big = prod(step.shape) >= backend.PARALLEL_FROM
        results, inputs = [self.buffer(v) for v in step.made], [text for text, _, _ in given]
        if len(step.made) > 1:
            kernel = backend.sums(formula, signature, len(step.divisors), big)
            sizes = [repr(step.shape[1]), *map(repr, step.divisors)]
        else:
            kernel = (backend.columns if step.columns else backend.rows)(formula, signature, big, step.op)
            sizes = [*map(repr, step.shape[1:]), repr(step.divisors[0])]
        self.line(kernel, [*results, *sizes, *inputs])

    # Kernels written by hand.
    def call(self, step: Call) -> None:
        def text(x: Any) -> str:
            if isinstance(x, Piece):
                return self.buffer(x.value, x.offset, x.size)
            if isinstance(x, Constant):
                return self.name("c", x.array)
            if isinstance(x, tuple | list) and not hasattr(x, "_fields"):
                inner = ", ".join(map(text, x))
                return f"[{inner}]" if isinstance(x, list) else f"({inner},)" if len(x) == 1 else f"({inner})"
            if isinstance(x, int | float | bool | str | None) and x == x and abs_fits(x):
                return repr(x)
            return self.name("c", x)

        arguments = [*map(text, step.arguments), *(f"{k}={text(v)}" for k, v in step.options.items())]
        line = f"{self.name('k', step.function)}({', '.join(arguments)})"
        if step.checks:
            line = f"{self.name('ask', asking(step.checks))}({line})"
        self.lines.append(line)

    def line(self, kernel: Callable, arguments: list[str]) -> None:
        self.lines.append(f"{self.name('k', kernel)}({', '.join(arguments)})")

    def source(self, arguments: int, numbers: list[str]) -> str:
        """The text of the replay function."""
        parameters = [*(f"a{k}" for k in range(arguments)), *(f"r{k}" for k in range(len(self.program.results)))]
        lines = [f"    {line}" for line in self.lines] or ["    pass"]
        return "\n".join([f"def replay({', '.join([*parameters, *numbers])}):", *lines]) + "\n"


def letters(k: int) -> str:
    """0, 1, ... as a, b, ..., z, ba, bb, ..."""
    return (letters(k // 26) if k >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[k % 26]


def abs_fits(x: Any) -> bool:
    """Can the number be written as text? inf cannot."""
    return not isinstance(x, float) or abs(x) < 1e308


def asking(checks: list[Callable[[Any], bool]]) -> Callable[[Any], None]:
    """A function that asks the questions that were asked while recording of the answer of this time."""

    def ask(found: Any) -> None:
        if any(check(found) for check in checks):
            raise Refused

    return ask
