"""Mistakes found in well-known libraries of this kind, looked for in layers, in losses, and in what trains them.

test_traps.py has those of the engine and of the kernels, and the list of all; here are tables over many operations.
"""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn

Z, A = [[0.0, 0.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]
KINKS = {  # x is Z: a row of zeros, and one that equals the second row of y = A
    "normalize": lambda m, f, x, y: f.normalize(x),
    "normalize, absolute": lambda m, f, x, y: f.normalize(x, p=1.0),
    "cosine_similarity": lambda m, f, x, y: f.cosine_similarity(x, y),
    "pairwise_distance": lambda m, f, x, y: f.pairwise_distance(x, y),
    "pairwise_distance, eps 0": lambda m, f, x, y: f.pairwise_distance(x, y, eps=0.0),
    "cdist": lambda m, f, x, y: m.cdist(x, y),
    "dist": lambda m, f, x, y: m.dist(x[1], y[1]),
    "vector_norm": lambda m, f, x, y: m.linalg.vector_norm(x, dim=1),
    "vector_norm, largest": lambda m, f, x, y: m.linalg.vector_norm(x, float("inf"), dim=1),
    "matrix_norm": lambda m, f, x, y: m.linalg.matrix_norm(x - y + y - x),
    "norm of a difference": lambda m, f, x, y: (x - y).norm(dim=1),
    "std": lambda m, f, x, y: x.std(1),
    "var_mean": lambda m, f, x, y: m.var_mean(x, 1)[0],
    "batch_norm": lambda m, f, x, y: f.batch_norm(x * 0.0, None, None, training=True),
    "layer_norm": lambda m, f, x, y: f.layer_norm(x, (2,)),
    "rms_norm": lambda m, f, x, y: f.rms_norm(x, (2,)),
    "l1_loss": lambda m, f, x, y: f.l1_loss(x, y),
    "smooth_l1_loss, beta 0": lambda m, f, x, y: f.smooth_l1_loss(x, y, beta=0.0),
    "smooth_l1_loss": lambda m, f, x, y: f.smooth_l1_loss(x, y, beta=1.0),
    "huber_loss": lambda m, f, x, y: f.huber_loss(x, y, delta=2.0),
    "hinge_embedding_loss": lambda m, f, x, y: f.hinge_embedding_loss(x, m.tensor([[1.0, -1.0], [-1.0, 1.0]]), 3.0),
    "margin_ranking_loss": lambda m, f, x, y: f.margin_ranking_loss(x, y, m.ones(2, 2)),
    "triplet_margin_loss": lambda m, f, x, y: f.triplet_margin_loss(x, x * 1.0, y, margin=5.0),
    "multi_margin_loss": lambda m, f, x, y: f.multi_margin_loss(x, m.tensor([0, 1])),
    "poisson_nll_loss": lambda m, f, x, y: f.poisson_nll_loss(x, y, log_input=False),
    "gaussian_nll_loss": lambda m, f, x, y: f.gaussian_nll_loss(x, y, m.zeros(2, 2)),
    "binary_cross_entropy": lambda m, f, x, y: f.binary_cross_entropy(x.clamp(max=1.0), m.ones(2, 2, dtype=m.float64)),
    "max_pool1d": lambda m, f, x, y: f.max_pool1d(x.flatten()[None], 2),
    "hardtanh": lambda m, f, x, y: f.hardtanh(x, 0.0, 3.0),
    "relu6": lambda m, f, x, y: f.relu6(x * 2.0),
    "hardsigmoid": lambda m, f, x, y: f.hardsigmoid(x),
    "hardswish": lambda m, f, x, y: f.hardswish(x),
    "softshrink": lambda m, f, x, y: f.softshrink(x, 3.0),
    "hardshrink": lambda m, f, x, y: f.hardshrink(x, 3.0),
    "threshold": lambda m, f, x, y: f.threshold(x, 3.0, 7.0),
    "leaky_relu": lambda m, f, x, y: f.leaky_relu(x),
    "prelu": lambda m, f, x, y: f.prelu(x, m.tensor([0.25], dtype=m.float64)),
    "clamp": lambda m, f, x, y: x.clamp(0.0, 3.0),
    "median": lambda m, f, x, y: x.median(1).values,
    "topk": lambda m, f, x, y: x.topk(1)[0],
    "sort": lambda m, f, x, y: x.sort(dim=1, stable=True)[0] * y,
    "cummax": lambda m, f, x, y: x.cummax(1).values,
    "cumprod": lambda m, f, x, y: x.cumprod(1),
    "quantile": lambda m, f, x, y: x.quantile(0.5, 1),
    "renorm": lambda m, f, x, y: x.renorm(2, 0, 2.0),
    "hypot": lambda m, f, x, y: m.hypot(x, x * 0.0),
    "atan2": lambda m, f, x, y: m.atan2(x, y),
    "xlogy": lambda m, f, x, y: m.xlogy(x, x + 1.0),
    "sinc": lambda m, f, x, y: m.sinc(x),
}


@pytest.mark.parametrize("call", KINKS.values(), ids=KINKS)
def test_zeros_ties_and_kinks_have_pytorchs_gradient(call, torch):
    """Traps: norm at 0; std at 0; ties in max counted for each; relu of NaN: whatever PyTorch gives, nan included."""
    results = []
    for m in (tg, torch):
        x, y = (m.tensor(values, dtype=m.float64, requires_grad=True) for values in (Z, A))
        with np.errstate(all="ignore"):
            out = call(m, m.nn.functional, x, y)
        out.sum().backward()
        results.append([out.detach().numpy(), *(t.grad.numpy() for t in (x, y) if t.grad is not None)])
    assert len(results[0]) == len(results[1])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)  # PyTorch has some float32 constants


