"""The calculus, written once: for each elementwise operation its formula and its derivative.

The problem. A library for automatic differentiation says the same thing many times over: the product rule for its
scalars, for its arrays, in a CPU loop, in a CUDA kernel, and once more where gradients are themselves
differentiated. Five copies, five chances to be wrong.

The idea. An operation is two lines of Python over *anything that behaves like a number*:

    class Mul(Elementwise):
        def forward(x, y):           return x * y
        def backward(g, x, y, out):  return g * y, g * x

`backward` receives the cotangent `g` (the gradient of the final result with respect to `out`), the operands and
the result, and returns one cotangent per operand: the chain rule, in the form of a vector-Jacobian product

    dL/dx = dL/dout · dout/dx = g · dout/dx.

Those two lines are then *read* in different ways, depending on what is put in:

    floats   -> a float            the scalar `Value` of tinygrad_edu/value.py
    Value    -> a Value            a derivative that can be differentiated again
    Tensor   -> a Tensor           the same, for arrays
    Expr     -> an Expr            a symbolic trace, printed as a loop for the CPU or a kernel for the GPU (codegen.py)

No formula stands anywhere else.

Two rules for writing one. It is branch-free: `where(c, a, b)` looks at both sides, so the side that is not taken
must be finite, with finite derivatives. And it uses `div` and `pow` where the operands may leave the domain,
because Python's `/` and `**` raise there.

Source: A. Griewank and A. Walther, Evaluating Derivatives, 2nd edition, 2008, chapters 3 and 4.
"""

from __future__ import annotations

import math
from typing import Any

from . import floats

OPERATIONS: dict[str, type[Elementwise]] = {}  # every operation below, by the name of its function: 'mul' -> Mul


class Elementwise:
    """One elementwise operation: `forward(*operands)` and `backward(g, *operands, out)`.

    The class itself is what is passed around; there are no instances. `name` is the name of its function,
    `arity` the number of operands, `differentiable` whether there is a `backward`, `predicate` whether the
    result is a truth value, `floating` whether the result of integers is a float.
    """

    name: str
    arity: int
    differentiable: bool
    predicate = False
    floating = False
    forward: Any
    backward: Any = None

    def __init_subclass__(cls) -> None:
        cls.name = cls.__name__.lower()
        cls.arity = cls.forward.__code__.co_argcount
        cls.differentiable = cls.backward is not None
        cls.forward = staticmethod(cls.forward)
        if cls.differentiable:
            cls.backward = staticmethod(cls.backward)
        OPERATIONS[cls.name] = cls

    @classmethod
    def cotangents(cls, g: Any, *operands_and_out: Any) -> tuple:
        """What `backward` returns, as a tuple also where there is one operand."""
        found = cls.backward(g, *operands_and_out)
        return found if type(found) is tuple else (found,)


# The first screen: one operation each of the linear, the bilinear and the truly curved kind.


class Add(Elementwise):
    """out = x + y"""

    def forward(x, y):
        return x + y

    def backward(g, x, y, out):
        return g, g


class Mul(Elementwise):
    """out = x y;   the product rule"""

    def forward(x, y):
        return x * y

    def backward(g, x, y, out):
        return g * y, g * x


class Tanh(Elementwise):
    """out = tanh x,   dout/dx = 1 - out²"""

    floating = True

    def forward(x):
        return tanh(x)

    def backward(g, x, out):
        return g * (1.0 - out * out)


# Arithmetic.


class Sub(Elementwise):
    """out = x - y"""

    def forward(x, y):
        return x - y

    def backward(g, x, y, out):
        return g, -g


class Neg(Elementwise):
    """out = -x"""

    def forward(x):
        return -x

    def backward(g, x, out):
        return -g


class Div(Elementwise):
    """out = x / y;   the quotient rule, dout/dy = -x / y², in two divisions so that y² cannot overflow"""

    floating = True

    def forward(x, y):
        return div(x, y)

    def backward(g, x, y, out):
        return div(g, y), -g * div(div(x, y), y)


class Pow(Elementwise):
    """out = xʸ,   dout/dx = y xʸ⁻¹ (0 where y = 0),   dout/dy = xʸ log x (0 where x = 0 and y >= 0)"""

    def forward(x, y):
        return pow(x, y)

    def backward(g, x, y, out):
        base = where(x == 0.0, where(y >= 0.0, 1.0, x), x)  # log 1 = 0 stands in for log 0
        slope = where(y == 0.0, 0.0, y * pow(x, where(y == 0.0, 1.0, y - 1.0)))
        return g * slope, g * (pow(x, y) * log(base))


class Square(Elementwise):
    """out = x²"""

    def forward(x):
        return x * x

    def backward(g, x, out):
        return g * (2.0 * x)


class Cube(Elementwise):
    """out = x³"""

    def forward(x):
        return x * x * x

    def backward(g, x, out):
        return g * (3.0 * (x * x))


