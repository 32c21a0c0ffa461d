"""A compiled Module: a Module around another one, whose forward is recorded."""

from __future__ import annotations

from typing import Any

from ..nn.module import Module
from .functions import CompiledFunction


class CompiledModule(Module):
    """What `compile(module)` returns: it has the module's parameters, modes and attributes, and calls it compiled."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self._orig_mod = module
        object.__setattr__(self, "compiled", CompiledFunction(module.__call__))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.compiled(*args, **kwargs)

    @property
    def program(self) -> Any:
        """What the latest recording does: print it."""
        return self.compiled.program

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "_modules" not in self.__dict__:  # a copy that is not filled yet
                raise
            return getattr(self._modules["_orig_mod"], name)
