"""Batch, group, instance and root mean square norm, as functions and as modules, against PyTorch."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.oracle import fixed, normal, parity, row
from tinygrad_edu.autograd import gradcheck, gradgradcheck


def f(m):
    return m.nn.functional


C3 = (normal(3), normal(3))
ROWS = [
    row("batch norm, matrix", lambda m, x: f(m).batch_norm(x, None, None, training=True), (5, 3)),
    row("batch norm, w b", lambda m, x, w, b: f(m).batch_norm(x, None, None, w, b, True), (5, 3), *C3),
    row("batch norm, w only", lambda m, x, w: f(m).batch_norm(x, None, None, weight=w, training=True), (5, 3), (3,)),
    row("batch norm, b only", lambda m, x, b: f(m).batch_norm(x, None, None, bias=b, training=True), (5, 3), (3,)),
    row("batch norm, sequence", lambda m, x, w, b: f(m).batch_norm(x, None, None, w, b, True), (4, 3, 7), *C3),
    row("batch norm, images", lambda m, x, w, b: f(m).batch_norm(x, None, None, w, b, True, 0, 0.1), (2, 3, 4, 2), *C3),
    row("batch norm, volumes", lambda m, x: f(m).batch_norm(x, None, None, training=True), (2, 3, 2, 2, 2)),
    row("batch norm, one example", lambda m, x: f(m).batch_norm(x, None, None, training=True), (1, 2, 5)),
    row("batch norm, no examples", lambda m, x, w: f(m).batch_norm(x, None, None, w, training=True), (0, 3), (3,)),
    row(
        "batch norm, evaluation",
        lambda m, x, w, b: f(m).batch_norm(
            x, m.arange(3, dtype=x.dtype), m.arange(1, 4, dtype=x.dtype), w, b, False, 0.1, 0.01
        ),
        *((4, 3, 5), *C3),
    ),
    row(
        "batch norm, evaluation, matrix",
        lambda m, x: f(m).batch_norm(x, m.full((3,), 0.5, dtype=x.dtype), m.full((3,), 4.0, dtype=x.dtype)),
        (4, 3),
    ),
    row("group norm, one group", lambda m, x: f(m).group_norm(x, 1), (2, 6, 3)),
    row("group norm, groups", lambda m, x, w, b: f(m).group_norm(x, 3, w, b), (2, 6, 3), (6,), (6,)),
    row("group norm, images", lambda m, x, w, b: f(m).group_norm(x, 2, w, b, 0.1), (2, 4, 3, 2), (4,), (4,)),
    row("group norm, matrix", lambda m, x, w: f(m).group_norm(x, 2, weight=w), (3, 6), (6,)),
    row("group norm, one channel each", lambda m, x, w, b: f(m).group_norm(x, 4, w, b), (2, 4, 5), (4,), (4,)),
    row("instance norm", lambda m, x: f(m).instance_norm(x), (2, 3, 5)),
    row("instance norm, w b", lambda m, x, w, b: f(m).instance_norm(x, weight=w, bias=b), (2, 3, 4, 2), *C3),
    row("instance norm, eps", lambda m, x: f(m).instance_norm(x, eps=0.3), (1, 3, 5)),
    row(
        "instance norm, evaluation",
        lambda m, x, w: f(m).instance_norm(
            x, m.full((3,), 0.5, dtype=x.dtype), m.full((3,), 4.0, dtype=x.dtype), w, use_input_stats=False
        ),
        *((2, 3, 5), (3,)),
    ),
    row("rms norm", lambda m, x: f(m).rms_norm(x, (5,)), (3, 5)),
    row("rms norm, w", lambda m, x, w: f(m).rms_norm(x, (5,), w), (3, 5), (5,)),
    row("rms norm, two axes", lambda m, x, w: f(m).rms_norm(x, [2, 3], weight=w, eps=0.1), (4, 2, 3), (2, 3)),
    row("rms norm, zeros", lambda m, x: f(m).rms_norm(x, (3,)), fixed([[0.0, 0.0, 0.0]]), gradient=False),
    row("softmax method", lambda m, x: x.softmax(-1), (3, 4)),
    row("softmax dtype", lambda m, x: m.softmax(x, 0, dtype=m.float64), (3, 4)),
    row("log_softmax method", lambda m, x: x.log_softmax(dim=1), (3, 4, 2)),
    row("log_softmax dtype", lambda m, x: m.log_softmax(x, 1, dtype=m.float64), (3, 4)),
    row("F.softmin", lambda m, x: f(m).softmin(x, dim=0), (3, 4)),
    row("F.softmax of integers", lambda m, x: f(m).softmax(x, 1, dtype=m.float32), fixed([[1, 2]]), gradient=False),
]  # fmt: skip

REFUSED = {
    "one value per channel": lambda m: f(m).batch_norm(m.ones(1, 3), None, None, training=True),
    "one value per channel, group": lambda m: f(m).group_norm(m.ones(1, 3), 3),
    "one value per channel, instance": lambda m: f(m).instance_norm(m.ones(4, 3, 1)),
    "no running statistics": lambda m: f(m).batch_norm(m.ones(4, 3), None, None),
    "wrong running mean": lambda m: f(m).batch_norm(m.ones(4, 3), m.ones(2), m.ones(3)),
    "wrong weight": lambda m: f(m).batch_norm(m.ones(4, 3), None, None, m.ones(2), training=True),
    "batch norm of integers": lambda m: f(m).batch_norm(m.ones(4, 3, dtype=m.int64), None, None, training=True),
    "groups that do not fit": lambda m: f(m).group_norm(m.ones(2, 5), 2),
    "no groups": lambda m: f(m).group_norm(m.ones(2, 4), 0),
    "group weight": lambda m: f(m).group_norm(m.ones(2, 4), 2, m.ones(2)),
    "group norm of a vector": lambda m: f(m).group_norm(m.ones(4), 2),
    "rms shape": lambda m: f(m).rms_norm(m.ones(2, 3), (2,)),
    "rms int": lambda m: f(m).rms_norm(m.ones(2, 3), 3),
    "BatchNorm1d of images": lambda m: m.nn.BatchNorm1d(3)(m.ones(2, 3, 4, 4)),
    "BatchNorm2d of a matrix": lambda m: m.nn.BatchNorm2d(3)(m.ones(2, 3)),
    "BatchNorm2d of other channels": lambda m: m.nn.BatchNorm2d(3)(m.ones(2, 4, 5, 5)),
    "InstanceNorm1d of a vector": lambda m: m.nn.InstanceNorm1d(3)(m.ones(3)),
    "InstanceNorm2d of other channels": lambda m: m.nn.InstanceNorm2d(3, affine=True)(m.ones(2, 4, 5, 5)),
    "GroupNorm that does not fit": lambda m: m.nn.GroupNorm(2, 5),
}

TestNorms = parity(ROWS, REFUSED)

MODULES = {
    "BatchNorm1d": (lambda m: m.nn.BatchNorm1d(3), (6, 3)),
    "BatchNorm1d sequence": (lambda m: m.nn.BatchNorm1d(3, momentum=0.3), (6, 3, 4)),
    "BatchNorm2d": (lambda m: m.nn.BatchNorm2d(3, eps=1e-3), (2, 3, 4, 5)),
    "BatchNorm3d": (lambda m: m.nn.BatchNorm3d(3), (2, 3, 4, 2, 2)),
    "cumulative": (lambda m: m.nn.BatchNorm2d(3, momentum=None), (2, 3, 4, 5)),
    "not affine": (lambda m: m.nn.BatchNorm1d(3, affine=False), (6, 3)),
    "without bias": (lambda m: m.nn.BatchNorm1d(3, bias=False), (6, 3)),
    "no statistics": (lambda m: m.nn.BatchNorm1d(3, track_running_stats=False), (6, 3)),
    "GroupNorm": (lambda m: m.nn.GroupNorm(3, 6), (2, 6, 4)),
    "GroupNorm without bias": (lambda m: m.nn.GroupNorm(2, 6, bias=False), (2, 6, 4)),
    "InstanceNorm1d": (lambda m: m.nn.InstanceNorm1d(3), (2, 3, 4)),
    "InstanceNorm1d alone": (lambda m: m.nn.InstanceNorm1d(3, affine=True), (3, 4)),
    "InstanceNorm2d tracking": (lambda m: m.nn.InstanceNorm2d(3, track_running_stats=True), (2, 3, 4, 5)),
    "RMSNorm": (lambda m: m.nn.RMSNorm(5), (3, 5)),
    "RMSNorm, two axes": (lambda m: m.nn.RMSNorm((3, 5), eps=0.1, elementwise_affine=False), (2, 3, 5)),
}


@pytest.mark.parametrize("make, shape", MODULES.values(), ids=list(MODULES))
def test_modules_train_and_evaluate_as_pytorchs(make, shape, torch):
    """Three steps of training, one of evaluation: results, gradients, state, printed form."""
    ours, theirs, rng = make(tg), make(torch), np.random.default_rng(3)
    assert repr(ours) == repr(theirs)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        values = rng.normal(1.0, 0.3, tuple(q.shape)).astype(np.float32)
        with tg.no_grad(), torch.no_grad():
            p.copy_(tg.tensor(values))
            q.copy_(torch.tensor(values))
    for step in range(4):
        if step == 3:
            ours.eval()
            theirs.eval()
        array = rng.normal(2.0, 3.0, shape).astype(np.float32)
        x, z = tg.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        found, expected = ours(x), theirs(z)
        (found * found * found).mean().backward()
        (expected * expected * expected).mean().backward()
        np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=2e-5, atol=2e-6)
        np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), rtol=2e-4, atol=2e-6)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-4, atol=1e-5)
        mine, state = ours.state_dict(), theirs.state_dict()
        assert list(mine) == list(state)
        for name, value in state.items():
            assert str(mine[name].dtype).split(".")[-1] == str(value.dtype).split(".")[-1]
            np.testing.assert_allclose(mine[name].numpy(), value.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("size", [1, 7], ids=["matrix", "images"])
def test_running_statistics_are_updated_by_the_unbiased_variance(size):
    x = np.random.default_rng(0).normal(3.0, 2.0, (5, 2, size))
    mean, var = tg.zeros(2, dtype=tg.float64), tg.ones(2, dtype=tg.float64)
    tg.nn.functional.batch_norm(tg.tensor(x), mean, var, training=True, momentum=0.25)
    flat = x.transpose(1, 0, 2).reshape(2, -1)
    np.testing.assert_allclose(mean.numpy(), 0.25 * flat.mean(1), rtol=1e-12)
    np.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * flat.var(1, ddof=1), rtol=1e-12)


def test_running_statistics_that_are_views_are_updated_where_they_lie():
    both = tg.zeros(3, 2)
    tg.nn.functional.batch_norm(tg.randn(4, 3) + 5, both[:, 0], both[:, 1], training=True, momentum=1.0)
    assert (both[:, 0] > 3).all() and (both[:, 1] > 0).all()


def test_instance_norm_updates_by_the_mean_over_the_examples(torch):
    array = np.random.default_rng(1).normal(size=(4, 3, 5))
    found = [tg.zeros(3, dtype=tg.float64), tg.ones(3, dtype=tg.float64)]
    expected = [torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)]
    tg.nn.functional.instance_norm(tg.tensor(array), *found, momentum=0.4)
    torch.nn.functional.instance_norm(torch.tensor(array), *expected, momentum=0.4)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-12)


def test_a_channel_far_from_0_keeps_its_digits():
    x = (1e4 + np.random.default_rng(5).normal(size=(64, 2, 9))).astype(np.float32)
    y = tg.nn.functional.batch_norm(tg.tensor(x), None, None, training=True).numpy()
    wide = x.astype(np.float64)
    expected = (wide - wide.mean((0, 2), keepdims=True)) / np.sqrt(wide.var((0, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_a_saved_operand_that_was_changed_is_refused():
    x = tg.randn(4, 3, requires_grad=True)
    h = x * 2
    y = tg.nn.functional.batch_norm(h, None, None, training=True)
    h += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_second_derivatives_of_a_batch_norm_in_evaluation():
    given = [tg.randn(4, 3, dtype=tg.float64, requires_grad=True), tg.randn(3, dtype=tg.float64, requires_grad=True)]
    mean, var = tg.zeros(3, dtype=tg.float64), tg.full((3,), 2.0, dtype=tg.float64)

    def function(x, w):
        return tg.nn.functional.batch_norm(x, mean, var, w, w)

    assert gradcheck(function, tuple(given)) and gradgradcheck(function, tuple(given))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4), (2, 3, 4, 2)])
def test_softmax_without_an_axis_warns_and_chooses_as_pytorch(name, shape, torch):
    x = np.random.default_rng(2).normal(size=shape)
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}"):
        found = getattr(tg.nn.functional, name)(tg.tensor(x))
    with pytest.warns(UserWarning):
        expected = getattr(torch.nn.functional, name)(torch.tensor(x))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-12, atol=1e-14)


def test_gumbel_softmax_is_a_distribution_or_a_choice():
    tg.manual_seed(0)
    x = tg.tensor([[0.0, 1.0, 2.0]] * 2000, requires_grad=True)
    soft = tg.nn.functional.gumbel_softmax(x, tau=0.5)
    np.testing.assert_allclose(soft.detach().sum(1).numpy(), 1.0, rtol=1e-5)
    hard = tg.nn.functional.gumbel_softmax(x, hard=True)
    assert set(np.unique(hard.detach().numpy().round(6))) == {0.0, 1.0}
    np.testing.assert_allclose(hard.detach().mean(0).numpy(), x.detach()[0].softmax(0).numpy(), atol=0.05)
    (hard * tg.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert (x.grad != 0).any()
    assert tg.nn.functional.gumbel_softmax(x.detach(), dim=0, hard=True).sum(0).tolist() == [1.0, 1.0, 1.0]


def test_gumbel_softmax_draws_the_exponential_numbers_of_the_generator(torch):
    """PyTorch on Intel processors draws others, so its noise is put in by hand."""
    x = np.random.default_rng(4).normal(size=(3, 5)).astype(np.float32)
    tg.manual_seed(3)
    found = tg.nn.functional.gumbel_softmax(tg.tensor(x), tau=2.0, dim=0)
    tg.manual_seed(3)
    noise = tg.empty(3, 5)
    tg.random.default_generator.stream.exponential(noise.flat)
    expected = torch.softmax((torch.tensor(x) - torch.tensor(noise.numpy()).log()) / 2.0, 0)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5)
