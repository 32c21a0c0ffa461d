"""`torch.special`: the names of special functions that are elsewhere too, and a few of their own.

    >>> import tinygrad_edu as tg
    >>> expit(tg.tensor([0.0])), xlog1py(tg.tensor([0.0]), -1)
    (tensor([0.5000]), tensor([0.]))

Source: PyTorch documentation, torch.special.
"""

from __future__ import annotations

import math
from typing import Any

from .functions import (  # noqa: F401
    erf,
    erfc,
    exp2,
    expm1,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    round,
    sinc,
    softmax,
    xlogy,
)
from .functions import sigmoid as expit  # noqa: F401
from .ops.elementwise import where
from .tensors import Tensor


def xlog1py(input: Any, other: Any) -> Tensor:
    """input · log(1 + other), 0 where input is 0."""
    return xlogy(input, other + 1)


def entr(input: Tensor) -> Tensor:
    """-x log x, 0 at 0, -inf below: one outcome's part of an entropy."""
    return where(input < 0, -math.inf, -xlogy(input, input))


def ndtr(input: Tensor) -> Tensor:
    """The normal distribution function: erfc(-x / √2) / 2.

    >>> import tinygrad_edu as tg
    >>> ndtr(tg.tensor([0.0, 1.96]))
    tensor([0.5000, 0.9750])
    """
    return 0.5 * erfc(-input / math.sqrt(2))


def __getattr__(name: str) -> None:
    from .hints import refused

    raise refused("tinygrad_edu.special", name, [n for n in globals() if not n.startswith("_")])
