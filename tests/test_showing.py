"""Looking inside: `show` prints what is compiled, and traces print what the engine does."""

from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from tinygrad_kernels.cache import load_source
from tinygrad_kernels.calculus import OPERATIONS, Tanh
from tinygrad_kernels.codegen import Signature, print_flat
from tinygrad_kernels.expr import forward_formula

import tinygrad_edu as tg
from tinygrad_edu import Value, showing
from tinygrad_edu.showing import show


# show -------------------------------------------------------------------------------------------------------------
def shown(op, dtype="float32"):
    text = io.StringIO()
    show(op, dtype, file=text)
    return text.getvalue()


def test_show_prints_the_formula_the_trace_and_the_loops():
    text = shown("sigmoid")
    assert "return 1.0 / (1.0 + exp(-x))" in text  # as written
    assert "sigmoid(x) = 1.0 / (1.0 + exp(-x))" in text  # as traced
    assert "sigmoid_backward_x(g, out) = g * ((1.0 - out) * out)" in text
    assert text.count("def loop(") == 2
    assert "result[i] = float32(1.0) / (float32(1.0) + exp(-x[i]))" in text


def test_show_prints_to_standard_output_and_gives_nothing(capsys):
    assert show("add") is None
    assert capsys.readouterr().out == shown("add")


@pytest.mark.parametrize("op", ["tanh", tg.tanh, tg.Tensor.tanh, Value.tanh, Tanh, math.tanh])
def test_show_takes_a_name_a_function_or_a_class(op):
    assert shown(op) == shown("tanh")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", tg.float64])
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_show_has_every_operation_in_every_dtype(name, dtype):
    text = shown(name, dtype)
    loops = re.findall(r"def loop\(", text)
    has_gradient = OPERATIONS[name].differentiable and "float" in str(dtype)
    assert f"class {OPERATIONS[name].__name__}(Elementwise):" in text
    assert len(loops) >= 2 if has_gradient else len(loops) == 1


def test_the_loop_that_is_shown_is_the_one_that_is_compiled():
    printed = print_flat(forward_formula(OPERATIONS["mul"]), Signature(["float32"] * 2, ["flat"] * 2, "float32"))
    assert textwrap.indent(printed.rstrip(), "    ", lambda line: line.strip() != "") in shown("mul")


def test_the_loop_that_is_shown_runs():
    block = shown("sigmoid", "float64").partition("The loop of sigmoid_backward_x\n\n")[2]
    loop = load_source(textwrap.dedent(block), "shown").loop
    g, out = np.array([2.0, 1.0]), np.array([0.5, 0.25])
    result = np.empty(2)
    loop(result, g, out)
    assert result.tolist() == [0.5, 0.1875]


def test_integers_become_floats_where_the_library_does_that():
    assert "exp(-float32(x[i]))" in shown("sigmoid", "int64")
    assert "int64 has no gradients" in shown("sigmoid", "int64")


def test_a_comparison_is_shown_without_a_derivative():
    assert "no derivative" in shown("lt")


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("sigmiod", "'sigmiod' is not an elementwise operation; did you mean 'sigmoid'"),
        ("zzz", "there are \\['abs'"),
        (3.0, "3.0 is not an elementwise operation"),
        (tg.matmul, "'matmul' is not an elementwise operation"),
    ],
)
def test_an_unknown_operation_is_a_value_error_with_the_nearest(op, message):
    with pytest.raises(ValueError, match=message):
        show(op)


@pytest.mark.parametrize(("dtype", "message"), [("flaot32", "did you mean 'float32'"), (7, "there are")])
def test_an_unknown_dtype_is_a_value_error_with_the_nearest(dtype, message):
    with pytest.raises(ValueError, match=message):
        show("add", dtype)


# backward(trace=True) ---------------------------------------------------------------------------------------------
@pytest.fixture
def traced(monkeypatch, capsys):
    """A function: x -> what its backward(trace=True) prints, without the explanation at the top."""
    monkeypatch.setattr(showing, "print_step", showing.Steps())

    def run(x, **kwargs):
        x.backward(trace=True, **kwargs)
        return capsys.readouterr().out.replace(showing.EXPLANATION + "\n", "")

    return run


