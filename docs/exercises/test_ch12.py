"""Tests of the exercises of chapter 12. Their messages are for you: read the line that starts with E."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F

RNG = np.random.default_rng(12)


@pytest.mark.parametrize("stride, padding", [(1, 0), (1, 1), (2, 0), (2, 1), (3, 2)])
@pytest.mark.parametrize("window", [(1, 1), (3, 3), (2, 4)])
def test_1_slide_is_the_convolution(stride, padding, window, exercise):
    x, w = RNG.normal(size=(2, 3, 8, 7)), RNG.normal(size=(4, 3, *window))
    found = exercise("ch12_1_slide").slide(x, w, stride, padding)
    expected = F.conv2d(tg.tensor(x), tg.tensor(w), stride=stride, padding=padding).numpy()
    assert found.shape == expected.shape, "the size: (h + 2 padding - kernel) // stride + 1"
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def gradients(x, w):
    x, w = tg.tensor(x, requires_grad=True), tg.tensor(w, requires_grad=True)
    y = F.conv2d(x, w)
    g = RNG.normal(size=tuple(y.shape))
    return g, *(t.numpy() for t in tg.autograd.grad(y, (x, w), tg.tensor(g)))


@pytest.mark.parametrize("window", [(1, 1), (3, 3), (2, 4)])
def test_2_paint_both_gradients(window, exercise):
    x, w = RNG.normal(size=(2, 3, 6, 7)), RNG.normal(size=(4, 3, *window))
    g, gx, gw = gradients(x, w)
    module = exercise("ch12_2_paint")
    np.testing.assert_allclose(module.input_gradient(g, w), gx, rtol=1e-9, atol=1e-12, err_msg="gx")
    np.testing.assert_allclose(module.weight_gradient(g, x), gw, rtol=1e-9, atol=1e-12, err_msg="gw")


STACKS = {
    "nothing": ([], 10, 1),
    "3": ([(3, 1, 0, 1)], 8, 3),
    "3, 3": ([(3, 1, 1, 1), (3, 1, 1, 1)], 10, 5),
    "3, pool 2, 3": ([(3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)], 5, 8),
    "dilated": ([(3, 1, 1, 1), (3, 1, 2, 2), (3, 1, 4, 4)], 10, 15),
    "strided": ([(3, 2, 1, 1), (3, 2, 1, 1)], 3, 7),
}


@pytest.mark.parametrize("name", STACKS)
def test_3_see_sizes_and_receptive_fields(name, exercise):
    layers, size, field = STACKS[name]
    module = exercise("ch12_3_see")
    assert module.size_after(10, layers) == size
    assert module.receptive_field(layers) == field, "strides multiply: keep the distance between neighbours"


def test_3_see_that_a_window_must_fit(exercise):
    size_after = exercise("ch12_3_see").size_after
    assert size_after(3, [(3, 1, 0, 1)]) == 1
    with pytest.raises(ValueError):
        size_after(4, [(3, 1, 0, 2)])
