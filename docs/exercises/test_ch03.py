"""Tests of the exercises of chapter 03. Their messages are for you: read the line that starts with E."""

import math

import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck


def forward(f, x, h):
    return (f(x + h) - f(x)) / h


def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def four_points(f, x, h):
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


@pytest.mark.parametrize(("formula", "expected"), [(forward, 1), (central, 2), (four_points, 4)])
def test_1_order_of_a_formula(formula, expected, exercise):
    found = exercise("ch03_1_order").order(formula, math.exp, math.exp, 0.3, 0.01)
    assert found != pytest.approx(-expected, abs=0.05), "the sign: divide the error of h by the error of h/2"
    assert found == pytest.approx(expected, abs=0.05), f"{formula.__name__} has the order {expected}"


def test_1_order_looks_at_the_error_and_not_at_the_value(exercise):
    def above_then_below(f, x, h):
        return 5.0 + h**3 if h > 0.2 else 5.0 - h**3

    try:
        found = exercise("ch03_1_order").order(above_then_below, math.sin, lambda x: 5.0, 0.0, 0.25)
    except ValueError:
        pytest.fail("an approximation may be too small: the error is the absolute value", pytrace=False)
    assert found == pytest.approx(3.0), "the error is the distance from slope(x)"


def softmax(x):
    e = [math.exp(a) for a in x]
    return [a / sum(e) for a in e]


def softmax_pull(x, v):
    p = softmax(x)
    mean = sum(a * b for a, b in zip(p, v, strict=True))
    return [a * (b - mean) for a, b in zip(p, v, strict=True)]


def cubes(x):
    return [a**3 for a in x]


def cubes_pull(x, v):
    return [3 * a * a * b for a, b in zip(x, v, strict=True)]


POINT = [0.5, -1.2, 0.1, 2.0, -0.3]
RIGHT = {
    "softmax": (softmax, softmax_pull),
    "cubes": (cubes, cubes_pull),
    "a large slope": (lambda x: [1e6 * math.sin(a) for a in x],
                      lambda x, v: [1e6 * math.cos(a) * b for a, b in zip(x, v, strict=True)]),
    "a small slope": (lambda x: [1e-6 * math.sin(a) for a in x],
                      lambda x, v: [1e-6 * math.cos(a) * b for a, b in zip(x, v, strict=True)]),
    "a constant": (lambda x: [1.0, 2.0], lambda x, v: [0.0] * len(x)),
    "a sum": (lambda x: [sum(x)], lambda x, v: [v[0]] * len(x)),
}  # fmt: skip
PLANTED = {
    "all zero: right for a cotangent of ones": (softmax, lambda x, v: [0.0] * len(x)),
    "the last element is lost: look at all of them": (cubes, lambda x, v: [*cubes_pull(x, v)[:-1], 0.0]),
    "the first element is lost: look at all of them": (cubes, lambda x, v: [0.0, *cubes_pull(x, v)[1:]]),
    "nan: compare so that nan is refused": (cubes, lambda x, v: [math.nan] * len(x)),
    "the sign is turned": (cubes, lambda x, v: [-g for g in cubes_pull(x, v)]),
    "too large by a thousandth: the tolerance is too wide": (cubes, lambda x, v: [1.001 * g for g in cubes_pull(x, v)]),
    "v is ignored: right for a cotangent of ones": (cubes, lambda x, v: cubes_pull(x, [1.0] * len(x))),
    "small and wrong by half: the tolerance must be relative": (
        lambda x: [1e-6 * a for a in x], lambda x, v: [0.5e-6 * b for b in v]),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_2_checker_accepts_what_is_right(case, exercise):
    f, pull = RIGHT[case]
    found = exercise("ch03_2_checker").is_right(f, pull, POINT, len(f(POINT)))
    assert found is True, f"'{case}' is right and was refused: is the tolerance relative to the size of the derivative?"


@pytest.mark.parametrize("case", PLANTED)
def test_2_checker_refuses_what_is_planted(case, exercise):
    f, pull = PLANTED[case]
    found = exercise("ch03_2_checker").is_right(f, pull, POINT, len(f(POINT)))
    assert found is False, f"this wrong backward pass was accepted: {case}"


@pytest.mark.parametrize("size", [1, 100])
def test_2_checker_finds_one_wrong_element(size, exercise):
    x = [math.cos(k) + 2.0 for k in range(size)]
    found = exercise("ch03_2_checker").is_right(cubes, lambda x, v: [*cubes_pull(x, v)[:-1], 0.0], x, size)
    assert found is False, f"of {size} elements the last has no gradient: move all of them, along a random direction"


@pytest.fixture
def x():
    return tg.tensor([0.5, -1.0, 2.0], dtype=tg.float64, requires_grad=True)


def test_3_smuggle_has_the_values_of_a_cube(x, exercise):
    found = exercise("ch03_3_smuggle").cube(x)
    assert found.tolist() == pytest.approx([0.125, -1.0, 8.0]), "the values are not those of x³"


def test_3_smuggle_passes_gradcheck(x, exercise):
    cube = exercise("ch03_3_smuggle").cube
    assert cube(x).requires_grad, "all of it is detached: it has no gradient that could be right"
    assert gradcheck(cube, x, raise_exception=False), "it was caught at the first derivative, which is to be 3x²"


def test_3_smuggle_is_refused_by_gradgradcheck(x, exercise):
    cube = exercise("ch03_3_smuggle").cube
    assert not gradgradcheck(cube, x, raise_exception=False), (
        "nothing was smuggled, the second derivative is right: the slope 3x² must not know that it depends on x"
    )
