"""Exercise 14.3: lay out values in an arena.

A value is a tuple (first, last, nbytes): it is needed from step `first` to step `last`, both included, so two values
that have a step in common must not overlap in memory.

`lay_out(values)` is to give the offset of each. The rule: take the values from the largest to the smallest (of equals,
the one that is needed first, then the one that comes first in the list), and put each at the lowest offset where it
overlaps with nobody that it meets. Offsets are multiples of 64: a cache line, and the widest vector.

`arena(values)` is the size of the memory that this takes: the end of the value that lies highest.

Do this one on paper first:

    values    (0, 1, 640)   (1, 2, 192)   (2, 3, 320)   (3, 4, 640)   (0, 4, 64)
"""

Interval = tuple[int, int, int]


def lay_out(values: list[Interval]) -> list[int]:
    """The offset of each value, in the order of the list."""
    ...  # your work


def arena(values: list[Interval]) -> int:
    """How many bytes all of them take together."""
    ...  # your work
