"""Exercise 02.1: the judge.

`is_sorted(order, root)` is to say (True or False) whether the list `order` is a topological order of the graph below
`root`: it holds every node that `root` was made from, and `root` itself, each exactly once and nothing else; and every
node stands after all the nodes that use it. A node has a tuple `parents`. Compare nodes with `is`, or by `id(node)`.
"""

from toy import Number


def is_sorted(order: list[Number], root: Number) -> bool:
    """Is `order` a topological order of the graph below `root`?"""
    below, stack = {id(root)}, [root]
    while stack:
        for parent in stack.pop().parents:
            if id(parent) not in below:
                below.add(id(parent))
                stack.append(parent)
    place = {id(node): k for k, node in enumerate(order)}
    if place.keys() != below or len(order) != len(below):
        return False
    return all(place[id(node)] < place[id(parent)] for node in order for parent in node.parents)
