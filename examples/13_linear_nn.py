"""Linear regression with `nn.Linear`: the same line, written as it is written for large models.

`nn.Linear(1, 1)` computes x @ Wᵀ + b. It works on rows: each of the 200 points is a row with one feature,
so x is (200, 1), not (200,), and so is y. Forgetting that is a classical mistake: (200, 1) minus (200,)
broadcasts to (200, 200) and the loss compares every prediction with every target. It converges too, to a
flat line.

    x (200, 1) @ Wᵀ (1, 1) + b (1,)  ->  prediction (200, 1)

Source: Carl Friedrich Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae", 1821.
"""

from _common import line_data, options, report

import tinygrad_edu as tg


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """Intercept and slope [b, w] after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x, y = (tg.tensor(array.astype("float32").reshape(-1, 1)) for array in line_data(seed))
    model = tg.nn.Linear(1, 1)
    loss_function = tg.nn.MSELoss()
    optimizer = tg.optim.SGD(model.parameters(), lr=0.3)
    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [model.bias.item(), model.weight.item()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print intercept and slope beside the closed form, save the picture."""
    args = options(__doc__, steps=200, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "13_linear_nn", line_data(args.seed), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
