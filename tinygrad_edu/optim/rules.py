"""SGD and Adam: the rules.

    SGD      θ ← θ - lr g
    with momentum      b ← μ b + (1 - τ) g,   θ ← θ - lr b        the average of past gradients, a ball that rolls
    Adam     m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) g²
             θ ← θ - lr m̂ / (√v̂ + ε)     m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ)

Adam's m and v start at 0 and are therefore too small at first; the hats divide by how much of the average is filled.

Sources: B. Polyak, Some methods of speeding up the convergence of iteration methods, 1964; D. Kingma, J. Ba, Adam: a
method for stochastic optimization, ICLR 2015.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinygrad_kernels.calculus import div, sqrt
from tinygrad_kernels.expr import trace

from ..creation import zeros_like
from ..hints import hinted
from ..tensors import Tensor
from .optimizer import Optimizer, Update, check_positive


def sgd(p: Any, g: Any, lr: Any, weight_decay: Any) -> Any:
    return p - lr * (g + weight_decay * p)


def momentum_sgd(p: Any, b: Any, g: Any, lr: Any, weight_decay: Any, momentum: Any, share: Any) -> Any:
    b = momentum * b + share * (g + weight_decay * p)
    return p - lr * b, b


def nesterov_sgd(p: Any, b: Any, g: Any, lr: Any, weight_decay: Any, momentum: Any, share: Any) -> Any:
    g = g + weight_decay * p
    b = momentum * b + share * g
    return p - lr * (g + momentum * b), b


def adam(
    p: Any, m: Any, v: Any, g: Any, step: Any, root: Any, eps: Any, a1: Any, beta2: Any, a2: Any, weight_decay: Any
) -> Any:
    """`step` is lr / (1 - β₁ᵗ), `root` is √(1 - β₂ᵗ), a1 = 1 - β₁, a2 = 1 - β₂."""
    g = g + weight_decay * p
    m = m + a1 * (g - m)
    v = beta2 * v + a2 * (g * g)
    return p - step * div(m, div(sqrt(v), root) + eps), m, v


def rule(function: Any, arrays: int) -> Update:
    code = function.__code__
    return Update(trace(function.__name__, function, code.co_varnames[: code.co_argcount]), arrays)


SGD_RULE, MOMENTUM_RULE = rule(sgd, arrays=2), rule(momentum_sgd, arrays=3)
NESTEROV_RULE, ADAM_RULE = rule(nesterov_sgd, arrays=3), rule(adam, arrays=4)


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for."""

    @hinted
    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        check_positive(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, decay, momentum = group["lr"], group["weight_decay"], group["momentum"]
        if not momentum:
            self.apply(SGD_RULE, p, g, [], lr, decay)
            return
        share = 1.0 - group["dampening"]
        if "momentum_buffer" not in state:  # the first gradient enters the buffer whole
            state["momentum_buffer"], share = zeros_like(p), 1.0
        chosen = NESTEROV_RULE if group["nesterov"] else MOMENTUM_RULE
        self.apply(chosen, p, g, [state["momentum_buffer"]], lr, decay, momentum, share)


class Adam(Optimizer):
    """Adam: steps of about lr, whatever the size of the gradients."""

    @hinted
    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        check_positive(lr=lr, eps=eps, weight_decay=weight_decay)
        for k, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {k}: {beta}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=zeros_like(p), exp_avg_sq=zeros_like(p))
        state["step"] += 1
        t, (beta1, beta2) = state["step"], group["betas"]
        self.apply(
            ADAM_RULE, p, g, [state["exp_avg"], state["exp_avg_sq"]],
            group["lr"] / (1 - beta1**t), (1 - beta2**t) ** 0.5, group["eps"], 1 - beta1,
            beta2, 1 - beta2, group["weight_decay"],
        )  # fmt: skip
