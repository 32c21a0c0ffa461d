"""The Tensor itself: making it, dtypes and their promotion, views, indexing, conversion."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import identical

import tinygrad_edu as tg

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64")


def nearly_agree(ours, theirs):
    """The same up to one rounding: PyTorch divides a number by x as number * (1 / x), which rounds twice."""
    assert tuple(ours.shape) == tuple(theirs.shape) and repr(ours.dtype) == repr(theirs.dtype)
    rtol = 2.3e-16 if ours.dtype is tg.float64 else 1.2e-7
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=rtol, atol=0)


# Making tensors -------------------------------------------------------------------------------------------------
DATA = [
    3, 2.5, True, [], [[]], [[], []], [1, 2], [1.0, 2], [True, False], [[1, 2], [3, 4]], [[[1.5]]], (1, 2.0),
    [(1, 2), (3, 4)], [True, 2], [True, 2.5], float("nan"), [math.inf, -0.0], 2**40, -(2**63), range(3),
]  # fmt: skip


@pytest.mark.parametrize("data", DATA, ids=repr)
def test_tensor_infers_shape_and_dtype_as_pytorch_does(data, torch):
    identical(tg.tensor(data), torch.tensor(data))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("data", [3, [], [0, 1, 2], [[1.75, -0.0], [3.0, 100.0]], [True, False]], ids=repr)
def test_tensor_with_a_dtype(data, dtype, torch):
    ours = {"bool": tg.bool}.get(dtype, getattr(tg, dtype, None))
    theirs = getattr(torch, dtype)
    if dtype.startswith("uint") and "-0.0" in repr(data):
        data = [[1.75, 0.0], [3.0, 100.0]]
    identical(tg.tensor(data, dtype=ours), torch.tensor(data, dtype=theirs))


@pytest.mark.parametrize(
    "array", [np.float32(1.5), np.int8([1, 2]), np.zeros((2, 0), np.float64), np.array(True)], ids=repr
)
def test_tensor_of_numpy_keeps_its_dtype_and_copies(array, torch):
    x = tg.tensor(array)
    identical(x, torch.tensor(array))
    assert not np.shares_memory(x.numpy(), array)


def test_tensor_of_tensors_and_of_a_list_of_numbers_in_tensors(torch):
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = tg.tensor(x)
    y[0] = 9.0
    assert x.tolist() == [1.0, 2.0] and not y.requires_grad
    assert tg.tensor([tg.tensor(1.0), 2.0]).tolist() == [1.0, 2.0]


MAKERS = [
    ("zeros", (2, 3)), ("zeros", ((2, 3),)), ("zeros", ((),)), ("zeros", (0,)), ("ones", (2, 1)), ("ones", ([2, 2],)),
    ("full", ((2,), 3)), ("full", ((2,), 3.0)), ("full", ((), True)), ("full", ((2, 2), -1)), ("eye", (3,)),
    ("eye", (2, 3)),
    ("arange", (5,)), ("arange", (1, 6, 2)), ("arange", (0.5, 3)), ("arange", (5, 0, -2)), ("arange", (0,)),
    ("arange", (0.0, 9.5, 2.5)), ("arange", (1.0,)), ("linspace", (0, 1, 5)), ("linspace", (-3, 3, 7)),
    ("linspace", (1, 2, 1)), ("linspace", (0, 1, 0)), ("linspace", (-math.pi, math.pi, 2000)), ("linspace", (5, -5, 4)),
]  # fmt: skip


def test_a_step_that_an_integer_dtype_cuts_to_zero_is_refused(torch):
    identical(tg.arange(0, 1, 0.1), torch.arange(0, 1, 0.1))
    for library in (tg, torch):
        with pytest.raises((RuntimeError, ValueError), match="step must be nonzero"):
            library.arange(0, 1, 0.1, dtype=library.int64)


@pytest.mark.parametrize("name, arguments", MAKERS, ids=repr)
@pytest.mark.parametrize("dtype", [None, "float64", "int64"])
def test_makers_are_pytorchs(name, arguments, dtype, torch):
    options = [{} if dtype is None else {"dtype": getattr(library, dtype)} for library in (tg, torch)]
    ours, theirs = (getattr(library, name)(*arguments, **o) for library, o in zip((tg, torch), options, strict=True))
    if name == "linspace" and dtype == "float64":  # PyTorch rounds once where the compiler fuses, we twice
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=5e-16)
    else:
        identical(ours, theirs)


@pytest.mark.parametrize("name", ["zeros_like", "ones_like", "empty_like"])
def test_likes_take_over_shape_and_dtype(name):
    x = tg.tensor([[1, 2, 3]], dtype=tg.int16)
    assert getattr(tg, name)(x).shape == (1, 3) and getattr(tg, name)(x).dtype is tg.int16
    y = getattr(tg, name)(x, dtype=tg.float64, requires_grad=True)
    assert y.dtype is tg.float64 and y.requires_grad and y.is_leaf


# Promotion ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("a, b", list(itertools.product(DTYPES, DTYPES)))
def test_promotion_of_dtypes_is_pytorchs(a, b, torch):
    """Trap: float32 creeping to float64 through 0-d arrays (DeZero under NumPy 2)."""
    dtype = {"bool": tg.bool, **{name: getattr(tg, name) for name in DTYPES[1:]}}
    for shape_a, shape_b in itertools.product([(), (2,)], repeat=2):
        x, y = tg.ones(shape_a, dtype=dtype[a]), tg.ones(shape_b, dtype=dtype[b])
        u, v = torch.ones(shape_a, dtype=getattr(torch, a)), torch.ones(shape_b, dtype=getattr(torch, b))
        identical(x * y, u * v)
    if "float" in a + b or a == "int64":  # what follows from the promotion: the quotient, and truth values
        identical(x / y, u / v)
        identical(x < y, u < v)


@pytest.mark.parametrize("number", [2, 2.5, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_promotion_with_python_numbers_is_pytorchs(dtype, number, torch):
    """Trap: float32 creeping to float64 through Python scalars (DeZero)."""
    x = tg.tensor([1, 3]).to({"bool": tg.bool}.get(dtype) or getattr(tg, dtype))
    y = torch.tensor([1, 3]).to(getattr(torch, dtype))
    for f in (
        lambda x: x + number,
        lambda x: number * x,
        lambda x: x / number,
        lambda x: number / x,
        lambda x: x > number,
    ):
        nearly_agree(f(x), f(y))


@pytest.mark.parametrize("name", ["exp", "log", "sin", "cos", "tanh", "sqrt", "sigmoid", "relu", "square", "neg"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_of_a_functions_result_is_pytorchs(name, dtype, torch):
    x = torch.tensor([1, 2]).to(getattr(torch, dtype))
    try:
        expected = getattr(x, name)().dtype
    except RuntimeError:
        with pytest.raises(RuntimeError):
            getattr(tg.tensor(x.numpy()), name)()
        return
    assert repr(getattr(tg.tensor(x.numpy()), name)().dtype) == repr(expected)


@pytest.mark.parametrize("a, b", list(itertools.product(DTYPES, DTYPES)))
def test_conversion_between_all_dtypes(a, b, torch):
    source = np.array([0, 1, 2, 100, 3]).astype(a)
    names = {"bool": tg.bool}
    identical(tg.tensor(source).to(names.get(b) or getattr(tg, b)), torch.tensor(source).to(getattr(torch, b)))


def test_a_conversion_passes_the_gradient_back_in_the_operands_dtype():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x.double() * tg.tensor([3.0, 4.0], dtype=tg.float64)).sum().backward()
    assert x.grad.dtype is tg.float32 and x.grad.tolist() == [3.0, 4.0]
    assert x.to(tg.float32) is x and x.long().requires_grad is False


def test_mixed_dtypes_give_each_operand_its_own_dtype_of_gradient():
    x, y = tg.ones(2, 3, requires_grad=True), tg.ones(3, dtype=tg.float64, requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (tg.float32, tg.float64) and y.grad.tolist() == [2.0] * 3


# Views ----------------------------------------------------------------------------------------------------------
VIEWS = {
    "reshape": lambda x: x.reshape(4, 6), "reshape -1": lambda x: x.reshape(-1),
    "reshape list": lambda x: x.reshape([3, 8]),
    "flatten": lambda x: x.flatten(), "flatten 1": lambda x: x.flatten(1), "flatten 0, 1": lambda x: x.flatten(0, 1),
    "permute": lambda x: x.permute(2, 0, 1), "permute tuple": lambda x: x.permute((1, 0, 2)),
    "permute -1": lambda x: x.permute(-1, 0, 1),
    "transpose": lambda x: x.transpose(0, 2), "transpose -1": lambda x: x.transpose(-1, -2), "mT": lambda x: x.mT,
    "unsqueeze": lambda x: x.unsqueeze(1), "unsqueeze -1": lambda x: x.unsqueeze(-1),
    "squeeze": lambda x: x.unsqueeze(0).squeeze(),
    "squeeze dim": lambda x: x.unsqueeze(1).squeeze(1), "squeeze nothing": lambda x: x.squeeze(0),
    "expand": lambda x: x.unsqueeze(0).expand(5, 2, 3, 4), "expand -1": lambda x: x[:, :1].expand(-1, 6, -1),
    "then reshape": lambda x: x.transpose(0, 1).reshape(6, 4), "then flatten": lambda x: x.permute(2, 1, 0).flatten(),
    "then view-like": lambda x: x.transpose(0, 1).reshape(3, 2, 2, 2),
}  # fmt: skip
INDICES = [
    0, -1, (1, 2), (1, 2, 3), slice(1, 2), slice(None, None, 2), (slice(None), 1), (..., 0), (0, ...),
    (..., slice(1, 3)),
    None, (None, 0), (slice(None), None, 1), (slice(0, 0),), (1, slice(None, -1), slice(1, None, 2)), (..., None),
    (slice(5, 9),), (slice(-1, None),), (0, slice(None), 0), (), ..., (True and 1,),
]  # fmt: skip


def both(library, view):
    """A view of a leaf, and the gradient that comes back through it."""
    x = library.tensor(np.arange(24.0).reshape(2, 3, 4)).requires_grad_()
    y = view(x)
    weights = library.tensor(np.cos(np.arange(max(y.numel(), 0))).reshape(tuple(y.shape)))
    (y * weights).sum().backward()
    return y, x.grad


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_views_and_their_gradients_are_pytorchs(view, torch):
    """Trap: `view`'s backward ignores strides (minitorch)."""
    (y, g), (expected, eg) = both(tg, view), both(torch, view)
    identical(y, expected)
    np.testing.assert_allclose(g.numpy(), eg.numpy(), rtol=1e-15, atol=1e-15)
    assert tuple(y.stride()) == tuple(expected.stride()) and y.is_contiguous() == expected.is_contiguous()


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_indexing_and_its_gradient_are_pytorchs(index, torch):
    (y, g), (expected, eg) = both(tg, lambda x: x[index]), both(torch, lambda x: x[index])
    identical(y, expected)
    np.testing.assert_allclose(g.numpy(), eg.numpy(), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_assignment_by_index_is_pytorchs(index, torch):
    results = []
    for library in (tg, torch):
        x, v = (
            library.ones(2, 3, 4, dtype=library.float64).requires_grad_(),
            library.tensor(2.0, dtype=library.float64).requires_grad_(),
        )
        y = x * 3.0
        y[index] = v
        (y * library.tensor(np.cos(np.arange(24.0)).reshape(2, 3, 4))).sum().backward()
        results.append((y, x.grad, v.grad))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-13, atol=1e-15)


