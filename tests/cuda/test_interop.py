"""Memory of the GPU that other libraries see too, and numbers of the CPU beside tensors of the GPU.

In the simulator the GPU's memory is NumPy's, so what another library would see can be looked at.
"""

import gc

import numpy as np
import pytest
from tinygrad_kernels import capsule
from tinygrad_kernels.cuda import exchange
from tinygrad_kernels.cuda.memory import SIMULATED, address, pool

import tinygrad_edu as tg

in_simulator = pytest.mark.skipif(not SIMULATED, reason="looks at the GPU's memory from the CPU")
LAYOUTS = {
    "whole": lambda x: x,
    "transposed": lambda x: x.t(),
    "rows from the second": lambda x: x[1:],
    "every other column": lambda x: x[1:, ::2],
    "one element": lambda x: x[1, 2],
    "expanded": lambda x: x[:, :1].expand(3, 5),
    "empty": lambda x: x[3:],
}
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def grid(dtype="float32", **options):
    return tg.tensor(np.arange(12).reshape(3, 4).astype(dtype), device="cuda", **options)


@pytest.fixture
def waits(monkeypatch):
    """What is said to the streams: 'all', or (later, earlier)."""
    found = []
    monkeypatch.setattr(exchange.memory, "wait_for_all", lambda: found.append("all"))
    monkeypatch.setattr(exchange.memory, "follow", lambda later, earlier: found.append((later, earlier)))
    return found


# DLPack ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_journey_through_a_capsule_keeps_the_memory(layout, dtype):
    x = LAYOUTS[layout](grid(dtype))
    for y in (tg.from_dlpack(x), tg.from_dlpack(tg.to_dlpack(x))):
        assert y.is_cuda and y.dtype is x.dtype and y.shape == x.shape
        if x.numel():
            assert y.data_ptr() == x.data_ptr()
        if layout != "expanded":
            y *= 2 if dtype != "bool" else False
        assert y.cpu().tolist() == x.cpu().tolist()
        assert (y + y).cpu().tolist() == (x + x).cpu().tolist()


def test_the_capsule_names_the_gpu():
    x = grid()
    assert x.__dlpack_device__() == (2, 0)
    assert capsule.device_in(x.__dlpack__()) == capsule.device_in(x.__dlpack__(max_version=(1, 0))) == (2, 0)
    with pytest.raises((RuntimeError, BufferError), match="[Dd]evice"):
        np.from_dlpack(x)


def test_a_copy_for_the_other_device():
    x = grid()
    array = np.from_dlpack(x, device="cpu")
    array[0, 0] = 50.0
    assert array[1].tolist() == [4.0, 5.0, 6.0, 7.0] and x[0, 0].item() == 0.0
    assert tg.from_dlpack(x, device="cpu").device.type == "cpu"
    assert tg.from_dlpack(np.ones(2), device="cuda").is_cuda
    copy = tg.from_dlpack(x, copy=True)
    copy += 1.0
    assert x[0, 0].item() == 0.0 and tg.from_dlpack(x.__dlpack__(copy=True)).data_ptr() != x.data_ptr()
    for refused in (
        lambda: x.__dlpack__(dl_device=(1, 0), copy=False),
        lambda: tg.from_dlpack(x, device="cpu", copy=False),
    ):
        with pytest.raises(ValueError, match="without copying"):
            refused()


def test_a_capsule_keeps_the_memory_alive_and_no_longer():
    gc.collect()
    before = pool.allocated
    x = tg.ones(100, device="cuda")
    taken, left = tg.from_dlpack(x), x.__dlpack__()
    del x
    assert pool.allocated > before and taken.sum().item() == 100.0
    del taken
    assert pool.allocated > before
    del left
    gc.collect()
    assert pool.allocated == before


def test_the_taker_names_the_stream_that_waits(waits):
    x, ours = grid(), exchange.stream()
    for stream, expected in ((None, [(1, ours)]), (1, [(1, ours)]), (2, [(2, ours)]), (77, [(77, ours)]), (-1, [])):
        held = x.__dlpack__(stream=stream)
        assert waits == expected
        del held
        assert waits.pop() == "all"  # before anybody else gets the memory
        waits.clear()
    with pytest.raises(ValueError, match="stream=0 is ambiguous"):
        x.__dlpack__(stream=0)


class Foreign:
    """Another library's array on the GPU, which in truth is one of NumPy's."""

    def __init__(self, array, **facts):
        self.array, self.asked = array, []
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "strides": array.strides,
            "data": (array.ctypes.data, False), "version": 3, "stream": None, **facts,
        }  # fmt: skip

    def __dlpack__(self, **wishes):
        self.asked.append(wishes)
        return capsule.relabel(capsule.wrap(self.array, wishes.get("max_version")), (2, 0))

    def __dlpack_device__(self):
        return 2, 0


