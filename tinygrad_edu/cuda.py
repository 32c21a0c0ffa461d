"""`torch.cuda`, as it is on a machine without a GPU: questions are answered, work is refused.

So the line with which most programs choose their device chooses the CPU,

    >>> import tinygrad_edu as torch
    >>> torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device(type='cpu')

what programs call on any machine to be safe does nothing (`manual_seed_all`, `empty_cache`, `synchronize`), and what
only makes sense with a GPU raises a RuntimeError that says so.

Source: PyTorch documentation, torch.cuda.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__path__: list[str] = []  # a package, without modules: `import torch.cuda.amp` is told why


def is_available() -> bool:
    """False: there are no CUDA kernels here."""
    return False


def device_count() -> int:
    """0"""
    return 0


def is_initialized() -> bool:
    """False"""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False"""
    return False


def nothing(*args: Any, **kwargs: Any) -> None:
    """Harmless without a GPU: does nothing."""


manual_seed = manual_seed_all = seed = seed_all = empty_cache = synchronize = init = ipc_collect = nothing
reset_peak_memory_stats = set_device = nothing


def no_memory(device: Any = None) -> int:
    """0: none of the memory of a GPU is used."""
    return 0


memory_allocated = max_memory_allocated = memory_reserved = max_memory_reserved = no_memory

REFUSED = (
    "current_device", "get_device_name", "get_device_properties", "get_device_capability", "mem_get_info", "device",
    "Stream", "Event", "stream", "current_stream", "graph", "CUDAGraph", "get_rng_state", "set_rng_state", "nvtx",
    "memory_summary", "memory_stats", "get_arch_list", "utilization",
)  # fmt: skip


def __getattr__(name: str) -> Callable[..., Any]:
    if name in REFUSED:

        def refused(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError(
                f"torch.cuda.{name}: there is no CUDA here. Ask torch.cuda.is_available() first, and use device='cpu'"
            )

        return refused
    from .hints import refused as unknown

    raise unknown("tinygrad_edu.cuda", name, [*(n for n in globals() if not n.startswith("_")), *REFUSED])
