"""DLPack on the CPU: tensors and the arrays of PyTorch and NumPy on the same memory, both ways."""

import subprocess
import sys
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


@st.composite
def layouts(draw):
    """A shape, and what takes a view of a tensor or an array of that shape: slices, then another order of axes."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    some = st.builds(slice, st.integers(0, 2), st.integers(2, 4), st.integers(1, 3))
    cuts = tuple(draw(st.one_of(st.just(slice(None)), some)) for _ in shape)
    axes = tuple(draw(st.permutations(range(len(shape)))))

    def view(x):
        part = x[cuts] if cuts else x
        return part.transpose(axes) if isinstance(x, np.ndarray) else part.permute(axes)

    return shape, view


def numbers(shape, dtype):
    values = np.arange(1, np.prod(shape, dtype=int) + 1).reshape(shape) % 100
    return np.asarray(values % 2 == 0 if dtype == "bool" else values, dtype)


def same_place(x, y):
    """The same numbers, at the same addresses."""
    assert tuple(x.shape) == tuple(y.shape)
    np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
    if x.numel():
        assert x.data_ptr() == y.data_ptr()
        assert [s for n, s in zip(x.shape, x.stride(), strict=True) if n > 1] == [
            s for n, s in zip(y.shape, y.stride(), strict=True) if n > 1
        ]


def both_see(x, y):
    """A change of each shows in the other."""
    if not x.numel():
        return
    at = (0,) * x.dim()
    x[at] = False if x.dtype is tg.bool else 77
    np.testing.assert_array_equal(np.asarray(x), np.asarray(y))
    y[at] = 1
    np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


# Both ways -------------------------------------------------------------------------------------------------------
@given(layout=layouts(), dtype=st.sampled_from(DTYPES))
def test_pytorch_sees_our_memory(layout, dtype, torch):
    shape, view = layout
    x = view(tg.tensor(numbers(shape, dtype)))
    y = torch.from_dlpack(x)
    assert str(y.dtype) == str(x.dtype)
    same_place(x, y)
    both_see(x, y)


@given(layout=layouts(), dtype=st.sampled_from(DTYPES))
def test_we_see_pytorchs_memory(layout, dtype, torch):
    shape, view = layout
    y = view(torch.tensor(numbers(shape, dtype)))
    x = tg.from_dlpack(y)
    assert str(y.dtype) == str(x.dtype)
    same_place(x, y)
    both_see(x, y)


@given(layout=layouts(), dtype=st.sampled_from(DTYPES))
def test_numpy_sees_our_memory_and_we_see_numpys(layout, dtype):
    shape, view = layout
    x = view(tg.tensor(numbers(shape, dtype)))
    array = np.from_dlpack(x)
    assert array.dtype == dtype and (array.ctypes.data == x.data_ptr() or not array.size)
    both_see(x, array)
    other = view(numbers(shape, dtype))
    t = tg.from_dlpack(other)
    assert t.dtype.numpy == dtype and (other.ctypes.data == t.data_ptr() or not other.size)
    both_see(t, other)


@given(layout=layouts(), dtype=st.sampled_from(DTYPES))
def test_a_capsule_without_a_version_does_too(layout, dtype, torch):
    shape, view = layout
    x, y = view(tg.tensor(numbers(shape, dtype))), view(torch.tensor(numbers(shape, dtype)))
    same_place(x, torch.utils.dlpack.from_dlpack(tg.utils.dlpack.to_dlpack(x)))
    found = tg.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(y))
    same_place(found, y)
    both_see(found, y)


def test_an_expanded_tensor_keeps_its_strides(torch):
    assert torch.from_dlpack(tg.ones(1).expand(3)).stride() == (0,)
    assert tg.from_dlpack(torch.ones(2, 1).expand(2, 3)).stride() == (1, 0)


def test_what_comes_from_elsewhere_is_a_tensor_like_any_other(torch):
    x = tg.from_dlpack(torch.arange(6.0).reshape(2, 3).t()).requires_grad_()
    (x @ x.t()).sum().backward()
    assert x.grad.tolist() == [[6.0, 24.0]] * 3
    y = torch.from_dlpack(x.detach())
    with tg.no_grad():
        x -= 1.0
    assert y.tolist() == [[-1.0, 2.0], [0.0, 3.0], [1.0, 4.0]]


# Who frees what --------------------------------------------------------------------------------------------------
def test_our_memory_lives_as_long_as_somebody_sees_it():
    x = tg.ones(5)
    held = weakref.ref(x.flat)
    array = np.from_dlpack(x)
    del x
    assert held() is not None and array.tolist() == [1.0] * 5
    del array
    assert held() is None


def test_large_memory_is_not_used_again_before_that():
    x = tg.ones(1200, 1200)  # from 4 MiB on, arrays are kept in a list: cpu/memory.py
    array = np.from_dlpack(x)
    del x
    others = [tg.zeros(1200, 1200) for _ in range(3)]
    assert array.min() == 1.0 and all(not np.shares_memory(array, other.numpy()) for other in others)


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_a_capsule_that_nobody_takes_frees_its_memory(version):
    x = tg.ones(5)
    held = weakref.ref(x.flat)
    capsule = x.__dlpack__(max_version=version)
    del x
    assert held() is not None
    del capsule
    assert held() is None


@pytest.mark.parametrize("layout", [lambda a: a, lambda a: a[1:, ::2].T])
def test_their_memory_lives_as_long_as_our_tensor_and_its_views(layout):
    array = np.ones((3, 4))
    held = weakref.ref(array)
    x = tg.from_dlpack(layout(array))
    part = x[:1]
    del array, x
    assert held() is not None and part.sum().item() == part.numel()
    del part
    assert held() is None


def test_what_is_refused_is_freed():
    array = np.ones(3, np.float16)
    held = weakref.ref(array)
    with pytest.raises(TypeError):
        tg.from_dlpack(array)
    del array
    assert held() is None


def test_memory_comes_and_goes_without_a_loss(torch):
    """Two hundred times seven journeys of 4 MB."""

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    for turn in range(200):
        x = tg.ones(1000, 1000)
        for y in (torch.from_dlpack(x), np.from_dlpack(x), x.__dlpack__(), torch.from_dlpack(tg.to_dlpack(x))):
            del y
        tg.from_dlpack(torch.utils.dlpack.to_dlpack(torch.empty(1000, 1000)))
        del x
        if turn == 20:
            before = resident()
    assert resident() - before < 100e6


# What is refused, and what may be wished -------------------------------------------------------------------------
def test_a_tensor_that_requires_a_gradient_stays(torch):
    for x, module in ((tg.ones(2, requires_grad=True), tg), (torch.ones(2, requires_grad=True), torch)):
        for function in (lambda x=x: x.__dlpack__(), lambda m=module, x=x: m.from_dlpack(x)):
            with pytest.raises(BufferError, match="Can't export tensors that require gradient, use tensor.detach()"):
                function()
        with pytest.raises(BufferError, match="use tensor.detach()"):
            tg.from_dlpack(x)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "complex64", "complex128", "uint16", "uint64"])
def test_a_dtype_without_kernels_is_refused(dtype, torch):
    with pytest.raises(TypeError, match="supported are bool|no kernels for this dtype"):
        tg.from_dlpack(torch.ones(2, dtype=getattr(torch, dtype)))


def test_strides_without_a_tensor_are_refused():
    with pytest.raises(ValueError, match="negative or fractional strides .* copy"):
        tg.from_dlpack(np.arange(4)[::-1])


def test_a_capsule_is_good_for_one_use(torch):
    for module, x in ((tg, tg.ones(2)), (torch, torch.ones(2))):
        capsule = module.utils.dlpack.to_dlpack(x)
        assert tg.from_dlpack(capsule).tolist() == [1.0, 1.0]
        for second in (tg, torch):
            with pytest.raises(RuntimeError, match="invalid capsule.*consumed only once"):
                second.from_dlpack(capsule)
    for nothing in (3, "x", None):
        with pytest.raises(RuntimeError, match="invalid capsule"):
            tg.from_dlpack(nothing)


class Elsewhere:
    """An array of a library from before version 1.0, or on another device."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device = array, device

    def __dlpack__(self, stream=None):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.device


