"""Writes the tables of 15-coming-from-pytorch.md: which of PyTorch's names are here, and which are not.

    python docs/coming_from_pytorch.py

It asks both libraries, so PyTorch must be installed. tests/test_coming_from_pytorch.py compares the page with what
this script would write, and every name that the page promises with the library alone.
"""

from __future__ import annotations

import importlib
import re
import textwrap
import types
import warnings
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("15-coming-from-pytorch.md")
BEGIN, END = "<!-- names: begin -->", "<!-- names: end -->"
ROOMS = {
    "torch": "",
    "Tensor": ".Tensor",
    "nn": ".nn",
    "nn.functional": ".nn.functional",
    "nn.init": ".nn.init",
    "nn.utils": ".nn.utils",
    "optim": ".optim",
    "optim.lr_scheduler": ".optim.lr_scheduler",
    "autograd": ".autograd",
    "autograd.functional": ".autograd.functional",
    "linalg": ".linalg",
    "utils.data": ".utils.data",
    "utils.checkpoint": ".utils.checkpoint",
    "utils.dlpack": ".utils.dlpack",
    "testing": ".testing",
    "cuda": ".cuda",
}
# PyTorch's internals, and whole subjects that the page names in a line of its own.
BEYOND = re.compile(
    r"fft|istft|stft|sparse|quanti|q_|dequant|int_repr|fake_|fbgemm|cudnn|miopen|mkldnn|xnnpack|backward_|native_|_copy$|"
    r"complex|polar|angle|conj|imag|real|chalf|cfloat|cdouble|names?$|align_|rename|refine|vitals|vmap|sym_|layout|ipu|"
    r"xla|xpu|hpu|mps|mtia|cuda|jit|compile|script|trace_|fork|wait|storage|share|Storage|Type$|window$|batch_norm_|"
    r"rowwise|nested|to_mkl|to_padded|unpack|pack|lu_|geqrf|ormqr|orgqr|triangular|lobpcg|distributed|autocast|half|"
    r"bfloat16|get_device|pin_memory|is_(?!tensor|floating|grad|nonzero|inference|same|contiguous|leaf|anomaly)|"
    r"float8|float4|bits|quint|qint|uint[1-7]|uint16|uint32|int[1-7]$|legacy|profiler|graph|stream|Stream|nccl|"
    r"DataParallel|3d$|Lazy|Fractional|Adaptive.*3|TripleMargin|CTC|ctc|flash|fused|grouped|scaled_mm|resize|"
    r"module_load|register_|has_names|ccol|crow|col_ind|row_ind|slogdet$|enable|dispatch|check_|import_ir|set_(?!printopt"
    r"|default_dtype|grad|detect)|Script|parametri|prune|weight_norm|spectral|fuse_|convert_conv|skip_init|stateless|"
    r"Datapipe|Pipe|datapipes|functional_datapipe|guaranteed|argument_val|runtime_val|non_det|dfiter|graph_settings|"
    r"typing|warnings|torch$|math$|Tuple|Optional|List|Dict|Union|overload|deprecat|annotations|TYPE|TypeVar|Callable"
)


def names(thing: Any) -> set[str]:
    """The public functions, classes and methods of a module or class."""
    found = {n for n in getattr(thing, "__all__", None) or dir(thing) if not n.startswith("_")}
    kept = set()
    for name in found:
        try:
            value = getattr(thing, name)
        except (AttributeError, RuntimeError):  # a property of the class that needs an instance
            value = None
        own = isinstance(thing, type) or getattr(value, "__module__", "").startswith(("torch", "tinygrad", "None"))
        if not isinstance(value, types.ModuleType) and (own or value is None or callable(value)):
            kept.add(name)
    return kept


def room(package: str, path: str) -> Any:
    if path == ".Tensor":
        return importlib.import_module(package).Tensor
    return importlib.import_module(package + path)


def compare() -> dict[str, tuple[list[str], list[str]]]:
    """For each room: the names of PyTorch that are here, and those that are not."""
    tables = {}
    for title, path in ROOMS.items():
        ours = room("tinygrad_edu", path)
        theirs = sorted(names(room("torch", path)), key=lambda n: (n.lower(), n))
        here = [name for name in theirs if has(ours, name) and name != "Value"]  # PyTorch's is another thing
        missing = [name for name in theirs if name not in here and not BEYOND.search(name)]
        if title == "torch":  # classes of its C++ half; methods in place as functions, which hardly anybody calls
            missing = [name for name in missing if name.islower() and not name.endswith("_")]
        tables[title] = here, missing
    return tables


def has(thing: Any, name: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):  # about old names
            return hasattr(thing, name)
    except (TypeError, RuntimeError):  # there to say that it is not
        return False


def tables() -> str:
    """The text between the marks."""
    lines = []
    for title, (here, missing) in compare().items():
        lines += [f"### {title}", "", f"Here ({len(here)}):", "", paragraph(here), ""]
        if missing:
            lines += [f"Not here ({len(missing)}):", "", paragraph(missing), ""]
    return "\n".join(lines)


def paragraph(names: list[str]) -> str:
    return textwrap.fill(" ".join(f"`{name}`" for name in names), 160, break_long_words=False, break_on_hyphens=False)


def page(text: str) -> str:
    """The page with its tables made anew."""
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{tables()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
