"""Compiled functions of Values do what the functions do: the same numbers, to the bit, and the same gradients."""

import gc
import inspect
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tinygrad_kernels.calculus import OPERATIONS, PRIMITIVES
from tinygrad_kernels.cpu.tape import LINES

from tinygrad_edu import Value, engine
from tinygrad_edu.compiler.scalars import compile_values

METHODS = {name: method for name, method in vars(Value).items() if name in OPERATIONS}
BINARY = sorted(n for n in METHODS if OPERATIONS[n].arity == 2 and not OPERATIONS[n].parameters)
UNARY = sorted(n for n in METHODS if OPERATIONS[n].arity == 1)
OTHERS = {
    "x + y": lambda x, y: x + y, "x - y": lambda x, y: x - y, "x * y": lambda x, y: x * y, "x / y": lambda x, y: x / y,
    "x ** y": lambda x, y: x**y, "x % y": lambda x, y: x % y, "x // y": lambda x, y: x // y, "-x": lambda x, y: -x,
    "abs": lambda x, y: abs(x), "x ** 2": lambda x, y: x**2, "x ** 3": lambda x, y: x**3, "x ** 0": lambda x, y: x**0,
    "x ** .5": lambda x, y: x**0.5, "x ** -1.5": lambda x, y: x**-1.5, "2 ** x": lambda x, y: 2.0**x,
    "1 - x": lambda x, y: 1 - x, "3 / x": lambda x, y: 3.0 / x, "7 % x": lambda x, y: 7.0 % x,
    "7 // x": lambda x, y: 7 // x,
    "x * 0": lambda x, y: x * 0.0, "x * 1": lambda x, y: x * 1, "round": lambda x, y: x.round(),
    "round 1": lambda x, y: x.round(decimals=1), "round -1": lambda x, y: x.round(decimals=-1),
    "clamp": lambda x, y: x.clamp(-1.0, y), "clamp min": lambda x, y: x.clamp(min=y),
    "clamp max": lambda x, y: x.clamp(max=0.5),
    "lerp": lambda x, y: x.lerp(y, 0.25), "lerp y": lambda x, y: x.lerp(2.0, y),
    "leaky_relu": lambda x, y: x.leaky_relu(0.1), "elu": lambda x, y: x.elu(1.5), "celu": lambda x, y: x.celu(2.0),
    "softplus": lambda x, y: x.softplus(2.0, 3.0), "hardtanh": lambda x, y: x.hardtanh(-0.5, 2.0),
    "Value(2)": lambda x, y: x * Value(2.0),
}  # fmt: skip
STEPS = {
    **{name: lambda x, y, name=name: getattr(x, name)() for name in UNARY},
    **{name: lambda x, y, name=name: getattr(x, name)(y) for name in BINARY},
    **OTHERS,
}


def same(a, b):
    """Equal to the bit, all nans alike."""
    return repr(a) == repr(b)


def run(program, numbers):
    """The Values that a random program makes of others, which it takes from the front or from the end of the list."""
    found = list(numbers)
    for name, i, j in program:
        found.append(STEPS[name](found[-1 - i % len(found)], found[j % len(found)]))
    return found


# The law.


def test_the_table_has_every_operation_of_a_value():
    assert {"tanh", "erf", "hardswish", "fmod"} <= {*UNARY, *BINARY} and len(STEPS) > 70
    methods = {name for name, thing in vars(Value).items() if inspect.isfunction(thing) and name[0] != "_"}
    assert methods - set(STEPS) == {"backward", "pull", "pull_graph", "receive", "release"}


def test_the_machine_has_every_primitive():
    assert set(PRIMITIVES) < set(LINES)


numbers = st.sampled_from([0.3, -0.3, 1.7, -2.9, 0.875, 0.0, 1.0, -1.0, 100.0, 1e-30]) | st.floats(-3, 3)
programs = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=15
)