def test_an_old_library_is_understood():
    array = np.zeros(2)
    x = tg.from_dlpack(Elsewhere(array))
    x += 1  # NumPy takes such memory for read-only
    assert array.tolist() == [1.0, 1.0]


def test_pinned_memory_is_the_cpus_and_other_devices_are_refused():
    assert tg.from_dlpack(Elsewhere(np.zeros(2), (3, 0))).device.type == "cpu"
    with pytest.raises(BufferError, match="device type 8 is not supported"):
        tg.from_dlpack(Elsewhere(np.zeros(2), (8, 0)))


def test_read_only_memory_is_shared_as_by_pytorch(torch):
    whole = np.zeros(2)
    array = whole.view()
    array.flags.writeable = False
    for module in (torch, tg):
        x = module.from_dlpack(array)
        x += 1
    assert whole.tolist() == [2.0, 2.0]


def test_copies_when_asked_for(torch):
    x, y, array = tg.ones(2), torch.ones(2), np.ones(2)
    for copy in (
        tg.from_dlpack(y, copy=True), tg.from_dlpack(array, copy=True), torch.from_dlpack(x, copy=True),
        np.from_dlpack(x, copy=True), tg.from_dlpack(x.__dlpack__(copy=True)),
    ):  # fmt: skip
        copy[0] = 5.0
    assert x.tolist() == y.tolist() == array.tolist() == [1.0, 1.0]
    for sharing in (tg.from_dlpack(y, copy=False, device="cpu"), torch.from_dlpack(x, copy=False, device="cpu")):
        sharing[0] = 5.0
    assert x.tolist() == y.tolist() == [5.0, 1.0]
    with pytest.raises(AssertionError, match="already a DLPack capsule"):
        tg.from_dlpack(tg.to_dlpack(x), copy=True)


