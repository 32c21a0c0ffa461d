"""The nearest real name, for messages about a misspelt one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def closest(name: str, known: Iterable[str]) -> str:
    """Text to append to an error message: a suggestion, or nothing.

    >>> closest("lineer", ["linear", "relu"])
    "; did you mean 'linear'?"
    """
    others = [k for k in known if k != name]
    found = get_close_matches(name, others, n=1, cutoff=0.6)
    if not found:
        found = [k for k in others if k.lower() == name.lower()][:1]
    return f"; did you mean '{found[0]}'?" if found else ""


def hinted(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose TypeError for an unknown keyword suggests the nearest one that it has.

    >>> @hinted
    ... def make(size, requires_grad=False): ...
    >>> make(3, require_grad=True)
    Traceback (most recent call last):
    TypeError: make() got an unexpected keyword argument 'require_grad'; did you mean 'requires_grad'?
    """
    code = getattr(function, "__code__")  # noqa: B009  # a callable need not have one, for the type checker
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if unknown is None or unknown[1] not in kwargs or "did you mean" in str(error).lower():
                raise
            raise TypeError(f"{error}{closest(unknown[1], known)}") from None

    return call
