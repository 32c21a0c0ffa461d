"""Module: a function with parameters.

A module is a tree. Its own parameters, buffers and submodules are whatever is assigned to its attributes;
`parameters()` walks the tree, in the order of assignment, and gives each parameter once even if two places share it.
So an optimizer needs nothing but that list, and a network is written as a plain Python class:

    class Cubic(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(tg.randn(()))

        def forward(self, x):
            return self.a * x ** 3

    parameter    a tensor that is trained          module.weight = nn.Parameter(...)
    buffer       one that is only kept             module.register_buffer("mean", ...)
    submodule    another module                    module.layer = nn.Linear(3, 2)

What is saved (`state_dict`) is a flat dict of tensors under dotted names: 'layer.weight'.

Source: R. Collobert, K. Kavukcuoglu, C. Farabet, Torch7: a Matlab-like environment for machine learning, 2011.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..dtypes import float16, float32, float64
from ..graph import changes
from ..hints import closest
from ..tensors import Tensor
from .hooks import HookedModule
from .parameter import Buffer, Parameter
from .state import IncompatibleKeys, load, replace_memory

PLACES = ("_parameters", "_buffers", "_modules")


class Module(HookedModule):
    """The base of all layers and networks: write `__init__` (calling super's first) and `forward`."""

    training: bool
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _transient: set[str]  # the buffers that are not saved

    def __init__(self) -> None:
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={}, _transient=set())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call_hooked(args, kwargs) if self._hooked else self.forward(*args, **kwargs)

    # Attributes: what is assigned goes to its place.
    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if "_modules" not in own:
            if isinstance(value, Parameter | Module | Buffer):
                kind = "module" if isinstance(value, Module) else f"{type(value).__name__.lower()}s"
                raise AttributeError(f"cannot assign {kind} before Module.__init__() call: add super().__init__()")
            object.__setattr__(self, name, value)
        elif isinstance(value, Parameter):
            if hasattr(type(self), name):  # which would be found in place of the parameter
                raise KeyError(f"attribute '{name}' already exists: as an attribute of {type(self).__name__}")
            self._put("_parameters", name, value)
        elif isinstance(value, Module):
            self._put("_modules", name, value)
        elif isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
        elif name in self._parameters or name in self._modules:
            if value is not None:
                kind = "parameter" if name in self._parameters else "child module"
                wanted = "Parameter" if name in self._parameters else "Module"
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as {kind} '{name}' (torch.nn.{wanted} or None expected)"
                )
            self._put("_parameters" if name in self._parameters else "_modules", name, None)
        elif name in self._buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                    "expected)"
                )
            self._buffers[name] = value
        else:
            warn_about_lost_layers(f"{type(self).__name__}.{name}", value)
            object.__setattr__(self, name, value)

    def _put(self, place: str, name: str, value: Any) -> None:
        changes.count += 1
        self.__dict__.pop(name, None)
        for other in PLACES:
            if other != place:
                self.__dict__[other].pop(name, None)
        self._transient.discard(name)
        self.__dict__[place][name] = value

    def __getattr__(self, name: str) -> Any:  # called only where the usual look-up found nothing
        own = self.__dict__
        for place in PLACES:
            if place in own and name in own[place]:
                return own[place][name]
        known = [*(key for place in PLACES for key in own.get(place, ())), *own, *dir(type(self))]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'{closest(name, known)}")

    def __delattr__(self, name: str) -> None:
        for place in PLACES:
            if name in self.__dict__[place]:
                del self.__dict__[place][name]
                return
        object.__delattr__(self, name)

    def _check_name(self, name: str, what: str, place: str) -> None:
        if place not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call: add super().__init__()")
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type(name).__name__}")
        if not name or "." in name:
            raise KeyError(f"{what} name can't " + ('contain "."' if name else 'be empty string ""'))
        own = (vars(self), *(vars(self)[p] for p in PLACES))  # hasattr would look for names that are like it
        if name not in vars(self)[place] and (hasattr(type(self), name) or any(name in names for names in own)):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """The same as assigning it; with None the name is known, and there is no such parameter."""
        self._check_name(name, "parameter", "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"cannot assign '{type(param).__name__}' object to parameter '{name}' (nn.Parameter or "
                            "None required)")  # fmt: skip
        self._put("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that belongs to the module, is moved and (if `persistent`) saved with it, and not trained."""
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            given = type(tensor).__name__
            raise TypeError(f"cannot assign '{given}' object to buffer '{name}' (Tensor or None required)")
        self._put("_buffers", name, tensor)
        if not persistent:
            self._transient.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """The same as assigning it, for names that are not Python's, such as '0'."""
        self._check_name(name, "module", "_modules")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._put("_modules", name, module)

    register_module = add_module

    # The tree.
    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules assigned to this one, each once, with their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules assigned to this one, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, with dotted names; each once, unless told otherwise. `memo`: those to skip."""
        seen = set() if memo is None else memo
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if module in seen:
                continue
            if remove_duplicate:
                seen.add(module)
            yield name, module
            below = [(join(name, key), child) for key, child in module._modules.items() if child is not None]
            stack.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def _named(self, place: str, prefix: str, recurse: bool, remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for name, module in modules:
            for key, x in getattr(module, place).items():
                if x is not None and id(x) not in seen:
                    if remove_duplicate:
                        seen.add(id(x))
                    yield join(name, key), x

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters (with recurse=False: this module's own), each once, with dotted names."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers, each once, with dotted names."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; this one for ''. AttributeError where there is none."""
        module: Any = self
        for name in target.split(".") if target else ():
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"'{name}' is not an nn.Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name."""
        return self._get(target, "_parameters", "Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name."""
        return self._get(target, "_buffers", "buffer")

    def _get(self, target: str, place: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        found = getattr(module, name)
        if name not in getattr(module, place):
            raise AttributeError(
                f"'{name}' is not an nn.{what}" if what == "Parameter" else f"'{name}' is not a {what}"
            )
        return found

    # What is done to the whole tree.
    def apply(self, fn: Callable[[Module], Any]) -> Module:
        """Call `fn` with every module, the innermost first."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Training mode, or evaluation: layers such as Dropout ask for it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training, changes.count = mode, changes.count + 1
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """The same as train(False)."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (or set them to 0)."""
        clear_gradients(self.parameters(), set_to_none)

    def to(self, *targets: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False) -> Module:
        """Move every parameter and buffer, and convert those that are floating; in place, so optimizers keep them."""
        for x in (*self.parameters(), *self.buffers()):
            floating = x.kind.dtype.is_floating_point
            moved = x.detach().to(*targets, dtype=dtype, device=device)
            if floating and not moved.kind.dtype.is_floating_point:
                raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got {moved.kind.dtype}")
            if not floating:
                moved = x.detach().to(moved.kind.device)
            if moved.kind is not x.kind:
                replace_memory(x, moved)
        return self

    def float(self) -> Module:
        """All floating parameters and buffers as float32."""
        return self.to(float32)

    def double(self) -> Module:
        """All floating parameters and buffers as float64."""
        return self.to(float64)

    def half(self) -> Module:
        """All floating parameters and buffers as float16, which there is no arithmetic for: a RuntimeError."""
        return self.to(float16)

    def type(self, dst_type: Any) -> Module:
        """All floating parameters and buffers in this dtype."""
        return self.to(dst_type)

    def cpu(self) -> Module:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Module:
        return self.to("cuda")

    # Saving and loading.
    def state_dict(
        self, *, destination: dict[str, Tensor] | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Parameters and persistent buffers by name: the module's memory, not a copy; detached, unless `keep_vars`."""
        found = OrderedDict() if destination is None else destination
        for key, x in (*self._parameters.items(), *self._buffers.items()):
            if x is not None and key not in self._transient:
                found[prefix + key] = x if keep_vars else x.detach()
        for key, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=found, prefix=f"{prefix}{key}.", keep_vars=keep_vars)
        return found

    def load_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy tensors into the parameters and buffers of the same names. All is checked before anything is changed.

        With `assign` the given tensors take the places of the old ones, dtype and all; make optimizers after that.
        RuntimeError for a tensor of another shape, and, if `strict`, for names that are missing or unknown.
        """
        own = {
            join(path, key): x
            for path, module in self.named_modules(remove_duplicate=False)
            for key, x in (*module._parameters.items(), *module._buffers.items())
            if x is not None and key not in module._transient
        }
        found = load(type(self).__name__, own, state_dict, strict, copy=not assign)
        if assign:
            for key, x in own.items():
                if key in state_dict:
                    path, _, name = key.rpartition(".")
                    new = state_dict[key].detach()
                    module = self.get_submodule(path)
                    place = module._parameters if name in module._parameters else module._buffers
                    place[name] = Parameter(new, x.requires_grad) if place is module._parameters else new
        return found

    # Text.
    def extra_repr(self) -> str:
        """What stands in the parentheses when the module is printed."""
        return ""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for place in PLACES for name in self.__dict__.get(place, ()))})

    def __repr__(self) -> str:
        extra = self.extra_repr()
        below = [f"({key}): {indented(repr(child))}" for key, child in self._modules.items()]
        return f"{self._get_name()}({laid_out(extra, below)})"

    def _get_name(self) -> str:
        return type(self).__name__


def laid_out(extra: str, below: list[str]) -> str:
    """What stands in the parentheses of a module's text: on one line where it has no submodules."""
    if not below and "\n" not in extra:
        return extra
    return "\n  " + "\n  ".join([*(extra.split("\n") if extra else []), *below]) + "\n"


def indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def warn_about_lost_layers(place: str, value: Any) -> None:
    """A UserWarning where parameters are put into a plain list or dict, in which nobody will find them."""
    values: Iterable[Any] = value.values() if isinstance(value, dict) else value
    if isinstance(value, list | tuple | dict) and any(isinstance(v, Module | Parameter) for v in values):
        kind = "Dict({...})" if isinstance(value, dict) else "List([...])"
        warnings.warn(
            f"{place} is a plain {type(value).__name__} of layers or parameters: parameters() will not find them. "
            f"Use nn.Module{kind} or nn.Parameter{kind}",
            stacklevel=3,
        )


def clear_gradients(parameters: Iterable[Tensor], set_to_none: bool) -> None:
    for p in parameters:
        if set_to_none:
            p.grad = None
        elif p.grad is not None:
            p.grad.zero_()
