"""Tests of the exercises of chapter 14. Their messages are for you: read the line that starts with E."""

from itertools import permutations

import numpy as np
import pytest

SQUARES = [
    ("a", "mul", ("x", "y")),
    ("b", "mul", ("x", "y")),
    ("c", "add", ("a", "b")),
    ("d", "add", ("b", "a")),
    ("e", "sub", ("c", "d")),
    ("f", "neg", ("x",)),
]
OPERATIONS = {"mul": lambda x, y: x * y, "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "neg": lambda x: -x}


def computed(lines, inputs):
    """All names and their numbers. A name that is read before it is there is a KeyError."""
    known = dict(inputs)
    for name, op, operands in lines:
        known[name] = OPERATIONS[op](*(known[x] for x in operands))
    return known


def some_lines(seed):
    rng = np.random.default_rng(seed)
    lines, names = [], ["x", "y"]
    for k in range(25):
        op = str(rng.choice(list(OPERATIONS)))
        operands = tuple(str(rng.choice(names[-5:])) for _ in range(1 if op == "neg" else 2))
        lines.append((f"t{k}", op, operands))
        names.append(f"t{k}")
    return lines


def test_1_passes_share(exercise):
    kept, same = exercise("ch14_1_passes").share(SQUARES)
    assert same == {"b": "a", "d": "c"}, "d adds b and a, which are the same number: it is what c is"
    assert kept == [SQUARES[0], ("c", "add", ("a", "a")), ("e", "sub", ("c", "c")), SQUARES[5]]


def test_1_passes_drop_dead(exercise):
    drop_dead = exercise("ch14_1_passes").drop_dead
    assert drop_dead(SQUARES, {"c"}) == SQUARES[:3], "c needs a and b, and nobody needs the rest"
    assert drop_dead(SQUARES, {"c", "f"}) == [*SQUARES[:3], SQUARES[5]]


@pytest.mark.parametrize("seed", range(10))
def test_1_passes_change_no_result(seed, exercise):
    passes, lines, inputs = exercise("ch14_1_passes"), some_lines(seed), {"x": 3, "y": 5}
    before = computed(lines, inputs)
    kept, same = passes.share(lines)
    texts = [line[1:] for line in kept]
    assert len(set(texts)) == len(texts), "two lines compute the same from the same"
    left = passes.drop_dead(kept, {same.get("t24", "t24")})
    after = computed(left, inputs)
    assert after[same.get("t24", "t24")] == before["t24"]
    read = {x for _, _, operands in left for x in operands} | {same.get("t24", "t24")}
    assert all(name in read for name, _, _ in left), "a line is left that nobody reads"


FOUR = [({"x"}, {"y"}), ({"y"}, {"s"}), ({"x"}, {"x"}), ({"y", "s"}, {"z"})]


def some_steps(seed):
    rng = np.random.default_rng(seed)
    memory = np.array(list("abcd"))
    return [(set(rng.choice(memory, 2).tolist()), {str(rng.choice(memory))}) for _ in range(6)]


def conflicts(steps):
    """All pairs that touch the same memory, one of them writing: whether directly or not."""
    return {
        (k, j)
        for k, (reads, writes) in enumerate(steps)
        for j, (before, written) in enumerate(steps[:k])
        if written & (reads | writes) or before & writes
    }


def right_orders(steps):
    pairs = conflicts(steps)
    for order in permutations(range(len(steps))):
        place = {step: k for k, step in enumerate(order)}
        if all(place[j] < place[k] for k, j in pairs):
            yield place


def test_2_order_of_the_four_steps(exercise):
    module = exercise("ch14_2_order")
    pairs = module.must_follow(FOUR)
    assert (2, 0) in pairs, "step 2 overwrites the x that step 0 reads"
    assert pairs == {(1, 0), (2, 0), (3, 0), (3, 1)}
    assert not module.may_join(FOUR, 0, 3), "the sum must come after the one and before the other"
    assert all(module.may_join(FOUR, j, k) for j, k in [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)])


@pytest.mark.parametrize("seed", range(8))
def test_2_order_is_that_of_all_right_orders(seed, exercise):
    module, steps = exercise("ch14_2_order"), some_steps(seed)
    pairs = module.must_follow(steps)
    assert pairs <= conflicts(steps), "a pair that touches nothing in common, or is the wrong way round"
    orders = list(right_orders(steps))
    follows = {(k, j) for k in range(6) for j in range(k) if all(place[j] < place[k] for place in orders)}
    found = set(pairs)
    for _ in range(6):
        found |= {(k, i) for k, j in found for other, i in found if other == j}
    assert found == follows, "with what follows from them, the pairs are those that stand so in every right order"


@pytest.mark.parametrize("seed", range(8))
def test_2_order_says_who_may_stand_together(seed, exercise):
    module, steps = exercise("ch14_2_order"), some_steps(seed)
    orders = list(right_orders(steps))
    for k in range(6):
        for j in range(k):
            together = any(abs(place[j] - place[k]) == 1 for place in orders)
            assert module.may_join(steps, j, k) == together, f"steps {j} and {k} of {steps}"


PAPER = [(0, 1, 640), (1, 2, 192), (2, 3, 320), (3, 4, 640), (0, 4, 64)]


def test_3_arena_on_paper(exercise):
    module = exercise("ch14_3_arena")
    assert module.lay_out(PAPER) == [0, 960, 640, 0, 1152]
    assert module.arena(PAPER) == 1216, "(a cleverer arrangement needs 1024: the rule is quick, not perfect)"


def test_3_arena_of_nothing_and_of_odd_sizes(exercise):
    module = exercise("ch14_3_arena")
    assert module.arena([]) == 0
    assert module.lay_out([(0, 1, 100), (1, 1, 10)]) == [0, 128], "offsets are multiples of 64"
    assert module.arena([(0, 1, 100), (1, 1, 10)]) == 138


@pytest.mark.parametrize("seed", range(5))
def test_3_arena_lets_nobody_overlap_and_is_the_librarys(seed, exercise):
    from tinygrad_edu.compiler.planning import Place, lay_out
    from tinygrad_edu.compiler.program import Value
    from tinygrad_edu.dtypes import float32, kind_of
    from tinygrad_edu.tensors import Tensor  # noqa: F401  # defines the kinds

    rng = np.random.default_rng(seed)
    values = []
    for _ in range(30):
        first = int(rng.integers(20))
        values.append((first, first + int(rng.integers(5)), 4 * int(rng.integers(1, 500))))
    offsets = exercise("ch14_3_arena").lay_out(values)
    for k, (first, last, nbytes) in enumerate(values):
        for j, (f, e, n) in enumerate(values[:k]):
            apart = offsets[k] + nbytes <= offsets[j] or offsets[j] + n <= offsets[k]
            assert apart or last < f or e < first, f"values {j} and {k} overlap"
    kind = kind_of(float32)
    places = {}
    for k, (first, last, nbytes) in enumerate(values):
        places[k] = Place(Value(k, nbytes // 4, kind))
        places[k].first, places[k].last = first, last
    lay_out(places)
    assert offsets == [p.offset for p in places.values()]
