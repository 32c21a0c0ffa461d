"""Symbolic expressions: what a formula becomes when it is traced.

The problem. `g * (1.0 - out * out)` is Python, and Python is slow. To run it over a million numbers it has to become
a loop that a compiler understands, and for that something must *see* the formula instead of its value.

The idea. Call the formula with operands that are names. `Expr` overloads the operators, so the call returns
a tree of what was done:

    >>> g, out = Expr.input("g"), Expr.input("out")
    >>> g * (1.0 - out * out)
    g * (1.0 - out * out)

Two tidy-ups happen while the tree grows. *Sharing*: asking twice for the same operation on the same operands gives
the same object, so the tree is really a directed acyclic graph and a common part is computed once. *Folding*:
an operation on constants is done at once, and `x * 1`, `x ** 2` become what they should. Only rewrites that hold
for every float are made: `x * 0` stays, because it is nan for inf, and `x + 0` stays, because it turns -0.0 into 0.0.

Source: R. Wengert, A simple automatic derivative evaluation program, CACM 7(8), 1964 (the list of operations);
A. Ershov, On programming of arithmetic operations, CACM 1(8), 1958 (sharing by hashing).
"""

from __future__ import annotations

import operator
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Union

from . import floats
from .calculus import OPERATIONS, PRIMITIVES, Elementwise

Operand = Union["Expr", float, int, bool]

INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**",
         "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
         "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "bitwise_left_shift": "<<",
         "bitwise_right_shift": ">>", "floor_divide": "//", "mod": "%"}  # fmt: skip
FOLD: dict[str, Callable] = {
    **PRIMITIVES, "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg,
    "div": floats.div, "pow": floats.pow, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge, "eq": operator.eq, "ne": operator.ne, "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
}  # fmt: skip

SMALL = 8  # operations and operands of an expression that is repeated rather than named

_shared: weakref.WeakValueDictionary[tuple, Expr] = weakref.WeakValueDictionary()


class Expr:
    """One operation on expressions: an input by name, a constant, or `op` applied to `args`.

    `op` is 'input' (then `value` is its name), 'const' (then `value` is the number), or the name of a primitive.
    """

    __slots__ = ("op", "args", "value", "__weakref__")

    op: str
    args: tuple[Expr, ...]
    value: Any

    def __new__(cls, op: str, args: tuple[Expr, ...] = (), value: Any = None) -> Expr:
        key = (op, *map(id, args)) if args else (op, type(value), repr(value))  # repr: 0.0 and -0.0 are two constants
        found = _shared.get(key)
        if found is None:
            found = object.__new__(cls)
            found.op, found.args, found.value = op, args, value
            _shared[key] = found
        return found

    @staticmethod
    def input(name: str) -> Expr:
        return Expr("input", (), name)

    @staticmethod
    def of(x: Operand) -> Expr:
        """x itself if it is an expression, else the constant x."""
        return x if isinstance(x, Expr) else Expr("const", (), x)

    # The operators: each builds one node.
    def __add__(self, y: Operand) -> Expr:
        return build("add", self, y)

    def __radd__(self, x: Operand) -> Expr:
        return build("add", x, self)

    def __sub__(self, y: Operand) -> Expr:
        return build("sub", self, y)

    def __rsub__(self, x: Operand) -> Expr:
        return build("sub", x, self)

    def __mul__(self, y: Operand) -> Expr:
        return build("mul", self, y)

    def __rmul__(self, x: Operand) -> Expr:
        return build("mul", x, self)

    def __truediv__(self, y: Operand) -> Expr:
        return build("div", self, y)

    def __rtruediv__(self, x: Operand) -> Expr:
        return build("div", x, self)

    def __pow__(self, y: Operand) -> Expr:
        return build("pow", self, y)

    def __rpow__(self, x: Operand) -> Expr:
        return build("pow", x, self)

    def __neg__(self) -> Expr:
        return build("neg", self)

    def __lt__(self, y: Operand) -> Expr:
        return build("lt", self, y)

    def __le__(self, y: Operand) -> Expr:
        return build("le", self, y)

    def __gt__(self, y: Operand) -> Expr:
        return build("gt", self, y)

    def __ge__(self, y: Operand) -> Expr:
        return build("ge", self, y)

    def __eq__(self, y: Operand) -> Expr:  # type: ignore[override]
        return build("eq", self, y)

    def __ne__(self, y: Operand) -> Expr:  # type: ignore[override]
        return build("ne", self, y)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(f"the truth of '{self}' is not known while tracing; use where(condition, a, b), not `if`")

    def __and__(self, y: Operand) -> Expr:
        return build("bitwise_and", self, y)

    def __or__(self, y: Operand) -> Expr:
        return build("bitwise_or", self, y)

    def __xor__(self, y: Operand) -> Expr:
        return build("bitwise_xor", self, y)

    def __lshift__(self, y: Operand) -> Expr:
        return build("bitwise_left_shift", self, y)

    def __rshift__(self, y: Operand) -> Expr:
        return build("bitwise_right_shift", self, y)

    def _where(self, x: Operand, y: Operand) -> Expr:
        return build("where", self, x, y)

    def __getattr__(self, name: str) -> Callable[..., Expr]:
        """The functions: a primitive builds a node; any other operation of the calculus is its formula, read here."""
        if name in PRIMITIVES:
            return lambda *operands: build(name, self, *operands)
        if name in OPERATIONS:
            return lambda *operands: OPERATIONS[name].forward(self, *operands)
        raise AttributeError(f"no operation '{name}' in the calculus")

    def __repr__(self) -> str:
        return render(self)


