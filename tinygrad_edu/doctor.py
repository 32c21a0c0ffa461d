"""What this machine has, what is missing, and how to get it: `python -m tinygrad_edu doctor`.

The problem. "It does not work" has a dozen causes: a package is missing or too old for another one, the compiled
kernels cannot be kept, a driver is there but not found. Each shows itself far from its cause.

The idea. Ask for every one of them by itself, in the order in which they depend on each other, and try the whole at
the end: compile a small kernel and a parallel one, and compare their results with what they must be. Nothing is
assumed to work, so whatever might fail is imported here only when its turn comes.

A GPU is looked for without CUDA's tools: the driver leaves files behind, and its library answers a few questions
through ctypes (cuDriverGetVersion, cuDeviceGetName). `doctor --gpu` also runs a kernel of each family there, and
compares it with the CPU.

Source: NVIDIA, CUDA Driver API Reference Manual, chapters on initialization, version and device management.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

REQUIRED = ("numpy", "numba", "llvmlite")
OPTIONAL = {  # distribution: (what it is for, how to get it)
    "matplotlib": ("pictures in the demo and the examples", "pip install 'tinygrad-edu[examples]'"),
    "scikit-learn": ("data in the demo and the examples", "pip install 'tinygrad-edu[examples]'"),
    "tqdm": ("progress bars in the examples", "pip install 'tinygrad-edu[examples]'"),
    "safetensors": ("saving and loading that format", "pip install 'tinygrad-edu[io]'"),
    "numba-cuda": ("kernels on a GPU", "pip install 'tinygrad-edu[cuda]'"),
    "greenlet": ("running these kernels in the simulator", "pip install 'tinygrad-edu[simulator]'"),
    "torch": ("tests that compare with PyTorch; the library never uses it", "pip install torch"),
}

Lines = Iterator[tuple[str, str]]  # (name, what was found); a fix is a line without a name


class Broken(Exception):
    """The library cannot work; the message is the fix."""


def main(try_gpu: bool = False) -> int:
    """Print the report; 0 if the library can work, and on a GPU if that is to be tried, else 1."""
    problems = examined(versions, processor, cache_folder, gpu, trial)
    status = conclusion("tinygrad_edu", problems)
    if try_gpu and not problems:
        print()
        status = conclusion("device='cuda'", examined(gpu_trial))
    return status


def examined(*sections: Callable[[], Lines]) -> list[str]:
    """Print the sections; what is wrong.

    A section that finds the library unable to work raises Broken, and the later sections are still tried.
    """
    problems = []
    for section in sections:
        print(section.__name__.replace("_", " "))
        try:
            for name, found in section():
                print(f"    {name:<16}{found}")
        except Broken as problem:
            problems.append(str(problem))
            print(f"    {'PROBLEM':<16}{problem}")
        except Exception as error:  # a doctor does not die of what he examines
            problems.append(f"{section.__name__}: {type(error).__name__}: {error}")
            print(f"    {'PROBLEM':<16}{type(error).__name__}: {error}")
    return problems


def conclusion(what: str, problems: list[str]) -> int:
    """Print whether it works; the exit status."""
    if not problems:
        print(f"\n{what} works here")
        return 0
    print(f"\n{what} cannot work here:")
    for line in problems:
        print(f"  - {line}")
    return 1


def versions() -> Lines:
    from . import __version__

    yield "tinygrad_edu", __version__
    yield "python", f"{platform.python_version()} ({sys.executable})"
    for name, (purpose, command) in OPTIONAL.items():
        found = installed(name)
        yield name, found or f"not installed; for {purpose}"
        if found is None:
            yield "", command
    missing, broken = [], []
    for name in REQUIRED:
        version = installed(name)
        try:
            version = import_module(name).__version__
            yield name, version
        except ModuleNotFoundError as error:
            missing.append(error.name or name)
            yield name, "not installed"
        except Exception as error:  # numba refuses a NumPy that it does not know with an ImportError
            broken.append(name)
            yield name, f"{version}, which cannot be imported: {error}"
    if missing:
        raise Broken(f"pip install {' '.join(sorted(set(missing)))}")
    if broken:
        raise Broken("pip install --upgrade numpy numba   (versions that fit each other)")


def installed(distribution: str) -> str | None:
    """Its version, without importing it; None if it is not there."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def processor() -> Lines:
    yield "machine", f"{platform.system()} {platform.machine()}"
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "cores", f"{os.cpu_count()}, of which this process may use {usable}"
    try:
        from llvmlite import binding
        from tinygrad_kernels.cpu.threads import get_num_threads
    except ImportError:  # reported with the versions
        return
    features = binding.get_host_cpu_features()
    widest = next((f for f in ("avx512f", "avx2", "avx", "sse2", "neon") if features.get(f)), "unknown")
    yield "compiled for", f"{binding.get_host_cpu_name()}, vector instructions: {widest}"
    yield "threads", f"{get_num_threads()} (NUMBA_NUM_THREADS, or tg.set_num_threads(n), change it)"