class Sqrt(Elementwise):
    """out = √x,   dout/dx = 1 / (2 √x): inf at 0, as the tangent there is vertical"""

    floating = True

    def forward(x):
        return sqrt(x)

    def backward(g, x, out):
        return div(g, 2.0 * out)


# Transcendental functions.


class Exp(Elementwise):
    """out = eˣ, its own derivative"""

    floating = True

    def forward(x):
        return exp(x)

    def backward(g, x, out):
        return g * out


class Log(Elementwise):
    """out = log x,   dout/dx = 1 / x"""

    floating = True

    def forward(x):
        return log(x)

    def backward(g, x, out):
        return div(g, x)


class Sin(Elementwise):
    """out = sin x,   dout/dx = cos x"""

    floating = True

    def forward(x):
        return sin(x)

    def backward(g, x, out):
        return g * cos(x)


class Cos(Elementwise):
    """out = cos x,   dout/dx = -sin x"""

    floating = True

    def forward(x):
        return cos(x)

    def backward(g, x, out):
        return -g * sin(x)


# What neural networks add.


class Relu(Elementwise):
    """out = max(x, 0);   the slope at the kink is 0. `x <= 0` is false for nan, so a nan stays visible."""

    def forward(x):
        return where(x <= 0.0, 0.0, x)

    def backward(g, x, out):
        return where(out <= 0.0, 0.0, g)


class Sigmoid(Elementwise):
    """out = 1 / (1 + e⁻ˣ),   dout/dx = out (1 - out)"""

    floating = True

    def forward(x):
        return 1.0 / (1.0 + exp(-x))

    def backward(g, x, out):
        return g * ((1.0 - out) * out)


class SquaredError(Elementwise):
    """out = (x - y)²"""

    def forward(x, y):
        return (x - y) * (x - y)

    def backward(g, x, y, out):
        gx = g * (2.0 * (x - y))
        return gx, -gx


class BinaryCrossEntropy(Elementwise):
    """out = -(y log x + (1 - y) log(1 - x)) for a probability x and a target y.

    A logarithm below -100 counts as -100, so that a sure and wrong x gives a large loss, not an infinite one; and
    the divisor x (1 - x) counts as 1e-12 at least.
    """

    floating = True

    def forward(x, y):
        return (y - 1.0) * bounded_log(1.0 - x) - y * bounded_log(x)

    def backward(g, x, y, out):
        variance = x * (1.0 - x)
        gx = div(g * (x - y), where(variance < 1e-12, 1e-12, variance))
        return gx, g * (log(1.0 - x) - log(x))


def bounded_log(x):
    """log x, but -100 where it is less."""
    positive = where(x > 3.8e-44, x, 1.0)  # e⁻¹⁰⁰; where it is not taken, log 1 has a finite derivative
    return where(x > 3.8e-44, log(positive), -100.0)


# Truth values and the choice between two numbers. A comparison is constant almost everywhere: no derivative.


class Where(Elementwise):
    """out = x where c, else y"""

    def forward(c, x, y):
        return where(c, x, y)

    def backward(g, c, x, y, out):
        return None, where(c, g, 0.0), where(c, 0.0, g)


class Lt(Elementwise):
    predicate = True

    def forward(x, y):
        return x < y


class Le(Elementwise):
    predicate = True

    def forward(x, y):
        return x <= y


class Gt(Elementwise):
    predicate = True

    def forward(x, y):
        return x > y


class Ge(Elementwise):
    predicate = True

    def forward(x, y):
        return x >= y


class Eq(Elementwise):
    predicate = True

    def forward(x, y):
        return x == y


class Ne(Elementwise):
    predicate = True

    def forward(x, y):
        return x != y


# The functions that formulas call. Each asks its operand first: a Value, Tensor or Expr knows how to do it.


def exp(x: Any) -> Any:
    return floats.exp(x) if type(x) is float else x.exp()


def log(x: Any) -> Any:
    return floats.log(x) if type(x) is float else x.log()


def sin(x: Any) -> Any:
    return floats.sin(x) if type(x) is float else x.sin()


def cos(x: Any) -> Any:
    return floats.cos(x) if type(x) is float else x.cos()


def tanh(x: Any) -> Any:
    return math.tanh(x) if type(x) is float else x.tanh()


def sqrt(x: Any) -> Any:
    return floats.sqrt(x) if type(x) is float else x.sqrt()


def div(x: Any, y: Any) -> Any:
    return floats.div(x, y) if type(x) is float and type(y) is float else x / y


def pow(x: Any, y: Any) -> Any:
    return floats.pow(x, y) if type(x) is float and type(y) is float else x**y


def where(condition: Any, x: Any, y: Any) -> Any:
    return (x if condition else y) if type(condition) is bool else condition._where(x, y)


def power(exponent: float) -> type[Elementwise]:
    """The operation x ↦ xⁿ for a number n: a square or a cube is two multiplications, not a logarithm.

    Other exponents go through `Pow`, with n as a second operand that is a number.
    """
    return {2.0: Square, 3.0: Cube, 0.5: Sqrt}.get(exponent, Pow)
