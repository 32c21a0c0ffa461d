"""Sorting, ranks, runs and scans on device='cuda': the CPU's values, indices and gradients."""

import numpy as np
import pytest
from test_indexing import DTYPES, numbers, same
from tinygrad_kernels.cuda import memory, scan, sorting

import tinygrad_edu as tg

FLOATS = ["float32", "float64"]
EPS = {"float32": 2e-7, "float64": 1e-15}


def many_ties(shape, dtype, seed=0):
    """Few different numbers, and for floats every nan, both zeros and both infinities."""
    random = np.random.default_rng(seed)
    values = numbers(shape, dtype, seed)
    if dtype in FLOATS:
        for number in (np.nan, -0.0, np.inf, -np.inf, -np.nan):
            values = np.where(random.random(shape) < 0.1, number, values).astype(dtype)
    return values


def same_order(values, axis, descending):
    for device in ("cpu", "cuda"):
        found = tg.tensor(values, device=device).argsort(axis, descending).cpu().numpy()
        if device == "cpu":
            expected = found
    np.testing.assert_array_equal(found, expected)


# Order --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_order_is_stable_and_nan_is_last(dtype, order):
    same_order(many_ties((33, 2), dtype), 0, False)
    same_order(many_ties(100, dtype), 0, True)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (31,), (2, 32), (40, 7)], ids=str)
def test_rows_of_any_length(shape, order):
    same_order(many_ties(shape, "float32"), -1, False)


@pytest.mark.parametrize("shape", [(1025,), (2, 2100)], ids=str)
def test_rows_longer_than_a_tile_are_merged(shape, order):
    same_order(many_ties(shape, "float32"), -1, shape == (1025,))


def test_a_row_of_wide_keys(order):
    values = np.random.default_rng(0).integers(-(2**62), 2**62, 300)
    same_order(values, 0, False)
    same_order(values.view(np.float64), 0, True)


PICKS = {
    "sort": lambda x: x.sort(0, descending=True),
    "topk": lambda x: x.topk(2, 1),
    "kthvalue": lambda x: x.kthvalue(3, 0),
    "median of rows": lambda x: x.median(1),
    "median": lambda x: x.median(),
    "mode": lambda x: x.mode(1),
    "max": lambda x: x.max(1),
    "quantile": lambda x: x.quantile(0.25, 1),
}


@pytest.mark.parametrize("name", PICKS)
def test_sorted_values_and_what_is_picked_from_them(name, order):
    dtype = FLOATS[list(PICKS).index(name) % 2]
    same(PICKS[name], numbers((4, 9), dtype), rtol=EPS[dtype])


def test_the_first_of_long_rows_are_a_tournament(order):
    x = many_ties((1, 1500), "float32")
    orders = [tg.tensor(x, device=d).topk(20, 1).indices.cpu().numpy() for d in ("cpu", "cuda")]
    np.testing.assert_array_equal(orders[1], orders[0])


def test_a_row_with_nan_has_its_first_nan_as_median(order):
    x = many_ties((6, 33), "float32")
    x[0] = 1.0
    for column in (0, 20, 32):
        x[1, column] = np.nan
    found = [tg.tensor(x, device=d).median(1).indices.cpu().numpy() for d in ("cpu", "cuda")]
    np.testing.assert_array_equal(found[1], found[0])


def test_keys_are_in_the_order_of_the_elements():
    for dtype in DTYPES:
        x = many_ties(50, dtype)
        keys = memory.to_numpy(sorting.keys_of(memory.from_numpy(x), False))
        assert keys.dtype.kind == "u" and keys.itemsize == x.itemsize
        for a, p in zip(x, keys, strict=True):
            smaller = (x < a) | ((a != a) & (x == x))
            np.testing.assert_array_equal(keys < p, smaller)


# Search, runs -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "float64"])
def test_searching(dtype, order):
    x, v = np.sort(numbers((2, 33), dtype), 1), numbers((2, 5), dtype, 1)
    for right in (False, True):
        same(lambda x, v, right=right: tg.searchsorted(x.detach(), v.detach(), right=right), x, v)
    same(lambda v, x: tg.bucketize(v.detach(), x.detach()[0], out_int32=True), v, x)
    same(lambda v, x: tg.bucketize(v.detach().float(), x.detach()[0]), v, x)
    shuffled = x[0][np.random.default_rng(0).permutation(33)]
    same(lambda x, v: tg.searchsorted(x.detach(), v.detach()[0], sorter=x.detach().argsort()), shuffled, v)


@pytest.mark.parametrize(("n", "dtype"), [(0, "float32"), (1, "int64"), (33, "bool"), (33, "float32"), (300, "uint8")])
def test_unique(n, dtype, order):
    same(lambda x: x.detach().unique(return_inverse=True, return_counts=True), numbers(n, dtype))


