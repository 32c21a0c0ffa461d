"""Solution 14.1."""

Line = tuple[str, str, tuple[str, ...]]


def share(lines: list[Line]) -> tuple[list[Line], dict[str, str]]:
    """The lines without repetitions, and {name that has gone: name that has its number}."""
    first: dict[tuple, str] = {}
    same: dict[str, str] = {}
    kept = []
    for name, op, operands in lines:
        operands = tuple(same.get(x, x) for x in operands)
        found = first.setdefault((op, operands), name)
        if found == name:
            kept.append((name, op, operands))
        else:
            same[name] = found
    return kept, same


def drop_dead(lines: list[Line], wanted: set[str]) -> list[Line]:
    """The lines that lead to one of these names."""
    needed = set(wanted)
    kept = []
    for name, op, operands in reversed(lines):
        if name in needed:
            kept.append((name, op, operands))
            needed.update(operands)
    return kept[::-1]
