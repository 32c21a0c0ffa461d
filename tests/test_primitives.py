"""The vectorisable exp, log, sin, cos, tanh: within 2 ulp everywhere, right at the ends of the number line."""

import functools
import math
import re

import mpmath
import numba
import numpy as np
import pytest
from tinygrad_kernels.cpu import math as primitives

NAMES = ["exp", "log", "sin", "cos", "tanh"]
DTYPES = ["float32", "float64"]
FLAGS = {"exact": {"contract"}, "reassoc": {"contract", "reassoc"}}


@functools.cache
def loop(name, flags):
    """`out[i] = f(x[i])`, as a generated kernel has it; not cached on disk, because it is a closure."""
    function = getattr(primitives, name)

    @numba.njit(error_model="numpy", fastmath=FLAGS[flags])
    def kernel(out, x):
        for i in range(out.size):
            out[i] = function(x[i])

    return kernel


def apply(name, x, flags="exact"):
    out = np.empty_like(x)
    loop(name, flags)(out, x)
    return out


def limit(name, dtype):
    return primitives.SIN_LIMIT[dtype] if name in ("sin", "cos") else math.inf


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_within_2_ulp_over_all_bit_patterns(name):
    """Every 1009th of the 2³² numbers, against float64 NumPy rounded once; overflow and nan included."""
    x = np.arange(0, 2**32, 1009, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[~(np.abs(x) >= limit(name, "float32"))]  # nan stays
    out = apply(f"{name}_float32", x)
    with np.errstate(all="ignore"):
        true = getattr(np, name)(x.astype(np.float64))
        rounded = true.astype(np.float32)
        finite = np.isfinite(rounded)
        error = np.abs(out[finite] - true[finite]) / np.spacing(np.abs(rounded[finite])).astype(np.float64)
    np.testing.assert_array_equal(out[~finite], rounded[~finite])
    assert error.max() <= 2.0


def points(name):
    """float64 arguments that are ordinary, tiny, huge, or near where the function is hard."""
    rng = np.random.default_rng(7)
    tiny = 10.0 ** rng.uniform(-320, 0, 300)
    if name == "exp":
        return np.concatenate([rng.uniform(-745, 709.78, 1500), rng.normal(size=500), tiny, -tiny])
    if name == "log":
        near_one = 1.0 + rng.normal(size=500) * 1e-3
        return np.concatenate([10.0 ** rng.uniform(-323, 308, 1500), rng.uniform(0.5, 2, 500), near_one])
    if name == "tanh":
        return np.concatenate([rng.uniform(-22, 22, 1500), rng.uniform(-1, 1, 1500), tiny, -tiny])
    multiples = np.arange(1, 2001) * math.pi
    return np.concatenate(
        [rng.uniform(-10, 10, 1000), rng.uniform(-1e6, 1e6, 1000), multiples, multiples - math.pi / 2, tiny]
    )


@pytest.mark.parametrize("name", NAMES)
def test_float64_is_within_2_ulp(name):
    """Against mpmath; sin and cos also next to each of the first 2,000 of their zeros."""
    x = points(name)
    out = apply(f"{name}_float64", x)
    with mpmath.workprec(200):
        for argument, found in zip(x.tolist(), out.tolist(), strict=True):
            true = getattr(mpmath, name)(mpmath.mpf(argument))
            ulp = float(np.spacing(abs(float(true))))
            assert abs(mpmath.mpf(found) - true) <= 2 * mpmath.mpf(ulp), (argument, found, true)


SPECIAL = {  # x: 0.0, -0.0, inf, -inf, nan
    "exp": [1.0, 1.0, math.inf, 0.0, math.nan],
    "log": [-math.inf, -math.inf, math.inf, math.nan, math.nan],
    "sin": [0.0, -0.0, math.nan, math.nan, math.nan],
    "cos": [1.0, 1.0, math.nan, math.nan, math.nan],
    "tanh": [0.0, -0.0, 1.0, -1.0, math.nan],
    "sin_any": [0.0, -0.0, math.nan, math.nan, math.nan],
    "cos_any": [1.0, 1.0, math.nan, math.nan, math.nan],
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_arguments(name, dtype):
    x = np.array([0.0, -0.0, math.inf, -math.inf, math.nan], dtype)
    base, _, any_ = name.partition("_")
    out = apply(f"{base}_{dtype}" + (f"_{any_}" if any_ else ""), x)
    expected = np.array(SPECIAL[name], dtype)
    np.testing.assert_array_equal(out, expected)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(out[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_overflows_to_inf_and_underflows_through_the_subnormals(dtype):
    info = np.finfo(dtype)
    top, bottom = np.log(info.max), np.log(info.smallest_subnormal)
    x = np.array([top * 1.001, 1e30, bottom * 1.01, -1e30, bottom], dtype)
    out = apply(f"exp_{dtype}", x)
    np.testing.assert_array_equal(out[:4], np.array([np.inf, np.inf, 0.0, 0.0], dtype))
    assert 0.0 < out[4] < info.smallest_normal


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_of_a_negative_number_is_nan(dtype):
    assert np.isnan(apply(f"log_{dtype}", np.array([-1.0, -1e-40, -1e30], dtype))).all()


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_any_twin_takes_huge_arguments(name, dtype):
    x = np.array([1e5, 1e9, -1e22, 3e38] + ([1e300] if dtype == "float64" else []), dtype)
    out = apply(f"{name}_{dtype}_any", x)
    with mpmath.workprec(2000):
        for argument, found in zip(x, out, strict=True):
            true = float(getattr(mpmath, name)(mpmath.mpf(float(argument))))
            assert abs(float(found) - true) <= float(np.spacing(np.dtype(dtype).type(abs(true))))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_loop_that_may_reorder_does_not_reorder_inside_a_primitive(name, dtype):
    """Trap: 'reassoc' collapses a range reduction. A primitive keeps its own flags, whoever calls it."""
    x = np.linspace(0.01, 80.0, 4001).astype(dtype)
    np.testing.assert_array_equal(apply(f"{name}_{dtype}", x, "reassoc"), apply(f"{name}_{dtype}", x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_the_loop_vectorises(name, dtype):
    """The optimised loop multiplies vectors, and it calls no function of the C library."""
    x = np.ones(8, dtype)
    apply(f"{name}_{dtype}", x)
    kernel = loop(f"{name}_{dtype}", "exact")
    code = kernel.inspect_llvm(kernel.signatures[0])
    number = "float" if dtype == "float32" else "double"
    assert re.search(rf"fmul contract <\d+ x {number}>", code)
    assert not re.search(rf"call \w+ @{name}f?\(", code)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "x, y, expected",
    [
        (2.0, 10.0, 1024.0),
        (2.0, 0.5, math.sqrt(2.0)),
        (-8.0, 3.0, -512.0),
        (-8.0, 1 / 3, math.nan),
        (0.0, -1.0, math.inf),
        (-0.0, -1.0, -math.inf),
        (0.0, 0.0, 1.0),
        (math.nan, 0.0, 1.0),
        (1.0, math.nan, 1.0),
        (10.0, 1000.0, math.inf),
        (-10.0, 1001.0, -math.inf),
        (0.5, math.inf, 0.0),
    ],
)
def test_pow_is_that_of_ieee_754(x, y, expected, dtype):
    number = np.dtype(dtype).type
    found = getattr(primitives, f"pow_{dtype}")(number(x), number(y))
    np.testing.assert_array_equal(number(found), number(expected))
