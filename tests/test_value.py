"""Value: a number that remembers. (Its operations, at all their test points, are in test_calculus.py.)"""

import gc
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu import Value


def derivative(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)


def test_the_first_lesson():
    a, b = Value(2.0), Value(-3.0)
    c = a * b + a
    c.backward()
    assert (c.data, a.grad, b.grad, c.grad) == (-4.0, -2.0, 2.0, 1.0)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 2.0 + x, lambda x: 2.0 - x, lambda x: 2.0 * x, lambda x: 2.0 / x, lambda x: 2.0**x,
        lambda x: x + 2, lambda x: x - 2, lambda x: x * 2, lambda x: x / 2, lambda x: x**2, lambda x: x**-1.5,
        lambda x: x**x, lambda x: -x, lambda x: x * x + x / (x + 1.0),
    ],
)  # fmt: skip
def test_operators_with_numbers_on_either_side(f):
    x = Value(1.3)
    y = f(x)
    y.backward()
    assert y.data == f(1.3)
    assert math.isclose(x.grad, derivative(f, 1.3), rel_tol=1e-7)


@pytest.mark.parametrize(
    "f, plain",
    [
        (lambda x: abs(x), abs), (lambda x: x % 0.5, lambda x: x % 0.5), (lambda x: x // 0.5, lambda x: x // 0.5),
        (lambda x: 2.0 % x, lambda x: 2.0 % x), (lambda x: 7.0 // x, lambda x: 7.0 // x),
        (lambda x: x.clamp(-1.0, 1.0), lambda x: min(max(x, -1.0), 1.0)),
        (lambda x: x.clamp(max=0.0), lambda x: min(x, 0.0)),
        (lambda x: x.clamp(min=0.0), lambda x: max(x, 0.0)), (lambda x: x.maximum(0.5), lambda x: max(x, 0.5)),
        (lambda x: x.round(decimals=1), lambda x: round(x, 1)), (lambda x: x.round(), round),
        (lambda x: x.lerp(3.0, 0.25), lambda x: x + 0.25 * (3.0 - x)), (lambda x: x.expm1(), math.expm1),
        (lambda x: x.leaky_relu(0.1), lambda x: x if x > 0 else 0.1 * x), (lambda x: x.erf(), math.erf),
        (lambda x: x.softplus(), lambda x: math.log1p(math.exp(x))),
        (lambda x: x.hardtanh(), lambda x: min(max(x, -1), 1)),
        (lambda x: x.elu(2.0), lambda x: x if x > 0 else 2.0 * math.expm1(x)),
        (lambda x: x.atan2(2.0), lambda x: math.atan2(x, 2.0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at", [1.37, -0.62])
def test_what_else_a_number_can_do(f, plain, at):
    x = Value(at)
    y = f(x)
    y.backward()
    assert math.isclose(y.data, plain(at), rel_tol=1e-14)
    assert math.isclose(x.grad, derivative(plain, at), rel_tol=1e-7, abs_tol=1e-9)


def test_a_clamp_needs_a_bound():
    with pytest.raises(RuntimeError, match="at least one"):
        Value(1.0).clamp()


def test_sum_of_a_list_starts_from_the_number_0():
    xs = [Value(float(i)) for i in range(4)]
    total = sum(xs)
    total.backward()
    assert total.data == 6.0 and [x.grad for x in xs] == [1.0] * 4


@pytest.mark.parametrize(
    "compare", [lambda x, y: x < y, lambda x, y: x <= y, lambda x, y: x > y, lambda x, y: x >= y,
                lambda x, y: x == y, lambda x, y: x != y],
)  # fmt: skip
@pytest.mark.parametrize("a, b", [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0), (math.nan, 1.0)])
def test_comparisons_are_truth_values(compare, a, b):
    assert compare(Value(a), Value(b)) is compare(Value(a), b) is compare(a, b)


def test_a_value_is_hashed_by_identity():
    a, b = Value(1.0), Value(1.0)
    assert a == b and len({a, b}) == 2


def test_leaves_add_up_over_backward_passes():
    x = Value(3.0)
    (x * x).backward()
    (x * x).backward()
    assert x.grad == 12.0


def test_a_second_backward_through_the_same_graph_counts_once_more():
    """Trap: stale intermediate gradients (micrograd): a second backward() gives 3, not 2."""
    x = Value(1.0)
    y = x + x
    z = y * 1.0
    z.backward()
    assert (x.grad, y.grad) == (2.0, 1.0)
    z.backward()
    assert (x.grad, y.grad) == (4.0, 1.0)


def test_two_roots_that_share_a_node():
    """Trap: two roots sharing a node (micrograd): 21, not 17."""
    x = Value(2.0)
    y = x * 3.0
    (y * y).backward()
    (y * 5.0).backward()
    assert x.grad == 36.0 + 15.0


def test_new_data_after_use_does_not_falsify_a_gradient():
    """Trap: editing data after it was saved (DeZero, TinyTorch, minitorch)."""
    x = Value(3.0)
    y = x * x
    x.data = 100.0
    y.backward()
    assert x.grad == 6.0


def test_new_data_before_a_differentiable_backward_is_refused():
    x = Value(3.0)
    y = x * x
    x.data = 100.0
    with pytest.raises(RuntimeError, match="given new data after it was used"):
        y.backward(create_graph=True)


def test_third_derivative():
    x = Value(2.0)
    y = x**4.0
    for expected in (32.0, 48.0, 48.0):
        x.grad = 0.0
        y.backward(create_graph=True)
        y = x.grad
        assert math.isclose(y.data, expected, rel_tol=1e-14)


def test_where_the_slope_is_constant_the_gradient_is_still_a_value():
    x = Value(-1.0)
    x.relu().backward(create_graph=True)
    assert isinstance(x.grad, Value) and x.grad.data == 0.0


@given(st.lists(st.tuples(st.sampled_from("+-*/ts"), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=25))
def test_random_programs_have_the_gradient_of_the_differences(program):
    def run(xs):
        xs = list(xs)
        for op, i, j in program:
            a, b = xs[i % len(xs)], xs[-1 - j % len(xs)]
            if op == "t":
                c = a.tanh() if isinstance(a, Value) else math.tanh(a)
            elif op == "s":
                c = a.sin() if isinstance(a, Value) else math.sin(a)
            else:
                c = {"+": a + b, "-": a - b, "*": a * b * 0.5, "/": a / (b * b + 1.0)}[op]
            xs.append(c)
        return xs[-1]

    start = (0.7, -1.1, 0.4)
    leaves = [Value(x) for x in start]
    run(leaves).backward()
    for k, x in enumerate(leaves):
        numerical = derivative(lambda v, k=k: run([*start[:k], v, *start[k + 1 :]]), start[k])
        assert math.isclose(float(x.grad), numerical, rel_tol=1e-5, abs_tol=1e-5)


def test_a_chain_of_a_million_is_walked_and_freed_without_recursion():
    """Trap: recursive topological sort (micrograd, TinyTorch): RecursionError at depth 1,000."""
    x = y = Value(1.0)
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1.0
    del y  # a million nested objects: deletion must not overflow the stack either
    assert x.data == 1.0


def test_a_graph_is_gone_when_its_result_is_gone():
    def alive():
        return sum(type(thing) is Value for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = alive()
        x = Value(2.0)
        y = (x * x).tanh() + x
        y.backward()
        y.backward(create_graph=True)
        x.grad = 0.0
        assert alive() > before
        del x, y
        assert alive() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("bad", ["x", None, [1.0], 1 + 2j, "Value"])
def test_a_value_holds_one_real_number(bad):
    with pytest.raises(TypeError, match="Value"):
        Value(Value(1.0) if bad == "Value" else bad)


@pytest.mark.parametrize("bad", [None, "a", [1.0], {}])
def test_arithmetic_with_something_else_is_a_type_error(bad):
    with pytest.raises(TypeError):
        Value(1.0) + bad
    with pytest.raises(TypeError):
        Value(1.0) * bad


@pytest.mark.parametrize("x", [0.0, -0.0])
def test_the_zeroth_power_at_zero(x):
    """Trap: `x ** 0` at 0 (micrograd): ZeroDivisionError."""
    v = Value(x)
    y = v**0
    y.backward()
    assert (y.data, v.grad) == (1.0, 0.0)


def test_value_loads_neither_numpy_nor_numba():
    code = (
        "import sys, tinygrad_edu as tg; tg.Value(2.0).exp().backward(); print({'numpy', 'numba'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_printed_form_and_label():
    x = Value(2.5, label="weight")
    assert repr(x) == "Value(2.5, grad=0)" and x.label == "weight" and float(x) == 2.5
