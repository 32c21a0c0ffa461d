"""Losses as functions and modules: PyTorch's values, gradients of both operands, arguments and errors."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.nn import functional as F

A, B = np.random.default_rng(3).uniform(0.05, 0.95, (2, 4, 3))
SIGNS = np.where(np.random.default_rng(4).uniform(size=(4, 3)) < 0.5, -1.0, 1.0)
WEIGHT = np.array([0.5, 2.0, 1.0])

# Name of the function, operands, options
CASES = [
    ("l1_loss", (A, B), {}),
    ("smooth_l1_loss", (A * 4, B), {}),
    ("smooth_l1_loss", (A * 4, B), {"beta": 0.3}),
    ("smooth_l1_loss", (A, B), {"beta": 0.0}),
    ("huber_loss", (A * 4, B), {"delta": 0.4}),
    ("binary_cross_entropy", (A, B), {"weight": WEIGHT}),
    ("binary_cross_entropy_with_logits", (A * 9 - 4, B), {}),
    ("binary_cross_entropy_with_logits", (A * 9 - 4, B), {"pos_weight": WEIGHT}),
    ("binary_cross_entropy_with_logits", (A * 9 - 4, B), {"weight": WEIGHT, "pos_weight": WEIGHT * 3}),
    ("kl_div", (np.log(A), B), {}),
    ("kl_div", (np.log(A), np.log(B)), {"log_target": True}),
    ("poisson_nll_loss", (A, B * 3), {}),
    ("poisson_nll_loss", (A, B * 3), {"log_input": False, "full": True}),
    ("gaussian_nll_loss", (A, B), {"var": B * B, "full": True}),
    ("gaussian_nll_loss", (A, B), {"var": B[:, 0]}),
    ("gaussian_nll_loss", (A, B), {"var": 0.5}),
    ("soft_margin_loss", (A * 9 - 4, SIGNS), {}),
    ("hinge_embedding_loss", (A * 2, SIGNS), {"margin": 1.5}),
]

OF_SIGNS = ("soft_margin_loss", "hinge_embedding_loss")  # their targets have no gradient in PyTorch


def options_for(library, options):
    return {k: library.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name, arrays, options", CASES, ids=lambda c: c if isinstance(c, str) else None)
def test_values_and_gradients_of_both_operands_are_pytorchs(name, arrays, options, reduction, torch):
    results = []
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        x, t = (library.tensor(a) for a in arrays)
        differentiated = [x.requires_grad_()] if name in OF_SIGNS else [x.requires_grad_(), t.requires_grad_()]
        loss = getattr(functional, name)(x, t, reduction=reduction, **options_for(library, options))
        (loss * loss).sum().backward()
        results.append([loss.detach().numpy(), *(y.grad.numpy() for y in differentiated)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name, arrays, options", CASES, ids=lambda c: c if isinstance(c, str) else None)
def test_second_derivatives_are_the_numerical_ones(name, arrays, options):
    x, t = (tg.tensor(a[:2, :2].copy(), requires_grad=True) for a in arrays)
    small = {k: v[..., :2] if np.ndim(v) == 1 and len(v) == 3 else v for k, v in options.items()}
    small = {k: v[:2, :2] if np.ndim(v) == 2 else v[:2] if np.ndim(v) == 1 else v for k, v in small.items()}

    def loss(x, t):
        return getattr(F, name)(x, t, reduction="sum", **options_for(tg, small))

    assert gradcheck(loss, (x, t)) and gradgradcheck(loss, (x, t))


def test_margin_ranking_is_pytorchs(torch):
    results = []
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        x, y = library.tensor(A).requires_grad_(), library.tensor(B).requires_grad_()
        loss = functional.margin_ranking_loss(x, y, library.tensor(SIGNS), 0.2)
        loss.backward()
        results.append([loss.item(), x.grad.numpy(), y.grad.numpy()])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_weighted_errors_have_pytorchs_means(torch):
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        for reduction in ("mean", "sum", "none"):
            found, expected = (
                getattr(f, name)(*map(lib.tensor, (A, B)), weight=lib.tensor(B), reduction=reduction).numpy()
                for lib, f in ((tg, F), (torch, torch.nn.functional))
            )
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="same size"):
        F.mse_loss(tg.tensor(A), tg.tensor(B), weight=tg.tensor(WEIGHT))


def test_a_saturated_logit_keeps_its_digits():
    x = tg.tensor([-40.0, 40.0], dtype=tg.float64, requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(x, tg.tensor([0.0, 1.0], dtype=tg.float64), reduction="none")
    loss.sum().backward()
    np.testing.assert_allclose(loss.tolist(), [np.exp(-40.0)] * 2, rtol=1e-14)
    np.testing.assert_allclose(x.grad.tolist(), [np.exp(-40.0), -np.exp(-40.0)], rtol=1e-14)


def test_batchmean_divides_by_the_rows(torch):
    found = F.kl_div(tg.tensor(np.log(A)), tg.tensor(B), reduction="batchmean").item()
    expected = torch.nn.functional.kl_div(torch.tensor(np.log(A)), torch.tensor(B), reduction="batchmean").item()
    assert abs(found - expected) < 1e-14
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(tg.tensor(np.log(A)), tg.tensor(B))


@pytest.mark.parametrize("size_average, reduce, reduction", [(True, None, "mean"), (False, None, "sum"),
                                                             (None, False, "none"), (False, True, "sum")])  # fmt: skip
def test_the_old_arguments_still_work_with_a_warning(size_average, reduce, reduction):
    x, t = tg.tensor(A), tg.tensor(B)
    with pytest.warns(UserWarning, match=f"reduction='{reduction}'") as warned:
        found = F.mse_loss(x, t, size_average, reduce)
        module = tg.nn.MSELoss(size_average, reduce)
    assert found.tolist() == F.mse_loss(x, t, reduction=reduction).tolist() == module(x, t).tolist()
    assert [w.filename for w in warned] == [__file__] * 2  # the line that says it


# Class numbers.

SCORES = np.random.default_rng(5).standard_normal((6, 4))
CLASSES = np.array([0, 3, 1, 1, 2, 0])
IMAGES = np.random.default_rng(6).standard_normal((2, 4, 3, 5))
PIXELS = np.random.default_rng(7).integers(0, 4, (2, 3, 5))
CLASS_WEIGHT = np.array([0.5, 2.0, 1.0, 0.1])


@st.composite
def classification(draw):
    scores, classes = draw(st.sampled_from([(SCORES, CLASSES), (IMAGES, PIXELS), (SCORES[0], np.array(2))]))
    options = {"reduction": draw(st.sampled_from(["mean", "sum", "none"]))}
    if draw(st.booleans()):
        options["weight"] = CLASS_WEIGHT
    if draw(st.booleans()):
        options["ignore_index"] = draw(st.sampled_from([1, -1]))
        if scores.ndim > 1 and options["ignore_index"] == -1:
            classes = np.where(classes == 1, -1, classes)
    return scores, classes, options, draw(st.sampled_from([0.0, 0.1, 1.0]))


def compare(torch, name, scores, targets, options):
    results = []
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        x = library.tensor(scores).requires_grad_()
        loss = getattr(functional, name)(x, library.tensor(targets), **options_for(library, options))
        (loss * loss).sum().backward()
        results.append([loss.detach().numpy(), x.grad.numpy()])
    for found, expected in zip(*results, strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=classification())
def test_cross_entropy_and_nll_are_pytorchs(torch, case):
    scores, classes, options, smoothing = case
    compare(torch, "cross_entropy", scores, classes, {**options, "label_smoothing": smoothing})
    compare(torch, "nll_loss", scores, classes, options)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, CLASS_WEIGHT])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("scores", [SCORES, IMAGES, SCORES[0]], ids=["rows", "images", "one"])
def test_cross_entropy_against_probabilities_is_pytorchs(scores, reduction, weight, smoothing, torch):
    axis = min(1, scores.ndim - 1)
    targets = np.exp(scores[::-1] * 0.7)
    targets = targets / targets.sum(axis, keepdims=True)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if weight is not None:
        options["weight"] = weight
    compare(torch, "cross_entropy", scores, targets, options)


def test_a_network_may_learn_its_targets():
    x = tg.tensor(SCORES[:2], requires_grad=True)
    t = tg.tensor(np.full((2, 4), 0.25), requires_grad=True)
    assert gradcheck(F.cross_entropy, (x, t)) and gradgradcheck(F.cross_entropy, (x, t))


def test_nll_and_weighted_cross_entropy_pass_the_second_order_check():
    x, t = tg.tensor(SCORES[:3], requires_grad=True), tg.tensor(CLASSES[:3])
    for options in ({"weight": tg.tensor(CLASS_WEIGHT)}, {"label_smoothing": 0.1}, {"ignore_index": 3}):
        assert gradcheck(lambda x, options=options: F.cross_entropy(x, t, **options), (x,))
        assert gradgradcheck(lambda x, options=options: F.cross_entropy(x, t, **options), (x,))
    assert gradcheck(lambda x: F.nll_loss(x, t, tg.tensor(CLASS_WEIGHT)), (x,))


def test_everything_ignored_is_nan_as_in_pytorch():
    assert np.isnan(F.cross_entropy(tg.zeros(2, 3), tg.tensor([-100, -100])).item())


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize(
    "scores, targets, options, error",
    [
        (np.zeros((3, 4)), np.zeros(2, int), {}, ValueError),
        (np.zeros((3, 4)), np.array([0, 9, 1]), {}, IndexError),
        (np.zeros((3, 4)), np.array([0, 1, 1], "i4"), {}, RuntimeError),
        (np.zeros((3, 4, 5)), np.zeros((3, 4), int), {}, RuntimeError),
        (np.zeros((3, 4)), np.zeros(3, int), {"weight": np.ones(3)}, RuntimeError),
        (np.zeros((3, 4)), np.zeros(3, int), {"reduction": "average"}, ValueError),
    ],
)
def test_what_does_not_fit_is_an_error_of_pytorchs_type(name, scores, targets, options, error, torch):
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        with pytest.raises(error):
            getattr(functional, name)(library.tensor(scores), library.tensor(targets), **options_for(library, options))


LOSSES = [
    ("MSELoss", {}), ("L1Loss", {"reduction": "sum"}), ("SmoothL1Loss", {"beta": 0.5}), ("HuberLoss", {"delta": 0.5}),
    ("BCELoss", {}), ("BCEWithLogitsLoss", {"pos_weight": WEIGHT}), ("KLDivLoss", {"reduction": "batchmean"}),
    ("PoissonNLLLoss", {"full": True}), ("SoftMarginLoss", {}), ("HingeEmbeddingLoss", {"margin": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize("name, options", LOSSES, ids=lambda c: c if isinstance(c, str) else None)
def test_a_loss_as_a_module_is_pytorchs(name, options, torch):
    ours, theirs = (getattr(lib.nn, name)(**options_for(lib, options)) for lib in (tg, torch))
    np.testing.assert_allclose(ours(tg.tensor(A), tg.tensor(B)).item(), theirs(torch.tensor(A), torch.tensor(B)).item())
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())


def test_losses_of_classes_and_of_variances_as_modules(torch):
    for lib_options in ({"weight": CLASS_WEIGHT, "ignore_index": 1}, {}):
        for name in ("CrossEntropyLoss", "NLLLoss"):
            found, expected = (
                getattr(lib.nn, name)(**options_for(lib, lib_options))(lib.tensor(SCORES), lib.tensor(CLASSES)).item()
                for lib in (tg, torch)
            )
            np.testing.assert_allclose(found, expected)
    x, t = tg.tensor(A), tg.tensor(B)
    assert nn.GaussianNLLLoss()(x, t, t).item() == F.gaussian_nll_loss(x, t, t).item()
    assert nn.MarginRankingLoss(0.1)(x, t, t).item() == F.margin_ranking_loss(x, t, t, 0.1).item()


def test_cross_entropy_of_ignored_rows_only_is_nan_with_gradient_0():
    x = tg.ones(2, 3, requires_grad=True)
    loss = F.cross_entropy(x, tg.tensor([-100, -100]))
    loss.backward()
    assert np.isnan(loss.item()) and x.grad.tolist() == [[0] * 3] * 2


def test_margin_ranking_loss_does_not_broadcast_over_dimensions():
    with pytest.raises(RuntimeError, match="same dimension"):
        F.margin_ranking_loss(tg.ones(4, 3), tg.ones(4, 3), tg.ones(3))
