"""What all optimizers share: parameter groups, state, and one fused kernel per step and parameter.

An update is a formula like any other: new parameter and new state from old parameter, gradient and state. It is traced
and printed as one loop with several results (tinygrad_kernels/codegen.py), so that a step reads each array once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Formula

from ..graph import no_grad, share
from ..nn.module import clear_gradients
from ..tensors import Tensor


class Update:
    """A traced update rule over (arrays..., numbers...), whose first results replace the first arrays.

    `arrays` are the names of the inputs that are arrays: the parameter, the state that changes, then the gradient.
    """

    def __init__(self, formula: Formula, arrays: int) -> None:
        self.formula, self.arrays = formula, arrays
        self.kernels: dict[tuple, Callable] = {}

    def run(self, arrays: list[Any], kind: Any, *numbers: float) -> None:
        """Compute all results at once and store them in place."""
        big = arrays[0].size >= kind.backend.PARALLEL_FROM
        kernel = self.kernels.get((kind, big))
        if kernel is None:
            inputs = len(self.formula.inputs)
            access = ["flat"] * self.arrays + ["number"] * (inputs - self.arrays)
            results = len(self.formula.outputs)
            signature = Signature([kind.dtype.name] * inputs, access, kind.dtype.name, in_place=results)
            kernel = self.kernels[kind, big] = kind.backend.flat(self.formula, signature, big)
        kernel(*arrays, *numbers)


class Optimizer:
    """The base class. A subclass gives `defaults` and `update(parameter, gradient, state, group)`."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params argument given to the optimizer should be an iterable of Tensors, not one Tensor")
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list: does the module find its parameters?")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        seen: set[Tensor] = set()
        for group in groups:
            members = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
            for p in members:
                if not isinstance(p, Tensor):
                    raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
                if not p.is_leaf:
                    raise ValueError(
                        "can't optimize a non-leaf Tensor: pass the parameters, not results computed of them"
                    )
            unique = [p for p in dict.fromkeys(members) if p not in seen]  # a shared parameter is stepped once
            seen.update(unique)
            self.param_groups.append({**defaults, **group, "params": unique})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (or set them to 0)."""
        clear_gradients((p for group in self.param_groups for p in group["params"]), set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient."""
        loss = closure() if closure is not None else None
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    g = p.grad
                    if g is not None:
                        self.update(p, g, self.state.setdefault(p, {}), group)
        return loss

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        raise NotImplementedError

    def apply(self, rule: Update, p: Tensor, g: Tensor, state: list[Tensor], *numbers: float) -> None:
        """Run a rule on parameter, state and gradient; the parameter may be a strided view."""
        target = p.detach().contiguous()
        rule.run([target.flat, *(s.flat for s in state), g.contiguous().flat], p.kind, *numbers)
        if p.flat is None:
            p.detach().copy_(target)
        share(p).version += 1


def check_positive(**numbers: float) -> None:
    """ValueError for a number below 0, by name."""
    for name, value in numbers.items():
        if value < 0:
            raise ValueError(f"Invalid {name}: {value}; it must not be negative")
