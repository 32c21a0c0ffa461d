"""Fit a cubic to sin(x) with layers: `nn.Sequential` is the model, `nn.MSELoss` the loss.

A cubic is linear in its coefficients. Put the powers x, x², x³ side by side and it is a linear layer with
three inputs and one output, whose bias is the constant term:
    x (2000,)  ->  powers (2000, 3)  ->  Linear(3, 1): (2000, 1)  ->  Flatten(0, 1): (2000,)

`Flatten` is not decoration: y is (2000,), and (2000, 1) minus (2000,) would broadcast to all four million
pairs of a prediction with a target. The loss is the sum of squares, as before, hence `reduction="sum"`: with
the mean, its default, the gradients are 2,000 times smaller and so the rate would be 2,000 times larger.

`model.parameters()` are the weight (1, 3) and the bias (1,); the layer drew their random initial values.
The update is still written out; the next example hands it over too. The exercise is that of Justin Johnson,
"Learning PyTorch with Examples", 2017.
"""

import math

from _common import options, report, sin_data

import tinygrad_edu as tg

LEARNING_RATE = 2e-6  # 01_sin_numpy.py says why not much more


def fit(steps: int, seed: int) -> tuple[list[float], list[float]]:
    """The coefficients of 1, x, x², x³ after `steps` updates, and the loss before each update."""
    tg.manual_seed(seed)
    x = tg.linspace(-math.pi, math.pi, 2000)
    y = tg.sin(x)
    powers = x.unsqueeze(-1).pow(tg.tensor([1, 2, 3]))  # (2000, 1) to the power (3,): (2000, 3)
    model = tg.nn.Sequential(tg.nn.Linear(3, 1), tg.nn.Flatten(0, 1))
    loss_function = tg.nn.MSELoss(reduction="sum")
    losses = []
    for _ in range(steps):
        loss = loss_function(model(powers), y)
        losses.append(loss.item())

        model.zero_grad()
        loss.backward()
        with tg.no_grad():
            for parameter in model.parameters():
                parameter -= LEARNING_RATE * parameter.grad
    linear = model[0]
    return [linear.bias.item(), *linear.weight[0].tolist()], losses


def main(argv: list[str] | None = None) -> None:
    """Fit, print the coefficients beside the closed form, save the picture."""
    args = options(__doc__, steps=4000, argv=argv, device=True)
    tg.set_default_device(args.device)
    report(args, "05_sin_sequential", sin_data(), *fit(args.steps, args.seed))


if __name__ == "__main__":
    main()
