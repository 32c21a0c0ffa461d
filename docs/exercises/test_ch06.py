"""Tests of the exercises of chapter 06. Their messages are for you: read the line that starts with E."""

import re
from collections import OrderedDict

import numba
import numpy as np
import pytest
from numpy import float32
from tinygrad_kernels.expr import Expr


def x(name="x"):
    return Expr.input(name)


def sigmoid():
    return 1.0 / (1.0 + (-x()).exp())


def slope():
    return sigmoid() * (1.0 - sigmoid())


FORMULAS = {  # formula: elements moved unfused, fused
    "a sum": (lambda: x() + x("y"), 3, 3),
    "a square": (lambda: x() * x(), 2, 2),
    "a sigmoid": (sigmoid, 8, 2),
    "its slope": (slope, 8 + 2 + 3, 2),
    "a constant factor": (lambda: 2.0 * x() + 1.0, 4, 2),
    "three inputs": (lambda: x() * x("y") + x("z"), 6, 4),
    "one input, four times": (lambda: (x() * x() + x()) * x(), 8, 2),
}


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("name", FORMULAS)
def test_1_bytes_unfused(name, itemsize, exercise):
    make, elements, _ = FORMULAS[name]
    found = exercise("ch06_1_bytes").unfused(make(), itemsize)
    assert found == elements * itemsize, f"{make()}: {elements} reads and writes of {itemsize} bytes, not {found} bytes"


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("name", FORMULAS)
def test_1_bytes_fused(name, itemsize, exercise):
    make, _, elements = FORMULAS[name]
    found = exercise("ch06_1_bytes").fused(make(), itemsize)
    assert found == elements * itemsize, f"{make()}: each input once, the result once"


class Cache:
    """Counts the lines fetched by a cache of 64 lines that throws out the one not used for longest."""

    def __init__(self):
        self.lines, self.fetched = OrderedDict(), 0

    def touch(self, array, index):
        line = (array, index // 16)
        if line not in self.lines:
            self.fetched += 1
            if len(self.lines) == 64:
                self.lines.popitem(last=False)
        self.lines[line] = True
        self.lines.move_to_end(line)


class Watched(list):
    """A list that tells the cache which elements are used."""

    def __init__(self, numbers, name, cache):
        super().__init__(numbers)
        self.name, self.cache = name, cache

    def __getitem__(self, index):
        self.cache.touch(self.name, index)
        return super().__getitem__(index)

    def __setitem__(self, index, value):
        self.cache.touch(self.name, index)
        super().__setitem__(index, value)


@pytest.mark.parametrize(("rows", "cols"), [(16, 16), (128, 128), (1, 40), (40, 1), (33, 70), (5, 3), (0, 4)])
def test_2_transpose_is_right(rows, cols, exercise):
    numbers = np.arange(rows * cols, dtype=np.float64)
    found = exercise("ch06_2_transpose").transpose([None] * (rows * cols), numbers.tolist(), rows, cols)
    expected = numbers.reshape(rows, cols).T.ravel().tolist()
    assert found == expected, f"({rows}, {cols}): an element is missing or at the wrong place"


@pytest.mark.parametrize(("rows", "cols"), [(128, 128), (96, 160)])
def test_2_transpose_fetches_each_line_once(rows, cols, exercise):
    cache, size = Cache(), rows * cols
    transpose = exercise("ch06_2_transpose").transpose
    transpose(Watched([0.0] * size, "out", cache), Watched([0.0] * size, "x", cache), rows, cols)
    least = 2 * size // 16
    assert cache.fetched == least, (
        f"{cache.fetched} lines fetched; both matrices have {least}. Is a block finished before the next one begins?"
    )


def compiled(function):
    """The function as a kernel is compiled."""
    return numba.njit(error_model="numpy", fastmath={"contract"})(function)


def vectorised(kernel, *arguments):
    kernel(*arguments)
    wide = r"f(add|div|mul|sub) [^\n]*<\d+ x float>|<\d+ x float> @llvm.fma"
    return bool(re.search(wide, "".join(kernel.inspect_llvm().values())))


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return [rng.random(999, dtype=np.float32) + float32(1.0) for _ in range(3)]


ARGUMENTS = {
    "ratios": lambda out, x, y: (out, x, y),
    "column_sums": lambda out, x, y: (out[:37], x, 27, 37),
    "ramp": lambda out, x, y: (out, x, float32(0.25)),
}
REASONS = {
    "ratios": "the loop that divides must have no way out but its end",
    "column_sums": "the inner loop must run along a row, each j with a sum of its own",
    "ramp": "no step may need the result of the one before it",
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_3_vectors_are_right(name, arrays, exercise):
    function = getattr(exercise("ch06_3_vectors"), name)
    arguments = ARGUMENTS[name](*arrays)
    returned = function(*arguments)
    out, x, y = arrays
    expected = {
        "ratios": lambda: x / y,
        "column_sums": lambda: x.reshape(27, 37).sum(0),
        "ramp": lambda: x + np.arange(1, 1000, dtype=np.float32) * float32(0.25),
    }[name]()
    np.testing.assert_allclose(arguments[0], expected, rtol=1e-6)
    assert name != "ratios" or returned == 0, "there are no zeros in y"


def test_3_vectors_zeros_are_counted(arrays, exercise):
    out, x, y = arrays
    y[[3, 500, 998]] = 0
    before = out.copy()
    assert exercise("ch06_3_vectors").ratios(out, x, y) == 3
    np.testing.assert_array_equal(out, before, "y has zeros: `out` must stay as it was")


@pytest.mark.parametrize("name", ARGUMENTS)
def test_3_vectors_are_used(name, arrays, exercise):
    work = exercise("ch06_3_vectors")
    getattr(work, name)(*ARGUMENTS[name](*arrays))  # is the hole filled?
    kernel = compiled(getattr(work.module, name))
    assert vectorised(kernel, *ARGUMENTS[name](*arrays)), f"{name} takes one element at a time: {REASONS[name]}"
