"""Layers, activations and losses as functions of tensors. PyTorch's names and arguments.

A module (`nn.Linear`) keeps parameters and calls a function (`F.linear`), which keeps nothing.

layers            linear, layer_norm, dropout, embedding, softmax, log_softmax
activations       relu, gelu, silu, ...                              ops/activations.py
losses            of numbers against numbers: mse_loss, binary_cross_entropy_with_logits, ...
classification    of scores against class numbers: nll_loss, cross_entropy

Source: PyTorch documentation, torch.nn.functional.
"""

from __future__ import annotations

from ...functions import sigmoid, tanh
from ...ops.activations import (
    celu,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    logsigmoid,
    mish,
    relu,
    relu6,
    selu,
    silu,
    softplus,
    softsign,
    tanhshrink,
)
from ...ops.norm import layer_norm
from .classification import cross_entropy, nll_loss
from .layers import dropout, embedding, linear, log_softmax, softmax, softmin
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
)

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "celu", "cross_entropy", "dropout", "elu", "embedding",
    "gaussian_nll_loss", "gelu", "hardsigmoid", "hardswish", "hardtanh", "hinge_embedding_loss", "huber_loss",
    "kl_div", "l1_loss", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid", "margin_ranking_loss",
    "mish", "mse_loss", "nll_loss", "poisson_nll_loss", "relu", "relu6", "selu", "sigmoid", "silu", "smooth_l1_loss",
    "soft_margin_loss", "softmax", "softmin", "softplus", "softsign", "tanh", "tanhshrink",
]  # fmt: skip


def __getattr__(name: str) -> None:
    from ...hints import closest

    raise AttributeError(f"module 'tinygrad_edu.nn.functional' has no attribute '{name}'{closest(name, __all__)}")
