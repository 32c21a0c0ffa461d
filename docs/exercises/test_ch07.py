"""Tests of the exercises of chapter 07. Their messages are for you: read the line that starts with E."""

import numpy as np
import pytest

SHAPES = [(4, 4, 4), (8, 12, 5), (1, 1, 1), (3, 5, 7), (9, 4, 2), (6, 10, 1), (4, 4, 0)]


class Counted(list):
    """A list that counts how often its elements are read and written."""

    def __init__(self, numbers):
        super().__init__(numbers)
        self.reads = self.writes = 0

    def __getitem__(self, index):
        self.reads += len(range(*index.indices(len(self)))) if isinstance(index, slice) else 1
        return super().__getitem__(index)

    def __setitem__(self, index, value):
        self.writes += 1
        super().__setitem__(index, value)


def matrices(*shapes):
    """Matrices of small whole numbers: their products are exact in any order."""
    rng = np.random.default_rng(0)
    return [rng.integers(-4, 5, shape).astype(float) for shape in shapes]


def flat(matrix):
    return matrix.ravel().tolist()


@pytest.mark.parametrize(("m", "n", "k"), SHAPES)
def test_1_tile_is_right(m, n, k, exercise):
    a, b = matrices((m, k), (k, n))
    found = exercise("ch07_1_tile").multiply([None] * (m * n), flat(a), flat(b), m, n, k)
    assert found == flat(a @ b), f"({m}, {k}) times ({k}, {n}): what about the tiles at the edge?"


@pytest.mark.parametrize(("m", "n", "k"), [(8, 12, 5), (16, 16, 16)])
def test_1_tile_reads_half_a_number_for_each_product(m, n, k, exercise):
    a, b = (Counted(flat(x)) for x in matrices((m, k), (k, n)))
    exercise("ch07_1_tile").multiply([0.0] * (m * n), a, b, m, n, k)
    assert a.reads + b.reads == m * n * k // 2, (
        f"{a.reads} reads of A and {b.reads} of B for {m * n * k} products: 4 of each in a step of a tile, no more"
    )


def test_1_tile_writes_each_element_once(exercise):
    m, n, k = 10, 7, 6
    a, b = matrices((m, k), (k, n))
    out = Counted([0.0] * (m * n))
    exercise("ch07_1_tile").multiply(out, flat(a), flat(b), m, n, k)
    assert (out.reads, out.writes) == (0, m * n), "the sums of a tile stay in local variables until they are complete"


LAYOUTS = {"as it lies": lambda r, c: (0, c, 1), "transposed": lambda r, c: (0, 1, r)}


def laid_out(matrix, name):
    """The flat list in which the matrix lies under this layout, and the layout."""
    r, c = matrix.shape
    return flat(matrix if name == "as it lies" else matrix.T), LAYOUTS[name](r, c)


@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize(("m", "n", "k"), [(2, 3, 4), (3, 3, 3), (1, 5, 2)])
def test_2_transposed_products(m, n, k, left, right, exercise):
    a, b = matrices((m, k), (k, n))
    found = exercise("ch07_2_transposed").multiply(*laid_out(a, left), *laid_out(b, right), m, n, k)
    assert found == flat(a @ b), f"A {left}, B {right}"


def test_2_transposed_with_an_offset(exercise):
    (a,) = matrices((5, 6))
    found = exercise("ch07_2_transposed").multiply(flat(a), (7, 6, 2), flat(a), (1, 12, 1), 3, 4, 2)
    assert found == flat(a[1:4, 1:5:2] @ a[0:4:2, 1:5]), "rows and columns of a larger matrix; is the offset added?"


def test_2_transposed_layout(exercise):
    transposed = exercise("ch07_2_transposed").transposed
    assert transposed((3, 10, 2)) == (3, 2, 10), "the offset stays: element (0, 0) is the same one"
    assert transposed(transposed((3, 10, 2))) == (3, 10, 2)


@pytest.mark.parametrize(("m", "n", "k"), [(2, 3, 4), (4, 3, 2), (1, 5, 3)])
def test_2_transposed_backward(m, n, k, exercise):
    work = exercise("ch07_2_transposed")
    a, b, g = matrices((m, k), (k, n), (m, n))
    for_a, for_b = work.backward(m, n, k)
    for name, (left, right), (x, y), expected in (
        ("dL/dA", for_a[:2], (g, b), g @ b.T),
        ("dL/dB", for_b[:2], (a, g), a.T @ g),
    ):
        shape = (for_a if name == "dL/dA" else for_b)[2:]
        assert work.multiply(flat(x), left, flat(y), right, *shape) == flat(expected), (
            f"{name}: which one is transposed?"
        )


@pytest.mark.parametrize(("m", "n", "k", "itemsize", "expected"), [(6, 6, 6, 4, 1.0), (512, 512, 512, 4, 512 / 6),
                         (512, 512, 512, 8, 512 / 12), (1000, 1, 1000, 4, 2e6 / 4008000)])  # fmt: skip
def test_3_intensity_of_a_product(m, n, k, itemsize, expected, exercise):
    found = exercise("ch07_3_intensity").flops_per_byte(m, n, k, itemsize)
    assert found == pytest.approx(expected), f"2 m n k operations, three matrices; ({m}, {k}) times ({k}, {n})"


@pytest.mark.parametrize(("rows", "columns", "expected"), [(1, 1, 2 * 96**3), (8, 48, 96**3 * 56 // 384),
                         (96, 96, 2 * 96**2), (1, 96, 96 * 96 * 97)])  # fmt: skip
def test_3_intensity_of_a_tile(rows, columns, expected, exercise):
    assert exercise("ch07_3_intensity").loads(96, 96, 96, rows, columns) == expected


@pytest.mark.parametrize(("registers", "expected"), [(16, (4, 3)), (32, (5, 5)), (3, (1, 1)), (9, (3, 2))])
def test_3_intensity_of_the_best_tile(registers, expected, exercise):
    found = exercise("ch07_3_intensity").best_tile(registers)
    rows, vectors = found
    used = rows * vectors + vectors + 1
    assert used <= registers, f"{rows} x {vectors} needs {used} registers"
    assert found == expected, f"{rows} x {vectors} is {rows * vectors / (rows + vectors):.2f} multiply-adds a load"
