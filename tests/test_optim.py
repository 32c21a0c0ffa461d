"""Optimizers: their trajectories are PyTorch's, step by step."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg

RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-4}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.2}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.01, "centered": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
]
UPHILL = [("SGD", {"lr": 0.01, "momentum": 0.5}), ("Adam", {"lr": 0.01}), ("AdamW", {"lr": 0.01}),
          ("RMSprop", {"lr": 0.01, "weight_decay": 0.1}), ("Adagrad", {"lr": 0.01})]  # fmt: skip


def trajectory(library, name, options, dtype, shape, steps=50):
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


DECAY = st.sampled_from([0.0, 0.1])
COMBINATIONS = {
    "SGD": {"momentum": st.sampled_from([0.0, 0.7]), "dampening": st.sampled_from([0.0, 0.2]), "weight_decay": DECAY},
    "Adam": {"amsgrad": st.booleans(), "decoupled_weight_decay": st.booleans(), "weight_decay": DECAY},
    "RMSprop": {"momentum": st.sampled_from([0.0, 0.7]), "centered": st.booleans(), "weight_decay": DECAY},
    "Adagrad": {"lr_decay": st.sampled_from([0.0, 0.1]), "weight_decay": DECAY},
}


@settings(derandomize=True, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(sorted(COMBINATIONS)), maximize=st.booleans())
def test_any_combination_of_options_is_pytorchs(data, name, maximize, torch):
    options = data.draw(st.fixed_dictionaries(COMBINATIONS[name]))
    options |= {"lr": 0.01, "maximize": maximize}
    found = trajectory(tg, name, options, "float64", (2, 3), steps=10)
    expected = trajectory(torch, name, options, "float64", (2, 3), steps=10)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name, options", UPHILL, ids=str)
def test_maximize_climbs_as_pytorchs(name, options, torch):
    options = {**options, "maximize": True}
    found = trajectory(tg, name, options, "float64", (2, 3), steps=10)
    np.testing.assert_allclose(found, trajectory(torch, name, options, "float64", (2, 3), steps=10), rtol=1e-12)


@pytest.mark.parametrize("name, options", [RULES[2], RULES[7]], ids=str)
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
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optimizer = tg.optim.SGD([p, p], lr=0.25)
    optimizer.step()
    assert p.tolist() == [0.75, 0.75]
    with pytest.raises(ValueError, match="more than one parameter group"):
        optimizer.add_param_group({"params": p})


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
        (lambda p: tg.optim.SGD([p], lr=-1.0), ValueError, "Invalid learning rate: -1.0"),
        (lambda p: tg.optim.SGD([p], lr=0.1, momentum=-1.0), ValueError, "Invalid momentum"),
        (lambda p: tg.optim.SGD([p], lr=0.1, nesterov=True), ValueError, "Nesterov"),
        (lambda p: tg.optim.SGD([p], lr=0.1).add_param_group({"params": {p}}), TypeError, "ordered"),
        (lambda p: tg.optim.SGD([{"lr": 0.1}]), KeyError, "must have 'params'"),
        (lambda p: tg.optim.SGD([p]).add_param_group([p]), TypeError, "must be a dict"),
        (lambda p: tg.optim.SGD([p], lr=float("nan")), ValueError, "Invalid learning rate"),
        (lambda p: tg.optim.SGD([p], learning_rate=0.1), TypeError, "unexpected keyword argument 'learning_rate'"),
        (lambda p: tg.optim.RMSprop([p], alpha=-1.0), ValueError, "Invalid alpha value"),
        (lambda p: tg.optim.Adagrad([p], lr_decay=-1.0), ValueError, "Invalid lr_decay value"),
        (lambda p: tg.optim.AdamW([p], weight_decay=-1.0), ValueError, "Invalid weight_decay value"),
        (lambda p: tg.optim.Adam([p], betas=(0.9, 1.0)), ValueError, "index 1"),
        (lambda p: tg.optim.Adam([p], eps=-1.0), ValueError, "Invalid epsilon value: -1.0"),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make(tg.ones(2, requires_grad=True))


def test_a_closure_records_also_where_recording_is_off():
    p = tg.ones(2, requires_grad=True)
    optimizer = tg.optim.SGD([p], lr=0.5)

    def closure():
        loss = (p * p).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        assert optimizer.step(closure).item() == 2.0
    assert p.tolist() == [0.0, 0.0]


def test_what_is_not_asked_for_does_not_touch_the_numbers():
    """Weight decay 0 is no weight decay: 0 · inf would be nan."""
    p = tg.tensor([float("inf"), 1.0], requires_grad=True)
    p.grad = tg.tensor([1.0, 1.0])
    tg.optim.SGD([p], lr=0.5).step()
    assert p.tolist() == [float("inf"), 0.5]


def trained(library, name, options, steps):
    p, q, unused = (library.ones(3, requires_grad=True, dtype=library.float64) for _ in range(3))
    optimizer = getattr(library.optim, name)([{"params": [p], "lr": 0.1}, {"params": [unused, q]}], **options)
    step(optimizer, p, q, steps)
    return optimizer, p, q


def step(optimizer, p, q, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        ((p * p).sum() + (q * q * q).sum()).backward()
        optimizer.step()


CONTINUED = [("SGD", {"lr": 0.01}), ("SGD", {"lr": 0.01, "momentum": 0.9}), ("Adam", {"amsgrad": True}),
             ("RMSprop", {"centered": True, "momentum": 0.5}), ("Adagrad", {})]  # fmt: skip


@pytest.mark.parametrize("name, options", CONTINUED, ids=str)
def test_a_state_has_pytorchs_layout_and_names(name, options, torch):
    found, expected = trained(tg, name, options, 3)[0].state_dict(), trained(torch, name, options, 3)[0].state_dict()
    assert found["state"].keys() == expected["state"].keys()
    for number, state in found["state"].items():
        assert state.keys() == expected["state"][number].keys()
        for key, value in state.items():
            value = value.numpy() if isinstance(value, tg.Tensor) else value
            np.testing.assert_allclose(value, expected["state"][number][key].numpy(), rtol=1e-12)
    for own, theirs in zip(found["param_groups"], expected["param_groups"], strict=True):
        assert own == {k: v for k, v in theirs.items() if k in own}


@pytest.mark.parametrize("name, options", CONTINUED, ids=str)
def test_a_loaded_state_goes_on_where_it_was(name, options):
    whole, p, q = trained(tg, name, options, 5)
    first, _, _ = trained(tg, name, options, 3)
    second, x, y = trained(tg, name, {**options, "lr": 123.0}, 0)
    second.load_state_dict(first.state_dict())
    third = trained(tg, name, options, 3)
    with tg.no_grad():
        for new, old in zip((x, y), third[1:], strict=True):
            new.copy_(old)
    step(second, x, y, 2)
    assert x.tolist() == p.tolist() and y.tolist() == q.tolist()
    assert second.param_groups[1]["lr"] == whole.param_groups[1]["lr"]
    for number, state in first.state_dict()["state"].items():  # the loaded state is a copy
        assert all(v is not second.state_dict()["state"][number][k] for k, v in state.items() if k != "step")


def test_a_state_of_other_groups_is_refused():
    p, q = tg.ones(1, requires_grad=True), tg.ones(1, requires_grad=True)
    state = tg.optim.SGD([p, q], lr=0.1).state_dict()
    with pytest.raises(ValueError, match="different number of parameter groups"):
        tg.optim.SGD([{"params": [p]}, {"params": [q]}]).load_state_dict(state)
    with pytest.raises(ValueError, match="doesn't match the size"):
        tg.optim.SGD([p]).load_state_dict(state)


def test_a_state_is_loaded_in_the_dtype_of_the_parameters():
    optimizer, p, q = trained(tg, "Adam", {}, 1)
    x = [tg.ones(3, requires_grad=True) for _ in range(3)]
    other = tg.optim.Adam([{"params": x[:1]}, {"params": x[1:]}])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[x[0]]["exp_avg"].dtype is tg.float32 and other.state[x[0]]["step"] == 1
