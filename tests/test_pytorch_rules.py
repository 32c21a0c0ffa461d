"""Every elementwise method and function against PyTorch: dtypes of results, types of errors, layouts, in place.

One table, `CALLS`: the same line of code runs with both libraries. A line that PyTorch refuses must be refused with
the same type of error; otherwise the dtype and the numbers must be the same.
"""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.ops import activations

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
UNARY = """neg exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square abs sign sin cos tan asin acos atan sinh
cosh tanh asinh acosh atanh sigmoid erf erfc floor ceil round trunc frac logical_not bitwise_not isnan isinf isfinite
nan_to_num relu""".split()
BINARY = """add sub mul div pow logaddexp atan2 maximum minimum remainder fmod floor_divide copysign logical_and
logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift isclose lt le gt ge
eq ne""".split()
ACTIVATIONS = """relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign logsigmoid hardtanh hardsigmoid
hardswish""".split()


def functional(t, name):
    return getattr(t.nn.functional if t is not tg else activations, name)


CALLS = {
    **{name: lambda t, x, y, name=name: getattr(t, name)(x) for name in UNARY},
    **{f"{name}(x, y)": lambda t, x, y, name=name: getattr(t, name)(x, y) for name in BINARY},
    **{f"x.{name}(1)": lambda t, x, y, name=name: getattr(x, name)(1) for name in BINARY},
    **{f"x.{name}(1.5)": lambda t, x, y, name=name: getattr(x, name)(1.5) for name in BINARY},
    **{f"F.{name}": lambda t, x, y, name=name: functional(t, name)(x) for name in ACTIVATIONS},
    "F.gelu tanh": lambda t, x, y: functional(t, "gelu")(x, approximate="tanh"),
    "F.leaky_relu 0.2": lambda t, x, y: functional(t, "leaky_relu")(x, 0.2),
    "F.elu 2": lambda t, x, y: functional(t, "elu")(x, 2.0),
    "F.celu 0.5": lambda t, x, y: functional(t, "celu")(x, 0.5),
    "F.softplus 2 3": lambda t, x, y: functional(t, "softplus")(x, 2, 3),
    "F.hardtanh 0 2": lambda t, x, y: functional(t, "hardtanh")(x, 0, 2),
    "x / y floor": lambda t, x, y: t.div(x, y, rounding_mode="floor"),
    "x / y trunc": lambda t, x, y: x.div(y, rounding_mode="trunc"),
    "x / 1.5 trunc": lambda t, x, y: x.div(1.5, rounding_mode="trunc"),
    "rounding_mode": lambda t, x, y: x.div(y, rounding_mode="ceil"),
    "x ** 2": lambda t, x, y: x**2,
    "x ** 3": lambda t, x, y: x**3,
    "x ** 0.5": lambda t, x, y: x**0.5,
    "x ** -1": lambda t, x, y: x**-1,
    "x ** 1.5": lambda t, x, y: x**1.5,
    "2 ** x": lambda t, x, y: 2**x,
    "pow(2.0, x)": lambda t, x, y: t.pow(2.0, x),
    "1 - x": lambda t, x, y: 1 - x,
    "2.0 / x": lambda t, x, y: 2.0 / y,
    "7 // y": lambda t, x, y: 7 // y,
    "-7 % y": lambda t, x, y: -7 % y,
    "x // -2": lambda t, x, y: x // -2,
    "x % -2": lambda t, x, y: x % -2,
    "x % 0": lambda t, x, y: x % 0,
    "x // 0": lambda t, x, y: x // 0,
    "x // (y - y)": lambda t, x, y: x // (y * 0),
    "fmod 0": lambda t, x, y: x.fmod(0),
    "x & y": lambda t, x, y: x & y,
    "1 | x": lambda t, x, y: 1 | x,
    "x ^ True": lambda t, x, y: x ^ True,
    "~x": lambda t, x, y: ~x,
    "+x": lambda t, x, y: +x,
    "abs(x)": lambda t, x, y: abs(x),
    "x << 1": lambda t, x, y: x << 1,
    "x >> y": lambda t, x, y: x >> y,
    "x << 9": lambda t, x, y: x << 9,
    "clamp(0, 2)": lambda t, x, y: x.clamp(0, 2),
    "clamp(min=0.5)": lambda t, x, y: x.clamp(min=0.5),
    "clamp(max=y)": lambda t, x, y: t.clamp(x, max=y),
    "clip(y, y)": lambda t, x, y: x.clip(y, y),
    "clamp_min": lambda t, x, y: t.clamp_min(x, 1),
    "clamp_max": lambda t, x, y: t.clamp_max(x, 1),
    "clamp()": lambda t, x, y: x.clamp(),
    "round 1": lambda t, x, y: t.round(x, decimals=1),
    "round -1": lambda t, x, y: x.round(decimals=-1),
    "lerp 0.25": lambda t, x, y: t.lerp(x, y, 0.25),
    "lerp y": lambda t, x, y: x.lerp(y, y),
    "addcmul": lambda t, x, y: t.addcmul(x, x, y),
    "addcmul 2": lambda t, x, y: x.addcmul(x, y, value=2),
    "addcdiv": lambda t, x, y: t.addcdiv(x, x, y),
    "addcdiv 0.5": lambda t, x, y: x.addcdiv(x, y, value=0.5),
    "add alpha=2": lambda t, x, y: t.add(x, y, alpha=2),
    "add alpha=0.5": lambda t, x, y: x.add(y, alpha=0.5),
    "sub alpha=2": lambda t, x, y: t.sub(x, y, alpha=2),
    "where number": lambda t, x, y: t.where(x > 1, x, 0),
    "where float": lambda t, x, y: t.where(x > 1, x, 0.5),
    "masked_fill": lambda t, x, y: x.masked_fill(x > 1, 2),
    "masked_fill tensor": lambda t, x, y: t.masked_fill(x, x > 1, t.tensor(3.0)),
    "nan_to_num": lambda t, x, y: x.nan_to_num(1.5, 2.5),
    "isclose": lambda t, x, y: x.isclose(y, 0.5, 0.25),
    "maximum 1": lambda t, x, y: t.maximum(x, 1),
}  # fmt: skip
IN_PLACE = """neg exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal square abs sign sin cos tan asin acos atan
sinh cosh tanh asinh acosh atanh sigmoid erf erfc floor ceil round trunc frac bitwise_not nan_to_num relu""".split()
IN_PLACE_CALLS = {
    **{f"{name}_": lambda x, y, name=name: getattr(x, f"{name}_")() for name in IN_PLACE},
    **{f"{name}_": lambda x, y, name=name: getattr(x, f"{name}_")(y) for name in
       "remainder fmod floor_divide bitwise_and bitwise_or bitwise_xor bitwise_left_shift copysign pow mul".split()},
    "clamp_": lambda x, y: x.clamp_(0, 2), "lerp_": lambda x, y: x.lerp_(y, 0.25),
    "addcmul_": lambda x, y: x.addcmul_(y, y),
    "addcdiv_": lambda x, y: x.addcdiv_(y, y, value=2), "masked_fill_": lambda x, y: x.masked_fill_(y > 1, 3),
    "add_": lambda x, y: x.add_(y, alpha=2), "sub_": lambda x, y: x.sub_(y, alpha=2),
    "div_": lambda x, y: x.div_(y, rounding_mode="floor"), "clamp_min_": lambda x, y: x.clamp_min_(1),
}  # fmt: skip
EXTREMES = [0.0, -0.0, 0.5, -1.5, 2.5, 100.0, -100.0, np.inf, -np.inf, np.nan, 0.3, -0.7]