def cache_folder() -> Lines:
    from tinygrad_kernels import cache

    folder = cache.location()
    if folder is None:
        yield "location", "none: no folder can be written to, so every process compiles its kernels again"
        yield "", "name a folder of your own: export TINYGRAD_EDU_CACHE=/some/folder"
        return
    yield "location", str(folder)
    yield "size", f"{cache.size() / 1e6:.1f} MB of at most {cache.LIMIT / 1e6:.0f}"
    if folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith("tinygrad_edu_"):
        yield "", "it is temporary, so every process compiles its kernels again; name a folder that you alone"
        yield "", "can write to: export TINYGRAD_EDU_CACHE=/some/folder"


def gpu() -> Lines:
    version = Path("/proc/driver/nvidia/version")
    devices = sorted(Path("/dev").glob("nvidia[0-9]*")) if Path("/dev").is_dir() else []
    library = load_driver()
    if library is None:
        traces = devices or version.exists()
        yield "nvidia driver", "its library (libcuda) was not found" if traces else "not found"
        if traces:
            yield "", "the kernel module is there: install the driver's libraries of the same version (in a container,"
            yield "", "start it with the GPU: docker run --gpus all)"
    else:
        if version.exists():
            yield "nvidia driver", version.read_text().partition("\n")[0]
        yield from asked_driver(library)
    simulated = os.environ.get("NUMBA_ENABLE_CUDASIM", "0")
    yield "simulator", f"{'off' if simulated in ('', '0') else 'on'} (NUMBA_ENABLE_CUDASIM={simulated})"
    from tinygrad_kernels.cuda import presence

    missing = presence.missing()
    where = "in the simulator, thread by thread" if presence.SIMULATED else "on the first GPU"
    yield "cuda kernels", f"device='cuda' is not available: {missing}" if missing else f"run {where}"


def load_driver() -> ctypes.CDLL | None:
    """The driver's library, if the system's loader finds it."""
    for name in ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


def asked_driver(library: ctypes.CDLL) -> Lines:
    """What the driver says of itself. Each function gives 0, or the number of an error."""
    number, text = ctypes.c_int(), ctypes.create_string_buffer(256)
    if library.cuDriverGetVersion(ctypes.byref(number)) == 0:
        yield "cuda of driver", f"{number.value // 1000}.{number.value % 1000 // 10}"
    error = library.cuInit(0)
    if error:
        yield "gpu", f"none can be used: cuInit gives error {error}"
        yield (
            "",
            "100: no GPU is visible (see CUDA_VISIBLE_DEVICES); 803: the driver's module and library differ, reboot",
        )
        return
    library.cuDeviceGetCount(ctypes.byref(number))
    for k in range(number.value):
        device = ctypes.c_int()
        if library.cuDeviceGet(ctypes.byref(device), k) == 0:
            library.cuDeviceGetName(text, len(text), device)
            yield f"gpu {k}", text.value.decode(errors="replace")


