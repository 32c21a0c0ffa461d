"""Threads: when a kernel uses every core, and what can go wrong with them.

Problem. `prange` shares the turns of a loop among the cores. Starting the threads costs 1 to 3 microseconds:
more than a small loop takes, nothing for a large one. So an operation has two kernels, and looks at the size:

    from                          add, float32, microseconds
    PARALLEL_FROM = 65536         elements        16 k   64 k   256 k   1 M
    elements on the               one thread       1.0    3.5    20      85
    parallel one is used          two threads      1.9    3.2    11      50

Under `prange` lies one of three *threading layers*: tbb, omp (OpenMP), workqueue. Numba takes the first one
that is installed, in this order, unless NUMBA_THREADING_LAYER chooses. They have catches, and `parallel`
guards them:

- *fork.* A child made by fork() has only one of its parent's threads, while the memory says that all are
  there. GNU OpenMP notices and kills the child; `multiprocessing` then waits for it forever. So a child whose
  parent has started the threads runs the serial kernels. (Starting workers by "spawn" gives them threads of
  their own.)
- *Two Python threads at once.* workqueue aborts the process. So its launches take a lock. omp and tbb need
  none.
- *The number of threads* is kept by Numba for each Python thread apart. PyTorch's is one for the whole
  process: ours is told to Numba at the launch, in the thread that launches.

Rule for kernels: what is computed depends on the *sizes* only. The loop is cut into the same blocks, added up
in the same order, for any number of threads; so the serial and the parallel kernel agree bit for bit, and
either may run.

Source: OpenMP Architecture Review Board, OpenMP Application Programming Interface 5.2 (2021), for parallel
regions; the POSIX standard (IEEE 1003.1-2017), `fork`, for what becomes of threads.
"""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable
from typing import Any

import numba
from numba.core import config
from numba.np.ufunc import parallel as numba_threads

PARALLEL_FROM = 65536  # elements

# How many Numba can start: NUMBA_NUM_THREADS, or the number of cores
_most: int = config.NUMBA_NUM_THREADS
_wanted = _most  # what set_num_threads asked for
_serial = _most == 1  # run the serial kernels: one thread is wanted, or this child must not start any
_forked = False  # this process is such a child
_free = False  # the threading layer is known to take launches from several Python threads at once
_one_at_a_time = threading.Lock()


class _Told(threading.local):
    """What Numba was last told in this Python thread."""

    number = _most


_told = _Told()


def parallel(kernel: Callable[..., Any], serial: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs `kernel` (made by @jit(parallel=True)) where threads may start, else `serial`.

    Both take the same arguments and must give the same bits. Call it for PARALLEL_FROM elements or more.

    >>> import numpy as np
    >>> from tinygrad_kernels.cpu.jit import jit
    >>> @jit
    ... def negate(out, x):
    ...     for i in range(x.size):
    ...         out[i] = -x[i]
    >>> @jit(parallel=True)
    ... def negate_parallel(out, x):
    ...     for i in numba.prange(x.size):
    ...         out[i] = -x[i]
    >>> x = np.arange(PARALLEL_FROM, dtype=np.float32)
    >>> out = np.empty_like(x)
    >>> parallel(negate_parallel, negate)(out, x)
    >>> out[-1]
    np.float32(-65535.0)
    """

    def launch(*arguments: Any) -> Any:
        if _serial:
            return serial(*arguments)
        if _told.number != _wanted:
            numba.set_num_threads(min(_wanted, _most))
            _told.number = _wanted
        if _free:
            return kernel(*arguments)
        return _launch_alone(kernel, arguments)

    return launch


def get_num_threads() -> int:
    """The number of threads that large operations may use: one a core, until `set_num_threads` is called.

    >>> get_num_threads() >= 1
    True
    """
    return _wanted


def set_num_threads(number: int) -> None:
    """Let large operations use `number` threads, in the whole process. Results do not depend on it.

    More than Numba started with (NUMBA_NUM_THREADS, or the number of cores) may be asked for; that many run.
    Raises RuntimeError, as PyTorch does, if `number` is not a positive int.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _wanted, _serial
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise RuntimeError(f"set_num_threads expects an int, but got {type(number).__name__}")
    if operator.index(number) < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    _wanted = operator.index(number)
    _serial = _forked or min(_wanted, _most) == 1


def _launch_alone(kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Launch while no other Python thread does: under workqueue, and until a first launch shows the layer."""
    global _free
    with _one_at_a_time:
        try:
            return kernel(*arguments)
        finally:
            _free = getattr(numba_threads, "_threading_layer", None) in ("omp", "tbb")


def _in_forked_child() -> None:
    global _forked, _serial, _one_at_a_time
    _one_at_a_time = threading.Lock()  # the old one may be held by a thread that does not exist here
    if getattr(numba_threads, "_is_initialized", True):  # the parent has started Numba's threads
        _forked = _serial = True


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_in_forked_child)
