"""Fit a cubic to sin(x) with NumPy: no tensors, no graph, every derivative by hand.

The model is p(x) = a + bx + cx² + dx³, the loss is the sum of squared errors over 2,000 points of one
period, L = Σ (p(x) - y)². Gradient descent repeats three things: compute the loss (forward), compute how it
changes with each coefficient (backward), and move each coefficient a little against that (update).

By the chain rule, with g = ∂L/∂p = 2(p(x) - y), an array of shape (2000,):
    ∂L/∂a = Σ g,   ∂L/∂b = Σ g·x,   ∂L/∂c = Σ g·x²,   ∂L/∂d = Σ g·x³
The step size is bounded by the steepest direction: the Hessian's largest eigenvalue is about 2·2000·140 =
5.6e5 (the x and x³ columns grow together), so a rate above 2/5.6e5 = 3.6e-6 diverges. Try it.

The exercise is that of Justin Johnson, "Learning PyTorch with Examples", 2017. Half the rate used here, 1e-6
as there, needs twice the steps. The next examples compute the same thing and each give one more part of this
work to the library: the arithmetic (02), the derivatives (03), a derivative of your own (04), the model (05),
the update (06), a model of your own (07), a model that changes from step to step (08).
"""

import numpy as np
from _common import options, report, sin_data

LEARNING_RATE = 2e-6


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """The coefficients [a, b, c, d] after `steps` updates, and the loss before each update."""
    x, y = sin_data()
    a, b, c, d = np.random.default_rng(seed).standard_normal(4)
    losses = []
    for _ in range(steps):
        prediction = a + b * x + c * x**2 + d * x**3
        losses.append(float(np.square(prediction - y).sum()))

        g = 2 * (prediction - y)
        a -= LEARNING_RATE * g.sum()
        b -= LEARNING_RATE * (g * x).sum()
        c -= LEARNING_RATE * (g * x**2).sum()
        d -= LEARNING_RATE * (g * x**3).sum()
    return [float(a), float(b), float(c), float(d)], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=4000, argv=argv)
    report(args, "01_sin_numpy", sin_data(), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
