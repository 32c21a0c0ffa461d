"""The passes about what is kept between a forward and a backward pass: computed early, left out, forgotten."""

import tracemalloc

import numpy as np
import pytest
from test_compile import alike, leaf, numbers
from test_compile_passes import after, texts

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.compiler.early import compute_early
from tinygrad_edu.compiler.fusion import fuse
from tinygrad_edu.compiler.made import optimize
from tinygrad_edu.compiler.parts import see_through_parts
from tinygrad_edu.compiler.passes import drop_dead
from tinygrad_edu.compiler.remember import most_memory, remember_less
from tinygrad_edu.compiler.zeros import leave_zeros_out
from tinygrad_edu.ops import indexing

W = numbers(7, 4, 4)


def functions_in(program, name):
    """How often a function is computed for an array."""
    return sum(f"{name}(" in text for text in texts(program))


# Computed early.
def gelu_between_products(x, y):
    """A forward and a backward pass."""
    w = W.clone().requires_grad_()
    out = tg.nn.functional.gelu(x @ w) @ W
    return out.detach(), *tg.autograd.grad(out, w, y + out.sum().detach())


def test_a_derivative_is_computed_beside_its_function():
    program = after(gelu_between_products, drop_dead, fuse)
    assert (functions_in(program, "erf"), functions_in(program, "exp")) == (2, 1)
    compute_early(program)
    assert (functions_in(program, "erf"), functions_in(program, "exp")) == (1, 1)


def test_what_is_needed_besides_stays_where_it_is():
    def f(x, y):
        h = x @ W
        return (z := h.tanh() @ W), ((y + z) @ W) * h * h.tanh().exp()  # h itself is read, too

    def g(x, y):
        h = x @ W
        return (z := h.tanh() @ W), ((y + z) @ W) * (h + h.tanh().exp()), h  # and somebody sees it

    for function in (f, g):
        program = after(function, drop_dead, fuse)
        before = texts(program)
        assert functions_in(program, "tanh") == 2
        compute_early(program)
        assert texts(program) == before


