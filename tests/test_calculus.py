"""The calculus, read on floats and on Values: values, first and second derivatives, and conventions at the edges."""

import math

import pytest
from points import TABLE, derivative, unit
from tinygrad_kernels.calculus import OPERATIONS, Cube, Pow, Sqrt, Square, power

from tinygrad_edu import Value
from tinygrad_edu.value import apply

DIFFERENTIABLE = [name for name, op in OPERATIONS.items() if op.differentiable]
PREDICATES = [name for name, op in OPERATIONS.items() if op.predicate]
STEPWISE = [name for name, op in OPERATIONS.items() if not op.differentiable and not op.predicate]
SMOOTH = [(name, point) for name in DIFFERENTIABLE for point in TABLE[name].smooth]


def close(found, expected, name, scale=1.0):
    """Within a few roundings; where a formula cancels, relative to the numbers that are subtracted."""
    if math.isinf(expected) or math.isinf(found):
        return found == expected
    floor = 1e-15 * scale if TABLE[name].cancels else 5e-324
    return abs(found - expected) <= 1e-13 * abs(expected) + floor


def as_numbers(point, row):
    return [x if isinstance(x, bool) else float(x) for x in (*point, *row.parameters)]


def as_values(point):
    return [x if isinstance(x, bool) else Value(x) for x in point]


def on_values(op, operands):
    """The operation on Values: the method of its name, or the formula where a truth value is among them."""
    if any(isinstance(x, bool) for x in operands):
        return op.forward(*operands)
    method = getattr(operands[0], op.name, None) if op.arity <= 2 and not TABLE[op.name].parameters else None
    return method(*operands[1:]) if method else apply(op, *operands, *TABLE[op.name].parameters)


def test_every_operation_has_a_row_of_test_points():
    assert set(TABLE) == set(OPERATIONS)
    for name in DIFFERENTIABLE:
        assert len(TABLE[name].smooth) >= 6 and TABLE[name].edges, f"too few points for {name}"
    for name in PREDICATES + STEPWISE:
        assert TABLE[name].edges


