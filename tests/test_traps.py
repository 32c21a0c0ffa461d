"""Mistakes found by running well-known libraries of this kind: each is a test, and says where it was seen.

Those that belong to one topic stand there (search the tests for "Trap:"); here are the others.
"""

import ast
import math
import pathlib
import tomllib

import numpy as np
import pytest

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
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_is_named_in_a_docstring_of_a_test(trap):
    docstrings = [
        " ".join((ast.get_docstring(node) or "").split())
        for path in pathlib.Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert any("Trap" in text and trap in text for text in docstrings), f"no test is about the trap '{trap}'"


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
