"""The smallest regression there is: one weight, four points, y = 2x. First in NumPy, then with tensors.

The model is wx with w = 0 at the start, the loss the mean squared error over x = 1, 2, 3, 4:
    L(w) = (1/n) Σ (wx_i - y_i)²,   dL/dw = (1/n) Σ 2x_i(wx_i - y_i)
The NumPy version needs the second formula. The tensor version needs the first only: `backward` finds the
second, and the loop is otherwise the same.

So small a problem can be solved on paper, descent and all. The mean of x² is 7.5, so dL/dw = 15(w - 2), and with
the rate 0.01 each step leaves 1 - 0.15 = 0.85 of the distance to 2. After k steps w = 2(1 - 0.85^k). Two
programs and a formula must agree.

Shapes: x and y (4,); w 0-d. Source: Patrick Loeber's PyTorch tutorials ("Python Engineer") have the same
points and rate.
"""

import numpy as np
from _common import canvas, draw_losses, options, save

import tinygrad_edu as tg

LEARNING_RATE = 0.01
X = [1.0, 2.0, 3.0, 4.0]
Y = [2.0, 4.0, 6.0, 8.0]


def fit_numpy(steps: int) -> tuple[float, list[float]]:
    """The weight after `steps` updates, and the loss before each; the derivative by hand."""
    x, y = np.array(X, dtype=np.float32), np.array(Y, dtype=np.float32)
    w = np.float32(0.0)
    losses = []
    for _ in range(steps):
        prediction = w * x
        losses.append(float(((prediction - y) ** 2).mean()))
        gradient = (2 * x * (prediction - y)).mean()
        w -= LEARNING_RATE * gradient
    return float(w), losses


def fit_tensor(steps: int) -> tuple[float, list[float]]:
    """The weight after `steps` updates, and the loss before each; the derivative by `backward`."""
    x, y = tg.tensor(X), tg.tensor(Y)
    w = tg.tensor(0.0, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = ((w * x - y) ** 2).mean()
        losses.append(loss.item())
        loss.backward()
        with tg.no_grad():
            w -= LEARNING_RATE * w.grad
        w.grad.zero_()
    return w.item(), losses


def main(argv: list[str] | None = None) -> None:
    """Fit twice, print both weights beside the formula, save the picture. Nothing here is random."""
    args = options(__doc__, steps=100, argv=argv, device=True)
    tg.set_default_device(args.device)
    by_hand, _ = fit_numpy(args.steps)
    found, losses = fit_tensor(args.steps)
    formula = 2 * (1 - 0.85**args.steps)
    print(f"10_one_weight: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print("          weight  prediction for x = 5")
    for name, w in (("numpy", by_hand), ("tensors", found), ("formula", formula), ("true", 2.0)):
        print(f"{name:8} {w:.5f}  {5 * w:20.5f}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    left.plot(X, Y, "o", label="data")
    left.plot([0, 5], [0, 5 * found], label=f"{found:.3f} x")
    left.set(xlabel="x", ylabel="y", title="data and fit")
    left.legend()
    draw_losses(right, losses)
    save(figure, args, "10_one_weight")


if __name__ == "__main__":
    main()
