"""Looking inside: an operation from its formula to its loop, and a backward pass step by step.

The problem. The library says that one formula becomes a number, a gradient and a machine-code loop. A reader should
not have to believe it.

The idea. Everything on that way is text, or can be written as text, so print it:

    show("tanh")                what stands in the calculus, what tracing made of it, and the loops printed from that
    y.backward(trace=True)      each node of the graph in the order of the walk: what arrives, what is sent on

Both print what the library itself uses, not a copy of it: the loops that `show` prints are those that are compiled,
and `print_step` is called by the engine between two nodes.

Source: for `print_step`, the tables by which reverse mode is taught: A. Baydin, B. Pearlmutter, A. Radul, J. Siskind,
Automatic differentiation in machine learning: a survey, JMLR 18, 2018, section 3.2.
"""

from __future__ import annotations

import inspect
import threading
from typing import Any, TextIO

from tinygrad_kernels.calculus import OPERATIONS, Elementwise
from tinygrad_kernels.codegen import Signature, print_flat
from tinygrad_kernels.expr import Expr, Formula, backward_formulas, forward_formula

from .drawing import brief, number
from .hints import closest
from .value import Value


def show(op: Any, dtype: Any = "float32", *, file: TextIO | None = None) -> None:
    """Print an elementwise operation: its formula and derivative as written, as traced, and as loops for the CPU.

    `op` is a name ('tanh'), a function or method of that name (tg.tanh), or a class of the calculus. The loops are
    those for contiguous arrays of `dtype`, a dtype or its name. `file` is where to print, standard output by default.

    Raises ValueError for an operation or a dtype that is not known, and suggests the nearest.

        >>> show("square")                        # doctest: +ELLIPSIS
        square: out = x²
        <BLANKLINE>
        As written in the calculus
        <BLANKLINE>
            class Square(Elementwise):
                \"""out = x²\"""
        ...
            square_backward_x(g, x) = g * (2.0 * x)
        ...
            @jit
            def loop(result, g, x):
                for i in range(result.size):
                    result[i] = g[i] * (float32(2.0) * x[i])
        ...
    """
    operation = operation_of(op)
    backward = [formula for formula in backward_formulas(operation) if formula is not None]
    forward = forward_formula(operation)
    summary = (operation.__doc__ or "").strip().partition("\n")[0] or f"out = {forward.outputs[0]!r}"
    arithmetic = arithmetic_dtype(operation, dtype)
    parts = [f"{operation.name}: {summary}"]
    parts += ["As written in the calculus", indented(source_of(operation))]
    parts += ["As traced", indented("\n".join(map(repr, (forward, *backward))))]
    parts += [f"The loop for {dtype_name(dtype)}, forward", indented(loop_text(forward, dtype, arithmetic))]
    for formula in backward if "float" in dtype_name(dtype) else ():
        parts += [f"The loop of {formula.name}", indented(loop_text(formula, dtype, arithmetic))]
    if not backward:
        parts.append("It is constant almost everywhere, so it has no derivative.")
    elif "float" not in dtype_name(dtype):
        parts.append(f"There is no loop backward: {dtype_name(dtype)} has no gradients.")
    print("\n\n".join(parts), file=file)


def operation_of(op: Any) -> type[Elementwise]:
    """The operation of the calculus that is meant by a name, a function or a class."""
    if isinstance(op, type) and issubclass(op, Elementwise) and op is not Elementwise:
        return op
    name = op if isinstance(op, str) else getattr(op, "__name__", None)
    if name in OPERATIONS:
        return OPERATIONS[name]
    asked = repr(op) if name is None else f"'{name}'"
    hint = closest(name, OPERATIONS) if name is not None else ""
    raise ValueError(f"{asked} is not an elementwise operation{hint or f'; there are {sorted(OPERATIONS)}'}")


def dtype_name(dtype: Any) -> str:
    """'float32' for a dtype or its name."""
    from .dtypes import bool_, float32, float64, int8, int16, int32, int64, uint8
    from .dtypes import dtype as Dtype

    known = [d.name for d in (float32, float64, int8, int16, int32, int64, uint8, bool_)]
    name = dtype.name if isinstance(dtype, Dtype) else dtype
    if name not in known:
        hint = closest(name, known) if isinstance(name, str) else ""
        raise ValueError(f"{dtype!r} is not a dtype{hint or f'; there are {known}'}")
    return name


def arithmetic_dtype(op: type[Elementwise], dtype: Any) -> str:
    """The dtype of the loop's arithmetic: float32 where the operation makes floats of integers."""
    name = dtype_name(dtype)
    return name if "float" in name or not op.floating else "float32"


