"""Optimizers against PyTorch: rows of options, trajectories over 100 steps and more, states that travel both ways."""

import copy

import numpy as np
import pytest
from test_optim import trajectory

import tinygrad_edu as tg

ROWS = [
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.01, "betas": (0.8, 0.99), "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.01, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "foreach": True}),
    ("Adam", {"lr": 0.02, "amsgrad": True, "weight_decay": 0.01, "foreach": False}),
    ("AdamW", {"lr": 0.02, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.003, "alpha": 0.95, "momentum": 0.5, "centered": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", ROWS, ids=str)
def test_trajectories_of_120_steps_are_pytorchs(name, options, dtype, torch):
    found = trajectory(tg, name, options, dtype, (3, 4), steps=120)
    expected = trajectory(torch, name, options, dtype, (3, 4), steps=120)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def curve(library, options, steps=8):
    """Losses and parameters of fitting Rosenbrock's valley. (No minimum is flat: where the second derivative is 0, the
    walk multiplies rounding by 10⁸, and each processor rounds in its own way.)"""
    x = library.tensor([-1.2, 1.0, 0.5, 2.0], dtype=library.float64, requires_grad=True)
    y = library.tensor([[0.3, -1.0]], dtype=library.float64, requires_grad=True)
    optimizer = library.optim.LBFGS([x, y], **options)

    def closure():
        optimizer.zero_grad()
        loss = (100 * (x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x[:-1]) ** 2).sum()
        loss = loss + ((y - 0.5) ** 4 + (y - 0.5) ** 2).sum()
        loss.backward()
        return loss

    seen = [[optimizer.step(closure).item(), *x.tolist(), *y.tolist()[0]] for _ in range(steps)]
    return np.array(seen), optimizer, x


@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "max_iter": 7, "lr": 0.5},
        {"line_search_fn": "strong_wolfe", "max_iter": 9, "max_eval": 4},
        {"lr": 0.001},
        {"lr": 0.01, "max_iter": 5, "max_eval": 4, "history_size": 2},
        {"tolerance_grad": 1e9},
        {"lr": 0.001, "tolerance_change": 1.0},
    ],
    ids=str,
)
def test_lbfgs_walks_as_pytorchs(options, torch):
    (found, ours, x), (expected, theirs, z) = curve(tg, options), curve(torch, options)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)
    for key in ("func_evals", "n_iter"):
        assert ours.state[x][key] == theirs.state[z][key]
    if "d" in theirs.state[z]:
        assert set(ours.state[x]) == set(theirs.state[z]) - {"al"}


def test_lbfgs_has_one_group_and_one_search():
    p, q = tg.ones(1, requires_grad=True), tg.ones(1, requires_grad=True)
    with pytest.raises(ValueError, match="per-parameter options"):
        tg.optim.LBFGS([{"params": [p]}, {"params": [q]}])
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        curve(tg, {"line_search_fn": "golden"})


NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "LBFGS"]


@pytest.mark.parametrize("name", NAMES)
def test_options_and_text_are_pytorchs(name, torch):
    ours, theirs = (getattr(lib.optim, name)([lib.ones(1, requires_grad=True)]) for lib in (tg, torch))
    assert repr(ours) == repr(theirs)
    if name != "LBFGS":
        for library, optimizer in ((tg, ours), (torch, theirs)):
            optimizer.add_param_group({"params": library.zeros(2, requires_grad=True), "lr": 0.5})
        assert repr(ours) == repr(theirs)
    assert ours.defaults == theirs.defaults
    assert ours.state_dict()["param_groups"] == theirs.state_dict()["param_groups"]


def quadratic(library, name, options):
    p = library.tensor([1.0, -2.0, 3.0], dtype=library.float64, requires_grad=True)
    q = library.tensor([[0.5], [2.0]], dtype=library.float64, requires_grad=True)
    return getattr(library.optim, name)([{"params": [p], "lr": 0.05}, {"params": [q]}], **options), p, q


