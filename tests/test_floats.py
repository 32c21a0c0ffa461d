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
UNARY = ("exp", "log", "sin", "cos", "sqrt", "tanh")
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
        expected = float(getattr(np, name)(np.float64(x)))
    assert same(getattr(floats, name)(x), expected)


@pytest.mark.parametrize("x, y", list(itertools.product(SPECIAL, SPECIAL)))
def test_division_and_power_give_what_ieee_arithmetic_gives(x, y):
    with np.errstate(all="ignore"):
        quotient, power = float(np.float64(x) / np.float64(y)), float(np.float64(x) ** np.float64(y))
    assert same(floats.div(x, y), quotient)
    assert same(floats.pow(x, y), power)


@given(anything)
def test_functions_never_raise_and_give_floats(x):
    for name in UNARY:
        assert type(getattr(floats, name)(x)) is float


@given(anything, anything)
def test_division_and_power_never_raise_and_give_floats(x, y):
    assert type(floats.div(x, y)) is type(floats.pow(x, y)) is float


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("x", (0.3, 1.7, 1e-30, 100.0, 1e4))
def test_values_are_those_of_mpmath(name, x):
    assert same(getattr(floats, name)(x), float(getattr(mpmath, name)(mpmath.mpf(x))))
