"""Indexing by tensors as methods, functions and in place, as a table; and square brackets with random indices."""

import random
import warnings

import numpy as np
import pytest
from oracle import booleans, distinct, fixed, integers, parity, row

import tinygrad_edu as tg

I23 = fixed([[0, 1, 0], [1, 1, 0]])
ROWS = [
    row("gather", lambda m, x, i: (x.gather(1, i), m.gather(x, -1, i), m.gather(input=x, dim=0, index=i[:1, :2]),
                                   x.gather(0, i, sparse_grad=False), x.gather(1, i.int())), (2, 3), I23),
    row("scatter", lambda m, x, i, v: (x.scatter(1, i[:, :1], v[:, :1]), m.scatter(x, 0, i[:1], 2.5), x.scatter(0,
        i[:1],
        value=1),
                                       x.scatter(dim=0, index=i[:1], src=v[:1])), (2, 3), I23, (2, 3)),
    row("scatter reduce", lambda m, x, i, v: (x.scatter(0, i, 2.0, reduce="add"), m.scatter(x, 0, i, v,
        reduce="multiply")),
        (2, 3), I23, (2, 3), gradient=False),
    row("scatter_add", lambda m, x, i, v: (x.scatter_add(0, i, v), m.scatter_add(x, 1, i, v)), (2, 3), I23, (2, 3)),
    *(row(f"scatter_reduce {op} {own}", lambda m, x, i, v, op=op, own=own: (
        x.scatter_reduce(0, i, v, op, include_self=own), m.scatter_reduce(x, 1, i[:, :2], v[:, :2], reduce=op,
        include_self=own)),
        distinct(2, 3), I23, distinct(2, 3)) for op in ("sum", "prod", "mean", "amax", "amin") for own in (True,
        False)),
    row("scatter_reduce with zeros and ties", lambda m, x, v: tuple(
        x.scatter_reduce(0, m.tensor([0, 0, 1, 1]), v, op) for op in ("prod", "amax", "amin")),
        fixed([0.0, 2.0, 1.0]), fixed([3.0, 0.0, 0.0, 2.0]), second=False, gradient=True, layouts=["contiguous"]),
    row("scatter_reduce of integers", lambda m, x, i: tuple(
        x.scatter_reduce(0, i, x * 3, op, include_self=own) for op in ("sum", "prod", "mean", "amax",
        "amin") for own in (True, False)),
        integers(1, 9, 2, 3), I23, gradient=False),
    row("take", lambda m, x, i: (x.take(i), m.take(x, index=i - 6), x.take(i[0, 0])), (2, 3), integers(0, 6, 2, 2)),
    row("take_along_dim", lambda m, x, i: (x.take_along_dim(i, 1), m.take_along_dim(x, i[:1], dim=1),
        x.contiguous().take_along_dim(i.contiguous()),
                                           m.take_along_dim(input=x, indices=i, dim=0)), (2, 3), I23),
    row("put", lambda m, x, v: (m.put(x, m.tensor([1, -1]), v), x.put(m.tensor([[2, 2]]), v, accumulate=True)), (2,
        3), (2,)),
    row("index_select", lambda m, x: (x.index_select(0, m.tensor([1, 1, 0])), m.index_select(x, dim=1,
        index=m.tensor(2))), (2, 3)),
    row("index_add", lambda m, x, v: (x.index_add(1, m.tensor([0, 0]), v), m.index_add(x, 1, m.tensor([2, 0]), v,
        alpha=-2)), (2, 3), (2, 2)),
    row("index_copy", lambda m, x, v: (x.index_copy(1, m.tensor([2, 0]), v), m.index_copy(x, -1, m.tensor([1, 0]),
        v)), (2, 3), (2, 2)),
    row("index_fill", lambda m, x: (x.index_fill(1, m.tensor([0, -1]), 5.0), m.index_fill(x, 0, m.tensor(1), 2)), (2,
        3)),
    row("index_put", lambda m, x, v: (x.index_put((m.tensor([1, 0]), m.tensor([2, 2])), v),
        x.index_put([m.tensor([True, False])], v[0]),
                                      m.index_put(x, (m.tensor([1, 1]), m.tensor([2, 2])), v, accumulate=True)), (2,
        3), (2,)),
    row("masked_select", lambda m, x, k: (x.masked_select(k), m.masked_select(x, k[:1]), x[k]), (2, 3), fixed([[True,
        False, True], [False, True, True]])),
    row("masked_scatter", lambda m, x, v, k: (x.masked_scatter(k, v), m.masked_scatter(x, k[:1], v),
        x[:1].masked_scatter(k, v)),
        (2, 3), (7,), fixed([[True, False, True], [False, True, True]])),
    row("masked_fill", lambda m, x, k: (x.masked_fill(k, 2.0), m.masked_fill(x, k[0], -1)), (2, 3), booleans(2, 3)),
    row("select_scatter", lambda m, x, v: (x.select_scatter(v, 0, 1), m.select_scatter(x, v[:2], dim=1, index=-1)),
        (2, 3), (3,)),
    row("slice_scatter", lambda m, x, v: (x.slice_scatter(v, 1, 0, 2), m.slice_scatter(x, v, dim=1, start=-3, step=2),
                                          x.slice_scatter(v[:1].expand(1, 2)[:, :1].expand(1, 3), 0, end=1)), (2, 3),
        (2, 2)),
    row("diagonal_scatter", lambda m, x, v: (x.diagonal_scatter(v), m.diagonal_scatter(x, v, offset=1)), (2, 3), (2,)),
    row("where", lambda m, x, y, k: (m.where(k, x, y), x.where(k, 0.0), m.where(k[0], 1.0, y)), (2, 3), (2, 3),
        booleans(2, 3)),
    row("nonzero", lambda m, x: (x.nonzero(), m.nonzero(x, as_tuple=True), x.argwhere(), m.where(x != 0),
        m.argwhere(x[0, 0])),
        integers(0, 2, 3, 4), gradient=False),
    row("count_nonzero", lambda m, x: (x.count_nonzero(), m.count_nonzero(x, 0), x.count_nonzero(dim=(0, -1))),
        integers(0, 2, 3, 4), gradient=False),
    row("isin", lambda m, x, y: (m.isin(x, y), m.isin(x, 2), m.isin(3, y), m.isin(x, y, invert=True),
        m.isin(elements=x, test_elements=y.double(), assume_unique=True),
                                 m.isin(x, m.tensor([]))), integers(0, 9, 3, 4), integers(0, 9, 3), gradient=False),
    row("brackets", lambda m, x: (x[1], x[-1, :, 2], x[..., 0], x[None, 1], x[:, None, ::2], x[[0, 1, 0]], x[:, [2,
        0]], x[0, [1, 1], 1:], x[...],
                                  x[range(2)], x[True], x[m.tensor(1)], x[:, m.tensor([[0], [2]]), m.tensor([1, 0])],
        x[m.tensor([0, 1]), :, m.tensor([1, 0])],
                                  x[m.tensor([[True, False, True], [False, True, False]])], x[..., None,
        m.tensor([1])]), (2, 3, 4)),
]  # fmt: skip

