"""Fit a parabola to a stream of noisy points: y = 5x² + 3, with Adam and new points in every step.

The model wants all of w₀x² + w₁x + w₂ and should find w = (5, 0, 3). `stack` puts the three features side by
side, a matrix product weighs them, `squeeze` drops the axis of length 1 that is left:
    x (100,)  ->  features (100, 3) @ w (3, 1)  ->  (100, 1)  ->  prediction (100,)

Each step sees 100 points that no step saw before, x uniform in [-10, 10] and y with normal noise of deviation
1. So there is nothing to overfit, and the loss is a noisy sample of one that has its minimum at the true
curve: the variance of the noise, 1.

The features are very unequal, x² is up to 100 and the constant is 1: where plain gradient descent would wait
for the constant, Adam divides each gradient by its running root mean square, as RMSprop does, and smooths it:
    m ← 0.9·m + 0.1·g,   v ← 0.999·v + 0.001·g²,   w ← w - η·m̂ / (√v̂ + ε)
(m̂, v̂: corrected for their start at zero). The rate here, 0.1, is large; the constant is the last to arrive,
and wanders a little as the points change.

Sources: Vahid Kazemi, "Effective PyTorch" (on GitHub), has the same curve without noise; Diederik Kingma and
Jimmy Ba, "Adam: a method for stochastic optimization", 2015.
"""

from _common import Faster, options, progress, report

import tinygrad_edu as tg

TRUE = [3.0, 0.0, 5.0]  # the coefficients of 1, x, x²


def model(x, w):
    """w₀x² + w₁x + w₂ for x (n,) and w (3, 1): shape (n,)."""
    features = tg.stack([x * x, x, tg.ones_like(x)], 1)
    return tg.squeeze(features @ w, 1)


def batch():
    """100 new points: x and y, both of shape (100,)."""
    x = tg.rand(100) * 20 - 10
    y = 5 * x * x + 3 + tg.randn(100)
    return x, y


def fit(steps: int, seed: int, compile: bool = False) -> tuple[list[float], list[float]]:
    """The coefficients of 1, x, x² after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    w = tg.randn(3, 1, requires_grad=True)
    optimizer = tg.optim.Adam([w], 0.1)

    def step(x, y):
        loss = tg.nn.functional.mse_loss(model(x, w), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = Faster(step, tg.compile) if compile else step
    losses = [step(*batch()).item() for _ in progress(steps)]
    return w.squeeze(1).flip(0).tolist(), losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the true ones, save the picture."""
    args = options(__doc__, steps=4000, argv=argv, device=True, compile=True)
    tg.set_default_device(args.device)
    coefficients, losses = fit(args.steps, args.seed, args.compile)
    shown = tuple(array.cpu().numpy() for array in batch())
    report(args, "16_curve_fit", shown, coefficients, losses, expected=TRUE, heading="true")


if __name__ == "__main__":
    main()