def build(op: str, *operands: Operand) -> Expr:
    """The expression `op(*operands)`, folded where that is exact."""
    args = tuple([x if type(x) is Expr else Expr.of(x) for x in operands])  # faster than a call for each
    if args[0].op == "const" and op in FOLD and all(a.op == "const" for a in args):
        return Expr("const", (), FOLD[op](*(a.value for a in args)))
    if op == "mul" and args[1].op == "const" and args[1].value == 1:
        return args[0]
    if op == "mul" and args[0].op == "const" and args[0].value == 1:
        return args[1]
    if op == "neg" and args[0].op == "neg":
        return args[0].args[0]
    if op == "where" and args[1] is args[2]:
        return args[1]
    if op == "pow" and args[1].op == "const" and args[1].value in (1, 2, 3):
        x, n = args[0], int(args[1].value)
        return x if n == 1 else x * x if n == 2 else x * x * x
    return Expr(op, args)


def walk(outputs: tuple[Expr, ...]) -> Iterator[Expr]:
    """Every expression that `outputs` are made of, operands before the operations that use them, each once."""
    seen: set[int] = set()
    stack = [(e, False) for e in reversed(outputs)]
    while stack:
        e, operands_done = stack.pop()
        if operands_done:
            yield e
        elif id(e) not in seen:
            seen.add(id(e))
            stack.append((e, True))
            stack.extend((a, False) for a in reversed(e.args) if id(a) not in seen)


def shared(outputs: tuple[Expr, ...]) -> list[Expr]:
    """The larger parts that are used more than once: written out each time, they would double with every level."""
    uses: Counter[int] = Counter(id(a) for e in walk(outputs) for a in e.args)
    sizes: dict[int, int] = {}
    found = []
    for e in walk(outputs):
        sizes[id(e)] = 1 + sum(sizes[id(a)] for a in e.args)
        if uses[id(e)] > 1 and sizes[id(e)] > SMALL:
            found.append(e)
            sizes[id(e)] = 1
    return found


def inputs_of(outputs: tuple[Expr, ...]) -> frozenset[str]:
    """The names of the inputs that the outputs really depend on."""
    return frozenset(e.value for e in walk(outputs) if e.op == "input")