def numbers(dtype, n=12):
    """Two arrays of a dtype: anything; and no zero, for divisors and shifts."""
    random = np.random.default_rng(5)
    if dtype == "bool":
        return random.uniform(size=n) > 0.5, np.ones(n, bool)
    if dtype.startswith("float"):
        return np.array(EXTREMES[:n]).astype(dtype), random.uniform(0.5, 3, n).astype(dtype)
    low = 0 if dtype == "uint8" else -20
    return random.integers(low, 20, n).astype(dtype), random.integers(1, 5, n).astype(dtype)


def outcome(t, call, *operands):
    """(dtype, array) or the type of the error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = call(*operands)
    except Exception as error:
        return type(error).__name__, str(error)
    return str(found.dtype), np.asarray(found.detach().numpy())


def assert_same(found, expected):
    assert found[0] == expected[0], f"{found} where PyTorch has {expected}"
    if isinstance(expected[1], np.ndarray):
        single = expected[1].dtype == np.float32
        np.testing.assert_allclose(
            found[1], expected[1], rtol=3e-6 if single else 1e-12, atol=1e-7 if single else 1e-14
        )
        assert found[1].shape == expected[1].shape


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_values_and_errors_are_pytorchs(name, dtype, torch):
    x, y = numbers(dtype)
    if name == "F.gelu":  # PyTorch's vectorised ones are nan at inf, and inf at the largest number
        x = np.nan_to_num(x, posinf=50.0, neginf=-50.0)
    found = outcome(tg, CALLS[name], tg, tg.tensor(x), tg.tensor(y))
    assert_same(found, outcome(torch, CALLS[name], torch, torch.tensor(x), torch.tensor(y)))


@pytest.mark.parametrize(
    "name", ["add", "pow", "maximum", "remainder", "floor_divide", "bitwise_and", "copysign", "lt"]
)
def test_two_dtypes_meet_as_in_pytorch(name, torch):
    """All pairs for one operation of each kind; for the others, whose promotion is the same code, a few."""
    pairs = [("bool", "int8"), ("uint8", "int8"), ("int64", "float32"), ("float64", "int8"), ("float32", "float64")]
    if name in ("add", "floor_divide", "lt"):
        pairs = itertools.permutations(["bool", "uint8", "int8", "int64", "float32", "float64"], 2)
    for first, second in pairs:
        x, y = numbers(first)[0], numbers(second)[1]
        found = outcome(tg, CALLS[f"{name}(x, y)"], tg, tg.tensor(x), tg.tensor(y))
        assert_same(found, outcome(torch, CALLS[f"{name}(x, y)"], torch, torch.tensor(x), torch.tensor(y)))


@pytest.mark.parametrize("name", IN_PLACE_CALLS)
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float32", "float64"])
def test_in_place_forms_are_pytorchs(name, dtype, torch):
    x, y = numbers(dtype)
    ours, theirs = tg.tensor(x), torch.tensor(x)
    found = outcome(tg, IN_PLACE_CALLS[name], ours, tg.tensor(y))
    assert_same(found, outcome(torch, IN_PLACE_CALLS[name], theirs, torch.tensor(y)))
    assert_same((str(ours.dtype), ours.numpy()), (str(theirs.dtype), theirs.numpy()))


def seen(t, array, how):
    """A tensor of the array's shape and numbers, laid out in memory in some way."""
    if how == "permuted":
        return t.tensor(np.ascontiguousarray(array.T)).t() if array.ndim == 2 else t.tensor(array)
    if how == "sliced" and array.ndim:
        return t.tensor(np.repeat(array, 2, axis=-1))[..., ::2]
    if how == "expanded":
        return t.tensor(np.array(array.reshape(-1)[:1].reshape((1,) * array.ndim))).expand(array.shape)
    return t.tensor(array)


