"""Prints a traced formula as the source of a loop.

The problem. A formula is known as an expression (expr.py); the data is a million float32 in memory, perhaps broadcast,
perhaps strided. Between the two stands a loop that nobody wants to write by hand for each formula.

The idea. The loops hardly differ: the formula does. So print the text of the loop, with the formula in the
middle, as an ordinary Python file that Numba compiles and that a reader can open. For sigmoid in float32:

    @jit
    def loop(result, x):
        for i in range(result.size):
            result[i] = float32(1.0) / (float32(1.0) + exp(-x[i]))

Constants carry the dtype of the loop: a bare `1.0` is a float64 and would take the whole line with it.

Three shapes of loop are printed. Each operand has an *access*, which says where its element for step i is:

    'flat'      x[i]     an array as long as the result
    'one'       x[0]     an array of one element (a 0-d tensor), read once before the loop
    'number'    x        a Python number, converted once before the loop

 1. `print_flat`     everything contiguous, one loop over all elements
 2. `print_strided`  nested loops over n dimensions; each operand has a stride per dimension (0 where it is broadcast)
 3. reductions       the formula summed over rows or columns as it is computed: codegen_reduction.py

Source: the printed loops rely on LLVM to vectorise them: A. Bik, The Software Vectorization Handbook, 2004.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from .calculus import PRIMITIVES
from .expr import Expr, Formula, build, render, walk

FUNCTIONS = frozenset(PRIMITIVES) - {"sqrt"} | {"pow"}  # implemented once per dtype in cpu/math.py
GUARDED = ("sin", "cos")  # those with a limit on their argument, and a slower twin NAME_any without


class Signature:
    """What a printed kernel must know of its operands besides their values.

    `dtypes` and `access`: one per input of the formula. `compute`: the dtype of the arithmetic. Dtypes are NumPy's
    names ('float32', 'int64', 'bool'). `in_place`: how many of the first results go into the first inputs. It is not
    enough to pass the same array twice: the compiler would find that result and input overlap, and run a loop that
    takes one element at a time.
    """

    __slots__ = ("dtypes", "access", "compute", "in_place")

    def __init__(self, dtypes: Sequence[str], access: Sequence[str], compute: str, in_place: int = 0) -> None:
        self.dtypes, self.access, self.compute = tuple(dtypes), tuple(access), compute
        self.in_place = in_place


def used_as_number(formula: Formula, name: str) -> bool:
    """Does the formula calculate with this input (rather than only ask whether it is true)?"""
    x = Expr.input(name)
    for e in walk(formula.outputs):
        operands = e.args[1:] if e.op == "where" else e.args
        if any(a is x for a in operands):
            return True
    return any(e is x for e in formula.outputs)


def load(formula: Formula, signature: Signature, position: int, element: str) -> str:
    """The text that reads one input as a number of the loop's dtype."""
    cast = signature.dtypes[position] != signature.compute or signature.access[position] == "number"
    if cast and used_as_number(formula, formula.inputs[position]):
        return f"{NUMBA_NAMES.get(signature.compute, signature.compute)}({element})"
    return element


