"""Fit sin(x) with an operation of your own: the third Legendre polynomial and its derivative.

Every operation of a graph knows two things: its value, and how to pull a gradient back through it. A
`Function` is a pair of them written by you, for an operation that is missing, or whose derivative you know in
a cheaper or steadier form than the chain rule would find. Here it is
    P₃(z) = (5z³ - 3z) / 2,   P₃'(z) = (15z² - 3) / 2
- `forward` computes the value from plain tensors (nothing is recorded in it) and keeps in `ctx` what
  `backward` will need;
- `backward` receives g = ∂L/∂P₃, shaped like the output, and returns ∂L/∂z = g·P₃'(z), shaped like the input.

The model is y = a + b·P₃(c + dx), not linear in c and d. Yet the answer is known: with a = c = 0 it is the
odd cubic -(3/2)bd·x + (5/2)bd³·x³, and any odd cubic with coefficients of opposite sign is one of these. So
with the least-squares cubic αx + βx³,   d² = -3β / (5α)   and   b = -2α / (3d).

A derivative written by hand is a derivative to check: `gradcheck` compares it with differences of P₃.
Sources: Justin Johnson, "Learning PyTorch with Examples", 2017; Adrien-Marie Legendre, "Recherches sur
l'attraction des sphéroïdes homogènes", 1785.
"""

import math

import numpy as np
from _common import options, report, sin_data

import tinygrad_edu as tg

LEARNING_RATE = 5e-6


class LegendreP3(tg.autograd.Function):
    """P₃, element by element."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return 0.5 * (5 * z**3 - 3 * z)

    @staticmethod
    def backward(ctx, g):
        (z,) = ctx.saved_tensors
        return g * 1.5 * (5 * z**2 - 1)


def train(steps: int) -> tuple[list[float], list[float]]:
    """The parameters [a, b, c, d] after `steps` updates, and the loss before each. Nothing is random here."""
    x = tg.linspace(-math.pi, math.pi, 2000)
    y = tg.sin(x)
    parameters = a, b, c, d = [tg.tensor(start, requires_grad=True) for start in (0.0, -1.0, 0.0, 0.3)]
    losses = []
    for _ in range(steps):
        prediction = a + b * LegendreP3.apply(c + d * x)
        loss = (prediction - y).pow(2).sum()
        losses.append(loss.item())

        loss.backward()
        with tg.no_grad():
            for parameter in parameters:
                parameter -= LEARNING_RATE * parameter.grad
                parameter.grad = None
    return [parameter.item() for parameter in parameters], losses


def as_cubic(a: float, b: float, c: float, d: float) -> list[float]:
    """a + b·P₃(c + dx), multiplied out: the coefficients of 1, x, x², x³."""
    return [
        a + b * (2.5 * c**3 - 1.5 * c),
        b * d * (7.5 * c**2 - 1.5),
        b * d**2 * 7.5 * c,
        b * d**3 * 2.5,
    ]


def closed_form() -> list[float]:
    """The best a, b, c, d: those of the least-squares cubic."""
    _, alpha, _, beta = np.polynomial.polynomial.polyfit(*sin_data(), 3)
    d = math.sqrt(-3 * beta / (5 * alpha))
    return [0.0, -2 * alpha / (3 * d), 0.0, d]


def main(argv: list[str] | None = None) -> None:
    """Check the derivative, fit, print parameters and coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=2000, argv=argv, device=True)
    tg.set_default_device(args.device)
    points = tg.linspace(-1, 1, 5, dtype=tg.float64, requires_grad=True)
    checked = tg.autograd.gradcheck(LegendreP3.apply, points)
    parameters, losses = train(args.steps)
    report(args, "04_sin_function", sin_data(), as_cubic(*parameters), losses)
    print(f"P3' agrees with differences of P3: {checked}")
    print("parameter  recovered   closed form")
    for letter, found, best in zip("abcd", parameters, closed_form(), strict=True):
        print(f"{letter}         {round(found, 5) + 0.0:11.5f}  {best:12.5f}")


if __name__ == "__main__":
    main()
