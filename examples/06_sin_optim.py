"""Fit a cubic to sin(x) with an optimizer: RMSprop, which gives every parameter a step size of its own.

Gradient descent has one rate for all, and the steepest direction dictates it: 2e-6, because of x³. RMSprop
keeps a running mean of each parameter's squared gradients and divides by its root:
    v ← 0.99·v + 0.01·g²,   θ ← θ - η·g / (√v + ε)
While a gradient keeps its size, the step is about η, whatever that size is. So η = 1e-3 can be read as "a
thousandth per step", for the constant as for x³. While it shrinks the step is smaller, since v remembers the
last hundred steps: from most starts 2,000 steps arrive, from a few it takes 3,000.

The price: at the optimum the steps do not shrink with the gradient. They go on to and fro by η, so the
coefficients are right to η/2 and no better, until the rate is lowered, and the loss stays at 8.92, not 8.82.

The model and the shapes are those of 05_sin_sequential.py. Sources: Justin Johnson, "Learning PyTorch with
Examples", 2017; Tijmen Tieleman and Geoffrey Hinton, "Lecture 6.5: RMSprop", 2012.
"""

import math

from _common import Faster, options, report, sin_data

import tinygrad_edu as tg


def fit(steps: int, seed: int, compile: bool = False) -> tuple[list[float], list[float]]:
    """The coefficients of 1, x, x², x³ after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x = tg.linspace(-math.pi, math.pi, 2000)
    y = tg.sin(x)
    powers = x.unsqueeze(-1).pow(tg.tensor([1, 2, 3]))
    model = tg.nn.Sequential(tg.nn.Linear(3, 1), tg.nn.Flatten(0, 1))
    loss_function = tg.nn.MSELoss(reduction="sum")
    optimizer = tg.optim.RMSprop(model.parameters(), lr=1e-3)

    def step(powers, y):
        loss = loss_function(model(powers), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = Faster(step, tg.compile) if compile else step
    losses = [step(powers, y).item() for _ in range(steps)]
    linear = model[0]
    return [linear.bias.item(), *linear.weight[0].tolist()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=3000, argv=argv, device=True, compile=True)
    tg.set_default_device(args.device)
    report(args, "06_sin_optim", sin_data(), *fit(args.steps, args.seed, args.compile))


if __name__ == "__main__":
    main()
