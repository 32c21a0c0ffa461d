"""The rules: how a parameter θ follows its gradient g downhill.

    SGD       θ ← θ - lr g
    momentum  b ← μ b + (1 - τ) g,          θ ← θ - lr b          a ball that rolls: the average of past gradients
    Nesterov  b ← μ b + g,                  θ ← θ - lr (g + μ b)  the same, looking one step ahead
    Adagrad   s ← s + g²,                   θ ← θ - lr g / (√s + ε)
    RMSprop   v ← α v + (1 - α) g²,         θ ← θ - lr g / (√v + ε)
    centered  a ← α a + (1 - α) g           with v - a², the variance, in place of v
    Adam      m ← β₁ m + (1 - β₁) g,        v ← β₂ v + (1 - β₂) g²
              m̂ = m / (1 - β₁ᵗ),            v̂ = v / (1 - β₂ᵗ),      θ ← θ - lr m̂ / (√v̂ + ε)
    AMSGrad   the largest v so far in place of v
    AdamW     θ ← (1 - lr λ) θ              first, instead of g ← g + λ θ
    Adamax    u ← max(β₂ u, |g| + ε),       θ ← θ - lr m̂ / u
    NAdam     Adam, looking one step ahead as Nesterov does: a part of g itself in place of a part of m
    RAdam     Adam, with steps that are shortened while v is the average of few gradients, and plain m̂ at first
    Adadelta  v ← ρ v + (1 - ρ) g²,         d = g √(u + ε) / √(v + ε),    u ← ρ u + (1 - ρ) d²,    θ ← θ - lr d

All but SGD divide by the size that the gradient of this very parameter had, so that each takes steps of about lr.
Adam's m and v start at 0 and are therefore too small at first; the hats divide by how much of the average is filled.

`maximize` climbs: it takes -g for g. Which of these a rule has is decided while its formula is traced, and what is
not asked for is not in the loop: plain SGD reads two arrays and writes one.

Sources: B. Polyak, Some methods of speeding up the convergence of iteration methods, 1964; J. Duchi, E. Hazan, Y.
Singer, Adaptive subgradient methods, JMLR 2011; T. Tieleman, G. Hinton, Lecture 6.5: RMSprop, 2012; I. Sutskever et
al., On the importance of initialization and momentum, ICML 2013; D. Kingma, J. Ba, Adam, ICLR 2015; S. Reddi, S. Kale,
S. Kumar, On the convergence of Adam and beyond, ICLR 2018; I. Loshchilov, F. Hutter, Decoupled weight decay
regularization, ICLR 2019; M. Zeiler, Adadelta, 2012; T. Dozat, Incorporating Nesterov momentum into Adam, 2016;
L. Liu et al., On the variance of the adaptive learning rate and beyond, ICLR 2020.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from tinygrad_kernels.calculus import abs, div, sqrt, where
from tinygrad_kernels.expr import trace

from .optimizer import Update


def traced(name: str, formula: Callable, arrays: str, numbers: str) -> Update:
    """The update of a formula over (*arrays, *numbers), given by their names."""
    return Update(trace(name, formula, (*arrays.split(), *numbers.split())), len(arrays.split()))


def uphill(g: Any, maximize: bool) -> Any:
    return -g if maximize else g


def decayed(p: Any, g: Any, rate: Any, decay: bool, decoupled: bool, maximize: bool) -> tuple[Any, Any]:
    """θ and g after weight decay; `rate` is (λ,), or (1 - lr λ,) if decoupled."""
    g = uphill(g, maximize)
    if decay and decoupled:
        return p * rate[0], g
    return p, g + rate[0] * p if decay else g


@cache
def sgd(momentum: bool, nesterov: bool, decay: bool, maximize: bool) -> Update:
    """θ, b from θ, b, g; `share` is 1 - τ. Without momentum there is no b."""

    def plain(p: Any, g: Any, lr: Any, weight_decay: Any = 0.0) -> Any:
        g = uphill(g, maximize)
        return p - lr * (g + weight_decay * p if decay else g)

    def rolling(p: Any, b: Any, g: Any, lr: Any, mu: Any, share: Any, weight_decay: Any = 0.0) -> Any:
        g = uphill(g, maximize)
        g = g + weight_decay * p if decay else g
        b = mu * b + share * g
        return p - lr * (g + mu * b if nesterov else b), b

    last = " weight_decay" * decay
    if not momentum:
        return traced("sgd", plain, "p g", "lr" + last)
    return traced("nesterov" if nesterov else "momentum", rolling, "p b g", "lr mu share" + last)


@cache
def adam(amsgrad: bool, decay: bool, decoupled: bool, maximize: bool) -> Update:
    """θ, m, v (, the largest v) from those and g.

    `step` is lr / (1 - β₁ᵗ), `root` is √(1 - β₂ᵗ), a1 = 1 - β₁, a2 = 1 - β₂; `rate` is λ, or 1 - lr λ if decoupled.
    """

    def formula(p: Any, m: Any, v: Any, *rest: Any) -> Any:
        top = rest[0] if amsgrad else v
        g, step, root, eps, a1, beta2, a2, *rate = rest[amsgrad:]
        p, g = decayed(p, g, rate, decay, decoupled, maximize)
        m = m + a1 * (g - m)
        v = beta2 * v + a2 * (g * g)
        top = where(v <= top, top, v) if amsgrad else v
        p = p - step * div(m, div(sqrt(top), root) + eps)
        return (p, m, v, top) if amsgrad else (p, m, v)

    arrays = "p m v top g" if amsgrad else "p m v g"
    return traced("adam", formula, arrays, "step root eps a1 beta2 a2" + " rate" * decay)


@cache
def rmsprop(momentum: bool, centered: bool, decay: bool, maximize: bool) -> Update:
    """θ, v (, b) (, a) from those and g; `rest` is 1 - α."""

    def formula(*given: Any) -> Any:
        values = dict(zip(names, given, strict=True))
        p, v, g = values["p"], values["v"], uphill(values["g"], maximize)
        g = g + values["weight_decay"] * p if decay else g
        changed = [v := values["alpha"] * v + values["rest"] * (g * g)]
        size, b, a = v, values.get("b"), values.get("a")
        if centered:
            a = a + values["rest"] * (g - a)
            size = v - a * a
        step = div(g, sqrt(size) + values["eps"])
        if momentum:
            step = b = values["mu"] * b + step
        changed += [b] * momentum + [a] * centered
        return (p - values["lr"] * step, *changed)

    arrays = "p v" + " b" * momentum + " a" * centered + " g"
    numbers = "lr alpha rest eps" + " mu" * momentum + " weight_decay" * decay
    names = (*arrays.split(), *numbers.split())
    return traced("rmsprop", formula, arrays, numbers)


@cache
def adagrad(decay: bool, maximize: bool) -> Update:
    """θ, s from θ, s, g."""

    def formula(p: Any, s: Any, g: Any, lr: Any, eps: Any, weight_decay: Any = 0.0) -> Any:
        g = uphill(g, maximize)
        g = g + weight_decay * p if decay else g
        s = s + g * g
        return p - lr * div(g, sqrt(s) + eps), s

    return traced("adagrad", formula, "p s g", "lr eps" + " weight_decay" * decay)


@cache
def adadelta(decay: bool, maximize: bool) -> Update:
    """θ, v, u from θ, v, u, g; `rest` is 1 - ρ."""

    def formula(p: Any, v: Any, u: Any, g: Any, lr: Any, rho: Any, rest: Any, eps: Any, *rate: Any) -> Any:
        p, g = decayed(p, g, rate, decay, False, maximize)
        v = rho * v + rest * (g * g)
        d = div(sqrt(u + eps), sqrt(v + eps)) * g
        return p - lr * d, v, rho * u + rest * (d * d)

    return traced("adadelta", formula, "p v u g", "lr rho rest eps" + " rate" * decay)


@cache
def adamax(decay: bool, maximize: bool) -> Update:
    """θ, m, u from θ, m, u, g; `step` is lr / (1 - β₁ᵗ), a1 = 1 - β₁."""

    def formula(p: Any, m: Any, u: Any, g: Any, step: Any, eps: Any, a1: Any, beta2: Any, *rate: Any) -> Any:
        p, g = decayed(p, g, rate, decay, False, maximize)
        m = m + a1 * (g - m)
        old, new = beta2 * u, abs(g) + eps
        u = where(new > old, new, where(new <= old, old, new + old))  # nan, if one of them is
        return p - step * div(m, u), m, u

    return traced("adamax", formula, "p m u g", "step eps a1 beta2" + " rate" * decay)


@cache
def nadam(decay: bool, decoupled: bool, maximize: bool) -> Update:
    """θ, m, v from θ, m, v, g, which steps by `now` times g and `next` times m; `fill` is 1 - β₂ᵗ."""

    def formula(*given: Any) -> Any:
        p, m, v, g, now, next, fill, eps, a1, beta2, a2, *rate = given
        p, g = decayed(p, g, rate, decay, decoupled, maximize)
        m = m + a1 * (g - m)
        v = beta2 * v + a2 * (g * g)
        size = sqrt(div(v, fill)) + eps
        return p - now * div(g, size) - next * div(m, size), m, v

    return traced("nadam", formula, "p m v g", "now next fill eps a1 beta2 a2" + " rate" * decay)


@cache
def radam(adaptive: bool, decay: bool, decoupled: bool, maximize: bool) -> Update:
    """θ, m, v from θ, m, v, g; `step` contains all that is no array; at first (not `adaptive`) v has no say."""

    def formula(*given: Any) -> Any:
        p, m, v, g, step, eps, a1, beta2, a2, *rate = given
        p, g = decayed(p, g, rate, decay, decoupled, maximize)
        m = m + a1 * (g - m)
        v = beta2 * v + a2 * (g * g)
        return p - step * (div(m, sqrt(v) + eps) if adaptive else m), m, v

    return traced("radam", formula, "p m v g", "step eps a1 beta2 a2" + " rate" * decay)
