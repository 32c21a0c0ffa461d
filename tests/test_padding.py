"""Borders, windows, other sizes, distances, dropout of channels: PyTorch's values, gradients and refusals."""

import warnings

import numpy as np
import pytest
from oracle import booleans, fixed, integers, normal, parity, row

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F


def call(name, *args, **options):
    """A row's call of a function of nn.functional."""
    return lambda m, *operands: getattr(m.nn.functional, name)(*operands, *args, **options)


IMAGE, LINE, VOLUME = (2, 3, 5, 4), (2, 3, 6), (1, 2, 3, 4, 3)
MODES = ("reflect", "replicate", "circular")
PADDING = [
    *(row(f"constant {pad} {value}", call("pad", pad, "constant", value), IMAGE) for pad, value in [
        ((1, 2), None), ((0, 0, 2, 1), 1.5), ((1, 1, 1, 1, 1, 1), 0), ((-1, 2), 3), ((-1, -1, 1, -2), None), ((), None),
        ((-2, -2), None), ((1, 0, 0, 0, 0, 0, 2, 0), -1.0), ((-4, 3), 2.0), ((3, -4), 2.0), ([1, 1], None)]),
    *(row(f"{mode} {pad}", call("pad", pad, mode), shape) for mode in MODES for pad, shape in [
        ((1, 2), LINE), ((1, 2), (3, 6)), ((3, 2, 1, 4), IMAGE), ((2, 1, 0, 3), (3, 5, 4)), ((-1, 2, 0, -2), IMAGE),
        ((1, 1, 2, 0, 1, 1), VOLUME), ((0, 0), LINE), ((-2, -2, 0, 0), (2, 2, 5, 6)), ((1, 1, 1, 1), (0, 2, 3, 3))]),
    *(row(f"{mode}, whole numbers", call("pad", (2, 1), mode), integers(-5, 5, 2, 4), gradient=False)
      for mode in (*MODES, "constant")),
    row("replicate, far", call("pad", (9, 0), "replicate"), LINE),
    row("circular, once round", call("pad", (6, 6), "circular"), LINE),
    row("bool", call("pad", (2, 1), value=True), booleans(2, 4), gradient=False),
    row("int value", call("pad", (2, 1), value=2.5), integers(0, 5, 2, 4), gradient=False),
    row("0-d", call("pad", ()), fixed(2.0)),
    *(row(f"nn.{text}", lambda m, x, text=text: eval(f"m.nn.{text}")(x), shape) for text, shape in [
        ("ZeroPad1d(2)", LINE), ("ZeroPad2d((1, 2, 0, 3))", IMAGE), ("ConstantPad1d(1, 3.5)", LINE),
        ("ConstantPad2d(1, -1)", IMAGE), ("ReflectionPad1d(2)", LINE), ("ReflectionPad2d((1, 2, 3, 0))", IMAGE),
        ("ReplicationPad1d((1, 0))", LINE), ("ReplicationPad2d(2)", IMAGE), ("CircularPad1d(2)", LINE),
        ("CircularPad2d(1)", IMAGE), ("ReplicationPad3d(1)", VOLUME), ("ZeroPad3d(1)", VOLUME)]),
]  # fmt: skip
x = lambda m: m.ones(1, 1, 4, 4)  # noqa: E731
PADDING_REFUSED = {
    f"pad {args}": lambda m, args=args: m.nn.functional.pad(x(m), *args)
    for args in [((1,),), ((1,) * 10,), ((-3, -2),), ((-5, 3),), ((1.0, 1),), (1,), ((1, 1), "reflect"),
                 ((4, 0, 0, 0), "reflect"),
                 ((1, 1, 1, 1), "reflect", 1.0), ((1, 1), "foo"), ((5, 0, 0, 0), "circular"),
                 ((-3, -2, 0, 0), "replicate"), ((1,) * 6, "reflect")]
} | {
    "a list": lambda m: m.nn.functional.pad([1.0], (1, 1)),
    "reflect of nothing": lambda m: m.nn.functional.pad(m.ones(1, 0, 4, 4), (1, 1, 1, 1), "reflect"),
    "reflect of a vector": lambda m: m.nn.functional.pad(m.ones(4), (1, 1), "reflect"),
    "module": lambda m: m.nn.ConstantPad2d((1, 1, 1), 0.0)(x(m)),
}  # fmt: skip

