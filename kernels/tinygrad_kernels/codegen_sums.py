"""Prints several sums over the same rows as one loop, which may store results on its way.

The problem. The loss of a cubic fitted by hand, and its four gradients, are five sums over the same two arrays. As five
kernels they read x and y five times, and compute the same residual five times.

The idea. One loop with five totals. The formulas of all of them are one function, `term`, whose common parts are
computed once; besides the terms of the sums it may give results that are stored, for whoever needs them later.

    term(x, y)        ->  (term of sum 0, term of sum 1, ..., result 0, ...)
    block_totals(...)     the totals of a block of elements; results are stored
    rows(...)             joins the blocks of each row as codegen_reduction.py does, with the same accuracy

Blocks are those of a single sum, so that a sum has the same bits whether or not it shares its loop.

Source: codegen_reduction.py, of which this is the form for many sums.
"""

from __future__ import annotations

from .codegen import NUMBA_NAMES, Signature, body, header, load
from .codegen_reduction import Monoid, imports
from .expr import Formula

SUMS = """@jit
def term({inputs}):
{statements}
    return {values}


@jit(accumulate=True)
def block_totals({stores_and_inputs}):
    {start}
    for i in range({first}.size):
        {terms} = term({elements})
        {step}
    return {wides}


@jit
def rows({arguments}):
    for row in range(sum0.size):
        {begin}
        end = (row + 1) * width
        for lo in range(row * width, end, {block}):
            hi = min(lo + {block}, end)
            {blocks} = block_totals({cut})
            {join}
        {finish}


@jit(parallel=True)
def rows_parallel({arguments}):
    blocks = (width + {block} - 1) // {block}
    totals = empty((sum0.size * blocks, {count}), {wide})
    for task in prange(totals.shape[0]):
        end = (task // blocks + 1) * width
        lo = end - width + task % blocks * {block}
        hi = min(lo + {block}, end)
        {blocks} = block_totals({cut})
        {keep}
    for row in prange(sum0.size):
        {begin}
        for k in range(row * blocks, (row + 1) * blocks):
            {fetch}
            {join}
        {finish}
"""


def print_sums(formula: Formula, signature: Signature, count: int) -> str:
    """The first `count` outputs summed over rows, the others stored.

    Printed functions: rows and rows_parallel of (*sums, *stores, width, *divisors, *inputs). `signature.access` is
    'flat', 'one' or 'number' per input, at least one of them 'flat'; all stores are flat. Each sum is divided by its
    divisor.
    """
    T = signature.compute
    monoid = Monoid("sum", T)
    sums, stores = range(count), [f"store{k}" for k in range(len(formula.outputs) - count)]
    inputs, operands = list(formula.inputs), list(zip(formula.inputs, signature.access, strict=True))
    statements, values = body(formula, T, {name: load(formula, signature, k, name) for k, name in enumerate(inputs)})
    texts = {"flat": "{0}[i]", "one": "{0}[0]", "number": "{0}"}
    cast = NUMBA_NAMES.get(T, T)
    of_sums = [f"{cast}({v})" for v in values[:count]]
    terms = [*(f"term{k}" for k in sums), *(f"value{k}" for k in range(len(stores)))]
    steps = [*(f"total{k} += term{k}" for k in sums), *(f"{s}[i] = value{k}" for k, s in enumerate(stores))]

    def lines(texts: list[str], indent: int) -> str:
        return ("\n" + " " * indent).join(texts)

    def listed(texts: list[str]) -> str:
        return ", ".join(texts)

    pieces = [f"{s}[lo:hi]" for s in stores]
    pieces += [f"{name}[lo:hi]" if access == "flat" else name for name, access in operands]
    divisors = [f"divisor{k}" for k in sums]
    text = SUMS.format(
        inputs=listed(inputs),
        statements="\n".join(f"    {s}" for s in statements) or "    pass",
        values=listed([*of_sums, *values[count:]]) + ("," if len(values) == 1 else ""),
        stores_and_inputs=listed([*stores, *inputs]),
        start=lines([f"total{k} = {monoid.lane}(0)" for k in sums], 4),
        first=next(name for name, access in operands if access == "flat"),
        terms=listed(terms) + ("," if len(terms) == 1 else ""),
        elements=listed([texts[access].format(name) for name, access in operands]),
        step=lines(steps, 8),
        wides=listed([f"{monoid.wide}(total{k})" for k in sums]) + ("," if count == 1 else ""),
        arguments=listed([*(f"sum{k}" for k in sums), *stores, "width", *divisors, *inputs]),
        begin=lines([f"high{k}, low{k} = {monoid.wide}(0), {monoid.wide}(0)" for k in sums], 8),
        block=monoid.block,
        blocks=listed([f"block{k}" for k in sums]) + ("," if count == 1 else ""),
        cut=listed(pieces),
        join=lines([f"high{k}, low{k} = add(high{k}, low{k}, block{k})" for k in sums], 12),
        finish=lines([f"sum{k}[row] = finish(high{k}, low{k}, divisor{k})" for k in sums], 8),
        count=count,
        wide=monoid.wide,
        keep=lines([f"totals[task, {k}] = block{k}" for k in sums], 8),
        fetch=lines([f"block{k} = totals[k, {k}]" for k in sums], 12),
    )
    return "\n".join(header(formula, T, imports(monoid, T))).rstrip() + "\n\n\n" + text