def test_what_differs_from_the_one_before(order):
    same(lambda x: x.unique_consecutive(return_counts=True), numbers(40, "int64"))


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_counting(dtype, order):
    x, w = abs(numbers(40, dtype)), numbers(40, "float32", 1)
    same(lambda x: x.bincount(minlength=6), x)
    same(lambda x, w: x.bincount(w.detach()), x, w)
    same(lambda x: tg.isin(x, x[:3]), x)
    assert tg.tensor(np.array([], dtype), device="cuda").bincount().tolist() == []


# Scans --------------------------------------------------------------------------------------------------------
SHAPES = [((5,), 0), ((3, 33), 1), ((2, 300), 1), ((3, 2, 5), 1), ((7, 40), 0), ((1,), 0), ((2, 0), 1)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_running_sums_and_extremes(shape, axis, order):
    x = numbers(shape, "float32")
    same(lambda x: x.cumsum(axis), x)
    same(lambda x: x.cummax(axis), x)
    same(lambda x: x.cummin(axis), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scans_of_all_dtypes(dtype, order):
    same(lambda x: x.cumsum(0), numbers(33, dtype))
    same(lambda x: x.cummax(0), numbers(33, dtype))
    same(lambda x: x.cumprod(0), abs(numbers(33, dtype)))


@pytest.mark.parametrize(("shape", "axis"), SHAPES[:5], ids=str)
def test_products_recurrences_and_logarithms(shape, axis, order):
    dtype = FLOATS[shape == (3, 33)]
    random = np.random.default_rng(0)
    x = (random.uniform(0.8, 1.2, shape) * np.where(random.random(shape) < 0.03, 0, 1)).astype(dtype)
    bound = EPS[dtype] * (4 if dtype == "float32" else 4 * shape[axis])  # in float64 each factor rounds
    same(lambda x: x.cumprod(axis), x, rtol=bound)
    same(lambda x: x.prod(axis), x, rtol=bound)
    logarithms = numbers(shape, dtype)
    np.testing.assert_allclose(
        *(tg.tensor(logarithms, device=d).logcumsumexp(axis).cpu().numpy() for d in ("cuda", "cpu")),
        rtol=4 * EPS[dtype], atol=4 * EPS[dtype],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["cumsum", "argmin"])
def test_long_lines_are_cut_into_pieces(name, order):
    x = numbers(4100, "float32")
    assert scan.pieces_for(1, 4100, 2 * scan.TILE) > 1
    call = {"cumsum": lambda x: x.cumsum(0), "argmin": lambda x: x.cummin(0).indices}[name]
    same(lambda x: call(x.detach()), x)


def test_long_columns_are_cut_into_pieces(order):
    x = numbers((70, 33), "float32")
    assert scan.pieces_for(1, 70, 8 * scan.EACH) > 1
    same(lambda x: x.cumsum(0), x)
    same(lambda x: (x / 2).cumprod(0), x)


def test_a_running_sum_of_float32_rounds_once(order):
    x = np.random.default_rng(0).standard_normal(1100).astype("f4")
    found = tg.tensor(x, device="cuda").cumsum(0).cpu().numpy()
    exact = np.cumsum(x.astype("f8"))
    assert (abs(found - exact) <= np.spacing(abs(exact).astype("f4")) * 0.5001).all()


def test_what_is_not_a_number_spreads_forward_only(order):
    x = numbers(100, "float32")
    x[40], x[60], x[80] = np.inf, -np.inf, np.nan
    for name in ("cumsum", "logcumsumexp"):
        found = [getattr(tg.tensor(x, device=d), name)(0).cpu().numpy() for d in ("cpu", "cuda")]
        np.testing.assert_allclose(found[1], found[0], rtol=1e-6)
    for name in ("cummax", "cummin"):
        found = [getattr(tg.tensor(x, device=d), name)(0).indices.cpu().numpy() for d in ("cpu", "cuda")]
        np.testing.assert_array_equal(found[1], found[0])


def test_a_zero_stays_zero_before_factors_whose_product_overflows(order):
    x = np.full(300, 1e30, np.float32)
    x[0], x[150:] = 0, 1e-30
    assert not tg.tensor(x, device="cuda").cumprod(0).cpu().numpy().any()
    x[0], x[150:] = -1, 0.5  # what is too large stays so
    same(lambda x: x.detach().cumprod(0), x)
    x[0], x[20] = 0, np.inf  # an infinite factor does not
    same(lambda x: x.detach().cumprod(0), x)


def test_the_gradient_of_a_product_beyond_all_numbers_is_not_nan(order):
    same(lambda x: x.prod(), np.full(300, 1e3, np.float32))