WINDOWS = [
    *(row(f"Tensor.unfold {args}", lambda m, x, args=args: x.unfold(*args), shape) for args, shape in [
        ((0, 3, 1), (7,)), ((0, 2, 5), (7,)), ((1, 2, 2), (3, 6)), ((-2, 4, 1), (5, 3)), ((0, 0, 1), (4,)),
        ((0, 7, 3), (7, 2)), ((2, 3, 2), (2, 2, 7, 2))]),
    row("unfold keywords", lambda m, x: x.unfold(dimension=1, size=2, step=1), (3, 4)),
    row("unfold 0-d", lambda m, x: x.unfold(0, 1, 1), fixed(3.0)),
    row("twice, and a product", lambda m, x: (x.unfold(0, 3, 1).unfold(1, 2, 1) * 2).sum(-1), (6, 5)),
    *(row(f"im2col {args} {options}", call("unfold", *args, **options), shape) for args, options, shape in [
        ((2,), {}, IMAGE), (((2, 3),), {"stride": (2, 1)}, IMAGE), ((3, 1, 1, 2), {}, IMAGE), ((2, (2, 1)), {}, IMAGE),
        ((2,), {"padding": (0, 2)}, (3, 5, 4)), ((2,), {}, (0, 1, 4, 4)), (([1, 2],), {}, IMAGE)]),
    *(row(f"col2im {args} {options}", call("fold", *args, **options), shape) for args, options, shape in [
        ((4, 2), {}, (2, 8, 9)), (((4, 5), 2), {"stride": 2}, (1, 4, 4)), ((4, 2), {"padding": 1}, (2, 4, 25)),
        (((5, 4), (2, 3)), {"dilation": (2, 1), "padding": (1, 0), "stride": 1}, (1, 6, 10)), ((4, 2), {}, (4, 9))]),
    row("im2col of bool", call("unfold", 2), booleans(1, 1, 3, 3), gradient=False),
    row("shuffle", call("pixel_shuffle", 2), (2, 8, 2, 3)),
    row("shuffle, no batch", call("pixel_shuffle", 3), (9, 2, 3)),
    row("unshuffle", call("pixel_unshuffle", 2), (2, 3, 4, 6)),
    row("unshuffle, more", call("pixel_unshuffle", 3), (2, 1, 1, 6, 3)),
    *(row(f"nn.{text}", lambda m, x, text=text: eval(f"m.nn.{text}")(x), shape) for text, shape in [
        ("Unfold((2, 3), padding=1)", IMAGE), ("Fold((4, 4), 2)", (2, 8, 9)), ("PixelShuffle(2)", (1, 4, 2, 2)),
        ("PixelUnshuffle(2)", (1, 1, 4, 2))]),
]  # fmt: skip
WINDOWS_REFUSED = {
    **{f"{name} {args}": lambda m, name=name, args=args: getattr(m.nn.functional, name)(x(m), *args) for name, args in [
        ("unfold", (5,)), ("unfold", (2, 1, 0, 0)), ("unfold", (0,)), ("unfold", (2, 1, -1)), ("unfold", (2.0,)),
        ("unfold", ((1, 2, 3),)), ("unfold", (2, 0)), ("pixel_shuffle", (2,)), ("pixel_shuffle", (0,)),
        ("pixel_shuffle", (2.0,)), ("pixel_unshuffle", (3,)), ("pixel_unshuffle", (0,))]},
    **{f"fold {args}": lambda m, args=args: m.nn.functional.fold(m.ones(1, 4, 9), *args) for args in [
        (5, 2), (4, 3), (4, 2, 1, 0, 0), (4, 2, 1, -1), ((4, 4, 4), 2)]},
    **{f"Tensor.unfold {args}": lambda m, args=args: m.ones(7).unfold(*args) for args in [
        (0, 8, 1), (0, 3, 0), (1, 3, 1), (0, -1, 1)]},
    "unfold of integers": lambda m: m.nn.functional.unfold(x(m).long(), 2),
    "pixels of a matrix": lambda m: m.nn.functional.pixel_shuffle(m.ones(4, 4), 2),
}  # fmt: skip

