"""Indexing by tensors: PyTorch's values, shapes, gradients and errors."""

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def base(library, shape, dtype="float64", layout="contiguous"):
    """0, 1, 2, ... in this shape; transposed or strided in memory if the layout says so."""
    values = np.arange(float(np.prod(shape, dtype=int))).reshape(shape)
    if layout == "transposed":
        x = library.tensor(values.T.copy())
        x = x.permute(*range(len(shape) - 1, -1, -1))
    elif layout == "strided" and shape:
        x = library.tensor(np.repeat(values, 2, -1))[..., ::2]
    else:
        x = library.tensor(values)
    return x.to(getattr(library, dtype))


def same(ours, theirs):
    """Shape, dtype and every element."""
    assert tuple(ours.shape) == tuple(theirs.shape) and repr(ours.dtype) == repr(theirs.dtype)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


def attempt(function, *arguments):
    """What a function gives, or the type of its error."""
    try:
        return function(*arguments)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        return type(error)


def weighted(library, y):
    """A sum of y in which every element counts differently."""
    return (y * library.tensor(np.cos(np.arange(float(y.numel()))).reshape(tuple(y.shape)))).sum()


def of(library, index):
    """An index with every array in it as a tensor of the library."""
    convert = lambda item: library.tensor(item) if isinstance(item, np.ndarray) else item  # noqa: E731
    return tuple(map(convert, index)) if isinstance(index, tuple) else convert(index)


def both(torch, function, shape=(2, 3, 4), layout="contiguous"):
    """The result of a function of a library and a leaf, and the leaf's gradient, for both libraries."""
    found = []
    for library in (tg, torch):
        leaf = base(library, shape).requires_grad_()
        x = leaf if layout == "contiguous" else (leaf * 1.0).transpose(0, -1)
        y = function(library, x)
        weighted(library, y).backward()
        found.append((y, leaf.grad))
    (y, g), (expected, expected_g) = found
    same(y, expected)
    np.testing.assert_allclose(g.numpy(), expected_g.numpy(), rtol=1e-13, atol=1e-13)


# Square brackets ------------------------------------------------------------------------------------------------
a = np.array
ROWS, COLUMNS, DEEP = a([1, 0, 1]), a([[2, -1, 0]]), a([[0], [3]])
INDICES = {
    "rows": ROWS, "negative": a([-1, -2]), "one row": a([1]), "two axes of index": a([[0, 1], [1, 1]]),
    "none": a([], dtype=int), "list": [1, 0], "empty list": [], "int32": ROWS.astype(np.int32), "range": range(2),
    "rows and columns": (ROWS, ROWS), "broadcast": (ROWS, DEEP % 3), "all axes": (ROWS, COLUMNS, COLUMNS),
    "adjacent": (slice(None), ROWS, COLUMNS), "apart": (ROWS, slice(None), ROWS), "last": (..., ROWS),
    "middle": (slice(None), ROWS), "int before": (0, slice(None), ROWS), "int after": (ROWS, slice(None), 0),
    "int beside": (ROWS, 1), "new axis": (None, ROWS), "new axis after": (ROWS, None), "new axis between":
    (ROWS, None, ROWS), "slices": (slice(0, 1), ROWS, slice(None, None, 2)), "ellipsis": (ROWS, ..., ROWS),
    "0-d": (a(1), slice(None), ROWS), "0-d alone": a(1), "True": True, "False": False, "True and more": (0, True),
    "mask of rows": a([True, False]), "mask of two": np.arange(6).reshape(2, 3) % 2 == 0,
    "mask of all": np.arange(24).reshape(2, 3, 4) % 5 == 0, "no True": a([False, False]), "list of bool": [True, False],
    "mask inside": (slice(None), a([True, False, True])), "mask and rows": (a([True, True]), a([2, 0])),
    "mask and slice": (slice(1, None), a([True, False, True]), slice(1, 3)), "0-d mask": a(True),
    "mask of the last two": (ROWS[:1], np.arange(12).reshape(3, 4) % 3 == 1), "byte mask": a([1, 0], np.uint8),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indexing_by_tensors_and_its_gradient_are_pytorchs(index, layout, torch):
    shape = (2, 3, 4) if layout == "contiguous" else (4, 3, 2)
    both(torch, lambda library, x: x[of(library, index)], shape, layout)


@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")
@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_assignment_by_tensors_and_its_gradients_are_pytorchs(index, torch):
    """Each place once: which of several values stays in one place, PyTorch does not say."""
    numbers = np.arange(24).reshape(2, 3, 4)
    picked = numbers[index] if not isinstance(index, range) else numbers[list(index)]
    once = np.unique(picked).size == picked.size
    found = []
    for library in (tg, torch):
        x = base(library, (2, 3, 4)).requires_grad_()
        v = library.tensor(3.0, dtype=library.float64).requires_grad_()
        y = x * 1.0
        rows = y[of(library, index)].detach() * 10.0 + 1.0
        y[of(library, index)] = v * rows if once else v
        weighted(library, y).backward()
        found.append((y, x.grad, library.zeros(()) if v.grad is None else v.grad))
        if not once and library is tg:
            found[0] = (y, x.grad, None)
    for ours, theirs in zip(*found, strict=True):
        if ours is not None:
            np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-13, atol=1e-13)


