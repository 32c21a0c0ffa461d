"""Indexing on device='cuda': places, taking, putting, adding, masks. Values and gradients are those of the CPU."""

import numpy as np
import pytest
from tinygrad_kernels.cuda import backend, indexing, memory

import tinygrad_edu as tg

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def numbers(shape, dtype, seed=0):
    """Small whole numbers, whose sums and products are exact in every dtype."""
    values = np.random.default_rng(seed).integers(0 if dtype == "uint8" else -3, 4, shape)
    return (values > 0) if dtype == "bool" else values.astype(dtype)


def same(function, *arrays, rtol=0.0):
    """The results of a function of tensors, and the gradients of its floats, on the GPU and on the CPU."""
    found = []
    for device in ("cpu", "cuda"):
        tensors = [tg.tensor(a, device=device, requires_grad=a.dtype.kind == "f") for a in arrays]
        results = function(*tensors)
        results = list(results) if isinstance(results, tuple) else [results]
        assert all(y.device.type == device for y in results)
        leaves = [x for x in tensors if x.requires_grad]
        total = sum((y * tg.tensor(weights(y), device=device)).sum() for y in results if y.requires_grad)
        if not isinstance(total, int):
            total.backward()
        found.append([y.detach().cpu().numpy() for y in (*results, *(x.grad for x in leaves if x.grad is not None))])
    assert len(found[0]) == len(found[1])
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert on_cpu.dtype == on_gpu.dtype and on_cpu.shape == on_gpu.shape
        np.testing.assert_allclose(on_gpu, on_cpu, rtol=rtol, atol=0)


def weights(y):
    """A cotangent of small whole numbers."""
    return np.random.default_rng(7).integers(-2, 3, tuple(y.shape)).astype(str(y.dtype).split(".")[-1])


def at(*rows):
    return np.array(rows, np.int64)


def dtypes_for(name, table):
    """float32, and another dtype from row to row of a table: all have their turn."""
    return "float32", [*DTYPES[:6], "float64"][list(table).index(name) % 7]


# Reading ------------------------------------------------------------------------------------------------------
READS = {
    "rows, repeated and negative": lambda x, i, j, m: x[i],
    "pairs": lambda x, i, j, m: x[i[1:], j],
    "every combination": lambda x, i, j, m: x[i[:, None], j],
    "apart": lambda x, i, j, m: x.unsqueeze(1)[i[1:], :, j],
    "columns of a transposed matrix": lambda x, i, j, m: x.t()[:, i],
    "a mask": lambda x, i, j, m: x[m],
    "a mask of rows": lambda x, i, j, m: x[m[:, 0], 1:],
    "index_select": lambda x, i, j, m: x.index_select(1, j),
    "gather, all of a row": lambda x, i, j, m: x.gather(1, j.expand(5, 3)),
    "gather, a part": lambda x, i, j, m: x.gather(0, j.reshape(1, 3)),
    "take": lambda x, i, j, m: x.take(i),
    "no places": lambda x, i, j, m: x[i[:0]],
    "nonzero": lambda x, i, j, m: x.nonzero(),
    "joined": lambda x, i, j, m: tg.cat((x, x[:, 1:2], x.narrow(1, 0, 0)), 1),
    "lower triangle": lambda x, i, j, m: x.tril(-1),
    "upper triangle": lambda x, i, j, m: x.reshape(2, 5, 2).triu(1),
}


@pytest.mark.parametrize("name", READS)
def test_reading(name, order):
    mask = numbers((5, 4), "bool", 3)
    for dtype in dtypes_for(name, READS):
        same(READS[name], numbers((5, 4), dtype), at(4, -1, 0, 4), at(3, 0, 2), mask)


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 100])
def test_the_places_of_a_mask(n, order):
    for seed, dtype in enumerate(["bool", "float32"]):
        x = numbers(n, dtype, seed)
        found = tg.tensor(x, device="cuda").nonzero().cpu().numpy()
        np.testing.assert_array_equal(found[:, 0], np.flatnonzero(x))


def test_places_found_by_many_blocks(order):
    x = np.random.default_rng(0).random(4100) < 0.1
    np.testing.assert_array_equal(tg.tensor(x, device="cuda").nonzero().cpu().numpy()[:, 0], np.flatnonzero(x))


@pytest.mark.parametrize(("dtype", "width"), [("int8", 16), ("float32", 3), ("float32", 16), ("float64", 2)])
def test_whole_rows(dtype, width, order):
    """Rows of a multiple of 16 bytes take the kernels that move 16 at a time."""
    x, rows = numbers((9, width), dtype), at(8, 3, 3, 0)
    same(lambda x, i: x[i], x, rows)
    same(lambda x, i, v: x.index_copy(0, i, v), x, at(8, 3, 0), numbers((3, width), dtype, 1))
    same(lambda x: tg.cat((x, x), 1), x)


def test_a_buffer_that_begins_anywhere_is_moved_one_by_one():
    whole = memory.from_numpy(np.arange(13, dtype=np.float32))
    unit, sizes, _ = indexing.as_units((4,), whole[1:9])
    assert (unit, sizes) == ("uint32", (4,))
    out = memory.empty(4, np.dtype("float32"))
    backend.take(out, whole[1:9], memory.from_numpy(at(1)), 1, 2, 4)
    assert memory.to_numpy(out).tolist() == [5.0, 6.0, 7.0, 8.0]


