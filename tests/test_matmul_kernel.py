"""Matrix multiplication on the CPU, against the definition in float64: sizes, layouts, dtypes, batches, threads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinygrad_kernels.cpu import matmul as module
from tinygrad_kernels.cpu import matmul_blocks, matmul_endings, threads
from tinygrad_kernels.cpu.matmul import batched_matmul, matmul
from tinygrad_kernels.expr import Expr, Formula, build

FLOATS = [np.float32, np.float64]
FORMS = ["nn", "nt", "tn", "tt"]
SIZES = [0, 1, 2, 3, 5, 8, 31, 33, 65, 130]


def operand(matrix: np.ndarray, form: str) -> tuple[np.ndarray, tuple[int, int, int]]:
    """The matrix as a flat array and a layout: stored by rows ("n") or by columns ("t")."""
    rows, columns = matrix.shape
    if form == "n":
        return matrix.ravel(), (0, columns, 1)
    return matrix.T.ravel(), (0, 1, rows)


def product(x: np.ndarray, y: np.ndarray, form: str = "nn") -> np.ndarray:
    (m, k), n = x.shape, y.shape[1]
    out = np.full(m * n, 99, x.dtype)
    (a, a_layout), (b, b_layout) = operand(x, form[0]), operand(y, form[1])
    matmul(out, a, b, m, n, k, a_layout, b_layout)
    return out.reshape(m, n)


def definition(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Three loops, the inner one exact to float64: sum of products along the reduction axis."""
    return np.einsum("ik,kj->ij", x.astype(np.float64), y.astype(np.float64))


