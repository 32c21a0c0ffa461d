"""Attention, the transformer's layers and embeddings, against PyTorch; the fused kernel against the definition."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.oracle import booleans, fixed, integers, parity, row
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.ops import attention as operation

nn, F = tg.nn, tg.nn.functional


def attend(m, *operands, **options):
    return m.nn.functional.scaled_dot_product_attention(*operands, **options)


def embed(m, *operands, **options):
    return m.nn.functional.embedding(*operands, **options)


QKV = ((2, 3, 5, 4),) * 3
SEES = fixed([[True, False, True], [False, True, True]])
ROWS = [
    row("heads", attend, *QKV),
    row("causal", lambda m, q, k, v: attend(m, q, k, v, is_causal=True), *QKV),
    row("one batch", attend, (2, 3, 4), (2, 5, 4), (2, 5, 6)),
    row("no batch", attend, (3, 4), (5, 4), (5, 2)),
    row("three batch axes", attend, *((2, 1, 2, 3, 2),) * 3),
    row("one query", lambda m, q, k, v: attend(m, q, k, v), (2, 2, 1, 3), (2, 2, 4, 3), (2, 2, 4, 3)),
    row("one number", attend, (1, 1), (1, 1), (1, 1), second=False),
    row("scale", lambda m, q, k, v: attend(m, q, k, v, scale=0.3), *QKV),
    row("more keys, causal", lambda m, q, k, v: attend(m, q, k, v, is_causal=True), (1, 2, 3, 2), *((1, 2, 5, 2),) * 2),
    row("more queries, causal", lambda m, q, k, v: attend(m, q, k, v, is_causal=True), (1, 2, 5, 2),
        *((1, 2, 3, 2),) * 2),
    row("bool mask", attend, (2, 2, 4), (2, 3, 4), (2, 3, 4), SEES),
    row("bool mask for each head",
        lambda m, q, k, v, s: attend(m, q, k, v, s | (s.sum(-1, keepdim=True) == 0)), *QKV, booleans(2, 3, 5, 5)),
    row("a query that sees nothing", attend, (1, 2, 4), (1, 3, 4), (1, 3, 4), fixed([[True] * 3, [False] * 3])),
    row("float mask", lambda m, q, k, v, s: attend(m, q, k, v, s.detach()), *QKV[:3], fixed(np.eye(5)), gradient=False),
    row("trained mask", attend, (2, 2, 4), (2, 3, 4), (2, 3, 4), (2, 3)),
    row("trained mask, broadcast", attend, (2, 2, 2, 3), (2, 2, 4, 3), (2, 2, 4, 3), (1, 2, 4)),
    row("grouped heads", lambda m, q, k, v: attend(m, q, k, v, enable_gqa=True), (2, 4, 3, 2),
        *((2, 2, 3, 2),) * 2),
    row("no examples", attend, *((0, 2, 3, 4),) * 3, second=False),
    row("embedding", embed, integers(0, 5, 2, 3), (5, 4)),
    row("embedding, one number", embed, integers(0, 5), (5, 4)),
    row("embedding, none", embed, integers(0, 5, 0), (5, 4)),
    row("embedding, padding", lambda m, i, w: embed(m, i, w, padding_idx=1), fixed([[0, 1], [1, 2]]), (4, 3),
        gradient=False),
    row("embedding, padding from the end", lambda m, i, w: embed(m, i, w, -1), fixed([[0, 3], [3, 2]]), (4, 3),
        gradient=False),
    row("embedding, frequency", lambda m, i, w: embed(m, i, w, scale_grad_by_freq=True), fixed([2, 2, 1]), (4, 3),
        gradient=False),
    row("embedding, int32", lambda m, i, w: embed(m, i.int(), w), integers(0, 5, 4), (5, 2)),
]  # fmt: skip

REFUSED = {
    "vectors": lambda m: attend(m, *[m.ones(3)] * 3),
    "widths that differ": lambda m: attend(m, m.ones(2, 3), m.ones(2, 4), m.ones(2, 4)),
    "lengths that differ": lambda m: attend(m, m.ones(2, 3), m.ones(4, 3), m.ones(5, 3)),
    "dtypes that differ": lambda m: attend(m, m.ones(2, 3), m.ones(2, 3).double(), m.ones(2, 3)),
    "mask and causal": lambda m: attend(m, *[m.ones(2, 3)] * 3, m.ones(2, 2), is_causal=True),
    "mask of integers": lambda m: attend(m, *[m.ones(2, 3)] * 3, m.ones(2, 2, dtype=m.int64)),
    "mask of another size": lambda m: attend(m, *[m.ones(2, 3)] * 3, m.ones(3, 2)),
    "heads that do not divide": lambda m: attend(m, m.ones(1, 4, 2, 2), *[m.ones(1, 3, 2, 2)] * 2, enable_gqa=True),
    "embedding of floats": lambda m: embed(m, m.ones(2), m.ones(3, 2)),
    "embedding beyond": lambda m: embed(m, m.tensor([3]), m.ones(3, 2)),
    "embedding below": lambda m: embed(m, m.tensor([-1]), m.ones(3, 2)),
    "embedding of a vector": lambda m: embed(m, m.tensor([0]), m.ones(3)),
    "padding beyond": lambda m: m.nn.Embedding(3, 2, padding_idx=3),
    "from_pretrained of a vector": lambda m: m.nn.Embedding.from_pretrained(m.ones(3)),
    "heads that do not fit": lambda m: m.nn.MultiheadAttention(5, 2),
    "no heads": lambda m: m.nn.MultiheadAttention(4, 0),
    "query of another width": lambda m: m.nn.MultiheadAttention(4, 2)(*[m.ones(2, 3, 6)] * 3),
    "causal without a mask": lambda m: m.nn.MultiheadAttention(4, 2)(*[m.ones(2, 3, 4)] * 3, is_causal=True),
    "mask of a size that does not fit": lambda m: m.nn.MultiheadAttention(4, 2)(
        *[m.ones(2, 3, 4)] * 3, attn_mask=m.ones(3, 3)
    ),
    "unknown activation": lambda m: m.nn.TransformerEncoderLayer(4, 2, activation="tanh"),
}  # fmt: skip

TestAttention = parity(ROWS, REFUSED)


def both(torch, make, seed=0):
    """A module made by both libraries after the same seed."""
    made = []
    for m in (tg, torch):
        m.manual_seed(seed)
        made.append(make(m))
    return made


def compare(torch, ours, theirs, call, *arrays, tolerance=2e-5):
    """Results, gradients of the operands and of the parameters."""
    leaves = [[m.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays] for m in (tg, torch)]
    found, expected = call(tg, ours, *leaves[0]), call(torch, theirs, *leaves[1])
    for f, e in zip(found, expected, strict=True):
        assert (f is None) == (e is None)
        if e is not None:
            assert tuple(f.shape) == tuple(e.shape)
            np.testing.assert_allclose(f.detach().numpy(), e.detach().numpy(), rtol=tolerance, atol=tolerance)
    for result in (found, expected):
        sum((r * r * r).sum() for r in result if r is not None).backward()
    grads = [[*given, *module.parameters()] for given, module in zip(leaves, (ours, theirs), strict=True)]
    for f, e in zip(*grads, strict=True):
        assert (f.grad is None) == (e.grad is None)
        if e.grad is not None:
            scale = max(1.0, float(e.grad.abs().max()))
            np.testing.assert_allclose(f.grad.numpy() / scale, e.grad.numpy() / scale, rtol=1e-4, atol=1e-5)


X = np.random.default_rng(0).normal(size=(3, 4, 8)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(3, 5, 8)).astype(np.float32)
PADDING = np.array([[False] * 4, [False, False, True, True], [True, False, False, False]])
CAUSAL = np.triu(np.ones((4, 4), bool), 1)
FIRST = {"batch_first": True}
CALLS = {
    "plain": ({}, {}),
    "no weights": ({}, {"need_weights": False}),
    "batch first": (FIRST, {}),
    "batch first, no weights": (FIRST, {"need_weights": False}),
    "each head's weights": (FIRST, {"average_attn_weights": False}),
    "no bias": ({"bias": False}, {}),
    "bias_k and bias_v": ({"add_bias_kv": True, **FIRST}, {"attn_mask": CAUSAL, "key_padding_mask": PADDING}),
    "zeros": ({"add_zero_attn": True, **FIRST}, {"key_padding_mask": PADDING, "need_weights": False}),
    "both": ({"add_zero_attn": True, "add_bias_kv": True}, {"need_weights": False}),
    "padding": (FIRST, {"key_padding_mask": PADDING}),
    "causal mask": (FIRST, {"attn_mask": CAUSAL}),
    "causal, told so": (FIRST, {"attn_mask": CAUSAL, "is_causal": True, "need_weights": False}),
    "both masks": (FIRST, {"attn_mask": CAUSAL & False, "key_padding_mask": PADDING, "need_weights": False}),
    "mask for each head": (FIRST, {"attn_mask": np.repeat(CAUSAL[None], 6, 0), "need_weights": False}),
}


def tensors(m, options):
    return {name: m.tensor(value) if isinstance(value, np.ndarray) else value for name, value in options.items()}


@pytest.mark.parametrize("made, called", CALLS.values(), ids=list(CALLS))
def test_multihead_attention_is_pytorchs(made, called, torch):
    ours, theirs = both(torch, lambda m: m.nn.MultiheadAttention(8, 2, **made))
    assert repr(ours) == repr(theirs)
    for (name, p), (other, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        compare_weights(name, p, q)
    compare(torch, ours, theirs, lambda m, layer, x: layer(x, x, x, **tensors(m, called)), X)


def compare_weights(name, p, q):
    """Bit-equal, but for normal numbers (bias_k, bias_v), which are float32's within 1e-6."""
    if name.startswith("bias_"):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), atol=1e-6)
    else:
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_attention_to_another_sequence(torch):
    ours, theirs = both(torch, lambda m: m.nn.MultiheadAttention(8, 4, batch_first=True))
    compare(torch, ours, theirs, lambda m, layer, x, y: layer(x, y, y), X, Y)


