"""Pooling: values, places and gradients are PyTorch's, for every argument; and what both refuse."""

import numpy as np
import pytest
from oracle import distinct, fixed, integers, parity, row

import tinygrad_edu as tg
from tinygrad_edu.nn import functional as F

IMAGE, LINE = distinct(2, 2, 7, 6), distinct(2, 3, 11)
NAN = float("nan")
SLIDING = {  # (dimensions, operand, arguments)
    "2": (2, IMAGE, dict(kernel_size=2)),
    "pairs": (2, distinct(2, 1, 6, 4), dict(kernel_size=2)),
    "pairs, a column left": (2, distinct(2, 1, 4, 5), dict(kernel_size=2)),
    "overlapping": (2, IMAGE, dict(kernel_size=3, stride=1)),
    "oblong": (2, IMAGE, dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 0))),
    "padded": (2, IMAGE, dict(kernel_size=4, stride=3, padding=2)),
    "ceil": (2, IMAGE, dict(kernel_size=2, stride=2, ceil_mode=True)),
    "ceil, padded": (2, IMAGE, dict(kernel_size=3, stride=3, padding=1, ceil_mode=True)),
    "ceil, last one dropped": (2, distinct(1, 5, 5), dict(kernel_size=2, stride=3, padding=1, ceil_mode=True)),
    "stride list": (2, IMAGE, dict(kernel_size=[2, 2], stride=[1, 2])),
    "no batch": (2, distinct(3, 5, 5), dict(kernel_size=2)),
    "line": (1, LINE, dict(kernel_size=3)),
    "line, all": (1, LINE, dict(kernel_size=3, stride=2, padding=1, ceil_mode=True)),
    "line, no batch": (1, distinct(3, 11), dict(kernel_size=(2,), stride=1)),
    "whole": (2, IMAGE, dict(kernel_size=(7, 6))),
    "empty batch": (2, distinct(0, 2, 4, 4), dict(kernel_size=2)),
}
ADAPTIVE = {
    "1": (2, IMAGE, 1), "pair": (2, IMAGE, (3, 4)), "None": (2, IMAGE, (None, 2)), "more": (2, IMAGE, (9, 8)),
    "no batch": (2, distinct(2, 5, 5), (2, 3)), "nothing": (2, IMAGE, 0), "line": (1, LINE, 4),
    "line, tuple": (1, distinct(3, 11), (3,)), "same": (1, LINE, 11), "empty batch": (2, distinct(0, 2, 4, 4), 2),
}  # fmt: skip


def sliding(kind, dims, operand, arguments):
    return lambda m, x: getattr(m.nn.functional, f"{kind}_pool{dims}d")(x, **arguments)


def adaptive(kind, dims, size):
    return lambda m, x: getattr(m.nn.functional, f"adaptive_{kind}_pool{dims}d")(x, size)


