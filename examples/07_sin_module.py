"""Fit a cubic to sin(x) with a Module of your own.

Where no chain of ready-made layers says what you mean, you write the class: a Module owns Parameters and says
in `forward` how they make a prediction. It finds its own parameters (assigning one to an attribute registers
it), so `model.parameters()` can be handed to an optimizer just as that of a `Sequential`. SGD's `step` is the
loop under `no_grad()` of 03_sin_autograd.py, number by number. Model, loss and update can now be exchanged
one by one: try `tg.optim.Adam(model.parameters(), lr=1e-2)`.

Shapes: x (2000,) -> prediction (2000,); the model has four 0-d parameters. The exercise is that of Justin
Johnson, "Learning PyTorch with Examples", 2017.
"""

import math

from _common import Faster, options, report, sin_data

import tinygrad_edu as tg

LEARNING_RATE = 2e-6  # 01_sin_numpy.py says why not much more


class Cubic(tg.nn.Module):
    """p(x) = a + bx + cx² + dx³ with random initial coefficients."""

    def __init__(self):
        super().__init__()
        self.a = tg.nn.Parameter(tg.randn(()))
        self.b = tg.nn.Parameter(tg.randn(()))
        self.c = tg.nn.Parameter(tg.randn(()))
        self.d = tg.nn.Parameter(tg.randn(()))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3


def fit(steps: int, seed: int, compile: bool = False) -> tuple[list[float], list[float]]:
    """The coefficients [a, b, c, d] after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x = tg.linspace(-math.pi, math.pi, 2000)
    y = tg.sin(x)
    model = Cubic()
    loss_function = tg.nn.MSELoss(reduction="sum")
    optimizer = tg.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step(x, y):
        loss = loss_function(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = Faster(step, tg.compile) if compile else step
    losses = [step(x, y).item() for _ in range(steps)]
    return [parameter.item() for parameter in model.parameters()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=4000, argv=argv, device=True, compile=True)
    tg.set_default_device(args.device)
    report(args, "07_sin_module", sin_data(), *fit(args.steps, args.seed, args.compile))


if __name__ == "__main__":
    main()
