"""What is prepared once for tensors of a kind, and kept: kernels, plans, constants.

Every operation decides once which loop to run for operands of certain kinds and shapes, and looks the decision up from
then on. All these tables are made here, so that `compile` can set their contents aside while it records: then each
operation asks its backend anew, which is the recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
LIMIT = 256  # results that `kept` keeps of one function

_tables: list[dict[Any, Any]] = []


def table() -> dict[Any, Any]:
    """A new, empty table for things that were prepared for a kind."""
    found: dict[Any, Any] = {}
    _tables.append(found)
    return found


def kept(function: F) -> F:
    """The results of a function of hashable arguments, in a table: each is computed once."""
    found = table()

    @wraps(function)
    def look_up(*arguments: Any) -> Any:
        if arguments not in found:
            if len(found) >= LIMIT:
                found.clear()
            found[arguments] = function(*arguments)
        return found[arguments]

    return look_up  # type: ignore[return-value]


@contextmanager
def set_aside() -> Iterator[None]:
    """Inside, all tables are empty; at the end they have what they had before."""
    contents = [(t, dict(t)) for t in _tables]
    for t, _ in contents:
        t.clear()
    try:
        yield
    finally:
        for t in _tables:
            t.clear()
        for t, before in contents:
            t.update(before)
