"""Optimizers: how parameters follow their gradients downhill. PyTorch's names and arguments."""

from __future__ import annotations

from .optimizer import Optimizer
from .rules import SGD, Adam

__all__ = ["Adam", "Optimizer", "SGD"]


def __getattr__(name: str) -> None:
    from ..hints import closest

    raise AttributeError(f"module 'tinygrad_edu.optim' has no attribute '{name}'{closest(name, __all__)}")
