"""`torch.testing.assert_close`: are two results alike, and if not, where and by how much?

Two numbers a (actual) and e (expected) are close if

    |a - e| <= atol + rtol · |e|

The relative part is what rounding asks for, the absolute part is for an expected 0. What is natural depends on the
dtype: a float32 result of a short computation is good to about 1e-6 of its size.

    dtype      rtol      atol
    float32    1.3e-6    1e-5
    float64    1e-7      1e-7
    others     0         0

Sequences and mappings are compared item by item, and the message says which one differs.

Source: PyTorch documentation, torch.testing; D. Goldberg, What every computer scientist should know about
floating-point arithmetic, ACM Computing Surveys 23(1), 1991.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .creation import tensor
from .dtypes import float64
from .tensors import Tensor

TOLERANCES = {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """AssertionError if two tensors, numbers, arrays, or sequences or mappings of them are not close.

    `rtol` and `atol` are given both or neither (ValueError); `msg` replaces the message, or changes it. TypeError for
    what cannot be compared.

    >>> assert_close(tensor([1.0, 2.0]), tensor([1.0, 2.5]))
    Traceback (most recent call last):
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)
    """
    if (rtol is None) != (atol is None):
        raise ValueError("rtol and atol must both be specified or both be unspecified")
    checks = {"dtype": check_dtype, "device": check_device, "stride": check_stride, "subclass": not allow_subclasses}
    fault = compare(actual, expected, rtol, atol, equal_nan, checks)
    if fault:
        raise AssertionError(fault if msg is None else msg(fault) if callable(msg) else msg)


def compare(actual: Any, expected: Any, rtol: Any, atol: Any, equal_nan: bool, checks: dict[str, bool]) -> str | None:
    """What is wrong; None if nothing is."""
    if isinstance(actual, str) or isinstance(expected, str):
        raise TypeError(f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}.")
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if actual.keys() != expected.keys():
            return f"The keys of the mappings do not match: {[*actual]} and {[*expected]}"
        keys: Any = sorted(expected)
    elif isinstance(actual, Sequence) and isinstance(expected, Sequence):
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
        keys = range(len(expected))
    else:
        return compare_pair(actual, expected, rtol, atol, equal_nan, checks)
    for key in keys:
        fault = compare(actual[key], expected[key], rtol, atol, equal_nan, checks)
        if fault:
            return f"{fault}\n\nThe failure occurred for item [{key!r}]"
    return None


def compare_pair(a: Any, e: Any, rtol: Any, atol: Any, equal_nan: bool, checks: dict[str, bool]) -> str | None:
    """The same for two tensors, arrays or numbers."""
    if a is None and e is None:
        return None
    numbers = [not isinstance(x, Tensor | np.ndarray) for x in (a, e)]
    for x in (a, e):
        if not isinstance(x, Tensor | np.ndarray | np.generic | int | float):
            raise TypeError(f"No comparison pair was able to handle inputs of type {type(a)} and {type(e)}.")
    if any(numbers) and not all(numbers) or checks["subclass"] and type(a) is not type(e):
        return f"Python numbers and tensors are not compared: {type(a).__name__} and {type(e).__name__}"
    x, y = (
        (v if isinstance(v, Tensor) else tensor(v, dtype=float64 if isinstance(v, float) else None)).detach()
        for v in (a, e)
    )
    if x.shape != y.shape:
        return f"The values for attribute 'shape' do not match: {x.shape} != {y.shape}."
    for name in ("device", "dtype", "stride"):
        p, q = (v.stride() if name == "stride" else getattr(v, name) for v in (x, y))
        if checks[name] and p != q and not all(numbers):
            return f"The values for attribute '{name}' do not match: {p} != {q}."
    if rtol is None:
        pairs = [TOLERANCES.get(v.dtype.name, (0.0, 0.0)) for v in (x, y)]
        rtol, atol = max(p[0] for p in pairs), max(p[1] for p in pairs)
    return describe(x.to(float64), y.to(float64), rtol, atol, equal_nan, all(numbers))


def describe(x: Tensor, y: Tensor, rtol: float, atol: float, equal_nan: bool, scalars: bool) -> str | None:
    bad = ~x.isclose(y, rtol, atol, equal_nan)
    count = int(bad.sum())
    if not count:
        return None
    gap = (x - y).abs()
    parts = []
    for name, values, allowed in (("absolute", gap, atol), ("relative", gap / y.abs(), rtol)):
        hidden = values.masked_fill(~bad, -1.0).reshape(-1)  # of the mismatched ones; nan counts as the greatest
        at = int(hidden.argmax())
        index = tuple(int(i) for i in np.unravel_index(at, x.shape))
        place = f" at index {index}" if x.shape else ""
        parts.append((name, f"{hidden[at].item():.6g}", f"{place} (up to {allowed} allowed)"))
    if scalars:
        lines = [f"Expected {y.item()} but got {x.item()}."]
        return "\n".join(
            ["Scalars are not close!", "", *lines, *(f"{n.capitalize()} difference: {v}{w}" for n, v, w in parts)]
        )
    title = "Tensor-likes are not close!" if rtol or atol else "Tensor-likes are not equal!"
    lines = [f"Mismatched elements: {count} / {x.numel()} ({count / x.numel():.1%})"]
    return "\n".join([title, "", *lines, *(f"Greatest {n} difference: {v}{w}" for n, v, w in parts)])