LAYERS = {  # a module, and the shape of what it takes
    "Linear": (lambda: nn.Linear(4, 3), (2, 4)),
    "Conv1d": (lambda: nn.Conv1d(4, 3, 3, padding=1), (2, 4, 5)),
    "Conv2d": (lambda: nn.Conv2d(4, 3, 3, stride=2), (2, 4, 5, 5)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(4, 3, 2), (2, 4, 3, 3)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(4), (3, 4)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(4, momentum=None), (3, 4, 2, 2)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (3, 4)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (3, 4, 2)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(4, affine=True), (3, 4, 5)),
    "RMSNorm": (lambda: nn.RMSNorm(4), (3, 4)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 4, 5, 5)),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, padding=1), (2, 4, 5, 5)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(2), (2, 4, 5, 5)),
    "Upsample": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 4, 3, 3)),
    "Unfold": (lambda: nn.Unfold(2), (2, 4, 3, 3)),
    "Dropout": (lambda: nn.Dropout(0.3), (3, 4)),
    "AlphaDropout": (lambda: nn.AlphaDropout(0.3), (3, 4)),
    "GELU": (lambda: nn.GELU(), (3, 4)),
    "PReLU": (lambda: nn.PReLU(4), (3, 4)),
    "Softmax": (lambda: nn.Softmax(1), (3, 4)),
    "RNN": (lambda: nn.RNN(4, 3), (5, 2, 4)),
    "LSTM": (lambda: nn.LSTM(4, 3, bidirectional=True), (5, 2, 4)),
    "GRU": (lambda: nn.GRU(4, 3, num_layers=2), (5, 2, 4)),
    "LSTMCell": (lambda: nn.LSTMCell(4, 3), (2, 4)),
    "TransformerEncoderLayer": (lambda: nn.TransformerEncoderLayer(4, 2, 8), (5, 2, 4)),
}