SHAPES = [(), (0,), (1,), (5,), (3, 4), (2, 0)]
HOW = ["contiguous", "permuted", "sliced", "expanded"]


@given(
    st.sampled_from(sorted(CALLS)), st.sampled_from(DTYPES), st.sampled_from(SHAPES), st.sampled_from(HOW),
    st.sampled_from(HOW),
)  # fmt: skip
def test_layouts_do_not_matter(name, dtype, shape, first, second):
    torch = pytest.importorskip("torch")
    size = int(np.prod(shape))
    if "expanded" in (first, second) and not size:
        return
    x, y = (v[:size].reshape(shape) for v in numbers(dtype))
    x = np.nan_to_num(x) if name == "F.gelu" else x
    pairs = [(t, seen(t, x, first), seen(t, y, second)) for t in (tg, torch)]
    found, expected = (outcome(t, CALLS[name], t, a, b) for t, a, b in pairs)
    if expected[0] == "ZeroDivisionError" or (size == 0 and "Error" in expected[0] + found[0]):
        return  # whether an empty tensor is looked at is nobody's rule
    assert_same(found, expected)


@pytest.mark.parametrize("method", ["remainder", "fmod", "floor_divide"])
def test_whole_numbers_by_zero_are_an_error(method):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        getattr(tg.tensor([1, 2]), method)(tg.tensor([1, 0]))


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_the_least_whole_number_by_minus_one_wraps_around(dtype):
    least = np.iinfo(dtype).min
    x = tg.tensor(np.array([least], dtype))
    assert (x // -1).item() == least and (x % -1).item() == 0 and x.fmod(-1).item() == 0 and abs(x).item() == least


@pytest.mark.parametrize("bad", [None, "1", [1.0]])
@pytest.mark.parametrize("name", ["mul", "div", "fmod", "bitwise_and", "lt", "pow", "clamp_min"])
def test_a_method_refuses_what_is_no_number(name, bad):
    if name != "clamp_min" or bad is not None:
        with pytest.raises(TypeError):
            getattr(tg.tensor([1]), name)(bad)


# The digits of float32 -------------------------------------------------------------------------------------------
COMPOSED = [f"F.{name}" for name in ACTIVATIONS if name not in ("relu", "relu6", "hardtanh")] + [
    "F.gelu tanh",
    "sigmoid",
]


def largest_error(found, exact):
    """Relative where numbers are large, absolute where they are small: what a sum of such numbers would feel."""
    return float(np.max(np.abs(found - exact) / np.maximum(np.abs(exact), 1.0)))


@pytest.mark.parametrize("name", COMPOSED)
def test_float32_has_no_more_error_than_pytorch(name, torch):
    """What is composed of primitives: value and gradient at most 1.5 times as far from float64 as PyTorch's."""
    random = np.random.default_rng(0)
    points = np.concatenate([random.normal(size=4000), random.uniform(-12, 12, 4000)]).astype(np.float32)
    results = []
    for t, x in ((tg, points), (torch, points), (torch, points.astype(np.float64))):
        leaf = t.tensor(x).requires_grad_()
        out = CALLS[name](t, leaf, leaf)
        out.backward(t.ones_like(out))
        results.append((out.detach().numpy().astype(np.float64), leaf.grad.numpy().astype(np.float64)))
    for found, theirs, exact in zip(*results, strict=True):
        floor = 2 * np.finfo(np.float32).eps  # two units in the last place, where PyTorch happens to have less
        assert largest_error(found, exact) <= max(1.5 * largest_error(theirs, exact), floor)


@pytest.mark.parametrize("x", [-3.0, -6.0, -9.0, -12.0])
def test_the_tail_of_gelu_is_small_to_a_rounding_of_its_operand(x):
    """1 + erf(x / √2) is 0 in float32 from -6 on; the true value is not, but below one unit in x's last place."""
    exact = x * math.erfc(-x / math.sqrt(2.0)) / 2
    assert activations.gelu(tg.tensor([x])).item() == pytest.approx(exact, rel=0, abs=6e-8 * abs(x))
