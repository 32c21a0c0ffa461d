"""Neural networks: modules that hold parameters, layers, losses. PyTorch's names."""

from __future__ import annotations

from . import functional, init
from .layers import Linear, ReLU, Sequential, Sigmoid, Tanh
from .losses import BCELoss, CrossEntropyLoss, MSELoss
from .module import Module, ModuleList, Parameter

__all__ = [
    "BCELoss", "CrossEntropyLoss", "Linear", "MSELoss", "Module", "ModuleList", "Parameter", "ReLU", "Sequential",
    "Sigmoid", "Tanh", "functional", "init",
]  # fmt: skip


def __getattr__(name: str) -> None:
    from ..hints import closest

    raise AttributeError(f"module 'tinygrad_edu.nn' has no attribute '{name}'{closest(name, __all__)}")