@in_simulator
@pytest.mark.parametrize(
    "layout", [lambda a: a, lambda a: a.T, lambda a: a[1:, ::2], lambda a: a[2:, 3], lambda a: a[:0]]
)
@pytest.mark.parametrize("take", [tg.from_dlpack, tg.as_tensor, tg.asarray], ids=["dlpack", "as_tensor", "asarray"])
def test_another_librarys_memory_is_shared(layout, take):
    array = layout(np.arange(12.0).reshape(3, 4))
    x = take(Foreign(array))
    assert x.is_cuda and x.dtype is tg.float64
    x += 1.0
    assert x.tolist() == array.tolist()
    if array.size:
        array[...] = 3.0
        assert (x * 2.0).tolist() == np.full(array.shape, 6.0).tolist() and x.sum().item() == 3.0 * array.size


@in_simulator
def test_we_name_our_stream_when_we_take(waits):
    foreign = Foreign(np.ones(3))
    x = tg.from_dlpack(foreign)
    assert foreign.asked == [{"max_version": (1, 0), "stream": exchange.stream()}] and waits == []
    del x
    assert waits == ["all"]


@in_simulator
def test_a_gpus_read_only_or_unknown_memory():
    array = np.ones(3)
    array.flags.writeable = False
    assert tg.from_dlpack(Foreign(array)).tolist() == [1.0] * 3
    with pytest.raises(TypeError, match="float16; supported are"):
        tg.from_dlpack(Foreign(np.ones(3, np.float16)))


# The CUDA array interface ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_interface_says_where_a_tensor_lies(layout):
    x = LAYOUTS[layout](grid())
    facts = x.__cuda_array_interface__
    assert facts["shape"] == tuple(x.shape) and facts["typestr"] == "<f4" and facts["version"] == 3
    assert facts["data"] == (x.data_ptr() if x.numel() else 0, False) and facts["stream"] == exchange.stream()
    steps = tuple(4 * s for s in x.stride())
    assert facts["strides"] == (None if x.is_contiguous() else steps) or not x.numel() or x.numel() == 1
    y = tg.as_tensor(type("Other", (), {"__cuda_array_interface__": facts, "keeps": x})())
    assert y.tolist() == x.tolist() and (not x.numel() or y.data_ptr() == x.data_ptr())


def test_a_look_at_the_interface_does_not_wait(waits):
    x = grid()
    assert x.__cuda_array_interface__["shape"] == (3, 4) and waits == []


@in_simulator
def test_what_the_interface_says_of_streams_is_obeyed(waits):
    ours = exchange.stream()
    for facts, expected in (
        ({}, []), ({"stream": 7}, [(ours, 7)]), ({"stream": 1}, [(ours, 1)]), ({"version": 2}, ["all"]),
    ):  # fmt: skip
        x = tg.as_tensor(Foreign(np.ones(2), **facts))
        assert waits == expected
        del x
        waits.clear()


@in_simulator
def test_tensor_copies_and_as_tensor_shares():
    foreign = Foreign(np.arange(3.0))
    copy, shared = tg.tensor(foreign), tg.as_tensor(foreign, device="cuda")
    shared += 1.0
    assert copy.is_cuda and copy.tolist() == [0.0, 1.0, 2.0] and foreign.array.tolist() == [1.0, 2.0, 3.0]
    assert tg.as_tensor(foreign, device="cpu").device.type == "cpu" and tg.tensor(foreign, device="cpu").is_cpu
    assert tg.as_tensor(foreign, dtype=tg.float32).dtype is tg.float32
    assert tg.asarray(foreign, copy=False).data_ptr() == foreign.array.ctypes.data
    assert tg.asarray(foreign, copy=True).data_ptr() != foreign.array.ctypes.data
    with pytest.raises(ValueError, match="can't alias"):
        tg.asarray(foreign, dtype=tg.float32, copy=False)
    with pytest.raises(NotImplementedError, match="mask"):
        tg.as_tensor(Foreign(np.ones(2), mask=np.ones(2, bool)))


def test_a_tensor_that_requires_a_gradient_stays():
    x = grid(requires_grad=True)
    with pytest.raises(RuntimeError, match="Can't get __cuda_array_interface__ on Variable that requires grad"):
        x.__cuda_array_interface__  # noqa: B018
    with pytest.raises(BufferError, match="use tensor.detach"):
        x.__dlpack__()
    assert tg.from_dlpack(x.detach()).data_ptr() == x.data_ptr()
    assert tg.zeros(3, device="cuda").is_cuda and not tg.zeros(3).is_cuda


