"""Tests of the exercises of chapter 10. Their messages are for you: read the line that starts with E."""

import numpy as np
import pytest

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install greenlet")
from tinygrad_kernels.cuda.simulator import launch

RNG = np.random.default_rng(10)
either_order = pytest.mark.parametrize("backwards", [False, True], ids=["forward", "reverse"])


@either_order
@pytest.mark.parametrize("rows, width", [(4, 8), (1, 1), (5, 3), (11, 30), (3, 0)])
def test_1_sums_of_rows(rows, width, backwards, exercise):
    x, out = RNG.normal(size=(rows, width)), np.full(rows, np.nan)
    module = exercise("ch10_1_tree")
    blocks, threads = -(-rows // module.DOWN), (module.ACROSS, module.DOWN)
    launch(module.row_sums, blocks, threads, out, x.reshape(-1), rows, width, backwards=backwards)
    message = "a thread has read before another one had written, or a round is missing"
    np.testing.assert_allclose(out, x.sum(1), atol=1e-12, err_msg=message)


def test_2_two_groups_are_one(exercise):
    join = exercise("ch10_2_variance").join
    x, y = RNG.normal(5, 1, 7), RNG.normal(-3, 2, 4)
    both = np.concatenate([x, y])
    found = join(7, x.mean(), 7 * x.var(), 4, y.mean(), 4 * y.var())
    np.testing.assert_allclose(found, (11, both.mean(), 11 * both.var()))


def test_2_no_numbers_change_nothing(exercise):
    join = exercise("ch10_2_variance").join
    assert join(3, 1.5, 2.0, 0, 0.0, 0.0) == join(0, 0.0, 0.0, 3, 1.5, 2.0) == (3, 1.5, 2.0)
    assert join(0, 0.0, 0.0, 0, 0.0, 0.0) == (0, 0.0, 0.0)


@either_order
@pytest.mark.parametrize("rows, width", [(2, 100), (3, 5), (1, 1)])
def test_2_variances_of_rows_far_from_zero(rows, width, backwards, exercise):
    x, out = RNG.normal(1e8, 1, (rows, width)), np.full(rows, np.nan)
    launch(exercise("ch10_2_variance").variances, rows, 32, out, x.reshape(-1), width, backwards=backwards)
    np.testing.assert_allclose(out, x.var(1), rtol=1e-6)


def test_3_one_map_after_another(exercise):
    factor, added = exercise("ch10_3_recurrence").then(2.0, 3.0, 5.0, 7.0)
    assert (factor, added) == (10.0, 22.0), "5 (2 s + 3) + 7 = 10 s + 22"


@either_order
@pytest.mark.parametrize("n", [1, 2, 8, 31, 32])
def test_3_the_chain(n, backwards, exercise):
    x, y, s = RNG.normal(size=n), RNG.normal(size=n), np.full(n, np.nan)
    launch(exercise("ch10_3_recurrence").recurrence, 1, 32, s, x, y, backwards=backwards)
    expected = [y[0]]
    for a, b in zip(x[1:], y[1:], strict=True):
        expected.append(a * expected[-1] + b)
    np.testing.assert_allclose(s, expected, err_msg="s[i] = x[i] s[i - 1] + y[i], from s[-1] = 0")
