"""Is there a GPU?

`device="cuda"` needs three things: the package numba-cuda, which compiles kernels; NVIDIA's driver, which comes with
the operating system; and a GPU. `require` looks for them in this order and says which one is missing.

With NUMBA_ENABLE_CUDASIM=1 in the environment, set before Python starts, none of them is needed: the kernels run in the
simulator next door, thread by thread.

Asking costs next to nothing: Numba itself is not loaded by this file, nor is anything of CUDA before the driver's turn.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")

INSTALL = 'pip install "tinygrad-edu[cuda]"'
ADVICE = (
    "Use device='cpu' (the default), or set NUMBA_ENABLE_CUDASIM=1 before Python starts: the same kernels then run on "
    "the CPU, slowly, to learn from (pip install greenlet). `python -m tinygrad_edu doctor --gpu` shows what was found."
)


def missing() -> str:
    """What keeps CUDA from being used: '' if nothing does."""
    if SIMULATED:
        return "" if find_spec("greenlet") else "the simulator needs the package greenlet: pip install greenlet"
    if find_spec("numba_cuda") is None or find_spec("cuda") is None:
        return f"the package numba-cuda, which compiles the kernels, is not installed: {INSTALL}"
    from cuda.bindings import driver

    try:
        (status,) = driver.cuInit(0)
    except Exception:  # a class of cuda.pathfinder, which is younger than some of the versions that work
        return "NVIDIA's driver was looked for (libcuda.so.1, nvcuda.dll) and not found: it comes with a GPU's system"
    if status != driver.CUresult.CUDA_SUCCESS:
        return f"NVIDIA's driver is there, but does not start: {status.name}"
    status, count = driver.cuDeviceGetCount()
    return "" if count else "NVIDIA's driver is there, but reports no GPU"


@cache
def available() -> bool:
    """Can tensors live on device='cuda'?"""
    return not missing()


def require() -> None:
    """RuntimeError that says what is missing, if something is."""
    reason = missing()
    if reason:
        raise RuntimeError(f"device='cuda' is not available: {reason}. {ADVICE}")
