"""Graphs: what is written down runs at launch, as often as it is launched, on memory that nobody else gets."""

import numpy as np
import pytest
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cuda import memory
from tinygrad_kernels.cuda.elementwise import fill, flat
from tinygrad_kernels.cuda.graphs import Graph
from tinygrad_kernels.cuda.reduction import rows
from tinygrad_kernels.expr import trace

DOUBLE = flat(trace("double", lambda x: x + x, ("x",)), Signature(["float32"], ["flat"], "float32"), False)
TOTAL = rows(trace("same", lambda x: x, ("x",)), Signature(["float32"], ["flat"], "float32"), False)


def buffer(*numbers):
    return memory.from_numpy(np.array(numbers, np.float32))


def test_nothing_runs_before_the_launch_and_everything_with_each():
    x, y = buffer(1, 2, 3), buffer(0, 0, 0)
    DOUBLE(y, x)  # compiles
    fill(y, 7.0)

    def work():
        DOUBLE(y, x)
        x[:] = y

    graph = Graph(work)
    assert memory.to_numpy(y).tolist() == [7.0, 7.0, 7.0]
    for k in (2, 4, 8):
        graph.launch()
        assert memory.to_numpy(y).tolist() == [k, 2 * k, 3 * k] == memory.to_numpy(x).tolist()


def test_new_numbers_in_the_same_memory_are_seen():
    x, y = buffer(1, 2), buffer(0, 0)
    DOUBLE(y, x)
    graph = Graph(lambda: DOUBLE(y, x))
    x[:] = buffer(5, 6)
    graph.launch()
    memory.send(x, np.array([8, 9], np.float32))
    assert memory.to_numpy(y).tolist() == [10.0, 12.0]
    graph.launch()
    assert memory.to_numpy(y).tolist() == [16.0, 18.0]


def test_memory_that_kernels_take_on_the_way_is_nobody_elses():
    n = 20_000  # so long a row is cut into pieces, whose sums need memory
    x, total = memory.from_numpy(np.ones(n, np.float32)), memory.empty(1, np.dtype("float32"))
    TOTAL(total, n, 1.0, x)
    allocated = memory.pool.allocated
    graph = Graph(lambda: TOTAL(total, n, 1.0, x))
    kept = [raw for blocks in graph.kept.free.values() for raw in blocks]
    assert kept and memory.pool.allocated > allocated  # the graph holds it
    others = [memory.empty(k, np.dtype("float32")) for k in (1, 5, 20, 100) * 10]
    for other in others:
        fill(other, np.nan)
        assert all(other.block.raw is not raw for raw in kept)
    graph.launch()
    assert memory.to_numpy(total).item() == n
    del graph, kept
    assert memory.pool.allocated == allocated + sum(other.block.nbytes for other in others)


def test_a_mistake_while_writing_down_leaves_nothing_behind():
    x, y = buffer(1, 2), buffer(0, 0)

    def work():
        DOUBLE(y, x)
        raise KeyError("stop")

    with pytest.raises(KeyError):
        Graph(work)
    assert memory.to_numpy(y).tolist() == [0.0, 0.0]  # and asking is possible again
    DOUBLE(y, x)
    assert memory.to_numpy(y).tolist() == [2.0, 4.0]