@st.composite
def indices(draw, shape):
    """Any index into that shape: ints, slices, None, `...`, masks and tensors that broadcast with each other."""
    count = draw(st.integers(0, 3))
    common = draw(st.sampled_from([(3,), (2, 3), (1,), (2, 1, 3)]))
    items, axis, ellipsis = [], 0, False
    for _ in range(count + 1):
        kinds = ["none"] + ["ellipsis"] * (not ellipsis)
        if axis < len(shape):
            kinds += ["int", "slice", "tensor", "tensor", "mask", "list"]
        kind = draw(st.sampled_from(kinds))
        if kind == "none":
            items.append(None)
        elif kind == "ellipsis":
            if axis:  # what is left belongs to it
                items.append(...)
                ellipsis, axis = True, len(shape)
        else:
            n = shape[axis]
            if kind == "int":
                items.append(draw(st.integers(-n, n - 1)))
            elif kind == "slice":
                items.append(slice(draw(st.integers(-n, n)), None, draw(st.sampled_from([None, 1, 2]))))
            elif kind == "mask":
                items.append(np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n))))
            else:
                own = tuple(s if draw(st.booleans()) else 1 for s in common[draw(st.integers(0, len(common) - 1)) :])
                numbers = draw(st.lists(st.integers(-n, n - 1), min_size=prod(own), max_size=prod(own)))
                items.append(numbers if kind == "list" else np.array(numbers).reshape(own))
            axis += 1
    return tuple(items)


