"""max, min, amax, amin, argmax, argmin, any, all, count_nonzero: values, places, ties, nan, dtypes, errors."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cpu import backend as cpu
from tinygrad_kernels.expr import trace

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck

SIZES = [1, 31, 32, 33, 1023, 1024, 1025, 2049, 4095, 4096, 4097, 70_001]
DTYPES = ["bool", "uint8", "int64", "float32"]  # float64 has tests of its own, with nan and infinities
REDUCING = ["amax", "amin", "any", "all", "count_nonzero"]


def naive_argmax(x):
    """The loop at the top of codegen_extrema.py."""
    best = 0
    for i in range(1, len(x)):
        if x[i] > x[best] or (x[i] != x[i] and x[best] == x[best]):
            best = i
    return best


def layouts(library, array):
    """The same elements in different places: as they are, transposed, sliced, expanded."""
    turned = library.tensor(np.ascontiguousarray(array.T)).t()
    doubled = library.tensor(np.repeat(array, 2, axis=1))[:, ::2]
    return [library.tensor(array), turned, doubled, library.tensor(array[:1]).expand(*array.shape)]


@pytest.mark.parametrize("n", SIZES)
def test_the_extremum_is_found_wherever_it_is(n):
    """Trap: a reduction that returns block partials. Serial and parallel kernels, at the edges of their blocks."""
    for at in {0, n // 2, n - 1}:
        for value in (5.0, -5.0, np.nan):
            a = np.linspace(-1.0, 1.0, n, dtype=np.float32)
            a[at] = value
            x = tg.tensor(a)
            assert x.max().shape == () and x.min().shape == ()
            np.testing.assert_array_equal([x.max().item(), x.min().item()], [a.max(), a.min()])
            assert (x.argmax().item(), x.argmin().item()) == (a.argmax(), a.argmin())
            assert x.argmax().item() == naive_argmax(a[: at + 1].tolist()) or n > at + 1


LARGE = [("float32", shape) for shape in [(1, 70_000), (70_000, 2), (300, 400)]]  # in parallel, where threads may start


@pytest.mark.parametrize("dtype, shape", [(dtype, (5, 7)) for dtype in DTYPES] + LARGE, ids=str)
def test_values_and_dtypes_are_pytorchs(dtype, shape, torch):
    array = (np.random.default_rng(0).standard_normal(shape) * 3).astype(np.int64).astype(dtype)
    for x, y in zip(layouts(tg, array), layouts(torch, array), strict=True):
        for name, dim in itertools.product(REDUCING, (None, 0, 1)):
            found, expected = getattr(x, name)(dim), getattr(y, name)(dim)
            assert repr(found.dtype) == repr(expected.dtype)
            np.testing.assert_array_equal(found.numpy(), expected.numpy(), err_msg=f"{name} {dim}")
        for name in ("max", "min"):
            assert getattr(x, name)().item() == getattr(y, name)().item()
            for dim in (0, -1):
                values, indices = getattr(x, name)(dim)
                np.testing.assert_array_equal(values.numpy(), getattr(y, name)(dim).values.numpy())
                np.testing.assert_array_equal(indices.numpy(), getattr(x.numpy().astype("f8"), f"arg{name}")(dim))
                assert indices.dtype is tg.int64 and repr(values.dtype) == repr(y.dtype)


SPECIAL = [
    [np.nan, 1, 2],
    [1, np.nan, np.nan],
    [np.copysign(np.nan, -1), np.inf, 1],
    [np.inf, -np.inf, 0],
    [-np.inf] * 3,
    [-0.0, 0.0, -0.0],
    [0.0, -0.0, 0.0],
    [1e-45, -1e-45, 0.0],
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", SPECIAL, ids=str)
def test_nan_wins_and_the_first_of_equals_has_the_index(dtype, row):
    a = np.array([row, row], dtype)
    x = tg.tensor(a)
    for dim in (0, 1):
        for name in ("max", "min"):
            values, indices = getattr(x, name)(dim)
            np.testing.assert_array_equal(values.numpy(), getattr(a, name)(dim))
            np.testing.assert_array_equal(indices.numpy(), getattr(a, f"arg{name}")(dim))
            np.testing.assert_array_equal(getattr(x, f"a{name}")(dim).numpy(), getattr(a, name)(dim))
            assert values.dtype is getattr(x, f"a{name}")(dim).dtype is x.dtype and indices.dtype is tg.int64
        for name in ("any", "all", "count_nonzero"):
            np.testing.assert_array_equal(getattr(x, name)(dim).numpy(), getattr(np, name)(a != 0, axis=dim))
    assert x.argmax().item() == a.argmax() and x.argmin().item() == a.argmin()


FUSED = trace("distance", lambda x, y: (x - y) * (x - y) - 1.0, ("x", "y"))


REDUCED = ["sum", "prod", "max", "min", "any", "all", "argmax", "argmin"]


@pytest.mark.parametrize("op, big", [*((op, False) for op in REDUCED), ("sum", True), ("max", True), ("argmax", True)])
def test_any_formula_can_be_reduced_without_being_stored(op, big):
    """The formula is inside the loop of every reduction, over rows and over columns."""
    x, y = np.random.default_rng(6).standard_normal((2, 60, 1100))
    z = (x - y) * (x - y) - 1.0
    if op == "prod":
        x, z = x / 1e3 + y + 1.4, (x / 1e3 + 1.4) ** 2 - 1.0
    kind = {"any": "bool", "all": "bool", "argmax": "int64", "argmin": "int64"}.get(op, "float64")
    signature = Signature(["float64"] * 2, ["flat"] * 2, "float64")
    rows, columns = np.empty(60, kind), np.empty(1100, kind)
    cpu.rows(FUSED, signature, big, op)(rows, 1100, 1.0, x.reshape(-1), y.reshape(-1))
    cpu.columns(FUSED, signature, big, op)(columns, 60, 1100, 1.0, x.reshape(-1), y.reshape(-1))
    np.testing.assert_allclose(rows, getattr(np, op)(z, axis=1), rtol=1e-11)
    np.testing.assert_allclose(columns, getattr(np, op)(z, axis=0), rtol=1e-11)


def test_extreme_integers():
    for dtype in (tg.int8, tg.int64):
        low, high = np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max
        x = tg.tensor([[low, low], [high, low]], dtype=dtype)
        assert x.max().item() == high and x.min().item() == low and x.argmax().item() == 2 and x.argmin().item() == 0
        assert x.amax(1).tolist() == [low, high] and x.argmin(0).tolist() == [0, 0] and x.argmax(1).tolist() == [0, 0]


@given(
    st.lists(st.sampled_from([1, 2, 3]), max_size=4).map(tuple),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from(REDUCING[:2]),
)
def test_amax_of_permuted_views_and_its_shared_gradient_are_pytorchs(shape, random, keepdim, name):
    """Trap: ties in max counted for each (DeZero, minitorch): they share."""
    torch = pytest.importorskip("torch")
    order = random.sample(range(len(shape)), len(shape))
    axes = tuple(random.sample(range(len(shape)), random.randint(0, len(shape))))
    array = np.array([random.randint(0, 2) for _ in range(int(np.prod(shape, dtype=int)))], float).reshape(shape)
    results = []
    for library in (tg, torch):
        x = library.tensor(array).requires_grad_()
        y = getattr((x * x).permute(order), name)(axes, keepdim=keepdim)
        (y * y).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


TIES = [[1.0, 5.0, 5.0], [5.0, 5.0, 5.0], [np.nan, 1.0, np.nan], [1.0, 2.0, 3.0]]


@pytest.mark.parametrize("row", TIES, ids=str)
def test_who_gets_the_gradient_at_a_tie(row, torch):
    """Trap: ties in max, [1, 1, 0] instead of PyTorch's split (`max()`, `amax`) or single pick (`max(dim)`)."""
    forms = {
        "max()": lambda x: x.max(),
        "min()": lambda x: x.min(),
        "amax": lambda x: x.amax(0),
        "amin": lambda x: x.amin(0),
        "max(dim)": lambda x: x.max(0).values,
        "min(dim)": lambda x: x.min(0)[0],
    }
    for name, form in forms.items():
        gradients = []
        for library in (tg, torch):
            x = library.tensor(row, dtype=library.float64, requires_grad=True)
            y = form(x)
            y.backward()
            gradients.append((x.grad.tolist(), y.grad_fn.name()))
        np.testing.assert_array_equal(gradients[0][0], gradients[1][0], err_msg=name)
        assert gradients[0][1] == gradients[1][1]


