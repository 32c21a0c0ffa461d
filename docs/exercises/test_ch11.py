"""Tests of the exercises of chapter 11. Their messages are for you: read the line that starts with E."""

import numpy as np
import pytest

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install greenlet")
from tinygrad_kernels.cuda import simulator
from tinygrad_kernels.cuda.simulator import cuda, launch

RNG = np.random.default_rng(11)
either_order = pytest.mark.parametrize("backwards", [False, True], ids=["forward", "reverse"])
sizes = pytest.mark.parametrize("m, n, k", [(4, 4, 4), (1, 1, 1), (5, 9, 6), (3, 6, 11)])


def tiles(n, side):
    return -(-n // side)


class Watched:
    """A flat array that remembers who read what: (thread, place), in order."""

    def __init__(self, x):
        self.x, self.read = x.reshape(-1), []

    def __getitem__(self, place):
        assert 0 <= place < self.x.size, f"element {place} of {self.x.size}: beyond an edge there is nothing to read"
        self.read.append(((cuda.blockIdx.x, cuda.blockIdx.y, cuda.threadIdx.y, cuda.threadIdx.x), place))
        return self.x[place]


@either_order
@sizes
def test_1_times_transposed(m, n, k, backwards, exercise):
    module = exercise("ch11_1_tiled")
    a, b, c = RNG.normal(size=(m, k)), RNG.normal(size=(n, k)), np.full(m * n, np.nan)
    blocks = tiles(n, module.SIDE), tiles(m, module.SIDE)
    watched = Watched(a), Watched(b)
    launch(module.times_transposed, blocks, (module.SIDE, module.SIDE), c, *watched, m, n, k, backwards=backwards)
    message = "nan: a thread has read before another one had written; numbers: another product"
    np.testing.assert_allclose(c.reshape(m, n), a @ b.T, atol=1e-12, err_msg=message)


def test_1_neighbours_read_neighbours_and_each_number_once(exercise):
    module = exercise("ch11_1_tiled")
    side = module.SIDE
    a, b = Watched(RNG.normal(size=(side, side))), Watched(RNG.normal(size=(side, side)))
    launch(module.times_transposed, 1, (side, side), np.zeros(side * side), a, b, side, side, side)
    for name, x in (("a", a), ("b", b)):
        assert len(x.read) == side * side, f"each thread is to read one number of {name}"
        place = {thread[2:]: place for thread, place in x.read}
        for y in range(side):
            row = [place[y, x] for x in range(side)]
            assert row == list(range(row[0], row[0] + side)), f"threads side by side must read {name} side by side"


@either_order
@sizes
def test_2_two_buffers(m, n, k, backwards, exercise):
    module = exercise("ch11_2_buffers")
    a, b, c = RNG.normal(size=(m, k)), RNG.normal(size=(k, n)), np.full(m * n, np.nan)
    blocks = tiles(n, module.SIDE), tiles(m, module.SIDE)
    threads = module.SIDE, module.SIDE
    launch(module.product, blocks, threads, c, a.reshape(-1), b.reshape(-1), m, n, k, backwards=backwards)
    message = "nan or another product: a buffer was read before it was full, or written while others read it"
    np.testing.assert_allclose(c.reshape(m, n), a @ b, atol=1e-12, err_msg=message)


def test_2_one_barrier_in_a_round(exercise, monkeypatch):
    module = exercise("ch11_2_buffers")
    waited, wait = [], simulator._wait
    monkeypatch.setattr(simulator, "_wait", lambda kind: (waited.append(kind), wait(kind)))
    side, rounds = module.SIDE, 3
    a = RNG.normal(size=side * side * rounds)
    launch(module.product, 1, (side, side), np.zeros(side * side), a, a, side, side, side * rounds)
    assert len(waited) <= (rounds + 1) * side * side, "one barrier before the loop and one in each round are enough"


@either_order
@pytest.mark.parametrize("pieces", [1, 2, 4, 7])
@pytest.mark.parametrize("m, n, k", [(2, 3, 8), (1, 1, 5), (3, 2, 30)])
def test_3_the_pieces(m, n, k, pieces, backwards, exercise):
    module = exercise("ch11_3_split")
    a, b = RNG.normal(size=(m, k)), RNG.normal(size=(k, n))
    parts, c = np.full((pieces, m, n), np.nan), np.full(m * n, np.nan)
    flat = parts.reshape(-1)
    blocks = tiles(m * n, 4), 1, pieces
    launch(module.partial, blocks, 4, flat, a.reshape(-1), b.reshape(-1), m, n, k, pieces, backwards=backwards)
    length = -(-k // pieces)
    for z in range(pieces):
        mine = slice(z * length, (z + 1) * length)
        np.testing.assert_allclose(
            parts[z], a[:, mine] @ b[mine], atol=1e-12, err_msg=f"piece {z} of {pieces}, k = {k}"
        )
    launch(module.join, tiles(m * n, 4), 4, c, flat, m * n, pieces, backwards=backwards)
    np.testing.assert_allclose(c.reshape(m, n), a @ b, atol=1e-12)
