"""Workers: processes that fetch and collate batches, while this one trains on those before.

    this process     ──numbers──▶  worker 0   batches 0, 2, 4, ...   ──┐
                     ──numbers──▶  worker 1   batches 1, 3, 5, ...   ──┤
                     ◀──────────────── batches, in order ──────────────┘

Batch k goes to worker k mod W, and is waited for on that worker's own pipe: so the order is that of one process,
whoever is fast. Each worker has `prefetch_factor` batches to do at any time; a new one is sent when one comes back.

How workers start. On Linux by fork, as in PyTorch: a worker has everything this process has, so that datasets need not
be picklable, and scripts need no `if __name__ == "__main__":`. GNU OpenMP kills a forked child that starts threads, if
its parent had; therefore a child like that runs serial kernels (tinygrad_kernels/cpu/threads.py). With
multiprocessing_context="spawn", and on other systems, workers start afresh.

How they end. After the last batch, when the iterator is collected (a `break`), and when this process ends or dies:
they are asked to stop, and after some seconds made to. Ctrl-C is for this process only. An exception in a worker
is raised here, with the worker's traceback in its message.

Each worker starts its random numbers (this library's, Python's, NumPy's) from its own seed: as in PyTorch, the seed of
the pass plus the worker's number.

Source: PyTorch documentation, torch.utils.data, "Multi-process data loading".
"""

from __future__ import annotations

import multiprocessing
import queue
import random as python_random
import signal
import sys
import traceback
from collections import deque
from itertools import cycle
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import random

if TYPE_CHECKING:
    from .dataloader import DataLoader

DONE, BATCH, ERROR = range(3)
PATIENCE = 5.0  # seconds that a worker has to stop


class WorkerInfo(NamedTuple):
    """Which worker this is, of how many, its seed, and its own copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Who am I? In a worker its number, how many there are, its seed, its dataset; None in the main process."""
    return _info


def context_for(given: Any) -> Any:
    """The context of multiprocessing for a name, or None. ValueError for an unknown name, TypeError for others."""
    if given is None:
        given = "fork" if sys.platform == "linux" else "spawn"
    if isinstance(given, str):
        known = multiprocessing.get_all_start_methods()
        if given not in known:
            raise ValueError(
                f"multiprocessing_context option should specify a valid start method in {known!r}, but got "
                f"multiprocessing_context={given!r}"
            )
        return multiprocessing.get_context(given)
    if not isinstance(given, multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the start method, "
            f"but got multiprocessing_context={given}"
        )
    return given


# In the worker.


def work(
    number: int, count: int, seed: int, loader: Any, fetcher: type, tasks: Any, results: Connection, stop: Any
) -> None:
    """What a worker does: `loader` is (dataset, batches?, collate_fn, drop_last, worker_init_fn)."""
    global _info
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dataset, *options, initialise = loader
    random.manual_seed(seed + number)
    python_random.seed(seed + number)
    np.random.seed(np.random.SeedSequence([number, seed & 0xFFFFFFFF, seed >> 32, 0]).generate_state(4))
    _info = WorkerInfo(number, count, seed + number, dataset)
    fetch: Any = None
    try:
        if initialise is not None:
            initialise(number)
    except Exception as error:
        fetch = error
    parent = multiprocessing.parent_process()
    try:
        while not stop.is_set():
            try:
                task = tasks.get(timeout=PATIENCE)
            except queue.Empty:
                if parent is not None and not parent.is_alive():
                    return
                continue
            if task is None:  # a new pass
                fetch = fetch if isinstance(fetch, Exception) else None
                continue
            try:
                if isinstance(fetch, Exception):
                    raise fetch
                fetch = fetch or fetcher(dataset, *options)
                answer = (BATCH, fetch(task[0]))
            except Exception as error:
                ended = isinstance(error, StopIteration) and getattr(fetch, "samples", None) is not None
                answer = (DONE, None) if ended else (ERROR, (type(error), traceback.format_exc()))
            try:
                results.send(answer)
            except (OSError, ValueError):
                raise
            except Exception as error:  # what cannot be pickled
                results.send((ERROR, (type(error), traceback.format_exc())))
    except OSError:  # nobody listens any more
        return


