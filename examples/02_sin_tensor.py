"""Fit a cubic to sin(x) with Tensors, the derivatives still by hand.

A Tensor is used here as an array only: nothing requires a gradient, so no graph is built. Compare with
01_sin_numpy.py: the same program, line for line. What changes is where the arithmetic runs (this library's
own compiled loops, and on a GPU with `device="cuda"`) and its precision: tensors are float32 unless told
otherwise, about 7 digits, NumPy's arrays float64, about 16.

Shapes: x, y and g are (2000,); a, b, c, d are 0-d tensors, shape (), and broadcast against (2000,). The
exercise is that of Justin Johnson, "Learning PyTorch with Examples", 2017.
"""

import math

from _common import options, report, sin_data

import tinygrad_edu as tg

LEARNING_RATE = 2e-6  # 01_sin_numpy.py says why not much more


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """The coefficients [a, b, c, d] after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x = tg.linspace(-math.pi, math.pi, 2000)
    y = tg.sin(x)
    a, b, c, d = (tg.randn(()) for _ in range(4))
    losses = []
    for _ in range(steps):
        prediction = a + b * x + c * x**2 + d * x**3
        losses.append(((prediction - y) ** 2).sum().item())

        g = 2 * (prediction - y)
        a -= LEARNING_RATE * g.sum()
        b -= LEARNING_RATE * (g * x).sum()
        c -= LEARNING_RATE * (g * x**2).sum()
        d -= LEARNING_RATE * (g * x**3).sum()
    return [a.item(), b.item(), c.item(), d.item()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=4000, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "02_sin_tensor", sin_data(), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
