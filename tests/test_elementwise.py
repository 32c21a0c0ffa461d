"""Elementwise operations on tensors: every operation, dtype, layout and size; values, first and second derivatives."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from points import TABLE, derivative, unit

import tinygrad_edu as tg
from tinygrad_edu.autograd import grad, gradcheck, gradgradcheck
from tinygrad_edu.ops.plan import OPERATIONS, apply

DIFFERENTIABLE = [name for name, operation in OPERATIONS.items() if operation.op.differentiable]
COMPARISONS = ["lt", "le", "gt", "ge", "eq", "ne"]
FLOATS = {"float32": (np.float32, 2e-6), "float64": (np.float64, 1e-13)}


def columns(points, dtype):
    """Test points as one array per operand."""
    return [np.array(c, bool if isinstance(c[0], bool) else dtype) for c in zip(*points, strict=True)]


def leaves(name, arrays):
    """Tensors of arrays; those that the operation differentiates require a gradient."""
    pulls = OPERATIONS[name].pulls
    made = [tg.tensor(a) for a in arrays]
    return [x if p is None else x.requires_grad_() for x, p in zip(made, pulls, strict=False)]


def result(name, operands):
    """The operation on tensors; a parameter that is not among them is a number."""
    return apply(OPERATIONS[name], *operands, *TABLE[name].parameters)


@functools.cache  # the two ways backward ask for the same
def true_derivative(name, point, orders):
    return derivative(TABLE[name], point, orders)


def expected_at(name, points, dtype, orders, factor=1.0):
    """The reference at points that were first rounded to the dtype, as an array of the dtype."""
    rounded = [tuple(x if isinstance(x, bool) else float(dtype(x)) for x in p) for p in points]
    with np.errstate(over="ignore"):
        return np.array([factor * true_derivative(name, p, orders) for p in rounded], np.float64).astype(dtype)


def assert_close(found, expected, name, rtol, size=1.0):
    """Within a few roundings. What underflows may come out as 0; what cancels is compared absolutely."""
    eps = np.finfo(expected.dtype).eps
    floor = 8 * eps * size if TABLE[name].cancels else 4 * np.finfo(expected.dtype).tiny
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=rtol, atol=floor)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_values_are_those_of_an_independent_formula(name, dtype):
    T, rtol = FLOATS[dtype]
    points = TABLE[name].smooth
    out = result(name, list(map(tg.tensor, columns(points, T))))
    assert_close(out, expected_at(name, points, T, (0,) * len(points[0])), name, rtol)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_first_derivatives_are_the_numerical_ones(name, dtype, create_graph):
    T, rtol = FLOATS[dtype]
    points = TABLE[name].smooth
    operands = leaves(name, columns(points, T))
    out = result(name, operands)
    wanted = [x for x in operands if x.requires_grad]
    cotangent = tg.tensor(np.full(len(points), 3.0, T))
    found = iter(grad(out, wanted, cotangent, create_graph=create_graph))
    for i, x in enumerate(operands):
        if x.requires_grad:
            expected = expected_at(name, points, T, unit(i, len(operands)), 3.0)
            assert_close(next(found), expected, name, rtol, size=100 if name == "binarycrossentropy" else 3)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_second_derivatives_are_the_numerical_ones(name):
    points = TABLE[name].smooth
    operands = leaves(name, columns(points, np.float64))
    wanted = [(i, x) for i, x in enumerate(operands) if x.requires_grad]
    out = result(name, operands)
    ones = tg.ones(len(points), dtype=tg.float64)
    for i, x in wanted:
        (first,) = grad(out, x, ones, create_graph=True, retain_graph=True)
        for j, y in wanted:
            expected = expected_at(name, points, np.float64, unit(i, len(operands), j))
            (second,) = grad(first, y, ones, retain_graph=True, allow_unused=True) if first.requires_grad else (None,)
            second = tg.zeros(len(points), dtype=tg.float64) if second is None else second
            assert_close(second, expected, name, 1e-12, size=1e6 if name == "binarycrossentropy" else 1)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_conventions_at_kinks_and_poles_are_pytorchs(name, dtype, torch):
    T, rtol = FLOATS[dtype]
    points = TABLE[name].edges
    operands = leaves(name, columns(points, T))
    out = result(name, operands)
    out.backward(tg.ones_like(out))
    absolute = 1e-7 if TABLE[name].cancels else 0
    rtol += {"binarycrossentropy": 1e-8, "hardsigmoid": 1e-7}.get(name, 0)  # PyTorch's 1e-12 and 1/6 are float32
    for k, point in enumerate(points):
        theirs = [
            torch.tensor(x if isinstance(x, bool) else T(x), requires_grad=not isinstance(x, bool)) for x in point
        ]
        expected = TABLE[name].in_torch(torch, *theirs)
        expected.backward()
        np.testing.assert_allclose(out.detach().numpy()[k], expected.item(), rtol=rtol, atol=absolute)
        for x, t in zip(operands, theirs, strict=True):
            if x.requires_grad:
                np.testing.assert_allclose(
                    x.grad.numpy()[k], t.grad.numpy(), rtol=rtol, atol=absolute, err_msg=f"{point}"
                )


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_are_numpys_in_every_dtype(name, dtype):
    a, b = columns(TABLE[name].edges, np.float64)
    if not dtype.startswith("float"):
        a, b = (np.nan_to_num(np.clip(np.abs(v), 0, 100)).astype(dtype) for v in (a, b))
    a, b = a.astype(dtype), b.astype(dtype)
    sign = {"lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
            "ne": np.not_equal}[name]  # fmt: skip
    found = getattr(tg.tensor(a), name)(tg.tensor(b))
    assert found.dtype is tg.bool and not found.requires_grad
    np.testing.assert_array_equal(found.numpy(), sign(a, b))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8"])
def test_integers_wrap_around_as_numpys_do(dtype):
    info = np.iinfo(dtype)
    a, b = np.array([info.max, info.min, 7, 3], dtype), np.array([1, 2, 5, 0], dtype)
    x, y = tg.tensor(a), tg.tensor(b)
    with np.errstate(over="ignore"):
        for found, expected in [(x + y, a + b), (x - y, a - b), (x * y, a * b), (-x, -a), (x**2, a * a)]:
            assert found.dtype.name == dtype
            np.testing.assert_array_equal(found.numpy(), expected)
    assert (x / y).dtype is tg.float32


def test_powers_of_integers():
    x = tg.tensor([2, -3, 0])
    assert (x**4).tolist() == [16, 81, 0] and (x**1).tolist() == [2, -3, 0] and (x**0).tolist() == [1, 1, 1]
    assert (x**5).dtype is tg.int64
    for _ in range(2):  # also once a plan for whole numbers has been made
        with pytest.raises(RuntimeError, match="negative integer powers"):
            x**-1


# Layouts: the same numbers, seen in another way, give the same results ------------------------------------------
LAYOUTS = {
    "contiguous": lambda a: a,
    "transposed": lambda a: a.transpose(0, 1),
    "every second": lambda a: a[:, ::2],
    "inner part": lambda a: a[1:, 1:3],
    "one column": lambda a: a[:, 1:2],
    "one row": lambda a: a[1:2],
    "row as a vector": lambda a: a[1],
    "column as a vector": lambda a: a[:, 1],
    "new axis": lambda a: a[None],
    "0-d": lambda a: a[1, 1],
    "expanded column": lambda a: a[:, 1:2].expand(4, 4),
    "expanded row": lambda a: a[1:2].expand(4, 4),
    "expanded number": lambda a: a[1, 1].expand(4, 4),
    "empty": lambda a: a[2:2],
}
PAIRS = [(x, y) for x in LAYOUTS for y in LAYOUTS]


def fits(a, b):
    try:
        np.broadcast_shapes(a.shape, b.shape)
        return True
    except ValueError:
        return False


@pytest.mark.parametrize("first", LAYOUTS)
def test_binary_operations_on_every_pair_of_layouts(first, torch):
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 4, 4))
    for second in LAYOUTS:
        results = []
        for library in (tg, torch):
            x, y = (library.tensor(v).requires_grad_() for v in (a, b))
            u, v = LAYOUTS[first](x), LAYOUTS[second](y)
            if not fits(u, v):
                break
            out = u * v - u / (v * v + 1.0)
            weights = np.cos(np.arange(out.numel())).reshape(tuple(out.shape))
            (out * library.tensor(weights)).sum().backward()
            results.append([out.detach().numpy(), x.grad.numpy(), y.grad.numpy()])
        for found, expected in zip(*results, strict=True) if len(results) == 2 else ():
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14, err_msg=f"{first} with {second}")


shapes = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=3).map(tuple)


@st.composite
def broadcast_pair(draw):
    """Two shapes that can be broadcast together, 0-d and empty ones among them."""
    common = draw(shapes)
    cut = [tuple(draw(st.sampled_from([n, 1])) for n in common)[draw(st.integers(0, len(common))) :] for _ in range(2)]
    return cut


def order_of(shape, seed):
    return tuple(np.random.default_rng(seed).permutation(len(shape)).tolist())


def laid_out(library, array, how, seed):
    """A leaf of some layout, and the tensor of the array's shape that is a view of it."""
    if how == "permuted":
        order = order_of(array.shape, seed)
        leaf = library.tensor(np.ascontiguousarray(array.transpose(order))).requires_grad_()
        return leaf, leaf.permute(*np.argsort(order).tolist()) if array.ndim else leaf
    if how == "sliced" and array.ndim:
        leaf = library.tensor(np.repeat(array, 2, axis=-1)).requires_grad_()
        return leaf, leaf[..., ::2]
    leaf = library.tensor(array).requires_grad_()
    return leaf, leaf


