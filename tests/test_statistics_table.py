"""Reductions, scans, orders and what follows from them: every argument, values, gradients and errors of PyTorch's."""

import math

import numpy as np
import oracle
import pytest
from oracle import booleans, distinct, fixed, integers, positive, row

import tinygrad_edu as tg

M, T = (3, 4), (2, 3, 4)
NAN, INF = math.nan, math.inf
HOLES = fixed([[1.0, NAN, 3, 0.5], [NAN, NAN, 2, 2], [4, 0.2, NAN, 1]])
TIES = fixed([[1.0, 3, 3, 2], [2, 2, 0, 0], [5, 5, 5, 5]])
NUMBERS = integers(-3, 4, 3, 4)


def each(name, choices, **keywords):
    """The method for several axes, or other first arguments."""
    return lambda m, *x: [getattr(x[0], name)(*x[1:], c, **keywords) for c in choices]


ROWS = [
    # sums and means
    row("sum", each("sum", (None, 0, (0, 2), [1], -1)), T),
    row("sum keepdim dtype", lambda m, x: (m.sum(x, 1, True), m.sum(x, dim=(0, 1), keepdim=True, dtype=m.float64)), T),
    row("sum as in NumPy", lambda m, x: (x.sum(axis=1), m.sum(x, axis=(0, 1), keepdims=True), x.mean(axis=0)), T),
    row("sum of integers", lambda m, n: (n.sum(), n.sum(0), n.sum(dtype=m.int32), n.sum(dtype=m.float32)), NUMBERS,
        gradient=False),
    row("mean", each("mean", (None, 0, (0, 2), -1)), T),
    row("mean dtype", lambda m, n: (n.mean(dtype=m.float64), m.mean(n, 0, True, dtype=m.float32)), NUMBERS,
        gradient=False),
    row("prod", each("prod", (0, 1)), M),
    row("prod keepdim dtype", lambda m, x: (x.prod(1, True), m.prod(x, dim=0, dtype=m.float64), x.prod()), M),
    row("any all", lambda m, b: [f(b, *a) for f in (m.any, m.all) for a in ((), (0,), ((0, 1),), (1, True))],
        booleans(3, 4), gradient=False),
    row("any as in NumPy", lambda m, b: (b.any(axis=0, keepdims=True), b.all(axis=1)), booleans(3, 4), gradient=False),
    row("any all of no axes", lambda m, x: [f(x, d) for f in (m.any, m.all) for d in ((), [])], M, gradient=False),
    row("count_nonzero", each("count_nonzero", (None, 0, (0, 1))), NUMBERS, gradient=False),
    row("nansum", lambda m, x: (m.nansum(x), x.nansum(0), x.nansum((0, 1), keepdim=True), x.nansum(1, dtype=m.float64)),
        HOLES, gradient=False),
    row("nansum gradient", lambda m, x: m.nansum(x * 2, 1), M),
    row("nansum of integers", lambda m, n: m.nansum(n, 0), NUMBERS, gradient=False),
    row("nanmean", lambda m, x: (m.nanmean(x), x.nanmean(0), x.nanmean(1, True)), HOLES, gradient=False),
    row("nanmean gradient", lambda m, x: m.nanmean(x * 2, 1), M),
    # spread
    row("var", each("var", (None, 0, (0, 2), -1, True)), T),
    row("std", each("std", (None, 1, (1, 2), -1, False)), T),
    row("var arguments", lambda m, x: (x.var(1, False), x.var(0, True, True), m.var(x, dim=1, correction=2),
        m.std(x, correction=0, keepdim=True), x.std(unbiased=False, dim=0), x.var(axis=1)), M),
    row("var_mean std_mean", lambda m, x: (*m.var_mean(x), *m.var_mean(x, 1, keepdim=True), *m.std_mean(x, (0, 1)),
        *m.std_mean(x, correction=0)), T),
    row("var of a long row", lambda m, x: x.var(1), (2, 5000), second=False),
    row("var of many columns", lambda m, x: (x.var(0), x.std(1)), (3, 5, 300), second=False),
    row("cov", lambda m, x: (m.cov(x), x.cov(correction=0)), M),
    row("cov weights", lambda m, x, f, a: (x.cov(fweights=f), x.cov(aweights=a), x.cov(fweights=f, aweights=a)), M,
        integers(1, 4, 4), positive(4), second=False),
    row("cov of a vector", lambda m, x: (m.cov(x), m.corrcoef(x)), (5,)),
    row("cov of integers", lambda m, n: n.cov(), NUMBERS, gradient=False),
    row("corrcoef", lambda m, x: m.corrcoef(x), (3, 6)),
    row("dist", lambda m, x, y: [m.dist(x, y), x.dist(y, 1), x.dist(y, 3), x.dist(y, p=INF)], M, M),
    row("dist broadcast", lambda m, x, y: m.dist(x, y), M, (4,)),
    row("renorm", lambda m, x: (m.renorm(x, 2, 0, 1.0), x.renorm(1, -1, 2.0), x.renorm(p=2, dim=1, maxnorm=100)), M,
        second=False),
    # extremes
    row("max min", lambda m, x: [*m.max(x, 0), *x.min(1, True), x.max(), x.min(), *x.max(axis=1)], distinct(3, 4)),
    row("max of nan", lambda m, x: (x.max(), x.min(), *x.max(1), *x.min(0)), HOLES, gradient=False),
    row("maximum", lambda m, x, y: (m.max(x, y), x.min(y)), M, M),
    row("amax amin ties", lambda m, x: [f(x, *a) for f in (m.amax, m.amin) for a in ((), (1,), ((0, 1), True))], TIES,
        gradient=False),
    row("amax", lambda m, x: (x.amax(axis=1), x.amin((0, -1))), distinct(2, 3, 4)),
    row("aminmax", lambda m, x: (*m.aminmax(x), *x.aminmax(dim=1, keepdim=True)), distinct(3, 4)),
    row("argmax argmin", lambda m, x: [getattr(x, f)(*a) for f in ("argmax", "argmin") for a in ((), (0,), (1, True))]
        + [x.argmax(axis=0, keepdims=True)], TIES, gradient=False),
    row("argmax of nan", lambda m, x: (x.argmax(), x.argmin(1)), HOLES, gradient=False),
    # scans
    row("cumsum cumprod", lambda m, x: (m.cumsum(x, 0), x.cumsum(axis=1), x.cumprod(dim=-1), m.cumprod(x, 0)), M),
    row("cumsum dtype", lambda m, n: (n.cumsum(0), n.cumsum(1, dtype=m.float32), n.cumprod(0, dtype=m.int32)), NUMBERS,
        gradient=False),
    row("cummax cummin", lambda m, x: (*m.cummax(x, 0), *x.cummin(dim=-1), *x.cummax(axis=1)), distinct(3, 4)),
    row("cummax ties", lambda m, x: (*x.cummax(1), *x.cummin(0)), TIES, gradient=False),
    row("cummax nan", lambda m, x: (*x.cummax(1), *x.cummin(0)), HOLES, gradient=False),
    row("cummax of integers", lambda m, n, b: (*n.cummax(0), *b.cummin(1)), NUMBERS, booleans(3, 4), gradient=False),
    row("cummax of a number", lambda m, x: x.cummax(0), ()),
    row("cummax empty", lambda m, x: x.cummax(0), (0,), gradient=False),
    row("logcumsumexp", lambda m, x: (m.logcumsumexp(x, 0), x.logcumsumexp(dim=-1)), T),
    row("logcumsumexp far apart", lambda m, x: x.logcumsumexp(0), fixed([-800.0, 3, 900, 5, 901])),
    row("logcumsumexp inf", lambda m, x: x.logcumsumexp(1),
        fixed([[-INF, -INF, 1, 2], [1, INF, 2, -INF], [NAN, 1, 2, 3], [1, INF, NAN, 1]]), gradient=False),
    row("diff", lambda m, x: (m.diff(x), x.diff(2, 0), x.diff(n=0), x.diff(dim=0)), M),
    row("diff ends", lambda m, x, p, a: (m.diff(x, prepend=p, append=a), m.diff(x, n=2, dim=1, append=p)), M, (3, 1),
        (3, 2)),
    row("diff beyond", lambda m, x: x.diff(9), M, gradient=False),
    row("diff of booleans", lambda m, b, n: (b.diff(), n.diff(dim=0)), booleans(3, 4), NUMBERS, gradient=False),
    row("trapezoid", lambda m, y: (m.trapezoid(y), m.trapezoid(y, dx=0.5, dim=0), m.trapz(y, dim=1)), M),
    row("trapezoid x", lambda m, y, x, z: (m.trapezoid(y, x), m.trapezoid(y, x=z, dim=0)), M, (4,), M),
    row("cumulative_trapezoid", lambda m, y, x: (m.cumulative_trapezoid(y), m.cumulative_trapezoid(y, x, dim=1)), M,
        (4,)),
    row("trapezoid of integers", lambda m, n: m.trapezoid(n), NUMBERS, gradient=False),
    # orders
    row("sort", lambda m, x: [*m.sort(x), *x.sort(0, True), *x.sort(dim=1, descending=True, stable=True),
        *m.sort(x, stable=True, dim=0)], distinct(3, 4)),
    row("sort ties", lambda m, x: [*x.sort(stable=True), *x.sort(stable=True, descending=True), m.msort(x),
        x.argsort(stable=True), m.argsort(x, stable=True, dim=0, descending=True)], TIES, gradient=False),
    row("argsort", lambda m, x: (m.argsort(x), x.argsort(0, True), x.argsort(dim=-1)), distinct(3, 4), gradient=False),
    row("topk", lambda m, x: [*m.topk(x, 2), *x.topk(2, 0, False), *x.topk(k=3, dim=1, largest=True, sorted=True),
        *x.topk(0)], distinct(3, 4)),
    row("kthvalue", lambda m, x: (*m.kthvalue(x, 2), *x.kthvalue(k=1, dim=0, keepdim=True)), distinct(3, 4)),
    row("median", lambda m, x: (m.median(x), *x.median(0), *x.median(dim=-1, keepdim=True)), distinct(3, 4)),
    row("nanmedian", lambda m, x: (m.nanmedian(x), x.nanmedian(0)[0], x.nanmedian(1, keepdim=True)[0]), HOLES,
        gradient=False),
    row("nanmedian gradient", lambda m, x: (*m.nanmedian(x, 1), x.nanmedian()), distinct(3, 4)),
    row("mode", lambda m, x: (*m.mode(x), *x.mode(1, True)), TIES, gradient=False),
    row("mode of integers", lambda m, n: (*n.mode(), *n.mode(0)), NUMBERS, gradient=False),
    row("mode gradient", lambda m, x: m.mode(x, 0), distinct(3, 4)),
    row("quantile", lambda m, x, q: (m.quantile(x, 0.3), x.quantile(q), m.quantile(x, q, dim=1),
        x.quantile(q, 0, True), m.quantile(x, 0.75, dim=-1, keepdim=True), m.quantile(x, q, keepdim=True)),
        distinct(3, 4), fixed([0.1, 0.15, 0.55, 0.9]), second=False, layouts=("contiguous",)),
    row("quantile ends", lambda m, x, q: m.quantile(x, q), distinct(3, 4), fixed([0.0, 1.0]), gradient=False),
    row("quantile interpolation", lambda m, x: [m.quantile(x, 0.4, dim=1, interpolation=i)
        for i in ("linear", "lower", "higher", "midpoint", "nearest")], distinct(3, 4)),
    row("quantile nan", lambda m, x: (m.quantile(x, 0.4, dim=1), m.quantile(x, 0.4)), HOLES, gradient=False),
    row("nanquantile", lambda m, x: (m.nanquantile(x, 0.4, dim=1), x.nanquantile(0.4), x.nanquantile(0.5, 0, True)),
        HOLES, gradient=False),
    row("nanquantile of nan", lambda m, x: m.nanquantile(x, 0.4), fixed([NAN, NAN]), gradient=False),
    row("histc", lambda m, x: (m.histc(x), x.histc(4), x.histc(bins=3, min=-1, max=1), m.histc(x, 5, 0, 2)), M,
        gradient=False),
    row("histc of equal ones", lambda m, x: (m.histc(x, 3), m.histc(x[:0], 3)), fixed([2.0, 2.0]), gradient=False),
    row("bincount", lambda m, n, w: (m.bincount(n), n.bincount(w), n.bincount(minlength=9)), integers(0, 5, 7), (7,),
        gradient=False),
    row("unique", lambda m, n: (m.unique(n), *n.unique(return_inverse=True, return_counts=True)), NUMBERS,
        gradient=False),
    row("unique of nothing", lambda m, x: [*m.unique_consecutive(x, True, True), x.unique(dim=0), x.unique()],
        (0, 3), gradient=False),
    row("logsumexp as in NumPy", lambda m, x: x.logsumexp(axis=1, keepdims=True) + x.softmax(axis=0), M),
    row("unique slices", lambda m, n: [*m.unique(n, dim=0, return_inverse=True, return_counts=True),
        n.unique(dim=1), *n.unique(dim=-1, return_counts=True)], integers(0, 2, 6, 3), gradient=False),
    row("unique slices of a cube", lambda m, n: n.unique(dim=1), integers(0, 2, 2, 6, 2), gradient=False),
    row("unique_consecutive", lambda m, n: [m.unique_consecutive(n), *n.unique_consecutive(True, True),
        *n.unique_consecutive(return_counts=True, return_inverse=True, dim=0), n.unique_consecutive(dim=1)],
        integers(0, 2, 6, 2), gradient=False),
    row("searchsorted", lambda m, x, v: [m.searchsorted(x, v), m.searchsorted(x, v, right=True, out_int32=True),
        m.searchsorted(x, v, side="right"), m.searchsorted(x, 0.5)], fixed([-1.0, 0.5, 0.5, 2]),
        fixed([[0.5, -3], [9, 2]]), gradient=False),
    row("searchsorted sorter", lambda m, x, v: m.searchsorted(x, v, sorter=m.argsort(x)), (2, 6), (2, 3),
        gradient=False),
    row("bucketize", lambda m, x, b: [m.bucketize(x, b), m.bucketize(x, b, right=True, out_int32=True),
        m.bucketize(2, b)], M, fixed([-1.0, 0, 1]), gradient=False),
]  # fmt: skip

