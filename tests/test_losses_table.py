"""Losses of margins against PyTorch, as functions and modules: every argument, shape, error."""

import inspect

import numpy as np
import oracle
import pytest
from oracle import fixed, integers, row

import tinygrad_edu as tg

SIGNS = fixed([1.0, -1.0, 1.0], "float32")
CLASSES = fixed([0, 3, 1])
LISTS = fixed([[1, 2, -1, 0], [3, -1, 3, 3], [-1, 0, 0, 0]])
BITS = fixed([[0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]])
X = (3, 4)


def f(name, *more, **options):
    return lambda m, *operands: getattr(m.nn.functional, name)(*operands, *more, **options)


def module(name, *given, **options):
    return lambda m, *operands: getattr(m.nn, name)(*given, **options)(*operands)


def manhattan(x, y):
    return (x - y).abs().sum(-1)


REDUCTIONS = [
    row(f"{name} {reduction}", f(name, reduction=reduction), *operands, layouts=["contiguous"])
    for reduction in ("mean", "sum", "none")
    for name, *operands in [
        ("cosine_embedding_loss", X, X, SIGNS), ("triplet_margin_loss", X, X, X), ("multi_margin_loss", X, CLASSES),
        ("multilabel_margin_loss", X, LISTS), ("multilabel_soft_margin_loss", X, BITS),
        ("hinge_embedding_loss", X, fixed([[1, -1, 1, -1]] * 3)), ("margin_ranking_loss", (3,), (3,), SIGNS),
    ]
]  # fmt: skip

ROWS = [
    *REDUCTIONS,
    row("cosine margin", f("cosine_embedding_loss", 0.25), X, X, SIGNS),
    row("cosine of one", f("cosine_embedding_loss", margin=-0.5), (4,), (4,), fixed(-1)),
    row("triplet options", f("triplet_margin_loss", 2.0, 3.0, 1e-3, True), X, X, X),
    row("triplet of one", f("triplet_margin_loss", margin=5.0, p=1.0), (4,), (4,), (4,)),
    row("triplet broadcast", f("triplet_margin_loss", swap=True), (2, 3, 4), (1, 3, 4), (2, 1, 4)),
    row("triplet distance", f("triplet_margin_with_distance_loss", distance_function=manhattan, margin=3.0), X, X, X),
    row("triplet distance swap", f("triplet_margin_with_distance_loss", swap=True, reduction="sum"), X, X, X),
    row("multi margin p", f("multi_margin_loss", 2, 0.5), X, CLASSES),
    row("multi margin weight", lambda m, x, t, w: m.nn.functional.multi_margin_loss(x, t, weight=w.detach()), X,
        CLASSES, fixed([0.5, 2.0, 1.0, 0.1]), gradient=False),
    row("multi margin of one", f("multi_margin_loss", reduction="none"), (4,), fixed(2)),
    row("multilabel of one", f("multilabel_margin_loss"), (4,), fixed([1, 0, -1, 2])),
    row("multilabel soft of images", f("multilabel_soft_margin_loss"), (2, 3, 4), (2, 3, 4)),
    row("ranking margin", f("margin_ranking_loss", margin=0.5), (2, 3), (2, 3), fixed([[1.0, -1.0, 1.0]] * 2)),
    row("cross_entropy 0 rows", f("cross_entropy", reduction="sum"), (0, 4), integers(0, 4, 0)),
    row("cross_entropy volumes", f("cross_entropy", ignore_index=1), (2, 3, 2, 2, 2), integers(0, 3, 2, 2, 2, 2)),
    row("nll images", f("nll_loss", ignore_index=2, reduction="none"), (2, 3, 2, 2), integers(0, 3, 2, 2, 2),
        layouts=["contiguous"]),
    row("MultiMarginLoss", module("MultiMarginLoss", 2, margin=0.5), X, CLASSES),
    row("TripletMarginLoss", module("TripletMarginLoss", 2.0, p=1.0, swap=True), X, X, X),
    row("TripletMarginWithDistanceLoss",
        module("TripletMarginWithDistanceLoss", distance_function=manhattan, reduction="sum"), X, X, X),
    row("CosineEmbeddingLoss", module("CosineEmbeddingLoss", 0.25, reduction="sum"), X, X, SIGNS),
    row("MultiLabelMarginLoss", module("MultiLabelMarginLoss", reduction="none"), X, LISTS),
    row("MultiLabelSoftMarginLoss", module("MultiLabelSoftMarginLoss"), X, BITS),
    row("MarginRankingLoss", module("MarginRankingLoss", 0.3), (3,), (3,), SIGNS),
    row("GaussianNLLLoss", module("GaussianNLLLoss", full=True), X, X, oracle.positive(3, 4)),
]  # fmt: skip


def ones(m, *shape):
    return m.ones(*shape or (3, 4))