@in_simulator
def test_a_buffer_on_foreign_memory_begins_there():
    array = np.arange(8, dtype=np.float32)
    x = tg.as_tensor(Foreign(array[1:]))  # not where 128 bits can be loaded at once
    assert address(x.flat) == array.ctypes.data + 4
    assert (x * 2).tolist() == (array[1:] * 2).tolist()


# A number of the CPU beside tensors of the GPU -------------------------------------------------------------------
BESIDE = {
    "mul": lambda x, s: x * s,
    "mul, number first": lambda x, s: s * x,
    "sub, number first": lambda x, s: s - x,
    "div": lambda x, s: x / s,
    "pow": lambda x, s: x**s,
    "pow, number first": lambda x, s: s**x,
    "add, alpha": lambda x, s: x.add(s, alpha=2),
    "maximum": lambda x, s: tg.maximum(x, s),
    "compare": lambda x, s: x > s,
    "a transposed matrix": lambda x, s: x.t() * s,
    "where": lambda x, s: tg.where(x > 2, x, s),
    "where, first": lambda x, s: tg.where(x > 2, s, x),
    "clamp from below": lambda x, s: x.clamp(min=s),
    "clamp from above": lambda x, s: x.clamp(max=s),
    "lerp": lambda x, s: tg.lerp(x, x * x, s),
    "addcmul": lambda x, s: tg.addcmul(x, x, s),
    "masked_fill": lambda x, s: x.masked_fill(x > 2, s),
    "two of no dimension": lambda x, s: x[0, 0] * s,
    "another dtype": lambda x, s: x * s.double(),
    "whole numbers": lambda x, s: x.long() * s,
    "in place": lambda x, s: (x * 1).mul_(s).add_(s),
    "in place, strided": lambda x, s: (x * 1).t().mul_(s),
    "in place, lerp": lambda x, s: (x * 1).lerp_(x * x, s),
    "in place, clamp": lambda x, s: (x * 1).clamp_(min=s),
    "in place, alpha": lambda x, s: (x * 1).sub_(s, alpha=2),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_tensor_without_dimensions_may_stay_on_the_cpu(name):
    found = []
    for device in ("cpu", "cuda"):
        x = tg.tensor([[1.0, 2.0, 3.0], [4.0, 0.5, 1.5]], device=device, requires_grad=True)
        s = tg.tensor(1.5, requires_grad=True)
        out = BESIDE[name](x, s)
        assert out.device.type == device
        if out.requires_grad:
            out.sum().backward()
        assert x.grad is None or x.grad.device.type == device
        assert s.grad is None or s.grad.device.type == "cpu"
        found.append([None if t is None else t.detach().cpu().numpy() for t in (out, x.grad, s.grad)])
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert (on_cpu is None) == (on_gpu is None)
        if on_cpu is not None:
            assert on_cpu.dtype == on_gpu.dtype
            np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-6)


def test_a_second_time_is_like_the_first():
    x, s = grid(), tg.tensor(2.0)
    for _ in range(3):
        assert (x * s).tolist() == (x * 2.0).tolist()
        s += 1.0
        s -= 1.0


def test_places_are_filled_from_the_cpu():
    x, s = grid(), tg.tensor(50.0, requires_grad=True)
    x[0] = s
    x[x == 4] = s
    x[tg.tensor([2], device="cuda")] = s
    assert x[:, 0].tolist() == [50.0, 50.0, 50.0]
    x.sum().backward()
    assert s.grad.item() == 9.0 and s.grad.is_cpu


APART = {
    "a row": lambda x, c: x * tg.ones(4),
    "one element with a dimension": lambda x, c: x * tg.ones(1),
    "a number of the GPU beside the CPU": lambda x, c: c * x.sum(),
    "and first": lambda x, c: x.sum() * c,
    "in place": lambda x, c: c.add_(x.sum()),
    "in place, into a number": lambda x, c: c.sum().add_(x.sum()),
    "where": lambda x, c: tg.where(c > 0, x.sum(), c),
    "three": lambda x, c: tg.lerp(x, c, x.sum().cpu()),
    "product": lambda x, c: x @ c,
    "places": lambda x, c: x.__setitem__(tg.tensor([0], device="cuda"), tg.ones(4)),
}


@pytest.mark.parametrize("name", APART)
def test_other_tensors_on_two_devices_are_refused(name):
    with pytest.raises(RuntimeError, match="at least two devices, (cuda:0 and cpu|cpu and cuda:0)!"):
        APART[name](grid(), tg.ones(4, 4))
