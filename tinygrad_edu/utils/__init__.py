"""Around training: loading data (`utils.data`), and gradients that need less memory (`utils.checkpoint`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """`torch.utils.data` without an import of its own."""
    if name in ("data", "checkpoint"):
        return import_module(f".{name}", __name__)
    from ..hints import refused

    raise refused("tinygrad_edu.utils", name, ("data", "checkpoint"))
