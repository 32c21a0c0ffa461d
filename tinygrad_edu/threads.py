"""How many cores a large operation may use."""

from __future__ import annotations

from tinygrad_kernels.cpu.threads import get_num_threads, set_num_threads

__all__ = ["get_num_threads", "set_num_threads"]
