"""Exercise 9.1: one thread, one element.

`add(out, x, y)` is a kernel: every thread runs it. It is to give out[i] = x[i] + y[i] for arrays of any length,
launched with any number of blocks that is large enough. What is missing is the line that says which element is this
thread's, and the one that lets those go that have none.
"""

from tinygrad_kernels.cuda.simulator import cuda  # noqa: F401  (you will need it)


def add(out, x, y) -> None:
    """out = x + y, one element for each thread."""
    ...  # your work
