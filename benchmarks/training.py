"""Training steps: the sin fit, the moons, a digit classifier, Adam, and the smallest graph there is.

Each workload is a function of a library `m`, PyTorch or ours, that prepares data and parameters and returns
`step(i)`. One text for both is itself a test: these are PyTorch programs. Parameters start from the same
NumPy values on both sides, and a step returns its loss and parameters, which must agree.
Sources: "Learning PyTorch with Examples" (J. Johnson), the sin fit; micrograd's demo (A. Karpathy, 2020),
the moons.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.measure import Step

VARIANTS = 4  # so many data sets take turns


def parameters(m: Any, arrays: Sequence[np.ndarray]) -> list[Any]:
    """A float32 leaf tensor for each array, with memory of its own."""
    return [m.tensor(array.astype(np.float32), requires_grad=True) for array in arrays]


def as_it_is(function: Callable) -> Callable:
    """The training step runs eagerly. (The rows of compiled steps pass `tinygrad_edu.compile` in its place.)"""
    return function


def sin_fit(m: Any, points: int = 2000, *, make: Callable = as_it_is) -> Step:
    """Fit y = a + b x + c x² + d x³ to sin x: autograd, and the update written out as in the tutorial."""
    grid = np.linspace(-np.pi, np.pi, points)
    shifts = [0.1 * k for k in range(VARIANTS)]
    data = [(m.tensor((grid + s).astype(np.float32)), m.tensor(np.sin(grid + s).astype(np.float32))) for s in shifts]
    # From here no coefficient comes near 0 in the checked steps, where float32 would have no correct digits to compare.
    a, b, c, d = (m.tensor(value, requires_grad=True) for value in (0.3, 0.5, 0.1, -0.2))
    rate = 1e-6

    def train(x: Any, y: Any) -> Any:
        nonlocal a, b, c, d
        y_pred = a + b * x + c * x**2 + d * x**3
        loss = (y_pred - y).pow(2).sum()
        loss.backward()
        with m.no_grad():
            a -= rate * a.grad
            b -= rate * b.grad
            c -= rate * c.grad
            d -= rate * d.grad
        a.grad = b.grad = c.grad = d.grad = None
        return loss

    train = make(train)
    return lambda i: (train(*data[i % VARIANTS]), a, b, c, d)


def two_moons(points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles, (points, 2), with labels -1 and +1, (points,)."""
    rng = np.random.default_rng(seed)
    label = np.where(np.arange(points) % 2 == 0, 1.0, -1.0)
    angle = rng.uniform(0, np.pi, points)
    x = np.where(label > 0, np.cos(angle), 1 - np.cos(angle))
    y = np.where(label > 0, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([x, y], axis=1) + rng.normal(0, 0.1, (points, 2)), label


def moons_weights() -> list[np.ndarray]:
    """Weights (inputs, outputs) and biases (outputs,) of the network 2-16-16-1, alternating."""
    rng = np.random.default_rng(1)
    sizes = [(2, 16), (16, 16), (16, 1)]
    return [array for n, k in sizes for array in (rng.uniform(-1, 1, (n, k)), np.zeros(k))]


def moons(m: Any, points: int = 100, *, make: Callable = as_it_is) -> Step:
    """The network 2-16-16-1 on two moons: hinge loss, L2 penalty on every parameter, SGD written out."""
    data = []
    for seed in range(VARIANTS):
        x, y = two_moons(points, seed)
        data.append((m.tensor(x.astype(np.float32)), m.tensor(y.astype(np.float32).reshape(points, 1))))
    weights = parameters(m, moons_weights())
    w1, b1, w2, b2, w3, b3 = weights

    def train(x: Any, y: Any) -> Any:
        hidden = ((x @ w1 + b1).relu() @ w2 + b2).relu()
        score = hidden @ w3 + b3
        loss = (1 - y * score).relu().mean()
        for p in weights:
            loss = loss + 1e-4 * (p * p).sum()
        loss.backward()
        with m.no_grad():
            for p in weights:
                p -= 0.05 * p.grad
                p.grad = None
        return loss

    train = make(train)
    return lambda i: (train(*data[i % VARIANTS]), *weights)


def mlp(m: Any, sizes: tuple[int, int, int] = (784, 128, 10), batch: int = 64, *, make: Callable = as_it_is) -> Step:
    """A digit classifier from `nn.Linear` (so its weights are (out, in)), cross-entropy, `optim.SGD`."""
    rng = np.random.default_rng(2)
    inputs, hidden, classes = sizes
    model = m.nn.Sequential(m.nn.Linear(inputs, hidden), m.nn.ReLU(), m.nn.Linear(hidden, classes))
    with m.no_grad():
        for p in model.parameters():
            bound = 1 / np.sqrt(inputs if p.shape[0] == hidden else hidden)
            p.copy_(m.tensor(rng.uniform(-bound, bound, tuple(p.shape)).astype(np.float32)))
    loss_function = m.nn.CrossEntropyLoss()
    optimizer = m.optim.SGD(model.parameters(), lr=0.01)
    images = [m.tensor(rng.uniform(0, 1, (batch, inputs)).astype(np.float32)) for _ in range(VARIANTS)]
    labels = [m.tensor(rng.integers(0, classes, batch)) for _ in range(VARIANTS)]

    def train(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    train = make(train)
    return lambda i: (train(images[i % VARIANTS], labels[i % VARIANTS]), *model.parameters())


def adam(m: Any, size: int = 1_000_000) -> Step:
    """One step of `optim.Adam`, defaults, `size` parameters in four tensors, new gradients each time."""
    rng = np.random.default_rng(3)
    weights = parameters(m, [rng.normal(size=size // 4) for _ in range(4)])
    gradients = [[m.tensor(rng.normal(size=size // 4).astype(np.float32)) for _ in weights] for _ in range(VARIANTS)]
    optimizer = m.optim.Adam(weights)

    def step(i: int) -> Sequence[Any]:
        for p, g in zip(weights, gradients[i % VARIANTS], strict=True):
            p.grad = g
        optimizer.step()
        return weights

    return step


def small_graph(m: Any, size: int = 8) -> Step:
    """`(a * b).sum().backward()` on a few elements: nothing but the overhead of a graph."""
    rng = np.random.default_rng(4)
    pairs = [parameters(m, list(rng.normal(size=(2, size)))) for _ in range(VARIANTS)]

    def step(i: int) -> Sequence[Any]:
        a, b = pairs[i % VARIANTS]
        a.grad = b.grad = None
        out = (a * b).sum()
        out.backward()
        return out, a.grad, b.grad

    return step
