"""Convolution, pooling, attention, recurrent layers: the GPU gives what the CPU gives, gradients included."""

from copy import deepcopy

import pytest
from tinygrad_kernels.cuda import convolution_weights

import tinygrad_edu as torch
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn

pytestmark = pytest.mark.usefixtures("order")
ROUNDINGS = 16  # of the largest number of a result: how far two orders of the same sums may lie apart


def values(f, operands, device):
    """What f returns on a device, and the gradients of its floating operands for a cotangent that is no constant."""
    here = [x.detach().to(device).requires_grad_(x.is_floating_point()) for x in operands]
    results = f(*here)
    results = results if isinstance(results, tuple) else (results,)
    assert all(y.device.type == device for y in results)
    for y in results:
        if y.requires_grad:
            weights = torch.linspace(-1.0, 2.0, y.numel()).reshape(y.shape).to(y.dtype)
            (y * weights.to(device)).sum().backward(retain_graph=True)
    return [y.detach().cpu() for y in results] + [x.grad.cpu() for x in here if x.grad is not None]


def assert_agree(f, *operands):
    for got, want in zip(values(f, operands, "cuda"), values(f, operands, "cpu"), strict=True):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        if not want.is_floating_point():
            assert torch.equal(got, want)
        elif want.numel():
            bound = ROUNDINGS * torch.finfo(want.dtype).eps * float(want.abs().max())
            assert float((got - want).abs().max()) <= bound


def randn(*shape, dtype=torch.float32):
    torch.manual_seed(sum(shape))
    return torch.randn(*shape).to(dtype)


