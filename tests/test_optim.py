"""Optimizers: their trajectories are PyTorch's, step by step."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_edu as tg

RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-4}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
]


def trajectory(library, name, options, dtype, shape, steps=30, n=None):
    """Parameters after each step of fitting a curve; one parameter gets no gradient at every third step."""
    start = np.cos(np.arange(np.prod(shape))).reshape(shape).astype(dtype)
    p, q = (library.tensor(start * k).requires_grad_() for k in (1, 2))
    optimizer = getattr(library.optim, name)([p, q], **options)
    seen = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = ((p - 0.3) ** 2).sum() + (p.sin() * 0.1).sum()
        if step % 3:
            loss = loss + (q * q * q * q).sum() * 0.1
        loss.backward()
        optimizer.step()
        seen.append(np.stack([p.detach().numpy().copy(), q.detach().numpy().copy()]))
    return np.stack(seen)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", RULES, ids=str)
def test_trajectories_are_pytorchs(name, options, dtype, torch):
    found = trajectory(tg, name, options, dtype, (3, 4))
    expected = trajectory(torch, name, options, dtype, (3, 4))
    tolerance = 3e-6 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name, options", [RULES[2], RULES[6]], ids=str)
def test_large_parameters_take_the_steps_of_small_ones(name, options):
    large = trajectory(tg, name, options, "float32", (70_001,), steps=3)
    small = trajectory(tg, name, options, "float32", (1000,), steps=3)
    np.testing.assert_array_equal(large[..., :1000], small)


def test_a_strided_parameter_is_stepped_in_its_own_memory():
    base = tg.tensor(np.arange(6.0).reshape(2, 3))
    p = base.t().requires_grad_()
    (p * p).sum().backward()
    tg.optim.SGD([p], lr=0.25).step()
    np.testing.assert_array_equal(base.numpy(), np.arange(6.0).reshape(2, 3) / 2)


def test_a_parameter_that_is_given_twice_is_stepped_once():
    """Trap: tied weights (DeZero): stepped twice by the optimizer."""
    p = tg.ones(2, requires_grad=True)
    (p * 1.0).sum().backward()
    tg.optim.SGD([p, p], lr=0.25).step()
    assert p.tolist() == [0.75, 0.75]


def test_groups_have_options_of_their_own(torch):
    results = []
    for library in (tg, torch):
        p, q = library.ones(2, requires_grad=True), library.ones(2, requires_grad=True)
        optimizer = library.optim.SGD([{"params": [p], "lr": 0.5}, {"params": q, "momentum": 0.9}], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (p * p + q * q).sum().backward()
            optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.01
        optimizer.step()
        results.append((p.detach().numpy(), q.detach().numpy()))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_step_counts_as_a_change_of_the_parameter():
    p = tg.ones(2, requires_grad=True)
    loss = (p * p).sum()
    loss.backward(retain_graph=True)
    tg.optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_step_with_a_closure_returns_its_loss():
    p = tg.ones(2, requires_grad=True)
    optimizer = tg.optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0 and p.tolist() == [0.0, 0.0]


def test_zero_grad_forgets_or_zeroes():
    p = tg.ones(2, requires_grad=True)
    optimizer = tg.optim.SGD([p], lr=0.5)
    (p * p).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert p.tolist() == [1.0, 1.0]


def test_state_goes_with_its_parameter():
    """Trap: optimizer state keyed by `id(param)` (DeZero): stale entries survive."""
    gc.disable()
    try:
        p = tg.ones(2, requires_grad=True)
        optimizer = tg.optim.Adam([p])
        (p * p).sum().backward()
        optimizer.step()
        assert list(optimizer.state) == [p] and optimizer.state[p]["step"] == 1
        gone = weakref.ref(optimizer.state[p]["exp_avg"])
        del optimizer
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda p: tg.optim.SGD(p, lr=0.1), TypeError, "iterable of Tensors"),
        (lambda p: tg.optim.SGD([], lr=0.1), ValueError, "empty parameter list"),
        (lambda p: tg.optim.SGD([1.0], lr=0.1), TypeError, "can only optimize Tensors"),
        (lambda p: tg.optim.SGD([p * 2], lr=0.1), ValueError, "can't optimize a non-leaf"),
        (lambda p: tg.optim.SGD([p], lr=-1.0), ValueError, "Invalid lr"),
        (lambda p: tg.optim.SGD([p], lr=0.1, momentum=-1.0), ValueError, "Invalid momentum"),
        (lambda p: tg.optim.SGD([p], lr=0.1, nesterov=True), ValueError, "Nesterov"),
        (lambda p: tg.optim.Adam([p], betas=(0.9, 1.0)), ValueError, "index 1"),
        (lambda p: tg.optim.Adam([p], eps=-1.0), ValueError, "Invalid eps"),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make(tg.ones(2, requires_grad=True))