def body(
    formula: Formula, compute: str, loads: dict[str, str], first: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """The statements and result expressions of one loop step, given the text that loads each input.

    An input or subexpression that is used more than once gets a name, and is computed once; so do the inputs named
    in `first`, which must be read before anything is stored.
    """
    pow_call = "float" in compute  # Numba's own `**` is slow and not C's pow
    outputs = formula.outputs if pow_call else tuple(in_integers(e) for e in formula.outputs)
    uses: Counter[int] = Counter(id(a) for e in walk(outputs) for a in e.args)
    uses.update(id(e) for e in outputs)
    uses.update(chosen_calls(outputs))
    names: dict[int, str] = {}
    statements: list[str] = []

    def const(value: object) -> str:
        if isinstance(value, bool):
            return repr(value)
        whole = isinstance(value, float) and value.is_integer() and not pow_call
        return f"{compute}({int(value) if whole else value!r})"  # type: ignore[call-overload]

    for e in walk(outputs):
        if e.op == "const":
            continue
        if e.op == "input":
            text, name = loads[e.value], f"{e.value}_i"
            if text in (name, e.value):  # it has been read before the loop
                names[id(e)] = text
                continue
        else:
            text, name = render(e, names, const, pow_call), f"t{len(statements)}"
        if uses[id(e)] > 1 or (e.op == "input" and e.value in first):
            statements.append(f"{name} = {text}")
            names[id(e)] = name
        elif e.op == "input":
            names[id(e)] = text
    return statements, [render(e, names, const, pow_call) for e in outputs]


def chosen_calls(outputs: tuple[Expr, ...]) -> list[int]:
    """The ids of operands of `where` that call a function: computed before the choice, so that no call is in a branch
    (a loop with a call in a branch takes one element at a time)."""
    calls: set[int] = set()
    for e in walk(outputs):
        if e.op in FUNCTIONS or any(id(a) in calls for a in e.args):
            calls.add(id(e))
    return [id(a) for e in walk(outputs) if e.op == "where" for a in e.args[1:] if id(a) in calls]


def in_integers(e: Expr) -> Expr:
    """The same expression for whole numbers: rounding is the identity, a quotient is exact or floored."""
    done: dict[int, Expr] = {}
    for part in walk((e,)):
        args = tuple(done[id(a)] for a in part.args)
        if part.op == "trunc" and part.args[0].op == "div":
            x, y = (done[id(a)] for a in part.args[0].args)
            done[id(part)] = build("floor_divide", x - whole_rest(x, y), y)
        elif part.op in ("floor", "ceil", "trunc", "rint"):
            done[id(part)] = args[0]
        elif part.op == "abs":
            done[id(part)] = build("where", args[0] < 0, -args[0], args[0])
        elif part.op == "fmod":
            done[id(part)] = whole_rest(*args)
        elif part.op == "div":
            done[id(part)] = build("floor_divide", *args)
        else:
            done[id(part)] = build(part.op, *args) if args else part
    return done[id(e)]


def whole_rest(x: Expr, y: Expr) -> Expr:
    """fmod of whole numbers, which has the sign of x, from Python's `%`, which has that of y."""
    rest = build("mod", x, y)
    return build("where", (rest != 0) & ((x < 0) != (y < 0)), rest - y, rest)


def header(formula: Formula, compute: str, extra: Sequence[str] = (), guarded: bool = False) -> list[str]:
    """The first lines of a printed file: what it computes, and its imports.

    Where the loop is not `guarded`, sin and cos are the twins that take any argument.
    """
    called = sorted({e.op for e in walk(formula.outputs)} & set(FUNCTIONS)) if "float" in compute else []
    lines = [f'"""{formula!r}', "", "Printed by tinygrad_kernels.codegen; the formula is in calculus/.", '"""']
    lines += [
        "from math import inf, nan, sqrt",
        "",
        f"from numba import {NUMBA_NAMES.get(compute, compute)}, prange",
        "",
    ]
    lines += ["from tinygrad_kernels.cpu.jit import jit"]
    for f in called:
        names = [f"{f}_{compute} as {f}"]
        if f in GUARDED:
            names = [*names, f"{f}_{compute}_any as {f}_any"] if guarded else [f"{f}_{compute}_any as {f}"]
        lines.append(f"from tinygrad_kernels.cpu.math import {', '.join(names)}")
    if guarded and set(called) & set(GUARDED):
        lines += ["from tinygrad_kernels.cpu.math import SIN_LIMIT as LIMITS"]
        lines += [f'SIN_LIMIT = {compute}(LIMITS["{compute}"])']
    return [*lines, *extra, "", ""]


NUMBA_NAMES = {"bool": "boolean"}  # where Numba's name of a dtype is not NumPy's


def results_of(formula: Formula) -> list[str]:
    n = len(formula.outputs)
    return ["result"] if n == 1 else [f"result{k}" for k in range(n)]


def print_flat(formula: Formula, signature: Signature) -> str:
    """One loop over contiguous arrays, and its parallel twin, which gives pieces of the arrays to the first.

    Printed functions: loop(*results, *inputs) and loop_parallel(*results, *inputs); without those results that are
    stored in place, in the first inputs.
    """
    inputs, changed = formula.inputs, formula.inputs[: signature.in_place]
    results = results_of(formula)[signature.in_place :]
    targets = [*changed, *results]
    before, loads = [], {}
    for k, (name, access) in enumerate(zip(inputs, signature.access, strict=True)):
        element = {"flat": f"{name}[i]", "one": f"{name}[0]", "number": name}[access]
        text = load(formula, signature, k, element)
        if access != "flat":
            before.append(f"    {name}_i = {text}")
            text = f"{name}_i"
        loads[name] = text
    statements, values = body(formula, signature.compute, loads, changed)
    arguments = ", ".join((*results, *inputs))
    pieces = [f"{r}[lo:hi]" for r in results]
    pieces += [f"{n}[lo:hi]" if a == "flat" else n for n, a in zip(inputs, signature.access, strict=True)]
    lines = header(formula, signature.compute, guarded=True)
    lines += ["@jit", f"def loop({arguments}):", *before]
    step = [*statements, *(f"{r}[i] = {v}" for r, v in zip(targets, values, strict=True))]
    guarded = [e.args[0] for e in walk(formula.outputs) if e.op in GUARDED]
    if guarded and "float" in signature.compute:
        flat = [*results, *(n for n, a in zip(inputs, signature.access, strict=True) if a == "flat")]
        lines += guarded_loop(Formula(formula.name, inputs, tuple(guarded)), signature.compute, loads, flat, step)
    else:
        lines += [f"    for i in range({targets[0]}.size):", *(f"        {s}" for s in step)]
    lines += ["", "", "@jit(parallel=True)", f"def loop_parallel({arguments}):"]
    lines += [f"    for piece in prange(({targets[0]}.size + {PIECE - 1}) // {PIECE}):"]
    lines += [f"        lo = piece * {PIECE}", f"        hi = min(lo + {PIECE}, {targets[0]}.size)"]
    lines += [f"        loop({', '.join(pieces)})"]
    return "\n".join(lines) + "\n"


def guarded_loop(
    arguments: Formula, compute: str, loads: dict[str, str], flat: list[str], step: list[str]
) -> list[str]:
    """A loop with sin or cos in it, block by block: the fast one where all of the block's `arguments` are below the
    limit up to which their range reduction is exact, else the slow one that is right for all (see cpu/math.py)."""
    statements, values = body(arguments, compute, loads)
    lines = [f"    for lo in range(0, {flat[0]}.size, 256):"]
    lines += [f"        {name}_ = {name}[lo:lo + 256]" for name in flat]
    lines += ["        far = 0", f"        for i in range({flat[0]}_.size):"]
    inside = [*statements, *(f"far += not abs({v}) < SIN_LIMIT" for v in values)]
    sliced = {f"{name}[i]": f"{name}_[i]" for name in flat}

    def on_block(text: str, functions: dict[str, str]) -> str:
        for old, new in (*sliced.items(), *functions.items()):
            text = re.sub(rf"\b{re.escape(old)}", new, text)
        return text

    anywhere = {f"{f}(": f"{f}_any(" for f in GUARDED}
    lines += [f"            {on_block(s, anywhere)}" for s in inside]
    for test, functions in (("if far == 0:", {}), ("else:", anywhere)):
        lines += [f"        {test}", f"            for i in range({flat[0]}_.size):"]
        lines += [f"                {on_block(s, functions)}" for s in step]
    return lines


PIECE = 16384  # elements that one thread takes at a time: 64 KiB of float32 each way, inside a core's own cache


def print_strided(formula: Formula, signature: Signature, dimensions: int) -> str:
    """Nested loops over `dimensions` dimensions, outermost first.

    Each array comes as (buffer, offset, stride per dimension), all in elements; the result too. In the innermost
    dimension the access of an operand is 'unit' (neighbours in memory), 'fixed' (stride 0: a broadcast operand, read
    once per row), 'strided', or 'number'. `signature.access[-1]` is that of the result.

    Printed functions, the second for two dimensions or more, both of (shape, result, result_at, x, x_at, ...), where a
    number comes without `_at`: loop and loop_parallel. In place, there is no result: it goes into the first input.
    """
    inner, in_place = dimensions - 1, signature.in_place
    arguments = ["shape"] if in_place else ["shape", "result", "result_at"]
    bases, loads, once = [], {}, []

    def base(name: str) -> str:
        steps = [f"i{d} * {name}_at[{d + 1}]" for d in range(inner)]
        return " + ".join([f"{name}_at[0]", *steps])

    def row(name: str, access: str) -> str:  # prints what is done once per row, gives the text of one element
        bases.append(f"{name}_row = {base(name)}")
        if access == "unit":
            bases.append(f"{name}_ = {name}[{name}_row:{name}_row + n]")
            return f"{name}_[i]"
        return f"{name}[{name}_row + i * {name}_at[{dimensions}]]"

    for k, (name, access) in enumerate(zip(formula.inputs, signature.access, strict=False)):
        if access == "number":
            arguments.append(name)
            once.append(f"{name}_i = {load(formula, signature, k, name)}")
            loads[name] = f"{name}_i"
            continue
        arguments += [name, f"{name}_at"]
        if access == "fixed":
            bases.append(f"{name}_i = {load(formula, signature, k, f'{name}[{base(name)}]')}")
            loads[name] = f"{name}_i"
        else:
            element = row(name, access)
            loads[name] = load(formula, signature, k, element)
            if in_place and k == 0:
                target = element
    if not in_place:
        target = row("result", signature.access[-1])
    statements, values = body(formula, signature.compute, loads)
    lines = header(formula, signature.compute)
    lines += ["@jit", f"def loop({', '.join(arguments)}):", f"    n = shape[{inner}]"]
    lines += [f"    {line}" for line in once]
    indent = "    "
    for d in range(inner):
        lines.append(f"{indent}for i{d} in range(shape[{d}]):")
        indent += "    "
    lines += [indent + line for line in bases]
    lines += [f"{indent}for i in range(n):"]
    lines += [f"{indent}    {s}" for s in (*statements, f"{target} = {values[0]}")]
    return "\n".join([*lines, *parallel_twin(arguments, dimensions)]) + "\n"


def parallel_twin(arguments: list[str], dimensions: int) -> list[str]:
    """A second function, which cuts the outermost dimension into pieces and gives each to the first."""
    if dimensions == 1:
        return []
    passed = []
    for a in arguments:
        if a == "shape":
            passed.append(f"(hi - lo, {', '.join(f'shape[{d}]' for d in range(1, dimensions))})")
        elif a.endswith("_at"):
            strides = ", ".join(f"{a}[{d + 1}]" for d in range(dimensions))
            passed.append(f"({a}[0] + lo * {a}[1], {strides})")
        else:
            passed.append(a)
    lines = ["", "", "@jit(parallel=True)", f"def loop_parallel({', '.join(arguments)}):"]
    lines += ["    pieces = min(shape[0], 256)", "    for piece in prange(pieces):"]
    lines += ["        lo = piece * shape[0] // pieces", "        hi = (piece + 1) * shape[0] // pieces"]
    return [*lines, f"        loop({', '.join(passed)})"]
