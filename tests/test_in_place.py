"""Changes in place: PyTorch's results, the history of what was changed, or an error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import identical

import tinygrad_edu as tg

IN_PLACE = [
    lambda x, y: x.add_(y), lambda x, y: x.add_(y, alpha=2), lambda x, y: x.sub_(1.5), lambda x, y: x.mul_(y),
    lambda x, y: x.div_(y), lambda x, y: x.fill_(3.0), lambda x, y: x.zero_(), lambda x, y: x.copy_(y),
    lambda x, y: x.__iadd__(y), lambda x, y: x.__itruediv__(2.0), lambda x, y: x.mul_(x),
    lambda x, y: x.t().mul_(y), lambda x, y: x[0].add_(y[1]), lambda x, y: x[:, ::2].mul_(2.0),
    lambda x, y: x.add_(y[0]),
]  # fmt: skip
OVERLAPPING = [
    (lambda x: x.add_(x.t()), lambda a: a + a.T), (lambda x: x.copy_(x.t()), lambda a: a.T),
    (lambda x: x[1:].copy_(x[:-1]), lambda a: np.vstack([a[:1], a[:-1]])),
    (lambda x: x[:-1].copy_(x[1:]), lambda a: np.vstack([a[1:], a[-1:]])),
    (lambda x: x[:, 1:].add_(x[:, :-1]), lambda a: np.hstack([a[:, :1], a[:, 1:] + a[:, :-1]])),
    (lambda x: x[0].copy_(x[:, 0]), lambda a: np.vstack([a[:, 0], a[1:]])),
    (lambda x: x.mul_(x[1:2]), lambda a: a * a[1:2]), (lambda x: x.sub_(x[2, 2]), lambda a: a - a[2, 2]),
    (lambda x: x.reshape(16)[:8].mul_(x.reshape(16)[8:]), lambda a: np.vstack([a[:2] * a[2:], a[2:]])),
]  # fmt: skip


@pytest.mark.parametrize("change, expected", OVERLAPPING)
def test_a_change_that_reads_what_it_writes_reads_it_first(change, expected):
    """PyTorch refuses some of these, and gives what the order of its loop happens to give for others."""
    a = np.arange(16.0).reshape(4, 4) % 7 + 1
    x = tg.tensor(a)
    change(x)
    np.testing.assert_array_equal(x.numpy(), expected(a))


@pytest.mark.parametrize("change", IN_PLACE)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_changes_in_place_without_a_graph_are_pytorchs(change, dtype, torch):
    results = []
    for library in (tg, torch):
        x = library.tensor(np.arange(16).reshape(4, 4) % 7 + 1).to(getattr(library, dtype))
        y = library.tensor(np.arange(16).reshape(4, 4) % 5 + 1).to(getattr(library, dtype))
        try:
            change(x, y)
        except RuntimeError as error:
            x = type(error)
        results.append(x)
    if isinstance(results[1], type):
        if results[0] is not results[1]:
            raise AssertionError(f"PyTorch refuses, we gave {results[0]}")
    else:
        identical(*results)


CHAIN = [
    "mul",
    "add",
    "exp",
    "view",
    "index",
    "imul",
    "iadd",
    "assign",
    "detach",
    "save",
    "fill",
    "view_change",
    "copy",
]


def random_program(library, seed, steps):
    """A program of operations, views and changes in place; its result's gradients, or RuntimeError."""
    random = np.random.default_rng(seed)
    a = library.tensor(np.linspace(0.5, 1.5, 4)).requires_grad_()
    b = library.tensor(np.linspace(-1.0, 1.0, 4)).requires_grad_()
    things = [a * 1.0, b * 1.0, a * b]
    try:
        for step in steps:
            i, j = random.integers(0, len(things), 2).tolist()
            x, y = things[i], things[j]
            if x.shape != y.shape:
                y = x
            if step == "mul":
                things.append(x * y)
            elif step == "add":
                things.append(x + y)
            elif step == "exp":
                things.append((x * 0.1).exp())
            elif step == "view":
                things.append(x.reshape(2, -1).t() if x.numel() == 4 and len(x.shape) == 1 else x.reshape(-1))
            elif step == "index":
                things.append(x[:2] if x.shape[0] > 2 else x[:1])
            elif step == "imul":
                x *= y
            elif step == "iadd":
                x += y * 0.5
            elif step == "assign":
                x[0] = y[-1] * 2.0
            elif step == "detach":
                things.append(x.detach())
            elif step == "save":
                things.append(x.tanh() * x)
            elif step == "fill":
                x.detach().fill_(0.5) if random.random() < 0.3 else x.zero_()
            elif step == "view_change":
                x[:1].mul_(3.0)
            elif step == "copy":
                x.copy_(y)
        total = sum(((t * t).sum() for t in things[1:]), (things[0] * 2.0).sum())
        total.backward()
    except RuntimeError as error:
        return error, None
    return None, [total.detach().numpy(), *(None if t.grad is None else t.grad.numpy() for t in (a, b))]


