"""Attention as one operation: softmax(scale Q Kᵀ + bias) V.

    query (batch, heads, n, d), key (batch, heads, m, d), value (batch, heads, m, e)  ──▶  (batch, heads, n, e)

The usual case is one kernel (tinygrad_kernels/cpu/attention.py, where the derivation is). What is rare is composed of
differentiable operations: dropout among the weights, a bias that is itself trained.

The result is a view: in memory the heads of a position lie side by side, as the operands of a network usually do, so
that out.transpose(1, 2).reshape(batch, n, heads * e), the next step everywhere, copies nothing.

Source: A. Vaswani et al., Attention is all you need, 2017 (arXiv:1706.03762).
"""

from __future__ import annotations

import math
from math import prod
from typing import Any

from ..dtypes import Kind
from ..graph import mode
from ..tensors import Tensor
from .elementwise import where
from .linalg import buffer
from .reduction import SavingNode
from .rows import along_rows
from .shape import view_of
from .strides import Size, broadcast_shapes


class ScaledDotProductAttentionBackward(SavingNode):
    """Keeps q, k, v and the weights P."""

    __slots__ = ("bias", "sizes", "scale", "causal")

    def __init__(
        self, q: Tensor, k: Tensor, v: Tensor, p: Tensor, bias: Any, sizes: Any, scale: float, causal: bool
    ) -> None:  # fmt: skip
        super().__init__((q.node, k.node, v.node), q, k, v, p)
        self.bias, self.sizes, self.scale, self.causal = bias, sizes, scale, causal

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor, ...]:
        q, k, v, weights = self.saved()
        if graph:
            # P again, in the graph. Finite numbers for what was not seen: a row of -inf would have nan for derivatives.
            bias = where(weights > 0, 0.0 if self.bias is None else self.bias, -1e30)
            p = where(weights > 0, along_rows(q @ k.mT * self.scale + bias, -1, log=False), 0.0)
            gp = g @ v.mT
            gs = p * (gp - (gp * p).sum(-1, keepdim=True)) * self.scale
            return gs @ k, gs.mT @ q, p.mT @ g
        kind = q.kind
        gq, gk, gv = empty_thirds(q) if are_thirds(q, k, v) else (empty_heads(x.shape, kind) for x in (q, k, v))
        sizes = (*self.sizes, *described(gq), *described(gk), *described(gv))
        kind.backend.attention_backward(
            buffer(gq), buffer(gk), buffer(gv), g.transpose(1, 2).contiguous().flat, weights.flat, buffer(q), buffer(k),
            buffer(v), sizes, self.scale, self.causal,
        )  # fmt: skip
        return gq, gk, gv


def empty_heads(shape: tuple[int, ...], kind: Kind) -> Tensor:
    """(batch, heads, n, width), laid out as (batch, n, heads, width)."""
    batch, heads, n, width = shape
    return Tensor(kind.empty(prod(shape)), Size((batch, n, heads, width)), kind).transpose(1, 2)


