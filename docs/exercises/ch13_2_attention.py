"""Exercise 13.2: attention with any mask.

`attend(q, k, v, allowed)` is softmax(Q Kᵀ / √d) V where place t may look at place s only if allowed[t, s].
q is (..., T, d), k (..., S, d), v (..., S, e), allowed (T, S) of booleans; the result is (..., T, e).

A place that may look nowhere gets zeros, not nan (a softmax over nothing but -∞ is 0/0), and no nan may reach a
gradient either. Use tensor operations only; `F.scaled_dot_product_attention` would be the whole exercise.
"""

import tinygrad_edu as tg


def attend(q: tg.Tensor, k: tg.Tensor, v: tg.Tensor, allowed: tg.Tensor) -> tg.Tensor:
    """For each query the mean of the values that it may see, weighed by softmax(q · k / √d)."""
    ...  # your work
