"""Memory: large arrays are used again, nothing leaks over ten thousand training steps."""

import gc
import sys
import threading

import numpy as np
from tinygrad_kernels.cpu.memory import LARGE, Pool, allocator, maker

import tinygrad_edu as tg

F4 = np.dtype("float32")


def test_an_array_that_nobody_holds_is_handed_out_again():
    pool = Pool(limit=1 << 30)
    first = pool.empty(10, F4)
    second = pool.empty(10, F4)
    assert first is not second
    place = first.ctypes.data
    del first
    assert pool.empty(10, F4).ctypes.data == place


def test_a_view_keeps_its_array_from_being_used_again():
    pool = Pool(limit=1 << 30)
    first = pool.empty(10, F4)
    view = first[2:5].reshape(3, 1)
    place = first.ctypes.data
    del first
    assert pool.empty(10, F4).ctypes.data != place
    del view
    again = [pool.empty(10, F4) for _ in range(2)]
    assert place in [a.ctypes.data for a in again]


def test_size_and_dtype_must_be_the_same():
    pool = Pool(limit=1 << 30)
    place = pool.empty(10, F4).ctypes.data
    kept = [pool.empty(10, np.dtype("int32")), pool.empty(11, F4)]
    assert all(a.ctypes.data != place for a in kept) and pool.empty(10, F4).ctypes.data == place


def test_what_is_kept_is_bounded():
    pool = Pool(limit=100)
    held = [pool.empty(10, F4) for _ in range(5)]
    assert len(held) == 5 and sum(a.nbytes for a in pool.arrays) <= 100
    pool.clear()
    assert pool.arrays == []


def test_small_arrays_do_not_go_through_the_pool():
    from tinygrad_kernels.cpu.memory import pool

    before = len(pool.arrays)
    small = [allocator("float32")(1000), maker("float64", 1000)()]
    assert len(pool.arrays) == before and [a.dtype.char for a in small] == ["f", "d"]
    large = maker("float32", LARGE // 4)()
    assert any(a is large for a in pool.arrays)


def test_two_threads_never_get_the_same_array():
    pool = Pool(limit=1 << 30)
    clashes = []

    def work(number):
        for _ in range(300):
            array = pool.empty(64, F4)
            array[:] = number
            if (array != number).any():
                clashes.append(number)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert clashes == []


def test_a_large_result_is_not_disturbed_by_the_next_one():
    x = tg.rand(LARGE // 4 + 5)
    y = x + 1.0
    part = y[3:7]
    expected = part.tolist()
    del y
    for k in range(3):
        assert (x * float(k)).shape == x.shape
    assert part.tolist() == expected


def training(steps):
    """A little of everything that a training step does: modules, views, changes in place, hooks, second derivatives."""
    tg.manual_seed(0)
    model = tg.nn.Sequential(tg.nn.Linear(3, 8), tg.nn.Tanh(), tg.nn.Linear(8, 1))
    optimizer = tg.optim.Adam(model.parameters(), lr=1e-3)
    x, y = tg.rand(16, 3), tg.rand(16, 1)
    x.requires_grad_()
    base = tg.zeros(16, 1)

    def run(count):
        for k in range(count):
            out = model(x)
            shifted = out * 1.0
            shifted[1:] += base[1:]
            handle = out.register_hook(lambda g: g * 1.0)
            loss = tg.nn.functional.mse_loss(shifted, y)
            if k % 50 == 0:
                (g,) = tg.autograd.grad(loss, x, create_graph=True)
                loss = loss + (g * g).sum()
            optimizer.zero_grad()
            x.grad = None
            loss.backward()
            optimizer.step()
            handle.remove()

    run(steps // 4)  # plans are made, kernels loaded, and Python's own lists of free tuples are full
    before = sys.getallocatedblocks()
    run(steps - steps // 4)
    return sys.getallocatedblocks() - before


def test_ten_thousand_training_steps_leave_nothing_behind():
    gc.disable()
    try:
        grown = training(10_000)
    finally:
        gc.enable()
    assert grown < 500, f"{grown} objects more after 10,000 steps: cycles, or a list that grows"
