"""Optimizers: how parameters follow their gradients downhill. PyTorch's names and arguments."""

from __future__ import annotations

from .optimizer import Optimizer
from .rules import SGD, Adam

__all__ = ["Adam", "Optimizer", "SGD"]