def first(out):
    return first(out[0]) if isinstance(out, tuple) else out


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64], ids=str)
@pytest.mark.parametrize("make, shape", LAYERS.values(), ids=LAYERS)
def test_a_layer_and_its_training_stay_in_their_dtype(make, shape, dtype):
    """Trap: float32 creeping to float64 through Python scalars or 0-d arrays; and float32 forced."""
    layer, x = make().to(dtype), tg.randn(*shape, dtype=dtype, requires_grad=True)
    out = first(layer(x))
    (out * 0.5 + 1).square().mean().backward()
    assert out.dtype is dtype and x.grad.dtype is dtype and x.grad.shape == x.shape
    if parameters := list(layer.parameters()):
        tg.optim.Adam(parameters, lr=0.1, weight_decay=0.1).step()
    state = layer.state_dict()
    assert {t.dtype for name, t in state.items() if "num_batches" not in name} <= {dtype}


@pytest.mark.parametrize("make, shape", LAYERS.values(), ids=LAYERS)
def test_what_a_layer_saved_is_not_changed_unnoticed(make, shape):
    """Trap: editing data after it was saved: an error, or the gradient as if nothing had been changed."""
    layer, x = make(), tg.randn(*shape, requires_grad=True)

    def gradient(change):
        tg.manual_seed(0)
        h = x * 1.0
        out = first(layer(h))
        with tg.no_grad():
            change(h)
        return tg.autograd.grad((out * out.detach()).sum(), x)[0]

    expected = gradient(lambda h: h)
    try:
        found = gradient(lambda h: h.mul_(3.0))
    except RuntimeError as error:
        assert "modified by an inplace operation" in str(error)
    else:
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


@pytest.mark.parametrize("make, shape", LAYERS.values(), ids=LAYERS)
def test_backward_twice_adds_the_same_again(make, shape):
    """Trap: stale intermediate gradients: second `backward()` gives 3, not 2; and aliasing of the gradients."""
    layer, x = make().double(), tg.randn(*shape, dtype=tg.float64, requires_grad=True)
    loss = first(layer(x)).square().sum()
    loss.backward(retain_graph=True)
    leaves = [x, *(p for p in layer.parameters() if p.grad is not None)]
    once = [p.grad.numpy().copy() for p in leaves]
    loss.backward()
    for p, g in zip(leaves, once, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), 2.0 * g, rtol=1e-9, atol=1e-12)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    buffers = {p.grad.numpy().__array_interface__["data"][0] for p in leaves}
    assert len(buffers) == len(leaves)


def test_a_layer_refuses_integers_as_parameters():
    """Trap: integer tensors that require a gradient and quietly get none."""
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(tg.tensor([1, 2]))
    assert not nn.Parameter(tg.tensor([1, 2]), requires_grad=False).requires_grad


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"])
def test_a_tied_weight_is_stepped_once(name):
    """Trap: tied weights, stepped twice by the optimizer (DeZero): one layer used twice has one weight."""
    after = []
    for tied in (True, False):
        layer = nn.Linear(2, 2, bias=False)
        with tg.no_grad():
            layer.weight.copy_(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
        model = nn.Sequential(layer, nn.Tanh(), layer) if tied else layer
        layer.weight.grad = tg.tensor([[0.5, -1.0], [2.0, 0.25]])
        getattr(tg.optim, name)(model.parameters(), lr=0.1).step()
        after.append(layer.weight.tolist())
    assert after[0] == after[1]


def test_a_loss_gives_a_gradient_to_whichever_operand_wants_one(torch):
    """Trap: a loss that differentiates only its first operand: tutorials write `loss(Y, y_pred)`."""
    p, q = np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([[0.3, 0.7], [0.9, 0.1]])
    names = ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "cross_entropy", "kl_div",
             "binary_cross_entropy_with_logits", "poisson_nll_loss"]  # fmt: skip
    for name in names:
        options = {"reduction": "batchmean"} if name == "kl_div" else {}
        grads = []
        for m in (tg, torch):
            target = m.tensor(q, requires_grad=True)
            getattr(m.nn.functional, name)(m.tensor(p), target, **options).backward()
            grads.append(target.grad.numpy())
        np.testing.assert_allclose(*grads, rtol=1e-10, atol=1e-12, err_msg=name)