def bound(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What rounding may cost: a few units in the last place of the sum of absolute products, for any k."""
    return 16 * np.finfo(x.dtype).eps * definition(np.abs(x), np.abs(y)) + np.finfo(x.dtype).tiny


def assert_product(x: np.ndarray, y: np.ndarray, form: str) -> None:
    result = product(x, y, form)
    assert result.dtype == x.dtype
    assert (np.abs(result - definition(x, y)) <= bound(x, y)).all(), (x.shape, y.shape, form, x.dtype)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_every_combination_of_ragged_sizes(dtype, form, rng):
    for m, n, k in itertools.product(SIZES, SIZES, SIZES):
        assert_product(rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("m", "n", "k"), [(520, 17, 700), (64, 128, 784), (70, 1600, 40), (257, 300, 513)])
def test_several_cells_and_blocks(m, n, k, dtype, form, rng):
    assert m * n * k >= module.THREADS_FROM
    assert_product(rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype), form)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("form", FORMS)
def test_integers_wrap_around(dtype, form, rng):
    info = np.iinfo(dtype)
    x = rng.integers(info.min, info.max, (7, 11), dtype, endpoint=True)
    y = rng.integers(info.min, info.max, (11, 5), dtype, endpoint=True)
    exact = x.astype(object) @ y.astype(object)
    wrapped = np.array([[int(v) % 2 ** (8 * info.dtype.itemsize) for v in row] for row in exact], np.uint64)
    np.testing.assert_array_equal(product(x, y, form), wrapped.astype(dtype))


STRIDES = [
    (3, 40, 1),
    (2, 1, 40),
    (5, 43, 2),
    (1, 2, 41),
    (0, 0, 1),
    (0, 1, 0),
    (0, 0, 0),
    (1200, -40, 1),
    (1299, -1, -41),
]


@pytest.mark.parametrize("dtype", [*FLOATS, np.int64])
@pytest.mark.parametrize(("m", "n", "k"), [(19, 27, 20), (1, 27, 20), (19, 1, 20), (16, 16, 1)])
def test_any_layout_is_read_where_it_lies(m, n, k, dtype, rng):
    """Slices, transposes, broadcasts (stride 0) and reversals, for both operands."""
    a, b = (rng.integers(-9, 9, 1300).astype(dtype) for _ in range(2))
    for left, right in itertools.product(STRIDES, STRIDES):
        x, y = (
            array[at + np.arange(rows)[:, None] * row + np.arange(columns) * column]
            for array, (at, row, column), rows, columns in ((a, left, m, k), (b, right, k, n))
        )
        out = np.empty(m * n, dtype)
        matmul(out, a, b, m, n, k, left, right)
        np.testing.assert_array_equal(out.reshape(m, n), definition(x, y), err_msg=f"{left} {right}")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("m", "n", "k"), [(255, 50, 128), (256, 16, 129), (263, 100, 300), (530, 30, 7)])
def test_columns_that_are_packed_in_groups(m, n, k, dtype, rng):
    """Aᵀ with more columns than one group has, more rows than one block of k, and rows that do not fill a strip."""
    x, y = rng.integers(-8, 8, (m, k)).astype(dtype), rng.integers(-8, 8, (k, n)).astype(dtype)
    for form in FORMS:
        np.testing.assert_array_equal(product(x, y, form), definition(x, y))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 50), st.integers(0, 110), st.integers(0, 300), st.sampled_from(FORMS), st.sampled_from(FLOATS))
def test_small_integers_are_multiplied_exactly(m, n, k, form, dtype):
    """With integers there is no rounding: the result is the definition, whatever the order of the sum."""
    rng = np.random.default_rng(m + 1000 * n)
    x, y = rng.integers(-8, 8, (m, k)).astype(dtype), rng.integers(-8, 8, (k, n)).astype(dtype)
    np.testing.assert_array_equal(product(x, y, form), definition(x, y))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 5, 9), (5, 1, 9), (3, 5, 2), (13, 50, 70), (140, 150, 160)])
def test_nan_and_inf_reach_their_row_and_column_and_nothing_else(m, n, k, dtype, form):
    """0 * inf is nan and must appear; padding must neither make a nan nor hide one."""
    for special in (np.inf, -np.inf, np.nan):
        for i, p in {(0, 0), (m - 1, k - 1), (m // 2, k // 2)}:
            x, y = np.ones((m, k), dtype), np.ones((k, n), dtype)
            x[i, p], y[p, 0] = special, 0  # special * 0 in C[i, 0], special * 1 elsewhere in row i
            with np.errstate(invalid="ignore"):
                expected = definition(x, y)
            np.testing.assert_array_equal(product(x, y, form), expected)
        for p, j in {(0, 0), (k - 1, n - 1), (k // 2, n // 2)}:
            x, y = np.ones((m, k), dtype), np.ones((k, n), dtype)
            y[p, j], x[0, p] = special, 0
            with np.errstate(invalid="ignore"):
                expected = definition(x, y)
            np.testing.assert_array_equal(product(x, y, form), expected)


@pytest.mark.parametrize("dtype", FLOATS)
def test_nothing_outside_the_result_is_written(dtype, rng):
    for m, n, k in [(1, 1, 3), (9, 17, 5), (33, 50, 40), (8, 48, 16)]:
        whole = np.full(m * n + 64, 7, dtype)
        x, y = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        matmul(whole[32 : 32 + m * n], x.ravel(), y.ravel(), m, n, k, (0, k, 1), (0, n, 1))
        assert (whole[:32] == 7).all() and (whole[32 + m * n :] == 7).all()


@pytest.mark.parametrize("dtype", [*FLOATS, np.int32])
@pytest.mark.parametrize(("m", "n", "k"), [(3, 4, 5), (17, 33, 9), (1, 6, 7), (6, 1, 7), (4, 4, 0), (90, 100, 64)])
@pytest.mark.parametrize(("a_shared", "b_shared"), [(False, False), (True, False), (False, True), (True, True)])
def test_batches_and_broadcast_batches(m, n, k, dtype, a_shared, b_shared, rng):
    batch = 5
    x = rng.integers(-9, 9, (1 if a_shared else batch, m, k)).astype(dtype)
    y = rng.integers(-9, 9, (1 if b_shared else batch, n, k)).astype(dtype)  # stored transposed
    out = np.full(batch * m * n, 99, dtype)
    steps = 0 if a_shared else m * k, 0 if b_shared else n * k
    batched_matmul(out, x.ravel(), y.ravel(), batch, m, n, k, steps[0], (0, k, 1), steps[1], (0, 1, k))
    for q in range(batch):
        expected = definition(x[0 if a_shared else q], y[0 if b_shared else q].T)
        np.testing.assert_array_equal(out.reshape(batch, m, n)[q], expected)


def test_an_empty_batch_writes_nothing():
    out = np.empty(0, np.float32)
    batched_matmul(out, out, out, 0, 3, 4, 5, 15, (0, 5, 1), 20, (0, 4, 1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_same_bits_for_one_and_two_threads(dtype, form, rng):
    x, y = rng.standard_normal((301, 270)).astype(dtype), rng.standard_normal((270, 203)).astype(dtype)
    before = threads.get_num_threads()
    results = []
    try:
        for number in (1, 2):
            threads.set_num_threads(number)
            results.append(product(x, y, form))
    finally:
        threads.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("dtype", FLOATS)
def test_serial_and_parallel_kernels_agree_bit_for_bit(dtype, rng):
    x, y = rng.standard_normal((2, 70, 90)).astype(dtype), rng.standard_normal((2, 90, 130)).astype(dtype)
    bias, side = rng.standard_normal(130).astype(dtype), rng.standard_normal(2 * 70 * 130).astype(dtype)
    results = []
    for kernel in (module._cells, module._cells_parallel):
        out = np.empty(2 * 70 * 130, dtype)
        layout = (out, 70 * 130, x.ravel(), 6300, 0, 90, 1, y.ravel(), 11700, 0, 130, 1, 2, 70, 130, 90, 32, 48)
        kernel(*layout, bias, side, matmul_endings.MULTIPLY)
        results.append(out)
    expected = (np.stack([product(a, b) for a, b in zip(x, y, strict=True)]) + bias) * side.reshape(2, 70, 130)
    np.testing.assert_allclose(results[0].reshape(expected.shape), expected, rtol=20 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(*results)


def test_the_naive_kernel_is_the_definition_and_the_real_one_equals_it(rng):
    x, y = rng.integers(-9, 9, (21, 33)).astype(np.float32), rng.integers(-9, 9, (33, 50)).astype(np.float32)
    out = np.empty(21 * 50, np.float32)
    module.naive(out, 0, x.ravel(), 0, 33, 1, y.ravel(), 0, 50, 1, 21, 50, 33)
    np.testing.assert_array_equal(out.reshape(21, 50), definition(x, y))
    np.testing.assert_array_equal(out.reshape(21, 50), product(x, y))


@pytest.mark.parametrize(("m", "n"), [(40, 40), (1, 40), (40, 1)])
def test_long_sums_stay_as_accurate_as_numpy_s_pairwise_sum(m, n, rng):
    """One running float32 sum of 100,000 positive products is wrong in the 5th digit; ours goes by blocks."""
    x, y = rng.random((m, 100_000)).astype(np.float32), rng.random((100_000, n)).astype(np.float32)
    exact = x.astype(np.float64) @ y.astype(np.float64)
    assert np.abs(product(x, y) / exact - 1).max() < 2e-6


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_tile_equals_the_naive_product(dtype, rng):
    """The innermost piece alone, called from a small kernel, with fewer rows and columns than it holds."""
    from tinygrad_kernels.cpu.jit import jit

    tile = matmul_blocks.tile

    @jit
    def one_tile(c, m, n, first, a, b, k, width, last, bias):
        tile(2, c, 0, width, m, n, first, a, 0, k, 1, b, 0, width, k, last, bias, 0, 0)

    width = 2 * matmul_blocks.VECTOR_BYTES // np.dtype(dtype).itemsize
    rows, k = matmul_blocks.ROWS, 6
    x = rng.integers(-9, 9, (rows, k)).astype(dtype)
    y = rng.integers(-9, 9, (k, width)).astype(dtype)
    for m, n in itertools.product((1, rows - 1, rows), (1, width // 2, width - 1, width)):
        c = np.full((rows, width), 3, dtype)
        one_tile(c.ravel(), m, n, False, x.ravel(), y.ravel(), k, width, True, 0)
        expected = np.full((rows, width), 3, dtype)
        expected[:m, :n] += (x @ y)[:m, :n]
        np.testing.assert_array_equal(c, expected)
        bias = rng.integers(-9, 9, n).astype(dtype)
        for last in (False, True):  # the bias comes with the last block of k
            one_tile(c.ravel(), m, n, True, x.ravel(), y.ravel(), k, width, last, bias.ctypes.data)
            expected[:m, :n] = (x @ y)[:m, :n] + last * bias
            np.testing.assert_array_equal(c, expected)


P, Y = Expr.input("p"), Expr.input("y")
ENDINGS = {
    "p + y": (P + Y, lambda p, y: p + y),
    "y + p": (Y + P, lambda p, y: y + p),
    "p * y": (P * Y, lambda p, y: p * y),
    "y * p": (Y * P, lambda p, y: y * p),
    "relu": (build("where", P <= 0.0, 0.0, P), lambda p, y: np.where(p <= 0, p.dtype.type(0), p)),
    "relu, backward": (build("where", Y <= 0.0, 0.0, P), lambda p, y: np.where(y <= 0, p.dtype.type(0), p)),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("m", "n", "k"), [(2, 2, 0), (3, 17, 5), (9, 49, 70), (130, 100, 600), (300, 560, 40)])
def test_an_ending_has_the_bits_of_a_loop_after_the_product(m, n, k, ending, dtype, rng):
    """Also of what is infinite or not a number; with ragged tiles, several blocks of k and several cells."""
    e, meaning = ENDINGS[ending]
    x, y = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    if k:
        x[0, 0], x[-1, -1] = np.nan, np.inf
    side = rng.standard_normal(m * n).astype(dtype)
    side[:3] = 0.0, np.nan, -np.inf
    for form, bias in itertools.product(FORMS, (None, rng.standard_normal(n).astype(dtype))):
        (a, a_layout), (b, b_layout) = operand(x, form[0]), operand(y, form[1])
        layout = (dtype.__name__, m, n, k, a_layout, b_layout)
        kernel, sizes = module.matmul_kernel(*layout)
        plain, ended = np.full(m * n, 99, dtype), np.full(m * n, 99, dtype)
        kernel(plain, a, b, sizes, *([] if bias is None else [bias]))
        formula = Formula("ending", ("p",) if ending == "relu" else ("p", "y"), (e,))
        sides = [side] if "y" in formula.inputs else []
        module.matmul_ending(formula, *layout)(ended, a, b, sizes, bias, *sides)
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(ended, meaning(plain, side))


def test_other_formulas_and_kernels_have_no_ending():
    layout = ((0, 4, 1), (0, 4, 1))
    for outputs, dtype, m, n in [
        ((P - Y,), "float32", 4, 4), ((P + Y, P), "float32", 4, 4), ((P,), "float32", 4, 4), ((P + Y,), "int64", 4, 4),
        ((P + Y,), "float32", 1, 4), ((P + Y,), "float32", 4, 1),
    ]:  # fmt: skip
        assert module.matmul_ending(Formula("ending", ("p", "y"), outputs), dtype, m, n, 4, *layout) is None
