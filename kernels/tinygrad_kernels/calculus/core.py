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

from collections.abc import Callable
from typing import Any

from .. import floats

OPERATIONS: dict[str, type[Elementwise]] = {}  # every operation below, by the name of its function: 'mul' -> Mul


class Elementwise:
    """One elementwise operation: `forward(*operands)` and `backward(g, *operands, out)`.

    The class itself is what is passed around; there are no instances. `name` is the name of its function (that of
    the class, unless it says otherwise), `operands` are the names of its operands, `arity` is their number;
    `differentiable`: is there a `backward`? `predicate`: is the result a truth value? `floating`: is the result of
    integers a float? `kinds` are the kinds of number that it takes, b(ool), i(nteger), f(loat); `parameters` are
    operands that have no say in the result's dtype.
    """

    name: str
    operands: tuple[str, ...]
    arity: int
    differentiable: bool
    predicate = False
    floating = False
    kinds = "bif"
    parameters: tuple[str, ...] = ()
    forward: Any
    backward: Any = None

    def __init_subclass__(cls) -> None:
        cls.name = cls.__dict__.get("name", cls.__name__.lower())
        code = cls.forward.__code__
        cls.operands, cls.arity = code.co_varnames[: code.co_argcount], code.co_argcount
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

    kinds = "if"

    def forward(x, y):
        return x - y

    def backward(g, x, y, out):
        return g, -g


class Neg(Elementwise):
    """out = -x"""

    kinds = "if"

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

    kinds = "if"

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


# Truth values and the choice between two numbers. A comparison is constant almost everywhere: no derivative.


class Where(Elementwise):
    """out = x where c, else y"""

    parameters = ("c",)

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
    return floats.tanh(x) if type(x) is float else x.tanh()


def sqrt(x: Any) -> Any:
    return floats.sqrt(x) if type(x) is float else x.sqrt()


def div(x: Any, y: Any) -> Any:
    return floats.div(x, y) if type(x) is float and type(y) is float else x / y


def pow(x: Any, y: Any) -> Any:
    return floats.pow(x, y) if type(x) is float and type(y) is float else x**y


def where(condition: Any, x: Any, y: Any) -> Any:
    return (x if condition else y) if isinstance(condition, bool | float) else condition._where(x, y)


BASIC = ("exp", "log", "sin", "cos", "tanh", "sqrt")
PRIMITIVES: dict[str, Callable[..., float]] = {name: getattr(floats, name) for name in BASIC}  # what every device has


def primitive(name: str) -> Callable[..., Any]:
    """The function of one of the less common primitives: on floats that of floats.py, else the operand's method."""
    PRIMITIVES[name] = on_floats = getattr(floats, name)

    def function(x: Any, *others: Any) -> Any:
        return on_floats(x, *others) if type(x) is float else getattr(x, name)(*others)

    function.__name__ = name
    return function


expm1, exp2, log1p, log2, log10 = map(primitive, ("expm1", "exp2", "log1p", "log2", "log10"))
tan, asin, acos, atan, atan2 = map(primitive, ("tan", "asin", "acos", "atan", "atan2"))
sinh, cosh, asinh, acosh, atanh = map(primitive, ("sinh", "cosh", "asinh", "acosh", "atanh"))
erf, erfc, abs, copysign, fmod = map(primitive, ("erf", "erfc", "abs", "copysign", "fmod"))
floor, ceil, trunc, rint = map(primitive, ("floor", "ceil", "trunc", "rint"))


# Functions made of these, which more than one formula calls.


def sign(x: Any) -> Any:
    """1 above 0, -1 below, 0 at 0 and for nan."""
    return where(x > 0.0, 1.0, where(x < 0.0, -1.0, 0.0))


def larger(x: Any, y: Any) -> Any:
    """The larger of two numbers, nan if one of them is."""
    return where(x < y, y, where(y != y, y, x))


def smaller(x: Any, y: Any) -> Any:
    """The smaller of two numbers, nan if one of them is."""
    return where(x > y, y, where(y != y, y, x))


def logistic(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), with an exponential that never overflows: for formulas that are differentiated again."""
    e = exp(where(x < 0.0, x, -x))
    return div(where(x < 0.0, e, 1.0), 1.0 + e)


def power(exponent: float) -> type[Elementwise]:
    """The operation x ↦ xⁿ for a number n: a square or a cube is two multiplications, not a logarithm.

    Other exponents go through `Pow`, with n as a second operand that is a number.
    """
    return {2.0: Square, 3.0: Cube, 0.5: Sqrt}.get(exponent, Pow)
