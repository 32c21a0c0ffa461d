"""Softmax and its kin, norms and variances on device='cuda': values and gradients are the CPU's."""

import numpy as np
import pytest
from tinygrad_kernels.cuda import norm, rows, teams, variance

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F

TOLERANCE = {"float32": {"rtol": 2e-6, "atol": 4e-6}, "float64": {"rtol": 1e-13, "atol": 1e-14}}
SHAPES = [(0, 5), (3, 0), (1, 1), (9, 33), (2, 200)]
CASES = [*((shape, "float32") for shape in SHAPES), ((3, 31), "float64"), ((2, 100), "float64")]
LONG = (1, 1025)
inf, nan = np.inf, np.nan


def numbers(shape, dtype="float32", seed=0, mean=0.0):
    return (mean + np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def on_device(function, device, *arrays):
    """Results and gradients of function(*tensors), with a cotangent that differs from element to element."""
    operands = [tg.tensor(x).to(device) for x in arrays]
    for x in operands:
        x.requires_grad = x.is_floating_point()
    results = function(*operands)
    results = results if isinstance(results, tuple) else (results,)
    for k, y in enumerate(results):
        if y.requires_grad:
            cotangent = numbers(tuple(y.shape), str(y.dtype).split(".")[-1], seed=10 + k)
            y.backward(tg.tensor(cotangent).to(device), retain_graph=True)
    gradients = [x.grad for x in operands if x.grad is not None]
    assert all(x.device.type == device for x in (*results, *gradients))
    return [x.detach().cpu().numpy() for x in (*results, *gradients)]


def same_on_both(function, *arrays, scale=1.0):
    """`scale`: how large the numbers are that cancel in a gradient."""
    expected = on_device(function, "cpu", *arrays)
    found = on_device(function, "cuda", *arrays)
    assert len(found) == len(expected) > 0
    for f, e in zip(found, expected, strict=True):
        tolerance = TOLERANCE[e.dtype.name]
        assert f.dtype == e.dtype and f.shape == e.shape
        np.testing.assert_allclose(f, e, rtol=tolerance["rtol"], atol=tolerance["atol"] * scale)


# Softmax, log-softmax, log-sum-exp


OPERATIONS = {
    "softmax": lambda x: x.softmax(-1),
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
}
operation = pytest.mark.parametrize("name", OPERATIONS)


@operation
@pytest.mark.parametrize(("shape", "dtype"), CASES)
def test_rows(name, shape, dtype, order):
    same_on_both(OPERATIONS[name], 3 * numbers(shape, dtype), scale=4.0)


@operation
def test_a_row_that_is_the_work_of_a_block(name):
    same_on_both(OPERATIONS[name], 3 * numbers(LONG), scale=10.0)


@operation
@pytest.mark.parametrize("way", [("warp", 4), ("block", 1)])
def test_a_row_longer_than_the_registers(name, way, order, monkeypatch):
    monkeypatch.setattr(rows, "way_for", lambda cols: way)
    same_on_both(OPERATIONS[name], 3 * numbers((2, 5 * teams.chunk_of(way) // 2)), scale=10.0)


@pytest.mark.parametrize(
    "row", [[-inf] * 3, [0, -inf, 1], [inf, 1, 2], [nan, 1, inf], [-inf, nan, -inf], [1e38, -1e38, 0]]
)
@operation
def test_numbers_that_are_not_finite(name, row):
    long = [0.0] * 20 + row + [-50.0] * 30
    same_on_both(OPERATIONS[name], np.array([row, [1, 2, 3]], "float32"))
    same_on_both(OPERATIONS[name], np.array([long], "float32"))


@operation
def test_what_is_added_to_a_row_changes_little(name):
    x = numbers((3, 40))
    found, gradient = on_device(OPERATIONS[name], "cuda", x + np.float32(3e4))
    exact, exact_gradient = on_device(OPERATIONS[name], "cuda", (x + np.float32(3e4)).astype("float64"))
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(gradient, exact_gradient, rtol=2e-6, atol=1e-5)


def test_softmax_along_another_axis():
    same_on_both(lambda x: x.softmax(1), numbers((2, 5, 3)))


# Cross-entropy


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize(("shape", "dtype"), [((1, 1), "float32"), ((9, 33), "float64"), ((3, 200), "float32")])
def test_cross_entropy(shape, reduction, dtype, order):
    targets = np.random.default_rng(1).integers(0, shape[1], shape[0])
    targets[shape[0] // 2 :: 4] = -100 if shape[0] > 2 else 0
    same_on_both(lambda x, t: F.cross_entropy(x, t, reduction=reduction), 3 * numbers(shape, dtype), targets, scale=4.0)


def test_cross_entropy_of_a_long_row(order):
    same_on_both(F.cross_entropy, numbers(LONG), np.array([1024]), scale=4.0)


def test_the_class_of_an_infinite_logit():
    same_on_both(F.cross_entropy, np.array([[1, -inf, 2]], "float32"), np.array([1]))
    same_on_both(F.cross_entropy, np.array([[1, -inf, 2]], "float32"), np.array([0]))
    same_on_both(F.cross_entropy, np.array([[1, inf, 2]], "float32"), np.array([0]))


def test_a_target_that_is_no_class_is_named(order):
    x, targets = tg.tensor(numbers((20, 4))).to("cuda"), np.zeros(20, "int64")
    targets[[7, 12, 19]] = 4, -1, 9
    with pytest.raises(IndexError, match="Target 4 is out of bounds: row 7, with classes 0 to 3"):
        F.cross_entropy(x, tg.tensor(targets).to("cuda"))


def test_targets_may_change_after_the_loss():
    x, targets = tg.tensor(numbers((2, 3))).to("cuda").requires_grad_(), tg.tensor([0, 2]).to("cuda")
    loss = F.cross_entropy(x, targets)
    targets.fill_(1)
    loss.backward()
    assert (x.grad < 0).cpu().tolist() == [[True, False, False], [False, False, True]]


# Norms of rows


@pytest.mark.parametrize(("shape", "dtype"), CASES)
def test_layer_norm(shape, dtype, order):
    x, w, b = numbers(shape, dtype), numbers(shape[1:], dtype, 1), numbers(shape[1:], dtype, 2)
    same_on_both(lambda x, w, b: F.layer_norm(x, shape[1:], w, b), x, w, b, scale=1.0 if shape[1] > 1 else 1e3)


@pytest.mark.parametrize("shape", [(1, 1), (5, 33)])
def test_rms_norm(shape, order):
    same_on_both(lambda x, w: F.rms_norm(x, shape[1:], w), numbers(shape), numbers(shape[1:], seed=1))


def test_layer_norm_without_a_weight_that_wants_a_gradient():
    same_on_both(lambda x: F.layer_norm(x, (7,)), numbers((3, 7)))


def test_layer_norm_of_a_long_row():
    x, w, b = numbers((1, 1025)), numbers(1025, seed=1), numbers(1025, seed=2)
    same_on_both(lambda x, w, b: F.layer_norm(x, (1025,), w, b), x, w, b)


def test_layer_norm_of_a_row_longer_than_the_registers(order, monkeypatch):
    way = ("block", 1)
    monkeypatch.setattr(rows, "way_for", lambda cols: way)
    monkeypatch.setattr(norm, "WAYS", (way,))
    cols = 5 * teams.chunk_of(way) // 2
    x, w, b = numbers((2, cols)), numbers(cols, seed=1), numbers(cols, seed=2)
    same_on_both(lambda x, w, b: F.layer_norm(x, (cols,), w, b), x, w, b)


def test_the_columns_of_many_rows(order):
    same_on_both(lambda x, w: F.layer_norm(x, (3,), w), numbers((36, 3)), numbers(3, seed=1), scale=10.0)


def test_layer_norm_of_rows_far_from_zero():
    x = numbers((4, 50), mean=1e4)
    exact = on_device(lambda x: F.layer_norm(x, (50,)), "cuda", x.astype("float64"))
    for f, e in zip(on_device(lambda x: F.layer_norm(x, (50,)), "cuda", x), exact, strict=True):
        np.testing.assert_allclose(f, e, rtol=2e-6, atol=2e-6)


def test_group_norm():
    x, w, b = numbers((2, 6, 5)), numbers(6, seed=1), numbers(6, seed=2)
    same_on_both(lambda x, w, b: F.group_norm(x, 3, w, b), x, w, b)


# Norms of channels


CHANNELS = [(40, 3), (5, 33), (3, 9, 2), (2, 3, 5, 9)]


def batch_norm(training):
    def call(x, w, b, mean, var):
        running = mean.detach().clone(), var.detach().clone()
        return F.batch_norm(x, *running, w, b, training), *running

    return call


@pytest.mark.parametrize("shape", CHANNELS)
@pytest.mark.parametrize(("training", "dtype"), [(True, "float32"), (False, "float64")])
def test_batch_norm(shape, training, dtype, order):
    w, b, mean, var = (numbers(shape[1], dtype, seed) for seed in range(1, 5))
    same_on_both(batch_norm(training), numbers(shape, dtype), w, b, mean, var**2 + 1, scale=2.0)


@pytest.mark.parametrize("shape", [(12, 3, 10), (40, 9), (1, 1, 700)])
def test_channels_cut_into_pieces(shape, order, monkeypatch):
    monkeypatch.setattr(variance, "pieces_for", lambda blocks, length, least: 3)
    w, b, mean, var = (numbers(shape[1], seed=seed) for seed in range(1, 5))
    same_on_both(batch_norm(True), numbers(shape), w, b, mean, var**2 + 1, scale=4.0)


def test_batch_norm_without_running_statistics():
    same_on_both(lambda x: F.batch_norm(x, None, None, training=True), numbers((4, 3, 5)))


def test_instance_norm():
    same_on_both(lambda x: F.instance_norm(x), numbers((2, 3, 6)))


# Variance


@pytest.mark.parametrize(
    ("shape", "dim"),
    [((1,), 0), ((100,), None), ((3, 31), 1), ((9, 33), -1), ((100, 33), 0), ((2, 7, 9), 1), ((2, 3, 4), (0, 2)),
     ((2, 0), 1), ((0, 2), 1), ((1, 1100), 1)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
def test_variance(shape, dim, order):
    same_on_both(lambda x: x.var(dim), numbers(shape))


@pytest.mark.parametrize(("shape", "dim"), [((3, 31), 1), ((2, 7, 9), 1)])
def test_standard_deviation(shape, dim):
    same_on_both(lambda x: x.std(dim), numbers(shape, "float64"))


@pytest.mark.parametrize(("shape", "dim"), [((700,), None), ((5, 100), 1), ((2, 50, 9), 1)])
def test_lines_cut_into_pieces(shape, dim, order, monkeypatch):
    monkeypatch.setattr(variance, "pieces_for", lambda blocks, length, least: 7)
    same_on_both(lambda x: tg.var_mean(x.detach(), dim), numbers(shape, mean=100.0))


def test_the_variance_of_equal_numbers_is_zero():
    x = tg.full((3, 77), 0.1).to("cuda")
    found, mean = tg.var_mean(x, 1)
    assert found.cpu().tolist() == [0.0] * 3 and bool((mean == x[0, 0]).all())


def test_the_variance_of_numbers_far_from_zero():
    x = numbers((3, 200), mean=1e5)
    found = on_device(lambda x: x.var(1), "cuda", x)[0]
    np.testing.assert_allclose(found, x.astype("float64").var(1, ddof=1), rtol=1e-6)


def test_a_variance_with_no_degree_of_freedom():
    with pytest.warns(UserWarning, match="degrees of freedom"):
        assert np.isnan(on_device(lambda x: x.var(0), "cuda", numbers((1, 3)))[0]).all()
