"""Exercise 13.1: summaries of the past, each a product with a triangle.

`past_mean(x)` is to give, for x of shape (T, C), the matrix whose row t is the mean of x[0], ..., x[t].

`fading_mean(x, keep)` is to weigh the past: x[t] counts 1, x[t-1] counts `keep`, x[t-2] `keep`², and so on, divided by
the sum of these weights, so that the result is still a mean. 0 < keep <= 1; for 1 it is past_mean.

Both without a loop over the places: make a (T, T) matrix of weights, and multiply. `tril`, `arange` and broadcasting
are enough. A gradient must come through.
"""

import tinygrad_edu as tg


def past_mean(x: tg.Tensor) -> tg.Tensor:
    """Row t: the mean of the rows 0 to t."""
    ...  # your work


def fading_mean(x: tg.Tensor, keep: float) -> tg.Tensor:
    """Row t: the mean of the rows 0 to t, weighed by keep to the power of their distance."""
    ...  # your work
