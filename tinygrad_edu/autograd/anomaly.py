"""Where did the nan come from? `detect_anomaly` names the operation and the line of your program.

The problem. A loss is nan. It was not nan where the trouble began: somewhere an operation on finite numbers gave the
first nan or inf, in the forward pass (log of 0, an overflow) or only in the backward pass (the square root's derivative
at 0), and everything after it is nan as well.

The idea. Watch every operation, and stop at the first one that turns finite numbers into others. Nothing of that may
cost anything in ordinary runs, so there is no test in any operation. Instead Python itself is asked to tell of each
function that returns (`sys.setprofile`): if it is one of this library's and returns a Tensor, look at the tensor and at
the arguments. The frames on the stack know the line. In the backward pass the engine's `watch` sees each node.

    with tg.autograd.detect_anomaly():
        loss = (x.sqrt() * 0.0).sum()          the value is fine at x = 0 ...
        loss.backward()                        ... 'SqrtBackward0' returned nan values: file, line, text

It is slow, and for debugging. An infinity that is passed in as an argument (`masked_fill(mask, -inf)`) is no anomaly.
"""

from __future__ import annotations

import linecache
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tinygrad_kernels.expr import trace

from .. import creation, engine
from ..graph import Node, mode, same_memory, within
from ..ops.launch import compute
from ..tensors import Tensor

NOT_FINITE = trace("not_finite", lambda x: (x - x == 0.0)._where(0.0, 1.0), ("x",))
PACKAGE = str(Path(__file__).parent.parent)
IGNORED = (creation.__file__, __file__)  # an `empty` has anything in it


def finite(x: Tensor) -> bool:
    """Are all elements neither nan nor infinite?"""
    if not x.kind.dtype.is_floating_point or not x.numel():
        return True
    return compute(NOT_FINITE, (x.detach(),), x.kind, x.kind, ()).item() == 0.0


def is_harmless(x: Any) -> bool:
    """An argument with nothing but finite numbers in it."""
    if isinstance(x, Tensor):
        return finite(x)
    if isinstance(x, float):
        return math.isfinite(x)
    return all(map(is_harmless, x)) if isinstance(x, tuple | list) else True


def kind_of_trouble(x: Tensor) -> str:
    return "nan" if any(v != v for v in flat_list(x.tolist())) else "inf"


def flat_list(x: Any) -> Iterable[float]:
    if not isinstance(x, list):
        yield x
        return
    for part in x:
        yield from flat_list(part)


def users_line(frame: FrameType | None) -> str:
    """The innermost line on the stack that is not this library's."""
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "  (no line of a program)"
    file, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, line).strip()
    return f'  File "{file}", line {line}, in {frame.f_code.co_name}' + (f"\n    {text}" if text else "")


class ForwardWatch:
    """What is told of every call and return. `depth`: how many backward passes we are inside."""

    def __init__(self, check_nan: bool) -> None:
        self.check_nan = check_nan
        self.depth = 0

    def __call__(self, frame: FrameType, event: str, result: Any) -> None:
        code = frame.f_code
        if code is engine.backward.__code__:
            self.depth += (event == "call") - (event == "return")
        if event != "return" or self.depth or not isinstance(result, Tensor):
            return
        if not code.co_filename.startswith(PACKAGE) or code.co_filename in IGNORED:
            return
        note_place(result.node, frame)
        if self.check_nan and not finite(result) and self.made_here(frame, code, result):
            name = getattr(frame.f_locals.get("operation"), "name", code.co_name)
            raise RuntimeError(
                f"'{name}' made the first {kind_of_trouble(result)} of the forward pass, of finite numbers:\n"
                + users_line(frame)
            )

    @staticmethod
    def made_here(frame: FrameType, code: CodeType, result: Tensor) -> bool:
        """Did this call make the numbers of its result, from tensors that were all finite?"""
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4)]
        arguments = [frame.f_locals.get(name) for name in names]
        in_place = any(x is result for x in arguments)
        others = [x for x in arguments if x is not result]
        if not in_place and any(isinstance(x, Tensor) and same_memory(x, result) for x in others):
            return False  # a view
        return any(isinstance(x, Tensor) for x in arguments) and all(map(is_harmless, others))


def note_place(node: Node | None, frame: FrameType) -> None:
    """Remember on a new node, and on those of the same call behind it, which line made them."""
    fresh = [node]
    line = None
    while fresh:
        node = fresh.pop()
        if node is None or node.leaf or hasattr(node, "place"):
            continue
        line = line or users_line(frame)
        node.place = line
        fresh.extend(node.parents)


def check_backward(node: Node, g: Any, cotangents: Iterable[Any]) -> None:
    """What the engine calls for each node in a backward pass."""
    if not getattr(sys.getprofile(), "check_nan", True) or (isinstance(g, Tensor) and not finite(g)):
        return
    for k, c in enumerate(cotangents):
        if isinstance(c, Tensor) and not finite(c):
            raise RuntimeError(
                f"Function '{node.name()}' returned {kind_of_trouble(c)} values in its {k}th output. The operation of "
                f"the forward pass that it belongs to:\n{getattr(node, 'place', '  (made outside detect_anomaly)')}"
            )


class set_detect_anomaly:
    """Switch the detection on or off, for good or for a `with` block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = self.state()
        self.switch(mode, ForwardWatch(check_nan) if mode else None)

    @staticmethod
    def state() -> tuple[bool, Any]:
        return mode.anomaly, sys.getprofile()

    @staticmethod
    def switch(on: bool, profile: Any) -> None:
        mode.anomaly = on
        sys.setprofile(profile)

    def __enter__(self) -> None:
        """Nothing: it is on already."""

    def __exit__(self, *error: object) -> None:
        self.switch(*self.before)


class detect_anomaly:
    """Inside, the first operation that makes a nan or an inf, forward or backward, raises a RuntimeError.

    It names the operation and your line. With `check_nan=False` lines are remembered, and nothing is checked.

    >>> import tinygrad_edu as tg
    >>> with tg.autograd.detect_anomaly():
    ...     tg.tensor([0.0]).log()
    Traceback (most recent call last):
    RuntimeError: 'log' made the first inf of the forward pass, of finite numbers:
      File ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        self.blocks: list[set_detect_anomaly] = []

    def __enter__(self) -> None:
        self.blocks.append(set_detect_anomaly(True, self.check_nan))

    def __exit__(self, *error: object) -> None:
        self.blocks.pop().__exit__()

    def __call__(self, function: Callable) -> Callable:
        return within(lambda: detect_anomaly(self.check_nan), function)


def is_anomaly_enabled() -> bool:
    """Is every operation being watched?"""
    return mode.anomaly
