"""Tests of the exercises of chapter 04. Their messages are for you: read the line that starts with E."""

import math
import re

import pytest
from tinygrad_kernels.calculus import OPERATIONS, Elementwise, exp
from tinygrad_kernels.expr import Expr

import tinygrad_edu as tg
from tinygrad_edu.ops.plan import Operation, apply

POINTS = [-1000.0, -30.0, -1.0, -1e-30, 0.0, 1e-30, 1.0, 30.0, 1000.0]


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@pytest.mark.parametrize("x", POINTS)
def test_1_softplus_of_a_float(x, exercise):
    found = exercise("ch04_1_softplus").forward(x)
    assert math.isfinite(found), f"softplus({x}) is {found}: an exponential of a large number"
    assert found == pytest.approx(softplus(x), rel=1e-12, abs=1e-15), f"the value at {x}"


@pytest.mark.parametrize("x", POINTS)
def test_1_softplus_has_the_slope_of_a_sigmoid(x, exercise):
    found = exercise("ch04_1_softplus").backward(2.0, x, softplus(x))
    assert found == pytest.approx(2.0 * sigmoid(x), rel=1e-12, abs=1e-15), f"g times the slope, at x = {x} and g = 2"


def operation_of(work, monkeypatch):
    """The formulas as an operation on tensors."""
    work.forward(0.5), work.backward(1.0, 0.5, softplus(0.5))  # are the holes filled?
    monkeypatch.setattr("tinygrad_kernels.calculus.core.OPERATIONS", dict(OPERATIONS))  # a visitor does not stay
    members = {"forward": work.module.forward, "backward": work.module.backward, "floating": True}
    return Operation(type("MySoftplus", (Elementwise,), members))


def test_1_softplus_runs_on_arrays(exercise, monkeypatch):
    operation = operation_of(exercise("ch04_1_softplus"), monkeypatch)
    found = apply(operation, tg.tensor(POINTS, dtype=tg.float64)).tolist()
    assert found == pytest.approx([softplus(x) for x in POINTS], rel=1e-12, abs=1e-15)


def test_1_softplus_has_a_second_derivative(exercise, monkeypatch):
    operation = operation_of(exercise("ch04_1_softplus"), monkeypatch)
    x = tg.tensor(POINTS, dtype=tg.float64, requires_grad=True)
    (first,) = tg.autograd.grad(apply(operation, x).sum(), x, create_graph=True)
    (second,) = tg.autograd.grad(first.sum(), x)
    for point, found in zip(POINTS, second.tolist(), strict=True):
        assert found == found, (
            f"the second derivative at {point} is nan: somewhere `backward` has an exponential that is inf, and its "
            "derivative multiplies that by 0"
        )
        assert found == pytest.approx(sigmoid(point) * sigmoid(-point), rel=1e-9, abs=1e-15), f"at {point}"


SAFE = {"x * 1 -> x", "x - 0 -> x", "2 * x -> x + x", "x / 4 -> x * 0.25", "-(-x) -> x"}
UNSAFE = [
    "x * 0 -> 0",
    "x + 0 -> x",
    "x - x -> 0",
    "x / x -> 1",
    "0 - x -> -x",
    "x / 3 -> x * (1/3)",
    "(x + 1) - 1 -> x",
]


@pytest.mark.parametrize("name", sorted(SAFE))
def test_2_fold_what_is_safe(name, exercise):
    found = exercise("ch04_2_fold").counterexample(name)
    assert found == "safe", f"'{name}' holds for every float; at {found} both sides are the same"


@pytest.mark.parametrize("name", UNSAFE)
def test_2_fold_what_is_not_safe(name, exercise):
    work = exercise("ch04_2_fold")
    x = work.counterexample(name)
    assert x != "safe", f"'{name}' does not hold for every float: try 0.0, -0.0, 1.0, inf, 1e-20, and whole numbers"
    before, after = (side(x) for side in work.REWRITES[name])
    assert repr(before) != repr(after), f"'{name}' at {x!r}: both sides are {before!r}"


def sigmoid_slope(x):
    s = 1.0 / (1.0 + exp(-x))
    return s * (1.0 - s)


def tower(x):
    for _ in range(40):
        x = x * x
    return x


FORMULAS = {
    "the example": (lambda x: exp(-x) * exp(-x), 3),
    "one operation": (lambda x: x + 1.0, 1),
    "a sigmoid's slope": (sigmoid_slope, 6),
    "forty squarings": (tower, 40),
    "two uses of the input": (lambda x: x * x + x / (x + 2.0), 4),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_3_print_computes_the_formula(case, exercise):
    function, _ = FORMULAS[case]
    lines = exercise("ch04_3_print").statements(function(Expr.input("x")))
    names = {"x": 0.75, "exp": math.exp}
    try:
        exec("\n".join(lines), names)
    except NameError as error:
        pytest.fail(f"{error}: operands must come before the operations that use them\n" + "\n".join(lines))
    last = names[lines[-1].split(" = ")[0]]
    assert last == pytest.approx(function(0.75)), "the last line is not the value of the formula:\n" + "\n".join(lines)


@pytest.mark.parametrize("case", FORMULAS)
def test_3_print_computes_nothing_twice(case, exercise):
    function, operations = FORMULAS[case]
    lines = exercise("ch04_3_print").statements(function(Expr.input("x")))
    assert len(lines) == operations, f"{len(lines)} lines for {operations} different operations:\n" + "\n".join(lines)
    right = [line.split(" = ")[1] for line in lines]
    assert len(set(right)) == len(right), "two lines compute the same:\n" + "\n".join(lines)
    assert [line.split(" = ")[0] for line in lines] == [f"t{k}" for k in range(operations)], "names are t0, t1, ..."


def test_3_print_has_one_operation_a_line(exercise):
    lines = exercise("ch04_3_print").statements(sigmoid_slope(Expr.input("x")))
    assert all(len(re.findall(r"[-+*/]|exp", line)) == 1 for line in lines), "\n".join(lines)
