"""Tests of the exercises of chapter 13. Their messages are for you: read the line that starts with E."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck

RNG = np.random.default_rng(13)


def normal(*shape):
    return tg.tensor(RNG.normal(size=shape), requires_grad=True)


@pytest.mark.parametrize("places", [1, 2, 7])
def test_1_past_mean_of_the_first_rows(places, exercise):
    x = normal(places, 3)
    found = exercise("ch13_1_past").past_mean(x)
    expected = np.stack([x.detach().numpy()[: t + 1].mean(0) for t in range(places)])
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, err_msg="row t sees rows 0 to t")


@pytest.mark.parametrize("keep", [1.0, 0.5, 0.01])
def test_1_past_that_fades(keep, exercise):
    x = normal(40, 2)
    found = exercise("ch13_1_past").fading_mean(x, keep)
    for t in (0, 1, 39):
        weights = keep ** np.arange(t, -1, -1.0)
        expected = weights @ x.detach().numpy()[: t + 1] / weights.sum()
        np.testing.assert_allclose(found.detach().numpy()[t], expected, rtol=1e-9, err_msg=f"row {t}, keep {keep}")


def test_1_past_passes_gradients(exercise):
    assert gradcheck(lambda x: exercise("ch13_1_past").fading_mean(x, 0.7), (normal(5, 2),))


def expected_attention(q, k, v, allowed):
    scores = np.where(allowed, q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True, initial=-1e3))
    return weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300) @ v


MASKS = {"all": np.ones((4, 6), bool), "some": RNG.uniform(size=(4, 6)) < 0.5, "causal": np.tri(4, 6, dtype=bool)}
MASKS["nowhere for the second"] = np.array([[1] * 6, [0] * 6, [1] * 6, [0, 1] * 3], bool)


@pytest.mark.parametrize("name", MASKS)
def test_2_attention_under_a_mask(name, exercise):
    q, k, v = normal(2, 4, 3), normal(2, 6, 3), normal(2, 6, 5)
    found = exercise("ch13_2_attention").attend(q, k, v, tg.tensor(MASKS[name]))
    assert found.shape == (2, 4, 5)
    expected = expected_attention(*(t.detach().numpy() for t in (q, k, v)), MASKS[name])
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-9, atol=1e-12, err_msg=f"mask: {name}")


@pytest.mark.parametrize("name", MASKS)
def test_2_attention_passes_gradients(name, exercise):
    attend, allowed = exercise("ch13_2_attention").attend, tg.tensor(MASKS[name])
    assert gradcheck(lambda q, k, v: attend(q, k, v, allowed), (normal(4, 3), normal(6, 3), normal(6, 5)))


def test_2_attention_with_large_scores(exercise):
    q, k, v = (t * 1e3 for t in (normal(4, 3), normal(6, 3), normal(6, 5)))
    found = exercise("ch13_2_attention").attend(q, k, v, tg.tensor(MASKS["all"]))
    assert np.isfinite(found.detach().numpy()).all(), "scores of a million must not overflow: softmax does not"


def test_3_backward_by_hand(exercise):
    q, k, v, g = (normal(6, 4) for _ in range(4))
    scores = q @ k.mT / 2
    y, lse = scores.softmax(-1) @ v, scores.logsumexp(-1)
    expected = tg.autograd.grad(y, (q, k, v), g)
    with tg.no_grad():
        found = exercise("ch13_3_backward").attention_backward(g, q, k, v, y, lse)
    for name, f, e in zip("qkv", found, expected, strict=True):
        np.testing.assert_allclose(
            f.detach().numpy(), e.numpy(), rtol=1e-9, atol=1e-12, err_msg=f"the gradient of {name}"
        )
