"""Exercise 02.2: count paths without walking them.

`count_paths(result, leaf)` is to say how many paths lead from `result` down to `leaf`. With b = a + a and c = b + b
there are 4 from c to a. A ladder of a thousand such lines has 2**1000, and must be counted too: so each node may be
visited only once, and recursion is too deep.

Hint: the number of paths to a node is the sum of the numbers of paths to the nodes that use it (as often as they
use it). That is what a gradient is, if all slopes are 1.
"""

from toy import Number


def count_paths(result: Number, leaf: Number) -> int:
    """How many paths lead from `result` down to `leaf`?"""
    ...  # your work
