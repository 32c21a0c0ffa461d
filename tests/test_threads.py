"""Parallel launches survive what kills bare ones: fork, several Python threads, another number of threads.

TRAPS: the workqueue threading layer under several Python threads, and fork() after OpenMP started, abort the process.
"""

import os
import subprocess
import sys
import threading

import numba
import pytest
from tinygrad_kernels.cpu import threads

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
LAYERS = ["omp", "workqueue", "tbb"]

# A sum in blocks: the blocks depend on the size only, so both kernels give the same bits.
KERNELS = """
import gc, os, sys, threading
gc.set_threshold(100_000, 10, 10)  # as in conftest.py
import numba
import numpy as np
from numba import prange
from tinygrad_kernels.cpu import threads
from tinygrad_kernels.cpu.jit import jit

@jit(accumulate=True)
def block_sum(x):
    total = x.dtype.type(0)
    for i in range(x.size):
        total += x[i]
    return total

@jit
def sums_serial(out, x):
    for block in range(out.size):
        out[block] = block_sum(x[block * 4096 : block * 4096 + 4096])

@jit(parallel=True)
def sums_parallel(out, x):
    for block in prange(out.size):
        out[block] = block_sum(x[block * 4096 : block * 4096 + 4096])

launch = threads.parallel(sums_parallel, sums_serial)
x = np.random.default_rng(0).standard_normal(30 * 4096).astype(np.float32)
right = np.empty(30, np.float32)
sums_serial(right, x)

def check():
    out = np.empty(30, np.float32)
    launch(out, x)
    assert out.tobytes() == right.tobytes()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(folder, program, layer="default", number=2):
    environment = {
        **os.environ,
        "TINYGRAD_EDU_CACHE": str(folder),
        "NUMBA_THREADING_LAYER": layer,
        "NUMBA_NUM_THREADS": str(number),
    }
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", KERNELS + program]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=600)
    if "No threading layer could be loaded" in done.stderr:
        pytest.skip(f"{layer} is not installed")
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.split()


# Several Python threads ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("layer", LAYERS)
def test_four_python_threads_launch_at_once(folder, layer):
    """Trap: the workqueue threading layer under several Python threads aborts the process."""
    program = """
failures = []
def work():
    try:
        for _ in range(300):
            check()
    except BaseException as failure:
        failures.append(failure)
workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers: worker.start()
for worker in workers: worker.join()
assert not failures, failures
print(numba.threading_layer(), threads._free)
"""
    assert run(folder, program, layer) == [layer, str(layer != "workqueue")]


def test_workqueue_is_not_chosen_where_omp_or_tbb_is_installed(folder):
    (chosen,) = run(folder, "check(); print(numba.threading_layer())")
    assert chosen != "workqueue" or not (installed(folder, "omp") or installed(folder, "tbb"))


def installed(folder, layer):
    try:
        return bool(run(folder, "check(); print(1)", layer))
    except pytest.skip.Exception:
        return False


# Fork ---------------------------------------------------------------------------------------------------------
FORK = """
def in_child(function):
    child = os.fork()
    if child == 0:
        try:
            function()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
"""


@can_fork
@pytest.mark.parametrize("layer", LAYERS)
def test_a_child_of_a_process_with_threads_computes_the_same(folder, layer):
    """Trap: fork() after OpenMP started: the child is killed."""
    program = """
check()
def child():
    assert threads._serial
    check()
    threads.set_num_threads(2)       # asking for threads does not bring them back
    check()
    in_child(check)                  # nor does another fork
in_child(child)
check()                              # the parent keeps its threads
assert not threads._serial
"""
    run(folder, FORK + program, layer)


@can_fork
def test_a_fork_pool_after_a_launch_does_not_hang(folder):
    program = """
import multiprocessing
def work(_):
    check()
    return threads._serial
check()
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*pool.map(work, range(4)))
"""
    assert run(folder, program) == ["True"] * 4


@can_fork
def test_a_child_forked_before_any_launch_has_threads(folder):
    program = """
def child():
    assert not threads._serial
    check()
in_child(child)
check()
"""
    run(folder, FORK + program)


@can_fork
def test_a_fork_during_a_launch_leaves_no_lock_behind(folder):
    run(folder, FORK + "with threads._one_at_a_time:\n    in_child(check)\n", "workqueue")


# The number of threads ------------------------------------------------------------------------------------------
@pytest.fixture
def number():
    """Restores the number of threads."""
    before = threads.get_num_threads()
    yield before
    threads.set_num_threads(before)


def test_results_do_not_depend_on_the_number_of_threads(folder):
    program = """
for number in (1, 2, 3, 4, 9):
    threads.set_num_threads(number)
    check()
    sums_parallel(out := np.empty_like(right), x)
    assert out.tobytes() == right.tobytes()
"""
    run(folder, program, number=4)


def test_one_thread_starts_none(folder):
    program = """
check()
from numba.np.ufunc import parallel
print(parallel._is_initialized, len(sums_parallel.signatures))
"""
    assert run(folder, program, number=1) == ["False", "0"]


def test_the_number_is_one_for_all_python_threads(folder):
    program = """
threads.set_num_threads(2)
check()
seen = []
def work():
    check()
    seen.append(numba.get_num_threads())
worker = threading.Thread(target=work)
worker.start(); worker.join()
threads.set_num_threads(3)
check()
print(*seen, numba.get_num_threads())
threads.set_num_threads(64)          # more than there are: all
check()
print(threads.get_num_threads(), numba.get_num_threads())
"""
    assert run(folder, program, number=4) == ["2", "3", "64", "4"]


def test_the_parallel_kernel_runs_where_two_threads_are_wanted(number, monkeypatch):
    launch = threads.parallel(lambda: "parallel", lambda: "serial")
    monkeypatch.setattr(threads, "_most", 2)
    monkeypatch.setattr(numba, "set_num_threads", lambda number: None)
    told = []
    for wanted in (1, 2, 5, 1):
        threads.set_num_threads(wanted)
        told.append(launch())
    assert told == ["serial", "parallel", "parallel", "serial"]


def test_a_kernels_error_passes_through_and_frees_the_lock(number, monkeypatch):
    monkeypatch.setattr(threads, "_serial", False)
    monkeypatch.setattr(threads, "_free", False)

    def fail():
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            threads.parallel(fail, fail)()
    assert threads._one_at_a_time.acquire(blocking=False)
    threads._one_at_a_time.release()


WRONG = [0, -1, 2.0, "2", None, True]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_wrong_number_is_refused_in_pytorchs_words(number, wrong):
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as theirs:
        torch.set_num_threads(wrong)
    with pytest.raises(RuntimeError) as ours:
        threads.set_num_threads(wrong)
    assert str(ours.value) == str(theirs.value)
    assert threads.get_num_threads() == number


def test_the_number_that_was_set_is_the_number_that_is_got(number):
    for wanted in (1, 3, 2):
        threads.set_num_threads(wanted)
        assert threads.get_num_threads() == wanted
        seen = []
        worker = threading.Thread(target=lambda seen=seen: seen.append(threads.get_num_threads()))
        worker.start()
        worker.join()
        assert seen == [wanted]