def test_what_is_asked_of_a_tensor_is_checked_as_in_pytorch(torch):
    for x in (tg.ones(2), torch.ones(2)):
        assert x.__dlpack_device__() == (1, 0)
        assert '"dltensor"' in repr(x.__dlpack__(stream=-1)) and '"dltensor"' in repr(x.__dlpack__(max_version=(0, 8)))
        assert '"dltensor_versioned"' in repr(x.__dlpack__(max_version=(1, 0), dl_device=(1, 0)))
        with pytest.raises(AssertionError, match="stream should be None on cpu"):
            x.__dlpack__(stream=1)
        with pytest.raises(TypeError, match="stream must be"):
            x.__dlpack__(stream="1")
    with pytest.raises(BufferError, match="device type 8"):
        tg.ones(2).__dlpack__(dl_device=(8, 0))


def test_a_tensor_on_the_cpu_has_no_cuda_array_interface(torch):
    for x in (tg.ones(2), torch.ones(2)):
        assert not hasattr(x, "__cuda_array_interface__")
        with pytest.raises(AttributeError, match=r"non-CUDA tensor type: torch.FloatTensor.* tensor.cuda\(\)"):
            x.__cuda_array_interface__  # noqa: B018


def test_sharing_on_the_cpu_loads_nothing_of_cuda():
    code = """
import sys
import numpy, tinygrad_edu as tg
numpy.from_dlpack(tg.from_dlpack(numpy.ones(2)))
print([m for m in sys.modules if m.startswith(("cuda", "numba_cuda", "numba.cuda", "tinygrad_kernels.cuda."))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = eval(done.stdout)
    assert not set(loaded) - {"tinygrad_kernels.cuda.presence"} - {m for m in loaded if m.startswith("numba.cuda")}
