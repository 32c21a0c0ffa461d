"""Fit a cubic to sin(x) and let the library find the derivatives.

`requires_grad=True` makes a tensor a leaf of a graph: every operation on it remembers its operands. Then
`loss.backward()` walks that graph from the loss to the leaves, applies the chain rule at every node, and
adds the result to each leaf's `.grad`. The four formulas of 02_sin_tensor.py are gone, and any other model
would need none.

Two habits belong to this style:
- the update itself must not be recorded, hence `no_grad()`: it is not part of the function being
  differentiated;
- `backward` adds to `.grad`, so it is cleared after each step, or the steps would add up.

The exercise is that of Justin Johnson, "Learning PyTorch with Examples", 2017. Reverse-mode
differentiation: Seppo Linnainmaa, "Taylor expansion of the accumulated rounding error", 1976.
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
    coefficients = a, b, c, d = [tg.randn((), requires_grad=True) for _ in range(4)]
    losses = []
    for _ in range(steps):
        prediction = a + b * x + c * x**2 + d * x**3
        loss = ((prediction - y) ** 2).sum()
        losses.append(loss.item())

        loss.backward()
        with tg.no_grad():
            for coefficient in coefficients:
                coefficient -= LEARNING_RATE * coefficient.grad
                coefficient.grad = None
    return [coefficient.item() for coefficient in coefficients], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=4000, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "03_sin_autograd", sin_data(), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
