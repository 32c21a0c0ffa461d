"""Ctrl-C in the middle of a compiled step waits for its end.

A step writes the parameters one after the other. If an interrupt came between two of them, half of them would be those
of the next step, and nobody would notice. So while a step runs, an interrupt is only noted.

Source: Python documentation, module `signal`: handlers run in the main thread, between two instructions of Python.
"""

from __future__ import annotations

import signal
import threading
from typing import Any


class Shield:
    """What is known of interrupts: is a step running in the main thread, has one been noted?"""

    def __init__(self) -> None:
        self.main = threading.main_thread().ident
        self.handler: Any = None  # that was there before ours
        self.steps = 0  # running in the main thread: a step may run inside another one's Python
        self.noted: tuple | None = None

    def install(self) -> None:
        """Put our handler before the one that is there. Only the main thread may."""
        if threading.get_ident() == self.main and signal.getsignal(signal.SIGINT) != self.handle:
            self.handler = signal.getsignal(signal.SIGINT)
            if callable(self.handler):
                signal.signal(signal.SIGINT, self.handle)

    def handle(self, number: int, frame: Any) -> None:
        if self.steps:
            self.noted = (number, frame)
        else:
            self.handler(number, frame)

    def begin(self) -> bool:
        """A step begins. True in the main thread, where interrupts arrive."""
        if threading.get_ident() != self.main:
            return False
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
            noted, self.noted = self.noted, None
            self.handler(*noted)


shield = Shield()