@given(st.lists(st.sampled_from(CHAIN), min_size=1, max_size=7), st.integers(0, 10_000))
def test_random_programs_with_changes_in_place_give_pytorchs_result_or_an_error(steps, seed):
    """Trap: editing data after it was saved: silently wrong gradient (DeZero, TinyTorch, minitorch)."""
    torch = pytest.importorskip("torch")
    error, ours = random_program(tg, seed, steps)
    refused, theirs = random_program(torch, seed, steps)
    if error is not None:
        return  # never a silent wrong gradient: an error is always right
    assert refused is None, f"PyTorch refuses: {refused}"
    for found, expected in zip(ours, theirs, strict=True):
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


# One change at a time: (make, change, whether PyTorch computes the gradient); ours must, where `ours` says so.
HISTORY = {
    "accumulate": lambda x, y: (y.add_(x), y),
    "scale a result": lambda x, y: (y.mul_(2.0), y),
    "scale by a leaf": lambda x, y: (y.mul_(x), y),
    "assign": lambda x, y: (y.__setitem__(0, 5.0), y),
    "assign a result": lambda x, y: (y.__setitem__(slice(0, 2), x[1:] * 3.0), y),
    "zero a part": lambda x, y: (y.__setitem__(slice(1, None), 0.0), y),
    "fill": lambda x, y: (y.fill_(2.0), y),
    "copy from a leaf": lambda x, y: (y.copy_(x), y),
    "twice": lambda x, y: (y.add_(1.0), y.mul_(x), y),
    "divide": lambda x, y: (y.div_(x), y),
    "divide a part of it": lambda x, y: (y.t().mul_(2.0), y.div_(x * 3.0), y),
}


@pytest.mark.parametrize("history", HISTORY.values(), ids=HISTORY)
def test_changes_of_a_result_are_in_the_graph(history, torch):
    results = []
    for library in (tg, torch):
        x = library.tensor([0.5, -1.0, 2.0], dtype=library.float64).requires_grad_()
        y = x + 1.0
        y = history(x, y)[-1]
        (y * library.tensor([1.0, 10.0, 100.0], dtype=library.float64)).sum().backward()
        results.append([y.detach().numpy(), x.grad.numpy()])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_an_accumulator_without_gradient_takes_part_once_it_receives_one():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    total = tg.zeros(2)
    total += x * 3.0
    assert total.requires_grad
    total.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "function", [lambda x: x.exp(), lambda x: x.tanh(), lambda x: x.sigmoid(), lambda x: x.sqrt(), lambda x: x.relu()]
)
def test_changing_a_result_that_its_own_derivative_needs_is_refused(function):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = function(x)
    y *= 2.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize(
    "use", [lambda x, w: x * w, lambda x, w: w * x, lambda x, w: x.sin() * w, lambda x, w: x @ w, lambda x, w: x**2 * w]
)
def test_changing_an_operand_that_was_saved_is_refused(use):
    x, w = tg.ones(3, requires_grad=True), tg.tensor([1.0, 2.0, 3.0])
    h = x * 2.0
    y = use(h, w).sum()
    h.detach().add_(1.0)
    w += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_change_through_numpy_is_seen_in_the_tensor_and_back():
    a = np.zeros((2, 3))
    x = tg.from_numpy(a)
    a[0, 1] = 4.0
    x[1, 2] = 5.0
    assert x[0, 1].item() == 4.0 and a[1, 2] == 5.0 and x.numpy() is not a and np.shares_memory(x.numpy(), a)
    strided = tg.from_numpy(a.T[1:])
    strided[0, 0] = 9.0
    assert a[0, 1] == 9.0 and strided.shape == (2, 2)
