"""Prints reductions for the GPU: a formula folded along an axis while it is computed.

What threads, warps and blocks do together is in monoids.py. Here is what differs from formula to formula: the
loop in which one thread reads its elements. It reads four before it joins any, so that four requests to memory
are under way at once; waiting for each in turn would leave most of the bandwidth unused.

    rows       a block to a row or a piece of it; neighbouring threads read neighbouring elements
    narrow     a warp to a row
    columns    32 threads side by side on 32 columns, 8 of these rows of threads below each other

A formula's operands keep their names, so no variable of a kernel here may be called like one of them.
"""

from __future__ import annotations

from ..codegen import Signature
from ..expr import Formula
from .codegen import element, header, number_type, term
from .monoids import divisor_type, monoid

READ = """    while {last} < {stop}:
{four}
        {i} += 4 * {step}
    while {i} < {stop}:
        {at_0}
        p, q = lift({element_0}, {i})
        first, second = join(first, second, p, q)
        {i} += {step}
"""

ROWS = """@kernel("{kinds}")
def rows(result, firsts, seconds, width, pieces, divisor, {arguments}):
    row, piece = cuda.blockIdx.x // pieces, cuda.blockIdx.x % pieces
    length = (width + pieces - 1) // pieces
    stop = min((piece + 1) * length, width)
    begin = row * width
    i = piece * length + cuda.threadIdx.x
    first, second = identity()
{read_block}    first, second = join_block(first, second)
    if cuda.threadIdx.x == 0:
        if pieces == 1:
            result[row] = finish(first, second, divisor)
        else:
            firsts[cuda.blockIdx.x], seconds[cuda.blockIdx.x] = first, second


@kernel("{narrow_kinds}")
def narrow(result, n, width, divisor, {arguments}):
    row = cuda.blockIdx.x * {warps} + cuda.threadIdx.y
    stop = width if row < n else 0
    begin = row * width
    i = cuda.threadIdx.x
    first, second = identity()
{read_warp}    first, second = join_warp(first, second)
    if cuda.threadIdx.x == 0 and row < n:
        result[row] = finish(first, second, divisor)
"""

COLUMNS = """@kernel("{kinds}")
def columns(result, firsts, seconds, height, width, pieces, divisor, {arguments}):
    tiles = (width + {warp} - 1) // {warp}
    column = cuda.blockIdx.x % tiles * {warp} + cuda.threadIdx.x
    piece, outer = cuda.blockIdx.x // tiles % pieces, cuda.blockIdx.x // tiles // pieces
    length = (height + pieces - 1) // pieces
    stop = min((piece + 1) * length, height) if column < width else 0
    begin = outer * height * width + column
    i = piece * length + cuda.threadIdx.y
    first, second = identity()
{read_column}    kept_a, kept_b = cuda.shared.array(({warps}, {warp}), A), cuda.shared.array(({warps}, {warp}), B)
    kept_a[cuda.threadIdx.y, cuda.threadIdx.x], kept_b[cuda.threadIdx.y, cuda.threadIdx.x] = first, second
    cuda.syncthreads()
    if cuda.threadIdx.y == 0 and column < width:
        for k in range(1, {warps}):
            first, second = join(first, second, kept_a[k, cuda.threadIdx.x], kept_b[k, cuda.threadIdx.x])
        if pieces == 1:
            result[outer * width + column] = finish(first, second, divisor)
        else:
            at = (outer * pieces + piece) * width + column
            firsts[at], seconds[at] = first, second
"""


def _read(formula: Formula, signature: Signature, step: int, stride: str) -> str:
    """The loop of one thread: elements i, i + step, ... up to `stop`, each `stride` times as far in memory."""
    operands = list(zip(formula.inputs, signature.access, strict=True))

    def term_at(k: int) -> str:
        return f"term({', '.join(element(name, access, f'at_{k}') for name, access in operands)})"

    def place(k: int) -> str:
        i = f"(i + {k * step})" if k else "i"
        return f"at_{k} = begin + {i}{stride}"

    four = [place(k) for k in range(4)] + [f"x_{k} = {term_at(k)}" for k in range(4)]
    for k in range(4):
        four += [f"p, q = lift(x_{k}, i + {k * step})", "first, second = join(first, second, p, q)"]
    return READ.format(
        last=f"i + {3 * step}", stop="stop", i="i", step=step, four="\n".join(" " * 8 + line for line in four),
        at_0=place(0), element_0=term_at(0),
    )  # fmt: skip


def _frame(formula: Formula, signature: Signature, op: str, names: str) -> str:
    """What stands above the kernels: imports, the functions of the monoid, the term."""
    imports = ["import numba", "from tinygrad_kernels.cuda.monoids import meetings, monoid"]
    lines = header(formula, signature.compute, imports)[:-1]
    dtype = signature.compute
    lines += [
        f'(A, B), identity, lift, join, finish = monoid("{op}", "{dtype}")',
        "A, B = getattr(numba, A), getattr(numba, B)",
    ]
    lines += [f'{names} = meetings("{op}", "{dtype}")', "", ""]
    return "\n".join([*lines, *term(formula, signature), ""])[:-1]


def _kinds(signature: Signature) -> list[str]:
    pairs = zip(signature.dtypes, signature.access, strict=True)
    return [number_type(signature.compute) if how == "number" else f"{d}*" for d, how in pairs]


def print_rows(formula: Formula, signature: Signature, op: str, result: str) -> str:
    """Kernels rows(result, firsts, seconds, width, pieces, divisor, *inputs), narrow(result, n, width, divisor, ...)"""
    A, B = monoid(op, signature.compute).dtypes
    divisor, inputs = divisor_type(signature.compute), _kinds(signature)
    return _frame(formula, signature, op, "join_warp, join_block") + ROWS.format(
        kinds=", ".join([f"{result}*", f"{A}*", f"{B}*", "int64", "int64", divisor, *inputs]),
        narrow_kinds=", ".join([f"{result}*", "int64", "int64", divisor, *inputs]),
        arguments=", ".join(formula.inputs),
        read_block=_read(formula, signature, 256, ""),
        read_warp=_read(formula, signature, 32, ""),
        warps=8,
    )


def print_columns(formula: Formula, signature: Signature, op: str, result: str) -> str:
    """The kernel columns(result, firsts, seconds, height, width, pieces, divisor, *inputs)."""
    A, B = monoid(op, signature.compute).dtypes
    kinds = [f"{result}*", f"{A}*", f"{B}*", "int64", "int64", "int64", divisor_type(signature.compute)]
    return _frame(formula, signature, op, "join_warp, join_block") + COLUMNS.format(
        kinds=", ".join([*kinds, *_kinds(signature)]),
        arguments=", ".join(formula.inputs),
        read_column=_read(formula, signature, 8, " * width"),
        warp=32,
        warps=8,
    )
