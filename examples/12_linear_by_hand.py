"""Linear regression with two bare tensors: slope and intercept of noisy points.

The data are made: y = 3x + 2 plus noise. The model is wx + b, the loss the mean squared error, L = (1/n) Σ
(wx + b - y)², and the update w ← w - η ∂L/∂w stands in the open, so that nothing is hidden.

What should come out is the least-squares line, which for one variable has the closed form
    w = cov(x, y) / var(x),   b = mean(y) - w·mean(x)
and not exactly 3 and 2: with 200 points and noise of 0.3 the two differ by a few hundredths.

Shapes: x, y (200,); w, b 0-d.
Source: Carl Friedrich Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1821.
"""

from _common import line_data, options, report

import tinygrad_edu as tg

LEARNING_RATE = 0.3


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """Intercept and slope [b, w] after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x, y = (tg.tensor(array.astype("float32")) for array in line_data(seed))
    w = tg.randn((), requires_grad=True)
    b = tg.zeros((), requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = ((w * x + b - y) ** 2).mean()
        losses.append(loss.item())

        loss.backward()
        with tg.no_grad():
            w -= LEARNING_RATE * w.grad
            b -= LEARNING_RATE * b.grad
        w.grad = None
        b.grad = None
    return [b.item(), w.item()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print intercept and slope beside the closed form, save the picture."""
    args = options(__doc__, steps=200, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "12_linear_by_hand", line_data(args.seed), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
