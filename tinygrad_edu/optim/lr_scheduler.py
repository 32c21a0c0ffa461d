"""Learning rates that change while a network is trained.

Large steps find the valley, small steps its floor. A scheduler is called once after each epoch and sets the `lr` of
every group of an optimizer:

    StepLR             lr γ               after every `step_size` epochs
    MultiStepLR        lr γ               after the epochs in `milestones`
    ExponentialLR      lr γ               after every epoch
    LinearLR           from start_factor · lr₀ to end_factor · lr₀ in a straight line: a warm-up
    CosineAnnealingLR  η + (lr₀ - η) (1 + cos(π t / T)) / 2      half a cosine, from lr₀ down to η
    LambdaLR           lr₀ f(t)           any function of the epoch
    ReduceLROnPlateau  lr · factor        when a metric has not become better for `patience` epochs

All but LambdaLR compute the next rate from the current one, so two schedulers on one optimizer multiply.

    for epoch in range(100):
        train(...)              # calls optimizer.step()
        scheduler.step()

Sources: I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017 (the cosine); P.
Goyal et al., Accurate, large minibatch SGD, 2017 (the warm-up).
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from .optimizer import Optimizer


class LRScheduler:
    """The base class: a subclass says what the rate of a group is at epoch `last_epoch`, in `rate(group, k)`.

    `last_epoch=-1` begins; a later epoch continues, with the `initial_lr` that the groups carry.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{k}]: to continue at an epoch, load the "
                    "optimizer's state first"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.initial = True
        self.advance()
        self.initial = False

    def rate(self, group: dict[str, Any], k: int) -> float:
        """The learning rate of group number k at epoch `last_epoch`; group["lr"] is that of the epoch before."""
        raise NotImplementedError

    def advance(self) -> None:
        self.last_epoch += 1
        for k, group in enumerate(self.optimizer.param_groups):
            group["lr"] = self.rate(group, k)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def step(self) -> None:
        """On to the next epoch. A UserWarning where the optimizer has not taken a single step yet."""
        if self.last_epoch == 0 and not self.optimizer.steps:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first learning rate of the "
                "schedule is skipped. Call `optimizer.step()` first",
                stacklevel=2,
            )
        self.advance()

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, as this scheduler set them last."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer (and functions, which cannot be saved)."""
        return {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "lr_lambdas")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """The first rate times a function of the epoch, one function for all groups or one for each.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = tg.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    >>> optimizer.step(); scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas: list[Callable[[int], float]] = (
            list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        )
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return self.base_lrs[k] * self.lr_lambdas[k](self.last_epoch)


class StepLR(LRScheduler):
    """γ times the rate after every `step_size` epochs."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        due = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return group["lr"] * self.gamma if due else group["lr"]


class MultiStepLR(LRScheduler):
    """γ times the rate after each of the epochs in `milestones` (twice, where one stands there twice)."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return group["lr"] * self.gamma ** self.milestones[self.last_epoch]


class ExponentialLR(LRScheduler):
    """γ times the rate after every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return group["lr"] if self.initial else group["lr"] * self.gamma


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
        if self.initial or self.last_epoch > self.total_iters:
            return group["lr"]
        slope = self.end_factor - self.start_factor  # the factor, times total_iters, grows by it each epoch
        return group["lr"] * (1 + slope / (self.total_iters * self.start_factor + (self.last_epoch - 1) * slope))


class CosineAnnealingLR(LRScheduler):
    """Half a cosine in `T_max` epochs, from the first rate down to `eta_min` (and up again, if one goes on)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        if self.initial:
            return group["lr"]
        t, T, eta = self.last_epoch, self.T_max, self.eta_min
        if (t - 1 - T) % (2 * T) == 0:  # the epoch before was at the bottom: a quotient would be 0 / 0
            return group["lr"] + (self.base_lrs[k] - eta) * (1 - math.cos(math.pi / T)) / 2
        quotient = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        return eta + quotient * (group["lr"] - eta)


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
        groups = len(optimizer.param_groups)
        self.min_lrs = list(min_lr) if isinstance(min_lr, list | tuple) else [min_lr] * groups
        if len(self.min_lrs) != groups:
            raise ValueError(f"expected {groups} min_lrs, got {len(self.min_lrs)}")
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def rate(self, group: dict[str, Any], k: int) -> float:
        return group["lr"]  # until a metric says otherwise

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """On to the next epoch, after one that ended with this metric (a number or a 0-d tensor)."""
        self.last_epoch += 1
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
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def is_better(self, value: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        relative = self.threshold_mode == "rel"
        bound = self.best * (1 - sign * self.threshold) if relative else self.best - sign * self.threshold
        return sign * value < sign * bound

    def reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            new = max(group["lr"] * self.factor, least)
            if group["lr"] - new > self.eps:
                group["lr"] = new
