"""Learning rates that rise, too: restarts, and the one cycle.

    CosineAnnealingWarmRestarts   half a cosine again and again, each T_mult times as long as the one before
    OneCycleLR                    up to max_lr, down to almost 0: the whole training is one cycle

A large rate between two small ones finds wider valleys, it is said, in fewer epochs. The momentum goes the other way,
so that the two together stay within bounds.

Sources: L. Smith, Cyclical learning rates for training neural networks, 2017; L. Smith, N. Topin, Super-convergence,
2018; I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.
"""

from __future__ import annotations

import math
from typing import Any

from .optimizer import Optimizer
from .schedule import LRScheduler, per_group


def positive_int(name: str, value: Any) -> None:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")


def momentum_name(optimizer: Optimizer) -> str:
    """What takes the part of a momentum: 'momentum', or the first of 'betas'. ValueError where there is neither."""
    for name in ("betas", "momentum"):
        if name in optimizer.defaults:
            return name
    raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")


def set_momentum(group: dict[str, Any], name: str, value: float) -> None:
    group[name] = (value, *group["betas"][1:]) if name == "betas" else value


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down to `eta_min` in T_0 epochs, then again from the top in T_0 · T_mult epochs, and so on.

    `step(epoch)` may be called with a part of an epoch: step(epoch + batch / batches).
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        positive_int("T_0", T_0)
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, float | int):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0, self.T_i, self.T_mult, self.eta_min, self.T_cur = T_0, T_0, T_mult, eta_min, float(last_epoch)
        super().__init__(optimizer, last_epoch)

    def rate(self, group: dict[str, Any], k: int) -> float:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return self.eta_min + (self.base_lrs[k] - self.eta_min) * height

    def step(self, epoch: float | None = None) -> None:
        """On to the next epoch, or to this one, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            done, before = 0, 0.0  # cycles, and their epochs
            if epoch >= self.T_0 and self.T_mult > 1:
                done = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
                before = self.T_0 * (self.T_mult**done - 1) / (self.T_mult - 1)
            self.T_cur = epoch - before if self.T_mult > 1 else epoch % self.T_0
            self.T_i = self.T_0 * self.T_mult**done
        self.last_epoch = math.floor(epoch)
        self.jump(self.last_epoch)


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to `max_lr` in pct_start of all steps, then down to start / final_div_factor.

    Call it after each batch; `total_steps`, or epochs · steps_per_epoch, is how often. With `three_phase` the way down
    to the start takes as long as the way up, and the rest follows. `anneal_strategy` is 'cos' or 'linear'.
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: Any, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy: str = "cos",
        cycle_momentum: bool = True, base_momentum: Any = 0.85, max_momentum: Any = 0.95, div_factor: float = 25.0,
        final_div_factor: float = 1e4, three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
            positive_int("epochs", epochs)
            positive_int("steps_per_epoch", steps_per_epoch)
            total_steps = epochs * steps_per_epoch
        positive_int("total_steps", total_steps)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self.total_steps, self.anneal_strategy = total_steps, anneal_strategy
        # the last step of each phase; the rates and (0: small, 1: large) the momenta at its ends
        top, end = float(pct_start * total_steps) - 1, total_steps - 1
        self.phases = [(top, "initial_lr", "max_lr", 1, 0), (end, "max_lr", "min_lr", 0, 1)]
        if three_phase:
            back = float(2 * pct_start * total_steps) - 2
            self.phases[1:] = [(back, "max_lr", "initial_lr", 0, 1), (end, "initial_lr", "min_lr", 1, 1)]
        self.momentum = momentum_name(optimizer) if cycle_momentum else None
        least, most = (
            per_group(f"{name}_momentum", value, optimizer)
            for name, value in (("base", base_momentum), ("max", max_momentum))
        )
        for k, (group, highest) in enumerate(
            zip(optimizer.param_groups, per_group("max_lr", max_lr, optimizer), strict=True)
        ):
            if last_epoch == -1:
                first = highest / div_factor
                group.update(initial_lr=first, max_lr=highest, min_lr=first / final_div_factor)
                if self.momentum is not None:
                    set_momentum(group, self.momentum, most[k])
                    group.update(max_momentum=most[k], base_momentum=least[k])
        super().__init__(optimizer, last_epoch)

    def between(self, start: float, end: float, share: float) -> float:
        """A share of the way from start to end, straight or along half a cosine."""
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)
        return (end - start) * share + start

    def rate(self, group: dict[str, Any], k: int) -> float:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The specified number of total steps is {self.total_steps}: call step() "
                "once for each batch"
            )
        number = next((n for n, phase in enumerate(self.phases) if step <= phase[0]), len(self.phases) - 1)
        last, first_lr, last_lr, *momenta = self.phases[number]
        begin = self.phases[number - 1][0] if number else 0.0
        share = (step - begin) / (last - begin)
        if self.momentum is not None:
            start, end = (group[("base_momentum", "max_momentum")[m]] for m in momenta)
            set_momentum(group, self.momentum, self.between(start, end, share))
        return self.between(group[first_lr], group[last_lr], share)
