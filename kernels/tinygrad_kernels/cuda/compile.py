"""From a kernel to machine code, Python → PTX → cubin, kept on disk; and from there to something to be launched.

*PTX* is NVIDIA's portable assembly language, which Numba prints through its compiler NVVM. A *cubin* is machine code
for one generation of processors (sm_90 is Hopper: H100, H200), made of PTX by nvJitLink, which also reports what a
thread of the kernel needs:

    registers    65,536 on a multiprocessor, shared by all threads there: fewer in each, more threads to hide waiting
    spills       registers that did not fit and live in memory: slow; the aim is 0
    shared       bytes of shared memory of a block

None of this needs a GPU, so all kernels are compiled, and these numbers compared with a table, wherever the tests run.

Source: PTX ISA; nvJitLink documentation.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numba
from numba.core import types

from ..cache import read, write
from .jit import Kernel, numba_type

REPORT = {
    "registers": r"Used (\d+) registers",
    "stack": r"(\d+) bytes stack frame",
    "spills": r"(\d+) bytes spill stores",
    "shared": r"(\d+) bytes smem",
}


class Cubin(NamedTuple):
    """The machine code of a kernel, the name under which it is found there, and what a thread needs."""

    code: bytes
    entry: str
    report: dict[str, int]


def ptx_of(kernel: Kernel, capability: tuple[int, int]) -> str:
    """The kernel in NVIDIA's assembly language."""
    from numba import cuda
    from numba.cuda import dispatcher

    signature = tuple(numba_type(name) for name in kernel.signature)
    options: dict[str, Any] = {"cc": capability, "fastmath": False, "lineinfo": True}
    if kernel.bounds is not None:
        options["launch_bounds"] = kernel.bounds
    # Device functions ask the current device for its capability: answer for it meanwhile, where there may be none
    asked = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        ptx, result = cuda.compile_ptx(kernel.function, signature, **options)
    finally:
        dispatcher.get_current_device = asked
    assert result == types.void, f"{kernel.name} returns a value: a kernel returns nothing"
    return ptx


def assemble(ptx: str, capability: tuple[int, int]) -> Cubin:
    """Machine code, from assembly language."""
    from cuda.bindings import nvjitlink

    match = re.search(r"\.visible \.entry (\w+)\(", ptx)
    assert match is not None
    text = ptx.encode()
    link = nvjitlink.create(3, [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose", "-Xptxas=-v"])
    try:
        nvjitlink.add_data(link, nvjitlink.InputType.PTX, text, len(text), "kernel.ptx")
        nvjitlink.complete(link)
        code = bytearray(nvjitlink.get_linked_cubin_size(link))
        nvjitlink.get_linked_cubin(link, code)
        log = bytearray(nvjitlink.get_info_log_size(link))
        nvjitlink.get_info_log(link, log)
    finally:
        nvjitlink.destroy(link)
    found = {name: re.search(pattern, log.decode()) for name, pattern in REPORT.items()}
    return Cubin(bytes(code), match.group(1), {name: int(m.group(1)) if m else 0 for name, m in found.items()})


def cubin_of(kernel: Kernel, capability: tuple[int, int]) -> Cubin:
    """The machine code of a kernel: from disk if it was compiled before."""
    versions = "-".join((numba.__version__, *map(str, capability), _version("numba-cuda"), _version("nvidia-nvvm")))
    name = f"{kernel.name}_{kernel.fingerprint()[:32]}_{versions}.kernel"
    stored = read(name)
    if stored is not None:
        header, _, code = stored.partition(b"\n")
        entry, report = json.loads(header)
        return Cubin(code, entry, report)
    cubin = assemble(ptx_of(kernel, capability), capability)
    write(name, json.dumps([cubin.entry, cubin.report]).encode() + b"\n" + cubin.code)
    return cubin


@cache
def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def load(kernel: Kernel) -> Callable[..., None]:
    """The kernel on the GPU, as a function (blocks, threads, *addresses and ctypes numbers)."""
    from cuda.core import LaunchConfig, ObjectCode, launch

    from .memory_real import gpu, synchronize

    device = gpu()
    capability = device.device.compute_capability
    cubin = cubin_of(kernel, (capability.major, capability.minor))
    function = ObjectCode.from_cubin(cubin.code).get_kernel(cubin.entry)
    config: Any = lru_cache(1024)(lambda blocks, threads: LaunchConfig(grid=blocks, block=threads))

    def start(blocks: int | tuple, threads: int | tuple, *arguments: Any) -> None:
        launch(gpu().stream, config(blocks, threads), function, *arguments)

    def start_and_wait(blocks: int | tuple, threads: int | tuple, *arguments: Any) -> None:
        start(blocks, threads, *arguments)
        synchronize()

    return start_and_wait if os.environ.get("TINYGRAD_EDU_LAUNCH_BLOCKING") == "1" else start
