"""Compiled functions that ask LAPACK: a step of the program, whose errors are those of the eager function."""

import pytest
from test_compile import equal, numbers

import tinygrad_edu as tg
from tinygrad_edu.compiler.program import Call
from tinygrad_edu.linalg import LinAlgError


def names_of(compiled):
    return [s.name for s in compiled.sessions[0][1].forward.program.steps if isinstance(s, Call)]


def regression(x, y):
    """The normal equations, and the residual."""
    w = tg.linalg.solve(x.T @ x, x.T @ y)
    return w, (x @ w - y).square().mean()


def test_a_regression_is_solved_anew_by_each_replay():
    compiled = tg.compile(regression)
    for seed in range(4):
        x, y = numbers(seed, 30, 3), numbers(seed + 9, 30)
        for found, expected in zip(compiled(x, y), regression(x, y), strict=True):
            equal(found, expected)
    assert names_of(compiled).count("lapack") == 1 and len(compiled.sessions) == 1


def test_gradients_inside_and_outside():
    def whitened(a, x):
        return tg.linalg.solve(tg.linalg.cholesky(a @ a.T + tg.eye(4, dtype=a.dtype)), x).square().sum()

    compiled = tg.compile(whitened)
    inside = tg.compile(lambda a, x: tg.autograd.grad(whitened(a, x), (a, x)))
    for seed in range(3):
        a, x = (numbers(seed + k, 4, 4).requires_grad_() for k in (0, 5))
        expected = tg.autograd.grad(whitened(a, x), (a, x))
        for found in (tg.autograd.grad(compiled(a, x), (a, x)), inside(a, x)):
            for one, other in zip(found, expected, strict=True):
                equal(one, other, 1e-9)


def training(w):
    """A step whose gradient asks for the inverse, too."""
    optimizer = tg.optim.SGD([w], lr=0.1)

    def step(a):
        optimizer.zero_grad()
        loss = (w * tg.linalg.inv(a)).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_matrix_that_has_no_inverse_raises_and_changes_nothing():
    w, twin = (numbers(1, 3, 3).requires_grad_() for _ in range(2))
    compiled, eager, good = tg.compile(training(w)), training(twin), numbers(0, 3, 3)
    for _ in range(3):
        equal(compiled(good).detach(), eager(good).detach())
    held = w.detach().clone()
    for _ in range(2):
        with pytest.raises(LinAlgError, match="linalg.inv: The diagonal element 2 is zero"):
            compiled(tg.ones(3, 3, dtype=w.dtype))
        assert (w == held).all()
    equal(compiled(good).detach(), eager(good).detach())  # and goes on
    equal(w, twin)


def test_a_function_may_catch_the_error_itself():
    def inverse_or_zeros(a):
        try:
            return tg.linalg.inv(a)
        except LinAlgError:
            return tg.zeros_like(a)

    compiled, good, bad = tg.compile(inverse_or_zeros), numbers(0, 3, 3), tg.ones(3, 3, dtype=tg.float64)
    for a in (good, bad, good * 2.0, bad):
        equal(compiled(a), inverse_or_zeros(a))


def test_an_error_of_the_backward_pass_outside_is_lapacks():
    def f(a, x):
        return tg.linalg.qr(a).R.square().sum() + x.sum()

    compiled, a = tg.compile(f), tg.zeros(3, 3, dtype=tg.float64, requires_grad=True)
    for function in (f, compiled):
        out = function(a, a)
        with pytest.raises(LinAlgError, match="singular"):
            out.backward()


def test_nothing_is_solved_after_an_update():
    w = numbers(1, 3, 3)

    def step(a):
        w.mul_(2.0)
        return tg.linalg.inv(w @ a)

    with pytest.raises(RuntimeError, match="an equation solved, after a parameter was updated"):
        tg.compile(step)(numbers(0, 3, 3))
    equal(w, numbers(1, 3, 3))


def test_a_singular_determinant_has_its_gradient():
    compiled = tg.compile(lambda a: tg.autograd.grad(tg.linalg.det(a), a)[0])
    for a in (numbers(0, 3, 3), tg.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]], dtype=tg.float64)):
        a.requires_grad_()
        equal(compiled(a), tg.autograd.grad(tg.linalg.det(a), a)[0], 1e-9)
