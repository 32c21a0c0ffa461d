"""Linear regression on scikit-learn's `make_regression`: 100 noisy points and the line through them.

`make_regression` draws a slope and 100 normal x, and adds noise of standard deviation 20 to the line. It hands
out float64 arrays, y with shape (100,): both are made float32, which is what layers compute in, and y becomes
a column (100, 1), a row for each prediction.

The x have a mean square of about 0.8, so at the rate 0.01 each step leaves about 0.984 of the distance to the
best line: after 100 steps a fifth of it, visible in the picture; after 1,000 nothing to speak of. The
noise cannot be learned: the loss ends near its variance, 400.

    x (100, 1) @ Wᵀ (1, 1) + b (1,)  ->  prediction (100, 1)

Source: Patrick Loeber's PyTorch tutorials ("Python Engineer") have the same points and rate.
"""

import numpy as np
from _common import options, report
from sklearn.datasets import make_regression

import tinygrad_edu as tg

LEARNING_RATE = 0.01


def points() -> tuple[np.ndarray, np.ndarray]:
    """The data, x and y, both of shape (100,) and float32; the same whatever the seed of the model."""
    x, y = make_regression(n_samples=100, n_features=1, noise=20, random_state=1)
    return x[:, 0].astype("float32"), y.astype("float32")


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """Intercept and slope [b, w] after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x, y = (tg.tensor(array).reshape(-1, 1) for array in points())
    model = tg.nn.Linear(1, 1)
    loss_function = tg.nn.MSELoss()
    optimizer = tg.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(steps):
        loss = loss_function(model(x), y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return [model.bias.item(), model.weight.item()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print intercept and slope beside the closed form, save the picture."""
    args = options(__doc__, steps=1000, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "15_regression", points(), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