SIZES = [
    *(row(f"{mode} {options}", call("interpolate", mode=mode, **options), shape)
      for mode, shape in [("nearest", IMAGE), ("nearest-exact", IMAGE), ("bilinear", IMAGE), ("area", IMAGE)]
      for options in [{"size": 7}, {"size": (3, 9)}, {"scale_factor": 2}, {"scale_factor": (0.6, 1.3)}, {"size": 1},
                      {"scale_factor": 1.7, "recompute_scale_factor": True}]),
    *(row(f"{mode} of a line", call("interpolate", 11, mode=mode), LINE) for mode in ("nearest", "linear", "area")),
    *(row(f"{mode} of a volume", call("interpolate", scale_factor=2.0, mode=mode), VOLUME, second=False)
      for mode in ("nearest", "trilinear")),
    *(row(f"corners {n}", call("interpolate", n, mode="bilinear", align_corners=True), IMAGE) for n in (1, 3, (8, 5))),
    row("linear, corners", call("interpolate", 4, None, "linear", True), LINE),
    row("bytes", lambda m, x: m.nn.functional.interpolate(x.to(m.uint8), 7), integers(0, 255, 1, 1, 3, 4),
        gradient=False),
    row("empty batch", call("interpolate", 3), (0, 1, 4, 4)),
    *(row(f"nn.{text}", lambda m, x, text=text: eval(f"m.nn.{text}")(x), IMAGE) for text in [
        "Upsample(scale_factor=2)", "Upsample((7, 8), mode='bilinear', align_corners=True)", "UpsamplingNearest2d(9)",
        "UpsamplingBilinear2d(scale_factor=2)"]),
]  # fmt: skip
SIZES_REFUSED = {
    f"interpolate {options}": lambda m, options=options: m.nn.functional.interpolate(x(m), **options)
    for options in [{}, {"size": 8, "scale_factor": 2}, {"size": (8,)}, {"scale_factor": (2,)}, {"size": 0},
                    {"size": -1}, {"size": 8, "mode": "linear"}, {"size": 8, "align_corners": True},
                    {"size": 8, "mode": "foo"}, {"scale_factor": 0.1}, {"size": 8, "antialias": True},
                    {"size": 8, "recompute_scale_factor": True},
                    {"size": (8, None)}, {"size": 8.0}, {"size": 8, "mode": "trilinear"}]
} | {
    "a matrix": lambda m: m.nn.functional.interpolate(m.ones(4, 4), 8),
    "integers": lambda m: m.nn.functional.interpolate(x(m).long(), 8),
    "nothing": lambda m: m.nn.functional.interpolate(m.ones(1, 1, 0, 4), 4),
    "no channels": lambda m: m.nn.functional.interpolate(m.ones(1, 0, 4, 4), 4),
}  # fmt: skip

