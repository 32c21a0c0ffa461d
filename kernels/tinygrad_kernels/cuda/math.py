"""The functions that formulas call, on the GPU: NVIDIA's libdevice, for float32 and float64.

A printed kernel imports what it needs, e.g. `exp_float32 as exp`. libdevice is a library of a few hundred functions in
the compiler's own intermediate language, so a call is put in its place and optimised with the rest; errors are one or
two units in the last place. Nothing here is the fast approximation (`fastmath`), whose tanh is wrong in the fourth
digit.

In the simulator each is the total function of floats.py, rounded to the dtype.

Source: NVIDIA, libdevice User's Guide; CUDA C++ Programming Guide, section 13.1 (errors of mathematical functions).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba

from .. import floats
from ..calculus import PRIMITIVES
from .device import SIMULATED

LIBDEVICE = {"abs": "fabs"}  # where its name is another one; the float32 versions end in f


def sinpi(x: float) -> float:
    """sin(π x)"""
    return floats.sin(math.pi * x)


def cospi(x: float) -> float:
    """cos(π x)"""
    return floats.cos(math.pi * x)


ALSO = {"sinpi": sinpi, "cospi": cospi}  # not for formulas: random numbers need them, without the reduction by 2π


def total(name: str, dtype: str) -> Callable[..., Any]:
    """The function of floats.py, which has no exceptions, on numbers of a dtype."""
    function, number = ALSO.get(name) or getattr(floats, name), getattr(numba, dtype)

    def rounded(*operands: Any) -> Any:
        return number(function(*map(float, operands)))

    return rounded


for name in (*PRIMITIVES, *ALSO, "pow", "sqrt"):
    for dtype, suffix in (("float32", "f"), ("float64", "")):
        if SIMULATED:
            found = total(name, dtype)
        else:
            from numba.cuda import libdevice

            found = getattr(libdevice, LIBDEVICE.get(name, name) + suffix)
        globals()[f"{name}_{dtype}"] = found