ROWS = [
    *(row(f"{kind}: {n}", sliding(kind, *case), case[1]) for kind in ("max", "avg") for n, case in SLIDING.items()),
    *(
        row(f"adaptive {kind}: {n}", adaptive(kind, d, size), x, gradient=n != "nothing")
        for kind in ("max", "avg")
        for n, (d, x, size) in ADAPTIVE.items()
    ),
    *(
        row(f"max with places: {n}", sliding("max", *case[:2], case[2] | {"return_indices": True}), case[1])
        for n, case in SLIDING.items()
    ),
    row("dilation", lambda m, x: m.nn.functional.max_pool2d(x, 3, 1, 1, 2), IMAGE),
    row("dilations", lambda m, x: m.nn.functional.max_pool2d(x, (2, 3), 2, 1, (3, 1), True), IMAGE),
    row("dilation of a line", lambda m, x: m.nn.functional.max_pool1d(x, 3, 2, 1, 2, True, True), LINE),
    row("no count of padding", lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, False, False), IMAGE),
    row("no count, ceil", lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, True, False), IMAGE),
    row("no count, line", lambda m, x: m.nn.functional.avg_pool1d(x, 4, 3, 2, True, False), LINE),
    row("divisor", lambda m, x: m.nn.functional.avg_pool2d(x, 3, 2, 1, divisor_override=5), IMAGE),
    row("negative divisor", lambda m, x: m.nn.functional.avg_pool2d(x, 2, divisor_override=-2), IMAGE),
    row("adaptive with places", lambda m, x: m.nn.functional.adaptive_max_pool2d(x, (3, 4), True), IMAGE),
    row("adaptive line, places", lambda m, x: m.nn.functional.adaptive_max_pool1d(x, 4, return_indices=True), LINE),
    row("max of integers", lambda m, x: m.nn.functional.max_pool2d(x, 2, 1, 1), integers(-9, 9, 2, 5, 5),
        gradient=False),
    row("mean of integers", lambda m, x: m.nn.functional.avg_pool2d(x, 2), integers(-9, 9, 2, 6, 5), gradient=False),
    row("mean, integer line", lambda m, x: m.nn.functional.avg_pool1d(x, 3), integers(-9, 9, 2, 7), gradient=False),
    row("nan", lambda m, x: m.nn.functional.max_pool2d(x, 2, return_indices=True),
        fixed([[[NAN, 1, 2, 3], [4, NAN, 0, NAN]]]), gradient=False),
    row("nan, overlapping", lambda m, x: m.nn.functional.max_pool2d(x, 2, 1, 1, return_indices=True),
        fixed([[[NAN, 1, 2, 3], [4, NAN, 0, NAN]]]), gradient=False),
    row("-inf", lambda m, x: m.nn.functional.max_pool2d(x, 2, padding=1, return_indices=True),
        fixed([[[-np.inf] * 3] * 3]), gradient=False),
    row("ties: the first", lambda m, x: m.nn.functional.max_pool2d(x, 3, 1, return_indices=True),
        fixed(np.ones((1, 4, 4))), gradient=False),
    *(
        row(f"module {text}", lambda m, x, text=text: eval(f"m.nn.{text}", {"m": m})(x), x)
        for x, text in [
            (IMAGE, "MaxPool2d(3, stride=2, padding=1, dilation=1, ceil_mode=True)"),
            (IMAGE, "MaxPool2d(2, return_indices=True)"), (LINE, "MaxPool1d(3)"),
            (LINE, "AvgPool1d(3, 2, 1, True, False)"),
            (IMAGE, "AvgPool2d((2, 3), divisor_override=4)"), (IMAGE, "AdaptiveAvgPool2d((2, None))"),
            (LINE, "AdaptiveAvgPool1d(2)"), (IMAGE, "AdaptiveMaxPool2d(2)"), (LINE, "AdaptiveMaxPool1d(2, True)"),
        ]
    ),
]  # fmt: skip
x, v = (lambda m: m.ones(1, 1, 4, 4)), (lambda m: m.ones(2, 1, 4))
CALLS = {
    "max_pool2d": [(5,), (2, 2, 2), (2, 2, -1), (2, 0), (2, 1, 0, 0), (0,), ((1, 2, 3),), (2.0,), (2, (1, 1, 1))],
    "avg_pool2d": [(5,), (2, 2, 2), (2, 2, -1), (2, 0), (0,), ((1, 2, 3),), (2, 2, 0, False, True, 0)],
    "adaptive_avg_pool2d": [(-1,), ((1, 2, 3),), ((3,),), (2.0,)], "adaptive_max_pool2d": [(-1,), ((3,),)],
}  # fmt: skip
LINES = {"max_pool1d": [(5,), (2, 2, 2), ((2, 2),), (2, 0), (0,), (2, 1, 0, 0)],
         "avg_pool1d": [(5,), ((2, 2),), (2, 0)],
         "adaptive_max_pool1d": [((3, 4),), (-1,)]}  # fmt: skip
