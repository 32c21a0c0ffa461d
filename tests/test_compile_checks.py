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

NAN = float("nan")
TWICE = tg.tensor([0, 2, 0, 1])  # two values for one place


def assigned(x, index, value):
    y = x * 1.0
    y[index] = value
    return y


NO_SIZE = {
    "a number for a mask": lambda x, v: assigned(x, x > 0, 7.0),
    "a number for a mask of rows": lambda x, v: assigned(x, x[:, 0] > 0, -1.0),
    "a number for a mask of columns": lambda x, v: assigned(x, (slice(1, None), x[0] > 0), 0.5),
    "a tensor for a mask": lambda x, v: assigned(x, x < 0, v[0, 0]),
    "nan for a mask of bytes": lambda x, v: assigned(x, (x > 1).to(tg.uint8), NAN).nan_to_num(3.0),
    "places that repeat": lambda x, v: assigned(x, TWICE, v),
    "scatter to places that repeat": lambda x, v: x.scatter(0, TWICE.reshape(4, 1).expand(4, 3), v),
    "median": lambda x, v: x.median() * v.median(),
    "median of ties": lambda x, v: (x > 0).double().mul(x.detach().sum()).add(x * 0).median(),
    "nanmedian": lambda x, v: assigned(x, x > 1, NAN).nanmedian(),
    "nanmedian of nothing": lambda x, v: assigned(x, x > -99, NAN).nanmedian().nan_to_num(2.0) * v.sum(),
    "histc": lambda x, v: x.histc(4, -1, 1) * v.sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_SIZE)
def test_what_needs_no_size_is_recorded(name):
    """Other numbers in the next call: nothing that was recorded may depend on those of the first."""
    function = NO_SIZE[name]
    compiled = tg.compile(function)
    for seed in range(3):
        tg.manual_seed(seed)
        values = [tg.randn(4, 3, dtype=tg.float64) for _ in range(2)]
        seen = []
        for f in (function, compiled):
            leaves = [v.clone().requires_grad_() for v in values]
            out = f(*leaves)
            (out * tg.arange(out.numel()).reshape(out.shape).add(1.5).sin()).sum().backward()
            seen.append([out.detach(), *(leaf.grad for leaf in leaves)])
        for x, y in zip(*seen, strict=True):
            assert (x is None) == (y is None) and (x is None or tg.equal(x, y))


def test_numbers_by_weight_are_drawn_at_every_call():
    weights = tg.tensor([1.0, 2.0, 3.0, 0.0])
    draw = tg.compile(lambda w: w.multinomial(1))
    tg.manual_seed(4)
    found = [draw(weights).item() for _ in range(20)]
    tg.manual_seed(4)
    assert found == [weights.multinomial(1).item() for _ in range(20)] and len(set(found)) == 3
    with pytest.raises(RuntimeError, match="either `inf`, `nan` or element < 0"):
        draw(-weights)
    with pytest.raises(RuntimeError, match="sum of probabilities"):
        draw(weights * 0)


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