@pytest.mark.parametrize("op", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_names_itself_and_counts_its_operands(op):
    assert op.name in (op.__name__.lower(), op.__dict__.get("name")) and OPERATIONS[op.name] is op
    assert op.arity == op.forward.__code__.co_argcount
    if op.differentiable:
        assert op.backward.__code__.co_argcount == op.arity + 2  # g, the operands, out
        point = as_numbers(TABLE[op.name].smooth[0], TABLE[op.name])
        assert len(op.cotangents(1.0, *point, 0.5)) == op.arity
    assert op.predicate or op.__doc__ or "b" in op.kinds, f"{op.__name__} has no formula in its docstring"


@pytest.mark.parametrize("name, point", SMOOTH)
def test_values_are_those_of_an_independent_formula(name, point):
    op, row = OPERATIONS[name], TABLE[name]
    expected = derivative(row, point, (0,) * len(point))
    assert close(op.forward(*as_numbers(point, row)), expected, name)
    assert close(on_values(op, as_values(point)).data, expected, name)


@pytest.mark.parametrize("name", PREDICATES)
def test_questions_have_the_answers_of_python(name):
    row = TABLE[name]
    for point in row.edges:
        assert OPERATIONS[name].forward(*point, *row.parameters) is row.reference(*point, *row.parameters), point


@pytest.mark.parametrize("name", STEPWISE)
def test_operations_without_a_derivative_are_those_of_an_independent_formula(name):
    for point in TABLE[name].edges:
        assert OPERATIONS[name].forward(*point) == TABLE[name].reference(*point), point


@pytest.mark.parametrize("name, point", SMOOTH)
def test_first_derivatives_are_the_numerical_ones(name, point):
    op, row = OPERATIONS[name], TABLE[name]
    numbers, values = as_numbers(point, row), as_values(point)
    found = op.cotangents(3.0, *numbers, op.forward(*numbers))
    (on_values(op, values) * 3.0).backward()
    for i, x in enumerate(values):
        if found[i] is None:  # a truth value, or a parameter
            continue
        expected = 3.0 * derivative(row, point, unit(i, len(point)))
        assert close(found[i], expected, name)
        assert close(x.grad, expected, name)


@pytest.mark.parametrize("name, point", SMOOTH)
def test_second_derivatives_are_the_numerical_ones(name, point):
    op, row = OPERATIONS[name], TABLE[name]
    given = op.cotangents(1.0, *as_numbers(point, row), op.forward(*as_numbers(point, row)))
    differentiable = [i for i, cotangent in enumerate(given) if cotangent is not None]
    for i in differentiable:
        values = as_values(point)
        on_values(op, values).backward(create_graph=True)
        first = values[i].grad
        if not isinstance(first, Value):  # the choice fell on the other operand, and left no trace of this one
            assert name in ("where", "masked_fill") and derivative(row, point, unit(i, len(point))) == first == 0.0
            continue
        for x in values:
            if isinstance(x, Value):
                x.grad = 0.0
        first.backward()
        for j in differentiable:
            x = values[j]
            expected = derivative(row, point, unit(i, len(point), j))
            subtracted = max(1.0, abs(float(first)))
            if name == "binarycrossentropy":  # its second derivative is 1/v - (x - y)(1 - 2x)/v², with v = x (1 - x)
                subtracted = max(subtracted, 1.0 / (point[0] * (1.0 - point[0])))
            assert close(float(x.grad), expected, name, scale=subtracted), (i, j)


def torch_derivatives(torch, row, point):
    """(value, first derivatives) of PyTorch at one point, in float64."""
    operands = [
        torch.tensor(x) if isinstance(x, bool) else torch.tensor(x, dtype=torch.float64, requires_grad=True)
        for x in point
    ]
    out = row.in_torch(torch, *operands)
    out.backward()
    return out.item(), [None if x.grad is None else x.grad.item() for x in operands]


def alike(found, expected, rtol=1e-13):
    if math.isnan(expected):
        return math.isnan(found)
    return found == expected or abs(found - expected) <= rtol * abs(expected) < math.inf


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_conventions_at_kinks_and_poles_are_pytorchs(name, torch):
    op, row = OPERATIONS[name], TABLE[name]
    rtol = {"binarycrossentropy": 1e-8, "hardsigmoid": 1e-7}.get(name, 1e-13)  # PyTorch's 1e-12 and 1/6 are float32
    for point in row.edges:
        value, gradients = torch_derivatives(torch, row, point)
        numbers = as_numbers(point, row)
        out = op.forward(*numbers)
        assert alike(out, value) or (row.cancels and abs(out - value) < 1e-16), (point, out, value)
        found = op.cotangents(1.0, *numbers, out)
        for i, expected in enumerate(gradients):
            assert expected is None or alike(found[i], expected, rtol), (point, i, found[i], expected)


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if hasattr(Value, name)])
def test_a_value_has_the_same_conventions(name):
    op, row = OPERATIONS[name], TABLE[name]
    for point in row.edges:
        values = as_values(point)
        out = on_values(op, values)
        out.backward()
        found = op.cotangents(1.0, *as_numbers(point, row), out.data)[: len(point)]
        assert all(g is None or alike(x.grad, g) for x, g in zip(values, found, strict=True)), point


def test_a_power_by_a_number_is_the_cheapest_operation():
    assert [power(n) for n in (2, 3.0, 0.5, 4, -1)] == [Square, Cube, Sqrt, Pow, Pow]


def test_a_nan_stays_visible_through_relu():
    """Trap: relu of NaN; gradient 0 hides the NaN (micrograd)."""
    assert math.isnan(OPERATIONS["relu"].forward(math.nan))
    assert OPERATIONS["relu"].backward(1.0, math.nan, math.nan) == 1.0
