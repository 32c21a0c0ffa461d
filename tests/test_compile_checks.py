"""Checks of numbers in compiled functions: the recording takes them as passed, and every replay makes them again."""

import pytest

import tinygrad_edu as tg

F = tg.nn.functional
HALF, ONE = tg.tensor([0.5]), tg.tensor([1.0])
CASES = {
    "probabilities": (F.binary_cross_entropy, (HALF, ONE), (tg.tensor([1.5]), ONE), RuntimeError),
    "probabilities that are nan": (F.binary_cross_entropy, (HALF, ONE), (tg.tensor([float("nan")]), ONE), RuntimeError),
    "whole numbers by zero": (lambda x, y: x // y, (tg.tensor([4]), tg.tensor([2])), (tg.tensor([4]), tg.tensor([0])),
                              RuntimeError),
    "variances": (F.gaussian_nll_loss, (HALF, ONE, ONE), (HALF, ONE, -ONE), ValueError),
    "classes": (F.nll_loss, (tg.zeros(1, 3), tg.tensor([2])), (tg.zeros(1, 3), tg.tensor([3])), IndexError),
    "classes of a margin": (F.multi_margin_loss, (tg.zeros(1, 3), tg.tensor([2])), (tg.zeros(1, 3), tg.tensor([3])),
                            RuntimeError),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_numbers_are_refused_as_ever_and_good_ones_go_on(name):
    function, good, bad, error = CASES[name]
    compiled = tg.compile(function)
    expected = function(*good)
    for _ in range(2):
        assert tg.equal(compiled(*good), expected)
        with pytest.raises(error) as eager:
            function(*bad)
        with pytest.raises(error) as replayed:
            compiled(*bad)
        assert str(replayed.value) == str(eager.value)


def test_nothing_has_changed_when_a_check_fails():
    w = tg.zeros(1, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.01, momentum=0.9)

    @tg.compile
    def step(p, y):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy(p + w, y)
        loss.backward()
        optimizer.step()
        return loss

    step(HALF, ONE)
    step(HALF, ONE)
    before, momentum = w.item(), optimizer.state[w]["momentum_buffer"].item()
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        step(tg.tensor([9.0]), ONE)
    assert (w.item(), optimizer.state[w]["momentum_buffer"].item()) == (before, momentum)
    step(HALF, ONE)
    assert w.item() > before
