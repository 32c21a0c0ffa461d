"""Attention with several heads.

    q, k, v = x Wqᵀ, x Wkᵀ, x Wvᵀ        three views of each position, (batch, n, E) ──▶ (batch, heads, n, E / heads)
    out     = (softmax(q kᵀ / √d) v) Woᵀ   each head by itself; their results side by side

Masks: a bool mask is True where it is *forbidden* to look; a float mask is added to the scores (-inf forbids). (In
F.scaled_dot_product_attention True allows: both are PyTorch's.)

Source: A. Vaswani et al., Attention is all you need, 2017 (arXiv:1706.03762).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..creation import empty, zeros
from ..hints import hinted
from ..ops.elementwise import where
from ..ops.joining import cat
from ..tensors import Tensor
from . import functional as F
from . import init
from .layers import Linear
from .module import Module
from .parameter import Parameter


def float_mask(mask: Tensor | None, name: str, like: Tensor) -> Tensor | None:
    """A mask as numbers to be added to scores of like's dtype."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.kind.dtype.name != "bool":
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return where(mask, -math.inf, 0.0).to_kind(like.kind)


class NonDynamicallyQuantizableLinear(Linear):
    """A linear layer, under the name that PyTorch prints."""


class MultiheadAttention(Module):
    """Attention with `num_heads` heads: query (L, N, E), key (S, N, kdim), value (S, N, vdim) -> (L, N, E), weights.

    With `batch_first` the first two axes are exchanged; without a batch there is no N. The weights, averaged over the
    heads or not, are (N, L, S) or (N, heads, L, S), or None without `need_weights` (which is faster).
    `key_padding_mask` (N, S), `attn_mask` (L, S) or (N * heads, L, S): True, or -inf, where it is forbidden to look.
    `is_causal` promises that `attn_mask` is the causal one. AssertionError where shapes do not fit.

    >>> import tinygrad_edu as tg
    >>> layer = tg.nn.MultiheadAttention(6, 2, batch_first=True)
    >>> out, weights = layer(*[tg.randn(3, 4, 6)] * 3)
    >>> out.shape, weights.shape
    (torch.Size([3, 4, 6]), torch.Size([3, 4, 4]))
    """

    @hinted
    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def parameter(name: str, wanted: bool, *shape: int) -> None:
            made = Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None
            self.register_parameter(name, made)

        packed = self.kdim == self.vdim == embed_dim
        parameter("in_proj_weight", packed, 3 * embed_dim, embed_dim)
        parameter("q_proj_weight", not packed, embed_dim, embed_dim)
        parameter("k_proj_weight", not packed, embed_dim, self.kdim)
        parameter("v_proj_weight", not packed, embed_dim, self.vdim)
        parameter("in_proj_bias", bias, 3 * embed_dim)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        parameter("bias_k", add_bias_kv, 1, 1, embed_dim)
        parameter("bias_v", add_bias_kv, 1, 1, embed_dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial weights; PyTorch's own for the same seed. (It leaves those of out_proj.)"""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        batched = len(query.shape) == 3
        self.check(query, key, value, key_padding_mask, attn_mask)
        first = self.batch_first or not batched  # in what follows: is the axis of the batch the first one?
        q, k, v = (self.heads(x, first, batched) for x in self.project(query, key, value))
        examples, _, length, _ = q.shape
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint: Transformer."
                               "generate_square_subsequent_mask makes one")  # fmt: skip
        causal = is_causal and key_padding_mask is None and not need_weights
        mask = None if causal else self.merged(attn_mask, key_padding_mask, q, k.shape[2])
        k, v, mask = self.extended(k, v, mask)
        dropped, weights = self.dropout if self.training else 0.0, None
        if need_weights:
            scores = (q * math.sqrt(1.0 / self.head_dim)) @ k.mT
            weights = F.dropout((scores if mask is None else scores + mask).softmax(-1), dropped)
            out = weights @ v
            weights = weights.mean(1) if average_attn_weights else weights
        else:
            out = F.scaled_dot_product_attention(q, k, v, mask, dropped, causal)
        # In training the result is laid out as PyTorch's is: a dropout that follows draws in the order of memory.
        turned = first and batched and self.training
        out = out.transpose(1, 2) if first and not turned else out.permute(2, 0, 1, 3)
        out = self.out_proj(out.reshape(*out.shape[:2], self.embed_dim))
        out = out.transpose(0, 1) if turned else out
        if not batched:
            return out.squeeze(0), None if weights is None else weights.squeeze(0)
        return out, weights

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> Sequence[Tensor]:
        """Queries, keys and values, of width E: by one product if all three are one tensor."""
        biases = [None] * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        if self.in_proj_weight is None:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        elif query is key and key is value:
            return F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        else:
            weights = self.in_proj_weight.chunk(3)
        return [F.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)]

    def heads(self, x: Tensor, first: bool, batched: bool) -> Tensor:
        """(N, L, E) or (L, N, E) or (L, E) as (N, heads, L, E / heads)."""
        x = (x if batched else x.unsqueeze(0)).unflatten(-1, (self.num_heads, self.head_dim))
        return x.transpose(1, 2) if first else x.permute(1, 2, 0, 3)

    def merged(self, attn_mask: Any, padding: Any, q: Tensor, keys: int) -> Tensor | None:
        """Both masks as one, to be added to scores (N, heads, L, S)."""
        examples, heads, length, _ = q.shape
        mask, padding = float_mask(attn_mask, "attn_mask", q), float_mask(padding, "key_padding_mask", q)
        if mask is not None and len(mask.shape) == 3:
            mask = mask.reshape(examples, heads, length, keys)
        if padding is not None:
            padding = padding.reshape(examples, 1, 1, keys)
        return padding if mask is None else mask if padding is None else mask + padding

    def extended(self, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keys and values with those that are learned (bias_k, bias_v) and those of zeros, if there are any."""
        examples, heads, _, width = k.shape
        zero = zeros(1, 1, 1, dtype=k.dtype, device=k.device)
        for more, wanted in (((self.bias_k, self.bias_v), self.bias_k is not None), ((zero, zero), self.add_zero_attn)):
            if not wanted:
                continue
            ends = [x.expand(1, 1, self.embed_dim).reshape(1, heads, 1, width) for x in more]
            k, v = (cat([x, end.expand(examples, -1, -1, -1)], 2) for x, end in zip((k, v), ends, strict=True))
            if mask is not None:
                mask = cat([mask, zeros(*mask.shape[:-1], 1, dtype=mask.dtype, device=mask.device)], -1)
        return k, v, mask

    def check(self, query: Tensor, key: Tensor, value: Tensor, padding: Any, mask: Any) -> None:
        """Raise where the operands do not fit."""
        axes = len(query.shape)
        if axes not in (2, 3):
            raise AssertionError(
                f"query should be unbatched 2D or batched 3D tensor but received {axes}-D query tensor"
            )
        wanted = {"key": (key, axes), "value": (value, axes), "key_padding_mask": (padding, axes - 1)}
        for name, (x, n) in wanted.items():
            if x is not None and len(x.shape) != n:
                raise AssertionError(f"For {axes}-D `query`, expected `{name}` to be {n}-D but found {len(x.shape)}-D")
        if mask is not None and len(mask.shape) not in (2, 3):
            raise AssertionError(f"expected `attn_mask` to be None, 2-D or 3-D but found {len(mask.shape)}-D")
        if query.shape[-1] != self.embed_dim:
            raise AssertionError(f"was expecting embedding dimension of {self.embed_dim}, but got {query.shape[-1]}")
        if key.shape[:-1] != value.shape[:-1] or (self.in_proj_weight is not None and key.shape != value.shape):
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        at = 0 if axes == 2 or not self.batch_first else 1
        examples, length, keys = 1 if axes == 2 else query.shape[1 - at], query.shape[at], key.shape[at]
        if mask is None:
            return
        fits = (length, keys) if len(mask.shape) == 2 else (examples * self.num_heads, length, keys)
        if mask.shape != fits:
            raise (AssertionError if axes == 2 and len(mask.shape) == 3 else RuntimeError)(
                f"The shape of the {len(mask.shape)}D attn_mask is {mask.shape}, but should be {fits}."
            )