def test_axes_that_lie_as_one_take_one_launch():
    assert indexing.other_axes((2, 3, 4, 5), (60, 20, 5, 1), 0) == [(1, 60, 1)]
    assert indexing.other_axes((2, 3, 4, 5), (60, 20, 5, 1), 1) == [(1, 20, 1), (60, 2, 60)]
    assert indexing.other_axes((2, 3, 4), (60, 15, 3), 2) == [(4, 3, 15), (12, 2, 60)]
    assert indexing.other_axes((1, 7, 1), (7, 1, 1), 1) == []


# Writing ------------------------------------------------------------------------------------------------------
WRITES = {
    "index_put": lambda x, v, i, j: x.index_put((i,), v),
    "index_put, added": lambda x, v, i, j: x.index_put((i,), v, accumulate=True),
    "index_add": lambda x, v, i, j: x.index_add(0, i % 5, v),
    "index_fill": lambda x, v, i, j: x.index_fill(0, i, 2),
    "put": lambda x, v, i, j: x.put(j, v.reshape(-1)[:7]),
    "scatter": lambda x, v, i, j: x.scatter(0, (j[:4] % 5).reshape(1, 4), v),
    "scatter of a number": lambda x, v, i, j: x.scatter(1, j[:4].reshape(4, 1) % 4, 1),
    "masked_scatter": lambda x, v, i, j: x.masked_scatter(x > 0, v.reshape(-1).repeat(2)),
}
JOINS = ["sum", "prod", "amax", "amin"]


@pytest.mark.parametrize("name", WRITES)
def test_writing(name, order):
    for dtype in dtypes_for(name, WRITES):
        x, v = numbers((5, 4), dtype), numbers((4, 4), dtype, 1)
        same(WRITES[name], x, v, at(4, -1, 0, 4), at(3, 0, 3, 19, 3, -1, 7))


@pytest.mark.parametrize("dtype", DTYPES)
def test_joining_at_places(dtype, order):
    x, v, index = numbers((3, 4), dtype, 5), numbers((3, 4), dtype, 6), np.random.default_rng(2).integers(0, 3, (3, 4))
    turn = DTYPES.index(dtype)
    for op in JOINS if dtype == "float32" else [JOINS[turn % 4], JOINS[(turn + 1) % 4]]:
        same(lambda x, v, i, op=op: x.scatter_reduce(0, i, v, op), x, v, index, rtol=1e-6)


def test_nan_wins_where_places_meet(order):
    x, v = np.zeros(2, np.float32), np.array([1, np.nan, 2, 3], np.float32)
    for op in ("amax", "amin"):
        found = tg.tensor(x, device="cuda").scatter_reduce(
            0, tg.tensor(at(0, 0, 0, 1), device="cuda"), tg.tensor(v, device="cuda"), op
        )
        np.testing.assert_array_equal(found.cpu().numpy(), [np.nan, 3 if op == "amax" else 0])


@pytest.mark.parametrize("count", [256, 257, 600])
def test_runs_longer_than_a_chunk(count, order):
    """One place, and a second one that begins inside a chunk, or exactly with one."""
    for first in (count, 256):
        places = (np.arange(count) >= first).astype(np.int64)[::-1].copy()
        same(lambda x, v, i: x.index_add(0, i, v), numbers(2, "float32"), numbers(count, "float32", 1), places)


def test_repeated_places_add_up_in_the_order_of_the_cpu(order):
    """So the results are the same bits, although the sums are rounded."""
    random = np.random.default_rng(0)
    x, v = random.standard_normal((3, 2)).astype("f4"), random.standard_normal((40, 2)).astype("f4")
    same(lambda x, v, i: x.index_add(0, i, v), x, v, random.integers(0, 3, 40))


def test_assignment_and_its_gradient(order):
    def assigned(x, v, i):
        y = x * 1
        y[i, 1:3] = v
        y[y > 2] = 0.5
        return y

    same(assigned, numbers((5, 4), "float32"), numbers((4, 2), "float32", 1), at(4, 4, 0, 2))


def test_a_large_buffer_of_places_keeps_the_last(order):
    places = np.random.default_rng(0).integers(0, 50, 700)
    x, v = np.zeros(50), np.arange(700.0)
    same(lambda x, v, i: x.put(i, v), x, v, places)


# Errors -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "call",
    [
        lambda x, bad: x[bad],
        lambda x, bad: x.index_select(0, bad),
        lambda x, bad: x.gather(0, bad),
        lambda x, bad: x.take(bad),
        lambda x, bad: x.scatter(0, bad, 1.0),
    ],
)
def test_the_first_index_out_of_range_is_named(call, order):
    messages = []
    for device in ("cpu", "cuda"):
        x, bad = tg.zeros(5, device=device), tg.tensor([0, 1, 2, 3, 7, -9], device=device)
        with pytest.raises((IndexError, RuntimeError)) as caught:
            call(x, bad)
        messages.append((caught.type, str(caught.value)))
    assert messages[0] == messages[1]
