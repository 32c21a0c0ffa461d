"""The nearest real name, for messages about a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, known: Iterable[str]) -> str:
    """Text to append to an error message: a suggestion, or nothing.

    >>> closest("lineer", ["linear", "relu"])
    "; did you mean 'linear'?"
    """
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    if not found:
        found = [k for k in known if k.lower() == name.lower()][:1]
    return f"; did you mean '{found[0]}'?" if found else ""