ROWS5, LARGE = (5, 3), normal(30, 3)
SIMILARITY = [
    row("normalize", call("normalize"), ROWS5),
    row("normalize, all", call("normalize", 3.0, 0, 1e-3), ROWS5),
    row("normalize, axes", call("normalize", p=1, dim=(0, -1)), (2, 3, 4)),
    row("normalize zeros", call("normalize"), fixed(np.zeros((2, 3))), second=False, gradient=False),
    row("cosine", call("cosine_similarity"), ROWS5, ROWS5),
    row("cosine, dim", call("cosine_similarity", dim=0, eps=1e-3), ROWS5, (3,)),
    row("cosine, last", call("cosine_similarity", dim=-1), (2, 1, 3), (4, 3)),
    row("pairwise", call("pairwise_distance"), ROWS5, ROWS5),
    row("pairwise, all", call("pairwise_distance", 1.0, 1e-2, True), (2, 5, 3), (5, 3)),
    row("pairwise, p", call("pairwise_distance", p=3), ROWS5, (3,)),
    *(row(f"cdist {p}", lambda m, a, b, p=p: m.cdist(a, b, p), ROWS5, (4, 3), second=p not in (0, float("inf")),
          gradient=p != 0) for p in (0, 1, 2, 1.5, 3, float("inf"))),
    row("cdist, batches", lambda m, a, b: m.cdist(a, b), (4, 1, 2, 3), (3, 5, 3)),
    row("cdist, many", lambda m, a, b: m.cdist(a, b), LARGE, (4, 3), second=False),
    row("cdist, exact", lambda m, a, b: m.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist"), LARGE, (4, 3),
        second=False),
    row("cdist, product", lambda m, a, b: m.cdist(a, b, compute_mode="use_mm_for_euclid_dist"), ROWS5, (4, 3)),
    row("cdist, empty", lambda m, a, b: m.cdist(a, b), (0, 3), (4, 3), gradient=False),
    row("cdist, no columns", lambda m, a, b: m.cdist(a, b), (2, 0), (4, 0), gradient=False),
    row("bilinear", call("bilinear"), (2, 5, 3), (2, 5, 4), (2, 3, 4), (2,)),
    row("bilinear, vectors", call("bilinear"), (3,), (4,), (2, 3, 4)),
    row("one_hot", call("one_hot"), integers(0, 4, 2, 3), gradient=False),
    row("one_hot, classes", call("one_hot", num_classes=6), integers(0, 4, 5), gradient=False),
    row("one_hot, 0-d", call("one_hot", 3), fixed(2, np.int64), gradient=False),
    row("one_hot, empty", call("one_hot", 3), fixed([], np.int64), gradient=False),
    row("nn.CosineSimilarity", lambda m, a, b: m.nn.CosineSimilarity(0, 1e-6)(a, b), ROWS5, ROWS5),
    row("nn.PairwiseDistance", lambda m, a, b: m.nn.PairwiseDistance(3, keepdim=True)(a, b), ROWS5, ROWS5),
]  # fmt: skip
a, w = (lambda m: m.ones(2, 3)), (lambda m: m.ones(5, 3, 4))
SIMILARITY_REFUSED = {
    **{f"one_hot {numbers} {n}": lambda m, numbers=numbers, n=n: m.nn.functional.one_hot(m.tensor(numbers), n)
       for numbers, n in [([0, 2], 2), ([0, -2], -1), ([0.0, 2.0], 3), ([0, 2], 0), ([0, 2], -2)]},
    "one_hot of nothing": lambda m: m.nn.functional.one_hot(m.tensor([]).long()),
    "normalize integers": lambda m: m.nn.functional.normalize(a(m).long()),
    "normalize no axis": lambda m: m.nn.functional.normalize(m.ones(3)),
    "cosine shapes": lambda m: m.nn.functional.cosine_similarity(a(m), m.ones(4)),
    "cosine integers": lambda m: m.nn.functional.cosine_similarity(a(m).long(), a(m).long()),
    "cosine axis": lambda m: m.nn.functional.cosine_similarity(a(m), a(m), dim=2),
    "pairwise shapes": lambda m: m.nn.functional.pairwise_distance(a(m), m.ones(4)),
    "cdist columns": lambda m: m.cdist(a(m), m.ones(2, 4)), "cdist vector": lambda m: m.cdist(a(m)[0], a(m)),
    "cdist p": lambda m: m.cdist(a(m), a(m), p=-1), "cdist integers": lambda m: m.cdist(a(m).long(), a(m).long()),
    "cdist dtypes": lambda m: m.cdist(a(m), a(m).double()),
    "cdist mode": lambda m: m.cdist(a(m), a(m), compute_mode="x"),
    **{f"bilinear {p} {q}": lambda m, p=p, q=q: m.nn.functional.bilinear(m.ones(p), m.ones(q), w(m)) for p, q in [
        ((3, 3), (2, 4)), ((2, 4), (2, 4)), ((2, 3), (2, 5)), ((2, 3), (4,))]},
    "bilinear bias": lambda m: m.nn.functional.bilinear(m.ones(2, 3), m.ones(2, 4), w(m), m.ones(4)),
    "bilinear dtypes": lambda m: m.nn.functional.bilinear(m.ones(2, 3), m.ones(2, 4), w(m).double()),
    **{f"{name} {p}": lambda m, name=name, p=p: getattr(m.nn.functional, name)(m.ones(2, 3, 4), p, True)
       for name in ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
       for p in (-0.1, 1.5)},
    "dropout1d of 4 axes": lambda m: m.nn.functional.dropout1d(x(m)),
    "channels of a vector": lambda m: m.nn.functional.feature_alpha_dropout(m.ones(4), 0.5, True),
    "nn.Dropout2d": lambda m: m.nn.Dropout2d(2.0), "nn.Bilinear": lambda m: m.nn.Bilinear(0, 1, 2),
}  # fmt: skip

