"""Every public name of `tinygrad_edu`, in one place. PyTorch's names."""

from __future__ import annotations

