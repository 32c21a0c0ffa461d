"""A machine for straight-line programs: one loop that runs any of them.

The problem. A scalar program of 100,000 operations is a list of lines such as t7 = t3 * t5. Printed as Python source
it would be a function of 100,000 lines, and LLVM would work on it for minutes. Interpreted by Python, each line costs
100 ns.

The idea. Do not compile the program, compile its *interpreter*: a loop that looks at the next operation and at the
places of its operands. The program itself is data, four arrays of whole numbers:

    line            t0 = a * b      t1 = t0 + a     t2 = tanh(t1)
    registers t     a  b | t0 t1 t2                                     the inputs first, then a place for each line
    code            mul             add             tanh
    x, y, z         0, 1            2, 0            3                   where the operands are

The machine is compiled once, in seconds, and kept on disk; a program is ready as soon as it is written down. A line
takes some 2 ns: fetching the operation, and a jump through a table that the processor mostly predicts, since programs
repeat themselves.

The text of the loop is printed from the list of primitives, one branch for each. Functions are those of the C
library, which Python's `math` calls too. The vectorised ones of math.py would gain nothing where lines are run one at a
time; this way a program gives the same bits as Python does on floats (and the machine compiles in a fifth of the time).

Source: J. Bell, Threaded code, CACM 16(6), 1973; R. Wengert, A simple automatic derivative evaluation program,
CACM 7(8), 1964, for programs as lists of lines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ..cache import load_source
from ..calculus import PRIMITIVES
from ..expr import INFIX, Expr, render

X, Y, Z = (Expr.input(name) for name in ("x", "y", "z"))
PLACES = {id(X): "t[x[k]]", id(Y): "t[y[k]]", id(Z): "t[z[k]]"}
FROM_NUMPY = ("floor", "ceil", "trunc", "rint", "fmod")  # of which Python's `math` gives whole numbers, or nothing
PAIRS = ("atan2", "copysign", "fmod")

# What each line may do, as an expression of its operands. Truth values are 1.0 and 0.0.
LINES: dict[str, Expr] = {
    **{name: Expr(name, (X, Y)) for name in INFIX if name in "add sub mul div pow lt le gt ge eq ne".split()},
    "neg": -X,
    "where": Expr("where", (X, Y, Z)),
    "bitwise_and": (X != 0.0) & (Y != 0.0),
    "bitwise_or": (X != 0.0) | (Y != 0.0),
    **{name: Expr(name, (X, Y) if name in PAIRS else (X,)) for name in PRIMITIVES},
    "exp2": Expr("pow", (Expr.of(2.0), X)),  # as in floats.py
}
CODES = {name: number for number, name in enumerate(LINES)}


def print_machine() -> str:
    """The source of the loop."""
    from_math = [name for name in ("pow", *PRIMITIVES) if name not in (*FROM_NUMPY, "abs", "exp2")]
    lines = ['"""Runs a tape, line by line.', "", "Printed by tinygrad_kernels.cpu.tape.", '"""']
    lines += [f"from math import {', '.join(from_math)}", "", f"from numpy import {', '.join(FROM_NUMPY)}", ""]
    lines += ["from tinygrad_kernels.cpu.jit import jit", "", "", "@jit", "def run(t, first, code, x, y, z):"]
    lines += ["    for k in range(code.size):", "        op = code[k]"]
    for name, number in CODES.items():
        lines += [f"        {'elif' if number else 'if'} op == {number}:  # {name}"]
        lines += [f"            t[first + k] = {render(LINES[name], PLACES, pow_call=True)}"]
    return "\n".join(lines) + "\n"


@cache
def machine() -> Callable[..., None]:
    """The loop: run(t, first, code, x, y, z) computes t[first], t[first + 1], ..., a line of the program each.

    `t` is float64, `code` uint8, `first` and the elements of x, y and z are uint32: a signed index might count from
    the end, and that would be asked at each line.
    """
    return load_source(print_machine(), "tape").run
