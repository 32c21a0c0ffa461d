"""Exercise 13.3: the backward pass of attention, without the weights.

Forward kept q, k, v (T, d), the result y (T, d), and one number for each row: the log of the sum of the exponentials
of its scores, `lse` (T,). The weights P (T, T) were thrown away. Bring them back from these, softmax(s) = exp(s - lse),
and use r_t = g_t · y_t for the sum in the derivative of softmax.

    y = P v,   P = softmax(s),   s = q kᵀ / √d          (no mask)

`attention_backward(g, q, k, v, y, lse)` is to return (gq, gk, gv), each (T, d), in plain tensor operations: no call of
`backward` or `grad`, and no softmax.
"""

import tinygrad_edu as tg


def attention_backward(
    g: tg.Tensor, q: tg.Tensor, k: tg.Tensor, v: tg.Tensor, y: tg.Tensor, lse: tg.Tensor
) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
    """The cotangents of q, k and v, from that of y."""
    ...  # your work
