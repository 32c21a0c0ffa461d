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

The formulas and their derivatives are not here: they are in tinygrad_kernels/calculus/, where arrays, loops and GPU
kernels find the same ones. This file only reads them on floats. It needs neither NumPy nor Numba.

A `Value` is its own node in the graph. Each saves the *floats* it was computed from, so assigning to `.data` later
(as a training step does) never falsifies a gradient. The graph stays as long as its result does: it can be
drawn after `backward()`, and a second `backward()` adds the same gradients once more to the leaves.

Source: A. Karpathy, micrograd, 2020, for the idea of a scalar engine as a first lesson.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinygrad_kernels import calculus
from tinygrad_kernels.calculus import Add, Cube, Div, Elementwise, Mul, Neg, Pow, Sqrt, Square, Sub, power

from . import engine


def binary(op: type[Elementwise]) -> Callable[[Value, Value | float], Value]:
    """The method for an operation of two operands: compute, and remember."""
    forward = op.forward

    def method(x: Value, y: Value | float) -> Value:
        if type(y) is not Value:
            if not isinstance(y, int | float):
                return NotImplemented
            y = Value(y)
        a, b = x.data, y.data
        out = new(Value)  # a million of these are made: no call of __init__
        out.data = forward(a, b)
        out.grad = 0.0
        out.op = op
        out.parents = (x, y)
        out.saved = (a, b)
        out.label = ""
        out.walk = None
        return out

    return described(method, op)


def reflected(op: type[Elementwise]) -> Callable[[Value, float], Value]:
    """The method for `number op Value`."""
    method = binary(op)
    return described(lambda y, x: method(Value(x), y), op)


def unary(op: type[Elementwise]) -> Callable[[Value], Value]:
    """The method for an operation of one operand."""
    forward = op.forward

    def method(x: Value) -> Value:
        out = new(Value)
        out.data = forward(x.data)
        out.grad = 0.0
        out.op = op
        out.parents = (x,)
        out.saved = (x.data,)
        out.label = ""
        out.walk = None
        return out

    return described(method, op)


def apply(op: type[Elementwise], *operands: Value | float) -> Value:
    """Any operation, on Values and numbers: compute, and remember."""
    parents = tuple(x if type(x) is Value else Value(x) for x in operands)  # type: ignore[arg-type]
    out = Value(op.forward(*(x.data for x in parents)))
    out.op, out.parents, out.saved = op, parents, tuple(x.data for x in parents)
    return out


def described(method: Any, op: type[Elementwise]) -> Any:
    method.__name__, method.__doc__ = op.name, op.__doc__
    return method


new = object.__new__


