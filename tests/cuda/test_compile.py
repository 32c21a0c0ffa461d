"""Compiled functions on device='cuda': the same trajectory as eagerly, and fewer kernels."""

import copy
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn


def network(make):
    """(model, step): a small network that fits sin x with Adam, its step made by `make`."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1)).to("cuda")
    optimizer = tg.optim.Adam(model.parameters(), lr=0.05)

    def step(x, y):
        optimizer.zero_grad()
        loss = ((model(x.unsqueeze(1)).squeeze(1) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return model, make(step)


def test_a_training_step_is_eagers(order):
    x = tg.linspace(-math.pi, math.pi, 37, device="cuda")
    (eager, plain), (fast, compiled) = network(lambda step: step), network(tg.compile)
    for shift in (0.0, 0.1, 0.2):
        losses = [step(x + shift, (x + shift).sin()).item() for step in (plain, compiled)]
        assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    for p, q in zip(eager.parameters(), fast.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().cpu().numpy(), p.detach().cpu().numpy(), rtol=1e-5, atol=1e-6)
    recorded, left = compiled.program.steps
    assert left < recorded and len(compiled.sessions) == 1


def test_a_result_goes_backward(order):
    tg.manual_seed(1)
    layer = nn.Linear(4, 3).to("cuda")
    other = copy.deepcopy(layer)
    x = tg.randn(6, 4, device="cuda", requires_grad=True)
    y = x.detach().clone().requires_grad_()
    function = tg.compile(layer)
    for _ in range(2):
        (function(x).sigmoid() ** 2).sum().backward()
        (other(y).sigmoid() ** 2).sum().backward()
    assert x.grad.device.type == "cuda"
    for a, b in ((x.grad, y.grad), (layer.weight.grad, other.weight.grad), (layer.bias.grad, other.bias.grad)):
        np.testing.assert_allclose(a.cpu().numpy(), b.cpu().numpy(), rtol=1e-5, atol=1e-6)


def test_many_operands_have_names_of_their_own(order):
    xs = [tg.full((5,), float(k), device="cuda") for k in range(12)]

    def total(*xs):
        found = xs[0]
        for k, x in enumerate(xs[1:]):
            found = found + (k + 1) * x
        return found

    compiled = tg.compile(total)
    assert compiled(*xs).tolist() == [float(sum(k * k for k in range(12)))] * 5
    assert compiled.program.steps[1] == 1


def test_loops_of_two_devices_stay_apart(order):
    x, y = tg.full((5,), 2.0), tg.full((5,), 3.0, device="cuda")

    def both(x, y):
        return x * 2.0 + 1.0, y * 2.0 + 1.0, tg.zeros(5), tg.zeros(5, device="cuda")

    compiled = tg.compile(both)
    found = [compiled(x, y) for _ in range(2)][1]
    assert [t.device.type for t in found] == ["cpu", "cuda", "cpu", "cuda"]
    assert [t.tolist() for t in found] == [[5.0] * 5, [7.0] * 5, [0.0] * 5, [0.0] * 5]
