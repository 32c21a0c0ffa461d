"""Buffers without numbers, and numbers that nobody knows yet: what a function computes with while it is recorded.

A `Symbol` stands for a buffer: it has a size and can be cut, and that is all. It points to a `Memory`, which knows the
value that it holds at this point of the program. What would need a number raises an error that names the line of
the user's file.

Some kernels answer with a number: is an index out of range? The answer that lets a program go on is no (`bad >= 0` is
false), so this is what an `Answer` says, and it notes the question: a replay asks it again, of the real answer.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..dtypes import Kind
from ..graph import mode
from .program import Call, Value

LIBRARY = str(Path(__file__).parents[1])


class Refused(Exception):
    """A check that held while recording does not hold now: the function must run eagerly, and will say why."""


class Memory:
    """Where values are: made while recording (`home` is None), or from outside: an argument, or an array found."""

    __slots__ = ("size", "kind", "home", "value")

    def __init__(self, size: int, kind: Kind, home: Any = None) -> None:
        self.size, self.kind, self.home = size, kind, home
        self.value: Value | None = None  # what it holds now


class Symbol:
    """A buffer without numbers: `size` elements of a memory, from `offset` on."""

    __slots__ = ("memory", "offset", "size")

    def __init__(self, memory: Memory, offset: int, size: int) -> None:
        self.memory, self.offset, self.size = memory, offset, size

    @property
    def dtype(self) -> Any:
        return self.memory.kind.dtype.numpy

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, piece: Any) -> Symbol:
        if not isinstance(piece, slice):
            raise cannot("an element of a tensor is read")
        start, stop, _ = piece.indices(self.size)
        return Symbol(self.memory, self.offset + start, max(stop - start, 0))

    def __setitem__(self, where: Any, number: Any) -> None:
        target = self[where] if isinstance(where, slice) else self[where : where + 1]
        if isinstance(number, Symbol):
            active().copy(target, number, self.memory.kind)
        else:
            active().fill(target, number)

    def copy(self) -> Symbol:
        """The same elements in memory of their own."""
        return active().copied(self, self.memory.kind)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        active()
        raise cannot(f"'{name}' of the memory of a tensor is asked for")


def user_line() -> str:
    """The line of the user's file that is being executed."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARY):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}" if frame is not None else "an unknown line"


def cannot(what: str, instead: str = "return the tensor, and ask for the number outside") -> RuntimeError:
    """The error for what has no meaning without numbers."""
    return RuntimeError(f"compile: {what}, while the function is recorded ({user_line()}): {instead}")


class Answer:
    """A number that a kernel answers with. While recording it can only be compared, and the comparison is false."""

    __slots__ = ("call", "pick")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, call: Call, pick: Callable[[Any], Any] = lambda found: found) -> None:
        self.call, self.pick = call, pick

    def _ask(self, compare: Callable[[Any, Any], bool], other: Any) -> bool:
        pick = self.pick
        self.call.checks.append(lambda found: compare(pick(found), other))
        return False

    def __lt__(self, other: Any) -> bool:
        return self._ask(operator.lt, other)

    def __ge__(self, other: Any) -> bool:
        return self._ask(operator.ge, other)

    def __iter__(self) -> Iterator[Answer]:
        return (Answer(self.call, operator.itemgetter(k)) for k in range(2))

    def _refuse(self, *others: Any) -> Any:
        raise cannot("a shape or a choice depends on the numbers in a tensor", "compute it outside and pass it in")

    __int__ = __index__ = __float__ = __bool__ = __eq__ = __ne__ = __gt__ = __le__ = __add__ = __sub__ = _refuse


class Constant:
    """An array among the arguments of a Call that never changes and is no tensor's."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


def active() -> Any:
    """The recorder of this thread."""
    if mode.recorder is None:
        raise RuntimeError(
            "compile: a tensor that was made while a function was recorded is used after it: it has no numbers. "
            "Return it from the function"
        )
    return mode.recorder
