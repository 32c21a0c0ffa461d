"""Symbolic expressions: tracing, sharing, folding that is exact, and text that means what the tree means."""

import gc
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinygrad_kernels import floats
from tinygrad_kernels.calculus import OPERATIONS, PRIMITIVES
from tinygrad_kernels.expr import Expr, backward_formulas, build, forward_formula, inputs_of, trace, walk

x, y = Expr.input("x"), Expr.input("y")
FUNCTIONS = {**PRIMITIVES, "pow": floats.pow}
NAMES = {"c": True, "mask": True, "x": 0.3, "y": 1.7, "g": 2.0, "out": 0.45}
WHOLE = {"x": 6, "y": 3}  # for operations on bits


def operands_of(op):
    """A number for each operand, by its name."""
    numbers = WHOLE if "f" not in op.kinds else {**NAMES, "x": 1.3} if op.name == "acosh" else NAMES
    return {n: numbers.get(n, 0.625) for n in op.operands}


def as_python(e, names=NAMES):
    """The value of the printed text."""
    return eval(repr(e), {**FUNCTIONS, "inf": math.inf, "nan": math.nan}, names)


def test_asking_twice_gives_the_same_object():
    assert x + y is x + y and Expr.input("x") is x
    assert x + 1.0 is not x + 1 and x * 0.0 is not x * -0.0


def test_a_common_part_stands_once_in_the_walk():
    part = (x * y).exp()
    assert [e.op for e in walk((part + part * part,))].count("exp") == 1


def test_expressions_that_nobody_holds_are_forgotten():
    from tinygrad_kernels.expr import _shared

    gc.collect()
    before = len(_shared)
    e = (x * 12345.0).exp() + 6789.0
    assert len(_shared) > before
    del e
    assert len(_shared) == before


@pytest.mark.parametrize(
    "e, text",
    [
        (x * 1.0, "x"),
        (1.0 * x, "x"),
        (build("neg", -x), "x"),
        (x**1, "x"),
        (x**2.0, "x * x"),
        (x**3, "x * x * x"),
        (build("where", x < y, x, x), "x"),
        (Expr.of(2.0) * 3.0, "6.0"),
        (Expr.of(1.0) / 0.0, "inf"),
        (x * 0.0, "x * 0.0"),  # nan for inf
        (x + 0.0, "x + 0.0"),  # turns -0.0 into 0.0
        (x - x, "x - x"),  # nan for inf
        (x / x, "x / x"),
        (x**0.5, "x ** 0.5"),
        (x - (y - x), "x - (y - x)"),
        (x - y - x, "x - y - x"),
        (x / (y * x), "x / (y * x)"),
        ((x + y) * x, "(x + y) * x"),
        (-(x + y), "-(x + y)"),
        (build("where", x < y, x + y, -x), "(x + y) if x < y else (-x)"),
        (2.0 - x, "2.0 - x"),
        (2.0 / x, "2.0 / x"),
        (2.0**x, "2.0 ** x"),
    ],
)
def test_text_and_folding(e, text):
    assert repr(e) == text


def test_the_truth_of_a_traced_comparison_is_an_error_that_names_where():
    with pytest.raises(TypeError, match="use where"):
        bool(x < y)


def test_an_unknown_function_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no operation 'gamma'"):
        x.gamma()


def test_a_long_formula_is_walked_without_recursion():
    e = x
    for _ in range(20_000):
        e = e + y
    assert sum(1 for _ in walk((e,))) == 20_002
    assert inputs_of((e,)) == {"x", "y"}


def test_trace_keeps_several_results():
    formula = trace("both", lambda a, b: (a + b, a * b), ("a", "b"))
    assert repr(formula) == "both(a, b) = a + b, a * b"


@pytest.mark.parametrize("op", OPERATIONS.values(), ids=OPERATIONS)
def test_the_trace_of_an_operation_means_what_the_operation_does(op):
    formula = forward_formula(op)
    names = operands_of(op)
    assert as_python(formula.outputs[0], names) == pytest.approx(op.forward(*names.values()), rel=1e-14)


@pytest.mark.parametrize("op", [op for op in OPERATIONS.values() if op.differentiable], ids=lambda op: op.name)
def test_the_traced_derivatives_mean_what_the_derivatives_do(op):
    names = operands_of(op)
    expected = op.cotangents(NAMES["g"], *names.values(), NAMES["out"])
    names |= {"g": NAMES["g"], "out": NAMES["out"]}
    for formula, number in zip(backward_formulas(op), expected, strict=True):
        assert (formula is None) == (number is None)
        if formula is not None:
            assert set(formula.inputs) == (inputs_of(formula.outputs) or {"g"})  # nothing is saved that is not used
            assert as_python(formula.outputs[0], names) == pytest.approx(number, rel=1e-14)


leaves = st.sampled_from(["x", "y"]) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.5, math.inf])
trees = st.recursive(
    leaves,
    lambda t: st.tuples(st.sampled_from(["add", "sub", "mul", "neg", "where", "div"]), t, t, t),
    max_leaves=12,
)


def evaluate(tree, names, make):
    """A random tree of operations, on numbers or on expressions."""
    if isinstance(tree, str):
        return names[tree]
    if isinstance(tree, float):
        return make(tree)
    op, *parts = tree
    a, b, c = (evaluate(t, names, make) for t in parts)
    if op == "neg":
        return -a
    if op == "where":
        return build("where", Expr.of(a) <= b, b, c) if make is Expr.of else (b if a <= b else c)
    if op == "div":
        return a / b if make is Expr.of else floats.div(a, b)
    return {"add": lambda: a + b, "sub": lambda: a - b, "mul": lambda: a * b}[op]()


floats_of_all_kinds = st.sampled_from([0.0, -0.0, 1.0, -3.5, 1e300, math.inf, -math.inf, math.nan])


@given(trees, floats_of_all_kinds, floats_of_all_kinds)
def test_folding_and_printing_change_no_value(tree, a, b):
    expected = evaluate(tree, {"x": a, "y": b}, float)
    e = evaluate(tree, {"x": x, "y": y}, Expr.of)

    def number(e):
        if e.op in ("input", "const"):
            return e.value if e.op == "const" else {"x": a, "y": b}[e.value]
        args = [number(arg) for arg in e.args]
        if e.op == "where":
            return args[1] if args[0] else args[2]
        from tinygrad_kernels.expr import FOLD

        return FOLD[e.op](*args)

    assert repr(number(e)) == repr(expected)
    text = repr(e).replace("nan", "(nan)")
    if "/" not in text:  # Python's own division raises
        assert repr(float(eval(text, {"inf": math.inf, "nan": math.nan, "x": a, "y": b}))) == repr(float(expected))
