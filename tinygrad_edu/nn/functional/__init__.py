"""Layers, activations and losses as functions of tensors. PyTorch's names and arguments.

A module (`nn.Linear`) keeps parameters and calls a function (`F.linear`), which keeps nothing.

layers            linear, layer_norm, dropout, embedding, softmax, log_softmax
activations       relu, gelu, silu, ...                              ops/activations.py
convolutions      conv1d, conv2d, conv_transpose1d, ...           ops/convolution.py
losses            of numbers against numbers: mse_loss, binary_cross_entropy_with_logits, ...
classification    of scores against class numbers: nll_loss, cross_entropy

Source: PyTorch documentation, torch.nn.functional.
"""

from __future__ import annotations

from ...functions import sigmoid, tanh
from ...hints import refusing
from ...ops.activations import (
    celu,
    celu_,
    elu,
    elu_,
    gelu,
    glu,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    silu,
    softplus,
    softshrink,
    softsign,
    tanhshrink,
    threshold,
    threshold_,
)
from ...ops.attention import scaled_dot_product_attention
from ...ops.batch_norm import batch_norm, instance_norm
from ...ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from ...ops.interpolation import interpolate, upsample
from ...ops.norm import group_norm, layer_norm, rms_norm
from ...ops.padding import pad
from ...ops.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)
from ...ops.similarity import bilinear, cosine_similarity, normalize, one_hot, pairwise_distance
from ...ops.windows import fold, pixel_shuffle, pixel_unshuffle, unfold
from .classification import cross_entropy, nll_loss
from .dropout import alpha_dropout, dropout, dropout1d, dropout2d, dropout3d, feature_alpha_dropout
from .layers import embedding, gumbel_softmax, linear, log_softmax, softmax, softmin
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    poisson_nll_loss,
    smooth_l1_loss,
)
from .margins import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)

# the imports above are the list of what there is
__all__ = [name for name, thing in globals().items() if callable(thing) and thing is not refusing]
__getattr__ = refusing("tinygrad_edu.nn.functional", __all__)
