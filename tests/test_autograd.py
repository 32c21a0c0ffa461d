"""grad, backward of several results, recording on and off, and the checkers, which are themselves checked."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import GradcheckError, grad, gradcheck, gradgradcheck
from tinygrad_edu.graph import Node
from tinygrad_edu.tensors import Tensor


def leaf(values, dtype=None):
    return tg.tensor(values, dtype=dtype or tg.float64, requires_grad=True)


# grad -----------------------------------------------------------------------------------------------------------
def test_grad_gives_values_and_touches_no_leaf():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    gx, gy = grad((x * y).sum(), (x, y))
    assert gx.tolist() == [3.0, 4.0] and gy.tolist() == [1.0, 2.0] and x.grad is None and not gx.requires_grad


def test_grad_with_respect_to_a_result_in_between():
    x = leaf([1.0, 2.0])
    y = x * 3.0
    gy, gx = grad((y * y).sum(), (y, x))
    assert gy.tolist() == [6.0, 12.0] and gx.tolist() == [18.0, 36.0]


def test_grad_of_several_results_is_the_gradient_of_their_sum():
    x = leaf([1.0, 2.0])
    (g,) = grad([(x * x).sum(), x.sum()], x)
    assert g.tolist() == [3.0, 5.0]
    (g,) = grad([x * x, x], x, [tg.tensor([1.0, 0.0]), tg.tensor([0.0, 1.0])])
    assert g.tolist() == [2.0, 1.0]


def test_an_unused_input_is_an_error_or_none():
    x, y = leaf([1.0]), leaf([1.0])
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        grad((x * 2).sum(), (x, y))
    assert grad((x * 2).sum(), (x, y), allow_unused=True)[1] is None


def test_grad_of_an_input_without_gradient_is_an_error():
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(leaf([1.0]).sum(), tg.tensor([1.0]))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["exp", "sin", "tanh", "sigmoid", "log", "sqrt"])
def test_higher_derivatives_are_pytorchs(name, order, torch):
    results = []
    for library in (tg, torch):
        x = library.tensor([0.3, 1.7], dtype=library.float64).requires_grad_()
        y = getattr(x, name)()
        for _ in range(order):
            (y,) = library.autograd.grad(y.sum(), x, create_graph=True)
        results.append(y.detach().numpy())
    np.testing.assert_allclose(*results, rtol=1e-11)


def test_a_gradient_penalty_is_pytorchs(torch):
    random = np.random.default_rng(0)
    a, w = random.standard_normal((5, 3)), random.standard_normal((3, 4))
    results = []
    for library in (tg, torch):
        x, weight = (library.tensor(v).requires_grad_() for v in (a, w))
        y = (x @ weight).tanh().sum()
        (g,) = library.autograd.grad(y, x, create_graph=True)
        ((g * g).sum() + (y * 0.5) ** 2).backward()
        results.append((x.grad.numpy(), weight.grad.numpy()))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_the_second_derivative_through_where():
    """Trap: second derivative through `where`: differentiating `where(x > 0, g, g * exp(x))` at x = 100 gives nan,
    PyTorch 0."""
    x = leaf([100.0, -1.0])
    safe = tg.where(x > 0, 0.0, x)
    y = tg.where(x > 0, x, safe.exp() - 1.0)
    (first,) = grad(y.sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    np.testing.assert_allclose(first.detach().numpy(), [1.0, np.exp(-1.0)])
    np.testing.assert_allclose(second.numpy(), [0.0, np.exp(-1.0)])


def test_backward_with_create_graph_leaves_gradients_that_have_a_graph():
    x = leaf([2.0])
    (x**3).sum().backward(create_graph=True)
    first = x.grad
    assert first.requires_grad and first.item() == 12.0
    x.grad = None
    first.sum().backward()
    assert x.grad.item() == 12.0


# Recording ------------------------------------------------------------------------------------------------------
def test_no_grad_and_enable_grad_nest_and_are_left_by_an_error():
    x = leaf([1.0])
    with tg.no_grad():
        assert not (x * 2).requires_grad and not tg.is_grad_enabled()
        with tg.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        raise ZeroDivisionError
    assert tg.is_grad_enabled() and (x * 2).requires_grad
    with tg.set_grad_enabled(False):
        assert not tg.is_grad_enabled()


def test_no_grad_as_a_decorator_with_and_without_parentheses():
    x = leaf([1.0])

    @tg.no_grad()
    def one():
        return x * 2

    @tg.no_grad
    def two():
        return x * 2

    assert not one().requires_grad and not two().requires_grad and one.__name__ == "one"


def test_recording_is_switched_for_each_thread_alone():
    found = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: found.append(tg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert found == [True]


def test_threads_with_graphs_of_their_own_do_not_disturb_each_other():
    results = [None] * 4

    def work(k):
        x = leaf([float(k + 1)])
        for _ in range(200):
            x.grad = None
            (x * x * x).sum().backward()
        results[k] = x.grad.item()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [3.0 * (k + 1) ** 2 for k in range(4)]


# Random graphs --------------------------------------------------------------------------------------------------
STEPS = {
    "mul": lambda x, y: x * y, "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "tanh": lambda x, y: x.tanh(),
    "div": lambda x, y: x / (y * y + 1.0), "sin": lambda x, y: x.sin(), "row": lambda x, y: x * y[:1],
    "mean": lambda x, y: x - y.mean(0, keepdim=True), "matmul": lambda x, y: x @ y * 0.3, "t": lambda x, y: x.t() * y,
    "view": lambda x, y: x.reshape(-1).reshape(3, 3) + y, "sigmoid": lambda x, y: y.sigmoid() * x,
}  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=10)
)
def test_random_graphs_have_pytorchs_gradients(program):
    torch = pytest.importorskip("torch")
    results = []
    for library in (tg, torch):
        leaves = [library.tensor(np.cos(np.arange(9.0) * k).reshape(3, 3)).requires_grad_() for k in (1, 2)]
        things = list(leaves)
        for step, i, j in program:
            things.append(STEPS[step](things[i % len(things)], things[-1 - j % len(things)]))
        total = sum((t * t).sum() for t in things)
        total.backward()
        results.append([total.detach().numpy(), *(x.grad.numpy() for x in leaves)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=3)
)
def test_random_graphs_pass_the_second_order_check(program):
    def function(*leaves):
        things = list(leaves)
        for step, i, j in program:
            things.append(STEPS[step](things[i % len(things)], things[-1 - j % len(things)]))
        return (things[-1] * things[-2]).sum()

    leaves = [tg.tensor(np.cos(np.arange(9.0) * k).reshape(3, 3)).requires_grad_() for k in (1, 2)]
    assert gradcheck(function, leaves) and gradgradcheck(function, leaves)


# The checkers ---------------------------------------------------------------------------------------------------
class Planted(Node):
    """y = f(x) with a backward pass given by hand, perhaps a wrong one."""

    def __init__(self, x, pull):
        self.walk, self.parents, self.given = None, (x.node,), pull

    def pull(self, g, graph):
        return (self.given(g),)


def planted(x, forward, pull):
    with tg.no_grad():
        y = forward(x)
    out = Tensor(y.flat, y.shape, y.kind)
    out.node = Planted(x, lambda g: pull(g, x.detach()))
    return out


def zero_last(g):
    g = g.clone()
    g.reshape(-1)[-1:].fill_(0.0)
    return g


def softmax(x):
    e = x.exp()
    return e / e.sum(-1, keepdim=True)


def softmax_pull(g, x):
    y = softmax(x)
    return y * (g - (g * y).sum(-1, keepdim=True))


CORRECT = {
    "square": (lambda x: x * x, lambda g, x: 2.0 * x * g),
    "softmax": (softmax, softmax_pull),
    "row sums": (lambda x: x.sum(1), lambda g, x: g.unsqueeze(1).expand(*x.shape).contiguous()),
}
WRONG = {
    "last element zeroed": (lambda x: x * x, lambda g, x: zero_last(2.0 * x * g)),
    "missing factor": (lambda x: x * x, lambda g, x: x * g),
    "a little off": (lambda x: x * x, lambda g, x: 2.01 * x * g),
    "softmax of zeros": (softmax, lambda g, x: g * 0.0),
    "softmax without its sum": (softmax, lambda g, x: softmax(x) * g),
    "wrong sign": (lambda x: x.sin(), lambda g, x: -g * x.cos()),
    "transposed": (lambda x: x * x, lambda g, x: (2.0 * x * g).t().contiguous()),
    "sum over the wrong axis": (lambda x: x.sum(1), lambda g, x: g.unsqueeze(0).expand(*x.shape).contiguous()),
    "ignores the cotangent": (lambda x: x * x, lambda g, x: 2.0 * x),
    "nan": (lambda x: x * x, lambda g, x: g * float("nan")),
}


@pytest.mark.parametrize("n", [2, 3, 8, 12])  # every element at first, random directions of the large ones
@pytest.mark.parametrize("case", CORRECT)
def test_the_checker_accepts_right_gradients(case, n):
    forward, pull = CORRECT[case]
    x = leaf(np.random.default_rng(n).standard_normal((n, n)))
    assert gradcheck(lambda x: planted(x, forward, pull), x)


@pytest.mark.parametrize("n", [2, 3, 8, 12])
@pytest.mark.parametrize("case", WRONG)
def test_the_checker_refuses_wrong_gradients(case, n):
    """Traps: a zeroed last element passes (minitorch: 33 of 38 sizes); an all-ones cotangent passes a softmax backward
    of zeros (DeZero); only `.grad is not None` is checked (TinyTorch)."""
    forward, pull = WRONG[case]
    for seed in range(5):
        x = leaf(np.random.default_rng(100 * n + seed).standard_normal((n, n)))
        with pytest.raises(GradcheckError, match="Jacobian mismatch"):
            gradcheck(lambda x: planted(x, forward, pull), x, seed=seed)
        assert gradcheck(lambda x: planted(x, forward, pull), x, raise_exception=False) is False


def test_the_second_order_checker_refuses_a_backward_that_is_not_differentiable():
    """The first derivative is right, its own derivative is cut off by detach()."""

    def function(x):
        return planted(x, lambda x: x * x, lambda g, x: 2.0 * x * g)  # x is detached in `planted`

    x = leaf([1.0, 2.0])
    assert gradcheck(function, x)
    with pytest.raises(GradcheckError):
        gradgradcheck(function, x)


def test_the_checker_says_where(capsys):
    x, y = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([1.0])

    def function(x, y):
        return y.sum() * 0.0 + planted(x, lambda x: x * x, lambda g, x: zero_last(2.0 * x * g)).sum()

    with pytest.raises(GradcheckError, match=r"input 0, element \[1, 1\](.|\n)*numerical(.|\n)*analytical"):
        gradcheck(function, (x, y))


def test_the_checker_wants_float64_and_something_to_check():
    with pytest.raises(ValueError, match="float64"):
        gradcheck(lambda x: x, tg.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="none of them"):
        gradcheck(lambda x: x, tg.ones(2))


def test_the_checker_leaves_its_inputs_as_they_were():
    x = leaf([1.0, 2.0])
    gradcheck(lambda x: x.exp(), x)
    assert x.tolist() == [1.0, 2.0] and x.grad is None


def test_the_checker_takes_several_results_views_and_0d_inputs():
    assert gradcheck(lambda x, y: (x * y, x.sum()), (leaf([1.0, 2.0]), leaf(3.0)))
    base = leaf(np.arange(6.0).reshape(2, 3))
    view = base.detach().t().requires_grad_()
    assert gradcheck(lambda x: x * x, view) and gradgradcheck(lambda x: x * x * x, view)


@pytest.mark.parametrize("exponent", [-2, -1, -0.5, 0, 1, 1.5, 2, 2.5, 3, 4])
def test_second_derivative_of_a_power(exponent):
    x = tg.tensor([0.5, 2.0], dtype=tg.float64, requires_grad=True)
    (first,) = grad((x**exponent).sum(), x, create_graph=True)
    (second,) = grad(first.sum(), x)
    expected = exponent * (exponent - 1) * np.array([0.5, 2.0]) ** (exponent - 2)
    np.testing.assert_allclose(second.numpy(), expected, rtol=1e-12)


def test_materialize_grads_gives_zeros_for_an_unused_input():
    x, unused = tg.ones(2, requires_grad=True), tg.ones(3, requires_grad=True)
    used, zeros = grad((2 * x).sum(), (x, unused), materialize_grads=True)
    assert used.tolist() == [2, 2] and zeros.tolist() == [0, 0, 0]


def test_an_assigned_gradient_has_the_dtype_of_its_tensor():
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="float64"):
        x.grad = tg.ones(2, dtype=tg.float64)


def test_grad_does_not_walk_branches_that_lead_to_no_input():
    a, b = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    freed = b * b
    freed.sum().backward()
    calls = []
    other = b * 3.0
    other.register_hook(calls.append)
    (g,) = tg.autograd.grad((a * 2.0).sum() + freed.sum() + other.sum(), a)
    assert g.tolist() == [2.0, 2.0] and calls == []


def test_grad_leaves_what_lies_behind_its_inputs():
    """As the inner steps of MAML need it: each continues from the weights that the last one was asked about."""
    w = tg.ones(2, requires_grad=True)
    fast = w * w
    for _ in range(2):
        (g,) = tg.autograd.grad((fast * fast).sum(), fast)
        fast = fast - 0.1 * g
    fast.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_a_gradient_with_a_graph_through_operands_of_another_dtype():
    c = tg.tensor([2.0, 3.0], requires_grad=True)
    (g,) = tg.autograd.grad((tg.tensor([5, 7]) % c).sum(), c, create_graph=True)
    assert g.tolist() == [-2.0, -2.0]