def test_keys_and_values_of_other_widths(torch):
    ours, theirs = both(torch, lambda m: m.nn.MultiheadAttention(8, 4, kdim=5, vdim=3, batch_first=True))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    compare(torch, ours, theirs, lambda m, layer, x, k, v: layer(x, k, v), X, Y[:, :, :5].copy(), Y[:, :, :3].copy())


def test_a_sequence_without_a_batch(torch):
    ours, theirs = both(torch, lambda m: m.nn.MultiheadAttention(8, 2))
    compare(torch, ours, theirs, lambda m, layer, x: layer(x, x, x, attn_mask=m.tensor(CAUSAL)), X[0])
    compare(torch, ours, theirs, lambda m, layer, x: layer(x, x, x, m.tensor(PADDING[1]), False), X[0])


LAYERS = {
    "plain": {},
    "norm first": {"norm_first": True},
    "gelu": {"activation": "gelu", "batch_first": True},
    "no bias": {"bias": False, "layer_norm_eps": 1e-3},
}


@pytest.mark.parametrize("options", LAYERS.values(), ids=list(LAYERS))
def test_encoder_and_decoder_layers_are_pytorchs(options, torch):
    options = {"d_model": 8, "nhead": 2, "dim_feedforward": 12, "dropout": 0.0, **options}
    ours, theirs = both(torch, lambda m: m.nn.TransformerEncoderLayer(**options))
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    compare(torch, ours, theirs, lambda m, layer, x: [layer(x)], X)
    ours, theirs = both(torch, lambda m: m.nn.TransformerDecoderLayer(**options))
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    compare(torch, ours, theirs, lambda m, layer, x, y: [layer(x, y)], X, X[::-1].copy())


