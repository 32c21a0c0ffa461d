"""How a printed tensor chooses its format.

A column of numbers is easy to read when every number has the same width and the same number of decimals. So
one format is chosen for the *whole* tensor, by looking at all its values first, and every value is then
padded to the width of the longest. The rules, for a floating tensor, look only at finite values other than
zero:

1. **Integer mode** if all of them are whole: `1.`, `20.`; the point says that the dtype is floating.
2. **Scientific mode** if one format cannot show all of them: the largest is over 1000 times the smallest, or
   is over 1e8, or the smallest is below 1e-4: `1.0000e-05`.
3. Otherwise **fixed point** with `precision` decimals: `0.5000`.

Integers and booleans print as they are. A tensor of more than `threshold` elements is *summarised*: of each
axis only the first and last `edgeitems` entries are shown, and only those are looked at. Rows are cut where
the next element would pass `linewidth`; matrices of a batch are set apart by blank lines.

What the numbers do not tell follows as a suffix: `dtype=` unless it is implied (bool, int64, the default
floating dtype), `device=`, `size=` of an empty tensor, and `grad_fn=` or `requires_grad=`.

The text is PyTorch's, character by character (prefix `torch.` of the dtype included), so that printed results
of programs can be compared. Idea of the format: NumPy's `array_repr`; rules: PyTorch, `torch/_tensor_str.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass
class PrintOptions:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}
_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Change how tensors are printed. What is None stays; but `sci_mode` None means "by the values".

    `precision`: decimals; `threshold`: more elements than this are summarised; `edgeitems`: entries
    shown at each end of a summarised axis; `linewidth`: characters in a line; `profile`: 'default', 'short'
    or 'full', applied first. (As in PyTorch, a profile of another name changes nothing.)

    >>> set_printoptions(precision=2)
    >>> print(tensor_repr(np.array([1 / 3], np.float32), dtype_name="float32", default_dtype=True))
    tensor([0.33])
    >>> set_printoptions(profile="default")
    """
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is None and profile in PROFILES:
            value = getattr(PROFILES[profile], name)
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


NODE_NAMES = {  # PyTorch's, where they differ; of (t)ensors and (n)umbers
    "square": "PowBackward0", "cube": "PowBackward0", "pow tt": "PowBackward1", "pow nt": "PowBackward2",
    "sub nt": "RsubBackward1", "div nt": "MulBackward0", "addscaled": "AddBackward0", "log1p": "Log1PBackward0",
    "logaddexp": "LogaddexpBackward0", "addcmul": "AddcmulBackward0", "addcdiv": "AddcdivBackward0",
    "clamp tnn": "ClampBackward1", "clamp_min tn": "ClampBackward1", "clamp_max tn": "ClampBackward1",
}  # fmt: skip


def node_name(operation: type, operands: Iterable[object]) -> str:
    """The name under which the node of an elementwise operation is printed; an operand that is None was a number."""
    name: str = operation.name  # type: ignore[attr-defined]
    call = f"{name} {''.join('n' if x is None else 't' for x in operands)}"
    return NODE_NAMES.get(call) or NODE_NAMES.get(name) or f"{operation.__name__}Backward0"


