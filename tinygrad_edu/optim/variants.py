"""Adadelta, Adamax, NAdam, RAdam: relatives of RMSprop and Adam, each with one thing done otherwise.

    Adadelta    no learning rate: a step is as long as the recent steps were, so that its unit is that of θ
    Adamax      the largest recent gradient in place of the root of the mean square: it cannot be drowned by zeros
    NAdam       the momentum looks ahead (Nesterov); the share μ of the momentum grows towards β₁ with time,
                μₜ = β₁ (1 - 0.96^(t ψ) / 2)
    RAdam       v is the mean of about ρₜ gradients; while ρₜ is at most 5 its variance is too large to divide by, and
                after that a step is multiplied by r = √((ρₜ-4)(ρₜ-2) ρ∞ / ((ρ∞-4)(ρ∞-2) ρₜ)),
                ρ∞ = 2/(1-β₂) - 1,  ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)

The formulas, with their sources, are in rules.py; options, defaults and names in `state` are PyTorch's.

Source: PyTorch documentation, torch.optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..creation import tensor
from ..hints import hinted
from ..tensors import Tensor
from . import rules
from .optimizer import Optimizer, check_betas, check_positive


class Adadelta(Optimizer):
    """Adadelta: steps as long as the recent ones.

    >>> import tinygrad_edu as tg
    >>> tg.optim.Adadelta([tg.ones(1, requires_grad=True)]).defaults["rho"]
    0.9
    """

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0,
        foreach: bool | None = None, *, capturable: bool = False, maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}; it is a share, between 0 and 1")
        super().__init__(params, dict(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
            foreach=foreach, differentiable=differentiable,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        decay, rho = group["weight_decay"], group["rho"]
        _, state = self.remembered(p, "square_avg", "acc_delta")
        rule = rules.adadelta(decay != 0, group["maximize"])
        self.apply(rule, p, g, state, float(group["lr"]), rho, 1 - rho, group["eps"], *((decay,) if decay else ()))


class Adamax(Optimizer):
    """Adamax: Adam by the largest recent gradient."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, foreach: bool | None = None, *, maximize: bool = False, differentiable: bool = False,
        capturable: bool = False,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        decay, (beta1, beta2) = group["weight_decay"], group["betas"]
        t, state = self.remembered(p, "exp_avg", "exp_inf")
        step = float(group["lr"]) / (1 - beta1**t)
        rule = rules.adamax(decay != 0, group["maximize"])
        self.apply(rule, p, g, state, step, group["eps"], 1 - beta1, beta2, *((decay,) if decay else ()))


def decay_rate(group: dict[str, Any]) -> tuple[float, ...]:
    """What the rules that know decoupled decay call `rate`: (λ,), (1 - lr λ,), or nothing."""
    decay = group["weight_decay"]
    return () if not decay else (1 - float(group["lr"]) * decay,) if group["decoupled_weight_decay"] else (decay,)


class NAdam(Optimizer):
    """NAdam: Adam with Nesterov's momentum."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
        foreach: bool | None = None, maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        check_betas(betas)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        (beta1, beta2), lr, rate = group["betas"], float(group["lr"]), decay_rate(group)
        t, state = self.remembered(p, "exp_avg", "exp_avg_sq")
        mu, after = (beta1 * (1.0 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1))
        kept = self.state[p].get("mu_product")  # of float32, like PyTorch's
        product = self.state[p]["mu_product"] = tensor(mu) if kept is None else kept * mu
        product = product.item()
        now, next = lr * (1.0 - mu) / (1.0 - product), lr * after / (1.0 - product * after)
        self.apply(
            rules.nadam(bool(rate), group["decoupled_weight_decay"], group["maximize"]), p, g, state,
            now, next, 1 - beta2**t, group["eps"], 1 - beta1, beta2, 1 - beta2, *rate,
        )  # fmt: skip


class RAdam(Optimizer):
    """RAdam: Adam whose first steps are plain momentum, and the next ones short."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, decoupled_weight_decay: bool = False, *, foreach: bool | None = None,
        maximize: bool = False, capturable: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, decoupled_weight_decay=decoupled_weight_decay, differentiable=differentiable,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        (beta1, beta2), rate = group["betas"], decay_rate(group)
        t, state = self.remembered(p, "exp_avg", "exp_avg_sq")
        step, fill = float(group["lr"]) / (1 - beta1**t), 1 - beta2**t
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * t * beta2**t / fill
        if length > 5.0:
            shorter = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
            step *= (shorter * fill) ** 0.5
        self.apply(
            rules.radam(length > 5.0, bool(rate), group["decoupled_weight_decay"], group["maximize"]), p, g, state,
            step, group["eps"], 1 - beta1, beta2, 1 - beta2, *rate,
        )  # fmt: skip
