"""Modules, layers and losses: PyTorch's behaviour, numbers, names and printed form."""

import subprocess
import sys

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.nn import functional as F


def network(library):
    library.manual_seed(7)
    return library.nn.Sequential(library.nn.Linear(3, 5), library.nn.Tanh(), library.nn.Linear(5, 2, bias=False))


def test_the_same_seed_gives_pytorchs_weights_names_and_text(torch):
    ours, theirs = network(tg), network(torch)
    assert repr(ours) == repr(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.mark.parametrize("name, options", [("SGD", {"lr": 0.1, "momentum": 0.9}), ("Adam", {"lr": 0.01})])
@pytest.mark.parametrize("loss", ["MSELoss", "CrossEntropyLoss"])
def test_training_follows_pytorchs(loss, name, options, torch):
    random = np.random.default_rng(0)
    x, t = random.standard_normal((20, 3)).astype("f4"), random.standard_normal((20, 2)).astype("f4")
    t = t if loss == "MSELoss" else random.integers(0, 2, 20)
    losses = []
    for library in (tg, torch):
        model = network(library)
        optimizer = getattr(library.optim, name)(model.parameters(), **options)
        criterion = getattr(library.nn, loss)()
        seen = []
        for _ in range(25):
            optimizer.zero_grad()
            error = criterion(model(library.tensor(x)), library.tensor(t))
            error.backward()
            optimizer.step()
            seen.append(error.item())
        losses.append(seen)
    np.testing.assert_allclose(*losses, rtol=2e-5)
    assert losses[0][-1] < losses[0][0]


SHAPES = [(3,), (4, 3), (0, 3), (2, 4, 3)]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_linear_and_its_gradients_are_pytorchs(shape, bias, torch):
    random = np.random.default_rng(1)
    arrays = [random.standard_normal(s) for s in (shape, (5, 3), (5,))[: 2 + bias]]
    results = []
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        operands = [library.tensor(a).requires_grad_() for a in arrays]
        y = functional.linear(*operands)
        (y * y + y).sum().backward()
        results.append([y.detach().numpy(), *(x.grad.numpy() for x in operands)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_linear_passes_the_checks_also_transposed_and_with_frozen_operands():
    random = np.random.default_rng(2)
    x, w, b = (tg.tensor(random.standard_normal(s), requires_grad=True) for s in ((4, 3), (5, 3), (5,)))
    assert gradcheck(F.linear, (x, w, b)) and gradgradcheck(F.linear, (x, w, b))
    xt, wt = (o.detach().t().clone().requires_grad_() for o in (x, w))
    assert gradcheck(lambda x, w, b: F.linear(x.t(), w.t(), b), (xt, wt, b))
    for frozen in range(3):
        operands = [o.detach() if k == frozen else o for k, o in enumerate((x, w, b))]
        assert gradcheck(F.linear, operands)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", ["mse_loss", "binary_cross_entropy"])
def test_losses_differentiate_both_their_operands_as_pytorch_does(name, reduction, torch):
    """Trap: a loss that differentiates only its first operand (tutorials write `loss(Y, y_pred)`)."""
    random = np.random.default_rng(3)
    a, b = random.uniform(0.05, 0.95, (2, 4, 3))
    results = []
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        x, t = library.tensor(a).requires_grad_(), library.tensor(b).requires_grad_()
        loss = getattr(functional, name)(x, t, reduction=reduction)
        (loss * loss).sum().backward()
        results.append([loss.detach().numpy(), x.grad.numpy(), t.grad.numpy()])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    x, t = tg.tensor(a, requires_grad=True), tg.tensor(b, requires_grad=True)
    assert gradcheck(lambda x, t: getattr(F, name)(x, t, reduction=reduction), (x, t))
    assert gradgradcheck(lambda x, t: getattr(F, name)(x, t, reduction=reduction), (x, t))


def test_a_sure_and_wrong_probability_costs_100():
    p = tg.tensor([0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, tg.tensor([1.0, 0.0]), reduction="none")
    loss.sum().backward()
    assert loss.tolist() == [100.0, 100.0] and np.isfinite(p.grad.numpy()).all()


@pytest.mark.parametrize("bad", [[-0.1], [1.1], [float("nan")]])
def test_a_probability_outside_0_to_1_is_an_error(bad):
    with pytest.raises(RuntimeError, match="between 0 and 1; apply sigmoid first"):
        F.binary_cross_entropy(tg.tensor(bad), tg.tensor([1.0]))


def test_shapes_of_losses():
    with pytest.warns(UserWarning, match="target size"):
        F.mse_loss(tg.zeros(3, 1), tg.zeros(3))
    with pytest.raises(ValueError, match="target size"):
        F.binary_cross_entropy(tg.zeros(3, 1), tg.zeros(3))
    with pytest.raises(ValueError, match="not a valid value for reduction"):
        nn.MSELoss(reduction="average")


class Net(nn.Module):
    """A module with everything in it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter(tg.ones(3))
        self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
        self.last = nn.Linear(3, 1)
        self.last.weight = self.scale_of_last()

    def scale_of_last(self):
        return nn.Parameter(tg.ones(1, 3))

    def forward(self, x):
        x = self.first(x) * self.scale
        for block in self.blocks:
            x = block(x).relu()
        return self.last(x)


def test_the_tree_of_a_module():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == [
        "scale", "first.weight", "first.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias",
        "last.weight", "last.bias",
    ]  # fmt: skip
    assert len(list(net.modules())) == 6 and len(net.blocks) == 2 and net.blocks[1] is list(net.blocks)[1]
    assert list(net.children()) == [net.first, net.blocks, net.last]
    net.eval()
    assert not net.blocks[0].training and net.train().training
    net(tg.zeros(4, 2)).sum().backward()
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert all(not p.requires_grad for p in net.requires_grad_(False).parameters())
    assert all(p.dtype is tg.float64 for p in net.double().parameters())
    del net.scale
    with pytest.raises(AttributeError):
        net.scale  # noqa: B018


def test_shared_parameters_are_listed_once():
    """Trap: tied weights (DeZero): stepped twice by the optimizer."""
    net = Net()
    net.last.weight = net.blocks[0].weight
    assert len({id(p) for p in net.parameters()}) == len(list(net.parameters()))
    net.blocks.append(net.blocks[0])
    assert len([n for n, _ in net.named_parameters()]) == 8


def test_layers_in_a_plain_list_are_warned_about():
    """Trap: layers in a plain Python list (DeZero): silently no parameters."""

    class Lost(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(1, 1)]

    with pytest.warns(UserWarning, match="nn.ModuleList"):
        assert list(Lost().parameters()) == []


def test_a_misspelt_attribute_is_an_error_with_a_suggestion():
    """Trap: misspelt attribute on a Module returns None (minitorch)."""
    with pytest.raises(AttributeError, match="did you mean 'weight'"):
        nn.Linear(1, 1).wieght  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'Linear'"):
        nn.Lineer  # noqa: B018


def test_the_order_of_parameters_does_not_depend_on_the_hash_seed():
    """Trap: order of parameters depends on hash seed (DeZero)."""
    code = (
        "import tinygrad_edu as tg\nnn = tg.nn\n"
        "m = nn.Module()\n"
        "for n in ('zeta', 'alpha', 'mid', 'beta'): setattr(m, n, nn.Linear(1, 1))\n"
        "print([n for n, _ in m.named_parameters()])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PATH": ""}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1 and outputs.pop().startswith(b"['zeta.weight', 'zeta.bias', 'alpha.weight'")


def test_super_init_must_come_first():
    class Hasty(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Hasty()


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match='missing the required "forward"'):
        nn.Module()(1)


def test_state_is_saved_and_loaded_or_nothing_is_changed(torch):
    a, b = Net(), Net()
    b.load_state_dict(a.state_dict())
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert p.tolist() == q.tolist() and p is not q
    before = b.first.weight.tolist()
    for change, text in [
        (lambda s: s.pop("scale"), "Missing key"),
        (lambda s: s.update(new=tg.ones(1)), "Unexpected key"),
        (lambda s: s.update(scale=tg.ones(9)), "size mismatch for scale"),
    ]:
        state = {k: v.clone().fill_(9.0) for k, v in a.state_dict().items()}
        change(state)
        with pytest.raises(RuntimeError, match=text):
            b.load_state_dict(state)
        assert b.first.weight.tolist() == before


def test_a_parameter_is_a_leaf_that_requires_a_gradient():
    p = nn.Parameter(tg.ones(2))
    assert p.is_leaf and p.requires_grad and isinstance(p, tg.Tensor) and type(p * 2) is tg.Tensor
    assert not nn.Parameter(tg.ones(2), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="use tensor"):
        nn.Parameter([1.0])