@pytest.mark.parametrize("dim", [0, 1, (0, 2), None])
def test_the_gradients_pass_the_check(dim):
    """Trap: `max` drops the graph (TinyTorch)."""
    x = tg.tensor(np.random.default_rng(1).permutation(18.0 * np.ones(18).cumsum() / 100).reshape(3, 3, 2))
    x.requires_grad_()
    function = lambda x: (x * x * x).amax(dim)  # noqa: E731
    assert gradcheck(function, x) and gradgradcheck(function, x)
    if dim is None or isinstance(dim, int):
        pick = lambda x: (x * x * x).min(dim)[0] if dim is not None else (x * x * x).min()  # noqa: E731
        assert gradcheck(pick, x) and gradgradcheck(pick, x)


def test_max_of_two_tensors_and_the_printed_pair(torch):
    x, y = tg.tensor([1.0, 5.0]), tg.tensor([2.0, 4.0])
    assert x.max(y).tolist() == [2.0, 5.0] == tg.max(x, y).tolist() == tg.max(input=x, other=y).tolist()
    assert tg.min(x, y).tolist() == [1.0, 4.0]
    assert repr(x.max(0)) == repr(torch.tensor([1.0, 5.0]).max(0))
    assert repr(tg.min(x, 0, True)) == repr(torch.tensor([1.0, 5.0]).min(0, True))


