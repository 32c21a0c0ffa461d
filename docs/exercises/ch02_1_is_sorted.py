"""Exercise 02.1: the judge.

`is_sorted(order, root)` is to say (True or False) whether the list `order` is a topological order of the graph below
`root`: it holds every node that `root` was made from, and `root` itself, each exactly once and nothing else; and every
node stands after all the nodes that use it. A node has a tuple `parents`. Compare nodes with `is`, or by `id(node)`.
"""

from toy import Number


def is_sorted(order: list[Number], root: Number) -> bool:
    """Is `order` a topological order of the graph below `root`?"""
    ...  # your work
