"""Mistakes found by running well-known libraries of this kind: each is a test, and says where it was seen.

Those that belong to one topic stand there (search the tests for "Trap:"); here are the others.
"""

import ast
import functools
import importlib
import inspect
import math
import pathlib
import pkgutil
import tomllib

import numpy as np
import pytest
import tinygrad_kernels
from numba.core.dispatcher import Dispatcher
from tinygrad_kernels.calculus import OPERATIONS
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.codegen_reduction import print_reduction
from tinygrad_kernels.cpu.jit import KernelCache
from tinygrad_kernels.expr import forward_formula

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.autograd import gradcheck
from tinygrad_edu.nn import functional as F

TRAPS = [  # (a part of the docstring that a test must have)
    "recursive topological sort", "no topological order at all", "queue re-sorted at every push",
    "stale intermediate gradients", "two roots sharing a node", "backward on a leaf",
    "unused outputs of a multi-output node",
    "parents kept in a set", "aliasing", "tied weights", "layers in a plain Python list",
    "misspelt attribute on a Module returns None", "order of parameters depends on hash seed",
    "optimizer state keyed by `id(param)`", "`view`'s backward ignores strides",
    "`sum(axis)` backward without its axis",
    "`mean` drops the graph", "batched matmul as `dot`", "vector @ matrix backward", "sqrt at 0",
    "a loss that differentiates only its first operand", "second derivative through `where`",
    "sigmoid cross-entropy at x = 40", "`x ** 0` at 0", "relu of NaN", "editing data after it was saved",
    "`requires_grad_(False)` that turns it on", "float32 creeping to float64 through Python scalars", "float32 forced",
    "integer tensors that require a gradient", "ragged lists", "slicing that fails with UnboundLocalError",
    "`is_contiguous` wrong for size-1 axes", "a zeroed last element passes", "an all-ones cotangent",
    "plain `fastmath=True`",
    "Numba's default `error_model`", "a reduction that returns block partials", "pinned numba/numpy versions",
    "ties in max counted for each", "`max` drops the graph", "prod with a zero", "norm at 0", "std at 0",
    "through Python scalars or 0-d arrays", "`reassoc` around a primitive", "damaged files in Numba's cache",
    "closures over jitted functions", "where nothing is parallel", "`+=` on array elements inside `prange`",
    "the workqueue threading layer", "fork() after OpenMP started",
]  # fmt: skip


@functools.cache
def docstrings():
    return [
        " ".join((ast.get_docstring(node) or "").split())
        for path in pathlib.Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_is_named_in_a_docstring_of_a_test(trap):
    assert any("Trap" in text and trap in text for text in docstrings()), f"no test is about the trap '{trap}'"


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_sqrt_at_0_and_what_is_made_of_it(dtype, torch):
    """Trap: norm, std, sqrt at 0 (HIPS autograd): nan; sqrt at 0 takes PyTorch's answer."""
    x = tg.tensor([0.0, 4.0], dtype=dtype, requires_grad=True)
    x.sqrt().sum().backward()
    assert x.grad.tolist() == [math.inf, 0.25]
    x = tg.zeros(3, dtype=dtype, requires_grad=True)
    (x * x).sum().sqrt().backward()
    y = torch.zeros(3, requires_grad=True)
    (y * y).sum().sqrt().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.grad.numpy())  # inf * 0 is nan there too


def test_a_loss_differentiates_its_second_operand():
    """Trap: a loss that differentiates only its first operand: tutorials write `loss(Y, y_pred)`."""
    for loss in (F.mse_loss, F.binary_cross_entropy):
        target, prediction = tg.tensor([0.25, 0.75]), tg.tensor([0.4, 0.3], requires_grad=True)
        loss(target, prediction).backward()
        assert prediction.grad is not None and all(g != 0.0 for g in prediction.grad.tolist())


@pytest.mark.parametrize("x", [40.0, -40.0, 100.0, -100.0, 1e4, -1e4])
def test_cross_entropy_of_a_sigmoid_far_out_is_finite(x):
    """Trap: sigmoid cross-entropy at x = 40 (DeZero): nan (log(1-p)·0)."""
    for target in (0.0, 1.0):
        for dtype in (tg.float32, tg.float64):
            logit = tg.tensor([x], dtype=dtype, requires_grad=True)
            loss = F.binary_cross_entropy(logit.sigmoid(), tg.tensor([target], dtype=dtype))
            loss.backward()
            assert math.isfinite(loss.item()) and math.isfinite(logit.grad.item())


