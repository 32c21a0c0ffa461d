"""The transformer: attention and a network for each position, in layers.

A layer of the encoder adds attention to x, and then a network that looks at one position at a time; each is normalised
before (norm_first, which trains more easily) or after the addition. The decoder also attends to what the encoder found.

    encoder layer    x + attention(norm x),  then  x + W₂ relu(W₁ norm x)
    decoder layer    the same, with attention to the memory between the two

Shapes are (length, batch, d_model), or (batch, length, d_model) with batch_first; masks as in nn.MultiheadAttention.

Source: A. Vaswani et al., Attention is all you need, 2017 (arXiv:1706.03762); R. Xiong et al., On layer normalization
in the transformer architecture, 2020 (arXiv:2002.04745).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from ..creation import full
from ..hints import hinted
from ..tensors import Tensor
from . import functional as F
from . import init
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .layers import Linear
from .module import Module
from .normalization import LayerNorm


class TransformerLayer(Module):
    """What the layers of encoder and decoder share: attention to oneself, the network for each position, the norms."""

    @hinted
    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if activation not in ("relu", "gelu") and not callable(activation):
            raise RuntimeError(f"activation should be relu/gelu, not {activation}")
        place = {"device": device, "dtype": dtype}
        attentions = ("self_attn", "multihead_attn")[: self.blocks - 1]
        for name in attentions:
            made = MultiheadAttention(d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place)
            self.add_module(name, made)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        for k in range(self.blocks):
            self.add_module(f"norm{k + 1}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place))
        for k in range(self.blocks):
            self.add_module(f"dropout{k + 1}", Dropout(dropout))
        self.activation = getattr(F, activation) if isinstance(activation, str) else activation

    blocks = 2  # additions to x

    def added(self, x: Tensor, number: int, block: Callable[[Tensor], Tensor]) -> Tensor:
        """x and what a block makes of it, normalised before or after."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(TransformerLayer):
    """Attention to oneself, then the network for each position: (L, N, d_model) -> the same.

    `activation` is "relu", "gelu" or a function. Masks as in MultiheadAttention.

    >>> import tinygrad_edu as tg
    >>> tg.nn.TransformerEncoderLayer(8, 2, 16)(tg.randn(5, 3, 8)).shape
    torch.Size([5, 3, 8])
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]

        return self.added(self.added(src, 1, attend), 2, self.feed_forward)


class TransformerDecoderLayer(TransformerLayer):
    """Attention to oneself, then to the encoder's memory, then the network for each position."""

    blocks = 3

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def look(x: Tensor) -> Tensor:
            return self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )[0]

        return self.added(self.added(self.added(tgt, 1, attend), 2, look), 3, self.feed_forward)


class Stack(Module):
    """Copies of a layer, one after the other, and a last norm."""

    def __init__(self, layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def run(self, x: Tensor, *args: Any, **options: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *args, **options)
        return x if self.norm is None else self.norm(x)


def is_square_causal(mask: Tensor | None, is_causal: bool | None) -> bool:
    """Is the mask the causal one? What the caller says counts, if he says anything."""
    if is_causal is not None or mask is None or len(mask.shape) != 2 or mask.shape[0] != mask.shape[1]:
        return bool(is_causal)
    return bool((mask == Transformer.generate_square_subsequent_mask(len(mask), dtype=mask.dtype)).all().item())


class TransformerEncoder(Stack):
    """`num_layers` copies of an encoder layer. (`enable_nested_tensor` and `mask_check` have no effect here.)"""

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        return self.run(src, mask, src_key_padding_mask, is_square_causal(mask, is_causal))


class TransformerDecoder(Stack):
    """`num_layers` copies of a decoder layer."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        causal = is_square_causal(tgt_mask, tgt_is_causal)
        return self.run(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, causal, memory_is_causal
        )


class Transformer(Module):
    """Encoder and decoder: a source (S, N, d_model) and a target (T, N, d_model) -> (T, N, d_model).

    >>> import tinygrad_edu as tg
    >>> tg.nn.Transformer.generate_square_subsequent_mask(2)
    tensor([[0., -inf],
            [0., 0.]])
    """

    @hinted
    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        shared = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        place = {"device": device, "dtype": dtype}

        def last_norm() -> LayerNorm:
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)

        self.encoder = custom_encoder if custom_encoder is not None else TransformerEncoder(
            TransformerEncoderLayer(*shared, **place), num_encoder_layers, last_norm()
        )  # fmt: skip
        self.decoder = custom_decoder if custom_decoder is not None else TransformerDecoder(
            TransformerDecoderLayer(*shared, **place), num_decoder_layers, last_norm()
        )  # fmt: skip
        for p in self.parameters():
            if len(p.shape) > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        at = 0 if self.batch_first else 1
        if len(src.shape) == 3 and src.shape[at] != tgt.shape[at]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal,
            memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """(sz, sz): -inf above the diagonal, 0 elsewhere. A bool mask has True there."""
        hidden = -math.inf if dtype is None or dtype.is_floating_point else 1
        return full((sz, sz), hidden, dtype=dtype, device=device).triu(1)
