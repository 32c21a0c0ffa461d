"""Optimizers: how parameters follow their gradients downhill. PyTorch's names and arguments.

rules           the formulas, each traced and printed as one loop
optimizer       what all share: groups of parameters, state, one kernel for each step and parameter
optimizers      SGD, Adam, ...: options, and what a rule remembers
variants        their relatives: Adadelta, Adamax, NAdam, RAdam
lbfgs           Newton's method by guessed curvature
lr_scheduler    learning rates that change while a network is trained; cycles: those that rise, too

Source: PyTorch documentation, torch.optim.
"""

from __future__ import annotations

from ..hints import refusing
from . import lr_scheduler
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .optimizers import SGD, Adagrad, Adam, AdamW, RMSprop
from .variants import Adadelta, Adamax, NAdam, RAdam

__all__ = [
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "Optimizer", "RAdam", "RMSprop", "SGD",
    "lr_scheduler",
]  # fmt: skip
__getattr__ = refusing("tinygrad_edu.optim", __all__)