def test_a_view_shares_memory_and_a_copy_does_not():
    x = tg.zeros(2, 3)
    x.t()[1, 0] = 5.0
    assert x[0, 1].item() == 5.0
    x.t().contiguous()[0, 0] = 7.0
    x.clone()[0, 0] = 7.0
    assert x[0, 0].item() == 0.0
    assert x.contiguous() is x and x.t().is_view()


@pytest.mark.parametrize(
    "shape, strides_from", [((1, 4), "t"), ((4, 1), "t"), ((1, 1, 3), "p"), ((2, 1, 3), "p"), ((0, 3), "t")]
)
def test_axes_of_size_one_do_not_make_a_tensor_strided(shape, strides_from, torch):
    """Trap: `is_contiguous` wrong for size-1 axes."""
    for view in (lambda x: x.transpose(0, 1), lambda x: x.transpose(0, -1), lambda x: x[:1], lambda x: x[..., :1]):
        assert view(tg.zeros(shape)).is_contiguous() == view(torch.zeros(shape)).is_contiguous()


@given(st.lists(st.sampled_from(["t", "r", "i", "s", "u", "e"]), max_size=6), st.integers(0, 99))
def test_random_chains_of_views_are_pytorchs(chain, seed):
    torch = pytest.importorskip("torch")
    results = []
    for library in (tg, torch):
        random = np.random.default_rng(seed)
        x = library.tensor(np.arange(24.0).reshape(2, 3, 4)).requires_grad_()
        y = x
        for step in chain:
            n = len(y.shape)
            if step == "t" and n:
                a, b = random.integers(0, n, 2).tolist()
                y = y.transpose(a, b)
            elif step == "r":
                y = y.reshape(-1) if random.random() < 0.5 or y.numel() % 2 else y.reshape(2, -1)
            elif step == "i" and n and y.shape[0]:
                y = y[int(random.integers(0, y.shape[0]))]
            elif step == "s" and n:
                y = y[..., 1 : None : int(random.integers(1, 3))]
            elif step == "u":
                y = y.unsqueeze(int(random.integers(0, n + 1)))
            elif step == "e":
                y = y.unsqueeze(0).expand(2, *y.shape)
        weights = library.tensor(np.cos(np.arange(y.numel())).reshape(tuple(y.shape)))
        (y * weights).sum().backward()
        results.append((y, x.grad))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-12)