REFUSED = {
    "tensors for a loss yet to be made": lambda m: m.nn.MSELoss(m.ones(2), m.ones(2)),
    "tensors for cross-entropy": lambda m: m.nn.CrossEntropyLoss(m.ones(2, 3), m.tensor([0, 1])),
    "class numbers for probabilities": lambda m: m.nn.functional.binary_cross_entropy(m.ones(2), m.tensor([0, 1])),
    "probabilities of two dtypes": lambda m: m.nn.functional.binary_cross_entropy(m.ones(2), m.ones(2).double()),
    "class numbers for logits": lambda m: m.nn.BCEWithLogitsLoss()(m.ones(2), m.tensor([0, 1])),
    "a list of classes": lambda m: m.nn.functional.cross_entropy(m.ones(2, 3), [0, 1]),
    "an array of scores": lambda m: m.nn.functional.nll_loss(np.ones((2, 3)), m.tensor([0, 1])),
    "cosine: more rows": lambda m: m.nn.functional.cosine_embedding_loss(ones(m), ones(m), m.ones(4)),
    "cosine: a matrix of targets": lambda m: m.nn.functional.cosine_embedding_loss(ones(m), ones(m), m.ones(3, 1)),
    "cosine: one vector": lambda m: m.nn.functional.cosine_embedding_loss(m.ones(4), m.ones(4), m.ones(1)),
    "multi margin: class": lambda m: m.nn.functional.multi_margin_loss(ones(m), m.tensor([0, 1, 9])),
    "multi margin: rows": lambda m: m.nn.functional.multi_margin_loss(ones(m), m.tensor([0, 1])),
    "multi margin: p": lambda m: m.nn.functional.multi_margin_loss(ones(m), m.tensor([0, 1, 2]), p=3),
    "multi margin: weight": lambda m: m.nn.functional.multi_margin_loss(ones(m), m.tensor([0, 1, 2]), weight=m.ones(3)),
    "multi margin: weights": lambda m: m.nn.functional.multi_margin_loss(
        ones(m), m.tensor([0, 1, 2]), weight=m.ones(4, 1)
    ),
    "multilabel: class": lambda m: m.nn.functional.multilabel_margin_loss(ones(m), m.tensor([[0, 7, -1, 2]] * 3)),
    "multilabel: shape": lambda m: m.nn.functional.multilabel_margin_loss(ones(m), m.tensor([[0, 1, -1]] * 3)),
    "multilabel soft: reduction": lambda m: m.nn.functional.multilabel_soft_margin_loss(
        ones(m), ones(m), reduction="x"
    ),
    "triplet: rows": lambda m: m.nn.functional.triplet_margin_loss(ones(m), ones(m), m.ones(2, 4)),
    "triplet: axes": lambda m: m.nn.functional.triplet_margin_loss(ones(m), ones(m), m.ones(4)),
    "triplet: margin": lambda m: m.nn.functional.triplet_margin_loss(ones(m), ones(m), ones(m), margin=0.0),
    "triplet: reduction": lambda m: m.nn.functional.triplet_margin_with_distance_loss(
        ones(m), ones(m), ones(m), reduction="x"
    ),
    "a keyword that there is not": lambda m: m.nn.MSELoss(size="x"),
    "options by place": lambda m: m.nn.GaussianNLLLoss(True),
    "too many options": lambda m: m.nn.L1Loss(None, None, "mean", 3),
}

TestTable = oracle.parity(ROWS, REFUSED)

MODULES = [
    "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss", "BCEWithLogitsLoss", "NLLLoss", "CrossEntropyLoss",
    "KLDivLoss", "PoissonNLLLoss", "GaussianNLLLoss", "SoftMarginLoss", "HingeEmbeddingLoss", "CosineEmbeddingLoss",
    "MarginRankingLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss", "MultiMarginLoss",
    "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss",
]  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_the_options_of_pytorchs_in_their_order(name, torch):
    found, expected = (inspect.signature(getattr(library.nn, name)).parameters for library in (tg, torch))
    assert [(o.name, o.default, o.kind) for o in found.values()] == [
        (o.name, o.default, o.kind) for o in expected.values()
    ]
    assert repr(getattr(tg.nn, name)()) == repr(getattr(torch.nn, name)())


def test_a_misspelt_option_of_a_loss_suggests_the_real_one():
    with pytest.raises(TypeError, match="did you mean 'reduction'"):
        tg.nn.CrossEntropyLoss(reductoin="sum")


def test_a_loss_may_be_inherited_from(torch):
    for library in (tg, torch):

        class Doubled(library.nn.CrossEntropyLoss):
            def __init__(self, times):
                super().__init__(reduction="sum")
                self.times = times

            def forward(self, input, target):
                return self.times * super().forward(input, target)

        assert Doubled(2.0)(library.zeros(1, 2), library.tensor([0])).item() == pytest.approx(2 * np.log(2))
