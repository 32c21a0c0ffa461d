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
]


def two_groups(library):
    p, q = library.ones(1, requires_grad=True), library.ones(1, requires_grad=True)
    return library.optim.SGD([{"params": [p], "lr": 0.5}, {"params": [q]}], lr=0.1)


def rates(library, *schedules, epochs=17):
    optimizer = two_groups(library)
    schedulers = [getattr(library.optim.lr_scheduler, name)(optimizer, **options) for name, options in schedules]
    seen = []
    for _ in range(epochs):
        seen.append([group["lr"] for group in optimizer.param_groups])
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
        assert [group["lr"] for group in other.param_groups] == expected
        resumed.step()


def test_a_schedule_before_the_first_step_is_warned_about():
    scheduler = tg.optim.lr_scheduler.StepLR(two_groups(tg), 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda s, o: s.StepLR("no optimizer", 1), TypeError, "not an Optimizer"),
        (lambda s, o: s.StepLR(o, 1, last_epoch=3), KeyError, "initial_lr"),
        (lambda s, o: s.LambdaLR(o, [abs]), ValueError, "Expected 2 lr_lambdas"),
        (lambda s, o: s.LinearLR(o, start_factor=0.0), ValueError, "Starting multiplicative factor"),
        (lambda s, o: s.LinearLR(o, end_factor=2.0), ValueError, "Ending multiplicative factor"),
        (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "Factor should be"),
        (lambda s, o: s.ReduceLROnPlateau(o, mode="up"), ValueError, "mode up is unknown"),
        (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold mode"),
        (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError, "expected 2 min_lrs"),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make(tg.optim.lr_scheduler, two_groups(tg))
