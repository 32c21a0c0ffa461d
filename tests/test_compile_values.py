"""Compiled functions of Values do what the functions do: the same numbers, to the bit, and the same gradients."""

import gc
import inspect
import math
import subprocess
import sys
import threading
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tinygrad_kernels.calculus import OPERATIONS, PRIMITIVES
from tinygrad_kernels.cpu.tape import LINES

from tinygrad_edu import Value, engine
from tinygrad_edu.compiler.scalar_watch import WATCH
from tinygrad_edu.compiler.scalars import KEPT, compile_values, has_values

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


# Recording again.


def test_another_structure_is_recorded_again_and_the_first_is_kept():
    calls = []

    def function(xs, scale):
        calls.append(len(xs))
        return sum(xs) * scale

    f = compile_values(function)
    one, two = [Value(1.0)], [Value(1.0), Value(2.0)]
    assert [f(one, 2.0).data, f(two, 2.0).data, f(one, 3.0).data, f(two, 3.0).data] == [2.0, 6.0, 3.0, 9.0]
    assert calls == [1, 2]
    assert f([1.0, Value(2.0)], 2.0).data == 6.0 and calls == [1, 2, 2]  # another pattern of Values and numbers
    assert f(one, 2).data == 2.0 and f(one, 3).data == 3.0 and calls == [1, 2, 2, 1, 1]  # ints are structure
    assert f(tuple(one), 2.0).data == 2.0 and calls == [1, 2, 2, 1, 1, 1]


def test_true_and_1_are_two_structures():
    f = compile_values(lambda x, flag: x * 2.0 if flag is True else x * 3.0)
    assert [f(Value(1.0), flag).data for flag in (True, 1, True)] == [2.0, 3.0, 2.0]


