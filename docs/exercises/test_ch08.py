"""Tests of the exercises of chapter 08. Their messages are for you: read the line that starts with E."""

from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_edu as tg

RNG = np.random.default_rng(8)


def leaf():
    return tg.zeros(2, requires_grad=True)


def same(found, expected):
    return len(found) == len(expected) and all(f is e for f, e in zip(found, expected, strict=True))


def test_1_module_finds_parameters_in_order(exercise):
    a, b, c, d = leaf(), leaf(), leaf(), leaf()
    tree = SimpleNamespace(name="net", first=a, layers=[SimpleNamespace(w=b), {"c": c}], size=3, last=(d, None))
    assert same(exercise("ch08_1_module").parameters_of(tree), [a, b, c, d])


def test_1_module_finds_a_tied_weight_once(exercise):
    a, b = leaf(), leaf()
    tree = SimpleNamespace(embedding=a, other=b, out=SimpleNamespace(weight=a))
    assert same(exercise("ch08_1_module").parameters_of(tree), [a, b]), "by identity, `is`: not by =="


def test_1_module_leaves_out_what_is_not_trained(exercise):
    a = leaf()
    assert same(exercise("ch08_1_module").parameters_of([tg.zeros(3), a, a.detach()]), [a])


def test_1_module_goes_round_in_a_circle_once(exercise):
    one, two, a = SimpleNamespace(), SimpleNamespace(), leaf()
    one.friend, two.friend, two.weight = two, one, a
    assert same(exercise("ch08_1_module").parameters_of(one), [a])


def test_2_adam_is_the_librarys(exercise):
    adam_step = exercise("ch08_2_adam").adam_step
    p = RNG.normal(size=(3, 4))
    q = tg.tensor(p, requires_grad=True)
    optimizer, state = tg.optim.Adam([q], lr=0.02), {}
    for step in range(20):
        g = RNG.normal(size=(3, 4)) * 10.0 ** (step % 5 - 2)
        before = p.copy(), g.copy()
        new = adam_step(p, g, state, lr=0.02)
        assert np.array_equal(p, before[0]) and np.array_equal(g, before[1]), "p and g are the caller's"
        p, q.grad = new, tg.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(
            p, q.detach().numpy(), rtol=1e-10, err_msg=f"step {step + 1}: hats with t = {step + 1}?"
        )


def test_2_adam_takes_first_steps_of_lr(exercise):
    p = exercise("ch08_2_adam").adam_step(np.zeros(3), np.array([1e-3, 1.0, -1e3]), {}, lr=0.1)
    np.testing.assert_allclose(p, [-0.1, -0.1, 0.1], rtol=1e-4)


ACTIVATIONS = {
    "linear": (lambda x: x, 1.0),
    "relu": (lambda x: np.maximum(x, 0), 2**0.5),
    "leaky": (lambda x: np.where(x > 0, x, 0.1 * x), (2 / 1.01) ** 0.5),
    "abs": (np.abs, 1.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_3_first_gain_in_closed_form(name, exercise):
    f, expected = ACTIVATIONS[name]
    assert exercise("ch08_3_first").gain(f) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_3_first_weights_keep_a_deep_network_in_size(name, exercise):
    f = {"relu": ACTIVATIONS["relu"][0], "tanh": np.tanh}[name]
    x, rng = RNG.normal(size=(200, 300)), np.random.default_rng(0)
    for _ in range(30):
        x = f(x) @ exercise("ch08_3_first").first_weights(f, 300, 300, rng).T
    assert 0.3 < x.std() < 3, f"after 30 layers the deviation is {x.std():.2g}"
