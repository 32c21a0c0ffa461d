"""Checkpointing: the same numbers, computed twice, and less of them remembered."""

import weakref

import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def network():
    tg.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.5), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))


def gradients(run):
    """Loss and gradients of a network that `run(network, x)` evaluates, from the same random numbers."""
    net, x = network(), tg.linspace(-1, 1, 12).reshape(4, 3).requires_grad_()
    tg.manual_seed(1)
    y = run(net, x * 2.0)
    more = tg.rand(4, 2)  # what comes after the block draws the same numbers too
    loss = (y * more).sum()
    loss.backward()
    return [loss.item(), tg.rand(1).item(), x.grad.tolist(), *(p.grad.tolist() for p in net.parameters())]


RUNS = {
    "whole": lambda net, x: checkpoint(net, x, use_reentrant=False),
    "reentrant": lambda net, x: checkpoint(net, x, use_reentrant=True),
    "a part": lambda net, x: net[3:](checkpoint(net[:3], x, use_reentrant=False)),
    "nested": lambda net, x: checkpoint(lambda x: net[2:](checkpoint(net[:2], x)), x),
    "sequential": lambda net, x: checkpoint_sequential(net, 3, x, use_reentrant=False),
    "a list": lambda net, x: checkpoint_sequential(list(net), 2, x, preserve_rng_state=True),
    "keywords": lambda net, x: checkpoint(lambda x, *, net: net(x), x, use_reentrant=False, net=net),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_values_gradients_and_random_numbers_are_those_of_a_plain_call(run):
    assert gradients(run) == gradients(lambda net, x: net(x))


class Keep(tg.autograd.Function):
    """x * x, which tells what it saved."""

    saved: list = []

    @staticmethod
    def forward(ctx, x):
        kept = x.clone()
        ctx.save_for_backward(kept)
        Keep.saved.append(weakref.ref(kept))
        return kept * kept

    @staticmethod
    def backward(ctx, g):
        return 2.0 * ctx.saved_tensors[0] * g


def alive():
    return sum(reference() is not None for reference in Keep.saved)


def test_what_is_inside_is_not_kept():
    def block(x):
        return Keep.apply(Keep.apply(x))

    Keep.saved.clear()
    x = tg.tensor([1.0, 1.5], requires_grad=True)
    y = block(x)
    assert alive() == 2
    del y
    Keep.saved.clear()
    y = checkpoint(block, checkpoint(block, x, use_reentrant=False), use_reentrant=False)
    assert len(Keep.saved) == 4 and alive() == 0
    y.sum().backward()
    assert len(Keep.saved) == 8 and alive() == 0
    assert x.grad.tolist() == pytest.approx([16.0, 16.0 * 1.5**15])


def test_several_outputs_and_structures_pass_through(torch):
    import torch.utils.checkpoint as theirs

    results = []
    for m, call in ((tg, checkpoint), (torch, theirs.checkpoint)):
        x, y = m.tensor([1.0, 2.0], requires_grad=True), m.tensor(3.0, requires_grad=True)
        out = call(lambda x, y: {"sum": x + y, "rest": [x * y, x.detach(), "name"]}, x, y, use_reentrant=False)
        product, detached, name = out["rest"]
        assert name == "name" and not detached.requires_grad
        (product * product).sum().backward(retain_graph=True)
        (product.sum() * out["sum"].sum()).backward()
        results.append([x.grad.tolist(), y.grad.tolist()])
    assert results[0] == results[1]


def test_second_derivatives_go_through():
    def f(x, w):
        return (x * w).exp() * x

    grads = []
    for call in (f, lambda x, w: checkpoint(f, x, w, use_reentrant=False)):
        x, w = tg.tensor([0.3, -0.7], requires_grad=True), tg.tensor(2.0, requires_grad=True)
        (first,) = tg.autograd.grad(call(x, w).sum(), x, create_graph=True)
        grads.append([g.tolist() for g in tg.autograd.grad((first * first).sum(), (x, w))])
    assert grads[0] == grads[1]


def test_weights_that_nobody_passes_get_their_gradient_in_autograd_grad_too():
    w = tg.tensor(2.0, requires_grad=True)
    w.register_hook(lambda g: g * 10.0)
    y = checkpoint(lambda x: w * x, tg.tensor(3.0), use_reentrant=False)
    assert tg.autograd.grad(y, w, retain_graph=True)[0].item() == 30.0
    y.backward()
    assert w.grad.item() == 30.0


def test_without_a_graph_it_is_a_plain_call():
    x = tg.ones(2, requires_grad=True)
    with tg.no_grad():
        assert not checkpoint(tg.exp, x, use_reentrant=False).requires_grad
    assert not checkpoint(tg.exp, tg.ones(2), use_reentrant=False).requires_grad


def test_an_argument_changed_in_the_meantime_is_refused():
    x = tg.ones(2, requires_grad=True) * 1.0
    y = checkpoint(tg.exp, x, use_reentrant=False)
    x += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_the_graph_is_freed_like_any_other():
    y = checkpoint(tg.exp, tg.ones(2, requires_grad=True), use_reentrant=False).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_a_function_that_gives_something_else_the_second_time_is_found_out():
    sizes = iter([2, 3])
    y = checkpoint(lambda x: x.expand(next(sizes)), tg.ones(1, requires_grad=True), use_reentrant=False)
    with pytest.raises(CheckpointError, match="other results"):
        y.sum().backward()


def test_what_is_not_there_is_refused():
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="context_fn"):
        checkpoint(tg.exp, x, context_fn=lambda: None)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(tg.exp, x, determinism_check="often")
    with pytest.raises(ValueError, match="Unexpected keyword arguments"):
        checkpoint(tg.exp, x, use_reentrant=True, alpha=3)
    with pytest.raises(ValueError, match="Unexpected keyword arguments"):
        checkpoint_sequential([tg.exp], 1, x, alpha=3)


