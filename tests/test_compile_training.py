"""Whole training steps compiled: in-place updates, graphs, optimizers, random numbers, all compared with eager.

`alike` (test_compile.py) builds the same program twice and runs one eagerly, one compiled.
"""

import pytest
from test_compile import F64, alike, equal, leaf, numbers

import tinygrad_edu as tg
from tinygrad_edu import nn, optim

F = nn.functional


# Memory.
def changed_argument():
    def f(x):
        x *= 2.0
        x[0] += 1.0
        return x.sum()

    return f, []


def changed_view():
    w = numbers(9, 3, 4)

    def f(x):
        w[1:].mul_(0.5)
        w.T[0].copy_(x[:, 0])
        before = w * 1.0
        w.add_(x)
        return before, w.sum()

    return f, [w]


def made_and_changed():
    def f(x):
        y = x * 2.0
        z = y[1:]
        y += 1.0
        z.zero_()
        y[0, ::2] = x[1, ::2]
        return y, z.sum(), y.sum(0)

    return f, []


def read_before_and_after():
    w = numbers(9, 3, 4)

    def f(x):
        old = w + x
        w.copy_(x)
        new = w + x
        w.zero_()
        return old, new, old.sum() - new.sum()

    return f, [w]


def overlapping():
    w = numbers(9, 13)

    def f(x):
        w[1:].copy_(w[:-1].clone())
        w[:12] += x.reshape(12)
        return w[::2] * 1.0

    return f, [w]


def kept_attribute():
    class Kept:
        last = None

    kept = Kept()
    kept.last = numbers(9, 3, 4)
    watched = numbers(8, 1)

    def f(x):
        y = kept.last * x
        kept.seen = y + 1.0
        watched.copy_(kept.last.sum().reshape(1))
        return y

    return f, [watched]


def counted():
    steps = tg.tensor(0)

    def f(x):
        steps.add_(1)
        return x * steps

    return f, [steps]


def integers_and_bools():
    hits, w = tg.zeros(4, dtype=tg.int64), leaf(9, 4)

    def f(x):
        mask = x > 0.0
        hits.add_(mask.sum(0))
        loss = (w * mask).where(mask.any(1, keepdim=True), x.float().double()).sum()
        w.grad = None
        loss.backward()
        return mask, mask & ~mask, hits * 2 // 3, loss.detach()

    return f, [hits, w]


# Graphs.
def sgd_by_hand():
    w, b = leaf(1, 4, 2), leaf(2, 2)

    def f(x):
        loss = ((x @ w + b).tanh() - 1.0).pow(2).mean()
        loss.backward()
        with tg.no_grad():
            for p in (w, b):
                p -= 0.1 * p.grad
                p.grad = None
        return loss.detach()

    return f, [w, b]


def gradients_add_up():
    w = leaf(1, 3, 4)

    def f(x):
        (w * x).sum().backward()
        (w * w * x).sum().backward()
        return w.grad.clone()

    return f, [w]


def gradients_set_to_zero():
    w = leaf(1, 3, 4)

    def f(x):
        if w.grad is not None:
            w.grad.zero_()
        (w.sin() * x).sum().backward()

    return f, [w]


def tied_weights():
    w = leaf(1, 4, 4)

    def f(x):
        w.grad = None
        loss = ((x @ w).tanh() @ w.T).sum()
        loss.backward()
        with tg.no_grad():
            w.sub_(w.grad, alpha=0.1)
        return loss.detach()

    return f, [w]


def part_of_the_graph_is_cut():
    w, v = leaf(1, 4), leaf(2, 4)

    def f(x):
        y = (x * w).tanh()
        with tg.no_grad():
            z = y * v
        loss = (y.detach() * v + z + y).sum()
        w.grad = v.grad = None
        loss.backward()

    return f, [w, v]


def in_place_in_the_graph():
    w = leaf(1, 3, 4)

    def f(x):
        y = w * x
        y += 1.0
        y[0] *= 2.0
        y[:, 1:].relu_()
        w.grad = None
        (y * x).sum().backward()
        return y.detach()

    return f, [w]


def second_derivatives():
    w = leaf(1, 3, 4)

    def f(x):
        (g,) = tg.autograd.grad((w.sin() * x).sum(), (w,), create_graph=True)
        w.grad = None
        (g * g).sum().backward()
        return g.detach()

    return f, [w]


