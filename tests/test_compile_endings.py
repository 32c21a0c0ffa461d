"""Products that end with what follows them: the same bits as a product and a loop, and where there can be no ending."""

import pytest
from test_compile import equal, numbers, tensors_in
from test_compile_passes import after, texts

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.compiler.endings import end_products
from tinygrad_edu.compiler.made import optimize
from tinygrad_edu.compiler.program import Ended

F = nn.functional


def same(found, expected, rtol=0.0):
    """To the bit."""
    for x, y in zip(tensors_in(found), tensors_in(expected), strict=True):
        equal(x, y, rtol)


X, W, B = numbers(0, 6, 5), numbers(1, 5, 5), numbers(2, 5)

FUNCTIONS = {
    "a residual": lambda x, w, b: x + F.linear(x, w, b),
    "a residual from the right": lambda x, w, b: x @ w + x,
    "a product with a matrix of numbers": lambda x, w, b: (x @ w.T) * x,
    "relu": lambda x, w, b: F.linear(x, w, b).relu(),
    "a mask": lambda x, w, b: tg.where(x <= 0, 0.0, x @ w),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_follows_a_product_is_its_ending(name):
    function, operands = FUNCTIONS[name], (X, W, B)
    program = after(function, optimize, end_products, operands=operands)
    assert [type(step) for step in program.steps] == [Ended]
    compiled = tg.compile(function)
    for k in (1.0, -2.0):
        given = [k * x for x in operands]
        same(compiled(*given), function(*given))


def test_the_gradient_of_an_activation_ends_the_product_before_it():
    def f(x, w, b):
        x, w = x.detach().requires_grad_(), w.detach().requires_grad_()
        return tg.autograd.grad((F.linear(x, w, b).relu() @ w).square().sum(), (x, w))

    program = after(f, optimize, end_products, operands=(X, W, B))
    assert sum(isinstance(step, Ended) for step in program.steps) == 3  # relu, its mask, two gradients of w
    same(tg.compile(f)(X, W, B), f(X, W, B), 1e-12)


def test_it_is_told_what_was_a_product():
    program = after(lambda x, w: x @ w + x, optimize, end_products, operands=(X, W))
    assert texts(program) == ["v4[30] = p + m1 where p = matmul(m1, m2, ...)"]


APART = {
    "the product is needed, too": (lambda x, w: ((h := x @ w) + x, h.sum()), 0),
    "the product is a result": (lambda x, w: ((h := x @ w) + x, h), 0),
    "a formula that no kernel ends with": (lambda x, w: (x @ w).tanh(), 0),
    "a row, not a matrix": (lambda x, w: (x @ w) * w[0], 0),
    "another order": (lambda x, w: w + (w @ w).T, 0),
    "another dtype": (lambda x, w: (x @ w).double() + 1, 0),
    "two products, of which one ends": (lambda x, w: x @ w + x @ (w + 1.0), 1),
    "its own sum is beside it": (lambda x, w: (h := x @ w) + h.sum() * x, 0),
}


@pytest.mark.parametrize("name", APART)
def test_where_there_is_no_ending(name):
    function, count = APART[name]
    program = after(function, optimize, end_products, operands=(X, W))
    assert sum(isinstance(step, Ended) for step in program.steps) == count
    same(tg.compile(function)(X, W), function(X, W), 1e-12)


def test_memory_from_outside_is_not_written_by_a_product():
    """It would be half changed while the sum over the last blocks is missing, and is read at the same time."""
    w, v = (numbers(3, 5, 5) for _ in range(2))

    def step(w, x):
        w += x.T @ x
        w *= 0.5
        return w.sum()

    compiled = tg.compile(lambda x: step(w, x))
    for _ in range(3):
        same(compiled(X), step(v, X))
    same(w, v)
    assert not any(isinstance(s, Ended) for s in compiled.sessions[0][1].forward.program.steps)


def test_a_side_that_changes_afterwards_is_read_before():
    w, v = (numbers(3, 6, 5) for _ in range(2))

    def step(w, x):
        h = x @ W + w
        w.zero_()
        return h * 2.0

    compiled = tg.compile(lambda x: step(w, x))
    for k in range(3):
        for y in (w, v):
            y.copy_(numbers(k, 6, 5))
        same((compiled(X), w), (step(v, X), v))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_large_one(threads):
    """Several cells and blocks of k, from several threads."""
    x, w, b = numbers(0, 300, 700), numbers(1, 700, 700) * 0.01, numbers(2, 700)

    def block(x):
        return x + F.linear(F.linear(x, w, b).relu(), w)

    compiled, before = tg.compile(block), tg.get_num_threads()
    try:
        tg.set_num_threads(threads)
        found = compiled(x)
    finally:
        tg.set_num_threads(before)
    same(found, block(x))
