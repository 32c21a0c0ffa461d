"""The calculus, read on floats and on Values: values, first and second derivatives, and conventions at the edges."""

import math

import pytest
from points import TABLE, derivative, unit
from tinygrad_kernels.calculus import OPERATIONS, Cube, Pow, Sqrt, Square, power

from tinygrad_edu import Value

DIFFERENTIABLE = [name for name, op in OPERATIONS.items() if op.differentiable]
PREDICATES = [name for name, op in OPERATIONS.items() if op.predicate]
SMOOTH = [(name, point) for name in DIFFERENTIABLE for point in TABLE[name].smooth]


def close(found, expected, name, scale=1.0):
    """Within a few roundings; where a formula cancels, relative to the numbers that are subtracted."""
    if math.isinf(expected) or math.isinf(found):
        return found == expected
    floor = 1e-15 * scale if TABLE[name].cancels else 5e-324
    return abs(found - expected) <= 1e-13 * abs(expected) + floor


def as_numbers(point):
    return [x if isinstance(x, bool) else float(x) for x in point]


def as_values(point):
    return [x if isinstance(x, bool) else Value(x) for x in point]


def on_values(op, operands):
    """The operation on Values: the method of its name, or the formula read on them."""
    method = getattr(operands[0], op.name, None)
    return method(*operands[1:]) if method else op.forward(*operands)


def test_every_operation_has_a_row_of_test_points():
    assert set(TABLE) == set(OPERATIONS)
    for name in DIFFERENTIABLE:
        assert len(TABLE[name].smooth) >= 6 and TABLE[name].edges, f"too few points for {name}"
    for name in PREDICATES:
        assert TABLE[name].edges


@pytest.mark.parametrize("op", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_names_itself_and_counts_its_operands(op):
    assert op.name == op.__name__.lower() and OPERATIONS[op.name] is op
    assert op.arity == op.forward.__code__.co_argcount
    if op.differentiable:
        assert op.backward.__code__.co_argcount == op.arity + 2  # g, the operands, out
        assert (
            len(op.cotangents(1.0, *([True] if op.arity == 3 else []), *[0.5] * (op.arity - (op.arity == 3)), 0.5))
            == op.arity
        )
    assert op.predicate or op.__doc__, f"{op.__name__} has no formula in its docstring"


@pytest.mark.parametrize("name, point", SMOOTH)
def test_values_are_those_of_an_independent_formula(name, point):
    op, row = OPERATIONS[name], TABLE[name]
    expected = derivative(row, point, (0,) * op.arity)
    assert close(op.forward(*as_numbers(point)), expected, name)
    assert close(on_values(op, as_values(point)).data, expected, name)


@pytest.mark.parametrize("name", PREDICATES)
def test_comparisons_are_pythons(name):
    for point in TABLE[name].edges:
        assert OPERATIONS[name].forward(*point) is TABLE[name].reference(*point)


@pytest.mark.parametrize("name, point", SMOOTH)
def test_first_derivatives_are_the_numerical_ones(name, point):
    op, row = OPERATIONS[name], TABLE[name]
    numbers, values = as_numbers(point), as_values(point)
    found = op.cotangents(3.0, *numbers, op.forward(*numbers))
    (on_values(op, values) * 3.0).backward()
    for i, x in enumerate(values):
        if isinstance(x, bool):
            assert found[i] is None
            continue
        expected = 3.0 * derivative(row, point, unit(i, op.arity))
        assert close(found[i], expected, name)
        assert close(x.grad, expected, name)


@pytest.mark.parametrize("name, point", SMOOTH)
def test_second_derivatives_are_the_numerical_ones(name, point):
    op, row = OPERATIONS[name], TABLE[name]
    for i in range(op.arity):
        values = as_values(point)
        if isinstance(values[i], bool):
            continue
        on_values(op, values).backward(create_graph=True)
        first = values[i].grad
        if not isinstance(first, Value):  # `where` took the other operand, and left no trace of this one
            assert name == "where" and derivative(row, point, unit(i, op.arity)) == first == 0.0
            continue
        for x in values:
            if isinstance(x, Value):
                x.grad = 0.0
        first.backward()
        for j, x in enumerate(values):
            if isinstance(x, bool):
                continue
            expected = derivative(row, point, unit(i, op.arity, j))
            assert close(float(x.grad), expected, name, scale=max(1.0, abs(float(first)))), (i, j)


def torch_derivatives(torch, row, point):
    """(value, first derivatives) of PyTorch at one point, in float64."""
    operands = [
        torch.tensor(x) if isinstance(x, bool) else torch.tensor(x, dtype=torch.float64, requires_grad=True)
        for x in point
    ]
    out = row.in_torch(torch, *operands)
    out.backward()
    return out.item(), [None if isinstance(p, bool) else x.grad.item() for p, x in zip(point, operands, strict=True)]


def alike(found, expected, rtol=1e-13):
    if math.isnan(expected):
        return math.isnan(found)
    return found == expected or abs(found - expected) <= rtol * abs(expected) < math.inf


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_conventions_at_kinks_and_poles_are_pytorchs(name, torch):
    op, row = OPERATIONS[name], TABLE[name]
    rtol = 1e-8 if name == "binarycrossentropy" else 1e-13  # PyTorch's bound 1e-12 is a float32
    for point in row.edges:
        value, gradients = torch_derivatives(torch, row, point)
        numbers = as_numbers(point)
        out = op.forward(*numbers)
        assert alike(out, value) or (row.cancels and abs(out - value) < 1e-16), (point, out, value)
        found = op.cotangents(1.0, *numbers, out)
        for i, expected in enumerate(gradients):
            assert expected is None or alike(found[i], expected, rtol), (point, i, found[i], expected)


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if hasattr(Value, name)])
def test_a_value_has_the_same_conventions(name):
    op = OPERATIONS[name]
    for point in TABLE[name].edges:
        values = as_values(point)
        out = getattr(values[0], name)(*values[1:])
        out.backward()
        found = op.cotangents(1.0, *as_numbers(point), out.data)
        assert all(alike(x.grad, g) for x, g in zip(values, found, strict=True)), point


def test_a_power_by_a_number_is_the_cheapest_operation():
    assert [power(n) for n in (2, 3.0, 0.5, 4, -1)] == [Square, Cube, Sqrt, Pow, Pow]


def test_a_nan_stays_visible_through_relu():
    """Trap: relu of NaN; gradient 0 hides the NaN (micrograd)."""
    assert math.isnan(OPERATIONS["relu"].forward(math.nan))
    assert OPERATIONS["relu"].backward(1.0, math.nan, math.nan) == 1.0
