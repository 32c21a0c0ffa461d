"""Module: a function with parameters.

A module is a tree. Its own parameters and its submodules are whatever is assigned to its attributes; `parameters()`
walks the tree, in the order of assignment, and gives each parameter once even if two places share it. So an optimizer
needs nothing but that list, and a network is written as a plain Python class:

    class Cubic(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(tg.randn(()))

        def forward(self, x):
            return self.a * x ** 3

Source: R. Collobert, K. Kavukcuoglu, C. Farabet, Torch7: a Matlab-like environment for machine learning, 2011.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..graph import no_grad
from ..hints import closest
from ..tensors import Tensor


class Parameter(Tensor):
    """A leaf that a Module counts as its own when it is assigned to one of its attributes.

    >>> import tinygrad_edu as tg
    >>> tg.nn.Parameter(tg.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter data must be a Tensor, not {type(data).__name__}; use tensor(...)")
        x = data.detach()
        super().__init__(x.flat, x.shape, x.kind)
        self.view, self.shared = x.view, x.shared
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """The base of all layers and networks: write `__init__` (calling super's first) and `forward`."""

    training: bool
    _parameters: dict[str, Any]
    _modules: dict[str, Any]

    def __init__(self) -> None:
        for name, value in (("training", True), ("_parameters", {}), ("_modules", {})):
            object.__setattr__(self, name, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            if isinstance(value, Parameter | Module):
                raise AttributeError(f"cannot assign '{name}' before Module.__init__() call: add super().__init__()")
            object.__setattr__(self, name, value)
            return
        self._parameters.pop(name, None)
        self._modules.pop(name, None)
        self.__dict__.pop(name, None)
        if isinstance(value, Parameter):
            self._parameters[name] = value
        elif isinstance(value, Module):
            self._modules[name] = value
        else:
            if isinstance(value, list | tuple) and any(isinstance(v, Module | Parameter) for v in value):
                warnings.warn(
                    f"{type(self).__name__}.{name} is a plain {type(value).__name__} of layers or parameters: "
                    "parameters() will not find them. Use nn.ModuleList([...])",
                    stacklevel=2,
                )
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:  # called only where the usual look-up found nothing
        own = self.__dict__
        for place in ("_parameters", "_modules"):
            if place in own and name in own[place]:
                return own[place][name]
        known = [*own.get("_parameters", ()), *own.get("_modules", ()), *own, *dir(type(self))]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{closest(name, known)}")

    def __delattr__(self, name: str) -> None:
        for place in (self._parameters, self._modules):
            if name in place:
                del place[name]
                return
        object.__delattr__(self, name)

    def children(self) -> Iterator[Module]:
        """The modules assigned to this one."""
        yield from self._modules.values()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all below it, each once, with dotted names."""
        seen: set[Module] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module in seen:
                continue
            seen.add(module)
            yield name, module
            dot = f"{name}." if name else ""
            stack.extend((dot + key, child) for key, child in reversed(module._modules.items()))

    def modules(self) -> Iterator[Module]:
        for _, module in self.named_modules():
            yield module

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters, each once, with dotted names."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for key, parameter in module._parameters.items():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield (f"{prefix}.{key}" if prefix else key), parameter

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (or set them to 0)."""
        clear_gradients(self.parameters(), set_to_none)

    def train(self, mode: bool = True) -> Module:
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call `function` with every module, the innermost first."""
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def to(self, *targets: Any, **options: Any) -> Module:
        """Move and convert every parameter, in place."""
        for module in self.modules():
            for name, parameter in list(module._parameters.items()):
                moved = parameter.detach().to(*targets, **options)
                if moved.kind is not parameter.kind:
                    module._parameters[name] = Parameter(moved, parameter.requires_grad)
        return self

    def double(self) -> Module:
        from ..dtypes import float64

        return self.to(float64)

    def state_dict(self) -> dict[str, Tensor]:
        """The parameters by name, detached: the module's memory, not a copy."""
        found: dict[str, Tensor] = {}
        for prefix, module in self.named_modules():
            for key, parameter in module._parameters.items():
                found[f"{prefix}.{key}" if prefix else key] = parameter.detach()
        return found

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> None:
        """Copy tensors into the parameters of the same names. All is checked before anything is changed."""
        own = self.state_dict()
        missing, unexpected = [k for k in own if k not in state_dict], [k for k in state_dict if k not in own]
        wrong = [
            f"size mismatch for {k}: copying a param with shape {state_dict[k].shape}, the shape in current model is "
            f"{own[k].shape}"
            for k in own
            if k in state_dict and state_dict[k].shape != own[k].shape
        ]
        if strict:
            wrong += [f"Missing key(s) in state_dict: {missing}"] * bool(missing)
            wrong += [f"Unexpected key(s) in state_dict: {unexpected}"] * bool(unexpected)
        if wrong:
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t" + "\n\t".join(wrong))
        with no_grad():
            for key, x in own.items():
                if key in state_dict:
                    x.copy_(state_dict[key])

    def extra_repr(self) -> str:
        """What stands in the parentheses when the module is printed."""
        return ""

    def __repr__(self) -> str:
        lines = []
        for key, child in self._modules.items():
            lines.append(f"({key}): " + repr(child).replace("\n", "\n  "))
        name, extra = type(self).__name__, self.extra_repr()
        return f"{name}({extra})" if not lines else f"{name}(\n  " + "\n  ".join(lines) + "\n)"


class Container(Module):
    """What a list of modules and a chain of them have in common."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int) -> Module:
        return list(self._modules.values())[index]


class ModuleList(Container):
    """A list of modules whose parameters are found."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        setattr(self, str(len(self)), module)
        return self


def clear_gradients(parameters: Iterable[Tensor], set_to_none: bool) -> None:
    for p in parameters:
        if p.grad is not None:
            if set_to_none:
                p.grad = None
            else:
                p.grad.zero_()