def failure(number: int, kind: type[Exception], text: str) -> Exception:
    """A worker's exception, to be raised here: of the same type, where that can be made from a message."""
    message = f"Caught {kind.__name__} in DataLoader worker process {number}.\nOriginal {text}"
    try:
        return kind(message)
    except Exception:
        return RuntimeError(message)


# In this process.


class Workers:
    """The iterator over the batches that worker processes make."""

    def __init__(self, loader: DataLoader, seed: int) -> None:
        from .dataloader import Fetcher

        self.processes: list[Any] = []
        self.indices: Any = iter(loader._index_sampler)
        self.order, self.timeout, self.persistent = loader._index_sampler, loader.timeout, loader.persistent_workers
        self.ahead = (loader.prefetch_factor or 0) * loader.num_workers
        context = loader.multiprocessing_context
        self.stop = context.Event()
        self.tasks: list[Any] = []
        self.results: list[Connection] = []
        given = (loader.dataset, loader.batch_sampler is not None, loader.collate_fn, loader.drop_last)
        for k in range(loader.num_workers):
            tasks, (here, there) = context.Queue(), context.Pipe(duplex=False)
            tasks.cancel_join_thread()
            arguments = (k, loader.num_workers, seed, (*given, loader.worker_init_fn), Fetcher, tasks, there, self.stop)
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
            there.close()
            self.processes.append(process)
            self.tasks.append(tasks)
            self.results.append(here)
        self.start()

    def start(self) -> None:
        """Begin a pass: give every worker its first tasks."""
        self.waiting: deque[int] = deque()  # the workers of the batches asked for, in order
        self.active = [True] * len(self.processes)
        self.turn = cycle(range(len(self.processes)))
        for _ in range(self.ahead):
            self.ask()

    def ask(self) -> None:
        """Send the next numbers to the next worker that has not come to its end."""
        if self.indices is None or not any(self.active):
            return
        try:
            index = next(self.indices)
        except StopIteration:
            self.indices = None
            return
        k = next(k for k in self.turn if self.active[k])
        self.tasks[k].put((index,))
        self.waiting.append(k)

    def again(self) -> Workers:
        """Begin another pass with the same workers."""
        while self.waiting:
            self.receive(self.waiting.popleft())
        for tasks in self.tasks:
            tasks.put(None)
        self.indices = iter(self.order)
        self.start()
        return self

    def __iter__(self) -> Workers:
        return self

    def __next__(self) -> Any:
        if not self.waiting and self.indices is not None:
            self.ask()
        while self.waiting:
            k = self.waiting.popleft()
            kind, found = self.receive(k)
            if kind == DONE:
                self.active[k] = False
            self.ask()
            if kind == BATCH:
                return found
            if kind == ERROR:
                raise failure(k, *found)
        if not self.persistent:
            self.close()
        raise StopIteration

    def receive(self, k: int) -> tuple[int, Any]:
        """The next answer of worker k. RuntimeError where it takes longer than the timeout, or has died."""
        ready = wait([self.results[k], self.processes[k].sentinel], self.timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds")
        try:
            if self.results[k] in ready or self.results[k].poll():
                return self.results[k].recv()
        except EOFError:
            pass
        self.processes[k].join(PATIENCE)
        pid, code = self.processes[k].pid, self.processes[k].exitcode
        self.close()
        raise RuntimeError(
            f"DataLoader worker (pid(s) {pid}) exited unexpectedly, with exit code {code}: num_workers=0 shows errors "
            "where they happen. Workers started by spawn need a script with `if __name__ == '__main__':`"
        )

    def alive(self) -> bool:
        return bool(self.processes) and all(process.is_alive() for process in self.processes)

    def close(self) -> None:
        """Stop the workers: ask, let what they are sending through, and end those that go on."""
        if not self.processes:
            return
        processes, self.processes = self.processes, []
        self.stop.set()
        self.waiting.clear()
        self.indices = None
        for tasks in self.tasks:
            tasks.put(None)
        for here in self.results:
            here.close()
        for process in processes:
            process.join(PATIENCE)
            if process.is_alive():
                process.terminate()
                process.join()
            process.close()
        for tasks in self.tasks:
            tasks.close()

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()