D = lambda m, *shape: m.ones(*shape)  # noqa: E731
REFUSED = {
    "sum axis": lambda m: D(m, 2).sum(3),
    "sum twice": lambda m: D(m, 2, 2).sum((0, 0)),
    "nanmean in int": lambda m: D(m, 3).nanmean(dtype=m.int32),
    "softmax of two axes": lambda m: D(m, 2, 2).softmax((0, 1)),
    "unique of empty slices": lambda m: D(m, 3, 0).unique(dim=0),
    "mean of integers": lambda m: m.arange(3).mean(),
    "prod two axes": lambda m: D(m, 2, 2).prod((0, 1)),
    "var of integers": lambda m: m.arange(3).var(),
    "var two corrections": lambda m: D(m, 3).var(0, unbiased=True, correction=1),
    "nanmean of integers": lambda m: m.nanmean(m.arange(3)),
    "cov of a cube": lambda m: m.cov(D(m, 2, 2, 2)),
    "cov weights": lambda m: m.cov(D(m, 2, 3), fweights=m.ones(2).long()),
    "renorm p": lambda m: m.renorm(D(m, 2, 2), 0, 0, 1.0),
    "renorm maxnorm": lambda m: m.renorm(D(m, 2, 2), 2, 0, -1.0),
    "renorm of a vector": lambda m: m.renorm(D(m, 2), 2, 0, 1.0),
    "aminmax two axes": lambda m: m.aminmax(D(m, 2, 2), dim=(0, 1)),
    "aminmax of nothing": lambda m: m.aminmax(D(m, 0)),
    "argmax of nothing": lambda m: D(m, 0).argmax(),
    "max of nothing": lambda m: D(m, 0).max(),
    "cummax axis": lambda m: m.cummax(D(m, 2), 2),
    "cummax without axis": lambda m: m.cummax(D(m, 2)),
    "logcumsumexp of integers": lambda m: m.logcumsumexp(m.arange(3), 0),
    "diff of a number": lambda m: m.diff(m.tensor(1.0)),
    "diff -1": lambda m: m.diff(D(m, 2), -1),
    "diff ends": lambda m: m.diff(D(m, 2, 2), prepend=D(m, 1)),
    "trapezoid x and dx": lambda m: m.trapezoid(D(m, 2), x=D(m, 2), dx=1),
    "quantile of integers": lambda m: m.quantile(m.arange(3), 0.5),
    "quantile 1.5": lambda m: m.quantile(D(m, 3), 1.5),
    "quantile q dtype": lambda m: m.quantile(D(m, 3), m.tensor([0.5]).double()),
    "quantile q matrix": lambda m: m.quantile(D(m, 3), D(m, 1, 1)),
    "quantile of nothing": lambda m: m.quantile(D(m, 0), 0.5),
    "quantile interpolation": lambda m: m.quantile(D(m, 3), 0.5, interpolation="cubic"),
    "mode of nothing": lambda m: m.mode(D(m, 2, 0)),
    "histc of integers": lambda m: m.histc(m.arange(3)),
    "histc bins": lambda m: m.histc(D(m, 3), 0),
    "histc range": lambda m: m.histc(D(m, 3), 4, 3, 1),
    "histc nan": lambda m: m.histc(m.tensor([NAN, 1.0]), 4),
    "bucketize matrix": lambda m: m.bucketize(D(m, 2), D(m, 2, 2)),
    "searchsorted sides": lambda m: m.searchsorted(D(m, 2), D(m, 2), right=True, side="left"),
    "searchsorted side": lambda m: m.searchsorted(D(m, 2), D(m, 2), side="middle"),
    "topk k": lambda m: m.topk(D(m, 2), 3),
    "kthvalue 0": lambda m: m.kthvalue(D(m, 2), 0),
    "sort axis": lambda m: D(m, 2).sort(2),
    "bincount of floats": lambda m: m.bincount(D(m, 2)),
}

