"""Tests of the exercises of chapter 09. Their messages are for you: read the line that starts with E."""

import numpy as np
import pytest

pytest.importorskip("greenlet", reason="the simulator needs greenlet: pip install greenlet")
from tinygrad_kernels.cuda.simulator import cuda, launch

RNG = np.random.default_rng(9)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30])
def test_1_add_each_element_once(n, exercise):
    x, y, out = RNG.normal(size=n), RNG.normal(size=n), np.full(n, np.nan)
    launch(exercise("ch09_1_add").add, 5, 8, out, x, y)
    np.testing.assert_allclose(out, x + y, err_msg="nan is an element that no thread has written")


@pytest.mark.parametrize("backwards", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("n", [1, 8, 9, 30])
def test_2_average_in_either_order(n, backwards, exercise):
    x, out = RNG.normal(size=n), np.full(n, np.nan)
    module = exercise("ch09_2_stencil")
    launch(module.average, -(-n // module.BLOCK), module.BLOCK, out, x, backwards=backwards)
    wide = np.pad(x, 1)
    expected = (wide[:-2] + wide[1:-1] + wide[2:]) / 3
    np.testing.assert_allclose(out, expected, err_msg="nan: a thread has read before another one had written")


@pytest.mark.parametrize("backwards", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("rows, columns", [(4, 4), (5, 3), (9, 6)])
def test_3_transpose(rows, columns, backwards, exercise):
    x, out = RNG.normal(size=(rows, columns)), np.full(rows * columns, np.nan)
    module = exercise("ch09_3_transpose")
    tile = module.TILE
    blocks, threads = (-(-columns // tile), -(-rows // tile)), (tile, tile)
    launch(module.transpose, blocks, threads, out, x.reshape(-1), rows, columns, backwards=backwards)
    np.testing.assert_allclose(out.reshape(columns, rows), x.T)


def test_3_neighbours_write_neighbours(exercise):
    module = exercise("ch09_3_transpose")
    written = {}

    class Watched(np.ndarray):
        def __setitem__(self, place, value):
            written[cuda.threadIdx.y, cuda.threadIdx.x] = place
            super().__setitem__(place, value)

    out = np.zeros(16).view(Watched)
    launch(module.transpose, (1, 1), (4, 4), out, np.arange(16.0), 4, 4)
    for y in range(4):
        places = [written[y, x] for x in range(4)]
        assert places == list(range(places[0], places[0] + 4)), "threads side by side must write side by side"
