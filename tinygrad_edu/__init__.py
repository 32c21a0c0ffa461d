"""tinygrad_edu: an autograd library, shaped like PyTorch, written to be read.

    import tinygrad_edu as tg

    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x ** 2).sum().backward()
    x.grad                          # tensor([2., 4.])

The scalar `Value` needs nothing but Python. The first use of any other name loads NumPy, Numba and the Tensor, so that
importing this package costs nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .value import Value

if TYPE_CHECKING:
    from .face import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["Value", "__version__"]


LATER = {
    "compile": "compiler",
    "draw": "drawing",
    "show": "showing",
    "is_anomaly_enabled": "autograd",
    **dict.fromkeys(("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"), "ops.convolution"),
    "load": "serialization",
    "save": "serialization",
    **dict.fromkeys(("accelerator", "xpu"), "backends"),
}  # loaded when asked for, by their module
ROOMS = ("autograd", "backends", "cuda", "linalg", "nn", "optim", "random", "special", "testing", "utils", "version")


def __getattr__(name: str) -> Any:
    """Look a name up in face.py, the list of everything public."""
    if name.startswith("__"):
        raise AttributeError(f"module 'tinygrad_edu' has no attribute '{name}'")
    from importlib import import_module
    from importlib.util import find_spec

    if name in LATER:
        globals()[name] = getattr(import_module(f".{LATER[name]}", __name__), name)
        return globals()[name]
    if find_spec(f"{__name__}.{name}") is not None:
        return import_module(f".{name}", __name__)
    face = import_module(".face", __name__)
    names = {n: v for n, v in vars(face).items() if not n.startswith("_")}
    if name not in names:
        from .hints import refused

        raise refused("tinygrad_edu", name, [*names, *LATER, *ROOMS])
    globals().update(names)
    return names[name]


def __dir__() -> list[str]:
    from . import face

    return sorted({*globals(), *LATER, *ROOMS, *(n for n in vars(face) if not n.startswith("_"))})
