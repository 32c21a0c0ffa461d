"""Linear regression with matrices: the yields of two crops from the weather of five regions.

Three measurements in (temperature, rainfall, humidity), two targets out (apples, oranges): every target has
three weights and a bias. Written for all rows at once that is one product of matrices,
    x (5, 3) @ wᵀ (3, 2) + b (2,)  ->  prediction (5, 2)
where w is (2, 3), a row for each target, and b is broadcast over the rows.

The update changes w and b in place, under `no_grad()` since it is no part of the model; and `grad.zero_()`
empties the gradients in place too, since `backward` adds to what it finds.

The inputs are near 80, and their squares add up: the rate cannot exceed 1.1e-4. At 1e-5 a hundred steps bring
the predictions into the right region and 10,000 settle the weights, but the bias, whose input is 1, hardly
moves from where it began. So the weights are compared with the least-squares weights *for these biases*, and
the loss with the least that any weights and biases could reach.

Sources: Aakash N S, "Linear Regression with PyTorch" (on Jovian), has the same regions and rate; Carl
Friedrich Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1821.
"""

import numpy as np
from _common import canvas, draw_losses, options, progress, save

import tinygrad_edu as tg

LEARNING_RATE = 1e-5
WEATHER = [[73, 67, 43], [91, 88, 64], [87, 134, 58], [102, 43, 37], [69, 96, 70]]
YIELDS = [[56, 70], [81, 101], [119, 133], [22, 37], [103, 119]]


def model(x, w, b):
    """Predictions (n, 2) for rows x (n, 3), weights (2, 3) and biases (2,)."""
    return x @ w.t() + b


def mse(prediction, target):
    """The mean squared error over all elements."""
    difference = prediction - target
    return (difference * difference).sum() / difference.numel()


def fit(steps: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Weights (2, 3) and biases (2,) after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x = tg.tensor(WEATHER, dtype=tg.float32)
    y = tg.tensor(YIELDS, dtype=tg.float32)
    w = tg.randn(2, 3, requires_grad=True)
    b = tg.randn(2, requires_grad=True)
    losses = []
    for _ in progress(steps):
        loss = mse(model(x, w, b), y)
        losses.append(loss.item())
        loss.backward()
        with tg.no_grad():
            w -= LEARNING_RATE * w.grad
            b -= LEARNING_RATE * b.grad
            w.grad.zero_()
            b.grad.zero_()
    return w.detach().cpu().numpy(), b.detach().cpu().numpy(), losses


def closed_form(bias: np.ndarray) -> np.ndarray:
    """The least-squares weights (2, 3) for these biases (2,), from the normal equations XᵀX wᵀ = Xᵀ(Y - b)."""
    x = np.array(WEATHER, dtype=float)
    return np.linalg.solve(x.T @ x, x.T @ (np.array(YIELDS) - bias)).T


def least_loss() -> float:
    """The loss of the best weights and biases: least squares with a column of ones."""
    x = np.column_stack([WEATHER, np.ones(len(WEATHER))])
    best = np.linalg.lstsq(x, np.array(YIELDS, dtype=float))[0]
    return float(np.mean((x @ best - YIELDS) ** 2))


def main(argv: list[str] | None = None) -> None:
    """Fit, print weights and predictions beside the best ones, save the picture."""
    args = options(__doc__, steps=10_000, argv=argv, device=True)
    tg.set_default_device(args.device)
    w, b, losses = fit(args.steps, args.seed)
    best = closed_form(b)
    prediction = np.array(WEATHER) @ w.T + b
    print(f"14_two_crops: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print(f"the least possible loss is {least_loss():.6g}")
    print("                recovered   closed form")
    for crop, row, best_row in zip(("apples", "oranges"), w, best, strict=True):
        for cause, found, exact in zip(("temperature", "rainfall", "humidity"), row, best_row, strict=True):
            print(f"{crop:8}{cause:12}{found:9.5f}  {exact:10.5f}")
    print("apples: predicted, true     oranges: predicted, true")
    for found, true in zip(prediction, YIELDS, strict=True):
        print(f"{found[0]:17.2f} {true[0]:5d} {found[1]:22.2f} {true[1]:5d}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    for k, crop in enumerate(("apples", "oranges")):
        left.plot(np.array(YIELDS)[:, k], prediction[:, k], "o", label=crop)
    left.plot([20, 135], [20, 135], color="grey", label="exact")
    left.set(xlabel="true yield", ylabel="predicted yield", title="five regions")
    left.legend()
    draw_losses(right, losses)
    save(figure, args, "14_two_crops")


if __name__ == "__main__":
    main()
