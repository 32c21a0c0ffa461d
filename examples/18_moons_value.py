"""A neural network out of single numbers: two moons, told apart with the scalar `Value` only.

There is no array here. Every weight is a `Value`, every product and sum a node of the graph: some 15,000
nodes in one training step, and one `loss.backward()` walks them all. It is slow, and the same mathematics as
any large network: what Tensors change is how many numbers one node carries.

- The network is 2 -> 16 -> 16 -> 1 with relu(z) = max(z, 0) between the layers: 337 parameters. Weights
  start normal with variance 2/fan-in, so that a signal keeps its size from layer to layer.
- The label y is -1 or +1 and the score s should have its sign, with a margin. The loss asks for y·s ≥ 1:
      L = mean(relu(1 - y·s)) + 1e-4 · Σ p²        (the L2 term keeps the parameters small)
- Each step looks at 20 of the 100 points, drawn anew (stochastic gradient descent): the gradient is noisier
  than that of all the points and five times cheaper, so the same time buys more steps.
- The learning rate falls linearly from 1 to 0.1: large steps find the valley, small ones settle in it.

Sources: the exercise is that of Andrej Karpathy, "micrograd", 2020; the loss: Corinna Cortes and Vladimir
Vapnik, "Support-vector networks", 1995; the initial weights: Kaiming He and others, "Delving deep into
rectifiers", 2015.
"""

import math
import random

from _common import Faster, canvas, draw_losses, options, save

import tinygrad_edu
from tinygrad_edu import Value

BATCH = 20
Layer = list[tuple[list[Value], Value]]  # one (weights, bias) for each neuron


def moons(count: int, seed: int) -> tuple[list[tuple[float, float]], list[int]]:
    """`count` noisy points on two interleaved half circles, and their labels, -1 or +1 in turn."""
    rng = random.Random(seed)
    points, labels = [], []
    for k in range(count):
        angle = rng.uniform(0, math.pi)
        label = 1 if k % 2 else -1
        x, y = math.cos(angle), math.sin(angle)
        if label == 1:  # the lower moon: turned over, and moved into the upper one
            x, y = 1 - x, 0.5 - y
        points.append((x + rng.gauss(0, 0.1), y + rng.gauss(0, 0.1)))
        labels.append(label)
    return points, labels


def network(sizes: list[int], seed: int) -> list[Layer]:
    """Layers with random weights and zero biases."""
    rng = random.Random(seed)

    def neuron(inputs: int) -> tuple[list[Value], Value]:
        return [Value(rng.gauss(0, math.sqrt(2 / inputs))) for _ in range(inputs)], Value(0.0)

    return [[neuron(inputs) for _ in range(outputs)] for inputs, outputs in zip(sizes, sizes[1:], strict=False)]


def score(layers: list[Layer], point: tuple[float, float]) -> Value:
    """The network's output for one point."""
    signal: list = list(point)
    for depth, layer in enumerate(layers, start=1):
        signal = [sum((w * x for w, x in zip(weights, signal, strict=True)), bias) for weights, bias in layer]
        if depth < len(layers):
            signal = [z.relu() for z in signal]
    return signal[0]


def fit(points, labels, steps: int, seed: int, compile: bool = False) -> tuple[list[Layer], list[float]]:
    """The trained layers, and the loss of each step's points before its update."""
    rng = random.Random(seed)
    layers = network([2, 16, 16, 1], seed)
    parameters = [p for layer in layers for weights, bias in layer for p in (*weights, bias)]

    def loss_of(points, labels):
        hinges = [(1 - y * score(layers, point)).relu() for point, y in zip(points, labels, strict=True)]
        return sum(hinges, Value(0.0)) / len(hinges) + 1e-4 * sum((p * p for p in parameters), Value(0.0))

    loss_of = Faster(loss_of, tinygrad_edu.compile) if compile else loss_of
    losses = []
    for step in range(steps):
        batch = rng.sample(range(len(points)), BATCH)
        loss = loss_of([points[k] for k in batch], [float(labels[k]) for k in batch])
        losses.append(loss.data)

        loss.backward()
        rate = 1 - 0.9 * step / steps
        for p in parameters:
            p.data -= rate * p.grad
            p.grad = 0.0
    return layers, losses


def accuracy(layers: list[Layer], points, labels) -> float:
    """The share of points whose score has the sign of the label."""
    right = sum((score(layers, point).data > 0) == (y > 0) for point, y in zip(points, labels, strict=True))
    return right / len(points)


def draw_boundary(figure, axes, layers: list[Layer], points, labels) -> None:
    """The points over a map of the score; the black line is the decision boundary, score 0."""
    xs = [-1.5 + 4 * k / 39 for k in range(40)]
    ys = [-1.0 + 2.5 * k / 24 for k in range(25)]
    grid = [[score(layers, (x, y)).data for x in xs] for y in ys]
    filled = axes.contourf(xs, ys, grid, levels=[-4, -2, -1, 0, 1, 2, 4], cmap="RdBu", extend="both")
    figure.colorbar(filled, ax=axes, label="score")
    axes.contour(xs, ys, grid, levels=[0], colors="black")
    axes.scatter(*zip(*points, strict=True), c=labels, cmap="RdBu", edgecolors="white", s=30)
    axes.set(xlabel="x", ylabel="y", title="decision boundary")


def main(argv: list[str] | None = None) -> None:
    """Fit 100 points, print the accuracy, save the decision boundary."""
    args = options(__doc__, steps=100, argv=argv, compile=True)
    points, labels = moons(100, args.seed)
    layers, losses = fit(points, labels, args.steps, args.seed, args.compile)
    print(f"18_moons_value: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print(f"accuracy {accuracy(layers, points, labels):.2f}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    draw_boundary(figure, left, layers, points, labels)
    draw_losses(right, losses)
    save(figure, args, "18_moons_value")


if __name__ == "__main__":
    main()