def tensor_repr(
    array: np.ndarray,
    *,
    dtype_name: str,
    default_dtype: bool,
    requires_grad: bool = False,
    grad_fn_name: str | None = None,
    device: str | None = None,
) -> str:
    """The text of a tensor whose values are `array` (any shape; bool, integer or floating dtype).

    `dtype_name`: such as 'float64'; `default_dtype`: whether that is the default floating dtype;
    `grad_fn_name`: name of the node that made it (a result then does not say `requires_grad`); `device`: such
    as 'cuda:0', None on the CPU.

    >>> print(tensor_repr(np.eye(2, dtype=np.float64), dtype_name="float64", default_dtype=False))
    tensor([[1., 0.],
            [0., 1.]], dtype=torch.float64)
    """
    suffixes = [] if device is None else [f"device='{device}'"]
    if array.size == 0 and array.ndim != 1 or array.size and not _options.edgeitems:
        suffixes.append(f"size={array.shape}")
    # Nothing in `[]` says integer or bool, so there only the default floating dtype is implied.
    if not (default_dtype or array.size and dtype_name in ("int64", "bool")):
        suffixes.append(f"dtype=torch.{dtype_name}")
    if grad_fn_name is not None:
        suffixes.append(f"grad_fn=<{grad_fn_name}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    prefix = "tensor("
    return _add_suffixes(prefix + _values_str(array, len(prefix)), suffixes, len(prefix))


def _values_str(array: np.ndarray, indent: int) -> str:
    if array.size == 0:
        return "[]"
    summarize = array.size > _options.threshold
    shown = _summary(array) if summarize else array
    return _nested_str(array, indent, summarize, Format(shown.reshape(-1)))


class Format:
    """The format that suits all of `values` (flat)."""

    def __init__(self, values: np.ndarray) -> None:
        self.floating = values.dtype.kind == "f"
        self.whole, self.scientific, self.width = True, False, 1
        numbers = values.tolist()
        if self.floating:
            numbers = [v for v in numbers if math.isfinite(v) and v != 0]
            if numbers:
                self._choose_mode(numbers)
        self.width = max([1, *(len(self._plain(v)) for v in numbers)])

    def _choose_mode(self, numbers: list[float]) -> None:
        self.whole = all(v.is_integer() for v in numbers)
        least, greatest = min(map(abs, numbers)), max(map(abs, numbers))
        if _options.sci_mode is None:
            self.scientific = greatest / least > 1000.0 or greatest > 1.0e8 or least < 1.0e-4
        else:
            self.scientific = _options.sci_mode

    def _plain(self, value: float) -> str:
        if not self.floating:
            return str(value)
        if self.scientific:
            return f"{value:.{_options.precision}e}"
        if self.whole:
            return f"{value:.0f}" + ("." if math.isfinite(value) else "")
        return f"{value:.{_options.precision}f}"

    def __call__(self, value: float) -> str:
        return self._plain(value).rjust(self.width)


def _summary(array: np.ndarray) -> np.ndarray:
    """The entries of `array` that a summarised tensor shows: both ends of every axis."""
    edge = _options.edgeitems
    if not edge:  # PyTorch looks at nothing, or, where there is one axis, at everything: [-0:] is the whole of it
        return array if array.ndim < 2 else array[:0]
    for axis, length in enumerate(array.shape):
        if length > 2 * edge:
            array = np.take(array, [*range(edge), *range(length - edge, length)], axis)
    return array


def _nested_str(array: np.ndarray, indent: int, summarize: bool, form: Format) -> str:
    if array.ndim == 0:
        return form(array.item())
    if array.ndim == 1:
        return _row_str(array, indent, summarize, form)
    edge, length = _options.edgeitems, len(array)

    def entries(indices: Iterable[int]) -> list[str]:
        return [_nested_str(array[i], indent + 1, summarize, form) for i in indices]

    if summarize and length > 2 * edge:
        slices = [*entries(range(edge)), "...", *entries(range(length - edge, length))]
    else:
        slices = entries(range(length))
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(slices) + "]"


def _row_str(row: np.ndarray, indent: int, summarize: bool, form: Format) -> str:
    edge = _options.edgeitems
    if summarize and not edge:
        words = ["..."]
    elif summarize and len(row) > 2 * edge:
        words = [*map(form, row[:edge].tolist()), " ...", *map(form, row[-edge:].tolist())]
    else:
        words = [*map(form, row.tolist())]
    per_line = max(1, (_options.linewidth - indent) // (form.width + len(", ")))
    lines = [", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _add_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Append the suffixes, each on a new line if it would pass the line's end; then the closing bracket."""
    length = len(text) - text.rfind("\n") + 1  # of the last line, with room for the bracket
    for suffix in suffixes:
        if length + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            length = indent + len(suffix)
        else:
            text += ", " + suffix
            length += len(suffix) + 2
    return text + ")"
