"""The vectorisable functions: within 2 ulp everywhere, right at the ends of the number line."""

import functools
import itertools
import math
import re

import mpmath
import numba
import numpy as np
import pytest
from tinygrad_kernels import floats
from tinygrad_kernels.cpu import math as primitives

ODD = ["expm1", "log1p", "erf", "sinh", "atan"]  # f(x) rounds to x (or 2x/√π) near 0, however small x is
NAMES = ["exp", "exp2", "log", "sin", "cos", "tanh", "cosh", "erfc", *ODD]
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


def true_float64(name, x):
    """The function in float64: NumPy's, or the C library's where NumPy has none."""
    if name in ("erf", "erfc"):
        return np.frompyfunc(getattr(math, name), 1, 1)(x).astype(np.float64)
    return {"atan": np.arctan}.get(name, getattr(np, name, None))(x)


def limit(name, dtype):
    return primitives.SIN_LIMIT[dtype] if name in ("sin", "cos") else math.inf


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_within_2_ulp_over_all_bit_patterns(name):
    """Every 1009th of the 2³² numbers, against float64 NumPy rounded once; overflow and nan included."""
    x = np.arange(0, 2**32, 1009, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[~(np.abs(x) >= limit(name, "float32"))]  # nan stays
    out = apply(f"{name}_float32", x)
    with np.errstate(all="ignore"):
        true = true_float64(name, x.astype(np.float64))
        rounded = true.astype(np.float32)
        finite = np.isfinite(rounded)
        error = np.abs(out[finite] - true[finite]) / np.spacing(np.abs(rounded[finite])).astype(np.float64)
    np.testing.assert_array_equal(out[~finite], rounded[~finite])
    assert error.max() <= 2.0


def points(name):
    """float64 arguments that are ordinary, tiny, huge, or near where the function is hard."""
    rng = np.random.default_rng(7)
    tiny = 10.0 ** rng.uniform(-320, 0, 300)
    huge = 10.0 ** rng.uniform(0, 308, 300)
    near_one = 1.0 + rng.normal(size=500) * 1e-3
    if name in ("exp", "exp2"):
        return np.concatenate([rng.uniform(-745, 709.78, 1500), rng.normal(size=500), tiny, -tiny])
    if name == "log":
        return np.concatenate([10.0 ** rng.uniform(-323, 308, 1500), rng.uniform(0.5, 2, 500), near_one])
    if name == "log1p":
        return np.concatenate([rng.uniform(-1, 3, 1500), -near_one[near_one < 1], tiny, -0.999 * tiny, huge])
    if name in ("sinh", "cosh", "expm1"):
        return np.concatenate([rng.uniform(-709, 709.7, 500), rng.uniform(-2, 2, 2000), tiny, -tiny])
    if name in ("erf", "erfc"):
        return np.concatenate([rng.uniform(-7, 26.5, 2000), rng.uniform(-2, 2, 2000), tiny, -tiny])
    if name == "atan":
        return np.concatenate([rng.uniform(-5, 5, 2000), near_one, tiny, -tiny, huge, -huge])
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
            true = mpmath.mpf(2) ** argument if name == "exp2" else getattr(mpmath, name)(mpmath.mpf(argument))
            ulp = float(np.spacing(abs(float(true))))
            assert abs(mpmath.mpf(found) - true) <= 2 * mpmath.mpf(ulp), (argument, found, true)


SPECIAL = {  # x: 0.0, -0.0, inf, -inf, nan
    "exp": [1.0, 1.0, math.inf, 0.0, math.nan],
    "log": [-math.inf, -math.inf, math.inf, math.nan, math.nan],
    "sin": [0.0, -0.0, math.nan, math.nan, math.nan],
    "cos": [1.0, 1.0, math.nan, math.nan, math.nan],
    "tanh": [0.0, -0.0, 1.0, -1.0, math.nan],
    "exp2": [1.0, 1.0, math.inf, 0.0, math.nan],
    "expm1": [0.0, -0.0, math.inf, -1.0, math.nan],
    "log1p": [0.0, -0.0, math.inf, math.nan, math.nan],
    "erf": [0.0, -0.0, 1.0, -1.0, math.nan],
    "erfc": [1.0, 1.0, 0.0, 2.0, math.nan],
    "sinh": [0.0, -0.0, math.inf, -math.inf, math.nan],
    "cosh": [1.0, 1.0, math.inf, math.inf, math.nan],
    "atan": [0.0, -0.0, math.pi / 2, -math.pi / 2, math.nan],
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
@pytest.mark.parametrize("name, log", [("exp", np.log), ("exp2", np.log2)])
def test_exp_overflows_to_inf_and_underflows_through_the_subnormals(name, log, dtype):
    info = np.finfo(dtype)
    top, bottom = log(info.max), log(info.smallest_subnormal)
    x = np.array([top * 1.001, 1e30, bottom * 1.01, -1e30, bottom], dtype)
    out = apply(f"{name}_{dtype}", x)
    np.testing.assert_array_equal(out[:4], np.array([np.inf, np.inf, 0.0, 0.0], dtype))
    assert 0.0 < out[4] < info.smallest_normal


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["expm1", "sinh", "cosh"])
def test_overflow_comes_where_the_true_value_is_too_large_and_not_before(name, dtype):
    top = np.log(np.finfo(dtype).max) + (0.0 if name == "expm1" else np.log(2.0))
    x = np.array([top * 0.9999, top * 1.0001, 1e4, 1e30], dtype)
    np.testing.assert_array_equal(np.isinf(apply(f"{name}_{dtype}", x)), [False, True, True, True])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ODD)
