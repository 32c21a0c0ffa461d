"""Many launches as one: what CUDA calls a graph.

The problem. A launch costs some 3 µs of Python and driver, and the GPU a pause between two kernels. A compiled training
step launches the same kernels on the same memory again and again; where they are small, that is all its time.

The idea. Let the driver write down what is queued, without running it, and from then on queue all of it with one call:

    graph = Graph(work)        calls work(); nothing is computed
    graph.launch()             now it is, and with each launch again

Everything is as it was written down: the kernels, the addresses, the numbers. So what changes from launch to launch has
to be in memory, and work() must ask the GPU nothing (memory.crossings counts who does). Memory that kernels take for
themselves on the way is kept for the graph alone.

In the simulator a graph is a list of kernels with their arguments.

Source: CUDA C++ Programming Guide, section 6.2.8.7 (CUDA graphs, stream capture).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from . import memory
from .memory import pool


class Graph:
    """What `work` queues, to be queued again as one."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.kept = Kept()
        with _one_at_a_time:
            pool.take, pool.give_back = self.kept.take, self.kept.give_back  # type: ignore[method-assign]
            try:
                self.recorded = memory.memory.record(work)
            finally:
                del pool.take, pool.give_back

    def launch(self) -> None:
        self.recorded.launch()


class Kept:
    """Blocks that belong to a graph: what is given back while it is written down is not given to anybody else."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.free: defaultdict[int, list[Any]] = defaultdict(list)

    def take(self, nbytes: int) -> Any:
        if threading.get_ident() == self.thread and self.free[nbytes]:
            return self.free[nbytes].pop()
        return type(pool).take(pool, nbytes)

    def give_back(self, raw: Any, nbytes: int) -> None:
        if threading.get_ident() == self.thread:
            self.free[nbytes].append(raw)
        else:
            type(pool).give_back(pool, raw, nbytes)

    def __del__(self) -> None:
        if pool is not None:  # it is when Python ends
            for nbytes, blocks in self.free.items():
                for raw in blocks:
                    pool.give_back(raw, nbytes)


_one_at_a_time = threading.Lock()
