"""Sorting and searching: PyTorch's values, indices, gradients and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinygrad_kernels.cpu import sorting as kernels

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

DTYPES = ["uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
SHAPES = [(), (1,), (7,), (40,), (3, 5), (2, 40, 3), (4, 0), (0, 3), (5, 1, 300)]


def many_ties(shape, dtype, seed=0, special=True):
    """Few different numbers, and for floats nan, both zeros and both infinities."""
    random = np.random.default_rng(seed)
    values = np.asarray(random.integers(0 if dtype == "uint8" else -4, 5, shape)).astype(dtype)
    if special and dtype.startswith("float"):
        for number in (np.nan, -0.0, np.inf, -np.inf, -np.nan):
            values = np.where(random.random(shape) < 0.1, number, values).astype(dtype)
    return values


def same(ours, theirs):
    assert tuple(ours.shape) == tuple(theirs.shape) and repr(ours.dtype) == repr(theirs.dtype)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


def axes(shape):
    return range(-1, max(len(shape), 1))


# The order of rows ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_sort_and_argsort_are_pytorchs_stable_ones(shape, dtype, descending, torch):
    values = many_ties(shape, dtype)
    for dim in axes(shape):
        ours = tg.tensor(values).sort(dim, descending)
        theirs = torch.tensor(values).sort(dim=dim, descending=descending, stable=True)
        same(ours.values, theirs.values)
        same(ours.indices, theirs.indices)
        same(tg.tensor(values).argsort(dim, descending), theirs.indices)


@given(st.integers(0, 70), st.integers(1, 3), st.sampled_from(DTYPES), st.booleans(), st.integers(0, 1000))
def test_rows_of_any_width_are_sorted_stably(width, rows, dtype, descending, seed):
    """Against Python's sort, which is stable: for descending order, of the complement of the rank."""
    values = many_ties((rows, width), dtype, seed)
    order = tg.tensor(values).argsort(1, descending)
    for row, found in zip(values.tolist(), order.tolist(), strict=True):
        rank = [(x != x, x if x == x else 0) for x in row]
        assert found == sorted(range(width), key=lambda i, rank=rank: rank[i]) or descending
        if descending:
            assert found == sorted(range(width), key=lambda i, rank=rank: (-rank[i][0], -rank[i][1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_whole_range_of_a_dtype_is_in_order(dtype):
    if dtype.startswith("float"):
        info = np.finfo(dtype)
        numbers = [-np.inf, info.min, -1.0, -info.tiny, -info.smallest_subnormal, 0.0, info.smallest_subnormal,
                   info.tiny, 1.0, info.max, np.inf, np.nan]  # fmt: skip
    else:
        info = np.iinfo(dtype)
        numbers = [info.min, info.min // 2, 0, 1, 100, info.max // 2, info.max - 1, info.max]
        numbers = sorted(set(numbers))
    expected = np.array(numbers, dtype)
    for repeat in (1, 9):  # short rows and long ones have different kernels
        values = np.repeat(expected, repeat)
        shuffled = np.random.default_rng(1).permutation(values)
        np.testing.assert_array_equal(tg.tensor(shuffled).sort().values.numpy(), values)


def test_results_do_not_depend_on_the_number_of_threads():
    values = tg.tensor(many_ties((700, 200), "float32"))
    before = tg.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            tg.set_num_threads(threads)
            found.append(values.argsort(1).tolist())
        assert found[0] == found[1]
    finally:
        tg.set_num_threads(before)


def test_results_are_named_and_printed_as_pytorchs(torch):
    for call in (lambda t: t.tensor([2.0, 1.0]).sort(), lambda t: t.tensor([[2.0, 1.0]]).topk(1),
                 lambda t: t.tensor([2.0, 1.0]).kthvalue(1), lambda t: t.tensor([2.0, 1.0]).median(0)):  # fmt: skip
        ours, theirs = call(tg), call(torch)
        assert repr(ours) == repr(theirs) and ours[0] is ours.values and ours[1] is ours.indices
    values, indices = tg.sort(tg.tensor([2, 1]), descending=True, stable=True)
    assert values.tolist() == [2, 1] and indices.tolist() == [0, 1]


# Parts of it ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (40,), (3, 5), (2, 40, 3)], ids=str)
def test_topk_kthvalue_and_median_are_pytorchs(shape, dtype, torch):
    """Values always; indices point to such a value (which of several equal ones, PyTorch does not say)."""
    values = many_ties(shape, dtype)
    ours, theirs = tg.tensor(values), torch.tensor(values)
    for dim in axes(shape):
        size = shape[dim] if shape else 1
        k = (size + 1) // 2
        for call in (
            lambda x, dim=dim, k=k: x.topk(k, dim), lambda x, dim=dim, k=k: x.topk(k, dim, largest=False),
            lambda x, dim=dim, k=k: x.kthvalue(k, dim), lambda x, dim=dim, k=k: x.kthvalue(k, dim, keepdim=True),
            lambda x, dim=dim: x.median(dim), lambda x, dim=dim: x.median(dim, True),
        ):  # fmt: skip
            found, expected = call(ours), call(theirs)
            same(found.values, expected.values)
            kept = found.indices if len(found.indices.shape) == len(shape) else found.indices.unsqueeze(dim)
            picked = ours.gather(dim, kept).reshape(found.values.shape)
            np.testing.assert_array_equal(picked.numpy(), found.values.numpy())
    same(ours.median(), theirs.median())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [0, 1, 2, 7, 64, 65, 299])
def test_topk_is_the_beginning_of_the_sorted_row(k, dtype):
    """However it is found: for few of many without sorting all."""
    x = tg.tensor(many_ties((3, 300, 2), dtype))
    for largest in (False, True):
        values, indices = x.sort(1, descending=largest)
        found = x.topk(k, 1, largest)
        same(found.values, values[:, :k])
        same(found.indices, indices[:, :k])


def test_the_median_of_nothing_is_nan(torch):
    same(tg.zeros(0).median(), torch.zeros(0).median())
    same(tg.zeros(0, dtype=tg.int64).median(), torch.zeros(0, dtype=torch.int64).median())


DERIVATIVES = {
    "sort": lambda x: x.sort(1)[0], "sort 0 descending": lambda x: x.sort(0, True)[0],
    "topk": lambda x: x.topk(2, 1)[0], "smallest": lambda x: x.topk(2, 2, largest=False)[0],
    "kthvalue": lambda x: x.kthvalue(2, 1)[0], "kthvalue keepdim": lambda x: x.kthvalue(1, -1, True)[0],
    "median": lambda x: x.median(), "median 1": lambda x: x.median(1)[0],
    "median keepdim": lambda x: x.median(2, keepdim=True)[0],
}  # fmt: skip


@pytest.mark.parametrize("function", DERIVATIVES.values(), ids=DERIVATIVES)
def test_gradients_go_to_the_elements_that_were_picked(function, torch):
    values = np.random.default_rng(0).permutation(np.arange(24.0)).reshape(2, 3, 4) / 7.0
    found = []
    for library in (tg, torch):
        x = library.tensor(values).requires_grad_()
        y = function(x)
        (y * library.tensor(np.cos(np.arange(float(y.numel()))).reshape(tuple(y.shape)))).sum().backward()
        found.append((y, x.grad))
    for ours, theirs in zip(*found, strict=True):
        same(ours, theirs)
    x = tg.tensor(values).requires_grad_()
    assert gradcheck(lambda x: function(x * x), (x,)) and gradgradcheck(lambda x: function(x * x * x), (x,))


@pytest.mark.parametrize("values", [[1.0, 3.0, 1.0, 2.0, 1.0], [1.0, np.nan, np.nan], [5.0], 5.0])
def test_elements_equal_to_the_median_share_its_gradient(values, torch):
    found = []
    for library in (tg, torch):
        x = library.tensor(values, dtype=library.float64).requires_grad_()
        x.median().backward()
        found.append(x.grad)
    np.testing.assert_allclose(found[0].numpy(), found[1].numpy(), rtol=1e-15)


# Searching and counting -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_searchsorted_is_pytorchs(dtype, right, torch):
    row, rows = np.sort(many_ties((9,), dtype, special=False)), np.sort(many_ties((3, 9), dtype, special=False), 1)
    for boundaries, values in ((row, many_ties((4, 2), dtype, 5)), (rows, many_ties((3, 4), dtype, 6)), (row, row[3])):
        found = [t.searchsorted(t.tensor(boundaries), t.tensor(values), right=right) for t in (tg, torch)]
        same(*found)
    same(*(t.searchsorted(t.tensor(row), 2, side="right" if right else "left", out_int32=True) for t in (tg, torch)))
    shuffled = many_ties((9,), dtype, 2, special=False)
    order = np.argsort(shuffled, kind="stable")
    same(*(t.searchsorted(t.tensor(shuffled), t.tensor(row), right=right, sorter=t.tensor(order)) for t in (tg, torch)))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (30,), (4, 3), (2, 0)], ids=str)
@pytest.mark.parametrize("dtype", [*DTYPES, "bool"])
def test_unique_is_pytorchs(shape, dtype, torch):
    values = many_ties(shape, dtype)
    ours, theirs = tg.tensor(values), torch.tensor(values)
    same(ours.unique(), theirs.unique())
    for found, expected in zip(ours.unique(True, True, True), theirs.unique(True, True, True), strict=True):
        if np.isnan(np.asarray(values, float)).any() and found.shape == shape:
            continue  # which nan is which
        same(found, expected)
    assert len(ours.unique(return_counts=True)) == 2 and not ours.unique().requires_grad


@pytest.mark.parametrize("numbers, weights, minlength", [
    ([1, 1, 3], None, 0), ([1, 1, 3], None, 6), ([1, 1, 3], [1.0, 2.0, 3.0], 0), ([], None, 0), ([], None, 2),
    ([0], [2], 0),
    ([2, 0, 2, 2], [0.1, 0.2, 0.3, 0.4], 3),
])  # fmt: skip
def test_bincount_is_pytorchs(numbers, weights, minlength, torch):
    found = []
    for library in (tg, torch):
        w = None if weights is None else library.tensor(weights)
        found.append(library.bincount(library.tensor(numbers, dtype=library.int64), w, minlength))
    same(*found)


ERRORS = [
    lambda t, v: v.sort(1), lambda t, v: v.topk(5), lambda t, v: v.topk(-1), lambda t, v: v.topk(2, 1),
    lambda t, v: v.kthvalue(0), lambda t, v: v.kthvalue(5), lambda t, v: v[:0].kthvalue(1),
    lambda t, v: v[:0].median(0), lambda t, v: v.median(5), lambda t, v: (v > 0).median(),
    lambda t, v: t.searchsorted(v, v, side="left", right=True), lambda t, v: t.searchsorted(v, v, side="x"),
    lambda t, v: t.searchsorted(v.reshape(2, 2), v), lambda t, v: t.searchsorted(v, v, sorter=t.tensor([0, 1, 2])),
    lambda t, v: t.searchsorted(t.tensor(1.0), v), lambda t, v: t.searchsorted(v, v, sorter=t.tensor([0, 1, 2, 9])),
    lambda t, v: t.searchsorted(v.reshape(2, 2), 1.0), lambda t, v: t.bincount(t.tensor([-1])),
    lambda t, v: t.bincount(v), lambda t, v: t.bincount(t.tensor([[1]])),
    lambda t, v: t.bincount(t.tensor([1]), t.tensor([1.0, 2.0])), lambda t, v: t.bincount(t.tensor([1]), minlength=-1),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_of_pytorchs_type(number, torch):
    found = []
    for library in (tg, torch):
        with pytest.raises((IndexError, RuntimeError, NotImplementedError)) as error:
            ERRORS[number](library, library.tensor([3.0, 1.0, 2.0, 4.0]))
        found.append(error.type)
    assert found[0] is found[1]


def test_both_sorts_of_the_kernel_agree():
    keys = np.random.default_rng(2).integers(0, 2**16, 500).astype(np.uint32)
    by_insertion, by_radix, order, other = keys.copy(), keys.copy(), np.arange(500), np.arange(500)
    kernels.insertion_sort(by_insertion, order)
    kernels.radix_sort(by_radix, other, np.empty_like(keys), np.empty_like(other), np.empty((4, 256), np.int64))
    np.testing.assert_array_equal(order, other)
    np.testing.assert_array_equal(order, np.argsort(keys, kind="stable"))


def test_unique_of_a_strided_tensor():
    assert tg.tensor([3, 9, 1, 9, 3, 9])[::2].unique().tolist() == [1, 3]
    assert tg.tensor([2.0]).expand(4).unique(return_counts=True)[1].tolist() == [4]


@pytest.mark.parametrize(("dtype", "lowest"), [(tg.uint8, 0), (tg.int8, -128), (tg.int32, -(2**31))])
def test_median_of_no_integers_is_the_lowest_one(dtype, lowest):
    assert tg.zeros(0, dtype=dtype).median().item() == lowest
