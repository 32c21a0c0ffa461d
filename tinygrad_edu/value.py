"""A number that remembers where it came from.

The problem. Given a program that computes one number from others, find how much the result changes with each input.
Finite differences run the program once per input and lose half the digits; symbolic algebra explodes.

The idea. Let every number remember the operation and the operands that made it. The program then leaves a graph
behind, and one walk from the result back to the inputs finds *all* derivatives, exactly (engine.py):

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b + a
    >>> c.backward()
    >>> c.data, a.grad, b.grad          # dc/da = b + 1,  dc/db = a
    (-4.0, -2.0, 2.0)

The formulas and their derivatives are not here: they are in tinygrad_kernels/calculus.py, where arrays, loops and GPU
kernels find the same ones. This file only reads them on floats. It needs neither NumPy nor Numba.

A `Value` is its own node in the graph. Each saves the *floats* it was computed from, so assigning to `.data` later
(as a training step does) never falsifies a gradient. The graph stays as long as its result does: it can be
drawn after `backward()`, and a second `backward()` adds the same gradients once more to the leaves.

Source: A. Karpathy, micrograd, 2020, for the idea of a scalar engine as a first lesson.
"""

from __future__ import annotations

from typing import Any

from tinygrad_kernels.calculus import (
    Add,
    Cos,
    Div,
    Elementwise,
    Exp,
    Log,
    Mul,
    Neg,
    Pow,
    Relu,
    Sigmoid,
    Sin,
    Sqrt,
    Sub,
    Tanh,
    power,
)

from . import engine


class Value:
    """A float with a gradient: `data`, `grad` (0.0 until a backward pass), and the operation that made it.

    After `backward()`, `grad` of a leaf (a Value you made) has the sum over all backward passes so far; `grad` of
    a Value in between has that of the latest pass. `label` is a name for drawings.
    """

    __slots__ = ("data", "grad", "op", "parents", "saved", "label")
    fresh = True

    data: float
    grad: Any
    op: type[Elementwise] | None
    parents: tuple[Value, ...]
    saved: tuple[float, ...]
    label: str

    def __init__(self, data: float, label: str = "") -> None:
        if type(data) is not float:
            data = _as_float(data)
        self.data = data
        self.grad = 0.0
        self.op = None
        self.parents = ()
        self.saved = ()
        self.label = label

    def backward(self, *, create_graph: bool = False, trace: bool = False) -> None:
        """Add the derivative of this number with respect to every Value it was made from to their `grad`.

        With `create_graph` the gradients are Values themselves, which can be differentiated again. With `trace`
        every step of the walk is printed.

            >>> x = Value(2.0)
            >>> (x * x * x).backward(create_graph=True)
            >>> first = x.grad                  # 3 x², a Value
            >>> x.grad = 0.0
            >>> first.backward()
            >>> first.data, x.grad              # 3 x² and 6 x
            (12.0, 12.0)
        """
        watch = None
        if trace:
            from .showing import print_step as watch
        seed: Any = Value(1.0) if create_graph else 1.0
        engine.backward([(self, seed)], graph=create_graph, retain=True, watch=watch)

    # What the engine asks of a node.
    def pull(self, g: Any, graph: bool) -> tuple:
        self.grad = g
        assert self.op is not None
        if graph:
            if self.saved != tuple(p.data for p in self.parents):
                raise RuntimeError(
                    f"an operand of '{self.op.name}' was given new data after it was used, so the derivative "
                    "cannot be differentiated again; compute the result anew before backward(create_graph=True)"
                )
            return self.op.cotangents(g, *self.parents, self)
        found = self.op.backward(g, *self.saved, self.data)
        return found if type(found) is tuple else (found,)

    def receive(self, g: Any, owned: bool) -> None:
        self.grad = g if type(self.grad) is float and self.grad == 0.0 else self.grad + g

    def release(self) -> None:
        """Nothing: floats are small, and a graph that stays can be drawn."""

    # Arithmetic. Each method names its operation; the formula is in the calculus.
    def __add__(self, other: Value | float) -> Value:
        return _apply(Add, self, other)

    def __radd__(self, other: float) -> Value:
        return _apply(Add, Value(other), self)

    def __sub__(self, other: Value | float) -> Value:
        return _apply(Sub, self, other)

    def __rsub__(self, other: float) -> Value:
        return _apply(Sub, Value(other), self)

    def __mul__(self, other: Value | float) -> Value:
        return _apply(Mul, self, other)

    def __rmul__(self, other: float) -> Value:
        return _apply(Mul, Value(other), self)

    def __truediv__(self, other: Value | float) -> Value:
        return _apply(Div, self, other)

    def __rtruediv__(self, other: float) -> Value:
        return _apply(Div, Value(other), self)

    def __pow__(self, exponent: Value | float) -> Value:
        op = Pow if isinstance(exponent, Value) else power(exponent)
        return _apply(Pow, self, exponent) if op is Pow else _apply_unary(op, self)

    def __rpow__(self, base: float) -> Value:
        return _apply(Pow, Value(base), self)

    def __neg__(self) -> Value:
        return _apply_unary(Neg, self)

    def exp(self) -> Value:
        return _apply_unary(Exp, self)

    def log(self) -> Value:
        return _apply_unary(Log, self)

    def sqrt(self) -> Value:
        return _apply_unary(Sqrt, self)

    def sin(self) -> Value:
        return _apply_unary(Sin, self)

    def cos(self) -> Value:
        return _apply_unary(Cos, self)

    def tanh(self) -> Value:
        return _apply_unary(Tanh, self)

    def sigmoid(self) -> Value:
        return _apply_unary(Sigmoid, self)

    def relu(self) -> Value:
        return _apply_unary(Relu, self)

    # Comparisons give plain truth values: they are constant almost everywhere, so there is nothing to remember.
    def __lt__(self, other: Value | float) -> bool:
        return self.data < _number(other)

    def __le__(self, other: Value | float) -> bool:
        return self.data <= _number(other)

    def __gt__(self, other: Value | float) -> bool:
        return self.data > _number(other)

    def __ge__(self, other: Value | float) -> bool:
        return self.data >= _number(other)

    def __eq__(self, other: object) -> bool:
        return self.data == other.data if isinstance(other, Value) else self.data == other

    __hash__ = object.__hash__  # by identity: a node is itself, whatever its number

    def __float__(self) -> float:
        return self.data

    def __repr__(self) -> str:
        return f"Value({self.data:.6g}, grad={float(self.grad):.6g})"


def _apply(op: type[Elementwise], x: Value, y: Any) -> Value:
    if type(y) is not Value:
        y = Value(y)
    saved = (x.data, y.data)
    out = Value(op.forward(*saved))
    out.op, out.parents, out.saved = op, (x, y), saved
    return out


def _apply_unary(op: type[Elementwise], x: Value) -> Value:
    out = Value(op.forward(x.data))
    out.op, out.parents, out.saved = op, (x,), (x.data,)
    return out


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else x


def _as_float(x: Any) -> float:
    if isinstance(x, Value):
        raise TypeError("Value(...) of a Value: use the Value itself, or Value(x.data) for a new leaf")
    try:
        return float(x)
    except (TypeError, ValueError):
        raise TypeError(f"a Value holds one real number, got {type(x).__name__}: {x!r:.40}") from None
