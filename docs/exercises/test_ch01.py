"""Tests of the exercises of chapter 01. Their messages are for you: read the line that starts with E."""

import random

import pytest
from toy import Number

QUOTIENTS = [(6.0, 2.0), (1.0, 4.0), (-3.0, 0.5), (0.0, 7.0), (5.0, -0.25)]


@pytest.mark.parametrize(("x", "y"), QUOTIENTS)
def test_1_divide_has_the_value_of_the_quotient(x, y, exercise):
    z = exercise("ch01_1_divide").divide(Number(x), Number(y))
    assert z.data == x / y, "the value (the first argument of Number) is not x / y"


@pytest.mark.parametrize(("x", "y"), QUOTIENTS)
def test_1_divide_has_the_slopes_of_the_quotient(x, y, exercise):
    top, bottom = Number(x), Number(y)
    exercise("ch01_1_divide").divide(top, bottom).backward()
    assert top.grad == pytest.approx(1 / y), "x / y is x times 1/y: how much does it move with x?"
    assert bottom.grad != pytest.approx(x / y**2) or x == 0, "the sign: when y grows, does x / y grow or shrink?"
    assert bottom.grad == pytest.approx(-x / y**2), "the derivative of 1/y is -1/y²; and x stands before it"


def test_1_divide_works_inside_a_larger_formula(exercise):
    divide = exercise("ch01_1_divide").divide
    x = Number(3.0)
    (divide(x * x, x) + divide(x, x)).backward()
    assert x.grad == pytest.approx(1.0), (
        "x²/x + x/x is x + 1, with the derivative 1. If each quotient alone is right: are `parents` the very objects "
        "x and y, or copies of them?"
    )


def example():
    a, b = Number(2.0), Number(-3.0)
    c = a * b + a
    return a, b, c, c * c


def test_2_paths_of_a_single_product(exercise):
    a, b = Number(2.0), Number(-3.0)
    found = exercise("ch01_2_paths").path_products(a * b, a)
    assert found == [-3.0], "there is one path from a * b to a, and the slope on it is the value of b"


def test_2_paths_of_the_example(exercise):
    a, b, c, _ = example()
    path_products = exercise("ch01_2_paths").path_products
    assert sorted(path_products(c, a)) == [-3.0, 1.0], "two paths lead from c to a: through the product, and directly"
    assert path_products(c, b) == [2.0], "one path leads from c to b"
    assert path_products(a, a) == [1.0], "the path from a number to itself has an empty product, 1"
    assert path_products(a, b) == [], "b is not below a, so there is no path"


def test_2_paths_through_an_operand_that_is_used_twice(exercise):
    _, b, c, d = example()
    found = exercise("ch01_2_paths").path_products(d, b)
    assert len(found) == 2, "c * c uses c twice, so each path below c counts twice: walk over all `parents`"
    assert found == [2 * c.data, 2 * c.data], "along a path the slopes are multiplied"


def test_2_paths_sum_to_the_gradient(exercise):
    a, _, _, d = example()
    found = exercise("ch01_2_paths").path_products(d, a)
    d.backward()
    assert sum(found) == a.grad, "over all paths the products are added: that is the derivative"


def line(seed):
    rng = random.Random(seed)
    w, v = rng.uniform(-3, 3), rng.uniform(-3, 3)
    return w, v, [(x / 4, w * x / 4 + v) for x in range(-4, 5)]


def test_3_fit_takes_the_right_first_step(exercise):
    found = exercise("ch01_3_fit_a_line").fit([(1.0, 2.0), (3.0, 4.0)], steps=1, rate=0.1)
    wrong_sign = pytest.approx((-1.4, -0.6))
    assert found != wrong_sign, "the step goes uphill: the derivative has to be taken away, not added"
    assert found != pytest.approx((2.8, 1.2)), "this is the step of the sum: divide by the number of points"
    assert found == pytest.approx((1.4, 0.6)), "after one step from (0, 0) the line is another one"


def test_3_fit_forgets_old_gradients(exercise):
    found = exercise("ch01_3_fit_a_line").fit([(1.0, 2.0), (3.0, 4.0)], steps=2, rate=0.1)
    assert found == pytest.approx((1.16, 0.52)), (
        "the first step is checked by another test; the second is wrong: backward() adds to what `grad` has already, "
        "so it must be set back to 0.0 before each step"
    )


@pytest.mark.parametrize("seed", range(3))
def test_3_fit_finds_the_line(seed, exercise):
    w, v, points = line(seed)
    found = exercise("ch01_3_fit_a_line").fit(points, steps=200, rate=0.3)
    assert found == pytest.approx((w, v), abs=1e-6), "the points lie on a line, and 200 steps are enough to find it"
