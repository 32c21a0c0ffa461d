"""Automatic differentiation: gradients, functions of your own, switching the recording on and off, and checking."""

from __future__ import annotations

from typing import Any

from ..graph import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from . import functional
from .anomaly import detect_anomaly, is_anomaly_enabled, set_detect_anomaly
from .check import GradcheckError, gradcheck, gradgradcheck
from .function import Function
from .grad import backward, grad

__all__ = [
    "Function", "GradcheckError", "backward", "detect_anomaly", "enable_grad", "functional", "grad", "gradcheck",
    "gradgradcheck", "inference_mode", "is_anomaly_enabled", "is_grad_enabled", "no_grad",
    "set_detect_anomaly", "set_grad_enabled", "Variable",
]  # fmt: skip


def Variable(data: Any, requires_grad: bool = False) -> Any:
    """`data` itself: what old programs wrap their tensors in. Tensors have had gradients of their own since 2018."""
    return data.detach().requires_grad_(requires_grad)
