"""One training step of a small GPT, written as nanoGPT is.

Token and position embeddings, blocks of causal attention and a network for each position, each after a layer norm and
added to what came in, and a linear layer to the vocabulary. The text is the same for PyTorch and for us.

Source: A. Radford et al., Language models are unsupervised multitask learners, 2019; A. Karpathy, nanoGPT, 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.measure import Step
from benchmarks.training import VARIANTS, as_it_is


def network(m: Any, config: SimpleNamespace) -> Any:
    """The model, a Module of library m: (batch, context) of characters -> (batch, context, vocabulary)."""
    nn, F, width = m.nn, m.nn.functional, config.width
    Module: Any = nn.Module

    class CausalSelfAttention(Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.size()
            q, k, v = self.qkv(x).split(width, dim=2)
            q, k, v = (t.view(batch, length, config.heads, width // config.heads).transpose(1, 2) for t in (q, k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(y.transpose(1, 2).contiguous().view(batch, length, width))

    class MLP(Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.gelu, self.proj = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            return self.proj(self.gelu(self.fc(x)))

    class Block(Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.attn = nn.LayerNorm(width), CausalSelfAttention()
            self.ln_2, self.mlp = nn.LayerNorm(width), MLP()

        def forward(self, x: Any) -> Any:
            x = x + self.attn(self.ln_1(x))
            return x + self.mlp(self.ln_2(x))

    class GPT(Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(config.vocabulary, width), nn.Embedding(config.context, width)
            self.blocks = nn.ModuleList([Block() for _ in range(config.layers)])
            self.ln_f, self.head = nn.LayerNorm(width), nn.Linear(width, config.vocabulary, bias=False)

        def forward(self, numbers: Any) -> Any:
            x = self.wte(numbers) + self.wpe(m.arange(numbers.size(1)))
            for block in self.blocks:
                x = block(x)
            return self.head(self.ln_f(x))

    return GPT()


def gpt(
    m: Any, layers: int = 4, width: int = 128, heads: int = 4, context: int = 64, batch: int = 16, vocabulary: int = 65,
    *, make: Callable = as_it_is,
) -> Step:  # fmt: skip
    """Cross-entropy of the next character, backward, AdamW."""
    rng = np.random.default_rng(5)
    config = SimpleNamespace(layers=layers, width=width, heads=heads, context=context, vocabulary=vocabulary)
    model = network(m, config)
    with m.no_grad():
        for name, p in model.named_parameters():
            if "ln_" not in name:
                p.copy_(m.tensor(rng.normal(0, 0.02, tuple(p.shape)).astype(np.float32)))
    # A large eps: where a gradient is 0 but for its rounding, Adam would make steps of full size from the rounding.
    optimizer = m.optim.AdamW(model.parameters(), lr=1e-3, eps=1e-3)
    texts = [m.tensor(rng.integers(0, vocabulary, (batch, context + 1))) for _ in range(VARIANTS)]

    def train(text: Any) -> Any:
        logits = model(text[:, :-1])
        loss = m.nn.functional.cross_entropy(logits.view(-1, vocabulary), text[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    train = make(train)
    return lambda i: (train(texts[i % VARIANTS]), *model.parameters())