# To Python ------------------------------------------------------------------------------------------------------
def test_conversion_to_python():
    x = tg.tensor([[1, 2], [3, 4]])
    assert x.tolist() == [[1, 2], [3, 4]] and x.t().tolist() == [[1, 3], [2, 4]] and len(x) == 2
    assert [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert x[1, 0].item() == 3 and int(x[1, 1]) == 4 and float(tg.tensor([2.5])) == 2.5 and bool(tg.tensor(1.0))
    assert [10, 20, 30][tg.tensor(1)] == 20 and f"{tg.tensor(1.5):.3f}" == "1.500"
    assert np.asarray(x).tolist() == x.tolist() and x.numel() == 4 and x.dim() == x.ndim == 2


def test_shape_is_a_size_and_size_takes_an_axis(torch):
    x, y = tg.zeros(2, 3), torch.zeros(2, 3)
    assert repr(x.shape) == repr(y.shape) and x.size() == (2, 3) and x.size(1) == x.size(-1) == 3
    assert x.shape.numel() == 6 and x.stride() == (3, 1) and x.stride(0) == 3


def test_detach_and_data_share_memory_outside_the_graph():
    x = tg.ones(2, requires_grad=True)
    d = x.detach()
    d[0] = 5.0
    assert x.tolist() == [5.0, 1.0] and not d.requires_grad
    x.data = tg.tensor([7.0, 8.0])
    assert x.tolist() == [7.0, 8.0] and x.requires_grad and x.is_leaf


def test_requires_grad_can_be_switched_on_and_off():
    """Trap: `requires_grad_(False)` that turns it on (minitorch)."""
    x = tg.ones(2)
    assert x.requires_grad_() is x and x.requires_grad
    assert not x.requires_grad_(False).requires_grad
    x.requires_grad = True
    assert x.requires_grad and (x * 2).requires_grad and not (x > 0).requires_grad
    with tg.no_grad():
        assert not (x * 2).requires_grad


def test_gradients_are_assigned_and_checked():
    x = tg.ones(2, requires_grad=True)
    x.grad = tg.tensor([1.0, 2.0])
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]
    x.grad = None
    assert x.grad is None