@pytest.mark.parametrize("x", [0.0, -0.0, 2.0, -3.0, math.inf, math.nan])
def test_the_zeroth_power(x, torch):
    """Trap: `x ** 0` at 0 (micrograd): ZeroDivisionError."""
    t, u = tg.tensor([x], requires_grad=True), torch.tensor([x], requires_grad=True)
    (t**0).sum().backward()
    (u**0).sum().backward()
    assert (t**0).item() == 1.0 and t.grad.item() == u.grad.item() == 0.0
    v = Value(x)
    (v**0).backward()
    assert v.grad == 0.0


def test_relu_lets_a_nan_through():
    """Trap: relu of NaN; gradient 0 hides the NaN (micrograd)."""
    x = tg.tensor([math.nan, -1.0, 2.0], requires_grad=True)
    y = x.relu()
    y.sum().backward()
    assert math.isnan(y[0].item()) and x.grad.tolist() == [1.0, 0.0, 1.0]


def test_mean_keeps_the_graph():
    """Trap: `mean`, `max` drop the graph (TinyTorch): `.grad` stays None, no error."""
    x = tg.ones(2, 2, requires_grad=True)
    x.mean().backward()
    assert x.grad.tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_gradients_of_square_inputs_go_to_the_right_axis():
    """Trap: `sum(axis)` backward without its axis (TinyTorch): silently wrong on square input."""
    x = tg.tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    (x.sum(1) * tg.tensor([1.0, 10.0, 100.0], dtype=tg.float64)).sum().backward()
    assert x.grad.tolist() == [[1.0] * 3, [10.0] * 3, [100.0] * 3]


def test_a_transposed_view_gets_its_gradient_in_its_own_order():
    """Trap: `view`'s backward ignores strides (minitorch): `x.view(2, 3).permute(1, 0)` weighted is wrong."""
    x = tg.tensor(np.arange(6.0), requires_grad=True)
    (x.reshape(2, 3).permute(1, 0) * tg.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]], dtype=tg.float64)).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_float64_stays_float64_so_that_gradients_can_be_checked():
    """Trap: float32 forced so no numerical check is possible (TinyTorch)."""
    x = tg.tensor(np.array([0.5, 1.5]), requires_grad=True)
    y = (x.sin() * 2 + 1.5).mean()
    y.backward()
    assert x.dtype is y.dtype is x.grad.dtype is tg.float64
    assert gradcheck(lambda x: (x.sin() * 2 + 1.5).mean(), x)


def test_float32_stays_float32():
    """Trap: float32 creeping to float64 through Python scalars or 0-d arrays (DeZero under NumPy 2)."""
    x = tg.tensor([0.5, 1.5], requires_grad=True)
    y = 2.0 * x / 3 + x * tg.tensor(2.0, dtype=tg.float64) - x * np.float64(0.5) + np.float64(1.0) * x
    y.mean().backward()
    assert y.dtype is x.grad.dtype is tg.float32


def test_integers_that_require_a_gradient_are_refused():
    """Trap: integer tensors that require a gradient and quietly get none."""
    for make in (lambda: tg.tensor([1], requires_grad=True), lambda: tg.zeros(2, dtype=tg.int64, requires_grad=True)):
        with pytest.raises(RuntimeError, match="floating point"):
            make()


def test_odd_shapes():
    """Traps: `tensor([])`, ragged lists, 0-d, zero-length axes; slicing that fails with UnboundLocalError."""
    assert tg.tensor([]).shape == (0,) and tg.tensor([]).dtype is tg.float32 and tg.tensor([[], []]).shape == (2, 0)
    with pytest.raises(ValueError, match="differ in length"):
        tg.tensor([[1.0, 2.0], [3.0]])
    x = tg.tensor(2.0, requires_grad=True)
    (x * x).backward()
    assert x.grad.item() == 4.0 and x.grad.shape == ()
    empty = tg.zeros(0, 3, requires_grad=True)
    (empty * 2).sum().backward()
    assert empty.grad.shape == (0, 3)
    y = tg.tensor(np.arange(5.0))
    assert [y[a:b].tolist() for a, b in [(None, 2), (3, None), (-2, None), (4, 2), (0, 99)]] == [
        [0.0, 1.0], [3.0, 4.0], [3.0, 4.0], [], [0.0, 1.0, 2.0, 3.0, 4.0],
    ]  # fmt: skip


def test_a_nan_is_a_nan_in_every_kernel():
    """Trap: plain `fastmath=True`: `np.isnan(nan)` is False under it."""
    for n in (3, 100, 70_000):
        x = tg.tensor(np.full(n, math.nan))
        assert (x != x).sum().item() == n and (x == x).sum().item() == 0
        assert math.isnan(x.sum().item()) and math.isnan((x * 0.0).mean().item())


REORDERED = {  # functions that do nothing but accumulate
    "_matrix_vector", "_moments", "_sums", "_sum_from", "_squares_from",
    "exp_block", "_sum_exp_block", "sum_block", "dot_block",
}  # fmt: skip


