"""Optimizers in compiled steps, compiled forward passes whose backward pass is outside, and memory with two names."""

import copy

import numpy as np
import pytest
from test_compile import equal, leaf, numbers

import tinygrad_edu as tg
from tinygrad_edu import optim

# Optimizers.
OPTIMIZERS = {
    "SGD": {"lr": 0.05}, "SGD momentum": {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01},
    "SGD nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True}, "Adam": {}, "Adam amsgrad": {"amsgrad": True},
    "AdamW": {"weight_decay": 0.1, "maximize": True}, "NAdam": {}, "RAdam": {}, "Adamax": {}, "Adagrad": {},
    "Adadelta": {}, "RMSprop": {"momentum": 0.9, "centered": True}, "Rprop": {}, "ASGD": {}, "Adafactor": {},
    "Muon": {}, "LBFGS": {}, "SparseAdam": {},
}  # fmt: skip
REFUSED = {"LBFGS": "compile:", "Adafactor": "compile:", "Muon": "compile:"}


def available():
    return [n for n in OPTIMIZERS if hasattr(optim, n.split()[0])]


def test_every_optimizer_is_in_the_table():
    classes = {n for n, c in vars(optim).items() if isinstance(c, type) and issubclass(c, optim.Optimizer)}
    assert classes - {"Optimizer"} == {n.split()[0] for n in available()}


def trajectory(name, make):
    options = {"lr": 0.05, **OPTIMIZERS[name]}
    w, b = leaf(1, 4, 2), leaf(2, 2)
    groups = [{"params": [w]}, {"params": [b], "lr": 0.02}] if name != "LBFGS" else [w, b]
    optimizer = getattr(optim, name.split()[0])(groups, **options)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    def step(x):
        optimizer.zero_grad()
        loss = ((x @ w + b).tanh() - 1.0).pow(2).mean()
        loss.backward()
        optimizer.step(*[lambda: loss] * (name == "LBFGS"))
        return loss.detach()

    step = make(step)
    for k in range(8):
        loss = step(numbers(k, 3, 4))
        scheduler.step()
        yield loss, w.detach().clone(), b.detach().clone(), optimizer
    state = optimizer.state_dict()
    for k in range(3):  # back to an earlier state, which has other tensors
        if k == 1:
            optimizer.load_state_dict(copy.deepcopy(state))
        yield step(numbers(k, 3, 4)), w.detach().clone(), b.detach().clone(), optimizer


@pytest.mark.parametrize("name", available())
def test_trajectory_of_an_optimizer(name):
    if name in REFUSED:
        with pytest.raises(RuntimeError, match=REFUSED[name]):
            list(trajectory(name, tg.compile))
        return
    for found, expected in zip(trajectory(name, tg.compile), trajectory(name, lambda f: f), strict=True):
        for x, y in zip(found[:3], expected[:3], strict=True):
            equal(x, y)
        for (p, s), (q, t) in zip(found[3].state.items(), expected[3].state.items(), strict=True):
            assert p.shape == q.shape and list(s) == list(t)
            for x, y in zip(s.values(), t.values(), strict=True):
                assert np.allclose(np.asarray(x), np.asarray(y), 1e-12, 1e-14)


# Forward only, and the backward pass outside.
def test_the_backward_pass_of_a_compiled_forward():
    w, b = leaf(1, 4, 2), leaf(2, 2)
    f = tg.compile(lambda x: (x @ w + b).tanh().sum())
    for k in range(3):
        x, y = leaf(k, 3, 4), leaf(k, 3, 4)
        w.grad = b.grad = None
        (f(x) * 2.0 + f(x + 1.0)).backward()
        found = [w.grad, b.grad, x.grad]
        w.grad = b.grad = None
        ((y @ w + b).tanh().sum() * 2.0 + ((y + 1.0) @ w + b).tanh().sum()).backward()
        for a, e in zip(found, [w.grad, b.grad, y.grad], strict=True):
            equal(a, e)


def test_several_results_with_graphs():
    w = leaf(1, 4)

    def f(x):
        y = x * w
        return y.sin(), (y, y.detach()), y.sum()

    compiled = tg.compile(f)
    for pick in (lambda r: r[0].sum(), lambda r: r[2], lambda r: (r[0] * r[1][0]).sum() + r[2] * 3.0):
        x, y = leaf(1, 4), leaf(1, 4)
        w.grad = None
        pick(compiled(x)).backward()
        found, w.grad = w.grad, None
        pick(f(y)).backward()
        equal(found, w.grad), equal(x.grad, y.grad)


def test_backward_twice_needs_the_graph_kept():
    w = leaf(1, 4)
    f = tg.compile(lambda x: (x * w * w).sum())
    for _ in range(2):
        loss = f(numbers(0, 4))
        w.grad = None
        loss.backward(retain_graph=True)
        once = w.grad.clone()
        loss.backward()
        equal(w.grad, once * 2.0)
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_autograd_grad_of_a_compiled_function():
    f = tg.compile(lambda x: x.exp().sum())
    x = leaf(0, 4)
    for _ in range(2):
        equal(tg.autograd.grad(f(x), x)[0], x.detach().exp())
    with pytest.raises(RuntimeError, match="create_graph"):
        tg.autograd.grad(f(x), x, create_graph=True)


def test_a_change_before_the_backward_pass_is_noticed():
    w = leaf(1, 4)
    f = tg.compile(lambda x: (x * w).sin())
    for changed in ("w", "x"):
        for _ in range(2):
            x = leaf(0, 4)
            loss = f(x).sum()
            with tg.no_grad():
                {"w": w, "x": x}[changed].add_(1.0)
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                loss.backward()


def test_forward_outside_no_grad_and_inside():
    w = leaf(1, 4)
    f = tg.compile(lambda x: x * w)
    for _ in range(2):
        assert f(numbers(0, 4)).requires_grad
        with tg.no_grad():
            assert not f(numbers(0, 4)).requires_grad


# Memory that two names share.
def test_arguments_that_are_the_same_memory():
    def f(x, y):
        x += 1.0
        return x * y, y * 2.0

    compiled = tg.compile(f)
    x, y = numbers(0, 4), numbers(0, 4)
    compiled(numbers(1, 4), numbers(2, 4))
    for _ in range(2):
        for a, b in zip(compiled(x, x), f(y, y), strict=True):
            equal(a, b)
    equal(x, y)
    rows, twins = numbers(3, 5), numbers(3, 5)
    for a, b in zip(compiled(rows[1:], rows[:-1]), f(twins[1:], twins[:-1]), strict=True):
        equal(a, b)


def test_an_argument_that_is_memory_of_a_parameter():
    w, v = leaf(0, 4), leaf(0, 4)

    def build(w):
        def f(x):
            with tg.no_grad():
                w.mul_(2.0)
            return x * 3.0

        return f

    compiled, eager = tg.compile(build(w)), build(v)
    compiled(numbers(1, 4)), eager(numbers(1, 4))
    for _ in range(2):
        equal(compiled(w.detach()), eager(v.detach()))
        equal(w, v)
