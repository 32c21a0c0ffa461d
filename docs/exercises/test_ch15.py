"""Tests of the exercises of chapter 15. Their messages are for you: read the line that starts with E."""

import copy

import numpy as np
import pytest

import tinygrad_edu as tg


def test_1_average_follows_the_model(exercise):
    update = exercise("ch15_1_average").update
    tg.manual_seed(0)
    model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.BatchNorm1d(4))
    average = copy.deepcopy(model)
    memory = [p.data_ptr() for p in average.parameters()]
    expected = [p.detach().numpy().astype(float) for p in model.parameters()]
    for _ in range(5):
        with tg.no_grad():
            for p in model.parameters():
                p += tg.randn(*p.shape)
        model(tg.randn(8, 3))  # moves the running statistics
        assert update(average, model, 0.9) is average
        expected = [0.9 * e + 0.1 * p.detach().numpy() for e, p in zip(expected, model.parameters(), strict=True)]
    for a, e in zip(average.parameters(), expected, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), e, rtol=1e-4, atol=1e-5)
        assert a.is_leaf and a.requires_grad, "the average has got a history: no_grad?"
    assert memory == [p.data_ptr() for p in average.parameters()], "in place, in the memory that it has"
    for mine, its in zip(average.buffers(), model.buffers(), strict=True):
        np.testing.assert_array_equal(mine.numpy(), its.numpy(), "buffers are copied")


@pytest.mark.parametrize("seed", [0, 42])
def test_2_same_numbers_rand(seed, exercise):
    module = exercise("ch15_2_same_numbers")
    tg.manual_seed(seed)
    found = module.rand(module.words(seed, 1000))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tg.rand(1000).numpy())


@pytest.mark.parametrize("n", [1, 2, 9, 500])
def test_2_same_numbers_randperm(n, exercise):
    module = exercise("ch15_2_same_numbers")
    tg.manual_seed(7)
    np.testing.assert_array_equal(module.randperm(n, module.words(7, max(n - 1, 1))), tg.randperm(n).numpy())


def test_3_straight_values_and_gradients(exercise):
    x = tg.tensor([-2.6, -2.0, -0.7, 0.2, 1.6, 2.0, 2.4], requires_grad=True)
    y = exercise("ch15_3_straight").straight_round(x, -2.0, 2.0)
    np.testing.assert_array_equal(y.detach().numpy(), [-2, -2, -1, 0, 2, 2, 2])
    y.backward(tg.arange(1.0, 8.0))
    np.testing.assert_array_equal(x.grad.numpy(), [0, 2, 3, 4, 5, 6, 0], "g inside, 0 outside, ends included")


def test_3_straight_trains_whole_numbers(exercise):
    straight_round = exercise("ch15_3_straight").straight_round
    w = tg.tensor([0.2, -0.4, 0.1], requires_grad=True)
    x = tg.tensor(np.random.default_rng(0).normal(size=(50, 3)), dtype=tg.float32)
    goal = x @ tg.tensor([2.0, -1.0, 3.0])
    optimizer = tg.optim.Adam([w], lr=0.05)
    for _ in range(200):
        loss = (x @ straight_round(w, -4, 4) - goal).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert straight_round(w, -4, 4).tolist() == [2, -1, 3]
