"""Solution 08.1. A walk that remembers where it has been, by identity: `==` on tensors compares their elements."""

from typing import Any

import tinygrad_edu as tg


def parameters_of(thing: Any) -> list[tg.Tensor]:
    """Every tensor in `thing` that requires a gradient."""
    found: list[tg.Tensor] = []
    seen: set[int] = set()

    def visit(item: Any) -> None:
        if id(item) in seen:
            return
        seen.add(id(item))
        if isinstance(item, tg.Tensor):
            if item.requires_grad:
                found.append(item)
        elif isinstance(item, list | tuple):
            for part in item:
                visit(part)
        elif isinstance(item, dict):
            for part in item.values():
                visit(part)
        elif hasattr(item, "__dict__"):
            visit(vars(item))

    visit(thing)
    return found