def jitted_functions():
    """Of the CPU: those for a GPU are held against a table (cubin/)."""
    for info in pkgutil.walk_packages(tinygrad_kernels.__path__, "tinygrad_kernels."):
        if info.name.startswith("tinygrad_kernels.cuda."):
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, Dispatcher) and value.__module__ == info.name:
                yield value


def test_every_kernel_has_the_flags_that_it_needs_and_no_more():
    """Traps: plain `fastmath=True`; `reassoc` around a primitive; `parallel=True` where nothing is parallel."""
    reordered = set()
    for kernel in jitted_functions():
        options, name = kernel.targetoptions, kernel.__name__
        assert options["error_model"] == "numpy" and options["fastmath"] - {"reassoc"} == {"contract"}, name
        assert options["parallel"] == ("prange(" in inspect.getsource(kernel.py_func)), name
        if "reassoc" in options["fastmath"]:
            reordered.add(name)
    assert reordered == REORDERED


def test_every_kernel_is_kept_in_the_cache_that_is_tested():
    """Trap: damaged files in Numba's cache. Ours is tested with damage in test_cache_processes.py."""
    kept = [type(kernel._cache) for kernel in jitted_functions()]
    assert set(kept) == {KernelCache} and len(kept) > 100


def test_a_printed_loop_that_may_be_reordered_only_multiplies():
    """Trap: `reassoc` around a primitive: what is more than a product has a function with flags of its own."""
    for operation in OPERATIONS.values():
        formula = forward_formula(operation)
        signature = Signature(["float32"] * operation.arity, ["flat"] * operation.arity, "float32")
        for node in ast.walk(ast.parse(print_reduction(formula, signature, columns=False))):
            if isinstance(node, ast.FunctionDef) and "accumulate" in ast.unparse(node.decorator_list):
                inside = [part for statement in node.body for part in ast.walk(statement)]
                called = {ast.unparse(call.func) for call in inside if isinstance(call, ast.Call)}
                assert called <= {"term", "range", "float32", "float64"}, (operation.name, called)


def test_nothing_is_added_to_an_element_inside_a_prange():
    """Trap: `+=` on array elements inside `prange`: races that Numba does not detect."""
    loops = 0
    for path in pathlib.Path(tinygrad_kernels.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.For) and "prange" in ast.unparse(node.iter):
                loops += 1
                changes = [n for n in ast.walk(node) if isinstance(n, ast.AugAssign)]
                assert not [n for n in changes if isinstance(n.target, ast.Subscript)], (path.name, node.lineno)
    assert loops > 5


def test_division_by_zero_is_ieees():
    """Trap: Numba's default `error_model`: 1/0 raises ZeroDivisionError inside a kernel."""
    x, zero = tg.tensor([1.0, -1.0, 0.0]), tg.zeros(3)
    for quotient in (x / zero, x / 0, x / 0.0):
        assert quotient.tolist()[:2] == [math.inf, -math.inf] and math.isnan(quotient[2].item())
    assert (tg.tensor([1, 0]) / tg.tensor([0, 1])).tolist() == [math.inf, 0.0]


def test_range_reduction_is_not_rewritten():
    """Trap: `reassoc` around a primitive collapses a Cody-Waite range reduction (argument error 5.6e-4)."""
    for n in (5, 300, 70_000):
        a = np.linspace(-1e4, 1e4, n)
        for dtype, tolerance in ((np.float32, 2e-7), (np.float64, 4e-16)):
            x = a.astype(dtype)
            np.testing.assert_allclose(tg.tensor(x).sin().numpy(), np.sin(x.astype("f8")), rtol=0, atol=tolerance)


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 1023, 1024, 1025, 2049])
def test_a_sum_is_one_number(n):
    """Trap: a reduction that returns block partials (minitorch's CUDA reduce of 1,025 elements returns shape (2,))."""
    for x in (tg.ones(n), tg.ones(n, 3), tg.ones(3, n)):
        assert x.sum().shape == () and x.sum().item() == x.numel()
        assert x.sum(0).shape == x.shape[1:] and x.sum(-1).shape == x.shape[:-1]


def test_versions_are_ranges():
    """Trap: pinned numba/numpy versions, the most common install failure of teaching projects."""
    project = pathlib.Path(__file__).parent.parent / "pyproject.toml"
    needed = tomllib.loads(project.read_text())["project"]["dependencies"]
    assert {n.partition(">=")[0] for n in needed} == {"numpy", "numba"} and not any(
        "==" in n or "<" in n for n in needed
    )