def test_device_and_dtype_are_printed_as_pytorchs(torch):
    assert repr(tg.float32) == repr(torch.float32) and repr(tg.ones(1).device) == repr(torch.ones(1).device)
    assert tg.device("cpu") == tg.ones(1).device and str(tg.device("cuda:1")) == "cuda:1"
    assert pickle.loads(pickle.dumps(tg.float64)) is tg.float64


def test_squeeze_takes_several_axes():
    x = tg.zeros(1, 2, 1, 1)
    assert x.squeeze((0, -1)).shape == (2, 1) and x.squeeze((0, 1)).shape == (2, 1, 1)


def test_flatten_refuses_axes_in_the_wrong_order_and_leaves_one_axis_as_it_is():
    x = tg.zeros(2, 3)
    assert x.flatten(1) is x
    with pytest.raises(RuntimeError, match="start_dim cannot come after end_dim"):
        x.flatten(1, 0)


def test_expand_has_no_size_to_keep_for_a_new_axis():
    with pytest.raises(RuntimeError, match="-1"):
        tg.zeros(2, 3).expand(-1, 2, 3)


def test_the_types_of_python_are_dtypes():
    for python, dtype in ((bool, tg.bool), (int, tg.int64), (float, tg.float64)):
        assert tg.zeros(2, dtype=python).dtype is dtype and tg.ones(2).to(python).dtype is dtype
