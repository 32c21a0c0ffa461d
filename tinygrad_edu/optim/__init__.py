"""Optimizers: how parameters follow their gradients downhill. PyTorch's names and arguments."""

from __future__ import annotations

from . import lr_scheduler
from .optimizer import Optimizer
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

__all__ = ["Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "SGD", "lr_scheduler"]


def __getattr__(name: str) -> None:
    from ..hints import closest

    raise AttributeError(f"module 'tinygrad_edu.optim' has no attribute '{name}'{closest(name, __all__)}")
