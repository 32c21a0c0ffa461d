"""Compiled functions on device='cuda': the same trajectory as eagerly, and fewer kernels."""

import copy
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.compiler import capture
from tinygrad_edu.compiler.program import Ended


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


def parts_of(compiled):
    """What a captured program calls at each replay: 'graph', or the number of lines."""
    run = compiled.sessions[0][1].forward.run
    return ["graph" if hasattr(queue, "__self__") else len(queue.args[0]) for queue in run.parts]


def test_replays_are_one_graph_and_see_new_arguments_numbers_and_weights(order):
    results = []
    for make in (lambda f: f, tg.compile):
        model, step = network(make)
        optimizer = next(c.cell_contents for c in getattr(step, "function", step).__closure__
                         if isinstance(c.cell_contents, tg.optim.Optimizer))  # fmt: skip
        found = []
        for k in range(7):
            optimizer.param_groups[0]["lr"] = 0.05 / (k + 1)
            x = tg.linspace(-1.0 - k, 2.0, 9, device="cuda")
            found.append(step(x, x.sin()))  # all are kept: a replay must not write on the results of another
            if k == 4:
                model.load_state_dict({name: w * 0.5 for name, w in model.state_dict().items()})
        results.append([loss.item() for loss in found] + model[0].weight.flatten().tolist())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)
    assert parts_of(step) == ["graph"]
    assert str(step.program).endswith("queued in 1: graphs 1, single calls 0")


def test_random_numbers_are_drawn_between_two_graphs(order):
    layer = nn.Linear(6, 6).to("cuda")

    def function(x):
        hidden = tg.nn.functional.dropout((layer(layer(x)) * 2.0).tanh(), 0.5)
        return (hidden @ hidden.T).relu().sum(1), hidden

    x, found, compiled = tg.rand(5, 6, device="cuda"), [], tg.compile(function)
    for f in (function, compiled):
        tg.manual_seed(5)
        found.append([[y.tolist() for y in f(x * (k + 1.0))] for k in range(5)])
    assert len({str(hidden) for _, hidden in found[1]}) == 5
    for eager, replayed in zip(*found, strict=True):
        for a, b in zip(eager, replayed, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5)
    parts = parts_of(compiled)
    assert parts == ["graph", 1, "graph"]


def test_a_question_is_asked_again_at_each_replay(order):
    w = tg.zeros(3, 4, device="cuda", requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.5)

    @tg.compile
    def step(x, classes):
        optimizer.zero_grad()
        loss = tg.nn.functional.cross_entropy(x @ w, classes)
        loss.backward()
        optimizer.step()
        return loss

    x, classes = tg.eye(3, device="cuda"), tg.tensor([0, 1, 2], device="cuda")
    losses = [step(x, classes).item() for _ in range(4)]
    assert losses == sorted(losses, reverse=True) and "graph" in parts_of(step) and 1 in parts_of(step)
    before = w.tolist()
    with pytest.raises(IndexError, match="Target 9"):
        step(x, tg.tensor([0, 9, 2], device="cuda"))
    assert w.tolist() == before
    assert step(x, classes).item() < losses[-1]


def test_an_argument_that_the_function_changes_is_changed(order):
    @tg.compile
    def function(x, y):
        x.add_(y).mul_(2.0)
        return x.sum(), x @ y

    x, y, expected = tg.ones(4, device="cuda"), tg.arange(4.0, device="cuda"), np.ones(4)
    for _ in range(5):
        total, product = function(x, y)
        expected = (expected + np.arange(4.0)) * 2
        assert (x.tolist(), total.item(), product.item()) == (
            expected.tolist(), expected.sum(), expected @ np.arange(4.0)
        )  # fmt: skip


def test_what_moves_much_and_launches_little_is_not_captured(order, monkeypatch):
    x = tg.ones(3, 3, device="cuda")

    def run_of_a_new_recording():
        compiled = tg.compile(lambda x: (x @ x).exp() @ x)
        assert compiled(x)[0, 0].item() == pytest.approx(3 * np.exp(3.0))
        return compiled.sessions[0][1].forward.run

    assert isinstance(run_of_a_new_recording(), capture.Captured)
    monkeypatch.setattr(capture, "BYTES_PER_SECOND", 1.0)
    assert not isinstance(run_of_a_new_recording(), capture.Captured)


def test_other_settings_are_written_down_anew(order):
    a = tg.rand(8, 8, device="cuda")

    @tg.compile
    def function(x):
        return ((a @ x).relu() @ x).sum(0).exp(), x.mean()

    before = [function(a)[0].tolist() for _ in range(4)]
    run = function.sessions[0][1].forward.run
    old = run.parts
    try:
        tg.backends.cuda.matmul.allow_tf32 = True
        after = [function(a)[0].tolist() for _ in range(4)]
    finally:
        tg.backends.cuda.matmul.allow_tf32 = False
    assert run.parts is not old
    assert before == [before[0]] * 4
    np.testing.assert_allclose(after, before, rtol=2e-2)


def test_products_end_with_what_follows_them(order):
    """gelu and its derivative; the residual y and 2 y; the cotangent of gelu's operand; and the sum of those of x."""
    tg.manual_seed(0)
    first, second = nn.Linear(20, 24).to("cuda"), nn.Linear(24, 20).to("cuda")

    def step(x):
        y = x + second(nn.functional.gelu(first(x)))
        return y, *tg.autograd.grad(y.square().sum(), [x, *first.parameters(), *second.parameters()])

    x = tg.randn(18, 20, device="cuda", requires_grad=True)
    compiled, wanted = tg.compile(step), step(x)
    for _ in range(3):
        for found, expected in zip(compiled(x), wanted, strict=True):
            expected = expected.detach().cpu().numpy()
            np.testing.assert_allclose(found.detach().cpu().numpy(), expected, rtol=1e-5, atol=1e-5)
    steps = compiled.sessions[0][1].forward.program.steps
    assert [len(s.made) for s in steps if isinstance(s, Ended)] == [2, 2, 1, 1]