def test_the_counter_example_is_walked_in_sorted_order(traced):
    """b = a + a; c = b + b: b has one step, with the whole of its gradient, 2; a gets 4."""
    a = Value(2.0, label="a")
    b = a + a
    c = b + b
    b.label, c.label = "b", "c"
    assert traced(c).split("\n") == [
        "1. c = b + b = 8, g = 1",
        "     dc/db = 1 at b = 4: b is sent 1 * 1 = 1",
        "     dc/db = 1 at b = 4: b is sent 1 * 1 = 1, 2 in all",
        "2. b = a + a = 4, g = 2",
        "     db/da = 1 at a = 2: a is sent 2 * 1 = 2",
        "     db/da = 1 at a = 2: a is sent 2 * 1 = 2, 4 in all",
        "",
    ]
    assert a.grad == 4.0


def test_values_without_labels_are_numbered_and_keep_their_number(traced):
    x = Value(0.5)
    lines = traced(x.tanh() * x).split("\n")
    assert lines[0].startswith("1. v1 = v2 * v3 = ")
    assert lines[3].startswith("2. v2 = tanh(v3) = ")
    assert "in all" in lines[4]


def test_the_local_derivative_is_that_of_the_calculus(traced):
    x, y = Value(3.0, "x"), Value(5.0, "y")
    text = traced(x * y)
    assert "dv1/dx = 5 at x = 3: x is sent 1 * 5 = 5" in text
    assert "dv1/dy = 3 at y = 5: y is sent 1 * 3 = 3" in text


def test_each_pass_starts_anew(traced):
    x = Value(3.0, "x")
    y = x * x
    assert traced(y) == traced(y)
    assert traced(Value(1.0) + 1.0).startswith("1. v1 = v2 + v3")


def test_a_pass_after_one_that_failed_starts_anew(traced):
    x = Value(3.0, "x")
    y = (x * x).exp()
    showing.print_step(y, 1.0, (1.0,))  # a step, and then an error: x * x never has its own
    assert traced(y.tanh()).splitlines()[-3].startswith("3. ")


def test_the_first_trace_explains_itself_and_later_ones_do_not(monkeypatch, capsys):
    monkeypatch.setattr(showing, "print_step", showing.Steps())
    x = Value(3.0)
    for expected in (1, 0):
        (x * x).backward(trace=True)
        assert capsys.readouterr().out.count(showing.EXPLANATION) == expected


def test_tracing_does_not_change_the_gradient(traced):
    def gradient(**kwargs):
        x = Value(0.3)
        y = (x.sin() * x + 2.0) ** 3 / (x + 1.0)
        y.backward(**kwargs)
        return float(x.grad)

    assert gradient() == gradient(trace=True) == gradient(trace=True, create_graph=True)


def test_the_steps_of_tensors_have_the_traced_formulas(traced):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    lines = traced((w * tg.tensor([3.0, 4.0])).sum()).splitlines()
    assert lines == [
        "1. t1 = SumBackward0, g = 1",
        "     t2 is sent [1, 1]",
        "2. t2 = MulBackward0, out = x * y, g = [1, 1]",
        "     t3 (leaf), x in the formula, is sent g * y = [3, 4]",
    ]


def test_a_broadcast_operand_is_seen_to_be_sent_a_sum(traced):
    b = tg.tensor([1.0, 2.0], requires_grad=True)
    text = traced((tg.ones(3, 2) + b).sum())
    assert "t3 (leaf), y in the formula, is sent g, summed over the axes along which it was broadcast, = [3, 3]" in text


def test_large_gradients_are_shown_by_dtype_and_shape(traced):
    w = tg.ones(10, 20, requires_grad=True)
    assert "g = float32 [10, 20]" in traced((w * w).sum())


def test_tracing_values_loads_neither_numpy_nor_numba():
    code = """
        import sys
        from tinygrad_edu import Value
        x = Value(2.0)
        (x * x).backward(trace=True)
        from tinygrad_edu.drawing import draw
        draw(x * x)
        assert not {"numpy", "numba"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, capture_output=True)
