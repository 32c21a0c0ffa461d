"""What stands for `numba.cuda` in a kernel: numba.cuda itself, or the simulator.

Every kernel imports `cuda` and the unsigned integers from here. This is the first file that loads anything of CUDA, and
nothing in this folder but presence.py is imported before a CUDA device is asked for.
"""

from __future__ import annotations

from typing import Any

from .presence import SIMULATED

cuda: Any
uint32: Any
uint64: Any
if SIMULATED:
    from .simulator import cuda

    uint32 = uint64 = int  # Python's own integers do not wrap around
else:
    from numba import cuda, uint32, uint64

__all__ = ["SIMULATED", "cuda", "uint32", "uint64"]
