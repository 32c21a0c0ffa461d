"""The fingerprint of a kernel: a hash of everything that its machine code is made from.

    sha256(bytecode, constants and flags of the kernel and of every function that it reaches)

The bytecode, not the text: a new comment, or a change in another function of the same file, recompiles nothing. What a
function reaches is found where Python would find it: the names in its bytecode, looked up in its closure and its module
(and `m.exp` in the module m). Numba freezes numbers and arrays that it finds there, so their values count too.

Source: the idea of naming a build by the hash of all its inputs: E. Dolstra, "The Purely Functional Software Deployment
Model" (2006).
"""

from __future__ import annotations

import functools
import hashlib
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba.core.types import Type


def fingerprint(kernel: Any, extra: Any = ()) -> str:
    """The hash, as text. `extra`: what else it depends on (its `repr` counts)."""
    digest = hashlib.sha256(repr(extra).encode() if extra else b"")
    for function, reached, frozen in _walk(kernel):
        digest.update(_own_code(function))
        options = getattr(reached, "targetoptions", {})
        digest.update(repr([(name, _plain(options[name])) for name in sorted(options)]).encode())
        digest.update("".join(f"{name}={_frozen(value)};" for name, value in frozen).encode())
    return digest.hexdigest()


def reached_names(kernel: Any) -> set[str]:
    """Every name that stands in the kernel or in a function that it reaches."""
    codes = (code for function, _, _ in _walk(kernel) for code in _code_objects(function.__code__))
    return {name for code in codes for name in code.co_names}


def _walk(kernel: Any) -> Iterator[tuple[Any, Any, list[tuple[str, Any]]]]:
    """Each function that is reached: (its Python function, as it was found, the values in it that are no functions)."""
    seen = [kernel]
    for reached in seen:  # it grows while it is walked through
        function = reached if isinstance(reached, types.FunctionType) else _python_function(reached, "")
        package = function.__module__.partition(".")[0]
        frozen = []
        for name, value in _reached_values(function):
            if _python_function(value, package) is None:
                frozen.append((name, value))
            elif not any(value is other for other in seen):
                seen.append(value)
        yield function, reached, frozen


@functools.cache  # exp stands in many kernels
def _own_code(function: Any) -> bytes:
    digest = hashlib.sha256(repr(function.__defaults__).encode())
    for code in _code_objects(function.__code__):
        constants = [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
        names = (code.co_name, code.co_varnames, code.co_names, code.co_freevars)
        digest.update(repr((names, constants)).encode() + code.co_code + code.co_exceptiontable)
    return digest.digest()


def _python_function(value: Any, package: str) -> Any:
    """The Python function behind a jitted function, an intrinsic, or a function of `package`; or None."""
    if isinstance(value, types.FunctionType):
        return value if (value.__module__ or "").partition(".")[0] == package else None
    function = getattr(value, "py_func", None) or getattr(value, "_defn", None)
    return function if isinstance(function, types.FunctionType) else None


def _code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):  # a function inside the function
            yield from _code_objects(constant)


def _reached_values(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    yield from ((name, cell.cell_contents) for name, cell in cells)
    names = [name for code in _code_objects(function.__code__) for name in code.co_names]
    for name in names:
        if name in function.__globals__:
            value = function.__globals__[name]
            yield name, value
            if isinstance(value, types.ModuleType):
                yield from ((other, vars(value)[other]) for other in names if other in vars(value))


def _frozen(value: Any) -> str:
    """What Numba can make of a value that stands outside the function: its content, or at least its kind."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, (bool, int, float, complex, str, bytes, np.generic, np.dtype)):
        return repr(value)
    if isinstance(value, tuple):
        return f"({','.join(map(_frozen, value))})"
    if isinstance(value, Type):  # numba.float32
        return str(value)
    return getattr(value, "__qualname__", type(value).__qualname__)  # never repr: it may hold an address


def _plain(option: Any) -> str:
    return repr(sorted(option) if isinstance(option, (set, frozenset)) else option)  # sets have no order
