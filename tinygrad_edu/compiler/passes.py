"""The passes that make a recording shorter, one function each.

    forward_copies    a copy of a value that is there already is that value
    share             two steps that compute the same from the same are one             (common subexpressions)
    spread_constants  what is known, or is one cheap number, is put where it is read     (constant folding)
    drop_dead         what nobody will see is not computed                               (dead code)

Constants were folded while formulas were put into one another (formulas.py). The pass that joins loops, the one that
makes programs fast, is in fusion.py.

None of them changes a result by a bit. They rest on values never changing (program.py); the one thing to watch is
memory from outside that the program itself changes: its old value is there only until then, so nobody may be made to
read it later than before.

Source: A. Aho, M. Lam, R. Sethi, J. Ullman, Compilers, 2nd edition, 2006, chapters 8 and 9.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from tinygrad_kernels.expr import Expr, inputs_of

from ..ops.strides import contiguous_strides
from .formulas import cost, rebuilt
from .program import Access, Call, Fold, Loop, Piece, Program, Shape, Step, Value


def in_a_row(access: Access, shape: Shape) -> bool:
    """Does a loop over `shape` read elements that lie one after the other, beginning at any one?"""
    plain = contiguous_strides(shape)
    return all(n == 1 or s == t for n, s, t in zip(shape, access.strides, plain, strict=True))


def in_order(access: Access, shape: Shape) -> bool:
    """Does a loop over `shape` read all of the value, one element after the other?"""
    return access.offset == 0 and access.value.size == prod(shape) and in_a_row(access, shape)


def is_plain(access: Access, shape: Shape) -> bool:
    """Does a loop over `shape` read neighbours, or one element only? The simplest kernels can."""
    return not any(access.strides) or in_a_row(access, shape)


def lasting(program: Program) -> set[Value]:
    """Values that keep their numbers to the end: those of memory that the program does not change later."""
    last = {v.memory: v for v in program.final}
    replaced = {v.before for step in program.steps for v in step.made if v.before is not None}
    found = set()
    for step in program.steps:
        for v in (*step.reads(), *step.made):
            if v not in replaced and (v.memory is None or last.get(v.memory, v) is v):
                found.add(v)
    return found


def replace(program: Program, new: dict[Value, Value]) -> None:
    """Read other values in place of these, everywhere."""

    def final(v: Value) -> Value:
        while v in new:
            v = new[v]
        return v

    def piece(x: Any) -> Any:
        if isinstance(x, Piece):
            return Piece(final(x.value), x.offset, x.size)
        if isinstance(x, tuple | list) and not hasattr(x, "_fields"):
            return type(x)(piece(y) for y in x)
        return x

    for step in program.steps:
        if isinstance(step, Call):
            step.read = [final(v) for v in step.read]
            step.arguments = tuple(piece(x) for x in step.arguments)
            continue
        assert isinstance(step, Loop)
        if not any(isinstance(a, Access) and a.value in new for a in step.operands.values()):
            continue
        renamed: dict[str, Expr] = {}
        operands: dict[str, Any] = {}
        for name, a in step.operands.items():
            if isinstance(a, Access) and a.value in new:
                a = Access(final(a.value), a.offset, a.strides)
                other = program.names.of(a, step.shape)
                renamed[name] = Expr.input(other)
                operands[other] = a
            else:
                operands[name] = a
        step.outputs = rebuilt(step.outputs, renamed, step.compute)
        step.operands = operands
    program.results = [final(v) for v in program.results]


def forward_copies(program: Program) -> None:
    """A loop that only copies a whole value makes no new one."""
    stays = lasting(program)
    new: dict[Value, Value] = {}
    for step in program.steps:
        if type(step) is not Loop or len(step.made) != 1 or step.target is not None:
            continue
        (e,), (made,) = step.outputs, step.made
        access = step.operands.get(e.value) if e.op == "input" else None
        if not isinstance(access, Access) or made.memory is not None or made not in stays:
            continue
        source = access.value
        if source in stays and source.dtype == made.dtype == step.compute and in_order(access, step.shape):
            new[made] = source
    keep_results_apart(program, new)
    replace(program, new)


def keep_results_apart(program: Program, new: dict[Value, Value]) -> None:
    """A result that leaves must have memory of its own: it is not replaced by memory from outside, nor by another
    result."""
    taken = {v for v in program.results if v not in new}
    for v in program.results:
        source = v
        while source in new:
            source = new[source]
        if source is not v:
            if source.memory is not None or source.step is None or source in taken:
                del new[v]
                source = v
            taken.add(source)


def share(program: Program) -> None:
    """Of steps that compute the same from the same values, the first is enough."""
    stays = lasting(program)
    seen: dict[tuple, Step] = {}
    new: dict[Value, Value] = {}
    for step in program.steps:
        replace_in = {v: new[v] for v in step.reads() if v in new}
        if replace_in:
            part = Program([step], [], [], program.names)
            replace(part, new)
        if any(v.memory is not None or v.before is not None or v not in stays for v in step.made):
            continue
        if not all(v in stays for v in step.reads()):
            continue
        key = key_of(step)
        if key is None:
            continue
        first = seen.setdefault(key, step)
        if first is not step:
            new |= dict(zip(step.made, first.made, strict=True))
    keep_results_apart(program, new)
    replace(program, new)


def key_of(step: Step) -> tuple | None:
    """What a step computes, such that equal keys mean equal results; None if it must not be shared."""
    if isinstance(step, Fold):
        return ("fold", step.op, step.shape, step.compute, tuple(map(id, step.outputs)), tuple(step.divisors))
    if isinstance(step, Loop):
        kinds = tuple(id(v.kind) for v in step.made)
        return None if step.target else ("loop", step.shape, step.compute, tuple(map(id, step.outputs)), kinds)
    assert isinstance(step, Call)
    if not step.pure or step.checks:
        return None
    made = {v.number: k for k, v in enumerate(step.made)}

    def plain(x: Any) -> Any:
        if isinstance(x, Piece):
            return ("made", made[x.value.number]) if x.value.number in made else ("piece", x.value.number, *x[1:])
        if isinstance(x, tuple | list):
            return tuple(plain(y) for y in x)
        return x if isinstance(x, int | float | str | bool | None) else id(x)

    return ("call", id(step.function), plain(step.arguments), plain(tuple(step.options.items())))


def spread_constants(program: Program) -> None:
    """Put the formula of a known number, or of one cheap number, in place of each reading of it."""
    stays = lasting(program)
    known: dict[Value, tuple[Expr, Loop]] = {}
    for step in program.steps:
        if isinstance(step, Loop):
            put_in(program, step, known)
        if type(step) is Loop and len(step.made) == 1 and step.target is None:
            (v,), (e,) = step.made, step.outputs
            constant = e.op == "const"
            single = v.size == 1 and cost(e) <= 4 and all(
                isinstance(a, Access) and a.value in stays for a in step.operands.values()
            )  # fmt: skip
            if v.memory is None and v in stays and v.dtype == step.compute and (constant or single):
                known[v] = (e, step)


def put_in(program: Program, step: Loop, known: dict[Value, tuple[Expr, Loop]]) -> None:
    """Replace the operands of a loop that are known."""
    given: dict[str, Expr] = {}
    operands = dict(step.operands)
    for name, a in step.operands.items():
        if not isinstance(a, Access) or a.value not in known:
            continue
        e, source = known[a.value]
        if source.compute != step.compute or (isinstance(step, Fold) and last_operand(step, name)):
            continue
        inner: dict[str, Expr] = {}
        for other, b in source.operands.items():
            moved = Access(b.value, b.offset, (0,) * len(step.shape))
            renamed = program.names.of(moved, step.shape)
            operands[renamed] = moved
            inner[other] = Expr.input(renamed)
        (given[name],) = rebuilt([e], inner, step.compute)
        del operands[name]
    outputs = rebuilt(step.outputs, given, step.compute)
    if given and (not isinstance(step, Fold) or runs_along(outputs, operands)):
        step.operands, step.outputs = operands, outputs
        step.prune()


def runs_along(outputs: list[Expr], operands: dict[str, Any]) -> bool:
    """Does a formula still look at an array, after it was simplified? A reduction needs one to run along."""
    used = (operands[name] for name in inputs_of(tuple(outputs)))
    return any(isinstance(a, Access) and any(a.strides) for a in used)


def last_operand(step: Loop, name: str) -> bool:
    """Is this the only operand that runs along the loop? A reduction needs one."""
    running = [n for n, a in step.operands.items() if isinstance(a, Access) and any(a.strides)]
    return running in ([], [name])


def drop_dead(program: Program) -> None:
    """Keep the steps that lead to something that somebody will see; forget the results of loops that nobody reads."""
    needed = set(program.wanted())
    kept: list[Step] = []
    for step in reversed(program.steps):
        acts = isinstance(step, Call) and (not step.pure or bool(step.checks))
        if not acts and needed.isdisjoint(step.made):
            continue
        if isinstance(step, Loop) and len(step.made) > 1:
            forget_results(step, needed)
            if isinstance(step, Fold) and not step.divisors:
                step = as_loop(step)
        if isinstance(step, Loop):
            step.prune()
        kept.append(step)
        needed.update(step.reads())
    program.steps = kept[::-1]


def as_loop(step: Fold) -> Loop:
    """A reduction of which only the elementwise results are left."""
    loop = Loop(step.shape, step.operands, step.outputs, step.made, step.compute)
    for v in loop.made:
        v.step = loop
    return loop


def forget_results(step: Loop, needed: Iterable[Value]) -> None:
    """Drop the outputs of a loop that are not needed."""
    keep = [v in needed for v in step.made]
    if isinstance(step, Fold):
        sums = any(keep[: len(step.divisors)])
        if sums and not runs_along([e for e, k in zip(step.outputs, keep, strict=True) if k], step.operands):
            return
        step.divisors = [d for d, k in zip(step.divisors, keep, strict=False) if k]
    step.outputs = [e for e, k in zip(step.outputs, keep, strict=True) if k]
    step.made = [v for v, k in zip(step.made, keep, strict=True) if k]
    step.prune()