@given(programs, st.lists(numbers, min_size=4, max_size=4), st.lists(numbers, min_size=4, max_size=4))
@example([(name, 0, 0) for name in ("sigmoid", "gelu", "x ** y")], [0.3, 1.7, 0.5, 2.0], [-0.3, 0.7, 2.9, 1.0])
def test_random_programs_give_the_same_bits(program, first, second):
    w, plain_w = Value(0.0), Value(0.0)

    def function(x, pair):
        found = run(program, [w if compiling else plain_w, x, *pair])
        return found[-1], found[len(found) // 2]

    compiled = compile_values(function)
    for values in (first, second):  # recorded with the first, replayed with the second
        a = [Value(values[1]), Value(values[2])]
        b = [Value(values[1]), Value(values[2])]
        w.data = plain_w.data = values[0]
        w.grad = plain_w.grad = 0.0
        compiling = True
        made = compiled(a[0], (a[1], values[3]))
        compiling = False
        expected = function(b[0], (b[1], Value(values[3])))
        assert all(same(x.data if type(x) is Value else x, y.data) for x, y in zip(made, expected, strict=True))
        for x, y in zip(made, expected, strict=True):
            if type(x) is Value:
                x.backward()
                y.backward()
        assert all(same(x.grad, y.grad) for x, y in zip((w, *a), (plain_w, *b), strict=True))


@pytest.mark.parametrize("name", sorted(STEPS))
def test_each_operation_gives_the_same_bits(name):
    compiled = compile_values(STEPS[name])
    points = (0.3, -0.3, 1.7, -2.9, 0.0, -0.0, 1.0, -1.0, 1e-30, 100.0, -1e4, math.inf, -math.inf, math.nan)
    for x in points:
        for y in points:
            a, b, c, d = Value(x), Value(y), Value(x), Value(y)
            made, expected = compiled(a, b), STEPS[name](c, d)
            made.backward()
            expected.backward()
            assert same(made.data, expected.data) and same(a.grad, c.grad) and same(b.grad, d.grad), (x, y)


# Training.


def make_model(seed=0):
    import random

    rng = random.Random(seed)
    return [
        [([Value(rng.gauss(0, 1)) for _ in range(n)], Value(0.0)) for _ in range(k)]
        for n, k in ((2, 8), (8, 8), (8, 1))
    ]


def score(model, row):
    signal = row
    for depth, layer in enumerate(model):
        signal = [sum((w * x for w, x in zip(weights, signal, strict=True)), bias) for weights, bias in layer]
        signal = [v.tanh() if depth == 0 else v.relu() for v in signal] if depth < len(model) - 1 else signal
    return signal[0]


def train(model, wrap):
    parameters = [p for layer in model for weights, bias in layer for p in (*weights, bias)]

    def loss_of(rows, labels):
        losses = [(1 - label * score(model, row)).relu() for row, label in zip(rows, labels, strict=True)]
        return sum(losses) / len(losses) + 1e-4 * sum(p * p for p in parameters)

    step = wrap(loss_of)
    losses = []
    for k in range(12):
        rows = [[math.cos(1.3 * i + k), math.sin(2.1 * i * k)] for i in range(10)]
        labels = [1.0 if x * y > 0 else -1.0 for x, y in rows]
        loss = step(rows, labels)
        for p in parameters:
            p.grad = 0.0
        loss.backward()
        for p in parameters:
            p.data -= 0.1 * p.grad
        losses.append(loss.data)
    return losses, [p.data for p in parameters]


def test_training_takes_the_same_path_to_the_bit():
    losses, weights = train(make_model(), compile_values)
    assert (losses, weights) == train(make_model(), lambda f: f)
    assert losses[-1] < losses[0] / 2


def test_a_number_of_the_arguments_may_be_made_a_value_inside():
    """As micrograd's demonstration does with its inputs."""
    f = compile_values(lambda row: sum(Value(x) * x for x in row))
    assert [f([1.0, 2.0]).data, f([3.0, 4.0]).data] == [5.0, 25.0]
    assert len(f.recordings) == 1


# Graphs.


def test_the_result_is_one_node_whose_parents_are_the_leaves():
    x, w = Value(2.0), Value(3.0)
    y = compile_values(lambda a, b: (a * w + b).tanh())(x, 0.25)
    assert y.parents == (x, w) and y.saved == (2.0, 3.0)
    assert [node is y for node in engine.topological_order(y)] == [True]


def test_backward_twice_adds_the_same_once_more_and_leaves_add_up():
    x = Value(2.0)
    y = compile_values(lambda a: a * a * a)(x)
    y.backward()
    assert x.grad == 12.0
    y.backward()
    assert x.grad == 24.0


def test_two_calls_keep_their_own_numbers():
    f = compile_values(lambda a: a.exp())
    x, y = Value(1.0), Value(2.0)
    first, second = f(x), f(y)
    x.data = 50.0  # after it was used
    second.backward()
    first.backward()
    assert (x.grad, y.grad) == (math.exp(1.0), math.exp(2.0))


def test_a_call_inside_another_graph():
    def both(f):
        x, w = Value(0.7), Value(-1.2)
        h = x * w  # an argument that is a result
        y = f(h, x)
        z = (f(y, h) * y + x).sin()  # results used further, and again as arguments
        z.backward()
        return z.data, x.grad, w.grad

    def function(a, b):
        return (a * b).tanh() + a

    made, expected = both(compile_values(function)), both(function)
    assert made == pytest.approx(expected, rel=1e-14)


def test_one_value_twice_and_one_that_the_function_knows_already():
    x = Value(3.0)
    f = compile_values(lambda a, b: a * b * x)
    f(x, x).backward()
    assert x.grad == 27.0
    y, z = Value(5.0), Value(7.0)
    result = f(y, z)
    x.grad = 0.0
    result.backward()
    assert (result.data, x.grad, y.grad, z.grad) == (105.0, 35.0, 21.0, 15.0)


def test_a_result_made_outside_is_an_input_and_its_history_goes_on():
    w = Value(2.0)
    h = w * w  # made once
    f = compile_values(lambda a: a * h)
    for _ in range(2):
        w.grad = 0.0
        y = f(Value(3.0))
        y.backward()
        assert (y.data, w.grad) == (12.0, 12.0)
    w.data = 10.0  # h keeps its number, as it does without compiling
    assert f(Value(3.0)).data == 12.0


def test_a_new_number_for_a_weight_is_read_and_does_not_falsify_an_old_result():
    w = Value(2.0)
    f = compile_values(lambda a: a * w * w)
    x = Value(1.0)
    old = f(x)
    w.data = 3.0
    assert f(x).data == 9.0
    old.backward()
    assert (old.data, x.grad, w.grad) == (4.0, 4.0, 4.0)


def test_several_results_in_any_structure():
    w = Value(3.0, label="w")

    def function(a, b, c=0.0):
        product = a * w
        return {"pair": (product, product + b), "rest": [a, w, c, 1, None, "text", Value(7.0), product, Value(c)]}

    f = compile_values(function)
    for number in (1.0, 2.0):
        x, y = Value(number), Value(5.0)
        found = f(x, b=y, c=number)
        first, second = found["pair"]
        assert (first.data, second.data) == (3 * number, 3 * number + 5)
        a, weight, c, one, none, text, seven, again, copy = found["rest"]
        assert a is x and weight is w and (c, one, none, text) == (number, 1, None, "text") and again is first
        assert (seven.data, seven.parents, copy.data) == (7.0, (), number)
        w.grad = 0.0
        (first * second).backward()  # both at once: one way back
        assert (x.grad, w.grad, y.grad) == (3 * second.data + 3 * first.data, number * (6 * number + 5), first.data)
        x.grad = w.grad = 0.0
        second.backward()  # and one of them alone
        assert (x.grad, w.grad) == (3.0, number)


def test_the_way_back_of_many_results_is_gone_once(monkeypatch):
    from tinygrad_edu.compiler.scalar_program import Program

    calls = []
    backward = Program.backward
    monkeypatch.setattr(Program, "backward", lambda *args: calls.append(1) or backward(*args))
    xs = [Value(float(k)) for k in range(20)]
    f = compile_values(lambda xs: [x * y for x, y in zip(xs, xs[1:], strict=False)])
    sum(f(xs)).backward()
    assert len(calls) == 1
    assert [x.grad for x in xs] == [1.0, *(2.0 * k for k in range(1, 19)), 18.0]


def test_a_walk_through_compiled_results_can_be_printed(capsys):
    x, w = Value(2.0, label="x"), Value(3.0, label="w")
    compile_values(lambda a: a * w)(x).backward(trace=True)
    assert "dv1/dx = 3 at x = 2: x is sent 1 * 3 = 3" in capsys.readouterr().out
    first, second = compile_values(lambda a: (a * w, a + w))(x)
    x.grad = 0.0
    (first + second).backward(trace=True)
    assert "x is sent 2 * nan = 4" in capsys.readouterr().out  # the slope of which result? what is sent is right
    assert x.grad == 4.0


def test_what_needs_no_gradient_gets_none():
    f = compile_values(lambda a, b: a.floor() * 0.0 + b)
    y = f(1.5, 2.0)
    assert (y.data, y.parents) == (2.0, ())
    assert f.program.ahead == len(f.program)
    x, unused = Value(1.5), Value(1.0)
    compile_values(lambda a, b: a * 2.0)(x, unused).backward()
    assert (x.grad, unused.grad) == (2.0, 0.0)


def test_one_compiled_function_in_another():
    w = Value(0.5)
    inner = compile_values(lambda a: (a * w).tanh())
    outer = compile_values(lambda a: inner(a) + inner(a * 2.0))
    x = Value(0.3)
    y = outer(x)
    y.backward()
    grads = x.grad, w.grad
    x.grad = w.grad = 0.0
    plain = (x * w).tanh() + (x * 2.0 * w).tanh()
    plain.backward()
    assert y.data == plain.data and grads == pytest.approx((x.grad, w.grad), rel=1e-14)
    assert inner.recordings == {}


def test_a_chain_of_100_000_is_recorded_run_and_freed_without_recursion():
    def chain(x):
        for _ in range(50_000):
            x = x * 1.0001 + 0.5
        return x

    f = compile_values(chain)
    x, y = Value(1.0), Value(1.0)
    for _ in range(2):
        made = f(x)
    made.backward()
    expected = chain(y)
    expected.backward()
    assert (made.data, x.grad) == (expected.data, y.grad)
    assert f.program.ahead == 100_000


def test_a_result_is_gone_when_nobody_has_it():
    f = compile_values(lambda a: a * a)
    f(Value(1.0))
    gc.collect()
    gc.disable()
    try:
        before = sum(type(thing) is Value for thing in gc.get_objects())
        y = f(Value(2.0))
        y.backward()
        assert sum(type(thing) is Value for thing in gc.get_objects()) == before + 2
        del y
        assert sum(type(thing) is Value for thing in gc.get_objects()) == before
    finally:
        gc.enable()
