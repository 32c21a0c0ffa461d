"""Gather, scatter and their relatives: PyTorch's values, gradients and shapes; and the kernels under them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_indexing import DTYPES, base, same, weighted
from tinygrad_kernels.cpu import indexing as kernels

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.ops import places

FORMS = {
    "gather 0": lambda t, x, v, i: x.gather(0, i), "gather 1": lambda t, x, v, i: x.gather(1, i % 3),
    "gather -1": lambda t, x, v, i: x.gather(-1, i), "gather part": lambda t, x, v, i: x.gather(2, i[:1, :2, :3]),
    "scatter": lambda t, x, v, i: x.scatter(2, t.argsort(v, 2)[:, :2], v[:, :2] * 2.0),
    "scatter number": lambda t, x, v, i: x.scatter(0, i, 2.5), "scatter add": lambda t, x, v, i: x.scatter_add(0, i, v),
    "scatter add part": lambda t, x, v, i: x.scatter_add(1, i[:1, :2], v[:1, :2]),
    "scatter_": lambda t, x, v, i: (x * 1.0).scatter_(2, i[..., :1], v[..., :1]),
    "scatter_ number": lambda t, x, v, i: (x * 1.0).scatter_(2, i, value=1.0),
    "scatter_add_": lambda t, x, v, i: (x * 1.0).scatter_add_(2, i, v),
    "index_select": lambda t, x, v, i: x.index_select(1, i[0, 0]),
    "index_select number": lambda t, x, v, i: x.index_select(1, i[0, 0, 0]),
    "index_add": lambda t, x, v, i: x.index_add(2, i[0, 0], v),
    "index_add alpha": lambda t, x, v, i: x.index_add( 0, i[0, 0, :2], v, alpha=-2.0),
    "index_add_": lambda t, x, v, i: (x * 1.0).index_add_(1, i[0, 0, :3], v),
    "index_copy": lambda t, x, v, i: x.index_copy(1, t.tensor([2, 0, 1]), v),
    "index_copy_": lambda t, x, v, i: (x * 1.0).index_copy_(2, t.tensor([2, 0]), v[..., :2]),
    "index_fill": lambda t, x, v, i: x.index_fill(1, t.tensor([-1, 0]), 5.0),
    "index_fill tensor": lambda t, x, v, i: x.index_fill(1, t.tensor([1]), v[0, 0, 0]),
    "index_fill_": lambda t, x, v, i: (x * 1.0).index_fill_(2, t.tensor([1]), 5.0),
    "index_put": lambda t, x, v, i: x.index_put((t.tensor([1, 0]), t.tensor([2, 2])), v[0, :2]),
    "index_put add": lambda t, x, v, i: x.index_put((i[0, 0],), v[0, 0], accumulate=True),
    "index_put_ add": lambda t, x, v, i: (x * 1.0).index_put_((i[0, 0], i[1, 1]), v[:1, 0, :1], True),
    "index_put mask": lambda t, x, v, i: x.index_put((v > 0,), v[0, 0, 0]),
    "take": lambda t, x, v, i: x.take(i * 5 - 7), "take_along_dim": lambda t, x, v, i: x.take_along_dim(i[:1, :, :], 0),
    "take_along flat": lambda t, x, v, i: x.contiguous().take_along_dim(i.contiguous()),
    "masked_select": lambda t, x, v, i: x.masked_select(v > 0),
    "masked_select broadcast": lambda t, x, v, i: x.masked_select(t.tensor([[True], [False], [True]])),
    "masked_select more": lambda t, x, v, i: x[:1, :1].masked_select(v > 0),
}  # fmt: skip


def form_inputs(library, layout):
    random = np.random.default_rng(5)
    x, v = (library.tensor(random.standard_normal((2, 3, 4))).requires_grad_() for _ in range(2))
    index = library.tensor(random.integers(0, 2, (2, 3, 4)))
    if layout == "transposed":
        turn = lambda y: y.transpose(0, 2).contiguous().transpose(0, 2)  # noqa: E731
        return (x, v), (turn(x), turn(v), turn(index))
    return (x, v), (x, v, index)


@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_gather_scatter_and_the_others_are_pytorchs(form, layout, torch):
    found = []
    for library in (tg, torch):
        leaves, (x, v, index) = form_inputs(library, layout)
        y = form(library, x, v, index)
        weighted(library, y).backward()
        found.append((y, *(leaf.grad for leaf in leaves)))
    for ours, theirs in zip(*found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-12)
            assert ours.requires_grad == theirs.requires_grad


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_first_and_second_derivatives(form):
    (x, v), (_, _, index) = form_inputs(tg, "contiguous")
    function = lambda x, v: form(tg, x * x, v * v, index) * (v.sum() + x.sum())  # noqa: E731
    if "mask" in str(form.__code__.co_consts) or " > " in str(form.__code__.co_names):
        function = lambda x, v: form(tg, x * x, v, index)  # noqa: E731
    assert gradcheck(function, (x, v))
    assert gradgradcheck(function, (x, v))


@given(st.data())
def test_gather_and_scatter_add_of_random_shapes_are_pytorchs(data):
    torch = pytest.importorskip("torch")
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=0, max_size=3)))
    dim = data.draw(st.integers(-max(len(shape), 1), max(len(shape), 1) - 1))
    axis = dim % max(len(shape), 1)
    sizes = tuple(
        data.draw(st.integers(0, 5)) if k == axis else data.draw(st.integers(1, n)) for k, n in enumerate(shape)
    )
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    index = random.integers(0, (shape or (1,))[axis], sizes)
    source = random.standard_normal(sizes)
    for method, arguments in (("gather", ()), ("scatter_add", (source,)), ("scatter", (2.0,))):
        ours, theirs = (
            getattr(base(t, shape), method)(
                dim, t.tensor(index), *(t.tensor(v) if isinstance(v, np.ndarray) else v for v in arguments)
            )
            for t in (tg, torch)
        )
        same(ours, theirs)


@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nonzero_is_pytorchs(shape, dtype, torch):
    x, expected = (base(t, shape, dtype) for t in (tg, torch))
    same(x.nonzero(), expected.nonzero())
    for ours, theirs in zip(x.nonzero(as_tuple=True), expected.nonzero(as_tuple=True), strict=True):
        same(ours, theirs)


@pytest.mark.parametrize("empty", [
    lambda t: t.zeros(3, 4)[t.zeros(0, dtype=t.int64)], lambda t: t.zeros(0, 4)[t.zeros(0, dtype=t.int64)],
    lambda t: t.zeros(3, 0)[t.tensor([1, 1])], lambda t: t.zeros(0, 4)[t.zeros(0, dtype=t.bool)],
    lambda t: t.zeros(2, 3).gather(0, t.zeros(0, 3, dtype=t.int64)), lambda t: t.zeros(0).masked_select(t.zeros(0) > 1),
    lambda t: t.zeros(0, 3).index_select(1, t.tensor([0, 1])), lambda t: t.tensor(3.0)[t.tensor(True)],
    lambda t: t.tensor(3.0).index_select(0, t.tensor([0])), lambda t: t.tensor(3.0).gather(0, t.tensor(0)),
    lambda t: t.zeros(2, 0).index_add(0, t.tensor([1]), t.zeros(1, 0)),
    lambda t: t.zeros(2, 3).scatter(0, t.zeros(0, dtype=t.int64), 1.0),
])  # fmt: skip
def test_empty_and_0d_operands(empty, torch):
    same(empty(tg), empty(torch))


# Kernels -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("outer, length, inner, count", [(1, 7, 1, 5), (3, 4, 1, 9), (1, 5, 6, 4), (2, 3, 4, 5)])
def test_put_and_add_follow_their_formulas(outer, length, inner, count):
    random = np.random.default_rng(3)
    x, v = random.standard_normal((outer, length, inner)), random.standard_normal((outer, count, inner))
    at = random.integers(0, length, count)
    put, added, taken = x.copy(), x.copy(), np.empty_like(v)
    for m in range(count):
        put[:, at[m]] = v[:, m]
        added[:, at[m]] += v[:, m]
    for kernel, expected in ((kernels.put, put), (kernels.add_at, added)):
        out = x.reshape(-1).copy()
        kernel(out, at, v.reshape(-1), outer, length, inner)
        np.testing.assert_allclose(out, expected.reshape(-1), rtol=1e-14)
    kernels.take(taken.reshape(-1), x.reshape(-1), at, outer, length, inner)
    np.testing.assert_array_equal(taken, x[:, at])


@pytest.mark.parametrize("outer, length, inner, count", [(1, 50, 300, 400), (40, 50, 1, 3000), (3, 20, 130, 300)])
def test_large_sizes_give_the_bits_of_small_ones_for_any_number_of_threads(outer, length, inner, count):
    random = np.random.default_rng(3)
    x = random.standard_normal(outer * length * inner).astype(np.float32)
    v = random.standard_normal(outer * count * inner).astype(np.float32)
    at = random.integers(0, length, count)
    taken, expected = np.empty_like(v), np.empty_like(v)
    kernels._take(expected, x, at, outer, length, inner)
    total = x.copy()
    kernels._add(total, at, v, outer, length, inner)
    before = tg.get_num_threads()
    try:
        for threads in (1, 2):
            tg.set_num_threads(threads)
            kernels.take(taken, x, at, outer, length, inner)
            added = x.copy()
            kernels.add_at(added, at, v, outer, length, inner)
            assert (taken == expected).all() and (added == total).all()
    finally:
        tg.set_num_threads(before)


def test_places_are_found_where_axes_lie_apart():
    found = places.places_in((2, 3, 4, 5), (1, 3), None, (7,))
    assert (found.outer, found.length, found.inner) == (1, 15, 8) and found.order == (1, 3, 0, 2)
    assert found.result == (7, 2, 4)


def test_functions_are_the_methods():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    index = tg.tensor([[0, 1]])
    assert tg.gather(x, 0, index).tolist() == x.gather(0, index).tolist()
    assert tg.index_select(x, 1, tg.tensor([1])).tolist() == [[2.0], [4.0]]
    assert tg.nonzero(x > 2).tolist() == [[1, 0], [1, 1]] and tg.masked_select(x, x > 2).tolist() == [3.0, 4.0]