REFUSED = {
    "index out of range": lambda m: m.zeros(3)[3],
    "too many": lambda m: m.zeros(3)[0, 0],
    "of 0-d": lambda m: m.zeros(())[0],
    "float": lambda m: m.zeros(3)[1.0],
    "float number": lambda m: m.zeros(3)[m.tensor(1.0)],
    "assign another dtype": lambda m: m.zeros(3).__setitem__([0, 1], m.tensor([1, 2])),
    "assign nan": lambda m: m.zeros(3, dtype=m.int64).__setitem__(0, float("nan")),
    "float tensor": lambda m: m.zeros(3)[m.tensor([1.0])],
    "step": lambda m: m.zeros(3)[::-1],
    "tensor out of range": lambda m: m.zeros(3)[m.tensor([0, -4])],
    "mask": lambda m: m.zeros(3)[m.tensor([True, False])],
    "shapes": lambda m: m.zeros(3, 3)[m.tensor([0, 1]), m.tensor([0, 1, 2])],
    "two ellipses": lambda m: m.zeros(2, 3)[..., ..., 0],
    "assigned shape": lambda m: m.zeros(3, 3).__setitem__(0, m.zeros(2)),
    "assigned shape at places": lambda m: m.zeros(3, 3).__setitem__(m.tensor([0, 1]), m.zeros(2)),
    "assigned string": lambda m: m.zeros(3).__setitem__(0, "a"),
    "gather dimensions": lambda m: m.zeros(2, 3).gather(0, m.tensor([0])),
    "gather range": lambda m: m.zeros(2, 3).gather(0, m.tensor([[2]])),
    "gather size": lambda m: m.zeros(2, 3).gather(0, m.zeros(1, 4, dtype=m.int64)),
    "gather dtype": lambda m: m.zeros(2).gather(0, m.zeros(1)),
    "scatter dtype": lambda m: m.zeros(2).scatter(0, m.tensor([0]), m.tensor([1])),
    "scatter reduce": lambda m: m.zeros(2).scatter(0, m.tensor([0]), 1.0, reduce="sum"),
    "scatter_reduce": lambda m: m.zeros(2).scatter_reduce(0, m.tensor([0]), m.ones(1), "median"),
    "scatter_reduce dtype": lambda m: m.zeros(2).scatter_reduce(0, m.tensor([0]), m.tensor([1]), "sum"),
    "take range": lambda m: m.zeros(2).take(m.tensor([2])),
    "put size": lambda m: m.zeros(2).put(m.tensor([1]), m.zeros(2)),
    "put dtype": lambda m: m.zeros(2).put(m.tensor([1]), m.tensor([1])),
    "put index": lambda m: m.zeros(2).put(m.tensor([1.0]), m.zeros(1)),
    "index_select": lambda m: m.zeros(2).index_select(0, m.tensor([-1])),
    "index_select shape": lambda m: m.zeros(2).index_select(0, m.tensor([[0]])),
    "index_add": lambda m: m.zeros(2).index_add(0, m.tensor([0]), m.zeros(2)),
    "masked_select": lambda m: m.zeros(2).masked_select(m.tensor([1, 0])),
    "masked_scatter": lambda m: m.zeros(2).masked_scatter(m.tensor([True, True]), m.zeros(1)),
    "masked_scatter mask": lambda m: m.zeros(2).masked_scatter(m.tensor([1, 1]), m.zeros(2)),
    "masked_scatter dtype": lambda m: m.zeros(2).masked_scatter(m.tensor([True, True]), m.tensor([1, 2])),
    "select_scatter": lambda m: m.zeros(2, 3).select_scatter(m.zeros(1), 0, 0),
    "slice_scatter": lambda m: m.zeros(2, 3).slice_scatter(m.zeros(2, 1), 1, step=2),
    "take_along_dim": lambda m: m.zeros(2, 3).take_along_dim(m.tensor([0]), 1),
    "isin": lambda m: m.isin(1, 2),
}  # fmt: skip