def test_recordings_are_bounded_and_more_of_them_are_told():
    f = compile_values(lambda x, n: x * n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(KEPT):
            f(Value(1.0), n)
    with pytest.warns(RuntimeWarning, match=f"more than {KEPT} structures .* ints are part of the structure"):
        f(Value(1.0), KEPT)
    assert len(f.recordings) == KEPT
    assert f(Value(2.0), KEPT).data == 2.0 * KEPT


# Refusals.


def comparing(x, w):
    if x > 1.0:
        return x
    return w


def reading(x, w):
    return w * (x * 2.0).data


REFUSED = {
    "a comparison": comparing,
    "a comparison of Values: its answer is that of this one call": lambda x, w: max(x, w),
    "maximum, minimum, clamp, abs": lambda x, w: w if x == w else x,
    r"float\(\) of a Value": lambda x, w: math.exp(x) * w,
    r"v\.exp\(\) instead of math\.exp\(v\)": lambda x, w: w * float(x),
    "reading .data or .grad": reading,
    "return it and read its .data outside": lambda x, w: x * w.grad,
    r"backward\(\): return the result": lambda x, w: (x * w).backward(),
    r"call backward\(\) on what comes back": lambda x, w: (x * w).backward(create_graph=True),
    "assigning to .data or .grad": lambda x, w: setattr(w, "data", 3.0) or x * w,
    "do it after the call": lambda x, w: setattr(w, "grad", 0.0) or x * w,
}


@pytest.mark.parametrize("message", REFUSED)
@pytest.mark.parametrize("known", [False, True], ids=["argument", "found"])
def test_what_cannot_be_recorded_is_refused_with_its_line(message, known):
    x, w = Value(2.0), Value(3.0)
    function = REFUSED[message]
    f = compile_values(lambda a: function(x, w)) if known else compile_values(lambda a: function(a, w))
    with pytest.raises(RuntimeError, match=message) as caught:
        f(x)
    line = inspect.getsourcelines(function)[1]
    found = {f"{__file__}, line {line + k}: a compiled function cannot record" for k in range(3)}
    assert any(str(caught.value).startswith(text) for text in found)
    assert (x.data, w.data, w.grad) == (2.0, 3.0, 0.0)  # and afterwards Values are as before
    assert x < w and float(x * w) == 6.0 and not WATCH.here()
    assert f.recordings == {}


def test_after_recording_nothing_is_watched():
    slots = [Value.__dict__[name] for name in ("data", "grad", "__init__")]
    compile_values(lambda a: a * 2.0)(Value(1.0))
    with pytest.raises(ZeroDivisionError):
        compile_values(lambda a: a * (1 / 0))(Value(1.0))
    assert [Value.__dict__[name] for name in ("data", "grad", "__init__")] == slots
    assert gc.isenabled()


def test_printing_a_value_is_allowed(capsys):
    f = compile_values(lambda a: print(a * 2.0) or a * 3.0)
    assert f(Value(1.0)).data == 3.0
    assert capsys.readouterr().out == "Value(2, grad=0)\n"


def test_other_threads_may_do_what_they_like_meanwhile():
    answers = []

    def elsewhere():
        x = Value(2.0)
        (x * x).backward()
        answers.append((x > 1.0, float(x), x.grad))

    def function(a):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return a * 2.0

    assert compile_values(function)(Value(1.0)).data == 2.0
    assert answers == [(True, 2.0, 4.0)]


def test_threads_that_record_at_once_wait_for_each_other():
    results = {}

    def work(k):
        f = compile_values(lambda a: sum(a * float(i) for i in range(200)) * float(k))
        results[k] = f(Value(1.0)).data

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {k: 19900.0 * k for k in range(8)}


def test_second_derivatives_are_refused_with_the_way_out():
    f = compile_values(lambda a: (a * a, a * 3.0))
    g = compile_values(lambda a: a * a)
    for y in (g(Value(2.0)), f(Value(2.0))[0]):
        with pytest.raises(RuntimeError, match="cannot be differentiated again.*without compiling it"):
            y.backward(create_graph=True)


@pytest.mark.parametrize("bad", [1j, object(), {1.0}, b"x"])
def test_other_arguments_and_results_are_refused(bad):
    with pytest.raises(TypeError, match="takes and returns Values, numbers"):
        compile_values(lambda a: Value(1.0))(bad)
    with pytest.raises(TypeError, match="takes and returns Values, numbers"):
        compile_values(lambda a: bad)(Value(1.0))


def test_an_array_is_refused_with_the_way_out():
    import numpy as np

    f = compile_values(lambda a: a * 2.0)
    with pytest.raises(TypeError, match=r"not numpy\.ndarray; of an array, pass x\.tolist\(\)"):
        f(np.ones(3))
    assert f(np.float64(1.5)).data == 3.0


# The rest.


def test_the_program_reads_well():
    w = Value(0.5, label="w")
    f = compile_values(lambda point, t0: (w * point[0] + t0).tanh())
    with pytest.raises(RuntimeError, match="recorded by the first call"):
        repr(f.program)
    f([Value(2.0)], 0.25)
    assert repr(f.program) == inspect.cleandoc("""
        # <lambda>: 3 inputs, 3 lines forward, 5 lines backward
        forward(point[0], t0_, w):
            t0 = w * point[0]
            t1 = t0 + t0_
            t2 = tanh(t1)
            return t2
        backward(g0):
            t3 = t2 * t2
            t4 = 1.0 - t3
            t5 = g0 * t4
            t6 = t5 * w
            t7 = t5 * point[0]
            return t6, t7
    """)


def test_a_long_program_is_printed_without_its_middle():
    f = compile_values(lambda xs: sum(x * x for x in xs))
    f([Value(float(k)) for k in range(1000)])
    text = repr(f.program)
    assert text.splitlines()[0] == "# <lambda>: 1,000 inputs, 2,000 lines forward, 2,000 lines backward"
    assert len(text.splitlines()) < 100 and text.count("    ...    1,960 lines\n") == 2
    assert "    t1999 = t1997 + t1998\n" in text and "t1000 =" not in text


def test_what_is_computed_twice_is_one_line():
    f = compile_values(lambda a, b: (a * b).exp() + (a * b).exp())
    f(Value(1.0), 2.0)
    assert f.program.ahead == 3


def test_it_has_the_name_and_the_text_of_the_function():
    assert compile_values(comparing).__name__ == "comparing"


def test_has_values():
    v = Value(1.0)
    assert has_values((v,)) and has_values(([1.0, (2, {"a": v})],))
    assert not has_values((1.0, [2.0, ("x", {})]))


def test_numba_is_loaded_by_the_first_call():
    code = (
        "import sys; from tinygrad_edu import Value; from tinygrad_edu.compiler.scalars import compile_values as c; "
        "f = c(lambda a: a * a); print({'numpy', 'numba'} & set(sys.modules)); print(f(Value(3.0)).data)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["set()", "9.0"]
