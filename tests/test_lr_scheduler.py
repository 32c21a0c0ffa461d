"""Schedules of learning rates: PyTorch's, epoch by epoch."""

import pytest

import tinygrad_edu as tg

SCHEDULES = [
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("LinearLR", {"start_factor": 0.25, "total_iters": 6}),
    ("CosineAnnealingLR", {"T_max": 5, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.9**epoch, lambda epoch: 0.5]}),
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 1 - 1 / (2 + epoch)}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 4}),
    ("PolynomialLR", {"total_iters": 8, "power": 2.0}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.01}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 20}),
    ("OneCycleLR", {"max_lr": [0.3, 0.1], "epochs": 5, "steps_per_epoch": 4, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": 18, "three_phase": True, "pct_start": 0.4, "div_factor": 10.0}),
]


def two_groups(library):
    p, q = library.ones(1, requires_grad=True), library.ones(1, requires_grad=True)
    return library.optim.SGD([{"params": [p], "lr": 0.5}, {"params": [q]}], lr=0.1, momentum=0.5)


def rates(library, *schedules, epochs=17):
    optimizer = two_groups(library)
    schedulers = [getattr(library.optim.lr_scheduler, name)(optimizer, **options) for name, options in schedules]
    seen = []
    for _ in range(epochs):
        seen.append([group["lr"] for group in optimizer.param_groups])
        seen[-1] += [group["momentum"] for group in optimizer.param_groups]
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
            assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    return seen


@pytest.mark.parametrize("name, options", SCHEDULES, ids=lambda c: c if isinstance(c, str) else None)
def test_rates_are_pytorchs(name, options, torch):
    found, expected = rates(tg, (name, options)), rates(torch, (name, options))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_two_schedules_multiply_as_in_pytorch(torch):
    both = [SCHEDULES[3], SCHEDULES[2]]
    for ours, theirs in zip(rates(tg, *both), rates(torch, *both), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 2, "factor": 0.5},
        {"patience": 1, "factor": 0.5, "mode": "max", "cooldown": 2},
        {"patience": 0, "threshold": 0.2, "threshold_mode": "abs", "min_lr": [0.01, 0.02]},
        {"patience": 1, "mode": "max", "threshold": 0.2, "threshold_mode": "rel", "min_lr": 0.03},
    ],
)
def test_a_plateau_is_pytorchs(options, torch):
    metrics = [5.0, 4.0, 4.1, 4.0, 3.95, 4.2, 4.3, 1.0, 1.1, 1.2, 1.3, 0.9, float("nan"), 2.0, 2.0, 2.0, 9.0, 8.0, 8.0]
    seen = []
    for library in (tg, torch):
        optimizer = two_groups(library)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        seen.append([])
        for metric in metrics:
            scheduler.step(metric)
            seen[-1].append([group["lr"] for group in optimizer.param_groups])
    for ours, theirs in zip(*seen, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("name, options", SCHEDULES, ids=lambda c: c if isinstance(c, str) else None)
def test_a_loaded_schedule_goes_on_where_it_was(name, options):
    whole = rates(tg, (name, options))
    optimizer = two_groups(tg)
    scheduler = getattr(tg.optim.lr_scheduler, name)(optimizer, **options)
    for _ in range(7):
        optimizer.step()
        scheduler.step()
    other = two_groups(tg)
    resumed = getattr(tg.optim.lr_scheduler, name)(other, **options)
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    for expected in whole[7:]:
        assert [group["lr"] for group in other.param_groups] == expected[:2]
        resumed.step()


PAIRS = [
    ("SequentialLR", {"milestones": [4]}), ("SequentialLR", {"milestones": [0]}), ("ChainedScheduler", {}),
]  # fmt: skip


def composed(library, name, options, optimizer):
    s = library.optim.lr_scheduler
    parts = [s.LinearLR(optimizer, total_iters=3), s.StepLR(optimizer, 2, gamma=0.5)]
    return getattr(s, name)(*([optimizer, parts] if options else [parts]), **options)


@pytest.mark.parametrize("name, options", PAIRS, ids=str)
def test_schedules_of_schedules_are_pytorchs_and_resume(name, options, torch):
    seen = []
    for library in (tg, torch):
        optimizer = two_groups(library)
        scheduler = composed(library, name, options, optimizer)
        seen.append([])
        for epoch in range(12):
            seen[-1].append([*scheduler.get_last_lr(), *(group["lr"] for group in optimizer.param_groups)])
            if epoch == 6:
                other = two_groups(library)
                resumed = composed(library, name, options, other)
                resumed.load_state_dict(scheduler.state_dict())
                other.load_state_dict(optimizer.state_dict())
                optimizer, scheduler = other, resumed
            optimizer.step()
            scheduler.step()
    for ours, theirs in zip(*seen, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


CHAINABLE = [case for case in SCHEDULES if case[0] != "OneCycleLR"]


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("name, options", CHAINABLE, ids=lambda c: c if isinstance(c, str) else None)
def test_a_jump_to_an_epoch_is_pytorchs(name, options, torch):
    seen = []
    for library in (tg, torch):
        optimizer = two_groups(library)
        scheduler = getattr(library.optim.lr_scheduler, name)(optimizer, **options)
        optimizer.step()
        seen.append([])
        for epoch in (3, 7, 1, 0, 6, 30):
            scheduler.step(epoch)
            seen[-1].append([scheduler.last_epoch, *scheduler.get_last_lr()])
    for ours, theirs in zip(*seen, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_one_cycle_ends():
    scheduler = tg.optim.lr_scheduler.OneCycleLR(two_groups(tg), 0.1, total_steps=2)
    scheduler.optimizer.step()
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        for _ in range(3):
            scheduler.step()


def test_restarts_take_parts_of_epochs(torch):
    seen = []
    for library in (tg, torch):
        optimizer = two_groups(library)
        scheduler = library.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2, T_mult=2)
        optimizer.step()
        seen.append([])
        for k in range(40):
            scheduler.step(k / 4)
            seen[-1].append(optimizer.param_groups[1]["lr"])
    assert seen[0] == pytest.approx(seen[1], rel=1e-12)


def test_a_schedule_that_is_written_by_the_user_gives_get_lr(torch):
    seen = []
    for library in (tg, torch):

        class Halved(library.optim.lr_scheduler.LRScheduler):
            def get_lr(self):
                return [base / 2**self.last_epoch for base in self.base_lrs]

        optimizer = two_groups(library)
        scheduler = Halved(optimizer)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
        seen.append(scheduler.get_last_lr())
    assert seen[0] == seen[1]


def test_a_rate_that_is_a_tensor_stays_that_tensor(torch):
    for library in (tg, torch):
        lr = library.tensor(0.5, dtype=library.float64)
        p = library.ones(1, requires_grad=True)
        optimizer = library.optim.SGD([p], lr=lr)
        scheduler = library.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        p.grad = library.ones(1)
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]["lr"] is lr and lr.item() == 0.25 and p.item() == 0.5


def test_the_momentum_of_adam_is_its_first_beta(torch):
    seen = []
    for library in (tg, torch):
        optimizer = library.optim.Adam([library.ones(1, requires_grad=True)])
        scheduler = library.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
        seen.append([])
        for _ in range(9):
            optimizer.step()
            scheduler.step()
            seen[-1] += optimizer.param_groups[0]["betas"]
    assert seen[0] == pytest.approx(seen[1], rel=1e-12)
    with pytest.raises(ValueError, match="support momentum or beta1"):
        tg.optim.lr_scheduler.OneCycleLR(tg.optim.Adagrad([tg.ones(1, requires_grad=True)]), 0.1, total_steps=3)


def test_a_function_that_is_an_object_is_saved():
    class Factor:
        def __init__(self, base):
            self.base = base

        def __call__(self, epoch):
            return self.base**epoch

    s = tg.optim.lr_scheduler
    scheduler, other = (s.LambdaLR(two_groups(tg), Factor(base)) for base in (0.5, 0.9))
    other.load_state_dict(scheduler.state_dict())
    assert other.lr_lambdas[0].base == 0.5 and "optimizer" not in scheduler.state_dict()


def test_a_schedule_before_the_first_step_is_warned_about():
    scheduler = tg.optim.lr_scheduler.StepLR(two_groups(tg), 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda s, o: s.StepLR("no optimizer", 1), TypeError, "not an Optimizer"),
        (lambda s, o: s.StepLR(o, 1, last_epoch=3), KeyError, "initial_lr"),
        (lambda s, o: s.LambdaLR(o, [abs]), ValueError, "expected 2 values for lr_lambda"),
        (lambda s, o: s.LambdaLR(o, 3), TypeError, "should be a function"),
        (lambda s, o: s.ConstantLR(o, 2.0), ValueError, "between 0 and 1"),
        (lambda s, o: s.OneCycleLR(o, 0.1), ValueError, "total_steps OR"),
        (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=0), ValueError, "positive integer total_steps"),
        (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=9, pct_start=2.0), ValueError, "pct_start"),
        (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=9, anneal_strategy="x"), ValueError, "anneal_strategy"),
        (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError, "positive integer T_0"),
        (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]), ValueError, "one more than"),
        (lambda s, o: s.ChainedScheduler([]), ValueError, "at least one"),
        (lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]), ValueError, "does not support"),
        (lambda s, o: s.ChainedScheduler([s.StepLR(o, 1)], two_groups(tg)), ValueError, "same optimizer"),
        (lambda s, o: s.LinearLR(o, start_factor=0.0), ValueError, "Starting multiplicative factor"),
        (lambda s, o: s.LinearLR(o, end_factor=2.0), ValueError, "Ending multiplicative factor"),
        (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be"),
        (lambda s, o: s.ReduceLROnPlateau(o, mode="up"), ValueError, "mode up is unknown"),
        (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold mode"),
        (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "expected 2 values for min_lr"),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make(tg.optim.lr_scheduler, two_groups(tg))
