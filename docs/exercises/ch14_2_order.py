"""Exercise 14.2: which steps must come before which, and which may become one?

A step is a tuple (reads, writes) of sets of names of *memory*, which is not static single assignment: a name may be
written again and again. The steps are in an order that is right. Which other orders would be?

`must_follow(steps)` is to give the set of pairs (k, j), j < k, such that step k must come after step j, because

    k reads what j wrote            and nobody wrote it in between       (it needs the number)
    k writes what j read            and nobody wrote it in between       (write after read: j needs the old number)
    k writes what j wrote           and nobody wrote it in between       (the last one must stay the last one)

Only these direct pairs: that k follows i because k follows j and j follows i is found in the second function.

`may_join(steps, j, k)`, j < k, is to say whether the two could be one step (as far as the order goes): not if a third
step must come after one of them and before the other, directly or by way of others. Before you run it, predict: of the
steps below, which two may be one?

    0   y = x * 2        ({"x"}, {"y"})
    1   s = sum of y     ({"y"}, {"s"})
    2   x = x + 1        ({"x"}, {"x"})
    3   z = y / s        ({"y", "s"}, {"z"})
"""

Step = tuple[set[str], set[str]]


def must_follow(steps: list[Step]) -> set[tuple[int, int]]:
    """The pairs (k, j): step k must come after step j."""
    ...  # your work


def may_join(steps: list[Step], j: int, k: int) -> bool:
    """Is there an order in which no step must stand between the two?"""
    ...  # your work
