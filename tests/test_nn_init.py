"""Initial weights and what is done to all parameters at once: PyTorch's numbers."""

import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn

FILLS = [
    ("uniform_", {"a": -2.0, "b": 3.0}), ("normal_", {"mean": 1.0, "std": 0.5}), ("constant_", {"val": 0.3}),
    ("ones_", {}), ("zeros_", {}), ("eye_", {}), ("xavier_uniform_", {"gain": 2.0}), ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": 0.2}), ("kaiming_uniform_", {"nonlinearity": "relu", "mode": "fan_out"}),
    ("kaiming_normal_", {"nonlinearity": "tanh"}), ("kaiming_uniform_", {"nonlinearity": "conv2d"}),
    ("trunc_normal_", {}), ("trunc_normal_", {"mean": 0.5, "std": 2.0, "a": -1.0, "b": 1.0}),
    ("trunc_normal_", {"mean": 3.0, "std": 1.0, "a": 0.0, "b": 2.0}), ("orthogonal_", {}),
    ("orthogonal_", {"gain": 2.0}), ("sparse_", {"sparsity": 0.3}), ("sparse_", {"sparsity": 0.5, "std": 1.0}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", FILLS, ids=str)
def test_the_same_seed_gives_pytorchs_numbers(name, options, dtype, torch):
    results = []
    for library in (tg, torch):
        library.manual_seed(11)
        x = library.zeros(5, 7, dtype=getattr(library, dtype)).requires_grad_()
        assert getattr(library.nn.init, name)(x, **options) is x and x.is_leaf
        results.append(x.detach().numpy())
    normal = any(word in name for word in ("normal", "orthogonal", "sparse"))  # uniform numbers are bit-equal
    tolerance = (2e-6 if dtype == "float32" else 1e-13) if normal else 0
    np.testing.assert_allclose(*results, rtol=0, atol=tolerance)


@pytest.mark.parametrize("shape, groups", [((4, 3, 3), 1), ((4, 2, 3, 3), 2), ((2, 3, 1, 2, 3), 1)])
def test_a_convolution_begins_as_the_identity(shape, groups, torch):
    ours, theirs = (library.nn.init.dirac_(library.ones(*shape), groups).numpy() for library in (tg, torch))
    np.testing.assert_array_equal(ours, theirs)


def test_orthogonal_rows_stay_so_for_any_shape(torch):
    for shape in ((7, 3), (3, 7), (4, 2, 3)):
        found = []
        for library in (tg, torch):
            library.manual_seed(5)
            found.append(library.nn.init.orthogonal_(library.zeros(*shape, dtype=library.float64)).numpy())
        np.testing.assert_allclose(*found, atol=1e-13)


def test_a_strided_tensor_is_filled_in_its_own_memory():
    base = tg.zeros(2, 3)
    nn.init.uniform_(base.t(), 1.0, 2.0)
    assert (np.array(base.tolist()) >= 1.0).all()


def test_a_fill_counts_as_a_change():
    p = tg.ones(2, requires_grad=True)
    loss = (p * p).sum()
    nn.init.uniform_(p)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(name, torch):
    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


@pytest.mark.parametrize(
    "call",
    [
        lambda: nn.init.calculate_gain("gelu2"),
        lambda: nn.init.calculate_gain("leaky_relu", True),
        lambda: nn.init.xavier_uniform_(tg.zeros(3)),
        lambda: nn.init.kaiming_normal_(tg.zeros(3, 3), mode="fan"),
        lambda: nn.init.eye_(tg.zeros(3)),
        lambda: nn.init.dirac_(tg.zeros(3, 3)),
        lambda: nn.init.dirac_(tg.zeros(3, 3, 3), groups=2),
        lambda: nn.init.orthogonal_(tg.zeros(3)),
        lambda: nn.init.sparse_(tg.zeros(3), 0.5),
    ],
)
def test_what_has_no_answer_is_a_value_error(call):
    with pytest.raises(ValueError):
        call()


def with_gradients(library):
    made = []
    for k, shape in enumerate([(2, 3), (4,), (1,)]):
        p = library.zeros(*shape, requires_grad=True)
        p.grad = library.tensor(np.cos(np.arange(math.prod(shape)) + k).reshape(shape).astype("f4") * 3)
        made.append(p)
    return [*made, library.zeros(2, requires_grad=True)]


@pytest.mark.parametrize("max_norm", [0.5, 1000.0])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, math.inf])
def test_clipping_by_the_norm_is_pytorchs(norm_type, max_norm, torch):
    results = []
    for library in (tg, torch):
        parameters = with_gradients(library)
        norm = library.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
        results.append([norm.item(), *(p.grad.tolist() for p in parameters if p.grad is not None)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-6)


def test_a_norm_of_nan_is_an_error_if_asked_for():
    p = tg.ones(2, requires_grad=True)
    p.grad = tg.tensor([float("nan"), 1.0])
    with pytest.raises(RuntimeError, match="non-finite"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert nn.utils.clip_grad_norm_([], 1.0).item() == 0.0


def test_clipping_by_value_is_pytorchs(torch):
    results = []
    for library in (tg, torch):
        parameters = with_gradients(library)
        library.nn.utils.clip_grad_value_(parameters, 0.7)
        results.append([p.grad.tolist() for p in parameters if p.grad is not None])
    assert results[0] == results[1]


def test_parameters_go_into_a_vector_and_back():
    model = nn.Linear(3, 2)
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (8,) and vector.requires_grad
    nn.utils.vector_to_parameters(tg.arange(8.0), model.parameters())
    assert model.weight.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]] and model.bias.tolist() == [6.0, 7.0]
    with pytest.raises(TypeError, match="expected torch.Tensor"):
        nn.utils.vector_to_parameters([1.0], model.parameters())
