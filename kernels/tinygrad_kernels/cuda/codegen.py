"""Prints a traced formula as a kernel for the GPU.

The problem is that of ../codegen.py; the answer differs in one thing. On the CPU a loop goes over all elements. On the
GPU there is no loop: each thread computes one element (or four), and a launch has as many threads as it takes.

    @device
    def term(x):
        return float32(1.0) / (float32(1.0) + exp(-x))

    @kernel("float32*, float32*, int64")
    def flat(result, x, n):
        i = cuda.grid(1)                 which thread am I?
        if i < n:                        the last block may have threads to spare
            result[i] = term(x[i])

The formula is a function of its own, `term`, which the compiler puts in its place. Kernels are printed for the access
of each operand, as in ../codegen.py: 'flat' x[i], 'one' x[0], 'number' x. A *vector* kernel takes four neighbours at a
time.

Reductions are in codegen_reduction.py.

Source: CUDA C++ Best Practices Guide, section 10.2 (coalesced access: neighbouring threads read neighbouring elements).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..codegen import FUNCTIONS, NUMBA_NAMES, Signature, body, load, results_of
from ..expr import Formula, walk


def header(formula: Formula, compute: str, extra: Sequence[str] = ()) -> list[str]:
    """The first lines of a printed file: what it computes, and its imports."""
    called = sorted({e.op for e in walk(formula.outputs)} & {*FUNCTIONS, "sqrt"}) if "float" in compute else []
    lines = [f'"""{formula!r}', "", "Printed by tinygrad_kernels.cuda.codegen; the formula is in calculus/.", '"""']
    lines += ["from math import inf, nan", "", f"from numba import {NUMBA_NAMES.get(compute, compute)}", ""]
    lines += ["from tinygrad_kernels.cuda.device import cuda, uint32"]
    lines += ["from tinygrad_kernels.cuda.jit import device, kernel"]
    lines += [f"from tinygrad_kernels.cuda.math import {f}_{compute} as {f}" for f in called]
    return [*lines, *extra, "", ""]


def term(formula: Formula, signature: Signature) -> list[str]:
    """The formula as a function of one element of each operand."""
    loads = {name: load(formula, signature, k, name) for k, name in enumerate(formula.inputs)}
    statements, values = body(formula, signature.compute, loads)
    T = NUMBA_NAMES.get(signature.compute, signature.compute)
    if len(values) == 1 and formula.outputs[0].op in ("const", "input"):
        values = [f"{T}({values[0]})"]
    lines = ["@device", f"def term({', '.join(formula.inputs)}):", *(f"    {s}" for s in statements)]
    return [*lines, f"    return {', '.join(values)}", "", ""]


def number_type(compute: str) -> str:
    """The type in which a Python number comes to a kernel."""
    return compute if "float" in compute else "int64"


def types_of(signature: Signature, results: Sequence[str]) -> list[str]:
    """The types of a kernel's (*results, *inputs)."""
    pairs = zip(signature.dtypes, signature.access, strict=False)
    inputs = [number_type(signature.compute) if how == "number" else f"{d}*" for d, how in pairs]
    return [*(f"{r}*" for r in results), *inputs]


def element(name: str, access: str, at: str) -> str:
    """The text that reads one element of an operand."""
    return {"flat": f"{name}[{at}]", "one": f"{name}[0]", "number": name}[access]


def print_flat(formula: Formula, signature: Signature, results: Sequence[str]) -> str:
    """Kernels over contiguous operands: flat(*results, *inputs, n), and flat4 where four float32 can be had at once.

    `results`: the dtypes of the results that are not stored in the first inputs (`signature.in_place`).
    """
    inputs, operands = formula.inputs, list(zip(formula.inputs, signature.access, strict=True))
    new = results_of(formula)[signature.in_place :]
    targets = [*inputs[: signature.in_place], *new]
    kinds = ", ".join([*types_of(signature, results), "int64"])
    flat = [name for name, access in operands if access == "flat"]

    def step(at: str, indent: str) -> list[str]:
        call = f"term({', '.join(element(name, access, at) for name, access in operands)})"
        return [f"{indent}{', '.join(f'{t}[{at}]' for t in targets)} = {call}"]

    vector = can_take_four(signature, results)
    extra = ["from tinygrad_kernels.cuda.vectors import load4, store4"] if vector else []
    lines = [*header(formula, signature.compute, extra), *term(formula, signature)]
    head = f"({', '.join((*new, *inputs, 'n'))}):"
    lines += [f'@kernel("{kinds}")', f"def flat{head}", "    i = cuda.grid(1)", "    if i < n:", *step("i", " " * 8)]
    if vector:
        lines += ["", "", f'@kernel("{kinds}")', f"def flat4{head}", "    i = 4 * cuda.grid(1)", "    if i + 3 < n:"]
        lines += [f"        {', '.join(f'{name}{k}' for k in range(4))} = load4({name}, i)" for name in flat]
        for k in range(4):
            given = [f"{name}{k}" if access == "flat" else element(name, access, "") for name, access in operands]
            lines.append(f"        {', '.join(f'{t}_{k}' for t in targets)} = term({', '.join(given)})")
        lines += [f"        store4({t}, i, {', '.join(f'{t}_{k}' for k in range(4))})" for t in targets]
        lines += ["    else:", "        for k in range(i, n):", *step("k", " " * 12)]
    return "\n".join(lines) + "\n"


def can_take_four(signature: Signature, results: Sequence[str]) -> bool:
    """Is everything that is read or written in a row float32?"""
    flat = [d for d, access in zip(signature.dtypes, signature.access, strict=False) if access == "flat"]
    return signature.compute == "float32" and {*flat, *results} == {"float32"}


def print_strided(formula: Formula, signature: Signature, dimensions: int, results: Sequence[str], index: str) -> str:
    """A kernel over strided operands, whose threads find their place by dividing.

    strided(n, size_1, ..., result, result_at, result_0, ..., x, x_at, x_0, ...): `size_d` the sizes of all dimensions
    but the first, `x_at` where x begins, `x_d` its strides, in elements. In place, there is no result.
    `index` is the integer that is divided: uint32 where n fits, since a division of 64 bits takes several times as
    long.
    """
    inner = range(1, dimensions)
    arguments, kinds = ["n", *(f"size_{d}" for d in inner)], ["int64", *[index] * len(inner)]

    def strided(name: str, dtype: str) -> str:
        arguments.extend([name, f"{name}_at", *(f"{name}_{d}" for d in range(dimensions))])
        kinds.extend([f"{dtype}*", *["int64"] * (dimensions + 1)])
        return f"{name}[{name}_at{''.join(f' + i{d} * {name}_{d}' for d in range(dimensions))}]"

    target = strided("result", results[0]) if results else ""
    reads = []
    for name, dtype, access in zip(formula.inputs, signature.dtypes, signature.access, strict=False):
        if access == "number":
            arguments.append(name)
            kinds.append(number_type(signature.compute))
            reads.append(name)
        else:
            reads.append(strided(name, dtype))
    lines = header(formula, signature.compute, ["from numba import int64"] if signature.compute != "int64" else [])
    lines += term(formula, signature)
    lines += [f'@kernel("{", ".join(kinds)}")', f"def strided({', '.join(arguments)}):", "    i = cuda.grid(1)"]
    lines += ["    if i < n:", f"        rest = {index}(i)"]
    for d in reversed(inner):
        lines += [f"        i{d} = rest % size_{d}", f"        rest = rest // size_{d}"]
    lines += ["        i0 = rest", f"        {target or reads[0]} = term({', '.join(reads)})"]
    return "\n".join(lines) + "\n"
