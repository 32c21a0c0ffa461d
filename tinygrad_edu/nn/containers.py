"""Containers: modules one after another, in a list, in a dict; and parameters in a list, in a dict.

A plain Python list hides its layers from `parameters()`; these are found.

    Sequential(a, b)                  calls a, then b
    ModuleList([a, b])                list[i], append, extend, insert; calls nothing
    ModuleDict({"left": a})           dict["left"], keys, values, items
    ParameterList([p, q]), ParameterDict({"p": p})      the same for parameters (a Tensor is made one)

Source: PyTorch documentation, torch.nn, "Containers".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from ..tensors import Tensor
from .module import Module, indented, laid_out
from .parameter import Parameter


class Container(Module):
    """What all have in common: members under names, in one of a module's places."""

    _place = "_modules"

    def _members(self) -> dict[str, Any]:
        return self.__dict__[self._place]

    def _accept(self, member: Any) -> Any:
        if not isinstance(member, Module | None):
            raise TypeError(f"{type(member).__name__} is not a Module subclass: nn.{type(self).__name__} is for layers")
        return member

    def __len__(self) -> int:
        return len(self._members())


class Listed(Container):
    """What a list and a chain have in common: the names are '0', '1', ..."""

    def _set_members(self, members: Iterable[Any]) -> None:
        new = {str(k): member for k, member in enumerate(members)}
        self._members().clear()
        self._members().update(new)

    def _name_at(self, index: int) -> str:
        names = list(self._members())
        if not -len(names) <= index < len(names):
            raise IndexError(f"index {index} is out of range")
        return names[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._members().values())

    def __contains__(self, member: Any) -> bool:
        return any(member is m for m in self)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self._like(dict(list(self._members().items())[index]))
        return self._members()[self._name_at(index)]

    def _like(self, members: dict[str, Any]) -> Any:
        return type(self)(members.values())  # type: ignore[call-arg]

    def __setitem__(self, index: int, member: Any) -> None:
        self._members()[self._name_at(index)] = self._accept(member)

    def __delitem__(self, index: Any) -> None:
        names = list(self._members())
        for name in names[index] if isinstance(index, slice) else [self._name_at(index)]:
            del self._members()[name]
        self._set_members(list(self))

    def append(self, member: Any) -> Any:
        self._members()[str(len(self))] = self._accept(member)
        return self

    def extend(self, members: Iterable[Any]) -> Any:
        if isinstance(members, Tensor) or not isinstance(members, Iterable):
            raise TypeError(
                f"{type(self).__name__}.extend should be called with an iterable, but got {type(members).__name__}"
            )
        for member in members:
            self.append(member)
        return self

    def insert(self, index: int, member: Any) -> None:
        members = list(self)
        if isinstance(self, Sequential) and not -len(members) <= index <= len(members):
            raise IndexError(f"Index out of range: {index}")
        members.insert(index, self._accept(member))
        self._set_members(members)

    def pop(self, index: int = -1) -> Any:
        member = self[index]
        del self[index]
        return member


