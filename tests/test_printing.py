"""A printed tensor is PyTorch's text, character by character."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_edu.printing import set_printoptions, tensor_repr

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


def ours(array, **suffixes):
    name = array.dtype.name
    return tensor_repr(array, dtype_name=name, default_dtype=name == "float32", **suffixes)


def theirs(array, requires_grad=False):
    torch = pytest.importorskip("torch")
    return repr(torch.from_numpy(np.array(array, copy=True)).requires_grad_(requires_grad))


@pytest.fixture
def options():
    """Sets the options of both libraries, and puts the defaults back."""
    torch = pytest.importorskip("torch")

    def set_both(**given):
        set_printoptions(**given)
        torch.set_printoptions(**given)

    yield set_both
    set_both(profile="default")


# What PyTorch printed, so that the text is pinned without it.
GOLDEN = [
    (np.array([[1, 2], [3, 4]], np.float32), {}, "tensor([[1., 2.],\n        [3., 4.]])"),
    (np.array([0.5, -1.25], np.float32), {}, "tensor([ 0.5000, -1.2500])"),
    (np.array([1e-5, 1], np.float32), {}, "tensor([1.0000e-05, 1.0000e+00])"),
    (np.array([1, math.nan, math.inf, -math.inf], np.float32), {}, "tensor([1., nan, inf, -inf])"),
    (np.array(3, np.float32), {}, "tensor(3.)"),
    (np.array(-0.0, np.float32), {}, "tensor(-0.)"),
    (np.zeros((0, 3), np.float32), {}, "tensor([], size=(0, 3))"),
    (np.zeros(0, np.int64), {}, "tensor([], dtype=torch.int64)"),
    (np.array([True, False]), {}, "tensor([ True, False])"),
    (np.array([1, -20]), {}, "tensor([  1, -20])"),
    (np.array([1, 2], np.int32), {}, "tensor([1, 2], dtype=torch.int32)"),
    (np.array(1.5), {"requires_grad": True}, "tensor(1.5000, dtype=torch.float64, requires_grad=True)"),
    (
        np.array([2], np.float32),
        {"requires_grad": True, "grad_fn_name": "MulBackward0"},
        "tensor([2.], grad_fn=<MulBackward0>)",
    ),
    (np.array([2], np.float32), {"device": "cuda:0"}, "tensor([2.], device='cuda:0')"),
    (np.arange(1001), {}, "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
]


@pytest.mark.parametrize("array, suffixes, text", GOLDEN, ids=[text for *_, text in GOLDEN])
def test_known_text(array, suffixes, text):
    assert ours(array, **suffixes) == text


shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)
floats = [
    st.floats(width=16),  # anything, nan and infinities too
    st.integers(-2000, 2000).map(float),  # whole numbers
    st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf]),
    st.floats(-10, 10, width=16),
    st.sampled_from([1e-4, 9e-5, 1.0, -0.5, 999.0, 1000.0, 1001.0, 6e4, 12.5]),
]
big_floats = [st.floats(width=32), st.sampled_from([1e8, 1.1e8, 1e9, -2.5e9, 1.0, 3e-30, 0.1])]


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind != "f":
        return draw(hnp.arrays(dtype, shapes))
    kinds = floats if dtype == np.float16 else floats + big_floats
    elements = draw(st.sampled_from(kinds))
    return draw(hnp.arrays(np.float64, shapes, elements=elements)).astype(dtype)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(arrays())
def test_text_is_pytorchs(array):
    assert ours(array) == theirs(array)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(arrays().filter(lambda a: a.dtype.kind == "f"))
def test_text_of_a_leaf_is_pytorchs(array):
    assert ours(array, requires_grad=True) == theirs(array, requires_grad=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1000,), (1001,), (40, 40), (5, 300), (300, 5), (7, 12, 13), (2, 600), (6, 200)])
def test_big_tensors_are_summarised_as_pytorch_does(shape, dtype):
    array = (np.random.default_rng(1).standard_normal(shape) * 50).astype(dtype)
    assert ours(array) == theirs(array)


@pytest.mark.parametrize("count", range(1, 30))
def test_a_suffix_that_passes_the_line_goes_to_the_next(count):
    array = np.arange(count) + 0.5
    assert ours(array) == theirs(array)
    assert ours(array, requires_grad=True) == theirs(array, requires_grad=True)


def test_grad_fn_suffix_wraps_as_pytorchs():
    torch = pytest.importorskip("torch")
    for count in range(1, 30):
        x = torch.arange(count, dtype=torch.float64, requires_grad=True) * 0.5
        assert ours(x.detach().numpy(), grad_fn_name="MulBackward0") == repr(x)


@pytest.mark.parametrize(
    "given",
    [
        {"precision": 2},
        {"precision": 0},
        {"threshold": 5},
        {"threshold": 0},
        {"threshold": 5, "edgeitems": 1},
        {"threshold": 5, "edgeitems": 0},
        {"linewidth": 30},
        {"linewidth": 1},
        {"sci_mode": True},
        {"sci_mode": False},
        {"profile": "short"},
        {"profile": "full"},
        {"profile": "short", "precision": 6},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (12,), (3, 4), (8, 9), (2, 3, 4), (11, 101)])
def test_options_are_pytorchs(options, given, shape):
    values = np.random.default_rng(2).standard_normal(shape)
    options(**given)
    for array in (values, values.astype(np.float32), np.round(values * 50), (values * 50).astype(np.int64)):
        array = np.asarray(array)
        assert ours(array) == theirs(array)
        assert ours(array * np.asarray(1000, array.dtype)) == theirs(array * np.asarray(1000, array.dtype))


def test_sci_mode_is_forgotten_by_the_next_call(options):
    options(sci_mode=True)
    options(precision=3)
    assert ours(np.array([0.5], np.float32)) == theirs(np.array([0.5], np.float32)) == "tensor([0.500])"


def test_strided_arrays_print_in_index_order():
    array = np.arange(12.0).reshape(3, 4).T[::-1]
    assert ours(array) == theirs(array)
