"""Automatic differentiation: gradients, switching the recording on and off, and checking."""

from __future__ import annotations

from ..graph import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .check import GradcheckError, gradcheck, gradgradcheck
from .grad import backward, grad

__all__ = [
    "GradcheckError", "backward", "enable_grad", "grad", "gradcheck", "gradgradcheck", "is_grad_enabled", "no_grad",
    "set_grad_enabled",
]  # fmt: skip
