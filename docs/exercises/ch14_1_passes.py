"""Exercise 14.1: two passes over straight-line code.

A program is a list of lines. A line is a tuple (name, op, operands): the name is new in each line, the operands are
names of lines before it or of inputs.

    ("a", "mul", ("x", "y"))        a = x * y
    ("b", "mul", ("x", "y"))        b = x * y
    ("c", "add", ("a", "b"))        c = a + b

`share(lines)` is to leave out each line that computes what an earlier one has computed already, and to let whoever
reads it read the earlier one. Of the program above a and c are left, and c is ("c", "add", ("a", "a")). Mind the order:
after b is known to be a, a line that reads b may turn out to be the same as one that reads a. Do not use algebra:
x * y and y * x are two things.

`drop_dead(lines, wanted)` is to leave out each line that does not lead to a name in `wanted`, in one walk from the end.

Both return a new list of lines, in the old order. For `share` every name that is left keeps its line, and a result of
the program may have gone: a second result says for each name that has gone which one has its number.
"""

Line = tuple[str, str, tuple[str, ...]]


def share(lines: list[Line]) -> tuple[list[Line], dict[str, str]]:
    """The lines without repetitions, and {name that has gone: name that has its number}."""
    ...  # your work


def drop_dead(lines: list[Line], wanted: set[str]) -> list[Line]:
    """The lines that lead to one of these names."""
    ...  # your work