class Sequential(Listed):
    """Modules applied one after another; under names of their own if they come in a dict.

    >>> import tinygrad_edu as tg
    >>> tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.Tanh())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Tanh()
    )
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = len(modules) == 1 and isinstance(modules[0], Mapping)
        for name, module in modules[0].items() if named else enumerate(modules):
            if not isinstance(module, Module | None):
                raise TypeError(
                    f"{type(module).__name__} is not a Module subclass: Sequential(Linear(...), Tanh(), ...)"
                )
            self.add_module(str(name), module)

    def _like(self, members: dict[str, Any]) -> Sequential:
        return Sequential(members)

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self, other: Sequential) -> Sequential:
        self._set_members(list(self + other))
        return self

    def __mul__(self, times: int) -> Sequential:
        """The same modules, several times."""
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: Sequential and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*list(self) * times)

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Sequential:
        self._set_members(list(self * times))
        return self

    def forward(self, x: Any) -> Any:
        for module in self._modules.values():
            x = module(x)
        return x


class ModuleList(Listed):
    """A list of modules whose parameters are found.

    >>> import tinygrad_edu as tg
    >>> tg.nn.ModuleList([tg.nn.Tanh(), tg.nn.Tanh()])
    ModuleList(
      (0-1): 2 x Tanh()
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> ModuleList:
        return self.extend(other)

    def __repr__(self) -> str:
        below = []
        for text, run in groupby(enumerate(map(repr, self)), key=lambda pair: pair[1]):
            places = [k for k, _ in run]
            if len(places) == 1:
                below.append(f"({places[0]}): {indented(text)}")
            else:  # equal ones in a row are printed once
                below.append(f"({places[0]}-{places[-1]}): {len(places)} x {indented(text)}")
        return f"ModuleList({laid_out('', below)})"


class ParameterList(Listed):
    """A list of parameters that are found; a Tensor that is no Parameter becomes one."""

    _place = "_parameters"

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def _accept(self, member: Any) -> Parameter:
        return as_parameter(member)

    def extra_repr(self) -> str:
        return listing((str(k), p, p.dtype.name) for k, p in enumerate(self))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)


class Keyed(Container):
    """What dicts of modules and of parameters have in common."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._members())

    def __contains__(self, key: str) -> bool:
        return key in self._members()

    def __getitem__(self, key: str) -> Any:
        return self._members()[key]

    def __setitem__(self, key: str, member: Any) -> None:
        self._check_name(key, "module", "_modules" if self._members() is self._modules else "_parameters")
        self._members()[key] = self._accept(member)

    def __delitem__(self, key: str) -> None:
        del self._members()[key]

    def keys(self) -> Iterable[str]:
        return self._members().keys()

    def values(self) -> Iterable[Any]:
        return self._members().values()

    def items(self) -> Iterable[tuple[str, Any]]:
        return self._members().items()

    def clear(self) -> None:
        self._members().clear()

    def pop(self, key: str) -> Any:
        return self._members().pop(key)

    def update(self, members: Any) -> None:
        """Take over the members of a mapping, or of pairs (key, member)."""
        for key, member in members.items() if isinstance(members, Mapping | Keyed) else members:
            self[key] = member


class ModuleDict(Keyed):
    """A dict of modules whose parameters are found."""

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update({} if modules is None else modules)


class ParameterDict(Keyed):
    """A dict of parameters that are found; a Tensor that is no Parameter becomes one."""

    _place = "_parameters"

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update({} if parameters is None else parameters)

    def _accept(self, member: Any) -> Parameter:
        return as_parameter(member)

    def extra_repr(self) -> str:
        names = {"float32": "FloatTensor", "float64": "DoubleTensor"}
        return listing((key, p, names.get(p.dtype.name, p.dtype.name)) for key, p in self.items())

    def get(self, key: str, default: Any = None) -> Any:
        return self._members().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def popitem(self) -> tuple[str, Any]:
        return self._members().popitem()

    def copy(self) -> ParameterDict:
        """Another dict of the same parameters."""
        return ParameterDict(self)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        return ParameterDict((key, default) for key in keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))

    def __or__(self, other: Any) -> ParameterDict:
        copy = self.copy()
        copy.update(other)
        return copy

    def __ior__(self, other: Any) -> ParameterDict:
        self.update(other)
        return self


def as_parameter(x: Any) -> Parameter:
    if not isinstance(x, Tensor):
        raise TypeError(f"expected a Parameter or a Tensor, got {type(x).__name__}")
    return x if isinstance(x, Parameter) else Parameter(x)


def listing(members: Iterable[tuple[str, Parameter, str]]) -> str:
    """The text of a container of parameters: dtype and sizes of each."""
    return "\n".join(
        f"  ({key}): Parameter containing: [torch.{kind} of size {'x'.join(map(str, p.shape))}]"
        for key, p, kind in members
    )
