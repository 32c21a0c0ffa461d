"""What only a GPU shows: its memory ends, it works while Python goes on, and it adds in an order of its own.

Results are compared with float64 on the CPU.
"""

import threading

import numpy as np
import pytest

import tinygrad_edu as tg

rng = np.random.default_rng(0)


# Memory -----------------------------------------------------------------------------------------------------------
def test_out_of_memory_is_an_error_after_which_work_goes_on(empty_cache):
    free, total = tg.cuda.mem_get_info()
    with pytest.raises(tg.cuda.OutOfMemoryError, match="CUDA out of memory. Tried to allocate .* GiB") as error:
        tg.empty(total // 4 + 1, device="cuda")
    assert "tensors of this process hold" in str(error.value)
    x = tg.ones(1000, device="cuda")
    assert (x + x).sum().item() == 2000


def test_kept_blocks_make_room_for_another_size(empty_cache):
    """Most of the memory is asked for, given up, and asked for in one piece: the kept blocks go back to the driver."""
    free, _ = tg.cuda.mem_get_info()
    part = int(free * 0.3) // 4
    for pieces in (2, 1):
        held = [tg.empty(part * 2 // pieces, device="cuda") for _ in range(pieces)]
        held[0][:10] = 3.0
        assert held[0][:10].sum().item() == 30
        del held
    assert tg.cuda.memory_reserved() < 0.7 * free


def test_a_dead_tensors_block_is_used_again(empty_cache):
    before = tg.cuda.memory_reserved()
    x = tg.ones(1 << 20, device="cuda")
    for _ in range(100):
        x = x * 1.0
    assert tg.cuda.memory_reserved() <= before + 3 * x.numel() * 4
    assert x.sum().item() == 1 << 20


# The queue --------------------------------------------------------------------------------------------------------
def test_events_measure_the_work_and_python_does_not_wait():
    x = tg.rand(4096, 4096, device="cuda")
    x @ x  # compiled and loaded
    tg.cuda.synchronize()
    start, end = tg.cuda.Event(enable_timing=True), tg.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(50):
        y = x @ x
    end.record()
    assert not end.query()  # 50 products take more than a twentieth of a second
    end.synchronize()
    assert end.query()
    milliseconds = start.elapsed_time(end)
    assert 50 * 2 * 4096**3 / (milliseconds / 1e3) < 70e12  # no faster than an H200 can be in float32
    assert milliseconds < 5000
    assert tg.isfinite(y).all()


def test_a_copy_waits_for_the_work_before_it():
    x = tg.zeros(1 << 24, device="cuda")
    for _ in range(100):
        x += 1
    assert (x.cpu() == 100).all()


def test_two_threads_share_the_gpu():
    found, errors = {}, []

    def work(number):
        try:
            x = tg.full((257, 129), float(number), device="cuda", requires_grad=True)
            for _ in range(50):
                x.grad = None
                (x * x + x).sum().backward()
            found[number] = x.grad.cpu()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for number in (1, 2):
        assert (found[number] == 2 * number + 1).all()


# Numbers ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def factors():
    """Two matrices, and their product in float64."""
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((2048, 3072), (3072, 1024)))
    return a, b, a.astype(np.float64) @ b


def product(a, b):
    return (tg.tensor(a, device="cuda") @ tg.tensor(b, device="cuda")).cpu().numpy()


def error_of(found, exact):
    """The largest error, where 1 is the size of a typical element."""
    return np.abs(found - exact).max() / np.sqrt((exact**2).mean())


def test_a_large_matmul_has_the_digits_of_float32(factors):
    assert not tg.backends.cuda.matmul.allow_tf32  # the default
    a, b, exact = factors
    assert error_of(product(a, b), exact) < 2e-5


def test_tf32_has_fewer_digits_and_only_where_it_is_allowed(factors, monkeypatch):
    a, b, exact = factors
    monkeypatch.setattr(tg.backends.cuda.matmul, "allow_tf32", True)
    allowed = error_of(product(a, b), exact)
    monkeypatch.undo()
    if tg.cuda.get_device_capability() >= (8, 0):
        assert 1e-4 < allowed < 1e-2
    assert error_of(product(a, b), exact) < 2e-5


@pytest.mark.parametrize("shape", [(1 << 24,), (4096, 4096), (3, 1_000_003)])
@pytest.mark.parametrize("dim", [None, 0, -1])
def test_a_sum_has_the_same_bits_in_every_run(shape, dim):
    array = rng.normal(size=shape).astype(np.float32)
    x = tg.tensor(array, device="cuda")

    def total():
        return (x.sum() if dim is None else x.sum(dim)).cpu().numpy()

    first = total()
    for _ in range(20):
        assert np.array_equal(total(), first)
    exact = array.astype(np.float64).sum(dim)
    np.testing.assert_allclose(first, exact, rtol=1e-5, atol=1e-5 * np.abs(array).sum(dim).max())


def test_additions_to_the_same_places_have_the_same_bits_in_every_run():
    places = tg.tensor(rng.integers(0, 100, 1_000_000), device="cuda")
    values = tg.tensor(rng.normal(size=1_000_000).astype(np.float32), device="cuda")

    def added():
        return tg.zeros(100, device="cuda").index_add_(0, places, values).cpu().numpy()

    first = added()
    for _ in range(10):
        assert np.array_equal(added(), first)


# Other libraries on the same memory ---------------------------------------------------------------------------------
def test_numba_and_we_see_the_same_memory():
    from numba import cuda

    x = tg.arange(6.0, device="cuda").reshape(2, 3)
    assert cuda.as_cuda_array(x.t()).copy_to_host().tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]
    theirs = cuda.to_device(np.arange(4, dtype=np.float32))
    y = tg.as_tensor(theirs, device="cuda")
    y *= 2.0
    tg.cuda.synchronize()
    assert theirs.copy_to_host().tolist() == [0.0, 2.0, 4.0, 6.0]


@pytest.fixture
def torch():
    found = pytest.importorskip("torch")
    if not found.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    return found


def test_pytorch_and_we_see_the_same_memory(torch):
    x = tg.zeros(3, 4, device="cuda")
    y = torch.from_dlpack(x.t())
    y += 1.0
    torch.cuda.synchronize()
    assert (x == 1.0).all() and y.data_ptr() == x.data_ptr() and y.stride() == (1, 4)
    theirs = torch.zeros(3, 4, device="cuda")
    for ours in (tg.from_dlpack(theirs), tg.as_tensor(theirs), tg.from_dlpack(torch.utils.dlpack.to_dlpack(theirs))):
        ours += 1.0
    tg.cuda.synchronize()
    assert (theirs == 3.0).all()


def test_temporaries_of_two_queues_do_not_meet(torch):
    """Memory that one library lets go of is not written to while the other still reads it."""
    n = 1 << 24
    ours = [tg.from_dlpack(torch.full((n,), float(k), device="cuda")) * 2.0 for k in range(20)]
    theirs = [torch.from_dlpack(tg.full((n,), float(k), device="cuda")) * 2.0 for k in range(20)]
    for k in range(20):
        assert (ours[k] == 2.0 * k).all() and (theirs[k] == 2.0 * k).all()