def test_a_sum_into_a_borrowed_cotangent_would_reach_its_other_holder():
    """Trap: aliasing (DeZero): addition hands one cotangent to both operands; summing into it changes the other's."""
    for last in (lambda a, c: c + a * 10.0, lambda a, c: a * 10.0 + c):  # what reaches a first differs
        x, w = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0, 4.0], requires_grad=True)
        a, b = x * 1.0, w * 1.0
        c = a + b  # a and b get one and the same cotangent
        cotangent = tg.ones(2)
        last(a, c).backward(cotangent)
        assert (x.grad.tolist(), w.grad.tolist(), cotangent.tolist()) == ([11.0, 11.0], [1.0, 1.0], [1.0, 1.0])


def test_a_broadcast_gradient_is_summed_over_the_axis_that_was_stretched():
    """Shapes of broadcast gradients: all axes have the same length, so a sum over a wrong one has the right shape."""
    weights = np.arange(8.0).reshape(2, 2, 2)
    for shape, axes in [((2, 1), (0, 2)), ((1, 2), (0, 1)), ((2,), (0, 1)), ((1, 1, 2), (0, 1)), ((2, 1, 1), (1, 2))]:
        x = tg.zeros(shape, dtype=tg.float64, requires_grad=True)
        (x + tg.zeros(2, 2, 2, dtype=tg.float64)).backward(tg.tensor(weights))
        np.testing.assert_array_equal(x.grad.numpy(), weights.sum(axes).reshape(shape))


def test_ties_share_or_one_takes_all():
    """Trap: ties in max counted for each (DeZero, minitorch): [1, 1, 0] instead of a split or a single pick."""
    for function, expected in [
        (lambda x: x.max(), [0.0, 3.0, 3.0]),
        (lambda x: x.amax(0), [0.0, 3.0, 3.0]),
        (lambda x: x.max(0).values, [0.0, 6.0, 0.0]),
        (lambda x: x.maximum(tg.tensor([0.0, 5.0, 9.0])).sum(), [6.0, 3.0, 0.0]),
        (lambda x: (x - 5.0).relu().sum(), [0.0, 0.0, 0.0]),
    ]:
        x = tg.tensor([3.0, 5.0, 5.0], requires_grad=True)
        (function(x) * 6.0).backward()
        assert x.grad.tolist() == expected


def test_elements_that_were_replaced_get_no_gradient():
    """Trap: editing data after it was saved: the gradient of y[1:] goes to w and to the old y[1:], once."""
    x, w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True), tg.tensor(10.0, requires_grad=True)
    y = x * 2.0
    y[1:].mul_(w)
    y[:1].fill_(7.0)
    (y * tg.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert (x.grad.tolist(), w.grad.item()) == ([0.0, 200.0, 2000.0], 640.0)


def test_a_view_knows_what_was_done_to_its_base():
    """Trap: editing data after it was saved: a view made before the change has the gradient of what it shows."""
    x, w = tg.tensor([1.0, 2.0, 3.0], requires_grad=True), tg.tensor(10.0, requires_grad=True)
    y = x * 2.0
    view = y[1:]
    y.mul_(w)
    view.sum().backward()
    assert (view.tolist(), x.grad.tolist()) == ([40.0, 60.0], [0.0, 20.0, 20.0])
    assert w.grad.item() == 10.0


CHANGES = {
    "number": lambda w: w.add_(1.0), "tensor": lambda w: w.mul_(tg.full((2, 2), 2.0)), "unary": lambda w: w.exp_(),
    "broadcast": lambda w: w.mul_(tg.full((2,), 2.0)), "strided": lambda w: w.t().add_(1.0),
    "fill": lambda w: w.fill_(3), "copy": lambda w: w.copy_(tg.ones(2)), "zero": lambda w: w.zero_(),
    "element": lambda w: w.__setitem__((0, 1), 5.0), "places": lambda w: w.__setitem__(tg.tensor([0]), 5.0),
    "part": lambda w: w[0].sub_(1.0),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_of_what_was_saved_is_counted(change):
    """Trap: editing data after it was saved, by every kind of change, the first of its kind and the next."""
    for _ in range(2):
        x, w = tg.ones(2, 2, requires_grad=True), tg.tensor([[1.0, 2.0], [3.0, 4.0]])
        y = (x * w).sum()
        change(w)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()


def test_adams_first_step_is_the_learning_rate():
    """Averages start at 0: uncorrected, the first step of Adam is about three times too long."""
    p = tg.tensor([1.0, 1.0], dtype=tg.float64, requires_grad=True)
    p.grad = tg.tensor([0.5, -20.0], dtype=tg.float64)
    tg.optim.Adam([p], lr=0.25).step()
    np.testing.assert_allclose(p.tolist(), [0.75, 1.25], rtol=1e-6)
