"""Around training: loading data (`utils.data`), gradients that need less memory (`utils.checkpoint`), and memory shared
with other libraries (`utils.dlpack`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

ROOMS = ("data", "checkpoint", "dlpack")


def __getattr__(name: str) -> Any:
    """`torch.utils.data` without an import of its own."""
    if name in ROOMS:
        return import_module(f".{name}", __name__)
    from ..hints import refused

    raise refused("tinygrad_edu.utils", name, ROOMS)
