"""Python's math made total: IEEE's answer for every float, and never an exception."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinygrad_kernels import floats

inf, nan = math.inf, math.nan
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-320, 1e308, -1e308, 1e-30, 1000.0, inf, -inf, nan)
UNARY = ("exp", "log", "sin", "cos", "sqrt", "tanh", "expm1", "exp2", "log1p", "log2", "log10", "tan", "asin", "acos",
         "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "floor", "ceil", "trunc", "rint", "erf", "erfc",
         "abs")  # fmt: skip
NUMPY = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
         "atanh": "arctanh", "atan2": "arctan2"}  # fmt: skip
anything = st.floats(allow_nan=True, allow_infinity=True)


def same(found, expected):
    """Equal to one unit in the last place; zeros with the same sign, nan like nan."""
    if math.isnan(expected):
        return math.isnan(found)
    if expected == 0.0:
        return found == 0.0 and math.copysign(1, found) == math.copysign(1, expected)
    return found == expected or abs(found - expected) <= 2 * abs(np.spacing(expected))


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", SPECIAL)
def test_functions_give_what_ieee_arithmetic_gives(name, x):
    with np.errstate(all="ignore"):
        function = getattr(math, name) if name.startswith("erf") else getattr(np, NUMPY.get(name, name))
        expected = float(function(np.float64(x)))
    assert same(getattr(floats, name)(x), expected)


@pytest.mark.parametrize("x, y", list(itertools.product(SPECIAL, SPECIAL)))
def test_division_and_power_give_what_ieee_arithmetic_gives(x, y):
    with np.errstate(all="ignore"):
        quotient, power = float(np.float64(x) / np.float64(y)), float(np.float64(x) ** np.float64(y))
    assert same(floats.div(x, y), quotient)
    assert same(floats.pow(x, y), power)


@pytest.mark.parametrize("name", ("atan2", "fmod", "copysign"))
@pytest.mark.parametrize("x, y", list(itertools.product(SPECIAL, SPECIAL)))
def test_functions_of_two_numbers_give_what_ieee_arithmetic_gives(name, x, y):
    with np.errstate(all="ignore"):
        expected = float(getattr(np, NUMPY.get(name, name))(np.float64(x), np.float64(y)))
    assert same(getattr(floats, name)(x, y), expected)


@given(anything)
def test_functions_never_raise_and_give_floats(x):
    for name in UNARY:
        assert type(getattr(floats, name)(x)) is float


@given(anything, anything)
def test_division_and_power_never_raise_and_give_floats(x, y):
    for name in ("div", "pow", "atan2", "fmod", "copysign"):
        assert type(getattr(floats, name)(x, y)) is float


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", (0.3, 1.7, 1e-30, 100.0, 1e4))
def test_values_are_those_of_mpmath(name, x):
    whole = {"trunc": int, "rint": round, "abs": abs, "exp2": lambda v: mpmath.mpf(2) ** v}
    function = whole.get(name) or {"log2": lambda v: mpmath.log(v, 2)}.get(name) or getattr(mpmath, name)
    with mpmath.workprec(100):
        expected = function(mpmath.mpf(x))
    if isinstance(expected, mpmath.mpc):  # outside the real domain
        expected = math.nan
    assert same(getattr(floats, name)(x), float(expected))
