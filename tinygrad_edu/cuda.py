"""`torch.cuda`: what programs ask about the GPU.

The line with which most programs choose their device works everywhere; without a GPU it chooses the CPU:

    >>> import tinygrad_edu as torch
    >>> device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

What programs call on any machine to be safe does nothing without a GPU (`manual_seed_all`, `empty_cache`,
`synchronize`), and what only makes sense with one raises a RuntimeError that says what is missing.

Kernels are queued, and Python goes on while they run. So a clock around a call measures how long queueing took;
`synchronize()` before looking at it, or a pair of Events, measure the work:

    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record(); y = x @ x; end.record()
    torch.cuda.synchronize()
    print(start.elapsed_time(end), "ms")

Source: PyTorch documentation, torch.cuda.
"""

from __future__ import annotations

from typing import Any

from tinygrad_kernels.cuda import presence

__path__: list[str] = []  # a package, without modules: `import torch.cuda.amp` is told why


def is_available() -> bool:
    """Can tensors live on device='cuda': on a GPU, or in the simulator?"""
    return presence.available()


def device_count() -> int:
    """How many GPUs there are. The library uses the first one."""
    return 1 if is_available() else 0


def is_initialized() -> bool:
    """Has a CUDA device been used?"""
    import sys

    return is_available() and "tinygrad_kernels.cuda.memory" in sys.modules


def init() -> None:
    """Start the GPU now rather than at its first use."""
    if is_available():
        _memory()


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: there are no kernels for bfloat16."""
    return False


def _memory() -> Any:
    """The module that holds the GPU's memory. RuntimeError without a GPU."""
    presence.require()
    from tinygrad_kernels.cuda import memory

    return memory


def _check(device: Any) -> None:
    """RuntimeError for a GPU other than the first."""
    from .dtypes import as_device, default_float, kind_of

    kind_of(default_float, as_device("cuda" if device is None else device))


def current_device() -> int:
    """The number of the GPU in use: 0."""
    _memory()
    return 0


def set_device(device: Any) -> None:
    """Use this GPU; there is only the first one to choose."""
    if is_available():
        _check(device)


def get_device_name(device: Any = None) -> str:
    """What the GPU is called."""
    _check(device)
    return _memory().memory.properties()["name"]


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Its generation: (9, 0) is Hopper."""
    _check(device)
    return _memory().memory.properties()["compute_capability"]


class DeviceProperties:
    """What get_device_properties returns: name, major, minor, total_memory in bytes, multi_processor_count."""

    def __init__(self, found: dict[str, Any], total: int) -> None:
        self.name, self.total_memory = found["name"], total
        self.major, self.minor = found["compute_capability"]
        self.multi_processor_count = found["multiprocessors"]

    def __repr__(self) -> str:
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory // 2**20}MB, multi_processor_count={self.multi_processor_count})"
        )


def get_device_properties(device: Any = None) -> DeviceProperties:
    """What the driver says of the GPU."""
    _check(device)
    memory = _memory().memory
    return DeviceProperties(memory.properties(), memory.info()[1])


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes of its memory that are free, and all of them."""
    return _memory().memory.info()


def synchronize(device: Any = None) -> None:
    """Wait until everything that was queued is done."""
    if is_initialized():
        _memory().memory.synchronize()


def empty_cache() -> None:
    """Give memory that dead tensors left behind back to the driver."""
    if is_initialized():
        _memory().pool.empty()


def _bytes(name: str, device: Any) -> int:
    return getattr(_memory().pool, name) if is_initialized() else 0


def memory_allocated(device: Any = None) -> int:
    """Bytes of the blocks that tensors live in."""
    return _bytes("allocated", device)


def max_memory_allocated(device: Any = None) -> int:
    """The most that there ever were."""
    return _bytes("peak", device)


def memory_reserved(device: Any = None) -> int:
    """Bytes that were taken from the driver, in use or free."""
    return _bytes("reserved", device)


max_memory_reserved = memory_reserved


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count max_memory_allocated from now on."""
    if is_initialized():
        pool = _memory().pool
        pool.peak = pool.allocated


def _generator() -> Any:
    from .dtypes import default_float, device, kind_of
    from .ops.random import generator_of

    return generator_of(kind_of(default_float, device("cuda")).device)


def manual_seed(seed: int) -> None:
    """Start the GPU's random numbers at a seed."""
    if is_available():
        _generator().manual_seed(int(seed))


def seed() -> None:
    """Start the GPU's random numbers somewhere unpredictable."""
    if is_available():
        _generator().seed()


manual_seed_all, seed_all = manual_seed, seed


def get_rng_state(device: Any = "cuda") -> Any:
    """Where the GPU's random numbers are, as a tensor of bytes."""
    _memory()
    return _generator().get_state()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Continue the GPU's random numbers from what get_rng_state() returned."""
    _memory()
    _generator().set_state(new_state)


class Event:
    """A point in the queue of the GPU: `record()` puts it there, `elapsed_time(other)` is the time between two."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self._point = _memory().memory.Point()

    def record(self, stream: Any = None) -> None:
        self._point.record()

    def synchronize(self) -> None:
        """Wait until it is reached."""
        self._point.wait()

    wait = synchronize

    def query(self) -> bool:
        """Has it been reached?"""
        return self._point.reached()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to a later one. Waits for it."""
        end_event.synchronize()
        return end_event._point.since(self._point)


REFUSED = (
    "device", "Stream", "stream", "current_stream", "default_stream", "graph", "CUDAGraph", "nvtx", "memory_summary",
    "memory_stats", "get_arch_list", "utilization", "ipc_collect",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "OutOfMemoryError":
        from tinygrad_kernels.errors import OutOfMemoryError

        return OutOfMemoryError
    if name in REFUSED:

        def refused(*args: Any, **kwargs: Any) -> Any:
            if reason := presence.missing():
                raise RuntimeError(f"torch.cuda.{name}: there is no CUDA here ({reason}). Ask is_available() first")
            raise RuntimeError(f"torch.cuda.{name} is outside this library: one GPU, with one queue of kernels")

        return refused
    from .hints import refused as unknown

    raise unknown("tinygrad_edu.cuda", name, [*(n for n in globals() if not n.startswith("_")), *REFUSED])
