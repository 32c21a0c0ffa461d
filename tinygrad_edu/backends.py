"""What programs written for PyTorch ask about the machine, or set and forget: `torch.backends` and its neighbours.

The problem. Programs open with lines such as these, whatever machine they then run on:

    import torch.backends.cudnn as cudnn
    cudnn.deterministic = True
    torch.set_float32_matmul_precision("high")
    device = "mps" if torch.backends.mps.is_available() else "cpu"

The idea. Questions are answered truthfully: there is no accelerator here. Settings are kept, so that reading one gives
what was set, and change nothing: results here depend on sizes only and are the same every time, which is what the
settings ask for or allow to give up. One does something: with `backends.cuda.matmul.allow_tf32 = True`, which is what
`set_float32_matmul_precision("high")` sets, products of float32 matrices on a GPU may be computed by its tensor cores,
which keep three decimal digits.

    >>> mps.is_available()
    False
    >>> cudnn.benchmark = True

Source: PyTorch documentation, torch.backends and "Reproducibility".
"""

from __future__ import annotations

import sys
import warnings
from types import ModuleType
from typing import Any

import tinygrad_kernels.precision as kernels

__path__: list[str] = []  # a package, without a folder: each Backend enters itself among the modules


class Backend(ModuleType):
    """One of PyTorch's backends, a module that can be imported: what it says of itself, and settings."""

    def __init__(self, name: str, available: bool = False, **settings: Any) -> None:
        super().__init__(f"{__name__}.{name}")
        self._available = available
        vars(self).update(settings)
        sys.modules[self.__name__] = self

    def is_available(self) -> bool:
        """Is it used here?"""
        return self._available

    is_built = is_available

    def version(self) -> None:
        """None: there is none."""
        return None


class Matmul(Backend):
    """`torch.backends.cuda.matmul`: whether products of float32 matrices may use tensor cores."""

    @property
    def allow_tf32(self) -> bool:
        """May they? Off unless it is set; also set by set_float32_matmul_precision."""
        return kernels.allow_tf32

    @allow_tf32.setter
    def allow_tf32(self, value: bool) -> None:
        set_float32_matmul_precision("high" if value else "highest")


class Accelerator(Backend):
    """`torch.accelerator`, whichever a machine has: none."""

    def current_accelerator(self, check_available: bool = False) -> None:
        """None: there is none."""
        return None

    def device_count(self) -> int:
        """0"""
        return 0


accelerator = xpu = Accelerator("accelerator")


cudnn = Backend("cudnn", enabled=True, benchmark=False, deterministic=False, allow_tf32=True)
cuda = Backend("cuda", matmul=Matmul("cuda.matmul"))
mps, mkl, openmp = Backend("mps"), Backend("mkl"), Backend("openmp", available=True)
mkldnn = Backend("mkldnn", enabled=True)

_state: dict[str, Any] = {"precision": "highest", "deterministic": False}


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Kept, and nothing more: every algorithm here is deterministic."""
    _state["deterministic"] = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms set."""
    return _state["deterministic"]


def set_float32_matmul_precision(precision: str) -> None:
    """'highest': float32. 'high', 'medium': a GPU may use TF32, with three digits; a CPU does not. Others warn."""
    if precision not in ("highest", "high", "medium"):
        warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium': the call has no effect", stacklevel=2)
    else:
        _state["precision"] = precision
        kernels.allow_tf32 = precision != "highest"


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision set.

    >>> get_float32_matmul_precision()
    'highest'
    """
    return _state["precision"]