REFUSED = {
    **{
        f"{name}{args}": lambda m, name=name, args=args, make=make: getattr(m.nn.functional, name)(make(m), *args)
        for table, make in ((CALLS, x), (LINES, v))
        for name, several in table.items()
        for args in several
    },
    **{
        f"{name} of {shape}": lambda m, name=name, shape=shape: getattr(m.nn.functional, name)(m.ones(shape), 2)
        for name in ("max_pool1d", "max_pool2d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool2d")
        for shape in ((4,), (1, 1, 1, 4, 4), (2, 3, 0))
    },
    "a list": lambda m: m.nn.functional.max_pool2d([1.0], 2),
    "bool": lambda m: m.nn.functional.max_pool2d(x(m).bool(), 2),
    "integer line": lambda m: m.nn.functional.max_pool1d(v(m).long(), 2),
    "adaptive mean of integers": lambda m: m.nn.functional.adaptive_avg_pool2d(x(m).long(), 2),
    "adaptive maximum of integers": lambda m: m.nn.functional.adaptive_max_pool1d(v(m).long(), 2),
}

TestPooling = parity(ROWS, REFUSED)


def test_pairs_and_the_general_kernel_agree_to_the_place():
    x = tg.tensor(np.random.default_rng(0).integers(0, 4, (3, 2, 8, 7)).astype(np.float32))
    fast = F.max_pool2d(x, 2, return_indices=True)
    general = F.max_pool2d(x, 2, dilation=(1, 1), padding=0, ceil_mode=True, return_indices=True)
    for a, b in zip(fast, general, strict=True):
        assert (a == b[..., :3]).all()


def test_a_change_after_a_maximum_does_no_harm():
    """The backward needs only the places."""
    x = tg.arange(16.0).reshape(1, 4, 4).requires_grad_()
    y = x * 1.0
    out = F.max_pool2d(y, 2)
    with tg.no_grad():
        y.zero_()
    out.sum().backward()
    assert x.grad.nonzero().tolist() == [[0, 1, 1], [0, 1, 3], [0, 3, 1], [0, 3, 3]]


@pytest.mark.parametrize(
    "kind",
    [
        "MaxPool2d(2)",
        "AvgPool1d(3, padding=1)",
        "AdaptiveAvgPool2d((2, None))",
        "AvgPool2d(2, ceil_mode=True)",
        "MaxPool1d(2, 1)",
        "AdaptiveMaxPool1d(3)",
    ],
)
def test_modules_print_as_pytorchs(kind, torch):
    assert repr(eval(f"tg.nn.{kind}")) == repr(eval(f"torch.nn.{kind}"))


def test_a_window_without_an_element_is_refused():
    """PyTorch gives -inf, and a place outside of the image."""
    with pytest.raises(RuntimeError, match="some window lies in the padding"):
        F.max_pool2d(tg.ones(1, 1, 5), 2, 2, 1, 3, True)


def test_random_arguments_agree_with_pytorch(torch):
    """Values, places and refusals, for arguments that nobody chose."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        h, w = rng.integers(1, 10, 2).tolist()
        k, s, p, d = (tuple(rng.integers(low, 5 - low, 2).tolist()) for low in (1, 1, 0, 1))
        ceil, count = rng.integers(0, 2, 2).astype(bool).tolist()
        image = rng.permutation(2 * h * w).reshape(1, 2, h, w).astype(np.float32)
        for name, args in (("max_pool2d", (k, s, p, d, ceil, True)), ("avg_pool2d", (k, s, p, ceil, count))):
            found = []
            for m in (tg, torch):
                try:
                    out = getattr(m.nn.functional, name)(m.tensor(image), *args)
                    found.append([x.numpy() for x in (out if isinstance(out, tuple) else (out,))])
                except RuntimeError:
                    found.append(None)
            if found[1] is None or (found[0] is None and np.isinf(found[1][0]).any()):
                assert found[0] is None, (name, image.shape, args)
            else:
                for ours, theirs in zip(*found, strict=True):
                    np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=f"{name} {image.shape} {args}")


def test_the_node_has_pytorchs_name(torch):
    for m in (torch, tg):
        x = m.ones(1, 1, 4, 4, requires_grad=True)
        assert m.nn.functional.max_pool2d(x, 2).grad_fn.name() == "MaxPool2DWithIndicesBackward0"
        assert m.nn.functional.avg_pool2d(x, 2).grad_fn.name() == "AvgPool2DBackward0"