TestPadding, TestWindows = parity(PADDING, PADDING_REFUSED), parity(WINDOWS, WINDOWS_REFUSED)
TestSizes, TestSimilarity = parity(SIZES, SIZES_REFUSED), parity(SIMILARITY, SIMILARITY_REFUSED)


def test_a_norm_below_eps_keeps_its_gradient(torch):
    """Of max(‖x‖, ε) in the cosine, PyTorch takes the derivative of ‖x‖ in any case."""
    gradients = []
    for m in (tg, torch):
        x = m.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
        m.cosine_similarity(x, m.tensor([[1.0, 2.0]]), eps=20.0).sum().backward()
        gradients.append(x.grad.numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-6)


def test_an_overlapping_view_is_not_changed_in_place():
    """PyTorch changes shared elements several times, in an order that it does not tell."""
    with pytest.raises(RuntimeError, match="more than one element .* refers to a single memory location"):
        tg.zeros(5).unfold(0, 3, 1).add_(1.0)


def test_unfold_is_a_view_of_the_same_memory():
    x = tg.zeros(5)
    v = x.unfold(0, 3, 2)
    x[2] = 7.0
    assert v.tolist() == [[0, 0, 7], [7, 0, 0]] and v.stride() == (2, 1)
    v[0, 1] = 5.0
    assert x[1].item() == 5.0


def test_a_change_of_the_base_reaches_an_overlapping_view(torch):
    """Elements that several windows show collect the gradients of all of them."""
    gradients = []
    for m in (tg, torch):
        x = m.arange(5.0).requires_grad_()
        y = x * 1.0
        v = y.unfold(0, 3, 1)
        y *= 2.0
        (v * m.arange(9.0).reshape(3, 3)).sum().backward()
        gradients.append(x.grad.tolist())
    assert gradients[0] == gradients[1]


def test_the_distance_of_a_row_to_itself_has_gradient_0():
    for n in (4, 30):
        x = tg.randn(n, 3).requires_grad_()
        tg.cdist(x, x.detach()).diagonal().sum().backward()
        assert (n == 30 or (x.grad == 0).all()) and x.grad.isfinite().all()