@given(
    broadcast_pair(),
    st.sampled_from(["contiguous", "permuted", "sliced"]),
    st.sampled_from(["contiguous", "permuted", "sliced"]),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from(["add", "sub", "mul", "div", "mse", "where"]),
    st.integers(0, 9),
)
def test_broadcasting_forward_and_backward_is_pytorchs(pair, how_x, how_y, dtype, name, seed):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(seed)
    arrays = [np.array(random.uniform(0.5, 2.0, s)).astype(dtype) for s in pair]
    results = []
    for library in (tg, torch):
        (lx, x), (ly, y) = (laid_out(library, a, how, seed) for a, how in zip(arrays, (how_x, how_y), strict=True))
        out = {
            "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
            "mse": lambda x, y: (x - y) ** 2, "where": lambda x, y, lib=library: lib.where(x > y, x, y * 3.0),
        }[name](x, y)  # fmt: skip
        weights = np.cos(np.arange(out.numel())).reshape(tuple(out.shape)).astype(dtype)
        out.backward(library.tensor(weights))
        results.append([out.detach().numpy(), lx.grad.numpy(), ly.grad.numpy()])
    for found, expected in zip(*results, strict=True):
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=3e-6 if dtype == "float32" else 1e-13, atol=1e-6)


@given(broadcast_pair(), st.sampled_from(["mul", "div", "pow", "squarederror", "sub"]), st.integers(0, 9))
def test_broadcast_gradients_pass_the_check_without_an_oracle(pair, name, seed):
    random = np.random.default_rng(seed)
    operands = [tg.tensor(np.array(random.uniform(0.5, 2.0, s))).requires_grad_() for s in pair]
    if all(x.numel() for x in operands):
        function = lambda x, y: apply(OPERATIONS[name], x, y)  # noqa: E731
        assert gradcheck(function, operands) and gradgradcheck(function, operands)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_every_operation_passes_the_first_and_second_order_check(name):
    random = np.random.default_rng(1)
    operation = OPERATIONS[name]
    inside = (0.2, 0.4) if "decimals" in name else (1.2, 1.8) if name == "acosh" else (0.2, 0.8)
    operands = [tg.tensor(random.uniform(*inside, (2, 3))).requires_grad_() for p in operation.pulls if p is not None]
    mask = tg.tensor(random.uniform(0, 1, (2, 3)) > 0.5)

    def function(*xs):
        given = iter(xs)
        numbers = iter(TABLE[name].parameters or (1.0,))
        fixed = lambda operand: mask if operand in ("c", "mask") else next(numbers)  # noqa: E731
        both = zip(operation.op.operands, operation.pulls, strict=True)
        return apply(operation, *(fixed(operand) if p is None else next(given) for operand, p in both))

    assert gradcheck(function, operands) and gradgradcheck(function, operands)


