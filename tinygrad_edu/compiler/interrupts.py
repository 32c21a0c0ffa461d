"""Ctrl-C in the middle of a compiled step waits for its end.

A step writes the parameters one after the other. If an interrupt came between two of them, half of them would be those
of the next step, and nobody would notice. So while a step runs, an interrupt is only noted.

What is done at an interrupt says a *handler*, and anybody may set another one at any time. So each step looks whether
the handler is one that waits, and where it is not, puts one before it. Who sets a handler for a while and then the old
one again gets just that: each waiting handler has its own inner one.

Source: Python documentation, module `signal`: handlers run in the main thread, between two instructions of Python.
"""

from __future__ import annotations

import signal
import threading
from typing import Any

SIGINT = signal.SIGINT
# signal.getsignal takes 2 µs to look for the name of what it finds; the function that it wraps takes 15 ns
handler_now: Any = getattr(signal.getsignal, "__wrapped__", signal.getsignal)


class Shield:
    """What is known of interrupts: is a step running in the main thread, has one been noted?"""

    def __init__(self) -> None:
        self.main = threading.main_thread().ident
        self.seen: Any = None  # the handler at the last look
        self.steps = 0  # running in the main thread: a step may run inside another one's Python
        self.noted: tuple | None = None  # (handler, number of the signal, frame)

    def install(self) -> None:
        """Put a handler that waits before the one that is there. Only the main thread may."""
        if threading.get_ident() == self.main:
            handler = signal.getsignal(SIGINT)
            if callable(handler) and not isinstance(handler, Waiting):
                signal.signal(SIGINT, Waiting(handler))
            self.seen = handler_now(SIGINT)

    def begin(self) -> bool:
        """A step begins. True in the main thread, where interrupts arrive."""
        if threading.get_ident() != self.main:
            return False
        if handler_now(SIGINT) is not self.seen:
            self.install()
        self.steps += 1
        return True

    def end(self) -> None:
        """It is over."""
        self.steps -= 1
        if self.noted is not None:
            self.deliver()

    def deliver(self) -> None:
        """Hand on the interrupt that was noted, if no other step is running."""
        if self.noted is not None and not self.steps:
            (handler, number, frame), self.noted = self.noted, None
            handler(number, frame)


class Waiting:
    """A handler that calls another one, between steps."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def __call__(self, number: int, frame: Any) -> None:
        if shield.steps:
            shield.noted = (self.handler, number, frame)
        else:
            self.handler(number, frame)


shield = Shield()
