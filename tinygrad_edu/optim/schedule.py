"""What all schedules of learning rates share; and schedules made of schedules.

A schedule says what the rate of a group is at an epoch. Most say it twice: from the rate of the epoch before (`rate`),
so that two schedules on one optimizer multiply, and from the epoch alone (`closed`), for one that jumps to an epoch.

    SequentialLR         one after the other: the next takes over at each of the milestones
    ChainedScheduler     all of them at every step

Source: PyTorch documentation, torch.optim, "How to adjust learning rate".
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any

from ..tensors import Tensor
from .optimizer import Optimizer


class LRScheduler:
    """The base class: a subclass gives `rate(group, k)`, or, as in PyTorch, `get_lr()` for all groups.

    `last_epoch=-1` begins; a later epoch continues, with the `initial_lr` that the groups carry.
    """

    functions: tuple[str, ...] = ()  # attributes that hold lists of functions, which cannot be saved

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{k}] when resuming scheduler with last_epoch "
                    ">= 0: load the optimizer's state first"
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.start()

    def start(self) -> None:
        """The first step, which is not one of the user's."""
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def rate(self, group: dict[str, Any], k: int) -> float:
        """The learning rate of group number k at epoch `last_epoch`; group["lr"] is that of the epoch before."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        """The learning rates of all groups at epoch `last_epoch`."""
        return [self.rate(group, k) for k, group in enumerate(self.optimizer.param_groups)]

    closed: Callable[[float, int], float] | None = None  # of the first rate, and the epoch

    def jump(self, epoch: int | None = None) -> None:
        """Set the rates of the next epoch, or of this one."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if epoch is None or self.closed is None:
            new = self.get_lr()
        else:
            new = [self.closed(base, epoch) for base in self.base_lrs]
        for group, lr in zip(self.optimizer.param_groups, new, strict=True):
            set_rate(group, lr)
        self.note()

    def note(self) -> None:
        self._last_lr = [float(group["lr"]) for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """On to the next epoch. A UserWarning where the optimizer has not taken a single step yet."""
        if self._step_count == 1 and not self.optimizer.steps:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first learning rate of the "
                "schedule is skipped. Call `optimizer.step()` first",
                stacklevel=2,
            )
        if epoch is not None:
            warnings.warn("The epoch parameter in `scheduler.step()` is deprecated: call it without", stacklevel=2)
        self._step_count += 1
        self.jump(epoch)

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, as this scheduler set them last."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer; of functions that are objects, what they hold, and of others None."""
        state = {k: v for k, v in self.__dict__.items() if k != "optimizer"}
        for name in self.functions:
            state[name] = [memory(function) for function in state[name]]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.__dict__.update({k: v for k, v in state_dict.items() if k not in self.functions})
        for name in self.functions:
            for function, held in zip(getattr(self, name), state_dict[name], strict=True):
                if held is not None:
                    function.__dict__.update(held)


def memory(function: Any) -> dict[str, Any] | None:
    """What a function that is an object of a class of its own keeps."""
    return None if isinstance(function, FunctionType | BuiltinFunctionType) else dict(vars(function))


def set_rate(group: dict[str, Any], lr: float) -> None:
    """A learning rate that is a tensor stays that tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(float(lr))
    else:
        group["lr"] = lr


def per_group(name: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """A list with one value for each group. ValueError where there are too many or too few."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"expected {groups} values for {name}, got {len(value)}")
    return list(value)


class Composed(LRScheduler):
    """What schedules made of schedules share. They keep no rates of their own."""

    _schedulers: list[LRScheduler]

    def gather(self, name: str, schedulers: Sequence[Any], optimizer: Optimizer | None) -> None:
        """Take over the parts, all of one optimizer."""
        from .lr_scheduler import ReduceLROnPlateau

        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler, but got no scheduler.")
        self.optimizer = optimizer if optimizer is not None else schedulers[0].optimizer
        for k, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name} at index {k} should have `optimizer` as its attribute.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau`, whose step takes a metric, at index {k}: call its "
                    "step yourself"
                )
            if scheduler.optimizer is not self.optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                    f"{type(scheduler).__name__} at index {k} of another one"
                )
        self._schedulers = list(schedulers)

    def state_dict(self) -> dict[str, Any]:
        """Its own state, and in '_schedulers' those of its parts."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)


class SequentialLR(Composed):
    """Schedules one after the other: number i + 1 begins, from the first rates, at epoch milestones[i].

    >>> import tinygrad_edu as tg
    >>> s = tg.optim.lr_scheduler
    >>> optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.8)
    >>> both = s.SequentialLR(optimizer, [s.ConstantLR(optimizer, 0.5), s.ExponentialLR(optimizer, 0.5)], [2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += both.get_last_lr()
    ...     optimizer.step(); both.step()
    >>> rates
    [0.4, 0.4, 0.8, 0.4, 0.2]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self.gather("SequentialLR", schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            set_rate(group, group["initial_lr"])
        self.undo(self)
        first = self._schedulers[bisect_right(milestones, 0)]
        first.start()
        self._last_lr = first.get_last_lr()

    def undo(self, scheduler: LRScheduler) -> None:
        """Take back the first steps of the parts, and of theirs."""
        if isinstance(scheduler, Composed):
            for part in scheduler._schedulers:
                self.undo(part)
        else:
            scheduler.last_epoch -= 1

    def step(self) -> None:  # type: ignore[override]
        """On to the next epoch."""
        self.last_epoch += 1
        k = bisect_right(self._milestones, self.last_epoch)
        if k > 0 and self._milestones[k - 1] == self.last_epoch:
            self._schedulers[k].jump(0)
        else:
            self._schedulers[k].step()
        self._last_lr = self._schedulers[k].get_last_lr()


class ChainedScheduler(Composed):
    """Several schedules, all of which take every step: their factors multiply."""

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        self.gather("ChainedScheduler", schedulers, optimizer)
        self.note()

    def step(self) -> None:  # type: ignore[override]
        """On to the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self.note()