@pytest.mark.parametrize("options", [{"mode": "bicubic"}, {"mode": "bilinear", "antialias": True}])
def test_what_is_left_out_says_so(options):
    with pytest.raises(NotImplementedError, match="not implemented.*"):
        F.interpolate(tg.ones(1, 1, 4, 4), 8, **options)


def test_the_old_name_warns():
    with pytest.warns(UserWarning, match="deprecated"):
        assert F.upsample(tg.ones(1, 1, 2, 2), 4).shape == (1, 1, 4, 4)


def test_weights_of_bilinear_are_pytorchs(torch):
    for m in (tg, torch):
        m.manual_seed(3)
    ours, theirs = tg.nn.Bilinear(3, 4, 5), torch.nn.Bilinear(3, 4, 5)
    assert repr(ours) == repr(theirs)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


TEXTS = ["ZeroPad2d(1)", "ConstantPad1d((1, 2), 3.5)", "ReflectionPad2d(2)", "Upsample(scale_factor=2)", "Unfold(3)",
         "Upsample(size=(3, 4), mode='bilinear')", "Fold((4, 4), 2)", "PixelShuffle(2)", "CosineSimilarity()",
         "PairwiseDistance()", "Dropout2d(0.3)", "AlphaDropout()", "CircularPad1d(1)"]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_modules_print_as_pytorchs(text, torch):
    assert repr(eval(f"tg.nn.{text}")) == repr(eval(f"torch.nn.{text}"))


# Dropout of channels.
def masks_are_mkls(torch):
    """On some processors PyTorch draws these masks elsewhere."""
    torch.manual_seed(0)
    tg.manual_seed(0)
    return not np.array_equal(torch.empty(64).bernoulli_(0.5).numpy(), F.dropout(tg.ones(64)).numpy() / 2)


@pytest.mark.parametrize("name", ["dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_masks_are_pytorchs(name, p, torch):
    if p == 0.3 and masks_are_mkls(torch):
        pytest.skip("on this processor PyTorch's bernoulli_ uses MKL's stream")
    shape = {"dropout1d": (4, 5, 6), "dropout3d": (2, 5, 2, 2, 2)}.get(name, (4, 5, 3, 2))
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = []
    for m in (tg, torch):
        m.manual_seed(1)
        x = m.tensor(values)
        found.append(getattr(m.nn.functional, name)(x, p, training=True).numpy())
    np.testing.assert_allclose(*found, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "name, shape",
    [("dropout1d", (50, 4)), ("dropout1d", (20, 50, 4)), ("dropout2d", (20, 50, 3, 2)), ("dropout3d", (50, 2, 2, 2))],
)
def test_whole_channels_are_dropped(name, shape):
    for inplace in (False, True):
        x = tg.ones(shape)
        y = getattr(F, name)(x, 0.25, True, inplace)
        flat = y.reshape(-1, int(np.prod(shape[1 if name == "dropout3d" or len(shape) == 2 else 2 :])))
        assert (flat.amax(1) == flat.amin(1)).all() and set(y.unique().tolist()) <= {0.0, np.float32(4 / 3)}
        assert (y is x) == inplace and abs(y.mean().item() - 1.0) < 0.25


@pytest.mark.parametrize("inplace", [False, True])
def test_alpha_dropout_keeps_mean_and_variance(inplace):
    tg.manual_seed(0)
    x = tg.randn(20000)
    y = F.alpha_dropout(x, 0.2, True, inplace)
    assert abs(y.mean().item()) < 0.05 and abs(y.var().item() - 1.0) < 0.05 and (y is x) == inplace
    assert F.alpha_dropout(x, 0.2) is x and tg.nn.AlphaDropout(0.2).eval()(x) is x


def test_dropout2d_of_other_shapes_warns():
    for shape in ((2, 3, 4), (2, 3)):
        with pytest.warns(UserWarning, match="dropout2d"):
            F.dropout2d(tg.ones(shape))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.dropout2d(tg.ones(2, 3, 4, 4))
