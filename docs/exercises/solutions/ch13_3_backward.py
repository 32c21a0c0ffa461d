"""Solution 13.3. Five products; the sum over a row of P ∘ gP is the dot product of g and y."""

import tinygrad_edu as tg


def attention_backward(
    g: tg.Tensor, q: tg.Tensor, k: tg.Tensor, v: tg.Tensor, y: tg.Tensor, lse: tg.Tensor
) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
    """The cotangents of q, k and v, from that of y."""
    root = q.shape[-1] ** 0.5
    weights = (q @ k.mT / root - lse[:, None]).exp()
    scores = weights * (g @ v.mT - (g * y).sum(1, keepdim=True)) / root
    return scores @ k, scores.mT @ q, weights.mT @ g
