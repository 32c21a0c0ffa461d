"""Prints reductions: a formula folded along an axis while it is computed.

The problem. `((x - y) ** 2).sum()` need not write the squares to memory to read them again; and the gradient of
an operand that was broadcast is a product summed over the broadcast axes. One pass over memory does for both.

The idea. A reduction is a loop around the formula (the *prologue*), printed like every other. Any reduction of a
contiguous array is one of two:

    rows      (rows, width) -> (rows,)                       the last axes go; all elements together are one row
    columns   (outer, height, width) -> (outer, width)       axes before the last go

What is done to the elements must only be *associative*, with an identity for the empty array: a monoid. Then the array
may be cut into blocks, and the blocks reduced by anybody, in any number of lanes, as long as they are joined in order.

            identity    join          an element is first made into
    sum     0           a + b         itself
    prod    1           a * b         a number of 64 bits
    max     lowest      max(a, b)     an integer that sorts as it does, nan above all (cpu/reduction.py)
    min     lowest      max(a, b)     the complement of that integer, nan above all
    any     0           a | b         x != 0
    all     0           a | b         x == 0: the question is whether there is one, and the answer is reversed

`argmax` and `argmin` find the place of what max and min find, the first of several: the block in which the best one
stands is noticed while the maxima of blocks are joined, and is then searched (codegen_extrema.py).

How to add a million numbers. One running float32 total loses digits: each addition rounds to the size of the total.
So short blocks are added in the loop's own dtype, in several lanes at once (that is what vectorises); the
blocks are added in float64 with the rounding error of each addition carried along. As fast as the plain loop, and more
accurate than a pairwise sum. Rows are cut into blocks by their length only, and the blocks are added in order whoever
computed them, so one thread and sixteen give the same bits.

The flag that lets the compiler use lanes ('reassoc') must not touch the formula itself, so that has a function of its
own, `term`, unless it only multiplies.

Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54, 1974;
N. Higham, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), 1993; for reductions as monoids,
G. Blelloch, Vector Models for Data-Parallel Computing, 1990.
"""

from __future__ import annotations

from collections.abc import Callable

from .codegen import NUMBA_NAMES, Signature, body, header, load
from .codegen_extrema import ARG_COLUMNS, ARG_ROWS, EVERY_BLOCK
from .expr import Expr, Formula, render, walk

BLOCK_TOTAL = """
{term}@jit{reordered}
def block_total({arguments}):
    total = {lane}({identity})
    for i in range({first}.size):
        total = {step}
    return {wide}(total)
"""

ROWS = (
    """

@jit
def rows(result, width, divisor, {arguments}):
    for row in range(result.size):
        total, rest, end = {wide}({identity}), {wide}(0), (row + 1) * width
        for lo in range(row * width, end, {block}):
            hi = min(lo + {block}, end)
            total, rest = add(total, rest, block_total({cut}))
        result[row] = finish(total, rest, divisor)

"""
    + EVERY_BLOCK
    + """    for row in prange(result.size):
        total, rest = {wide}({identity}), {wide}(0)
        for k in range(row * blocks, (row + 1) * blocks):
            total, rest = add(total, rest, totals[k])
        result[row] = finish(total, rest, divisor)
"""
)