ERRORS = [
    lambda m: m.zeros(0).max(),
    lambda m: m.zeros(0).amin(),
    lambda m: m.zeros(0).argmax(),
    lambda m: m.zeros(0, 3).max(0),
    lambda m: m.zeros(0, 3).amax(0),
    lambda m: m.zeros(0, 3).argmin(0),
    lambda m: m.zeros(2).max(1),
    lambda m: m.zeros(2).argmax(1),
    lambda m: m.zeros(2, 3).max((0, 1)),
    lambda m: m.zeros(2, 3).argmax((0, 1)),
    lambda m: m.zeros(2, 3).argmax(1.0),
    lambda m: m.zeros(2, 3).amax((0, 0)),
    lambda m: m.zeros(2).max(keepdim=True),
    lambda m: m.zeros(2).bool().argmax(),
    lambda m: m.zeros(2).any(1),
]


@pytest.mark.parametrize("k", range(len(ERRORS)))
def test_errors_are_of_pytorchs_types(k, torch):
    with pytest.raises((RuntimeError, IndexError, TypeError)) as expected:
        ERRORS[k](torch)
    with pytest.raises(expected.type) as found:
        ERRORS[k](tg)
    assert type(found.value) is expected.type


def test_empty_results():
    x = tg.zeros(0, 3)
    assert x.amax(1).shape == (0,) and x.max(1).values.shape == (0,) and x.argmax(1).shape == (0,)
    assert (
        not x.any().item() and x.all().item() and x.any(0).tolist() == [False] * 3 and x.all(0).tolist() == [True] * 3
    )
    assert x.count_nonzero().item() == 0


def test_an_operand_that_was_changed_is_refused():
    """Trap: editing data after it was saved (DeZero, TinyTorch, minitorch)."""
    x = tg.tensor([1.0, 2.0], requires_grad=True) * 1.0
    y = x.amax()
    x += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_threads_do_not_change_the_bits():
    a = np.random.default_rng(4).standard_normal((500, 700)).astype(np.float32)
    before, found = tg.get_num_threads(), []
    for threads in (1, 2):
        tg.set_num_threads(threads)
        x = tg.tensor(a)
        parts = [x.amax(1), x.argmax(0), x.argmin(1), x.argmin(), x.prod(1), x.prod(), x.cumsum(0), x.var(0), x.norm()]
        found.append([p.numpy().tobytes() for p in parts])
    tg.set_num_threads(before)
    assert found[0] == found[1]
