"""Running a program that says `import torch`, as it is, on this library.

The problem. A lesson, or a program that somebody has, begins with `import torch`. To try it here, not a line of it
should have to change.

The idea. `import a.b` asks the finders in sys.meta_path, in order, for a module of that name. `TorchFinder` stands
first and answers for `torch` and everything below: the module of tinygrad_edu of the same path, *itself* and not a
copy, so that torch.Tensor and tinygrad_edu.Tensor are one class.

    import torch.nn.functional as F    asks for   torch           gets   tinygrad_edu
                                                  torch.nn               tinygrad_edu.nn
                                                  torch.nn.functional    tinygrad_edu.nn.functional

Source: B. Cannon, E. Snow, PEP 302 and PEP 451, on import hooks; the Python library reference, `importlib` and `runpy`.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any


class CannotRun(RuntimeError):
    """The program was not started, and the message says why."""


class TorchFinder(MetaPathFinder, Loader):
    """Gives the modules of tinygrad_edu under torch's names."""

    def __init__(self) -> None:
        self.specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "torch":
            return None
        own = f"tinygrad_edu{name.removeprefix('torch')}"
        try:
            module = importlib.import_module(own)
        except ModuleNotFoundError as error:
            if error.name is None or not own.startswith(error.name):  # something that our module needs is missing
                raise
            raise ModuleNotFoundError(missing(name), name=name) from None
        return ModuleSpec(name, self, is_package=hasattr(module, "__path__"))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"tinygrad_edu{spec.name.removeprefix('torch')}")
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run. But Python has written torch's spec into the module: put its own back."""
        assert module.__spec__ is not None
        module.__spec__ = self.specs.pop(module.__spec__.name)


def missing(name: str) -> str:
    """The message for a module of PyTorch that is not here."""
    parent, _, last = name.rpartition(".")
    package = importlib.import_module(f"tinygrad_edu{parent.removeprefix('torch')}")
    there = sorted(m.name for m in iter_modules(getattr(package, "__path__", [])) if not m.name.startswith("_"))
    from .hints import closest

    return (
        f"the program imports '{name}', and tinygrad_edu, which stands in for torch here, has no module "
        f"'{package.__name__}.{last}'{closest(last, there)}"
    )


def install() -> None:
    """Let `import torch` mean tinygrad_edu, in this process, from now on.

    Raises CannotRun if PyTorch itself has been imported: half of the program would use one, half the other.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch is not sys.modules["tinygrad_edu"]:
        raise CannotRun(
            f"PyTorch itself is already imported, from {getattr(torch, '__file__', None)}, so `import torch` cannot "
            "mean tinygrad_edu in this process; start a new one: python -m tinygrad_edu run script.py"
        )
    if not any(isinstance(finder, TorchFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchFinder())


def run(script: str | os.PathLike, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Run a Python file as `python script *arguments` would, with tinygrad_edu for torch; gives its global names.

    Raises CannotRun for a file that is not there or where PyTorch is already imported, and whatever the file raises.
    """
    path = os.fspath(script)
    if not os.path.exists(path):
        raise CannotRun(f"there is no file '{path}' to run")
    install()
    sys.argv = [path, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))  # where the file's own imports are looked for
    return runpy.run_path(path, run_name="__main__")
