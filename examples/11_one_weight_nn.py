"""y = 2x again, in the shape of every training program: model, loss, optimizer, loop.

    1. design the model (input size, output size, forward pass)
    2. choose loss and optimizer
    3. repeat: forward pass and loss, backward pass, update

`nn.Linear(1, 1)` is the model wx + b. It is trained twice, bare and as the layer of a Module, which is where
larger models begin: the same seed gives both the same start, and so the same numbers to the last.

One thing is new: the bias. The points lie on a line through 0, so b should vanish, but it takes its time. The
loss is a long valley. The Hessian [[2·mean x², 2·mean x], [2·mean x, 2]] = [[15, 5], [5, 2]] has eigenvalues
16.7 and 0.3, so at the rate 0.01 each step leaves 0.83 of the error across the valley, but 0.997 along it. In
the 100 steps that were plenty for 10_one_weight.py, a quarter of that distance is covered; a prediction for
x = 5 looks good long before w and b do.

Shapes: x and y (4, 1), four rows of one feature. Source: Patrick Loeber's PyTorch tutorials ("Python
Engineer") have the same points and rate.
"""

import numpy as np
from _common import options, report

import tinygrad_edu as tg

LEARNING_RATE = 0.01
X = [[1.0], [2.0], [3.0], [4.0]]
Y = [[2.0], [4.0], [6.0], [8.0]]


class LinearRegression(tg.nn.Module):
    """wx + b, as a Module that has a layer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.linear = tg.nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.linear(x)


def train(model: tg.nn.Module, steps: int) -> list[float]:
    """Train the model in place; the loss before each update."""
    x, y = tg.tensor(X), tg.tensor(Y)
    loss_function = tg.nn.MSELoss()
    optimizer = tg.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return losses


def make(kind: type, seed: int) -> tg.nn.Module:
    """A model of that class, with the initial numbers of the seed."""
    tg.manual_seed(seed)
    return kind(1, 1)


def predict(model: tg.nn.Module, x: float) -> float:
    """The prediction for one number."""
    with tg.no_grad():
        return model(tg.tensor([x])).item()


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """Intercept and slope [b, w] of the bare layer after `steps` updates, and the loss before each update."""
    layer = make(tg.nn.Linear, seed)
    losses = train(layer, steps)
    return [layer.bias.item(), layer.weight.item()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit twice, print intercept and slope beside the closed form, save the picture."""
    args = options(__doc__, steps=2000, argv=argv, device=True)
    tg.set_default_device(args.device)
    module = make(LinearRegression, args.seed)
    before = predict(module, 5.0)
    train(module, args.steps)
    coefficients, losses = fit(args.steps, args.seed)
    report(args, "11_one_weight_nn", (np.ravel(X), np.ravel(Y)), coefficients, losses)
    print(f"prediction for x = 5: {before:.5f} before, {predict(module, 5.0):.5f} after, true 10")
    same = coefficients == [module.linear.bias.item(), module.linear.weight.item()]
    print(f"bare layer and Module agree: {same}")


if __name__ == "__main__":
    main()
