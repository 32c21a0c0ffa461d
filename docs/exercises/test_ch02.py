"""Tests of the exercises of chapter 02. Their messages are for you: read the line that starts with E."""

import time

import pytest
from toy import Number


def shortcut():
    """b is reached directly, and through the long way."""
    a = Number(3.0)
    b = a * a
    long_way = b * a
    return a, b, long_way, b + long_way


def ladder(rungs):
    first = last = Number(1.0)
    for _ in range(rungs):
        last = last + last
    return first, last


def test_1_is_sorted_accepts_a_topological_order(exercise):
    a, b, long_way, root = shortcut()
    is_sorted = exercise("ch02_1_is_sorted").is_sorted
    assert is_sorted([root, long_way, b, a], root) is True, "this order is right, and the only one"
    assert is_sorted([a], a) is True, "a single number is a graph too"


def test_1_is_sorted_accepts_each_of_several_orders(exercise):
    x, y = Number(1.0), Number(2.0)
    root = x + y
    is_sorted = exercise("ch02_1_is_sorted").is_sorted
    for order in ([root, x, y], [root, y, x]):
        assert is_sorted(order, root) is True, "x and y do not use each other: either may come first"


def test_1_is_sorted_refuses_a_node_before_one_that_uses_it(exercise):
    a, b, long_way, root = shortcut()
    is_sorted = exercise("ch02_1_is_sorted").is_sorted
    assert is_sorted([root, b, long_way, a], root) is False, "long_way uses b: this is the breadth-first mistake"
    assert is_sorted([a, b, long_way, root], root) is False, "operands first is the order of making, not of gradients"


def test_1_is_sorted_refuses_what_is_missing_doubled_or_foreign(exercise):
    a, b, long_way, root = shortcut()
    is_sorted = exercise("ch02_1_is_sorted").is_sorted
    assert is_sorted([root, long_way, b], root) is False, "a is missing"
    assert is_sorted([root, long_way, b, a, a], root) is False, "a stands there twice"
    assert is_sorted([root, long_way, b, a, Number(3.0)], root) is False, "the last one is not part of the graph"
    assert is_sorted([], root) is False, "nothing is there at all"


@pytest.mark.parametrize("rungs", [1, 2, 5, 10])
def test_2_count_paths_of_a_ladder(rungs, exercise):
    first, last = ladder(rungs)
    found = exercise("ch02_2_count_paths").count_paths(last, first)
    assert found != 1, "`last + last` uses `last` twice, so there are two ways down: is a repeat lost in a set?"
    assert found == 2**rungs, "each rung doubles the number; with too many, a node was walked before all had arrived"


def test_2_count_paths_waits_until_all_have_arrived(exercise):
    a, b, _, root = shortcut()
    count_paths = exercise("ch02_2_count_paths").count_paths
    assert count_paths(root, b) == 2, "one path is direct and one goes through long_way"
    assert count_paths(root, a) == 5, (
        "two paths reach b, each can go on to a in two ways, and long_way uses a once more. With 3, b passed its "
        "number on before the second path had arrived"
    )


def test_2_count_paths_to_itself_and_to_a_stranger(exercise):
    a, _, _, root = shortcut()
    count_paths = exercise("ch02_2_count_paths").count_paths
    assert count_paths(root, root) == 1, "standing still is one path"
    assert count_paths(a, root) == 0, "nothing leads up"
    assert count_paths(root, Number(3.0)) == 0, "a number that is not below the result"


def test_2_count_paths_of_a_ladder_of_a_thousand(exercise):
    count_paths = exercise("ch02_2_count_paths").count_paths
    first, last = ladder(18)
    start = time.perf_counter()
    count_paths(last, first)
    assert time.perf_counter() - start < 0.1, "it seems to walk every path: a thousand rungs would never end"
    first, last = ladder(1000)
    try:
        found = count_paths(last, first)
    except RecursionError:
        pytest.fail("recursion is too deep for a thousand rungs: use a list as a stack", pytrace=False)
    assert found == 2**1000, "count in ints: floats have 16 digits"


def test_3_tape_gives_the_gradients_of_backward(exercise):
    a, b, long_way, root = shortcut()
    found = exercise("ch02_3_tape").gradients([a, b, long_way, root], root)
    root.backward()
    for name, number in {"root": root, "long_way": long_way, "b": b, "a": a}.items():
        assert number in found, f"{name} is on the tape, and has no entry in the dictionary"
        assert found[number] == number.grad, f"the derivative with respect to {name} is wrong"


def test_3_tape_leaves_grad_alone(exercise):
    a, b, long_way, root = shortcut()
    exercise("ch02_3_tape").gradients([a, b, long_way, root], root)
    assert a.grad == 0.0, "`grad` was changed: collect in a dictionary"


def test_3_tape_ignores_what_the_result_does_not_depend_on(exercise):
    a = Number(3.0)
    aside = a * a
    result = a + a
    younger = result * aside
    found = exercise("ch02_3_tape").gradients([a, aside, result, younger], result)
    assert found[aside] == 0.0, "the result does not use `aside`"
    assert found[younger] == 0.0, "`younger` was made after the result: nothing may flow from it"
    assert found[a] == 2.0, "a + a moves by 2 when a moves by 1"


def test_3_tape_is_as_long_as_you_like(exercise):
    first = last = Number(1.0)
    tape = [first]
    for _ in range(20_000):
        last = last * Number(-1.0)
        tape += [last.parents[1], last]
    try:
        found = exercise("ch02_3_tape").gradients(tape, last)
    except RecursionError:
        pytest.fail("a tape needs no recursion: walk over reversed(tape)", pytrace=False)
    assert found[first] == 1.0