TestIndexing = parity(ROWS, REFUSED)

IN_PLACE = {
    "scatter_": lambda m, x, i, v: x.scatter_(0, i, v),
    "scatter_ a number": lambda m, x, i, v: x.scatter_(0, i, 2.0),
    "scatter_add_": lambda m, x, i, v: x.scatter_add_(0, i, v),
    "scatter_reduce_": lambda m, x, i, v: x.scatter_reduce_(0, i, v, "amax", include_self=False),
    "put_": lambda m, x, i, v: x.put_(m.tensor([0, 4]), v[0, :2]),
    "index_add_": lambda m, x, i, v: x.index_add_(0, m.tensor([1, 1]), v, alpha=2),
    "index_copy_": lambda m, x, i, v: x.index_copy_(0, m.tensor([1, 0]), v),
    "index_fill_": lambda m, x, i, v: x.index_fill_(1, m.tensor([1]), 3.0),
    "index_put_": lambda m, x, i, v: x.index_put_((m.tensor([1, 1]),), v, accumulate=True),
    "masked_fill_": lambda m, x, i, v: x.masked_fill_(i == 1, 3.0),
    "masked_scatter_": lambda m, x, i, v: x.masked_scatter_(i == 1, v),
    "brackets": lambda m, x, i, v: (x.__setitem__((slice(None), m.tensor([2, 0])), v[:, :2]), x)[1],
    "brackets, a mask": lambda m, x, i, v: (x.__setitem__(i == 1, v[0, 0]), x)[1],
}  # fmt: skip