# Large arrays ---------------------------------------------------------------------------------------------------
# Every kind of loop, not every formula: a parallel loop takes long to compile, and only gives pieces to the serial one.
# One to three operands, truth values and numbers among them, one or two results, blocks that look at their arguments
# (sin), functions of this library (tanh, gelu) and of the C library (pow, tan).
LARGE = "mul div sin tanh squarederror binarycrossentropy where gelu clamp pow tan".split()


@pytest.mark.parametrize(
    "name, dtype",
    [(name, "float32") for name in LARGE] + [(name, "float64") for name in ("mul", "sin", "where")],
)
def test_large_arrays_give_the_bits_of_small_ones(name, dtype):
    """From 65536 elements on, pieces of the loop run on all cores. The loops of the two dtypes are printed alike."""
    T, _ = FLOATS[dtype]
    n, piece = 65536 + 3 * 4096 + 5, 4096
    random = np.random.default_rng(2)
    arrays = [np.array(random.uniform(0.05, 0.95, n), T) for _ in TABLE[name].smooth[0]]
    for i, x in enumerate(TABLE[name].smooth[0]):
        arrays[i] = arrays[i] > 0.5 if isinstance(x, bool) else arrays[i]
    if name in ("sin", "cos"):
        arrays[0][::5000] *= T(1e6)  # some of the blocks leave the fast range reduction

    def results(arrays):
        operands = leaves(name, arrays)
        out = result(name, operands)
        out.backward(tg.tensor(np.cos(np.arange(out.numel())).astype(T)[: out.numel()]) * 0 + 1.5)
        return [out.detach().numpy(), *(x.grad.numpy() for x in operands if x.requires_grad)]

    whole = results(arrays)
    for lo in range(0, n, piece):
        part = results([a[lo : lo + piece] for a in arrays])
        for found, expected in zip(whole, part, strict=True):
            np.testing.assert_array_equal(found[lo : lo + piece], expected)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_a_number_has_one_sine_wherever_it_stands(name, dtype):
    """Beside a number too large for the fast reduction, in a view, and where it is summed as well."""
    function = getattr(tg.Tensor, name)
    x = tg.linspace(-9000.0, 9000.0, 5001, dtype=getattr(tg, dtype))
    alone = function(x)
    beside = x.clone()
    beside[::100] = 1e9
    both = tg.compile(lambda x: (function(x), function(x).sum()))
    assert (function(beside) == alone).sum() == 5001 - 51 and (function(tg.stack([x, x], 1)[:, 1]) == alone).all()
    assert (both(x)[0] == alone).all()