TestStatistics = oracle.parity(ROWS, REFUSED)


@pytest.mark.parametrize("call", [
    lambda x: x.cumsum_(0), lambda x: x.cumprod_(1), lambda x: x.renorm_(2, 0, 1.0),
], ids=["cumsum_", "cumprod_", "renorm_"])  # fmt: skip
def test_forms_in_place_and_their_gradients(call, torch):
    array, found = np.random.default_rng(0).normal(size=(3, 4)), []
    for m in (tg, torch):
        leaf = m.tensor(array, requires_grad=True)
        y = leaf * 2.0
        assert call(y) is y
        (y * y).sum().backward()
        found.append((y.detach().numpy(), leaf.grad.numpy()))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_maximum_of_everything_with_nan_gives_its_gradient_to_the_nan(dtype, torch):
    array = np.array([1.0, NAN, 3.0, NAN], dtype)
    grads = []
    for m in (tg, torch):
        x = m.tensor(array, requires_grad=True)
        (x.max() + x.min()).backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]


@pytest.mark.parametrize("shape, dim", [((100_000,), 0), ((3, 5000), 1), ((5000, 3), 0), ((40, 5, 60), (0, 2))])
def test_the_variance_keeps_its_digits_far_from_zero(shape, dim):
    """Trap: mean of squares minus squared mean has none left."""
    x = (np.random.default_rng(0).normal(size=shape) + 1e5).astype("float32")
    expected = x.astype("float64").var(dim, ddof=1)
    np.testing.assert_allclose(tg.tensor(x).var(dim).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("shape, dim", [((9999,), 0), ((3, 5000), 1), ((5000, 3), 0)])
def test_equal_numbers_have_no_variance(shape, dim):
    x = tg.full(shape, 0.1, dtype=tg.float64)
    assert not x.var(dim).any() and not x.std(dim).any()