@given(st.data())
def test_random_indices_are_pytorchs(data):
    torch = pytest.importorskip("torch")
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    index = data.draw(indices(shape))
    layout = data.draw(st.sampled_from(["contiguous", "transposed", "strided"]))
    found = []
    for library in (tg, torch):
        leaf = base(library, shape).requires_grad_()
        x = leaf * 1.0 if layout == "contiguous" else (leaf * 1.0).transpose(0, -1).contiguous().transpose(0, -1)
        y = attempt(lambda x, library: x[of(library, index)], x, library)
        if isinstance(y, type):
            found.append((y, None, None))
            continue
        weighted(library, y * y).backward()
        z = base(library, shape, layout=layout)
        z[of(library, index)] = -1.0
        found.append((y, leaf.grad, z))
    (y, g, z), (expected, expected_g, expected_z) = found
    if isinstance(expected, type):
        assert y is expected
        return
    same(y, expected)
    same(z, expected_z)
    np.testing.assert_allclose(g.numpy(), expected_g.numpy(), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
def test_every_dtype_and_layout(dtype, layout, torch):
    for index in (ROWS, (slice(None), ROWS), (ROWS, slice(None), ROWS), np.arange(6).reshape(2, 3) % 2 == 0):
        x, expected = (base(library, (2, 3, 4), dtype, layout) for library in (tg, torch))
        same(x[of(tg, index)], expected[of(torch, index)])
        for library, y in ((tg, x), (torch, expected)):
            y[of(library, index)] = library.tensor([1.7]).to(getattr(library, dtype))
        same(x, expected)


def test_numpy_arrays_and_lists_of_tensors_are_indices():
    x = base(tg, (2, 3, 4))
    assert x[np.array([1, 0])].tolist() == x[[1, 0]].tolist() == x[tg.tensor([1, 0])].tolist()
    assert x[[tg.tensor([0, 1]), tg.tensor([2, 2])]].shape == (2, 4) and x[np.int64(1)].shape == (3, 4)


def test_a_list_of_lists_is_a_tuple_of_indices():
    """PyTorch 2.13 still reads it so, and warns that a later version will not."""
    x = base(tg, (2, 3, 4))
    assert x[[[0, 1], [1, 0]]].tolist() == x[[0, 1], [1, 0]].tolist()
    assert x[[[0, 1]] * 32].shape == (32, 2, 3, 4)


def test_an_assignment_by_numbers_converts_no_dtype_but_one_by_a_mask_does():
    x = base(tg, (2, 3, 4))
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[tg.tensor([0])] = tg.tensor(1)
    x[x > 0] = tg.tensor(1)
    assert x[x > 0].unique().tolist() == [1.0]


ERRORS = [
    lambda t, x: x[t.tensor([5])], lambda t, x: x[t.tensor([-3])], lambda t, x: x[t.tensor([0]), t.tensor([5])],
    lambda t, x: x[:, t.tensor([3])], lambda t, x: x[t.tensor([0, 1]), t.tensor([0, 1, 2])],
    lambda t, x: x[0, 0, 0, t.tensor([0])], lambda t, x: x[t.tensor([0]), 0, 0, 0], lambda t, x: x[t.tensor([1.0])],
    lambda t, x: x[t.tensor([1], dtype=t.int16)], lambda t, x: x[t.tensor([True])],
    lambda t, x: x[:, t.tensor([True, False])], lambda t, x: x[t.zeros(2, 3, 4, 1, dtype=t.bool)],
    lambda t, x: t.zeros(0, 3)[t.tensor([0])], lambda t, x: t.tensor(3.0)[t.tensor([True])],
    lambda t, x: t.tensor(3.0)[t.tensor(0)],
    lambda t, x: x.index_put((t.tensor([5]),), t.tensor(1.0, dtype=t.float64)),
    lambda t, x: x.index_put((t.tensor([1]),), t.tensor(1)),
    lambda t, x: x.index_put((t.tensor([1]),), t.ones(5, dtype=t.float64)),
    lambda t, x: x.index_put((t.tensor([1]),), 1.0),
    lambda t, x: x.gather(0, t.tensor([0])), lambda t, x: x.gather(0, t.tensor([[[5]]])),
    lambda t, x: x.gather(0, t.tensor([[[-1]]])), lambda t, x: x.gather(3, t.tensor([[[0]]])),
    lambda t, x: x.gather(1, t.zeros(3, 1, 1, dtype=t.int64)), lambda t, x: x.gather(0, t.tensor([[[0.0]]])),
    lambda t, x: x.scatter(0, t.tensor([[[5]]]), 1.0), lambda t, x: x.scatter(0, t.tensor([[[0]]]), t.tensor([[[1]]])),
    lambda t, x: x.scatter(0, t.tensor([[[0, 0]]]), t.ones(1, 1, 1, dtype=t.float64)),
    lambda t, x: x.scatter_add(0, t.tensor([[[0]]]), 1.0),
    lambda t, x: x.index_select(0, t.tensor([5])), lambda t, x: x.index_select(0, t.tensor([-1])),
    lambda t, x: x.index_select(0, t.tensor([[1]])), lambda t, x: x.index_select(0, t.tensor([1.0])),
    lambda t, x: x.index_select(5, t.tensor([1])),
    lambda t, x: x.index_add(0, t.tensor([5]), x[:1]), lambda t, x: x.index_add(0, t.tensor([0]), x),
    lambda t, x: x.index_add(0, t.tensor([0, 0]), x.float()), lambda t, x: x.index_add(0, t.tensor([-1, 0]), x),
    lambda t, x: x.index_add(0, t.tensor([0]), x[:1, :2]), lambda t, x: x.index_copy(0, t.tensor([5]), x[:1]),
    lambda t, x: x.index_copy(0, t.tensor([0]), x), lambda t, x: x.index_copy(0, t.tensor([0]), x[:1].float()),
    lambda t, x: x.index_fill(0, t.tensor([5]), 1.0), lambda t, x: x.index_fill(0, t.tensor([1]), t.tensor([1.0])),
    lambda t, x: x.take(t.tensor([100])), lambda t, x: x.take(t.tensor([1.0])),
    lambda t, x: x.take_along_dim(t.tensor([0]), 0), lambda t, x: x.take_along_dim(t.zeros(1, 1, 1, dtype=t.int32), 0),
    lambda t, x: x.masked_select(t.tensor([1, 0, 1, 0])), lambda t, x: x.masked_select(t.tensor([True, False])),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_of_pytorchs_type_and_begin_like_its_message(number, torch):
    messages = []
    for library in (tg, torch):
        with pytest.raises((IndexError, RuntimeError, TypeError)) as error:
            ERRORS[number](library, base(library, (2, 3, 4)))
        messages.append((error.type, str(error.value).split(":")[0][:12].lower()))
    assert messages[0][0] is messages[1][0]


@pytest.mark.parametrize("index, message", [
    (np.array([5]), "index 5 is out of bounds for dimension 0 with size 2"),
    ((slice(None), np.array([-4])), r"index -4 is out of bounds for dimension \d with size 3"),
    ((np.array([0, 1]), np.array([0, 1, 2])), "indexing tensors could not be broadcast together with shapes"),
    ((0, 0, 0, np.array([0])), "too many indices for tensor of dimension 3"),
    (np.array([True]), r"The shape of the mask \[1\] at index 0 does not match the shape of the indexed tensor"),
    (np.array([1.0]), "tensors used as indices must be long, int, byte or bool tensors"),
])  # fmt: skip
def test_messages_are_pytorchs(index, message, torch):
    for library in (tg, torch):
        with pytest.raises(IndexError, match=message):
            base(library, (2, 3, 4))[of(library, index)]


@pytest.mark.parametrize("change", [
    lambda x: x.__setitem__(tg.tensor([0, 9]), 5.0),
    lambda x: x.index_put_((tg.tensor([0, 9]),), tg.ones(2, dtype=tg.float64)),
    lambda x: x.scatter_(0, tg.tensor([0, 9]), 5.0), lambda x: x.index_fill_(0, tg.tensor([0, 9]), 5.0),
    lambda x: x.scatter_add_(0, tg.tensor([0, 9]), tg.ones(2, dtype=tg.float64)),
    lambda x: x.index_add_(0, tg.tensor([0, 9]), tg.ones(2, dtype=tg.float64)),
    lambda x: x.index_copy_(0, tg.tensor([0, 9]), tg.ones(2, dtype=tg.float64)),
])  # fmt: skip
def test_nothing_is_written_if_an_index_is_out_of_range(change):
    x = tg.zeros(4, dtype=tg.float64)
    with pytest.raises((IndexError, RuntimeError)):
        change(x)
    assert x.tolist() == [0.0] * 4


def test_values_are_checked_before_anything_is_written():
    x = tg.zeros(2, 3)
    with pytest.raises(RuntimeError, match="cannot be broadcast to indexing result"):
        x[tg.tensor([0, 1])] = tg.ones(4)
    with pytest.raises(TypeError, match="can't assign a list"):
        x[tg.tensor([0])] = [1, 2, 3]
    assert x.tolist() == [[0.0] * 3] * 2


def test_the_last_of_several_values_for_one_place_stays():
    x = tg.zeros(3)
    x[tg.tensor([1, 1, 1])] = tg.tensor([1.0, 2.0, 3.0])
    assert x.tolist() == [0.0, 3.0, 0.0]


def test_only_the_value_that_stays_gets_a_gradient():
    """PyTorch gives the others the same gradient, although they made no difference."""
    v = tg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    x = tg.zeros(3).index_put((tg.tensor([1, 1, 0, 1]),), v)
    (x * tg.tensor([10.0, 20.0, 30.0])).sum().backward()
    assert x.tolist() == [3.0, 4.0, 0.0] and v.grad.tolist() == [0.0, 0.0, 10.0, 20.0]


def test_what_scatter_leaves_of_its_source_gets_no_gradient():
    """PyTorch raises in the backward pass where the source is larger than the index."""
    v = tg.ones(2, 3, requires_grad=True)
    tg.zeros(2, 3).scatter(1, tg.tensor([[2, 0]]), v).sum().backward()
    assert v.grad.tolist() == [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_augmented_assignment_counts_each_place_once():
    x = tg.zeros(3)
    x[tg.tensor([1, 1])] += 1.0
    assert x.tolist() == [0.0, 1.0, 0.0]


def test_a_tensor_may_be_assigned_to_itself_in_another_order():
    x = tg.tensor([1.0, 2.0, 3.0])
    x[tg.tensor([2, 0, 1])] = x
    assert x.tolist() == [2.0, 3.0, 1.0]
    x[tg.tensor([0, 1])] = x[1:]
    assert x.tolist() == [3.0, 1.0, 1.0]


def test_assignment_through_a_view_reaches_the_base_and_its_history(torch):
    found = []
    for library in (tg, torch):
        x, v = (library.ones(n, dtype=library.float64).requires_grad_() for n in (12, 2))
        y = (x * 2.0).reshape(3, 4)
        part = y.t()[1:]
        part[library.tensor([0, 2])] = v.reshape(2, 1) * 3.0
        weighted(library, y * y).backward()
        found.append((y, x.grad, v.grad))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-13)


def test_a_leaf_is_not_changed_by_index_outside_of_no_grad():
    x = tg.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        x[tg.tensor([0])] = 2.0
    with tg.no_grad():
        x[x > 0] = 2.0
    assert x.tolist() == [2.0, 2.0, 2.0] and x.is_leaf


def test_the_index_may_change_before_the_backward_pass():
    x, index = tg.tensor([1.0, 2.0, 3.0], requires_grad=True), tg.tensor([0, 0])
    y = x[index].sum()
    index.fill_(2)
    y.backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


def test_a_change_by_index_is_seen_by_what_was_saved_before():
    x = tg.ones(3, requires_grad=True)
    h = x * 2.0
    y = (h * h).sum()
    h[tg.tensor([0])] = 0.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("index", [ROWS, (ROWS, slice(None), ROWS), np.arange(6).reshape(2, 3) % 2 == 0])
def test_first_and_second_derivatives_of_brackets(index):
    x = tg.tensor(np.random.default_rng(1).standard_normal((2, 3, 4))).requires_grad_()
    v = tg.tensor(0.7, dtype=tg.float64).requires_grad_()

    def assign(x, v):
        y = x * x
        y[of(tg, index)] = v * v
        return y * x

    for function, operands in ((lambda x: x[of(tg, index)] ** 3, (x,)), (assign, (x, v))):
        assert gradcheck(function, operands)
        assert gradgradcheck(function, operands)
