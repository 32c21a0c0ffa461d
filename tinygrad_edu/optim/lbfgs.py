"""LBFGS: Newton's method, with the curvature guessed from the last few steps. For smooth functions of few numbers.

*The problem.* A step against the gradient ignores how the gradient changes. Newton's step d = -H⁻¹ g does not, but H
has n² elements, and takes n gradients.

*The idea.* Each step s = θ' - θ and the change y = g' - g that it made are one measurement of H: H s = y. A product
H⁻¹ g that fits the last m of them (and γ = sᵀy / yᵀy times the identity otherwise) needs no matrix, but two loops:

    q = g                                newest to oldest:     αᵢ = ρᵢ sᵢᵀ q,    q ← q - αᵢ yᵢ          ρᵢ = 1 / yᵢᵀ sᵢ
    r = γ q                              oldest to newest:     r ← r + sᵢ (αᵢ - ρᵢ yᵢᵀ r)               then r = H⁻¹ g

*How far.* `line_search_fn="strong_wolfe"` looks for a t that lowers the loss by a fair part of what its slope promises,
and where the slope itself is small:

    f(t) <= f(0) + c₁ t f'(0),     |f'(t)| <= c₂ |f'(0)|            c₁ = 10⁻⁴, c₂ = 0.9

First it goes on until such a t must lie in between, then it makes the interval smaller, by minima of cubic parabolas.

All this evaluates loss and gradient many times in one step, so `step` takes a `closure`.

Source: J. Nocedal, S. Wright, Numerical optimization, 2006, algorithms 7.4, 3.5 and 3.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..creation import zeros_like
from ..graph import no_grad, set_grad_enabled
from ..hints import hinted
from ..nn.utils import parameters_to_vector
from ..tensors import Tensor
from .optimizer import Optimizer, check_positive

ENOUGH, FLAT = 1e-4, 0.9  # c₁ and c₂ of Wolfe's conditions
SEARCHES = 25  # evaluations in one line search, at most


class Point(NamedTuple):
    """A place on the line: how far, the loss there, its gradient, and its slope along the line."""

    t: float
    loss: float
    gradient: Tensor
    slope: float


def dot(x: Tensor, y: Tensor) -> float:
    return (x * y).sum().item()


def largest(x: Tensor) -> float:
    return x.abs().max().item()


class LBFGS(Optimizer):
    """LBFGS, for one group of parameters: `step(closure)` makes up to `max_iter` steps of Newton's kind.

    It ends where no element of the gradient is above `tolerance_grad`, or neither parameters nor loss change by
    `tolerance_change`, or after `max_eval` evaluations (5/4 of max_iter); `history_size` steps are remembered.

    >>> import tinygrad_edu as tg
    >>> x = tg.tensor([5.0, -3.0], requires_grad=True)
    >>> optimizer = tg.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - 1.0) ** 2 * tg.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    176.0
    >>> x.round(decimals=3).tolist()
    [1.0, 1.0]
    """

    @hinted
    def __init__(
        self, params: Iterable[Any], lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_positive(lr=lr)
        super().__init__(params, dict(
            lr=lr, max_iter=max_iter, max_eval=max_iter * 5 // 4 if max_eval is None else max_eval,
            tolerance_grad=tolerance_grad, tolerance_change=tolerance_change, history_size=history_size,
            line_search_fn=line_search_fn,
        ))  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self.params: list[Tensor] = self.param_groups[0]["params"]

    def gradient(self) -> Tensor:
        """The gradients of all parameters as one vector."""
        return parameters_to_vector([zeros_like(p) if p.grad is None else p.grad for p in self.params])

    def move(self, t: float, d: Tensor) -> None:
        """θ ← θ + t d"""
        start = 0
        for p in self.params:
            p.add_(d[start : start + p.numel()].reshape(p.shape), alpha=t)
            start += p.numel()

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Minimise for a while. `closure` clears the gradients, computes the loss and its gradients, and returns it."""
        with no_grad():
            return self.minimise(closure)

    def minimise(self, closure: Callable[[], Any]) -> Any:
        group, state = self.param_groups[0], self.state[self.params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> Any:
            evaluations[0] += 1
            with set_grad_enabled(True):
                return closure()

        evaluations = [0]
        first = evaluate()
        loss, g, lr = float(first), self.gradient(), float(group["lr"])
        if largest(g) > group["tolerance_grad"]:
            for k in range(1, group["max_iter"] + 1):
                state["n_iter"] += 1
                d = self.direction(g, state, group["history_size"])
                state["prev_flat_grad"], state["prev_loss"] = g.clone(), loss
                begin = state["n_iter"] == 1  # nothing is known of the curvature: a step of length lr at most
                state["t"] = t = min(1.0, 1.0 / g.abs().sum().item()) * lr if begin else lr
                slope = dot(g, d)
                if slope > -group["tolerance_change"]:
                    break
                if group["line_search_fn"] is not None:
                    if group["line_search_fn"] != "strong_wolfe":
                        raise RuntimeError("only 'strong_wolfe' is supported")
                    found = self.search(Point(0.0, loss, g.clone(), slope), t, d, evaluate)
                    loss, g, state["t"] = found.loss, found.gradient, found.t
                    self.move(found.t, d)
                else:
                    self.move(t, d)
                    if k < group["max_iter"]:
                        loss, g = float(evaluate()), self.gradient()
                if (
                    evaluations[0] >= group["max_eval"]
                    or largest(g) <= group["tolerance_grad"]
                    or largest(d) * abs(state["t"]) <= group["tolerance_change"]
                    or abs(loss - state["prev_loss"]) < group["tolerance_change"]
                ):
                    break
        state["func_evals"] += evaluations[0]
        return first

    def direction(self, g: Tensor, state: dict[str, Any], remembered: int) -> Tensor:
        """-H⁻¹ g, after adding the last step to what is remembered."""
        if state["n_iter"] == 1:
            state.update(d=-g, old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return state["d"]
        y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
        changes, steps, inverse = state["old_dirs"], state["old_stps"], state["ro"]
        if dot(y, s) > 1e-10:
            if len(changes) == remembered:
                for history in (changes, steps, inverse):
                    history.pop(0)
            changes.append(y)
            steps.append(s)
            inverse.append(1.0 / dot(y, s))
            state["H_diag"] = dot(y, s) / dot(y, y)
        q, shares = -g, []
        for y, s, rho in zip(reversed(changes), reversed(steps), reversed(inverse), strict=True):
            shares.append(dot(s, q) * rho)
            q = q.add(y, alpha=-shares[-1])
        r = q * state["H_diag"]
        for y, s, rho, share in zip(changes, steps, inverse, reversed(shares), strict=True):
            r = r.add(s, alpha=share - dot(y, r) * rho)
        state["d"] = r
        return r

    def search(self, origin: Point, t: float, d: Tensor, evaluate: Callable[[], Any]) -> Point:
        """A point on the line from `origin` along d that fulfils Wolfe's conditions, or the best that was found."""
        start = [p.clone() for p in self.params]

        def at(t: float) -> Point:
            self.move(t, d)
            loss, g = float(evaluate()), self.gradient()
            for p, before in zip(self.params, start, strict=True):
                p.copy_(before)
            return Point(t, loss, g, dot(g, d))

        def too_high(x: Point) -> bool:
            return x.loss > origin.loss + ENOUGH * x.t * origin.slope

        def flat(x: Point) -> bool:
            return abs(x.slope) <= -FLAT * origin.slope

        previous, x = origin, at(t)
        for count in range(SEARCHES):  # out, until a good point must lie in between
            if too_high(x) or (count > 1 and x.loss >= previous.loss) or (x.slope >= 0 and not flat(x)):
                break
            if flat(x):
                return x
            bounds = (x.t + 0.01 * (x.t - previous.t), 10.0 * x.t)
            previous, x = x, at(minimum_of_cubic(previous, x, bounds))
        else:
            return origin if origin.loss <= x.loss else x
        low, high = (previous, x) if previous.loss <= x.loss else (x, previous)
        stuck = False
        while count < SEARCHES:  # and in, between the best point and one on the other side of a minimum
            left, right = sorted((low.t, high.t))
            if (right - left) * largest(d) < 1e-9:
                break
            t, margin = minimum_of_cubic(low, high), 0.1 * (right - left)
            near = min(right - t, t - left) < margin
            if near and (stuck or not left < t < right):  # close to an end, twice: move away from it
                t, near = right - margin if abs(t - right) < abs(t - left) else left + margin, False
            stuck = near
            x, count = at(t), count + 1
            if too_high(x) or x.loss >= low.loss:
                low, high = (low, x) if low.loss <= x.loss else (x, low)
            elif flat(x):
                return x
            else:
                low, high = x, low if x.slope * (high.t - low.t) >= 0 else high
        return low


def minimum_of_cubic(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic parabola with these values and slopes has its minimum, within bounds (those of a and b)."""
    low, high = bounds or sorted((a.t, b.t))
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = mean * mean - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    if a.t > b.t:
        a, b = b, a
    root = math.sqrt(square)
    t = b.t - (b.t - a.t) * ((b.slope + root - mean) / (b.slope - a.slope + 2 * root))
    return min(max(t, low), high)
