"""SGD, Adam, AdamW, RMSprop, Adagrad: the options of each rule, and what it remembers between steps.

The formulas are in rules.py. Options, defaults and the names in `state` are PyTorch's, so that states can be
exchanged. `foreach` and `fused`, which choose among PyTorch's implementations, are accepted and change nothing: every
step is one fused kernel. `lr` may be a tensor of one element, which a program then changes.

Source: PyTorch documentation, torch.optim.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..creation import full, zeros_like
from ..hints import hinted
from ..tensors import Tensor
from . import rules
from .optimizer import Optimizer, check_betas, check_positive


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if asked for.

    >>> import tinygrad_edu as tg
    >>> p = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> tg.optim.SGD([p], lr=0.25).step()
    >>> p
    tensor([0.5000, 1.0000], requires_grad=True)
    """

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1e-3, momentum: float = 0, dampening: float = 0, weight_decay: float = 0,
        nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None, differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
            maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        decay, momentum, lr = group["weight_decay"], group["momentum"], float(group["lr"])
        rule = rules.sgd(momentum != 0, group["nesterov"], decay != 0, group["maximize"])
        last = (decay,) if decay else ()
        if not momentum:
            self.apply(rule, p, g, (), lr, *last)
            return
        state, share = self.state[p], 1.0 - group["dampening"]
        if state.get("momentum_buffer") is None:  # the first gradient enters the buffer whole
            state["momentum_buffer"], share = zeros_like(p), 1.0
        self.apply(rule, p, g, (state["momentum_buffer"],), lr, momentum, share, *last)


class Adam(Optimizer):
    """Adam: steps of about lr, whatever the size of the gradients."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize, foreach=foreach,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        amsgrad, (beta1, beta2), lr = group["amsgrad"], group["betas"], float(group["lr"])
        decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
        t, state = self.remembered(p, "exp_avg", "exp_avg_sq", *["max_exp_avg_sq"] * amsgrad)
        rate = () if not decay else (1 - lr * decay,) if decoupled else (decay,)
        self.apply(
            rules.adam(amsgrad, decay != 0, decoupled, group["maximize"]), p, g, state,
            lr / (1 - beta1**t), (1 - beta2**t) ** 0.5, group["eps"], 1 - beta1, beta2, 1 - beta2, *rate,
        )  # fmt: skip


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameter itself, and does not pass through the averages."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip


class RMSprop(Optimizer):
    """RMSprop: the gradient, divided by its recent size; with momentum if asked for."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
        momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
        maximize: bool = False, differentiable: bool = False,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(params, dict(
            lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
            capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable,
        ))  # fmt: skip

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        momentum, centered, alpha, decay = (group[k] for k in ("momentum", "centered", "alpha", "weight_decay"))
        names = ["square_avg", *["momentum_buffer"] * (momentum > 0), *["grad_avg"] * centered]
        _, state = self.remembered(p, *names)
        self.apply(
            rules.rmsprop(momentum > 0, centered, decay != 0, group["maximize"]), p, g, state,
            float(group["lr"]), alpha, 1 - alpha, group["eps"],
            *((momentum,) if momentum > 0 else ()), *((decay,) if decay else ()),
        )  # fmt: skip


class Adagrad(Optimizer):
    """Adagrad: the gradient, divided by the size of all gradients so far, so that steps shrink by themselves."""

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
        initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
        maximize: bool = False, differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        check_positive(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
        check_positive(initial_accumulator_value=initial_accumulator_value)
        super().__init__(params, dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, foreach=foreach, maximize=maximize,
            differentiable=differentiable, fused=fused,
        ))  # fmt: skip

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        start = float(group["initial_accumulator_value"])
        for p in group["params"]:
            self.state[p] = {"step": 0, "sum": full(p.shape, start, dtype=p.dtype, device=p.device)}

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        t, state = self.remembered(p, "sum")
        decay = group["weight_decay"]
        lr = float(group["lr"]) / (1 + (t - 1) * group["lr_decay"])
        rule = rules.adagrad(decay != 0, group["maximize"])
        self.apply(rule, p, g, state, lr, group["eps"], *((decay,) if decay else ()))