def test_the_smallest_numbers_go_through(name, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([tiny, -tiny, 7 * tiny, -101 * tiny], dtype)
    expected = x if name != "erf" else np.array([1, -1, 8, -114], dtype) * tiny  # times 2/√π = 1.128
    np.testing.assert_array_equal(apply(f"{name}_{dtype}", x), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_erfc_goes_through_the_subnormals(dtype):
    x = np.array([10.0, 27.2, 30.0, 1e30], dtype)
    out = apply(f"erfc_{dtype}", x)
    expected = np.array([float(mpmath.erfc(mpmath.mpf(float(v)))) for v in x]).astype(dtype)
    np.testing.assert_allclose(out, expected, rtol=0, atol=2 * np.finfo(dtype).smallest_subnormal)
    assert out[0 if dtype == "float32" else 1] > 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_log1p_at_its_pole_and_below(dtype):
    out = apply(f"log1p_{dtype}", np.array([-1.0, -1.0001, -1e30], dtype))
    np.testing.assert_array_equal(out, np.array([-math.inf, math.nan, math.nan], dtype))


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


@pytest.mark.parametrize("name", ["sin", "cos"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_any_twin_has_the_same_bits_below_the_limit(name, dtype):
    limit = primitives.SIN_LIMIT[dtype]
    x = np.nextafter(np.linspace(-limit, limit, 20_001), 0).astype(dtype)
    x = x[abs(x) < limit]
    np.testing.assert_array_equal(apply(f"{name}_{dtype}_any", x), apply(f"{name}_{dtype}", x))


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
    number = "float" if dtype == "float32" and name != "erfc" else "double"
    assert re.search(rf"fmul contract <\d+ x {number}>", code)
    assert not re.search(rf"call \w+ @{name}f?\(", code)


EDGES = (0.0, -0.0, 0.3, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 0.999, 3e7, -1e30, math.inf, -math.inf, math.nan)
FROM_C = ["log2", "log10", "tan", "asin", "acos", "asinh", "acosh", "atanh", "floor", "ceil", "trunc", "rint", "abs"]


def assert_is_float(found, expected, dtype):
    """One unit in the last place; the sign of 0 too."""
    expected = np.dtype(dtype).type(expected)
    np.testing.assert_allclose(found, expected, rtol=float(np.finfo(dtype).eps), atol=0)
    assert np.isnan(expected) or np.signbit(found) == np.signbit(expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FROM_C)
def test_functions_of_the_c_library_are_those_of_floats(name, dtype):
    x = np.array(EDGES, dtype)
    for argument, found in zip(x, apply(f"{name}_{dtype}", x), strict=True):
        assert_is_float(found, getattr(floats, name)(float(argument)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["atan2", "fmod", "copysign"])
def test_functions_of_two_numbers_are_those_of_floats(name, dtype):
    function, number = getattr(primitives, f"{name}_{dtype}"), np.dtype(dtype).type
    for x, y in itertools.product(map(number, EDGES), map(number, EDGES)):
        assert_is_float(number(function(x, y)), getattr(floats, name)(float(x), float(y)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "rint"])
def test_rounding_to_whole_numbers_is_an_instruction_on_vectors(name, dtype):
    apply(f"{name}_{dtype}", np.ones(8, dtype))
    kernel = loop(f"{name}_{dtype}", "exact")
    assert re.search(rf"call [\w ]*<\d+ x \w+> @llvm\.{name}\.v", kernel.inspect_llvm(kernel.signatures[0]))


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