def test_an_activation_may_be_a_function(torch):
    ours, theirs = both(torch, lambda m: m.nn.TransformerEncoderLayer(8, 2, 12, 0.0, activation=m.nn.functional.silu))
    compare(torch, ours, theirs, lambda m, layer, x: [layer(x)], X)


def test_encoder_with_masks(torch):
    def make(m):
        layer = m.nn.TransformerEncoderLayer(8, 2, 12, 0.0, batch_first=True)
        return m.nn.TransformerEncoder(layer, 2, m.nn.LayerNorm(8), enable_nested_tensor=False)

    ours, theirs = both(torch, make)
    assert repr(ours) == repr(theirs)
    assert ours.layers[0].linear1.weight is not ours.layers[1].linear1.weight

    def call(m, model, x):
        mask = m.nn.Transformer.generate_square_subsequent_mask(4)
        return [model(x, mask), model(x, src_key_padding_mask=m.tensor(PADDING)), model(x, m.tensor(CAUSAL))]

    compare(torch, ours, theirs, call, X, tolerance=1e-4)


def test_the_whole_transformer(torch):
    ours, theirs = both(torch, lambda m: m.nn.Transformer(8, 2, 1, 2, 12, 0.0, batch_first=True))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())

    def call(m, model, x, y):
        return [model(y, x, tgt_mask=m.nn.Transformer.generate_square_subsequent_mask(4), tgt_is_causal=True)]

    compare(torch, ours, theirs, call, X, Y, tolerance=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "n, m, d, causal", [(1, 1, 1, False), (7, 9, 3, False), (33, 33, 17, True), (70, 65, 32, True)]
)
def test_the_kernel_is_the_definition(n, m, d, causal, dtype):
    """For sizes around those of registers, and operands that are strided views; forward and backward."""
    rng, tolerance = np.random.default_rng(0), 1e-5 if dtype == "float32" else 1e-12
    wide = [rng.normal(size=(2, length, 3, d + 1)).astype(dtype) for length in (n, m, m)]
    g, results = tg.tensor(rng.normal(size=(2, 3, n, d)).astype(dtype)), []
    for function in ("fused", "composed"):
        leaves = [tg.tensor(x, requires_grad=True) for x in wide]
        q, k, v = (x.transpose(1, 2)[..., :d] for x in leaves)
        options = (None, causal, 0.7) if function == "fused" else (None, 0.0, causal, 0.7)
        y = getattr(operation, function)(q, k, v, *options)
        y.backward(g)
        results.append([y.detach(), *(x.grad for x in leaves)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=tolerance, atol=tolerance * 10)


def test_the_heads_of_the_result_lie_side_by_side():
    q = tg.randn(2, 3, 4, 5, requires_grad=True)
    out = F.scaled_dot_product_attention(q, q, q).transpose(1, 2)
    assert out.is_contiguous() and out.view(2, 4, 15).shape == (2, 4, 15)


def test_dropout_drops_weights_and_keeps_the_mean():
    tg.manual_seed(0)
    q, v = tg.zeros(200, 1, 4), tg.ones(200, 50, 1)
    out = F.scaled_dot_product_attention(q, tg.zeros(200, 50, 4), v, dropout_p=0.5)
    assert 0.95 < out.mean().item() < 1.05 and out.std().item() > 0.05


def test_second_derivatives_where_a_mask_hides_and_adds():
    mask = tg.tensor([[0.0, -math.inf, 1.0], [-math.inf, -math.inf, -math.inf], [0.5, 0.0, -2.0]], dtype=tg.float64)
    given = tuple(tg.randn(2, 3, 2, dtype=tg.float64, requires_grad=True) for _ in range(3))

    def function(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, mask)

    assert gradcheck(function, given) and gradgradcheck(function, given)


def test_gradients_of_padding_and_frequency_are_pytorchs(torch):
    numbers, table = np.array([[0, 1, 1], [3, 1, 0]]), np.random.default_rng(0).normal(size=(5, 2))
    for options in ({"padding_idx": 1}, {"scale_grad_by_freq": True}, {"padding_idx": -2, "scale_grad_by_freq": True}):
        grads = []
        for m in (tg, torch):
            w = m.tensor(table, requires_grad=True)
            (embed(m, m.tensor(numbers), w, **options) ** 2).sum().backward()
            grads.append(w.grad.numpy())
        np.testing.assert_allclose(*grads, rtol=1e-12)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
def test_long_rows_that_are_looked_up_are_shortened(norm_type, torch):
    tables = []
    for m in (tg, torch):
        w = m.arange(8, dtype=m.float64).reshape(4, 2).clone().requires_grad_()
        out = embed(m, m.tensor([0, 3, 3]), w, max_norm=2.0, norm_type=norm_type)
        out.sum().backward()
        tables.append((out.detach().numpy(), w.detach().numpy(), w.grad.numpy()))
    for found, expected in zip(*tables, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_embedding_modules(torch):
    for options in ({}, {"padding_idx": -1}, {"max_norm": 1.0, "scale_grad_by_freq": True}, {"norm_type": 1.0}):
        ours, theirs = both(torch, lambda m, options=options: m.nn.Embedding(5, 4, **options))
        assert repr(ours) == repr(theirs)
        np.testing.assert_allclose(ours.weight.detach().numpy(), theirs.weight.detach().numpy(), atol=1e-6)
    table = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    frozen = nn.Embedding.from_pretrained(table, padding_idx=0)
    assert not frozen.weight.requires_grad and frozen(tg.tensor([1])).tolist() == [[3.0, 4.0]]
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(NotImplementedError, match="sparse=True"):
        nn.Embedding(3, 2, sparse=True)


def test_masks_follow_memory_as_pytorchs(torch):
    """Dropout of a transposed tensor, and in layers whose attention works on a transposed one."""

    def masks(m):
        m.manual_seed(0)
        x = m.ones(3, 4, 8)
        yield m.nn.functional.dropout(x.transpose(0, 1), 0.5)
        yield m.nn.functional.dropout(x[:, :1].expand(3, 4, 8), 0.5)
        yield m.nn.functional.dropout(m.ones(8).expand(4, 8), 0.5)
        for first in (False, True):
            layers = m.nn.TransformerEncoderLayer, m.nn.TransformerDecoderLayer
            for layer, arguments in zip(layers, [(x,), (x, x)], strict=True):
                yield layer(8, 2, 16, dropout=0.3, batch_first=True, norm_first=first)(*arguments)

    torch.manual_seed(0)
    portable = (torch.rand(96, dtype=torch.float64) < 0.5).to(torch.float32).reshape(3, 4, 8).transpose(0, 1) * 2
    if not torch.equal(next(masks(torch)), portable):
        pytest.skip("on this processor PyTorch draws these numbers by another library")
    for found, expected in zip(masks(tg), masks(torch), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