@pytest.mark.parametrize("case", ["transposed", "row", "column", "number", "0-d"])
def test_large_strided_and_broadcast_operands(case):
    random = np.random.default_rng(3)
    a, b = random.standard_normal((2, 400, 300))
    x = tg.tensor(a).requires_grad_()
    y, array = {
        "transposed": lambda: (tg.tensor(np.ascontiguousarray(b.T)).t(), b),
        "row": lambda: (tg.tensor(b[0]), b[0]),
        "column": lambda: (tg.tensor(b[:, :1].copy()), b[:, :1]),
        "number": lambda: (2.5, 2.5),
        "0-d": lambda: (tg.tensor(b[0, 0]), b[0, 0]),
    }[case]()
    out = x * y
    np.testing.assert_array_equal(out.detach().numpy(), a * array)
    out.backward(tg.tensor(b))
    np.testing.assert_array_equal(x.grad.numpy(), b * array)


def test_threads_do_not_change_the_bits():
    from tinygrad_edu.threads import get_num_threads, set_num_threads

    random = np.random.default_rng(4)
    a, before = random.standard_normal(200_003), get_num_threads()
    results = []
    try:
        for number in (1, before):
            set_num_threads(number)
            x = tg.tensor(a).requires_grad_()
            y = (x.sin() * x).sum() + (x * x).reshape(1, -1).sum(0).sum()
            y.backward()
            results.append((y.item(), x.grad.numpy()))
    finally:
        set_num_threads(before)
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


@pytest.mark.parametrize("x, y", [(1e-30, 1e30), (1e20, 3.0), (-1e4, 2.0)])
def test_float32_is_computed_in_float32(x, y):
    found = (tg.tensor([x]) * tg.tensor([y]) + tg.tensor([y])).item()
    expected = np.float32(np.float32(x) * np.float32(y)) + np.float32(y)
    assert math.isclose(found, float(expected), rel_tol=2e-7)


@pytest.mark.filterwarnings("ignore:This overload")
def test_the_old_forms_with_the_number_first(torch):
    calls = [
        lambda m, x, y: (x.add(3, y), x.sub(0.5, y), x.clone().add_(-1, y), x.clone().sub_(2, y)),
        lambda m, x, y: (x.addcmul(0.5, y, y), x.clone().addcmul_(2, y, y), x.addcdiv(0.5, y, y), m.add(x, 2, y)),
    ]
    for call in calls:
        found, wanted = (call(m, m.arange(4.0), m.full((4,), 2.0)) for m in (tg, torch))
        assert [x.tolist() for x in found] == [x.tolist() for x in wanted]
    with pytest.warns(UserWarning, match="deprecated"):
        tg.ones(2).add_(1, tg.ones(2))
    for bad in (lambda x: x.add(x, x), lambda x: x.add(1, x, x), lambda x: x.addcmul(x, x, x)):
        with pytest.raises(TypeError):
            bad(tg.ones(2))
