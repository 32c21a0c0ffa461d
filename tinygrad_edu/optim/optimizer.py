"""What all optimizers share: parameter groups, state, and one fused kernel per step and parameter.

An update is a formula like any other: new parameter and new state from old parameter, gradient and state. It is traced
and printed as one loop with several results (tinygrad_kernels/codegen.py), so that a step reads each array once.

    optimizer.param_groups    [{"params": [p, q], "lr": 0.1, ...}, ...]     options, one set for each group
    optimizer.state           {p: {"step": 3, "exp_avg": ...}, ...}         what a rule remembers of a parameter

The state is keyed by the parameter itself, so it cannot be taken for that of another one that came to lie at the
same address. `state_dict` numbers the parameters instead, in the order of the groups: numbers survive a file.

Source: A. Paszke et al., PyTorch: an imperative style, high-performance deep learning library, NeurIPS 2019 (the
interface).
"""

from __future__ import annotations

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Formula

from ..creation import zeros_like
from ..graph import mode, no_grad, set_grad_enabled, share
from ..hooks import RemovableHandle
from ..nn.module import clear_gradients
from ..tensors import Tensor


class Update:
    """A traced update rule over (arrays..., numbers...), whose first results replace the first arrays.

    `arrays` counts the inputs that are arrays: the parameter, the state that changes, then the gradient.
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


def counted(step: Callable[..., Any]) -> Callable[..., Any]:
    """A `step` that calls the hooks before and after it, and counts (for schedulers that are called too early)."""

    @wraps(step)
    def call(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        for hook in self.before.values():
            changed = hook(self, (self, *args), kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError(f"{hook} must return None or a tuple of (new_args, new_kwargs), got {changed}")
                (_, *args), kwargs = changed
        found = step(self, *args, **kwargs)
        self.steps += 1
        for hook in self.after.values():
            hook(self, (self, *args), kwargs)
        return found

    return call


class Optimizer:
    """The base class. A subclass gives `defaults`, and `update(parameter, gradient, group)` does one step.

    Or it overrides `step` itself. `params` are tensors, pairs (name, tensor), or dicts: one for each group.

    >>> import tinygrad_edu as tg
    >>> p = tg.ones(2, requires_grad=True)
    >>> optimizer = tg.optim.SGD([{"params": [p], "lr": 0.5}], lr=0.1)
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def __init_subclass__(cls) -> None:
        if "step" in cls.__dict__:
            cls.step = counted(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got one Tensor"
            )
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list: does the module find its parameters?")
        check_implementation(defaults)
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self.steps = 0
        self.before: dict[int, Callable] = {}
        self.after: dict[int, Callable] = {}
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(dict(group) if isinstance(group, dict) else group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """One more group of parameters, with options of its own; the others are the defaults.

        TypeError for what is no tensor, ValueError for a tensor that was computed, or is in a group already.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        if "params" not in param_group:
            raise KeyError("a parameter group must have 'params': {'params': [...], 'lr': ...}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        members = [params] if isinstance(params, Tensor) else list(params)
        named = [m for m in members if isinstance(m, tuple)]
        if named and len(named) < len(members):
            raise ValueError("all optimizer params should be with/without names. Some param names are missing")
        tensors = [m[1] for m in named] or members
        for p in tensors:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor: pass the parameters, not results computed of them")
        unique = list(dict.fromkeys(tensors))
        if len(unique) < len(tensors):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; each is stepped once", stacklevel=5
            )
        if not set(unique).isdisjoint(p for group in self.param_groups for p in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        if self.param_groups and bool(named) != ("param_names" in self.param_groups[0]):
            raise ValueError("all optimizer param groups should be with/without names.")
        names = {"param_names": [name for name, _ in named]} if named else {}
        defaults = {k: v for k, v in self.defaults.items() if k not in param_group}
        self.param_groups.append({**param_group, "params": unique, **names, **defaults})

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before each step; it may return other (args, kwargs)."""
        return RemovableHandle(self.before, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return RemovableHandle(self.after, hook)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (or set them to 0)."""
        clear_gradients((p for group in self.param_groups for p in group["params"]), set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every parameter that has a gradient. `closure` computes the loss and the gradients anew."""
        loss = None
        if closure is not None:
            with set_grad_enabled(True):
                loss = closure()
        if mode.recorder is not None:
            from ..compiler.updates import record_step

            record_step(self)
            return loss
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    g = p.grad
                    if g is not None:
                        self.update(p, g, group)
        return loss

    step = counted(step)

    def update(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        raise NotImplementedError

    def remembered(self, p: Tensor, *names: str) -> tuple[int, list[Tensor]]:
        """The number of this step of p, and what is remembered of p under these names (at first: zeros)."""
        state = self.state[p]
        if not state:
            state["step"] = 0
            state.update((name, zeros_like(p)) for name in names)
        state["step"] += 1
        return state["step"], [state[name] for name in names]

    def apply(self, rule: Update, p: Tensor, g: Tensor, state: Iterable[Tensor], *numbers: float) -> None:
        """Run a rule on parameter, state and gradient; the parameter may be a strided view."""
        target = p.detach().contiguous()
        rule.run([target.flat, *[s.flat for s in state], g.contiguous().flat], p.kind, *numbers)
        if p.flat is None:
            p.detach().copy_(target)
        share(p).version += 1

    def state_dict(self) -> dict[str, Any]:
        """State and options, with the number of each parameter in its place; the tensors are not copied."""
        numbers: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers[p] = len(numbers)
            options = {k: v for k, v in group.items() if k != "params"}
            groups.append({**options, "params": [numbers[p] for p in group["params"]]})
        return {"state": {numbers[p]: state for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of such an optimizer gave: copied, and in the dtype of the parameters.

        ValueError, and nothing is changed, where the groups have other sizes.
        """
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(groups, self.param_groups, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        loaded: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for own, group in zip(self.param_groups, groups, strict=True):
            for p, number in zip(own["params"], group["params"], strict=True):
                if number in state_dict["state"]:
                    loaded[p] = {k: loaded_entry(k, v, p) for k, v in state_dict["state"][number].items()}
        options = [{k: copy.deepcopy(v) for k, v in group.items() if k != "params"} for group in groups]
        self.param_groups = [
            {**own, **new, "params": own["params"]} for own, new in zip(self.param_groups, options, strict=True)
        ]
        self.state = loaded

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for k, group in enumerate(self.param_groups):
            lines += [*[""] * (k > 0), f"Parameter Group {k}"]
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


def loaded_entry(name: str, value: Any, p: Tensor) -> Any:
    """One entry of a saved state, for parameter p. PyTorch counts steps in a tensor; here they are a number."""
    if name == "step":
        return int(value)
    if isinstance(value, Tensor) and value.is_floating_point() and value.shape == p.shape:
        return value.detach().to_kind(p.kind).clone()
    return copy.deepcopy(value)


NAMES = {"lr": "learning rate", "eps": "epsilon value"}  # as PyTorch's messages call them


def check_positive(**numbers: Any) -> None:
    """ValueError for a number below 0 (or nan), by name, and for a learning rate of several elements."""
    for name, value in numbers.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element")
        if not 0.0 <= value:
            raise ValueError(f"Invalid {NAMES.get(name, f'{name} value')}: {value}; it must not be negative")


def check_betas(betas: Any) -> None:
    """ValueError for a coefficient of an average outside [0, 1)."""
    for k, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {k}: {beta}")


def check_implementation(options: Mapping[str, Any]) -> None:
    """`foreach` and `fused` choose among PyTorch's loops, and change nothing here; two others are refused."""
    if options.get("foreach") and options.get("fused"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if options.get("foreach") and isinstance(options.get("lr"), Tensor):
        raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
    for name in ("differentiable", "capturable"):
        if options.get(name):
            raise NotImplementedError(f"{name}=True is outside this library's scope: a step is one unrecorded kernel")