def walk(optimizer, p, q, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        ((p * p).sum() + (q * q * q).sum()).backward()
        optimizer.step()


def translated(value, library):
    """A state with the tensors of another library, and numbers in place of one-element tensors only where they are."""
    if isinstance(value, dict):
        return {k: translated(v, library) for k, v in value.items()}
    if isinstance(value, list):
        return [translated(v, library) for v in value]
    if hasattr(value, "detach"):
        return library.tensor(value.detach().numpy().copy())
    return copy.deepcopy(value)


MOVED = [("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}), ("AdamW", {}), ("RMSprop", {"centered": True}),
         ("Adagrad", {}), ("Adadelta", {}), ("Adamax", {}), ("NAdam", {}), ("RAdam", {})]  # fmt: skip


@pytest.mark.parametrize("name, options", MOVED, ids=str)
@pytest.mark.parametrize("there", [False, True], ids=["from PyTorch", "to PyTorch"])
def test_a_state_travels(name, options, there, torch):
    source, target = (tg, torch) if there else (torch, tg)
    optimizer, p, q = quadratic(source, name, options)
    walk(optimizer, p, q, 7)
    other, x, y = quadratic(target, name, options)
    other.load_state_dict(translated(optimizer.state_dict(), target))
    with target.no_grad():
        for new, old in ((x, p), (y, q)):
            new.copy_(target.tensor(old.detach().numpy()))
    walk(optimizer, p, q, 5)
    walk(other, x, y, 5)
    rtol = 1e-10 if name == "NAdam" else 1e-13  # PyTorch loads its product of momenta, a float32, as a float64
    np.testing.assert_allclose(x.detach().numpy(), p.detach().numpy(), rtol=rtol)
    np.testing.assert_allclose(y.detach().numpy(), q.detach().numpy(), rtol=rtol)
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


def test_hooks_are_called_around_a_step_as_in_pytorch(torch):
    seen = []
    for library in (tg, torch):
        p, log = library.ones(1, requires_grad=True), []
        optimizer = library.optim.SGD([p], lr=0.5)
        p.grad = library.ones(1)
        before = optimizer.register_step_pre_hook(lambda o, args, kwargs, log=log, p=p: log.append(p.item()))
        optimizer.register_step_post_hook(lambda o, args, kwargs, log=log, p=p: log.append(-p.item()))
        optimizer.step()
        before.remove()
        optimizer.step()
        seen.append(log)
    assert seen[0] == seen[1] == [1.0, -0.5, -0.0]


def test_parameters_may_come_with_names(torch):
    for library in (tg, torch):
        model = library.nn.Linear(2, 1)
        optimizer = library.optim.SGD(model.named_parameters(), lr=0.5)
        assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
        assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
        with pytest.raises(ValueError, match="with/without names"):
            optimizer.add_param_group({"params": [library.ones(1, requires_grad=True)]})
        with pytest.raises(ValueError, match="Some param names are missing"):
            library.optim.SGD([("p", library.ones(1)), library.ones(1)], lr=0.1)


def test_an_optimizer_of_the_users_own_is_a_class(torch):
    for library in (tg, torch):

        class Descent(library.optim.Optimizer):
            def __init__(self, params, lr, library=library):
                self.library = library
                super().__init__(params, {"lr": lr})

            def step(self, closure=None):
                with self.library.no_grad():
                    for group in self.param_groups:
                        for p in group["params"]:
                            self.state[p]["last"] = p.grad.clone()
                            p.sub_(p.grad, alpha=group["lr"])

        p = library.ones(2, requires_grad=True)
        optimizer = Descent([p], 0.25)
        scheduler = library.optim.lr_scheduler.StepLR(optimizer, 1)
        (p * p).sum().backward()
        optimizer.step()
        scheduler.step()
        assert p.tolist() == [0.5, 0.5] and optimizer.state_dict()["state"][0]["last"].tolist() == [2.0, 2.0]


REFUSED = {
    "betas": lambda m, p: m.optim.NAdam([p], betas=(1.0, 0.5)),
    "betas of AdamW": lambda m, p: m.optim.AdamW([p], betas=(0.9, -0.5)),
    "rho": lambda m, p: m.optim.Adadelta([p], rho=2.0),
    "eps": lambda m, p: m.optim.Adamax([p], eps=-1.0),
    "momentum_decay": lambda m, p: m.optim.NAdam([p], momentum_decay=-1.0),
    "rate of LBFGS": lambda m, p: m.optim.LBFGS([p], lr=-1.0),
    "two elements": lambda m, p: m.optim.SGD([p], lr=m.tensor([0.1, 0.2])),
    "no params": lambda m, p: m.optim.SGD([{"lr": 0.1}]),
    "a set": lambda m, p: m.optim.SGD([{"params": {p}}]),
    "a result": lambda m, p: m.optim.Adam([p * 2]),
    "an array": lambda m, p: m.optim.Adam([np.ones(2)]),
    "one tensor": lambda m, p: m.optim.Adam(p),
    "twice": lambda m, p: m.optim.Adam([{"params": [p]}, {"params": [p]}]),
    "fused and foreach": lambda m, p: m.optim.Adam([p], fused=True, foreach=True),
    "other groups": lambda m, p: m.optim.Adam([p]).load_state_dict({"state": {}, "param_groups": []}),
    "no closure": lambda m, p: m.optim.LBFGS([p]).step(),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=list(REFUSED))
def test_bad_input_is_refused_as_in_pytorch(call, torch):
    with pytest.raises(Exception) as theirs:
        call(torch, torch.ones(2, requires_grad=True))
    with pytest.raises(theirs.type):
        call(tg, tg.ones(2, requires_grad=True))


@pytest.mark.parametrize("option", ["differentiable", "capturable"])
def test_what_a_step_cannot_do_is_refused(option):
    with pytest.raises(NotImplementedError, match="outside this library's scope"):
        tg.optim.Adam([tg.ones(1, requires_grad=True)], **{option: True})