def loop_text(formula: Formula, dtype: Any, arithmetic: str) -> str:
    """The file that is printed for a formula over contiguous arrays. A condition (c) is an array of truth values."""
    dtypes = ["bool" if name == "c" else dtype_name(dtype) for name in formula.inputs]
    return print_flat(formula, Signature(dtypes, ["flat"] * len(dtypes), arithmetic))


def source_of(op: type[Elementwise]) -> str:
    try:
        return inspect.getsource(op)
    except OSError:  # typed at a prompt
        return f"class {op.__name__}: its source is not in a file"


def indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip().split("\n"))


EXPLANATION = """\
Each step is one node, after all nodes that use it. g, the gradient of the result with respect to the node, is complete
by then; every operand is sent g times the local derivative, and what it is sent is added up."""


class Steps(threading.local):
    """Prints the steps of backward passes; `print_step` is the one instance (with a state for each thread).

    A node has no name of its own, unless it is a Value with a label, so names v1, v2, ... (t1, t2, ... for tensors) are
    given in the order of appearance. They last for one pass: it is over when every operand that was sent something
    and has operands itself has had its own step.
    """

    def __init__(self) -> None:
        self.explained = False
        self.begin()

    def begin(self) -> None:
        self.step = 0
        self.names: dict[int, str] = {}  # by id: the graph is alive as long as the pass
        self.totals: dict[int, float] = {}
        self.waiting: set[int] = set()

    def __call__(self, node: Any, g: Any, cotangents: Any) -> None:
        """Print one step: `g` has arrived at `node`, which sends `cotangents` to its parents (see engine.backward)."""
        if not self.explained:
            self.explained = True
            print(EXPLANATION)
        if id(node) not in self.waiting:  # nobody sent it anything: it is the result
            self.begin()
        self.step += 1
        lines = (
            self.value_step(node, g, cotangents) if isinstance(node, Value) else self.tensor_step(node, g, cotangents)
        )
        print("\n".join(lines))
        self.waiting.discard(id(node))
        self.waiting.update(
            id(p) for p, sent in zip(node.parents, cotangents, strict=True)
            if p is not None and sent is not None and p.parents
        )  # fmt: skip
        if not self.waiting:
            self.begin()

    def name(self, node: Any) -> str:
        label, letter = (node.label, "v") if isinstance(node, Value) else ("", "t")
        return self.names.setdefault(id(node), label or f"{letter}{len(self.names) + 1}")

    def value_step(self, node: Value, g: Any, cotangents: Any) -> list[str]:
        assert node.op is not None
        own = self.name(node)
        operands = [self.name(p) for p in node.parents]
        formula = node.op.forward(*map(Expr.input, operands))
        lines = [f"{self.step}. {own} = {formula!r} = {number(node.data)}, g = {number(g)}"]
        slopes = node.op.cotangents(1.0, *node.saved, node.data)
        for parent, x, name, slope, sent in zip(node.parents, node.saved, operands, slopes, cotangents, strict=True):
            total = self.totals[id(parent)] = self.totals.get(id(parent), 0.0) + float(sent)
            so_far = f", {number(total)} in all" if total != float(sent) else ""
            lines.append(
                f"     d{own}/d{name} = {number(slope)} at {name} = {number(x)}: "
                f"{name} is sent {number(g)} * {number(slope)} = {number(sent)}{so_far}"
            )
        return lines

    def tensor_step(self, node: Any, g: Any, cotangents: Any) -> list[str]:
        from .ops.plan import ElementwiseNode

        operation = node.plan.operation if isinstance(node, ElementwiseNode) else None
        own = f"{self.step}. {self.name(node)} = {node.name()}"
        if operation is not None:
            own += f", out = {operation.forward.outputs[0]!r}"
        lines = [f"{own}, g = {brief(g)}"]
        for k, (parent, sent) in enumerate(zip(node.parents, cotangents, strict=True)):
            if parent is None or sent is None:
                continue
            name = self.name(parent) + ("" if parent.parents else " (leaf)")
            how = ""
            if operation is not None:
                summed = ", summed over the axes along which it was broadcast," if sent.numel() < g.numel() else ""
                name += f", {operation.forward.inputs[k]} in the formula,"
                formula = operation.pulls[k]
                assert formula is not None  # something was sent
                how = f"{formula.outputs[0]!r}{summed} = "
            lines.append(f"     {name} is sent {how}{brief(sent)}")
        return lines


print_step = Steps()
