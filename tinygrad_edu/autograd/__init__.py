"""Automatic differentiation: switching it on and off, and checking it."""

from __future__ import annotations

from ..graph import enable_grad, is_grad_enabled, no_grad, set_grad_enabled

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]
