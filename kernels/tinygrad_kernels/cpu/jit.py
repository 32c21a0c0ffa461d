"""The one way a CPU kernel is compiled, and how its machine code is found again in the next process.

Flags. Numba turns a Python loop into machine code through LLVM, and three settings decide what LLVM may do:
- `error_model="numpy"`: 1/0 is inf. Python's ZeroDivisionError would need a test in every turn of the loop,
  and a loop with a test in it is not vectorised (float division: 0.60 ns an element instead of 0.05).
- `contract`: a*b + c may become one instruction with one rounding instead of two. (TINYGRAD_EDU_CONTRACT=0 in the
  environment forbids this and what follows: then a formula gives the same bits wherever it stands, alone or fused.)
- `reassoc`: a + (b + c) may become (a + b) + c, which lets a sum be kept in many registers at once. It also
  lets LLVM cancel (x - n*A) - n*B, the very subtraction that makes sin(1e6) right. So it is allowed only in
  loops that do nothing but accumulate: @jit(accumulate=True).

The disk. Numba can keep compiled kernels itself (`cache=True`), but its files are bare pickles (a truncated
one raises UnpicklingError, a flipped bit runs), and it looks only at the file of the kernel, not at the
functions that were inlined into it: edit `exp` and every old kernel keeps the old one. So the files are ours
(see cache.py), and their names contain a *fingerprint* of everything that the machine code was made from:

    sha256(bytecode, constants and flags of the kernel and of every jitted function that it reaches,
           the types it is called with, the processor, the versions of Python, Numba and llvmlite)

The bytecode, not the text: a new comment, or a change in another function of the same file, recompiles
nothing. Loading takes about 3 ms a kernel, compiling 100 ms and more. Nothing is read before a kernel's
first call, and a call with types that were seen before goes straight to the machine code: `jit` returns
Numba's own dispatcher.

Source: S. Lam, A. Pitrou, S. Seibert, "Numba: A LLVM-based Python JIT Compiler" (2015); the idea of naming a
build by the hash of all its inputs: E. Dolstra, "The Purely Functional Software Deployment Model" (2006).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding
import numba
from numba.core import codegen, config
from numba.core.errors import NumbaWarning

from .. import cache
from ..fingerprint import fingerprint

try:  # Numba's internals, the same from 0.61 to 0.68. Without them every process compiles its kernels
    from numba.core.caching import _Cache
    from numba.core.compiler import CompileResult
    from numba.core.serialize import dumps
except ImportError:
    _Cache = None


FORMAT = 2  # one more whenever this file compiles the same functions to other machine code


def use_wide_vectors() -> None:
    """On Intel processors with AVX-512, let LLVM use all 512 bits.

    It takes 256 by default there, since the first such processors slowed down for the wide ones. Loops with exp or
    sin in them gain a quarter to a third, log a seventh, tanh nothing (one comparison, on a Cascade Lake). The setting
    is Numba's own and holds for the whole process; NUMBA_CPU_FEATURES in the environment overrules it.
    """
    if getattr(config, "CPU_FEATURES", "") is None and llvmlite.binding.get_host_cpu_features().get("avx512f"):
        setattr(config, "CPU_FEATURES", codegen.get_host_cpu_features() + ",-prefer-256-bit")  # noqa: B010  (for mypy)


use_wide_vectors()

CONTRACT = os.environ.get("TINYGRAD_EDU_CONTRACT") != "0"
# Numba's settings (environment variables NUMBA_...) that change the code which it makes
_SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "USING_SVML", "DEBUGINFO_DEFAULT")


def jit(
    function: Callable | None = None, *, accumulate: bool = False, parallel: bool = False, inline: bool = False
) -> Any:
    """Compile `function` with Numba the way every kernel of this library is compiled.

    `accumulate=True`: for loops that do nothing but add up, see above. `parallel=True`: `prange` loops use
    every core and other Python threads run meanwhile; such a kernel is called through `threads.parallel`
    only. `inline=True`: for functions of one element that loops call. LLVM leaves a long one (erf) a call, and a loop
    with a call in it takes one element at a time: 26 ns instead of 2.

    >>> import numpy as np
    >>> @jit
    ... def double(out, x):
    ...     for i in range(x.size):
    ...         out[i] = x[i] + x[i]
    >>> out = np.empty(3)
    >>> double(out, np.array([1.0, 2.0, 4.0]))
    >>> out
    array([2., 4., 8.])
    """
    if function is None:
        return lambda f: jit(f, accumulate=accumulate, parallel=parallel, inline=inline)
    flags = ({"contract", "reassoc"} if accumulate else {"contract"}) if CONTRACT else set()
    # Giving the lock of the interpreter back costs 45 ns: nothing for a kernel that starts threads
    njit = numba.njit(error_model="numpy", fastmath=flags, parallel=parallel, nogil=parallel, forceinline=inline)
    kernel = njit(function)
    if _Cache is not None and hasattr(kernel, "_cache"):  # under NUMBA_DISABLE_JIT it is the plain function
        kernel._cache = KernelCache(kernel)
    return kernel


@contextlib.contextmanager
def no_scipy() -> Iterator[None]:
    """Inside, Numba looks whether SciPy is there, but does not load it.

    It wants to know whether it could multiply matrices, when it is first used, and loads SciPy's linear algebra for the
    answer: a third of a second in every process, for what no kernel of ours uses. (Numba code that does multiply
    matrices gets it when it is compiled.)
    """
    if "numba.np.arraymath" in sys.modules:
        yield
        return
    from numba.np import linalg

    def look() -> None:
        if importlib.util.find_spec("scipy") is None:
            raise ImportError("scipy is not installed")

    load, linalg.ensure_blas = linalg.ensure_blas, look
    try:
        yield
    finally:
        linalg.ensure_blas = load


# The cache that a dispatcher asks ---------------------------------------------------------------------------
if _Cache is not None:

    class KernelCache(_Cache):
        """Numba's cache interface for one kernel: a checksummed file for each signature, and no index."""

        def __init__(self, kernel: Any):
            self._kernel = kernel
            self._fingerprint = ""  # made at the first call, when all that the kernel reaches is defined
            self._enabled = True

        @property
        def cache_path(self) -> str:
            return str(cache.location())

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            """The kernel compiled for `sig` and this processor, or None."""
            if not self._enabled:
                return None
            with no_scipy():
                target_context.refresh()
            payload = cache.read(self._file(sig, target_context.codegen()))
            if payload is None:
                return None
            try:
                return CompileResult._rebuild(target_context, *pickle.loads(payload))
            except Exception:  # intact, but made by another state of the installed packages: compile instead
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            """Keep the compile result `data`, unless it holds addresses of this process."""
            if not self._enabled:
                return
            if data.library.has_dynamic_globals or any(not lifted.can_cache for lifted in data.lifted):
                text = "uses addresses of this process, so it is compiled again in every one"
                warnings.warn(f"{self._kernel.__name__} {text}", NumbaWarning, stacklevel=2)
                return
            cache.write(self._file(sig, data.codegen), dumps(data._reduce()))

        def enable(self) -> None:
            self._enabled = True

        def disable(self) -> None:
            self._enabled = False

        def flush(self) -> None:
            """Forget the kernel, so that `recompile()` compiles."""
            cache.remove(self._prefix())

        def _prefix(self) -> str:
            if not self._fingerprint:
                self._fingerprint = fingerprint(self._kernel)
                # Machine code refers to functions by name, from the disk too, and kernels made by one closure have one
                # name (and a number that counts anew in each process). So the fingerprint becomes part of it.
                self._kernel.py_func.__qualname__ += f"_{self._fingerprint[:16]}"
            readable = "".join(c if c.isalnum() or c == "_" else "_" for c in self._kernel.__qualname__)[:60]
            return f"{readable}_{self._fingerprint[:16]}_"

        def _file(self, sig: Any, codegen: Any) -> str:
            prefix = self._prefix()
            versions = (FORMAT, sys.version, numba.__version__, llvmlite.__version__)
            settings = [str(getattr(config, name, None)) for name in _SETTINGS] + ["no contract"] * (not CONTRACT)
            # The module counts because Numba looks it up by its name when it loads the kernel
            module = self._kernel.__module__
            key = repr((self._fingerprint, module, str(sig), codegen.magic_tuple(), versions, settings))
            return f"{prefix}{hashlib.sha256(key.encode()).hexdigest()[:32]}.kernel"
