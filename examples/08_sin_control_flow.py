"""Fit sin(x) with a network that is another one at every step: random control flow and a shared weight.

The graph is made by running `forward`, anew in each step, so `forward` may be any Python: loops, conditions,
random numbers. Here a die decides whether the polynomial is of third, fourth or fifth order, and where the
terms x⁴ and x⁵ are there, both have the *same* coefficient e. Nothing special happens in `backward`: a tensor
that is used twice receives two gradients, and they add up.

Momentum keeps a velocity u, so that what the die does averages out over about ten steps:
    u ← 0.9·u + g,   θ ← θ - η·u

With the die there is no single curve to fit, but there still is a closed form. The mean loss over the three
orders is the sum of squares of three stacked linear problems, in whose last column the coefficient e
multiplies 0, x⁴, or x⁴ + x⁵:
    L(θ) = (1/3) Σ_k |X_k θ - y|²,   X_k = [1, x, x², x³, column_k],   shapes (2000, 5)
The descent stays a little off it: each step follows the gradient of the order that the die chose.

The exercise is that of Justin Johnson, "Learning PyTorch with Examples", 2017.
"""

import math
import random

import numpy as np
from _common import options, progress, report, sin_data

import tinygrad_edu as tg


class DynamicPolynomial(tg.nn.Module):
    """a + bx + cx² + dx³, then nothing, ex⁴, or ex⁴ + ex⁵: as the `die` decides."""

    def __init__(self, die: random.Random):
        super().__init__()
        self.die = die
        self.a = tg.nn.Parameter(tg.randn(()))
        self.b = tg.nn.Parameter(tg.randn(()))
        self.c = tg.nn.Parameter(tg.randn(()))
        self.d = tg.nn.Parameter(tg.randn(()))
        self.e = tg.nn.Parameter(tg.randn(()))

    def forward(self, x):
        y = self.a + self.b * x + self.c * x**2 + self.d * x**3
        for power in range(4, self.die.randint(4, 6)):  # up to, not including, the number drawn
            y = y + self.e * x**power
        return y


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """The coefficients [a, b, c, d, e] after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x = tg.linspace(-math.pi, math.pi, 2000)
    y = tg.sin(x)
    model = DynamicPolynomial(random.Random(seed))
    loss_function = tg.nn.MSELoss(reduction="sum")
    optimizer = tg.optim.SGD(model.parameters(), lr=1e-8, momentum=0.9)
    losses = []
    for _ in progress(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [parameter.item() for parameter in model.parameters()], losses


def closed_form() -> np.ndarray:
    """The [a, b, c, d, e] with the least mean loss over the three orders."""
    x, y = sin_data()
    last = [0 * x, x**4, x**4 + x**5]
    stacked = np.concatenate([np.stack([x**0, x, x**2, x**3, column], axis=1) for column in last])
    return np.linalg.lstsq(stacked, np.tile(y, len(last)))[0]


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture (of the fourth order)."""
    args = options(__doc__, steps=30_000, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "08_sin_control_flow", sin_data(), *fit(args.steps, args.seed), expected=closed_form())


if __name__ == "__main__":
    main()
