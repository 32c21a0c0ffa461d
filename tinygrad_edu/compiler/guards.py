"""What a recording relies on besides its arguments: what the function found elsewhere must be the same again."""

from __future__ import annotations

import gc
import sys
from types import CellType
from typing import Any

from ..tensors import Tensor


def living(*types: type) -> list[Any]:
    """Every object of these types, and of those derived from them, that is alive, as the garbage collector knows it."""
    classes = set(types)
    waiting = list(types)
    while waiting:
        new: set[type] = set(waiting.pop().__subclasses__()) - classes
        classes |= new
        waiting += new
    frozen = gc.get_freeze_count()
    if frozen:  # gc.freeze() hides what there was
        gc.unfreeze()
    found = [x for x in gc.get_objects() if type(x) in classes]
    if frozen:
        gc.freeze()
    return found


def tensors_found_by(function: Any) -> list[tuple[Any, str | None, Tensor]]:
    """(cell, None, tensor) and (globals, name, tensor): what a function finds in its closure and among its globals."""
    code = getattr(function, "__code__", None)
    if code is None:
        return []
    cells = [c for c in function.__closure__ or () if c != CellType()]
    found: list[Any] = [(c, None, c.cell_contents) for c in cells if isinstance(c.cell_contents, Tensor)]
    names = function.__globals__
    return found + [(names, n, names[n]) for n in code.co_names if isinstance(names.get(n), Tensor)]


def module_class() -> tuple[type, ...]:
    """nn.Module, if it is loaded."""
    module = sys.modules.get("tinygrad_edu.nn.module")
    return () if module is None else (module.Module,)


def module_states(modules: list[Any]) -> dict[int, tuple]:
    """The mode of each module, and which parameters and buffers it has."""
    return {
        id(m): (m.training, *map(id, m._parameters.values()), *map(id, m._modules.values()))
        for m in modules
        if "_modules" in m.__dict__
    }
