"""Atomic operations: reading, computing and writing one number in one step, which no other thread can come between.

Two threads that both do `x[0] = max(x[0], mine)` may both read the old number, and one of their results is lost. The
memory system of a GPU can do the whole step itself:

    atomic_min(x, i, value)      x[i] = min(x[i], value)
    atomic_max(x, i, value)      x[i] = max(x[i], value)

In which order the threads come is luck. The smallest and the largest of integers do not depend on it, and only these
are here. (A sum of floats does, in its last digits: scattering.py adds without atomics.)

Source: PTX ISA, `atom`; LLVM Language Reference, `atomicrmw`.
"""

from __future__ import annotations

from typing import Any

from .device import SIMULATED

if SIMULATED:

    def atomic_min(x: Any, i: int, value: Any) -> None:
        """x[i] = min(x[i], value), int64."""
        x[i] = min(x[i], value)

    def atomic_max(x: Any, i: int, value: Any) -> None:
        """x[i] = max(x[i], value), int64."""
        x[i] = max(x[i], value)

else:
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    def _generator(name: str) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, i, value = arguments
            builder.atomic_rmw(name, builder.gep(x, [i]), value, "monotonic")
            return context.get_dummy_value()

        return generate

    @intrinsic
    def atomic_min(typingctx: Any, x: Any, i: Any, value: Any) -> Any:
        """x[i] = min(x[i], value), int64."""
        return types.void(x, types.int64, types.int64), _generator("min")

    @intrinsic
    def atomic_max(typingctx: Any, x: Any, i: Any, value: Any) -> Any:
        """x[i] = max(x[i], value), int64."""
        return types.void(x, types.int64, types.int64), _generator("max")