@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_forms_in_place_change_the_tensor_and_its_history(change, torch):
    results = []
    for m in (tg, torch):
        a = m.linspace(-1.0, 1.5, 6, dtype=m.float64).reshape(2, 3).requires_grad_()
        v = m.linspace(0.5, 2.0, 6, dtype=m.float64).reshape(2, 3).requires_grad_()
        x = a * 2.0
        part = x[:, 1]
        assert change(m, x, m.tensor([[0, 1, 0], [1, 0, 1]]), v) is x
        (x.exp().sum() + part.sin().sum()).backward()
        results.append([t.detach().tolist() for t in (x, part, a.grad, v.grad if v.grad is not None else a.grad)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def random_item(r: random.Random, n: int):
    """One part of an index, for an axis of n elements: now and then one that is out of range. ('t',
    array): a tensor."""
    numbers = [r.randrange(-n, n + (r.random() < 0.03)) for _ in range(r.choice([1, 2, 3]))]
    return r.choice([
        None, ..., r.choice([True, False]), numbers[0], numbers[0], slice(r.choice([None, 0, 1, -2]), r.choice([None,
        2, -1, 9])),
        slice(None, None, 2), slice(None), numbers, range(r.randrange(n + 1)), ("t", np.array(numbers[0])), ("t",
        np.array(numbers)),
        ("t", np.array([[numbers[0]], [0]], r.choice([np.int64, np.int32]))), ("t",
        np.array([r.random() < 0.5 for _ in range(n)])),
        ("t", np.array(r.random() < 0.5)), [r.random() < 0.5 for _ in range(n)], np.int64(0), 1.0, ("t",
        np.array([0.5])), [],
    ])  # fmt: skip


def outcome(m, shape, index, assigned):
    """What x[index], or x[index] = assigned, gives: a shape, values, the gradient; or a type of error."""
    parts = tuple(m.tensor(i[1]) if type(i) is tuple else i for i in index)
    leaf = m.tensor(np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)).requires_grad_()
    y = leaf * 1.0
    try:
        found = y[parts if len(parts) > 1 else parts[0]]
        if assigned is not None:
            y[parts if len(parts) > 1 else parts[0]] = assigned
            found = y
    except (IndexError, TypeError, ValueError) as error:
        return type(error)
    weights = m.tensor(np.cos(np.arange(float(found.numel()))).reshape(tuple(found.shape)))
    (found * weights).sum().backward()
    return tuple(found.shape), found.tolist(), leaf.grad.tolist()


@pytest.mark.parametrize("assigned", [None, 7.0], ids=["x[i]", "x[i] = v"])
def test_square_brackets_take_what_pytorchs_take(assigned, torch):
    """1,000 random mixtures of ints, slices, None, ..., masks, lists, ranges and tensors: results, gradients,
    errors."""
    r, compared = random.Random(0), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(1000):
            shape = r.choice([(3,), (2, 3), (4, 3, 2), (2, 3, 1, 4)])
            index = [random_item(r, shape[min(k, len(shape) - 1)]) for k in range(r.choice([1, 1, 2, 2, 3]))]
            theirs, ours = outcome(torch, shape, index, assigned), outcome(tg, shape, index, assigned)
            assert ours == theirs, f"x{list(shape)}[{index}]"
            compared += type(theirs) is tuple
    assert compared > 500


def test_a_second_derivative_of_a_product_at_zero_is_refused():
    x = tg.tensor([0.0, 2.0], requires_grad=True)
    y = x.scatter_reduce(0, tg.tensor([0]), tg.ones(1), "prod")
    with pytest.raises(RuntimeError, match="second derivative"):
        tg.autograd.grad(y.sum(), x, create_graph=True)


def test_numbers_of_numpy_can_be_assigned():
    x = tg.zeros(3)
    x[np.int64(1)] = np.float32(2.5)
    assert x.tolist() == [0.0, 2.5, 0.0]
