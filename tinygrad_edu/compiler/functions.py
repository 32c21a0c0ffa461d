"""A compiled function: which of its recordings holds for a call, and what to do where none does.

A recording is made for arguments of certain kinds and shapes, found in certain nested lists and dicts, with certain
numbers among them. All that is the *key*. Calls with the same key look for a recording that still fits what it found
outside (session.py); the latest few are kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from ..graph import mode
from ..tensors import Tensor
from .describe import Description
from .fast import MISS
from .scalars import CompiledValues, compile_values, has_values
from .session import Session
from .symbols import Refused

LIMIT = 8  # recordings kept of one function


class CompiledFunction:
    """A function that is recorded at its first call, and replayed from then on. See `compile`.

    `program` describes the latest recording.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.sessions: list[tuple[tuple, Session]] = []  # the latest first
        self.fast: Any = None  # the shortest way through the latest recording: fast.py
        self.positional = -1  # how many arguments it takes
        self.of_values: CompiledValues | None = None  # where the function turned out to be one of Values
        update_wrapper(self, function, updated=())

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method it is bound like any function; each instance gets recordings of its own."""
        if instance is None:
            return self
        bound = CompiledFunction(self.function.__get__(instance, owner))
        try:
            instance.__dict__[self.function.__name__] = bound
        except AttributeError:  # no __dict__: a recording for each call
            pass
        return bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == self.positional:
            try:
                found = self.fast(*args)
            except Refused:  # an optimizer wants another step than the recorded one
                found = MISS
            if found is not MISS:
                return found
        if mode.recorder is not None:  # inside another recording: a part of it
            return self.function(*args, **kwargs)
        if self.of_values is not None:
            return self.of_values(*args, **kwargs)
        if not self.sessions and has_values((args, kwargs)):
            self.of_values = compile_values(self.function)
            return self.of_values(*args, **kwargs)
        given, key = flat_arguments(args, kwargs)
        for k, (other, session) in enumerate(self.sessions):
            if other == key and session.fits():
                if k:
                    self.sessions.insert(0, self.sessions.pop(k))
                try:
                    found = session.replay(given)
                    if not kwargs and all(isinstance(x, Tensor) for x in args):
                        self.fast = session.fast = session.fast or session.make_fast(given)
                        self.positional = len(args)
                    return found
                except Refused:
                    return self.again(given, key, args, kwargs)
        return self.record(given, key, args, kwargs)

    def again(self, given: list[Tensor], key: tuple, args: tuple, kwargs: dict) -> Any:
        """The recording does not hold this time: record anew, and where that does not hold either, run eagerly."""
        try:
            return self.record(given, key, args, kwargs)
        except Refused:
            return self.function(*args, **kwargs)

    def record(self, given: list[Tensor], key: tuple, args: tuple, kwargs: dict) -> Any:
        whole = [x if x.flat is not None else x.contiguous() for x in given]

        def function(*stand_ins: Tensor) -> Any:
            replaced = iter(stand_ins)
            positional, named = with_tensors((args, kwargs), lambda x: next(replaced))
            return self.function(*positional, **named)

        try:
            session = Session(function, whole, flat_results, self.function)
        except OfValues:  # that the function found by itself
            self.of_values = compile_values(self.function)
            return self.of_values(*args, **kwargs)
        self.sessions.insert(0, (key, session))
        if len(self.sessions) > LIMIT:
            del self.sessions[LIMIT:]
            warnings.warn(
                f"{self!r} has been recorded for more than {LIMIT} kinds of arguments and forgets the oldest. Numbers "
                "are part of a recording: pass what varies as a tensor",
                RuntimeWarning,
                stacklevel=4,
            )
        try:
            return session.replay(whole, first=True)
        except Refused:
            self.sessions.remove((key, session))
            return self.function(*args, **kwargs)

    @property
    def program(self) -> Any:
        """What the latest recording does: print it."""
        if self.of_values is not None:
            return self.of_values.program
        if not self.sessions:
            raise RuntimeError("nothing is recorded yet: call the function first")
        return Description(self.sessions[0][1])

    def __reduce__(self) -> tuple:
        """A copy, and what is pickled, is the function; it will be recorded anew."""
        return CompiledFunction, (self.function,)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.function, '__qualname__', self.function)}>"


def with_tensors(structure: Any, change: Callable[[Tensor], Any]) -> Any:
    """The same nested tuples, lists and dicts, with change(x) in place of each tensor x."""
    if isinstance(structure, Tensor):
        return change(structure)
    if isinstance(structure, tuple | list):
        parts = [with_tensors(x, change) for x in structure]
        if hasattr(structure, "_fields"):
            return type(structure)(*parts)
        return type(structure)(parts)
    if isinstance(structure, dict):
        return {k: with_tensors(x, change) for k, x in structure.items()}
    return structure


def flat_arguments(args: tuple, kwargs: dict[str, Any]) -> tuple[list[Tensor], tuple]:
    """The tensors among the arguments, and what a recording depends on: their kinds and shapes, and all the rest."""
    given: list[Tensor] = []
    key: list[Any] = [mode.grad]
    for x in args:
        flatten(x, given, key)
    for name in kwargs:
        key.append(name)
        flatten(kwargs[name], given, key)
    return given, tuple(key)


def flatten(x: Any, given: list[Tensor], key: list[Any]) -> None:
    """One argument of any structure."""
    if isinstance(x, Tensor):
        key += (x.kind, x.shape, x.node is not None)
        given.append(x if x.flat is not None else x.contiguous())
    elif isinstance(x, tuple | list):
        key += (type(x), len(x))
        for y in x:
            flatten(y, given, key)
    elif isinstance(x, dict):
        key += (dict, *x)
        for y in x.values():
            flatten(y, given, key)
    else:
        try:
            hash(x)
        except TypeError:
            raise TypeError(
                f"compile: an argument of type {type(x).__name__} cannot be part of a recording: pass tensors, "
                "numbers, strings, or tuples, lists and dicts of them"
            ) from None
        key += (type(x), x)


def flat_results(found: Any) -> tuple[list[Tensor], Callable[[list[Tensor]], Any]]:
    """The tensors in what a function returned, and how to put others in their place."""
    if has_values(found):
        raise OfValues
    tensors: list[Tensor] = []

    def number(x: Tensor) -> Any:
        tensors.append(x)
        return _Hole(len(tensors) - 1)

    template = with_tensors(found, number)
    if isinstance(template, _Hole):
        return tensors, lambda given: given[0]
    return tensors, lambda given: _filled(template, given)


class OfValues(Exception):
    """The function computes with Values, not with tensors."""


class _Hole:
    """Where a tensor belongs."""

    def __init__(self, k: int) -> None:
        self.k = k


def _filled(template: Any, given: list[Tensor]) -> Any:
    if isinstance(template, _Hole):
        return given[template.k]
    if isinstance(template, tuple | list):
        parts = [_filled(x, given) for x in template]
        return type(template)(*parts) if hasattr(template, "_fields") else type(template)(parts)
    if isinstance(template, dict):
        return {k: _filled(x, given) for k, x in template.items()}
    return template