@pytest.mark.parametrize("activation", [nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Tanh, nn.ELU])
def test_training_with_it_is_the_eager_one(activation):
    def build():
        tg.manual_seed(1)
        net = nn.Sequential(nn.Linear(4, 8), activation(), nn.Linear(8, 8), activation(), nn.Linear(8, 2)).double()
        optimizer = tg.optim.Adam(net.parameters(), lr=0.02)

        def step(x):
            optimizer.zero_grad()
            loss = (net(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step, [*net.parameters()]

    compiled = alike(build, rtol=1e-11)
    if activation is nn.GELU:
        assert functions_in(compiled.sessions[0][1].forward.program, "erf") == 2  # one for each layer, not two


# Left out.
def fills(program):
    return sum(text.endswith(" = 0") for text in texts(program))


def test_zeros_that_are_written_over_are_left_out():
    def f(x, y):
        whole = tg.zeros(3, 8, dtype=tg.float64)
        whole[:, :4] += x
        whole[:, 4:] += y
        return whole * 2.0

    assert fills(after(f, drop_dead)) == 1
    assert fills(after(f, drop_dead, leave_zeros_out)) == 0
    x = tg.tensor([[-0.0] * 4] * 3, dtype=tg.float64)
    for _ in range(2):
        found = tg.compile(f)(x, x)
        assert not np.signbit(found.numpy()).any()  # 0 + -0.0 is 0.0


# Seen through.
def in_parts(*writes):
    """x @ W, put together in another memory by `writes`, and read from there."""

    def f(x, y=None):
        g, w = x @ W, tg.empty(3, 4, dtype=tg.float64)
        for write in writes:
            write(w, g)
        return w * 2.0

    return f


@pytest.mark.parametrize(
    "writes",
    [
        [lambda w, g: w[:, :1].copy_(g[:, :1]), lambda w, g: w[:, 1:].copy_(g[:, 1:])],
        [lambda w, g: w[2:].copy_(g[2:]), lambda w, g: w[:2].copy_(g[:2])],
        [lambda w, g: w[0].copy_(g[0]), lambda w, g: w[:2].copy_(g[:2]), lambda w, g: w[2].copy_(g[2])],
        [lambda w, g: w[:1].copy_(g[:1]), lambda w, g: w[1:].copy_(g[1:]), lambda w, g: g.mul_(0.0)],  # a new value
        [lambda w, g: w.zero_(), lambda w, g: w[::2].copy_(g[::2]), lambda w, g: w[1::2].copy_(g[1::2])],
    ],
)  # fmt: skip
def test_a_value_that_is_put_together_from_parts_is_seen_through(writes):
    f = in_parts(*writes)
    assert len(after(f, drop_dead).steps) >= 4
    assert len(after(f, drop_dead, see_through_parts, drop_dead).steps) == 2  # the product, and * 2
    alike(lambda: (f, []))


@pytest.mark.parametrize(
    "writes",
    [
        [lambda w, g: w.zero_(), lambda w, g: w[:, :3].copy_(g[:, :3])],  # a part is not there
        [lambda w, g: w[:, :2].copy_(g[:, 2:]), lambda w, g: w[:, 2:].copy_(g[:, :2])],  # parts change places
        [lambda w, g: w.copy_(g), lambda w, g: w[:, 1:].mul_(3.0)],
        [lambda w, g: w[:1].copy_(g[:1]), lambda w, g: g.add_(1.0), lambda w, g: w[1:].copy_(g[1:])],  # another
        [lambda w, g: w.zero_(), lambda w, g: w[:1].add_(g[:1]), lambda w, g: w[1:].add_(g[1:])],  # 0 + -0.0 is 0.0
        [lambda w, g: w[:1].copy_(g[:1]), lambda w, g: w[1:].copy_(g[1:]), lambda w, g: w[0].mul_(5.0)],
        [lambda w, g: w[:2].copy_(g[:2]), lambda w, g: w[:1].copy_(-g[1:2]), lambda w, g: w[2:].copy_(g[2:])],
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(writes):
    f = in_parts(*writes)
    before = after(f, drop_dead, leave_zeros_out)
    program = after(f, drop_dead, leave_zeros_out, see_through_parts, drop_dead)
    assert len(program.steps) == len(before.steps)
    alike(lambda: (f, []))


@pytest.mark.parametrize("batch, heads, n", [(2, 2, 3), (1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_attention_leaves_the_gradient_of_its_matrix_in_one_piece(batch, heads, n, monkeypatch):
    """No zeros and no copies between the backward pass of attention and the products that follow; eager mode's bits."""
    monkeypatch.setattr(indexing, "LARGE", 1)
    w = numbers(3, 4, heads * 6).requires_grad_()

    def f(x):
        parts = (x @ w).split(heads * 2, -1)
        q, k, v = (part.reshape(batch, n, heads, 2).transpose(1, 2) for part in parts)
        out = tg.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return tg.autograd.grad(out, w, out.detach() * out.detach())[0]

    x = numbers(1, batch, n, 4)
    compiled, eager = tg.compile(f), f(x)
    assert compiled(x).equal(eager) and compiled(x).equal(eager)
    steps = compiled.sessions[0][1].forward.program.steps
    at = next(k for k, step in enumerate(steps) if getattr(step, "name", "") == "attention_backward")
    after = [getattr(step, "name", type(step).__name__) for step in steps[at + 1 :]]
    assert after == ["matmul"], after
    assert not any(getattr(step, "target", None) for step in steps)


@pytest.mark.parametrize("change", ["order", "a gap", "another matrix", "the same twice"])
def test_attention_to_what_are_no_thirds(change):
    w, pick = numbers(3, 4, 16), {"order": (4, 0, 8), "a gap": (0, 4, 12), "the same twice": (0, 0, 4)}.get(change)

    def f(x):
        y = (x @ w[:, :12] if change in ("order", "the same twice") else x @ w).requires_grad_()
        cuts = pick or (0, 4, 8)
        parts = [y[..., at : at + 4] for at in cuts]
        if change == "another matrix":
            parts[1] = (y * 2.0)[..., 4:8]
        q, k, v = (part.reshape(2, 3, 2, 2).transpose(1, 2) for part in parts)
        out = tg.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        definition = (q @ k.mT / 2**0.5).masked_fill(tg.ones(3, 3).tril() == 0, -1e300).softmax(-1) @ v
        g = out.detach() * out.detach()
        return tg.autograd.grad(out, y, g, retain_graph=True)[0], tg.autograd.grad(definition, y, g)[0]

    for function in (f, tg.compile(f)):
        found, expected = function(numbers(1, 2, 3, 4))
        assert tg.allclose(found, expected, 1e-12, 1e-14)


@pytest.mark.parametrize(
    "write",
    [
        lambda w, x, y: w[:, :3].copy_(y[:, :3]),  # a part is never written
        lambda w, x, y: (w[:, :4].add_(x), w[:, 2:6].add_(y)),  # two parts overlap, and two columns stay
        lambda w, x, y: (w[:, :4].add_(x), w[:, 2:].add_(tg.cat([y, x[:, :2]], 1))),  # overlap, all are written
        lambda w, x, y: (w[:, :4].add_(x), w.mul_(2.0), w[:, 4:].add_(y)),  # read as a whole in between
        lambda w, x, y: (w[::2, :4].add_(x[::2]), w[:, 4:].add_(y), w[1, :4].sub_(y[1])),
        lambda w, x, y: (w[:, 4:].add_(w[:, :4]), w[:, :4].add_(x)),
        lambda w, x, y: (w.T[:4].add_(x.T), w.T[4:].add_(y.T)),
    ],
)
def test_zeros_that_are_seen_stay(write):
    def build():
        def f(x):
            w = tg.zeros(3, 8, dtype=tg.float64)
            write(w, x, x * 3.0)
            return w + 1.0

        return f, []

    alike(build)


def test_the_gradient_of_a_split_is_put_together_without_zeros(monkeypatch):
    monkeypatch.setattr(indexing, "LARGE", 1)

    def build():
        w = leaf(2, 4, 12)

        def f(x):
            q, k, v = (x @ w).split(4, 1)
            loss = (q.tanh() * k.sin() + v.exp()).sum()
            w.grad = None
            loss.backward()
            return loss

        return f, [w]

    compiled = alike(build)
    left = str(compiled.program).split("program:")[1].split("def replay")[0].split("\n")
    assert not any(line.endswith(" = 0") for line in left)


# Forgotten.
def blocks(count, width):
    """A step of layer norms and products, whose memory is greatest where its backward pass begins."""
    tg.manual_seed(3)
    norms = [nn.LayerNorm(width) for _ in range(count)]
    layers = [nn.Linear(width, width) for _ in range(count)]
    optimizer = tg.optim.SGD([p for m in (*norms, *layers) for p in m.parameters()], lr=0.01)

    def step(x):
        optimizer.zero_grad()
        h = x
        for norm, layer in zip(norms, layers, strict=True):
            h = h + layer(norm(h))
        loss = (h * h).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, norms + layers


def test_a_cheap_result_is_forgotten_where_memory_is_short():
    wide, w, b = numbers(5, 4, 50), numbers(6, 4), numbers(8, 4)

    def f(x, y):
        h = tg.nn.functional.layer_norm(x, (4,), w, b)
        far = (h @ wide).exp() @ wide.T
        for _ in range(3):
            far = (far @ wide).exp() @ wide.T
        return far, h.T @ y

    program = after(f, optimize)
    count = functions_in(program, "layer_norm")
    needed = most_memory(program, ahead=True)[0]
    remember_less(program, needed)
    assert functions_in(program, "layer_norm") == count == 1  # enough
    remember_less(program, 0)
    assert functions_in(program, "layer_norm") == 2 and most_memory(program, ahead=True)[0] <= needed


def test_a_compiled_step_needs_no_more_memory_than_eagerly_and_is_the_same():
    peaks, losses = [], []
    x = tg.tensor(np.random.default_rng(0).normal(size=(256, 64)).astype("float32"))
    for make in (lambda f: f, tg.compile):
        step, _ = blocks(6, 64)
        step = make(step)
        found = [step(x).item() for _ in range(3)]
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        found.append(step(x).item())
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
        losses.append(found)
        if make is tg.compile:
            made = step.sessions[0][1].forward
            arena = sum(made.plan.sizes.values())
            assert sum("layer_norm(" in text for text in texts(made.program)) > 6
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    assert arena + peaks[1] <= peaks[0] * 1.02  # (Python's own objects are counted, too)


def test_a_weight_that_changes_in_between_is_read_before():
    def build():
        w, b = leaf(4, 4), leaf(5, 4)

        def f(x):
            h = tg.nn.functional.layer_norm(x, (4,), w, b)
            far = (h @ W).exp() @ W
            with tg.no_grad():
                w.mul_(0.5)
            for _ in range(3):
                far = (far * 0.01).exp() @ W
            return far.detach(), (h.T @ x).detach()

        return f, [w, b]

    alike(build)
