"""Optimizers: how parameters follow their gradients downhill. PyTorch's names and arguments.

rules           the formulas, each traced and printed as one loop
optimizer       what all share: groups of parameters, state, one kernel for each step and parameter
optimizers      SGD, Adam, ...: options, and what a rule remembers
lr_scheduler    learning rates that change while a network is trained

Source: PyTorch documentation, torch.optim.
"""

from __future__ import annotations

from . import lr_scheduler
from .optimizer import Optimizer
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop

__all__ = ["Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "SGD", "lr_scheduler"]


def __getattr__(name: str) -> None:
    from ..hints import closest

    raise AttributeError(f"module 'tinygrad_edu.optim' has no attribute '{name}'{closest(name, __all__)}")