def render(
    e: Expr, names: dict[int, str] | None = None, const: Callable[[Any], str] = repr, pow_call: bool = False
) -> str:
    """e as Python text; parts that have a name in `names` (by id) are written as that name."""
    if names and id(e) in names:
        return names[id(e)]
    if e.op == "input":
        return e.value
    if e.op == "const":
        return const(e.value)
    parts = [render(a, names, const, pow_call) for a in e.args]

    def tight(i: int, same: tuple[str, ...] = ()) -> str:  # in parentheses, unless it binds tightly by itself
        a = e.args[i]
        bare = a.op in ("input", "const") or (names and id(a) in names) or a.op in same
        plain = bare or a.op not in (*INFIX, "neg", "where") or (a.op == "pow" and pow_call)
        return parts[i] if plain else f"({parts[i]})"

    if e.op == "neg":
        return f"-{tight(0)}"
    if e.op == "where":
        return f"{tight(1)} if {parts[0]} else {tight(2)}"
    if e.op in INFIX and not (e.op == "pow" and pow_call):
        left = {"add": ("add", "sub", "mul"), "sub": ("add", "sub", "mul"), "mul": ("mul",)}.get(e.op, ())
        right = {"add": ("mul",), "sub": ("mul",)}.get(e.op, ())
        return f"{tight(0, left)} {INFIX[e.op]} {tight(1, right)}"
    return f"{e.op}({', '.join(parts)})"


class Formula:
    """A traced function: `outputs` over `inputs` (names, in the order in which a kernel takes them).

    `name` goes into the names of printed files and functions; it has no other meaning.
    """

    __slots__ = ("name", "inputs", "outputs")

    def __init__(self, name: str, inputs: tuple[str, ...], outputs: tuple[Expr, ...]) -> None:
        self.name, self.inputs, self.outputs = name, inputs, outputs

    def __repr__(self) -> str:
        names: dict[int, str] = {}
        parts: list[str] = []
        for e in shared(self.outputs):
            parts.append(f"t{len(parts)} = {render(e, names)}")
            names[id(e)] = f"t{len(names)}"
        where = f" where {'; '.join(parts)}" if parts else ""
        return f"{self.name}({', '.join(self.inputs)}) = {', '.join(render(e, names) for e in self.outputs)}{where}"


def trace(name: str, function: Callable, inputs: tuple[str, ...]) -> Formula:
    """Run `function` on named inputs and keep what it did.

    >>> trace("axpy", lambda a, x, y: a * x + y, ("a", "x", "y"))
    axpy(a, x, y) = a * x + y
    """
    found = function(*(Expr.input(n) for n in inputs))
    outputs = found if isinstance(found, tuple) else (found,)
    return Formula(name, inputs, tuple(Expr.of(e) for e in outputs))


def forward_formula(op: type[Elementwise]) -> Formula:
    """The formula of an operation, traced."""
    return trace(op.name, op.forward, op.operands)


def backward_formulas(op: type[Elementwise]) -> tuple[Formula | None, ...]:
    """One formula per operand: its cotangent, over just those of (g, operands, out) that it needs.

    >>> from tinygrad_kernels.calculus import Mul, Tanh
    >>> backward_formulas(Mul)
    (mul_backward_x(g, y) = g * y, mul_backward_y(g, x) = g * x)
    >>> backward_formulas(Tanh)
    (tanh_backward_x(g, out) = g * (1.0 - out * out),)
    """
    if not op.differentiable:
        return (None,) * op.arity
    names = ("g", *op.operands, "out")
    found = op.cotangents(*(Expr.input(n) for n in names))
    formulas: list[Formula | None] = []
    for operand, e in zip(op.operands, found, strict=True):
        if e is None:
            formulas.append(None)
            continue
        used = inputs_of((Expr.of(e),))
        kept = tuple(n for n in names if n in used) or ("g",)  # a constant: over elements that are laid out like g
        formulas.append(Formula(f"{op.name}_backward_{operand}", kept, (Expr.of(e),)))
    return tuple(formulas)