def trial() -> Lines:
    """Compile and run: a kernel that cannot be in the cache, one pass forward and back, and a parallel kernel."""
    try:
        import numba
        import numpy as np
    except Exception as error:
        raise Broken("the kernels need NumPy and Numba: see the versions above") from error
    from tinygrad_kernels.cpu.threads import PARALLEL_FROM

    import tinygrad_edu as tg

    compiled = timed(compile_anew)
    yield "a new kernel", f"compiled and run in {compiled:.2f} s"
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def forward_and_back() -> None:
        (x * x).sum().backward()

    spent = timed(forward_and_back)
    if x.grad is None or x.grad.tolist() != [2.0, 4.0, 6.0]:
        raise Broken(f"the gradient of x·x at [1, 2, 3] came out as {x.grad}; clear the cache folder and try again")
    yield "a gradient", f"right, in {spent:.2f} s"
    ones = tg.ones(4 * PARALLEL_FROM)
    if not bool(np.all((ones + ones).numpy() == 2.0)):
        raise Broken("1 + 1 is not 2 in a parallel kernel; try NUMBA_THREADING_LAYER=workqueue")
    layer: str
    try:
        layer = numba.threading_layer()
    except ValueError:  # one thread only: none was started
        layer = "none, as there is one thread only"
    yield "threading layer", layer
    if layer == "workqueue":
        yield (
            "",
            "large operations of several Python threads take turns; with OpenMP or TBB they would not: pip install tbb",
        )


def gpu_trial() -> Lines:
    """A kernel of each family on device='cuda', against the CPU; the first launch compiles it."""
    from tinygrad_kernels.cuda import presence

    import tinygrad_edu as tg

    if reason := presence.missing():
        raise Broken(reason)
    yield "device", tg.cuda.get_device_name()
    a = tg.arange(512.0).sin().reshape(16, 32)
    families: dict[str, Callable[[Any], Any]] = {
        "elementwise": lambda x: (x * x + 1.0).tanh(),
        "reduction": lambda x: x.sum(1),
        "matmul": lambda x: x @ x.t(),
        "sort": lambda x: x.sort(dim=1)[0],
        "random": lambda x: philox(x.device),
    }
    differ = []
    for name, family in families.items():
        x, expected = a.cuda(), family(a)
        results: list[Any] = []

        def launch(family: Callable = family, x: Any = x, results: list = results) -> None:
            results.append(family(x))
            tg.cuda.synchronize()

        first, later = timed(launch), timed(launch)
        right = all(tg.allclose(result.cpu(), expected, rtol=1e-4, atol=1e-5) for result in results)
        yield name, f"{'ok' if right else 'DIFFERS'}, first launch {first:.3f} s, a later one {later * 1e6:,.0f} µs"
        if not right:
            differ.append(f"{name}: off by {(results[-1].cpu() - expected).abs().max().item():.3g}")
    if differ:
        raise Broken(f"results are not those of the CPU ({'; '.join(differ)}): clear the cache folder and try again")


def philox(device: Any) -> Any:
    """The first four random numbers of seed 0 on a GPU. The CPU has another generator: there, what they must be."""
    import tinygrad_edu as tg

    if device.type == "cpu":
        return tg.tensor([0.39904642, 0.88052016, 0.73571277, 0.60548180])
    return tg.rand(4, generator=tg.Generator(device=device).manual_seed(0), device=device)


def timed(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compile_anew() -> None:
    """Numba alone, past every cache."""
    import numba

    triple = numba.njit(lambda x: 3.0 * x)
    if triple(2.0) != 6.0:
        raise Broken("Numba compiles, but 3 · 2 is not 6: pip install --force-reinstall numba llvmlite")