def uses_what_is_outside(call):
    """Gradients of a program whose blocks use, besides their arguments, what was computed outside and is used again."""
    w, x = tg.tensor([0.3, -0.7], requires_grad=True), tg.tensor([1.0, 2.0], requires_grad=True)
    h = w.sin()
    k = h.exp() * w
    aside, seen = [], []
    h.register_hook(lambda g: seen.append(g.tolist()))

    def block(x):
        aside.append((x * k).cos() * w)
        return aside[-1] * h[0] + call(lambda y: (y * h).tanh() * k, x * h)

    y = call(block, x)
    z = call(lambda y: y * k * h, y)
    first = tg.autograd.grad(z.sum() + (h * k).sum(), (w, x, h), create_graph=True)
    sum(g.exp().sum() for g in first).backward()
    return [g.tolist() for g in (*first, w.grad, x.grad)], len(seen)


def test_what_was_computed_outside_may_be_used_inside_and_elsewhere():
    found, hooks = uses_what_is_outside(lambda f, x: checkpoint(f, x, use_reentrant=False))
    expected, wanted = uses_what_is_outside(lambda f, x: f(x))
    assert hooks == wanted
    for g, e in zip(found, expected, strict=True):
        assert g == pytest.approx(e, rel=1e-5)


def test_no_node_of_the_block_is_kept():
    """What is kept are the node of the argument and those of the weights, for layers of every kind."""
    layers = [tg.nn.Linear(4, 4), tg.nn.LayerNorm(4), tg.nn.TransformerEncoderLayer(4, 2, 8), tg.nn.Dropout(0.1)]
    net, x = tg.nn.Sequential(*layers), tg.ones(3, 2, 4, requires_grad=True) * 1.0
    parents = checkpoint(net, x, use_reentrant=False).node.parents
    assert set(parents) == {x.node, *(p.node for p in net.parameters())}
