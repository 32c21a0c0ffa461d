"""Joining, cutting up and reordering: PyTorch's values, views, gradients and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def numbers(library, *shape, dtype="float64"):
    return library.tensor(np.arange(float(np.prod(shape, dtype=int))).reshape(shape)).to(getattr(library, dtype))


def same(ours, theirs):
    """Shape, dtype, every element; of tuples, each."""
    if isinstance(theirs, tuple | list):
        assert isinstance(ours, tuple | list) and len(ours) == len(theirs)
        for x, expected in zip(ours, theirs, strict=True):
            same(x, expected)
        return
    assert tuple(ours.shape) == tuple(theirs.shape) and repr(ours.dtype) == repr(theirs.dtype)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


def weighted(library, y):
    """A sum of y (of all of them, for a tuple) in which every element counts differently."""
    if isinstance(y, tuple | list):
        return sum((weighted(library, part) * (k + 1.0) for k, part in enumerate(y)), library.zeros(()).double())
    return (y * library.tensor(np.cos(np.arange(float(y.numel()))).reshape(tuple(y.shape)))).sum()


# One tensor ------------------------------------------------------------------------------------------------------
VIEWS = {
    "narrow": lambda x: x.narrow(1, 1, 2), "narrow negative": lambda x: x.narrow(-1, -3, 2),
    "narrow nothing": lambda x: x.narrow(1, 3, 0), "select": lambda x: x.select(1, -1),
    "split": lambda x: x.split(2, 2), "split uneven": lambda x: x.split(3, -1), "split whole": lambda x: x.split(9),
    "sections": lambda x: x.split([1, 0, 2], 1), "chunk": lambda x: x.chunk(3, 2), "chunk more": lambda x: x.chunk(5),
    "unbind": lambda x: x.unbind(), "unbind 2": lambda x: x.unbind(2), "movedim": lambda x: x.movedim(0, 2),
    "movedim two": lambda x: x.movedim((0, 1), (2, 0)), "movedim back": lambda x: x.movedim(-1, 0),
    "swapaxes": lambda x: x.swapaxes(0, 2), "broadcast_to": lambda x: x.broadcast_to((2, 2, 3, 4)),
    "unflatten": lambda x: x.unflatten(2, (2, 2)), "unflatten -1": lambda x: x.unflatten(-1, (2, -1)),
    "ravel": lambda x: x.ravel(),
}  # fmt: skip
COPIES = {
    "repeat": lambda x: x.repeat(1, 2, 3), "repeat more": lambda x: x.repeat(2, 1, 1, 2),
    "repeat list": lambda x: x.repeat( [2, 2, 1]), "repeat never": lambda x: x.repeat(2, 0, 1),
    "tile": lambda x: x.tile(2), "tile more": lambda x: x.tile( (2, 1, 1, 1)), "flip": lambda x: x.flip(0),
    "flip two": lambda x: x.flip(0, -1), "flip list": lambda x: x.flip([1]), "flip none": lambda x: x.flip(()),
    "roll": lambda x: x.roll(5), "roll axis": lambda x: x.roll(1, 2), "roll two": lambda x: x.roll((1, -2), (0, 1)),
    "roll far": lambda x: x.roll(-7, -1), "roll nothing": lambda x: x.roll(0, 0), "tril": lambda x: x.tril(),
    "tril below": lambda x: x.tril(-1), "tril far": lambda x: x.tril(9), "triu": lambda x: x.triu(),
    "triu above": lambda x: x.triu(1), "triu below": lambda x: x.triu(-2),
}  # fmt: skip
FORMS = VIEWS | COPIES


@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_values_and_gradients_are_pytorchs(form, layout, torch):
    found = []
    for library in (tg, torch):
        x = numbers(library, 2, 3, 4).requires_grad_()
        y = form(x if layout == "contiguous" else (x * 1.0).transpose(0, 2).contiguous().transpose(0, 2))
        weighted(library, y).backward()
        found.append((y, x.grad))
    same(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1].numpy(), found[1][1].numpy(), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("form", VIEWS.values(), ids=VIEWS)
def test_parts_are_views(form, torch):
    """Writing to the part is writing to the whole, where PyTorch does the same."""
    found = []
    for library in (tg, torch):
        x = numbers(library, 2, 3, 4)
        parts = form(x)
        for part in parts if isinstance(parts, tuple) else (parts,):
            if tuple(part.shape) != (2, 2, 3, 4):  # an expanded one cannot be written to
                part.fill_(-1.0)
        found.append(x)
    same(*found)


@pytest.mark.parametrize("form", COPIES.values(), ids=COPIES)
def test_copies_are_not(form):
    x = numbers(tg, 2, 3, 4)
    form(x).fill_(-1.0)
    assert x.tolist() == numbers(tg, 2, 3, 4).tolist()


DIFFERENTIABLE = {k: form for k, form in FORMS.items() if k not in ("narrow nothing", "sections", "repeat never")}


@pytest.mark.parametrize("form", DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
def test_first_and_second_derivatives(form):
    x = tg.tensor(np.random.default_rng(0).standard_normal((2, 3, 4))).requires_grad_()
    assert gradcheck(lambda x: form(x * x), (x,))
    assert gradgradcheck(lambda x: form(x * x * x), (x,))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype, torch):
    for form in FORMS.values():
        same(*(form(numbers(library, 2, 3, 4, dtype=dtype)) for library in (tg, torch)))


def test_changes_of_split_parts_are_in_the_graph(torch):
    found = []
    for library in (tg, torch):
        x = numbers(library, 4, 2).requires_grad_()
        y = x * 2.0
        parts = [y[k : k + 2] for k in (0, 2)] if library is torch else y.split(2)
        parts[1].mul_(3.0).add_(x[1:3])
        weighted(library, y).backward()
        found.append((y, x.grad))
    same(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1].numpy(), found[1][1].numpy(), rtol=1e-13)


# Several ---------------------------------------------------------------------------------------------------------
JOINS = {
    "cat": lambda t, x, y: t.cat([x, y]), "cat 1": lambda t, x, y: t.cat((x, y[:, :2], x), 1),
    "cat -1": lambda t, x, y: t.cat([y, x], dim=-1), "one": lambda t, x, y: t.cat([x]),
    "same twice": lambda t, x, y: t.cat([x, x]), "empty": lambda t, x, y: t.cat([x, t.zeros(0), y]),
    "empty first": lambda t, x, y: t.cat([t.zeros(0), x], 1),
    "only empty": lambda t, x, y: t.cat([t.zeros(0), t.zeros(0)]), "no rows": lambda t, x, y: t.cat([x[:0], y]),
    "strided": lambda t, x, y: t.cat([x.t(), y.t()[:, ::2]], 1),
    "promotion": lambda t, x, y: t.cat([x, y.float(), y.long()]), "stack": lambda t, x, y: t.stack([x, y]),
    "stack 1": lambda t, x, y: t.stack([x, y, x], 1), "stack -1": lambda t, x, y: t.stack((x, y), dim=-1),
    "stack numbers": lambda t, x, y: t.stack([x[0, 0], y[1, 1]]),
    "stack dtypes": lambda t, x, y: t.stack([x, y.float()]), "hstack": lambda t, x, y: t.hstack([x, y]),
    "hstack rows": lambda t, x, y: t.hstack([x[0], y[1]]),
    "hstack numbers": lambda t, x, y: t.hstack([x[0, 0], y[0, 1]]), "vstack": lambda t, x, y: t.vstack((x, y)),
    "vstack rows": lambda t, x, y: t.vstack([x[0], y[1]]),
    "vstack numbers": lambda t, x, y: t.vstack([x[0, 0], y[0, 1]]),
}  # fmt: skip


@pytest.mark.parametrize("join", JOINS.values(), ids=JOINS)
def test_joining_is_pytorchs(join, torch):
    found = []
    for library in (tg, torch):
        x, y = numbers(library, 3, 3).requires_grad_(), (numbers(library, 3, 3) * -2.0).requires_grad_()
        out = join(library, x, y)
        if out.requires_grad:
            weighted(library, out).backward()
        found.append((out, x.grad, y.grad))
    same(found[0][0], found[1][0])
    for ours, theirs in zip(found[0][1:], found[1][1:], strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "join", [JOINS[k] for k in ("cat", "cat 1", "same twice", "strided", "stack 1", "vstack rows")]
)
def test_first_and_second_derivatives_of_joins(join):
    random = np.random.default_rng(0)
    x, y = (tg.tensor(random.standard_normal((3, 3))).requires_grad_() for _ in range(2))
    assert gradcheck(lambda x, y: join(tg, x * y, y * y), (x, y))
    assert gradgradcheck(lambda x, y: join(tg, x * y, y * y), (x, y))


@given(st.data())
def test_cat_and_split_of_random_shapes_undo_each_other(data):
    torch = pytest.importorskip("torch")
    shape = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    dtypes = data.draw(st.lists(st.sampled_from(DTYPES), min_size=len(sizes), max_size=len(sizes)))
    found = []
    for library in (tg, torch):
        parts = []
        for size, dtype in zip(sizes, dtypes, strict=True):
            shape[dim] = size
            parts.append(numbers(library, *shape, dtype=dtype))
        whole = library.cat(parts, dim)
        found.append((whole, *whole.split(sizes, dim)))
    same(*found)


@given(st.data())
def test_repeat_flip_and_roll_of_random_shapes_are_pytorchs(data):
    torch = pytest.importorskip("torch")
    shape = data.draw(st.lists(st.integers(0, 4), min_size=0, max_size=3))
    times = data.draw(st.lists(st.integers(0, 3), min_size=max(len(shape), 1), max_size=4))
    axes = [k for k in range(len(shape)) if data.draw(st.booleans())]
    shifts = [data.draw(st.integers(-5, 5)) for _ in axes]
    ours, theirs = numbers(tg, *shape), numbers(torch, *shape)
    same(ours.repeat(*times), theirs.repeat(*times))
    same(ours.tile(times), theirs.tile(times))
    same(ours.flip(axes), theirs.flip(axes))
    if axes:
        same(ours.roll(shifts, axes), theirs.roll(shifts, axes))


# Errors ----------------------------------------------------------------------------------------------------------
ERRORS = [
    lambda t, m: t.cat([]), lambda t, m: t.cat([m, m[0]]), lambda t, m: t.cat([m, m[:, :2]]), lambda t, m: t.cat(m),
    lambda t, m: t.cat([t.tensor(1.0), t.tensor(2.0)]), lambda t, m: t.cat([m, m], 2), lambda t, m: t.cat([m, 1]),
    lambda t, m: t.stack([]), lambda t, m: t.stack([m, m[0]]), lambda t, m: t.stack([m, m], 3),
    lambda t, m: t.hstack([]), lambda t, m: m.split([1, 3], 1), lambda t, m: m.split(-1), lambda t, m: m.split(0),
    lambda t, m: m.split(1, 5), lambda t, m: t.tensor(1.0).split(1), lambda t, m: m.chunk(0),
    lambda t, m: t.tensor(1.0).chunk(2), lambda t, m: t.tensor(1.0).unbind(), lambda t, m: m.unbind(2),
    lambda t, m: m.repeat(2), lambda t, m: m.repeat(-1, 1), lambda t, m: m.flip(2), lambda t, m: m.flip(0, 0),
    lambda t, m: m.flip(), lambda t, m: m.roll(1, (0, 1)), lambda t, m: m.roll((1, 2)), lambda t, m: m.roll(1, 2),
    lambda t, m: m[0].tril(), lambda t, m: m.narrow(1, 2, 2), lambda t, m: m.narrow(1, 0, -1),
    lambda t, m: m.narrow(2, 0, 1), lambda t, m: m.narrow(1, 4, 0), lambda t, m: t.tensor(1.0).narrow(0, 0, 1),
    lambda t, m: m.select(1, 3), lambda t, m: m.select(2, 0), lambda t, m: t.tensor(1.0).select(0, 0),
    lambda t, m: m.movedim((0, 1), (1,)), lambda t, m: m.movedim((0, 0), (0, 1)), lambda t, m: m.movedim(2, 0),
    lambda t, m: m.broadcast_to((2, 2)), lambda t, m: m.unflatten(1, (2, 2)), lambda t, m: m.unflatten(1, (-1, -1)),
    lambda t, m: m.unflatten(5, (3,)), lambda t, m: m.unflatten(1, ()),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_of_pytorchs_type(number, torch):
    found = []
    for library in (tg, torch):
        with pytest.raises((IndexError, RuntimeError, TypeError, ValueError)) as error:
            ERRORS[number](library, numbers(library, 2, 3))
        found.append(error.type)
    assert found[0] is found[1]


@pytest.mark.parametrize("of_nothing", [
    lambda t: t.tensor(2.0).repeat(3), lambda t: t.tensor(2.0).tile(3), lambda t: t.tensor(2.0).flip(0),
    lambda t: t.tensor(2.0).roll(1), lambda t: t.tensor(2.0).movedim(0, 0), lambda t: t.tensor(2.0).ravel(),
    lambda t: t.zeros(0, 3).split(0), lambda t: t.zeros(0, 3).split(2), lambda t: t.zeros(0, 3).chunk(3),
    lambda t: t.zeros(0, 3).unbind(), lambda t: t.zeros(0, 3).unbind(1), lambda t: t.zeros(0).roll(1),
    lambda t: t.zeros(2, 0).roll(1, 1), lambda t: t.zeros(0, 3).flip(0, 1), lambda t: t.zeros(0, 3).tril(),
    lambda t: t.zeros(3, 0).triu(), lambda t: t.zeros(0, 3).repeat(2, 2), lambda t: t.zeros(0).unflatten(0, (2, 0)),
])  # fmt: skip
def test_0d_and_empty_tensors(of_nothing, torch):
    same(of_nothing(tg), of_nothing(torch))


def test_functions_are_the_methods():
    x = numbers(tg, 2, 3)
    assert tg.flip(x, (0,)).tolist() == x.flip(0).tolist() and tg.roll(x, 1).tolist() == x.roll(1).tolist()
    assert [y.tolist() for y in tg.split(x, 2, dim=1)] == [y.tolist() for y in x.split(2, 1)]
    assert tg.tril(x).tolist() == x.tril().tolist() and tg.movedim(x, 0, 1).shape == (3, 2)