# Pooling ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("arguments", [(2,), (3, 2, 1), (3, 1, 1, 2), ((2, 3), (1, 2)), (2, 2, 0, 1, True)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_max_pool(arguments, dtype):
    assert_agree(lambda x: F.max_pool2d(x, *arguments), randn(2, 2, 7, 5, dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_max_pool_of_integers(dtype):
    x = torch.arange(30).reshape(1, 5, 6).to(dtype)
    assert_agree(lambda x: F.max_pool2d(x, 3, 2, return_indices=True), x)


def test_max_pool_keeps_nan_and_the_first_of_equals():
    x = torch.tensor([[[1.0, float("nan"), 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]], device="cuda", requires_grad=True)
    y = F.max_pool2d(x, 2)
    y.sum().backward()
    assert y.isnan().cpu().flatten().tolist() == [True, False]
    assert x.grad.cpu().flatten().tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_max_pool_of_one_axis_and_adaptive():
    assert_agree(lambda x: F.max_pool1d(x, 3, 1), randn(2, 3, 9))
    assert_agree(lambda x: F.adaptive_max_pool2d(x, (3, 2)), randn(2, 7, 5))


@pytest.mark.parametrize(
    "mean",
    [
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
        lambda x: F.avg_pool2d(x, 3, 1, 1, False, False),
        lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
        lambda x: F.adaptive_avg_pool2d(x, 1),  # windows of 99 elements: a warp for each
        lambda x: F.avg_pool1d(x[0], 4, 3),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_means(mean, dtype):
    assert_agree(mean, randn(1, 2, 9, 11, dtype=dtype))


def test_means_of_integers():
    assert_agree(lambda x: F.avg_pool2d(x, 2), torch.arange(-20, 10).reshape(1, 5, 6))


def test_pools_of_an_empty_batch():
    assert_agree(lambda x: F.max_pool2d(x, 2), torch.zeros(0, 2, 4, 4))
    assert_agree(lambda x: F.avg_pool2d(x, 2), torch.zeros(0, 2, 4, 4))


# Convolution --------------------------------------------------------------------------------------------------
CONVOLUTIONS = [  # x, w, arguments; from 16 channels on by tiles
    ((2, 2, 4, 5), (2, 2, 2, 1), {}),
    ((1, 1, 6, 5), (1, 1, 3, 3), {"stride": 2, "padding": 1}),
    ((1, 2, 7, 8), (2, 1, 3, 2), {"stride": (2, 3), "padding": (2, 1), "dilation": (2, 1), "groups": 2}),
    ((1, 1, 7, 8), (2, 1, 2, 3), {"stride": 2, "dilation": 2}),  # an odd pixel is read by nobody
    ((1, 1, 9, 9), (1, 1, 2, 2), {"stride": 4}),
    ((1, 2, 5, 5), (2, 1, 2, 3), {"groups": 2, "padding": "same"}),
    ((1, 17, 3, 4), (18, 17, 1, 2), {"padding": (0, 1)}),
    ((1, 32, 3, 4), (34, 16, 1, 2), {"stride": (1, 2), "padding": (0, 1), "groups": 2}),
]


@pytest.mark.parametrize(("x", "w", "arguments"), CONVOLUTIONS)
def test_convolution(x, w, arguments):
    assert_agree(lambda x, w, b: F.conv2d(x, w, b, **arguments), randn(*x), randn(*w), randn(w[0]))


@pytest.mark.parametrize("which", [1, 6])
def test_convolution_in_float64(which):
    x, w, arguments = CONVOLUTIONS[which]
    assert_agree(lambda x, w: F.conv2d(x, w, **arguments), *(randn(*s, dtype=torch.float64) for s in (x, w)))


def test_rows_and_places_that_fill_more_than_a_tile():
    x = randn(1, 17, 2, 36)
    assert_agree(lambda w: F.conv2d(x.to(w.device), w), randn(66, 17, 1, 2))


def test_gradient_of_weights_in_pieces(monkeypatch):
    monkeypatch.setattr(convolution_weights, "pieces_for", lambda *sizes: 3)
    x = randn(2, 4, 5, 6)
    assert_agree(lambda w: F.conv2d(x.to(w.device), w), randn(16, 4, 2, 2))


def test_transposed_convolution():
    x, w, b = randn(1, 1, 3, 4), randn(1, 2, 3, 2), randn(2)
    assert_agree(lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1), x, w, b)


def test_convolution_of_one_axis():
    assert_agree(lambda x, w, b: F.conv1d(x, w, b, padding="same"), randn(2, 2, 9), randn(2, 2, 4), randn(2))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
def test_convolution_of_integers_wraps_around(dtype):
    x, w = torch.arange(50).reshape(1, 2, 5, 5).to(dtype), torch.arange(16).reshape(2, 2, 2, 2).to(dtype)
    assert_agree(lambda x, w: F.conv2d(x, w, padding=1), x, w)


def test_convolution_without_channels_is_the_bias():
    assert_agree(lambda x, w, b: F.conv2d(x, w, b), torch.zeros(1, 0, 3, 3), torch.zeros(2, 0, 2, 2), randn(2))


# Attention ----------------------------------------------------------------------------------------------------
attention = F.scaled_dot_product_attention


@pytest.mark.parametrize(("causal", "dtype"), [(False, torch.float32), (True, torch.float64)])
def test_attention(causal, dtype):
    q, k, v = randn(1, 2, 5, 3, dtype=dtype), randn(1, 2, 7, 3, dtype=dtype), randn(1, 2, 7, 4, dtype=dtype)
    assert_agree(lambda q, k, v: attention(q, k, v, is_causal=causal), q, k, v)


@pytest.mark.parametrize("mask", [randn(2, 1, 5, 7), torch.arange(35).reshape(5, 7) > 9, torch.zeros(5, 7) > 0])
def test_attention_with_a_mask(mask):
    batch = mask.shape[0] if mask.dim() == 4 else 1
    q, k, v = randn(batch, 1, 5, 3), randn(batch, 1, 7, 3), randn(batch, 1, 7, 4)
    assert_agree(lambda q, k, v: attention(q, k, v, mask.to(q.device)), q, k, v)


def test_attention_of_heads_cut_out_of_one_matrix():
    def heads(x):
        return attention(*(part.reshape(2, 5, 2, 3).transpose(1, 2) for part in x.chunk(3, -1)))

    assert_agree(heads, randn(2, 5, 18))


def test_attention_longer_than_a_tile():
    assert_agree(attention, randn(65, 3), randn(5, 3), randn(5, 2))
    assert_agree(attention, randn(3, 3), randn(66, 3), randn(66, 2))


# Recurrent layers ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.RNN(3, 4),
        lambda: nn.RNN(3, 4, nonlinearity="relu", bias=False),
        lambda: nn.LSTM(3, 4, bidirectional=True),
        lambda: nn.GRU(3, 4, bidirectional=True),
    ],
)
def test_recurrent_layers(make, dtype):
    torch.manual_seed(0)
    original = make().to(dtype)
    found = {}
    for device in ("cpu", "cuda"):
        layer = deepcopy(original).to(device)

        def run(x, layer=layer):
            out, last = layer(x)
            return out, *(last if isinstance(last, tuple) else (last,))

        found[device] = values(run, [randn(2, 3, 3, dtype=dtype)], device)
        found[device] += [p.grad.cpu() for p in layer.parameters()]
    for got, want in zip(found["cuda"], found["cpu"], strict=True):
        assert float((got - want).abs().max()) <= ROUNDINGS * torch.finfo(dtype).eps * float(want.abs().max())