def are_thirds(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Are they the thirds of the rows of one matrix, in order? So they lie in most networks."""
    if q.flat is not None or k.flat is not None or v.flat is not None or not q.shape == k.shape == v.shape:
        return False
    third, root = q.shape[1] * q.shape[3], q.region[0]
    for i, x in enumerate((q, k, v)):
        steps = zip(x.shape, x.region[2], steps_of_thirds(q), strict=True)
        if x.region[0] is not root or x.region[1] != i * third or any(a != b for size, a, b in steps if size > 1):
            return False
    return root.size == 3 * q.numel()


def steps_of_thirds(q: Tensor) -> tuple[int, ...]:
    """The strides of (batch, heads, n, width) that is a third of each row of (batch n, 3 heads width)."""
    _, heads, n, width = q.shape
    return 3 * n * heads * width, width, 3 * heads * width, 1


def empty_thirds(q: Tensor) -> tuple[Tensor, ...]:
    """Three tensors that lie in a matrix of their own as the thirds do: put together, they are this matrix."""
    whole = Tensor(q.kind.empty(3 * q.numel()), Size((3 * q.numel(),)), q.kind)
    third, steps = q.shape[1] * q.shape[3], steps_of_thirds(q)
    return tuple(view_of(whole, q.shape, steps, i * third, "AsStridedBackward0", None, None) for i in range(3))


def described(x: Tensor) -> tuple[int, ...]:
    """For the kernel: where x begins, and the steps from batch to batch, head to head, row to row."""
    return (0 if x.flat is not None else x.region[1], *x.stride()[:3])


def fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, causal: bool, scale: float) -> Tensor:
    """The kernel; all operands have four axes, and the same first two."""
    kind, (batch, heads, n, d), m = q.kind, q.shape, k.shape[2]
    q, k, v = (x if x.stride()[-1] == 1 or x.shape[-1] == 1 else x.contiguous() for x in (q, k, v))
    seen = kind.empty(0) if bias is None else buffer(bias)
    at_bias = (0,) * 5 if bias is None else (*described(bias), bias.stride()[3])
    sizes = (heads, n, m, d, v.shape[3], *described(q), *described(k), *described(v), *at_bias)
    weights = Tensor(kind.empty(batch * heads * n * m), Size((batch, heads, n, m)), kind)
    out = empty_heads((batch, heads, n, v.shape[3]), kind)
    kind.backend.attention(buffer(out), weights.flat, buffer(q), buffer(k), buffer(v), seen, sizes, scale, causal)
    if mode.grad and (q.node is not None or k.node is not None or v.node is not None):
        out.node = ScaledDotProductAttentionBackward(q, k, v, weights, bias, sizes, scale, causal)
    return out


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Each query's mean of the values, weighted by softmax(scale query keyᵀ + mask).

    query (*, n, d), key (*, m, d), value (*, m, e) -> (*, n, e); leading axes are broadcast. `attn_mask`, broadcast to
    (*, n, m), is True where a query may look at a key, or a number to be added. `is_causal` lets query i see the keys
    up to number i. `dropout_p` drops weights (always: pass 0.0 in evaluation). `scale` is 1 / √d if not given. With
    `enable_gqa` key and value may have fewer heads (third axis from the end), each for several of the query's.
    A query that may look at nothing gets 0. RuntimeError where shapes or dtypes do not fit.

    >>> import tinygrad_edu as tg
    >>> q, v = tg.zeros(3, 1), tg.tensor([[0.0], [2.0], [4.0]])
    >>> scaled_dot_product_attention(q, q, v, is_causal=True).squeeze()
    tensor([0., 1., 2.])
    """
    check(query, key, value, attn_mask, is_causal)
    n, d, m = *query.shape[-2:], key.shape[-2]
    scale = scale if scale is not None else 1.0 / math.sqrt(d) if d else 1.0
    if enable_gqa:
        key, value = (repeated_heads(x, query.shape[-3]) for x in (key, value))
    lead = broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    mask = attn_mask
    if mask is not None and mask.kind.dtype.name == "bool":
        mask = where(mask, 0.0, -math.inf).to_kind(query.kind)
    if mask is not None:
        lead = broadcast_shapes(lead, mask.shape[:-2])
    q, k, v = (x if x.shape[:-2] == lead else x.expand(*lead, *x.shape[-2:]) for x in (query, key, value))
    if dropout_p == 0.0 and (mask is None or mask.node is None or not mode.grad) and n * m * prod(lead):
        if len(lead) != 2:
            q, k, v = (x.reshape(prod(lead[:-1]), prod(lead[-1:]), *x.shape[-2:]) for x in (q, k, v))
        if mask is not None:
            mask = mask.detach().expand(*lead, n, m)
            mask = mask if len(lead) == 2 else mask.reshape(prod(lead[:-1]), prod(lead[-1:]), n, m)
        out = fused(q, k, v, mask, is_causal, scale)
        return out if len(lead) == 2 else out.reshape(*lead, *out.shape[-2:])
    return composed(q, k, v, mask, dropout_p, is_causal, scale)


def composed(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, causal: bool, scale: float
) -> Tensor:
    """The same in operations on tensors: the definition."""
    from ..creation import ones
    from ..nn.functional import dropout

    scores = q @ k.mT * scale
    if causal:
        visible = ones(scores.shape[-2:], dtype=scores.dtype, device=scores.device).tril() > 0
        mask = where(visible, 0.0 if mask is None else mask, -math.inf).to_kind(q.kind)
    weights = along_rows(scores if mask is None else scores + mask, -1, log=False)
    if mask is not None:
        weights = where((mask == -math.inf).all(-1).unsqueeze(-1), 0.0, weights)
    return dropout(weights, dropout_p) @ v


def repeated_heads(x: Tensor, heads: int) -> Tensor:
    """Each head of x (*, some, m, width) several times, to make `heads`."""
    some = x.shape[-3]
    if not some or heads % some:
        raise RuntimeError(
            f"enable_gqa: the number of heads of the query, {heads}, must be divisible by that of key and value, {some}"
        )
    wide = x.unsqueeze(-3).expand(*x.shape[:-2], heads // some, *x.shape[-2:])
    return wide.reshape(*x.shape[:-3], heads, *x.shape[-2:])


def check(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> None:
    """Raise where the operands do not fit."""
    for x in (query, key, value):
        if len(x.shape) < 2:
            raise RuntimeError(
                "scaled_dot_product_attention: Expected query, key, and value to all be at least 2 dimensional, but "
                f"got shapes {list(query.shape)}, {list(key.shape)}, {list(value.shape)}"
            )
        if x.kind is not query.kind or not x.kind.dtype.is_floating_point:
            raise RuntimeError(
                "Expected query, key, and value to have the same floating point dtype, but got query.dtype: "
                f"{query.dtype}, key.dtype: {key.dtype}, and value.dtype: {value.dtype} instead."
            )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f"scaled_dot_product_attention: query (*, n, d), key (*, m, d) and value (*, m, e) do not fit: "
            f"{list(query.shape)}, {list(key.shape)}, {list(value.shape)}"
        )
    if mask is None:
        return
    if causal:
        raise RuntimeError("scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    if mask.kind.dtype.name not in ("bool", query.kind.dtype.name):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{mask.dtype} and query.dtype: {query.dtype} instead."
        )