COLUMNS = """
{term}@jit
def tile_totals(totals, start, stop, width, left, {arguments}):
    # Joins rows [start, stop), columns [left, left + totals.size): 32 rows at a time in {lane}, then into `totals`.
    n = totals.size
    partial = empty(n, {lane})
    totals[:] = {identity}
    for top in range(start, stop, 32):
        partial[:] = {identity}
        bottom = min(top + 32, stop)
        fours = top + (bottom - top) // 4 * 4
        for row in range(top, fours, 4):
            at = row * width + left
{four_rows}
            for i in range(n):
                partial[i] = {four_steps}
        for row in range(fours, bottom):
            at = row * width + left
{one_row}
            for i in range(n):
                partial[i] = {one_step}
        for i in range(n):
            totals[i] = {join_partial}


@jit
def columns(result, height, width, divisor, {arguments}):
    totals, total = empty(min(width, 2048), {wide}), empty(min(width, 2048), {wide})
    for outer in range(result.size // max(width, 1)):
        for left in range(0, width, 2048):
            n = min(2048, width - left)
            total[:] = {identity}
            for start in range(outer * height, (outer + 1) * height, 1024):
                stop = min(start + 1024, (outer + 1) * height)
                tile_totals(totals[:n], start, stop, width, left, {arguments})
                for i in range(n):
                    total[i] = {join_totals}
            for i in range(n):
                result[outer * width + left + i] = finish(total[i], {wide}(0), divisor)


@jit(parallel=True)
def columns_parallel(result, height, width, divisor, {arguments}):
    spans, lefts = (height + 1023) // 1024, (width + 2047) // 2048
    groups = result.size // max(width, 1) * lefts
    totals = empty((groups * spans, min(width, 2048)), {wide})
    for task in prange(groups * spans):
        group, span = task // spans, task % spans
        outer, left = group // lefts, group % lefts * 2048
        start = outer * height + span * 1024
        stop = min(start + 1024, (outer + 1) * height)
        tile_totals(totals[task, : min(2048, width - left)], start, stop, width, left, {arguments})
    for group in prange(groups):
        outer, left = group // lefts, group % lefts * 2048
        for i in range(min(2048, width - left)):
            total = {wide}({identity})
            for task in range(group * spans, (group + 1) * spans):
                total = {join_task}
            result[outer * width + left + i] = finish(total, {wide}(0), divisor)
"""

# An integer of the same width, to compare and to join in: twice as many lanes as in 64 bits
SAME_WIDTH = {"bool": "int8", "uint8": "int16", "float32": "int32", "float64": "int64"}
LOWEST = {"int8": -(2**7), "int16": -(2**15), "int32": -(2**31), "int64": -(2**63)}


class Monoid:
    """What is printed for one operation on elements of dtype T: see the table above.

    `lane` is the dtype in which a block is reduced, `wide` that of the totals of blocks; `lift` makes an element into a
    `lane`, `join` joins two of them. `add` and `finish` are functions of cpu/reduction.py.
    """

    def __init__(self, op: str, T: str) -> None:
        floating = "float" in T
        self.identity: float = 0
        self.lane, self.wide, self.lift, self.join = T, "float64" if floating else "int64", "{0}", "{0} + {1}"
        self.add, self.finish = ("add", "finish") if floating else ("add_exact", "finish_exact")
        self.reordered = op in ("sum", "prod")  # may the compiler use lanes? Integers need no permission
        self.block = 4096
        if self.reordered:  # totals in float64 get a correction for each block: fewer of them where that is their dtype
            self.block = 1024 if T == "float32" else 512
        if op == "prod":
            self.identity, self.lane, self.lift, self.join = 1, self.wide, f"{self.wide}({{0}})", "{0} * {1}"
            self.add, self.finish = "multiply", "finish_exact"
        elif op in ("any", "all"):
            self.lane, self.wide = SAME_WIDTH.get(T, T), "int64"
            self.lift = f"{self.lane}({{0}} {'!=' if op == 'any' else '=='} 0)"
            self.join = f"{self.lane}({{0}} | {{1}})"
            self.add, self.finish = "either", f"finish_{op}"
        elif op != "sum":  # max, min, argmax, argmin
            self.lane, self.wide, self.join = SAME_WIDTH.get(T, T), "int64", "max({0}, {1})"
            self.identity = LOWEST[self.lane]
            way, place = op[-3:], op.startswith("arg")
            if floating:  # the place of the first 0: -0.0 + 0 is 0.0, so that both sort alike
                self.lift = f"key_{way}_{T}({{0}}{f' + {T}(0)' if place else ''})"
                self.finish = f"finish_{way}_{T}"
            else:
                self.lift = f"{self.lane}({'~' if way == 'min' else ''}{self.lane}({{0}}))"
                self.finish = f"finish_{way}"
            self.add = "larger"


