"""A recording as text: what was recorded, what became of it, and the fused kernels as source."""

from __future__ import annotations

import inspect
from math import prod
from typing import Any

from tinygrad_kernels.expr import Expr, render, shared

from .program import Access, Call, Ended, Fold, Loop, Number, Piece, Step


class Description:
    """What `print(step.program)` shows. `kernels()` has the printed sources of the fused kernels."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.parts = [("forward", session.forward)] if session.backward is None else [
            ("forward", session.forward), ("backward", session.backward)
        ]  # fmt: skip

    def __str__(self) -> str:
        return "\n\n".join(part_text(name if len(self.parts) > 1 else "program", made) for name, made in self.parts)

    __repr__ = __str__

    def kernels(self) -> dict[str, str]:
        """The source of every printed kernel, by its name in the program."""
        found = {}
        for _, made in self.parts:
            for name, thing in made.emission.names.items():
                module = inspect.getmodule(getattr(thing, "py_func", None))
                if module is not None and "Printed by" in (module.__doc__ or ""):
                    found[name] = inspect.getsource(module)
        return found

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps were recorded, and how many are left."""
        return sum(m.before[0] for _, m in self.parts), sum(len(m.program.steps) for _, m in self.parts)

    @property
    def bytes(self) -> tuple[int, int]:
        """How many bytes the steps move: as recorded, and now."""
        return sum(m.before[1] for _, m in self.parts), sum(m.program.bytes_moved() for _, m in self.parts)


def part_text(name: str, made: Any) -> str:
    """One program: the recorded steps, the steps that are left, the calls."""
    arena = sum(made.plan.sizes.values())
    lines = [f"recorded: {made.before[0]} steps that move {readable(made.before[1])}", *indented(made.recorded), ""]
    lines += [
        f"{name}: {len(made.program.steps)} steps that move {readable(made.program.bytes_moved())}; "
        f"{readable(arena)} of memory for what is computed on the way"
    ]
    lines += [*indented([step_text(step) for step in made.program.steps]), "", *made.text.rstrip().split("\n")]
    if made.makers is None:
        lines += ["", str(made.run)]
    return "\n".join(lines)


def indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def readable(n: float) -> str:
    """Bytes, as one reads them."""
    for unit in ("bytes", "KB", "MB"):
        if n < 10_000:
            return f"{n:,.0f} {unit}"
        n /= 1000
    return f"{n:,.1f} GB"


def step_text(step: Step) -> str:
    """One step on a line: `v9[2000] = (v3 - m2) * 2.0`."""
    if isinstance(step, Loop):
        names = {id(Expr.input(name)): operand_text(a, step) for name, a in step.operands.items()}
        parts: list[str] = []
        for e in shared(tuple(step.outputs)):
            parts.append(f"t{len(parts)} = {render(e, names, number_text)}")
            names[id(e)] = f"t{len(parts) - 1}"
        texts = []
        sums = len(step.divisors) if isinstance(step, Fold) else 0
        for k, (v, e) in enumerate(zip(step.made, step.outputs, strict=True)):
            text = render(e, names, number_text)
            if isinstance(step, Fold) and k < sums:
                text = f"{step.op}({text})" + (f" / {step.divisors[k]:g}" if step.divisors[k] != 1 else "")
                text += f" over {'columns' if step.columns else 'rows'} of {list(step.shape)}"
            texts.append(f"{v}[{v.size if step.target is None else prod(step.shape)}] = {text}")
        return "; ".join(texts) + (f" where {'; '.join(parts)}" if parts else "")
    assert isinstance(step, Call)
    if isinstance(step, Ended):
        (p,) = step.call.made
        names = {id(Expr.input(name)): "p" if v is p else repr(v) for name, v in step.names.items()}
        texts = [
            f"{v}[{v.size}] = {render(e, names, number_text)}" for v, e in zip(step.made, step.outputs, strict=True)
        ]
        given = ", ".join(argument_text(x) for x in step.call.arguments[1:])
        return f"{'; '.join(texts)} where p = {step.name}({given})"
    made = ", ".join(f"{v}[{v.size}]" for v in step.made)
    return f"{made or '-'} = {step.name}({', '.join(argument_text(x) for x in step.arguments)})"


def number_text(c: Any) -> str:
    return f"{c:.6g}" if type(c) is float else repr(c)


def operand_text(a: Any, step: Loop) -> str:
    if isinstance(a, Number):
        return f"n{a.update}_{a.k}"
    assert isinstance(a, Access)
    return repr(a.value)


def argument_text(x: Any) -> str:
    if isinstance(x, Piece):
        return repr(x.value)
    return repr(x) if isinstance(x, int | float | str | bool | None) else "..."
