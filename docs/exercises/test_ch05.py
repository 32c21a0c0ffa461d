"""Tests of the exercises of chapter 05. Their messages are for you: read the line that starts with E."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg

LAYOUTS = {
    "contiguous (3, 4)": ((3, 4), (4, 1), 0),
    "transposed (4, 3)": ((4, 3), (1, 4), 0),
    "a part, with an offset": ((2, 2), (4, 2), 5),
    "expanded: stride 0": ((3, 4), (0, 1), 2),
}
BUFFER = np.arange(24.0)


def seen(layout):
    """The array that NumPy sees through a layout."""
    shape, strides, offset = layout
    return np.lib.stride_tricks.as_strided(BUFFER[offset:], shape, [8 * s for s in strides])


@pytest.mark.parametrize("name", LAYOUTS)
def test_1_strides_say_where_an_element_lies(name, exercise):
    layout = LAYOUTS[name]
    address = exercise("ch05_1_strides").address
    for index in np.ndindex(*layout[0]):
        assert address(layout, index) == seen(layout)[index], f"{layout}, index {index}: offset + Σ index · stride"


def test_1_strides_of_three_axes_and_of_none(exercise):
    address = exercise("ch05_1_strides").address
    assert address(((2, 3, 4), (12, 4, 1), 0), (1, 2, 3)) == 23
    assert address(((), (), 7), ()) == 7, "a 0-d view has one element, at its offset"


@pytest.mark.parametrize("name", LAYOUTS)
def test_1_strides_transposed(name, exercise):
    layout = LAYOUTS[name]
    found = exercise("ch05_1_strides").transpose(layout)
    assert found[0] == layout[0][::-1], "the shape is reversed"
    np.testing.assert_array_equal(seen(found), seen(layout).T, "and what must happen to the strides?")


@pytest.mark.parametrize("name", LAYOUTS)
def test_1_strides_of_the_diagonal(name, exercise):
    layout = LAYOUTS[name]
    found = exercise("ch05_1_strides").diagonal(layout)
    assert found[0] == (min(layout[0]),), "a diagonal is as long as the shorter side"
    np.testing.assert_array_equal(seen(found), np.diagonal(seen(layout)), "one step is one down and one to the right")


BROADCASTS = [((4, 3), (3,)), ((4, 3), (4, 1)), ((4, 3), ()), ((4, 3), (1, 3)), ((2, 4, 3), (4, 1)), ((4, 3), (4, 3)),
              ((4, 1), (1,)), ((1, 3), (1, 1)), ((2, 4, 3), (2, 1, 3))]  # fmt: skip


@pytest.mark.parametrize(("full", "shape"), BROADCASTS)
def test_2_sum_to_the_shape_of_the_operand(full, shape, exercise):
    g = np.arange(1.0, 1.0 + math.prod(full)).reshape(full)
    found = exercise("ch05_2_sum_to").sum_to(g, shape)
    assert found.shape == shape, f"g {full}, operand {shape}: the result has the shape {found.shape}"
    b = tg.zeros(*shape, dtype=tg.float64, requires_grad=True)
    b.expand(*full).backward(tg.tensor(g)) if full != shape else (b * 1.0).backward(tg.tensor(g))
    np.testing.assert_array_equal(found, b.grad.numpy(), f"g {full}, operand {shape}: summed over the wrong axes?")


def test_2_sum_to_keeps_the_total(exercise):
    g = np.arange(24.0).reshape(2, 3, 4)
    found = exercise("ch05_2_sum_to").sum_to(g, (3, 1))
    assert found.sum() == g.sum(), "every element of g arrives somewhere, once: is a mean taken?"


def float32s(numbers):
    return [np.float32(x) for x in numbers]


def test_3_compensate_many_small_numbers(exercise):
    numbers = [np.float32(x) for x in np.random.default_rng(0).random(100_000, dtype=np.float32)]
    found, exact = exercise("ch05_3_compensate").total(numbers), math.fsum(numbers)
    assert type(found) is np.float32, f"the result is a {type(found).__name__}"
    assert abs(found - exact) <= np.spacing(np.float32(exact)), (
        f"off by {abs(found - exact):.3g}; a plain running total is off by about 0.1. Is `low` added at the end?"
    )


def test_3_compensate_what_a_large_total_swallows(exercise):
    found = exercise("ch05_3_compensate").total(float32s([2.0**24] + [0.25] * 1000))
    assert found == np.float32(2.0**24 + 250), "each 0.25 is lost in 2²⁴, all of it: it must go to `low`"


def test_3_compensate_when_the_new_number_is_the_larger(exercise):
    found = exercise("ch05_3_compensate").total(float32s([1.0, 1e10, 1.0, -1e10]))
    assert found == 2.0, "at 1 + 1e10 it is the *total* that is lost: look which of the two is larger"


def test_3_compensate_nothing(exercise):
    assert exercise("ch05_3_compensate").total([]) == 0.0