class Value(engine.Scratch):
    """A float with a gradient: `data`, `grad` (0.0 until a backward pass), and the operation that made it.

    After `backward()`, `grad` of a leaf (a Value you made) has the sum over all backward passes so far; `grad` of
    a Value in between has that of the latest pass, as a number. `label` is a name for drawings.
    """

    __slots__ = ("data", "grad", "op", "parents", "saved", "label")
    fresh = False  # floats have no buffers to own

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
        self.walk = None

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
        watch: Any = None
        if trace:
            from .showing import print_step

            watch = print_step
        seed: Any = Value(1.0) if create_graph else 1.0
        engine.backward([(self, seed)], graph=create_graph, retain=True, watch=watch)

    # What the engine asks of a node.
    def pull(self, g: Any, graph: bool) -> tuple:
        op: Any = self.op
        if graph:
            return self.pull_graph(op, g)
        self.grad = g
        found = op.backward(g, *self.saved, self.data)
        return found if type(found) is tuple else (found,)

    def pull_graph(self, op: type[Elementwise], g: Value) -> tuple:
        """The same on Values: the formula reads the operands themselves, and leaves a graph of its own."""
        self.grad = g.data  # a number: keeping the Value would make a cycle
        if self.saved != tuple(p.data for p in self.parents):
            raise RuntimeError(
                f"an operand of '{op.name}' was given new data after it was used, so the derivative "
                "cannot be differentiated again; compute the result anew before backward(create_graph=True)"
            )
        found = op.cotangents(g, *self.parents, self)
        return tuple(c if type(c) is Value or c is None else Value(c) for c in found)  # a constant: 0 where flat

    def receive(self, g: Any, owned: bool) -> None:
        self.grad = self.grad + g if self.grad else g

    def release(self) -> None:
        """Nothing: floats are small, and a graph that stays can be drawn."""

    # Arithmetic. Each method names its operation; the formula is in the calculus.
    __add__, __radd__ = binary(Add), reflected(Add)
    __sub__, __rsub__ = binary(Sub), reflected(Sub)
    __mul__, __rmul__ = binary(Mul), reflected(Mul)
    __truediv__, __rtruediv__ = binary(Div), reflected(Div)
    __rpow__, _pow = reflected(Pow), binary(Pow)
    __neg__ = unary(Neg)
    exp, log, sqrt = unary(calculus.Exp), unary(calculus.Log), unary(Sqrt)
    sin, cos, tanh = unary(calculus.Sin), unary(calculus.Cos), unary(calculus.Tanh)
    sigmoid, relu, square, _cube = unary(calculus.Sigmoid), unary(calculus.Relu), unary(Square), unary(Cube)
    exp2, expm1, log1p = unary(calculus.Exp2), unary(calculus.Expm1), unary(calculus.Log1p)
    log2, log10, logaddexp = unary(calculus.Log2), unary(calculus.Log10), binary(calculus.LogAddExp)
    rsqrt, reciprocal = unary(calculus.Rsqrt), unary(calculus.Reciprocal)
    tan, asin, acos, atan = unary(calculus.Tan), unary(calculus.Asin), unary(calculus.Acos), unary(calculus.Atan)
    sinh, cosh, asinh = unary(calculus.Sinh), unary(calculus.Cosh), unary(calculus.Asinh)
    acosh, atanh, atan2 = unary(calculus.Acosh), unary(calculus.Atanh), binary(calculus.Atan2)
    erf, erfc, copysign = unary(calculus.Erf), unary(calculus.Erfc), binary(calculus.CopySign)
    abs, sign = unary(calculus.Abs), unary(calculus.Sign)
    floor, ceil, trunc = unary(calculus.Floor), unary(calculus.Ceil), unary(calculus.Trunc)
    frac, fmod, remainder = unary(calculus.Frac), binary(calculus.Fmod), binary(calculus.Remainder)
    maximum, minimum = binary(calculus.Maximum), binary(calculus.Minimum)
    gelu, silu, mish = unary(calculus.Gelu), unary(calculus.Silu), unary(calculus.Mish)
    selu, relu6, softsign = unary(calculus.Selu), unary(calculus.Relu6), unary(calculus.Softsign)
    logsigmoid, hardswish = unary(calculus.LogSigmoid), unary(calculus.Hardswish)
    hardsigmoid = unary(calculus.Hardsigmoid)
    __abs__, __mod__, __rmod__ = abs, remainder, reflected(calculus.Remainder)
    __floordiv__, __rfloordiv__ = binary(calculus.DivFloor), reflected(calculus.DivFloor)

    def round(self, *, decimals: int = 0) -> Value:
        """The nearest whole number, of two the even one; with `decimals`, the nearest multiple of 10 ** -decimals."""
        if not decimals:
            return apply(calculus.Round, self)
        op = calculus.RoundDecimals if decimals > 0 else calculus.RoundTens
        return apply(op, self, 10.0 ** max(decimals, -decimals))

    def clamp(self, min: Value | float | None = None, max: Value | float | None = None) -> Value:
        """self between two bounds, of which one may be left out."""
        if min is None and max is None:
            raise RuntimeError("clamp: at least one of 'min' or 'max' must not be None")
        if min is None or max is None:
            return apply(calculus.ClampMin, self, min) if min is not None else apply(calculus.ClampMax, self, max)  # type: ignore[arg-type]
        return apply(calculus.Clamp, self, min, max)

    def lerp(self, end: Value | float, weight: Value | float) -> Value:
        """self + weight (end - self)"""
        return apply(calculus.Lerp, self, end, weight)

    def leaky_relu(self, negative_slope: float = 0.01) -> Value:
        """self above 0, negative_slope * self below"""
        return apply(calculus.LeakyRelu, self, negative_slope)

    def elu(self, alpha: float = 1.0) -> Value:
        """self above 0, alpha (e^self - 1) below"""
        return apply(calculus.Elu, self, alpha)

    def celu(self, alpha: float = 1.0) -> Value:
        """self above 0, alpha (e^(self / alpha) - 1) below"""
        return apply(calculus.Celu, self, alpha)

    def softplus(self, beta: float = 1.0, threshold: float = 20.0) -> Value:
        """log(1 + e^(beta self)) / beta"""
        return apply(calculus.Softplus, self, beta, threshold)

    def hardtanh(self, min_val: float = -1.0, max_val: float = 1.0) -> Value:
        """self between two bounds"""
        return apply(calculus.Hardtanh, self, min_val, max_val)

    def __pow__(self, exponent: Value | float) -> Value:
        """self to the power of a Value or a number; squares, cubes and roots have simpler derivatives."""
        op = Pow if isinstance(exponent, Value) else power(exponent)
        if op is Pow:
            return self._pow(exponent)
        return {Square: self.square, Cube: self._cube, Sqrt: self.sqrt}[op]()

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


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else x


def _as_float(x: Any) -> float:
    if isinstance(x, Value):
        raise TypeError("Value(...) of a Value: use the Value itself, or Value(x.data) for a new leaf")
    try:
        return float(x)
    except (TypeError, ValueError):
        raise TypeError(f"a Value holds one real number, got {type(x).__name__}: {x!r:.40}") from None