class Cube(tg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3.0 * x * x


def own_function():
    w = leaf(1, 3, 4)

    def f(x):
        w.grad = None
        loss = (Cube.apply(w) * x).sum()
        loss.backward()
        return loss.detach()

    return f, [w]


def hooks_of_gradients():
    w = leaf(1, 3, 4)
    w.register_hook(lambda g: g * 2.0)

    def f(x):
        w.grad = None
        y = w * x
        y.register_hook(lambda g: g + 1.0)
        y.sum().backward()

    return f, [w]


def retained_gradients():
    w = leaf(1, 3, 4)

    def f(x):
        w.grad = None
        y = w * x
        y.retain_grad()
        (y * y).sum().backward()
        return y.grad

    return f, [w]


def checkpointed():
    w = leaf(1, 4, 4)

    def f(x):
        w.grad = None
        y = tg.utils.checkpoint.checkpoint(lambda x: (x @ w).tanh(), x, use_reentrant=False)
        y.sum().backward()

    return f, [w]


def a_loss_that_keeps_its_graph():
    w = leaf(1, 3, 4)

    def f(x):
        loss = (w * w * x).sum()
        w.grad = None
        loss.backward(retain_graph=True)
        loss.backward()
        return loss.detach()

    return f, [w]


# Layers.
def dropout():
    w = leaf(1, 4)

    def f(x):
        w.grad = None
        y = F.dropout(x * w, 0.5) + tg.randn(3, 4, dtype=F64) + tg.rand_like(x)
        y.sum().backward()
        return y.detach()

    return f, [w]


def batch_norm():
    tg.manual_seed(3)
    net = nn.Sequential(nn.Linear(4, 3, dtype=F64), nn.BatchNorm1d(3, dtype=F64), nn.ReLU(), nn.Linear(3, 1, dtype=F64))
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    def f(x):
        loss = net(x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return f, [*net.parameters(), *net.buffers()]


def letters():
    tg.manual_seed(3)
    table, out = nn.Embedding(5, 4, dtype=F64), nn.Linear(4, 5, dtype=F64)
    parameters = [*table.parameters(), *out.parameters()]
    optimizer = optim.AdamW(parameters, lr=0.1)

    def f(x):
        ids = (x.abs() * 3.0).long().clamp(0, 4)
        loss = F.cross_entropy(out(table(ids)).reshape(-1, 5), ids.flip(0).reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return f, parameters


def clipped():
    w = leaf(1, 4, 2)
    optimizer = optim.SGD([w], lr=0.1)

    def f(x):
        optimizer.zero_grad()
        (x @ w).pow(2).sum().backward()
        norm = nn.utils.clip_grad_norm_([w], 1.0)
        nn.utils.clip_grad_value_([w], 0.4)
        optimizer.step()
        return norm

    return f, [w]


def recurrent():
    tg.manual_seed(3)
    net = nn.LSTM(4, 3, dtype=F64)
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    def f(x):
        out, (h, c) = net(x.unsqueeze(1))
        optimizer.zero_grad()
        (out.sum() + h.sum() * c.sum()).backward()
        optimizer.step()
        return out.detach()

    return f, list(net.parameters())


PROGRAMS = [
    changed_argument, changed_view, made_and_changed, read_before_and_after, overlapping, kept_attribute, counted,
    integers_and_bools, sgd_by_hand, gradients_add_up, gradients_set_to_zero, tied_weights, part_of_the_graph_is_cut,
    in_place_in_the_graph, second_derivatives, own_function, hooks_of_gradients, retained_gradients, checkpointed,
    a_loss_that_keeps_its_graph, dropout, batch_norm, letters, clipped, recurrent,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program_is_alike(program):
    alike(program)


def test_replays_draw_new_numbers():
    f = tg.compile(lambda x: F.dropout(x, 0.5))
    x = tg.ones(64)
    assert len({tuple(f(x).tolist()) for _ in range(6)}) == 6


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("none", [True, False])
def test_gradients_are_cleared_inside_or_outside(outside, none):
    def build():
        w = leaf(1, 4)
        optimizer = optim.Adam([w], lr=0.1)

        def f(x):
            if not outside:
                optimizer.zero_grad(set_to_none=none)
            (w * x).pow(2).sum().backward()
            optimizer.step()

        return w, optimizer, f

    (w, eager, f), (v, mine, g) = build(), build()
    g = tg.compile(g)
    for k in range(4):
        f(numbers(k, 4)), g(numbers(k, 4))
        if outside:
            eager.zero_grad(set_to_none=none), mine.zero_grad(set_to_none=none)
        equal(v, w)
