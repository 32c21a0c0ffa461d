"""Exercise 08.1: find the parameters.

`parameters_of(thing)` is to give a list of all tensors that require a gradient in a tree of Python objects: the thing
itself, the items of a list or tuple, the values of a dict, the attributes of any other object (`vars(thing)`). In the
order in which they stand there, and each only once, however often it is reached (tied weights). Objects may point at
each other in a circle. Numbers, strings and None hold nothing.
"""

from typing import Any

import tinygrad_edu as tg


def parameters_of(thing: Any) -> list[tg.Tensor]:
    """Every tensor in `thing` that requires a gradient."""
    ...  # your work
