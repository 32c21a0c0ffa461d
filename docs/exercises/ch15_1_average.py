"""Exercise 15.1: an average of a model over time.

The parameters of a model under training jump around the best ones; their running average lies closer. `update(average,
model, decay)` is to move each parameter of `average`, a copy of the model, towards that of the model:

    a ← decay · a + (1 - decay) · p

in place, in the memory that `average` has, without any history for autograd. Buffers (a running mean of batch norm, a
count) are not averaged: they are copied. It returns `average`.
"""

import tinygrad_edu as tg


def update(average: tg.nn.Module, model: tg.nn.Module, decay: float) -> tg.nn.Module:
    """`average`, moved towards the model."""
    ...  # your work