def print_reduction(formula: Formula, signature: Signature, columns: bool, op: str = "sum") -> str:
    """A formula over contiguous arrays, reduced by `op` over rows (or columns).

    `signature.access` is 'flat', 'one' or 'number' per input, at least one of them 'flat'. Sums and products of
    integers are int64, of floats float64 until they are stored. The result of argmax and argmin is int64: the
    place in the row (or column).

    Printed functions, each with a twin of the same arguments, rows_parallel and columns_parallel:
        rows(result, width, divisor, *inputs)
        columns(result, height, width, divisor, *inputs)
    A float sum is divided by `divisor` (1.0, or the number of elements for a mean; ignored by all others).
    """
    T = signature.compute
    monoid = Monoid(op, T)
    operands = list(zip(formula.inputs, signature.access, strict=True))
    flat = [name for name, access in operands if access == "flat"]
    term, element = prologue(formula, signature, monoid)

    def row_slices(rows: int, indent: int = 12) -> str:
        step = {0: "at", 1: "at + width", 2: "at + 2 * width", 3: "at + 3 * width"}
        lines = [f"{n}{k} = {n}[{step[k]}:{step[k]} + n]" for k in range(rows) for n in flat]
        return "\n".join(" " * indent + line for line in lines)

    def join(a: str, b: str) -> str:
        return monoid.join.format(a, b)

    def pair(a: str, b: str) -> str:
        return f"({join(a, b)})"

    if op.startswith("arg"):
        text = ARG_COLUMNS if columns else BLOCK_TOTAL + ARG_ROWS
    else:
        text = COLUMNS if columns else BLOCK_TOTAL + ROWS
    text = text.format(
        arguments=", ".join(formula.inputs),
        term=term,
        reordered="(accumulate=True)" if monoid.reordered else "",
        lane=monoid.lane,
        wide=monoid.wide,
        identity=monoid.identity,
        block=monoid.block,
        first=flat[0],
        element=element(""),
        element0=element("0"),
        step=join("total", element("")),
        one_step=join("partial[i]", element("0")),
        four_steps=join("partial[i]", pair(pair(element("0"), element("1")), pair(element("2"), element("3")))),
        join_partial=join("totals[i]", "partial[i]"),
        join_totals=join("total[i]", "totals[i]"),
        join_task=join("total", "totals[task, i]"),
        cut=", ".join(f"{n}[lo:hi]" if a == "flat" else n for n, a in operands),
        four_rows=row_slices(4),
        one_row=row_slices(1, 8 if op.startswith("arg") else 12),
    )
    return "\n".join(header(formula, T, imports(monoid, T))).rstrip() + "\n\n" + text


def prologue(formula: Formula, signature: Signature, monoid: Monoid) -> tuple[str, Callable[[str], str]]:
    """What is reduced: the text of the function `term` ("" where none is needed), and of the element at step i.

    The latter is a function of what is written behind the name of an array: "" for the array, "0" for its first row.
    """
    T, inputs = signature.compute, formula.inputs
    inside = {e.op for e in walk(formula.outputs)} <= {"input", "mul"}  # safe in a loop that may reorder additions
    statements, values = body(formula, T, {name: load(formula, signature, k, name) for k, name in enumerate(inputs)})
    function = ["@jit", f"def term({', '.join(inputs)}):", *(f"    {s}" for s in statements)]
    term = "" if inside else "\n".join([*function, f"    return {NUMBA_NAMES.get(T, T)}({values[0]})", "", "", ""])

    def element(row: str) -> str:
        texts = {"flat": "{}" + row + "[i]", "one": "{}[0]", "number": "{}"}
        each = [texts[access].format(name) for name, access in zip(inputs, signature.access, strict=True)]
        if not inside:
            return monoid.lift.format(f"term({', '.join(each)})")
        read = {id(Expr.input(name)): load(formula, signature, k, each[k]) for k, name in enumerate(inputs)}
        return monoid.lift.format(render(formula.outputs[0], read))

    return term, element


def imports(monoid: Monoid, T: str) -> list[str]:
    """The lines that import dtypes and the functions of cpu/reduction.py."""
    keys = [monoid.lift.split("(")[0]] if monoid.lift.startswith("key") else []
    dtypes = sorted({"int32", "int64", "float64", monoid.lane, monoid.wide} - {NUMBA_NAMES.get(T, T)})
    names = ", ".join([f"{monoid.add} as add", f"{monoid.finish} as finish", *keys])
    return [f"from numpy import empty, {', '.join(dtypes)}", "", f"from tinygrad_kernels.cpu.reduction import {names}"]
