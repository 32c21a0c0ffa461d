"""Watching a function of Values while it is recorded: what it makes, and whether it does what cannot be recorded.

The problem. A recording keeps operations. A number that leaves the graph and comes back (`w * math.exp(v.data)`) is a
constant to it; a comparison (`if v > 0:`) has decided which operations there are. Replayed with other inputs, both are
wrong, and nothing would say so. They have to be seen, but an ordinary Value cannot afford to look whenever it is read.

The idea. Let the class change for the time of a recording. `data` and `grad` are slots of Value: descriptors, found on
the class. For as long as a recording lasts, properties stand in their places, and look at the frame of the caller:

    who reads or writes             may it?
    __mul__, tanh, ... of Value     yes: that is what is recorded (and a write of `data` says that a Value was made)
    __lt__, __eq__, __float__       no
    pull, receive                   no: that is backward()
    anybody outside value.py        no

Other threads are asked nothing, and afterwards the slots are back.

Source: Python documentation, Descriptor HowTo Guide.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .. import engine, value
from ..value import Value


class Seen:
    """What a function did while it was recorded."""

    def __init__(self) -> None:
        self.made: list[Value] = []  # the Values that it made, one after the other
        self.copies: dict[int, Value] = {}  # Value(x) of an x that stands for a float: by id, of which one?


class Watch:
    """Sees every read and write of a Value's `data` and `grad`, by one thread and for as long as a recording lasts."""

    FORBIDDEN = {
        **dict.fromkeys(
            ("__lt__", "__le__", "__gt__", "__ge__", "__eq__"),
            "a comparison of Values: its answer is that of this one call, and would be the same for all later ones. "
            "Write it without a question (relu, maximum, minimum, clamp, abs), or decide outside the function",
        ),
        "__float__": "float() of a Value: the program would keep this one number. Compute with the Value itself "
        "(v.exp() instead of math.exp(v))",
        **dict.fromkeys(
            ("pull", "pull_graph", "receive"), "backward(): return the result, and call backward() on what comes back"
        ),
        "read": "reading .data or .grad: the program would keep this one number. Compute with the Value itself, or "
        "return it and read its .data outside",
        "write": "assigning to .data or .grad: do it after the call",
    }

    def __init__(self) -> None:
        self.lock = threading.Lock()  # one recording at a time
        self.thread: int | None = None

    def here(self) -> bool:
        """Is this thread recording?"""
        return self.thread == threading.get_ident()

    @contextlib.contextmanager
    def recording(self, floats: list[Value]) -> Iterator[Seen]:
        """Watch, until the end of the `with`. `floats` are Values that stand for floats of the arguments."""
        with self.lock:
            originals = {name: Value.__dict__[name] for name in ("data", "grad", "__init__")}
            data, grad, init = originals.values()
            seen = Seen()
            self.thread = threading.get_ident()
            watched = (
                self.attribute(data, seen.made.append),
                self.attribute(grad, lambda v: None),
                self.initialiser(init, data, seen, {id(v) for v in floats}),
            )
            try:
                for name, stand_in in zip(originals, watched, strict=True):
                    setattr(Value, name, stand_in)
                yield seen
            finally:
                for name, original in originals.items():
                    setattr(Value, name, original)
                self.thread = None

    def attribute(self, slot: Any, note: Callable[[Value], None]) -> property:
        """Reads and writes `slot` where that is allowed, and notes which Values are written."""

        def read(v: Value) -> Any:
            if self.here():
                self.check("read")
            return slot.__get__(v)

        def write(v: Value, x: Any) -> None:
            if self.here():
                self.check("write")
                note(v)
            slot.__set__(v, x)

        return property(read, write)

    def initialiser(self, init: Callable, slot: Any, seen: Seen, floats: set[int]) -> Callable:
        """Value.__init__, which also takes what stands for a float: to the function it is one."""

        def watched(v: Value, data: Any, label: str = "") -> None:
            if self.here() and id(data) in floats:
                seen.copies[id(v)], data = data, slot.__get__(data)
            init(v, data, label)

        return watched

    def check(self, what: str) -> None:
        """RuntimeError, unless it is a method of Value that reads or writes, and one that may."""
        frame: Any = sys._getframe(2)
        if frame.f_globals is value.__dict__:
            what = frame.f_code.co_name
        if what not in self.FORBIDDEN:
            return
        while frame.f_globals is value.__dict__ or frame.f_globals is engine.__dict__:
            frame = frame.f_back
        where = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
        raise RuntimeError(f"{where}: a compiled function cannot record {self.FORBIDDEN[what]}")


WATCH = Watch()
