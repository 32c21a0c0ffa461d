"""Learning rates that change while a network is trained.

Large steps find the valley, small steps its floor. A scheduler is called once after each epoch and sets the `lr` of
every group of an optimizer; lr₀ is the first rate, t the epoch, T the number of epochs:

    StepLR             lr γ               after every `step_size` epochs
    MultiStepLR        lr γ               after the epochs in `milestones`
    ExponentialLR      lr γ               after every epoch
    ConstantLR         factor · lr₀       for T epochs
    LinearLR           from start_factor · lr₀ to end_factor · lr₀ in a straight line: a warm-up
    PolynomialLR       lr₀ (1 - t/T)^power
    CosineAnnealingLR  η + (lr₀ - η) (1 + cos(π t / T)) / 2      half a cosine, from lr₀ down to η
    LambdaLR           lr₀ f(t)           any function of the epoch
    MultiplicativeLR   lr f(t)            any function of the epoch, again and again
    ReduceLROnPlateau  lr · factor        when a metric has not become better for `patience` epochs

Those that rise and fall are in cycles.py; SequentialLR and ChainedScheduler, made of several, in schedule.py.

    for epoch in range(100):
        train(...)              # calls optimizer.step()
        scheduler.step()

Sources: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017 (the cosine); P.
Goyal et al., Accurate, large minibatch SGD, 2017 (the warm-up).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ..hints import refusing
from .cycles import CosineAnnealingWarmRestarts, OneCycleLR
from .optimizer import Optimizer
from .schedule import ChainedScheduler, LRScheduler, SequentialLR, per_group, set_rate

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
__getattr__ = refusing("tinygrad_edu.optim.lr_scheduler", __all__)

_LRScheduler = LRScheduler  # its name until 2022, which older programs inherit from


class LambdaLR(LRScheduler):
    """The first rate times a function of the epoch, one function for all groups or one for each.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = tg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    >>> optimizer.step(); scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    functions = ("lr_lambdas",)

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        self.lr_lambdas: list[Callable[[int], float]] = per_group("lr_lambda", lr_lambda, optimizer)
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return self.base_lrs[k] * self.lr_lambdas[k](self.last_epoch)


class MultiplicativeLR(LambdaLR):
    """The rate of the epoch before times a function of the epoch."""

    def rate(self, group: dict[str, Any], k: int) -> float:
        return group["lr"] if self._is_initial else group["lr"] * self.lr_lambdas[k](self.last_epoch)


class StepLR(LRScheduler):
    """γ times the rate after every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return group["lr"] * self.gamma if due else group["lr"]

    def closed(self, base: float, epoch: int) -> float:
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """γ times the rate after each of the epochs in `milestones` (twice, where one stands there twice)."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return group["lr"] * self.gamma ** self.milestones[self.last_epoch]

    def closed(self, base: float, epoch: int) -> float:
        return base * self.gamma ** bisect_right(sorted(self.milestones.elements()), epoch)


class ExponentialLR(LRScheduler):
    """γ times the rate after every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return group["lr"] if self._is_initial else group["lr"] * self.gamma

    def closed(self, base: float, epoch: int) -> float:
        return base * self.gamma**epoch


class ConstantLR(LRScheduler):
    """`factor` times the first rate for `total_iters` epochs, then the first rate."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        if self.last_epoch == 0:
            return group["lr"] * self.factor
        return group["lr"] * (1.0 / self.factor) if self.last_epoch == self.total_iters else group["lr"]

    def closed(self, base: float, epoch: int) -> float:
        return base * (1.0 if epoch >= self.total_iters else self.factor)


class PolynomialLR(LRScheduler):
    """The first rate times (1 - t / total_iters)^power, and 0 from epoch total_iters on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        t, T = self.last_epoch, self.total_iters
        if self._is_initial or t > T:
            return group["lr"]
        return group["lr"] * ((1.0 - t / T) / (1.0 - (t - 1) / T)) ** self.power

    def closed(self, base: float, epoch: int) -> float:
        return base * (1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power


class LinearLR(LRScheduler):
    """A straight line from start_factor to end_factor times the first rate, in `total_iters` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if not 0 <= end_factor <= 1:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        if self.last_epoch == 0:
            return group["lr"] * self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return group["lr"]
        slope = self.end_factor - self.start_factor  # the factor, times total_iters, grows by it each epoch
        return group["lr"] * (1 + slope / (self.total_iters * self.start_factor + (self.last_epoch - 1) * slope))

    def closed(self, base: float, epoch: int) -> float:
        share = min(self.total_iters, epoch) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * share)


class CosineAnnealingLR(LRScheduler):
    """Half a cosine in `T_max` epochs, from the first rate down to `eta_min` (and up again, if one goes on)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        if self._is_initial:
            return group["lr"]
        t, T, eta = self.last_epoch, self.T_max, self.eta_min
        if self._step_count == 1 and t > 0:
            return self.closed(self.base_lrs[k], t)
        if (t - 1 - T) % (2 * T) == 0:  # the epoch before was at the bottom: a quotient would be 0 / 0
            return group["lr"] + (self.base_lrs[k] - eta) * (1 - math.cos(math.pi / T)) / 2
        quotient = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        return eta + quotient * (group["lr"] - eta)

    def closed(self, base: float, epoch: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class ReduceLROnPlateau(LRScheduler):
    """`factor` times the rate when the metric given to `step` has not become better for more than `patience` epochs.

    Better is less (mode 'min') or more ('max'), by `threshold`: of the best ('rel') or in itself ('abs').
    For `cooldown` epochs after a reduction nothing is counted.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if factor >= 1.0:
            raise ValueError("Factor should be < 1.0.")
        if mode not in ("min", "max"):
            raise ValueError(f"mode {mode} is unknown! It is 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"threshold mode {threshold_mode} is unknown! It is 'rel' or 'abs'")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.default_min_lr = None if isinstance(min_lr, list | tuple) else min_lr
        self.min_lrs = per_group("min_lr", min_lr, optimizer)
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.optimizer, self.last_epoch = optimizer, 0
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self.note()

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """On to the next epoch, after one that ended with this metric (a number or a 0-d tensor)."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        value = float(metrics)
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self.note()

    def is_better(self, value: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        relative = self.threshold_mode == "rel"
        bound = self.best * (1 - sign * self.threshold) if relative else self.best - sign * self.threshold
        return sign * value < sign * bound

    def reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            new = max(float(group["lr"]) * self.factor, least)
            if group["lr"] - new > self.eps:
                set_rate(group, new)
