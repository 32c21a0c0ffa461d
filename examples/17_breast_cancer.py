"""Logistic regression: is a tumour benign? 569 patients, 30 measurements of cell nuclei each.

A linear score z = x·w + b becomes a probability by the sigmoid, p = 1/(1 + e^-z), and the loss is the
negative log-likelihood (binary cross-entropy) L = -mean(y log p + (1 - y) log(1 - p)). Its gradient has the
form of linear regression's, ∂L/∂z = (p - y)/n, although neither formula for the derivative is written here.

- The features have very different scales (areas in the hundreds, smoothness around 0.1), so each is
  standardised to mean 0 and deviation 1, by the statistics of the training rows only: the test rows must
  stay unseen.
- Plain descent at the rate 0.01 is right for some nine patients in ten after 100 steps, and for about 0.96 of
  them after 3,000.
- A probability is a prediction once it is rounded: `round` gives 0 or 1, `eq` compares with the label, and the
  sum of what agrees, over the number of rows, is the accuracy.
- There is no closed form. The yardstick is scikit-learn's own logistic regression on the same split.

Shapes: x (455, 30), W (1, 30), b (1,), p and y (455, 1); 114 rows, a fifth, are kept for the test.
Sources: Patrick Loeber's PyTorch tutorials ("Python Engineer") have the same data and rate; David Cox, "The
regression analysis of binary sequences", 1958; the data: Street, Wolberg and Mangasarian, "Nuclear feature
extraction for breast tumor diagnosis", 1993.
"""

import numpy as np
from _common import Faster, canvas, draw_losses, options, progress, save
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import tinygrad_edu as tg


class LogisticRegression(tg.nn.Module):
    """The probability sigmoid(x·w + b), for each row of x (n, features): shape (n, 1)."""

    def __init__(self, features: int):
        super().__init__()
        self.linear = tg.nn.Linear(features, 1)

    def forward(self, x):
        return tg.sigmoid(self.linear(x))


def split(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Standardised float32 rows and 0/1 labels: x_train, x_test, y_train, y_test."""
    features, labels = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features, labels, test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = (scaler.transform(rows).astype("float32") for rows in (x_train, x_test))
    return x_train, x_test, y_train.astype("float32"), y_test.astype("float32")


def fit(x: np.ndarray, y: np.ndarray, steps: int, seed: int, compile: bool = False) -> tuple[tg.nn.Module, list[float]]:
    """A model trained on rows x (n, 30) with labels y (n,), and the loss before each update."""
    tg.manual_seed(seed)
    inputs, targets = tg.tensor(x), tg.tensor(y.reshape(-1, 1))
    model = LogisticRegression(x.shape[1])
    loss_function = tg.nn.BCELoss()
    optimizer = tg.optim.SGD(model.parameters(), lr=0.01)

    def step(inputs, targets):
        loss = loss_function(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = Faster(step, tg.compile) if compile else step
    return model, [step(inputs, targets).item() for _ in progress(steps)]


def predict(model: tg.nn.Module, x: np.ndarray) -> np.ndarray:
    """The probability of "benign" for each row of x (n, 30): shape (n,)."""
    with tg.no_grad():
        return model(tg.tensor(x)).cpu().numpy().reshape(-1)


def accuracy(model: tg.nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """The share of rows x (n, 30) whose rounded probability is the label in y (n,)."""
    with tg.no_grad():
        predicted = model(tg.tensor(x)).round()
        right = predicted.eq(tg.tensor(y).reshape(-1, 1)).sum()
    return right.item() / len(y)


def main(argv: list[str] | None = None) -> None:
    """Fit, print the accuracy beside scikit-learn's, save the picture."""
    args = options(__doc__, steps=3000, argv=argv, device=True, compile=True)
    tg.set_default_device(args.device)
    x_train, x_test, y_train, y_test = split(args.seed)
    model, losses = fit(x_train, y_train, args.steps, args.seed, args.compile)
    reference = linear_model.LogisticRegression(max_iter=1000).fit(x_train, y_train)

    print(f"17_breast_cancer: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print(f"test accuracy  {accuracy(model, x_test, y_test):.4f}")
    print(f"scikit-learn   {reference.score(x_test, y_test):.4f}")
    print(f"always benign  {y_test.mean():.4f}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    probability = predict(model, x_test)
    groups = [probability[y_test == 0], probability[y_test == 1]]
    left.hist(groups, bins=20, range=(0, 1), stacked=True, label=["malignant", "benign"])
    left.set(xlabel='predicted probability of "benign"', ylabel="test patients", title="test predictions")
    left.legend()
    draw_losses(right, losses)
    save(figure, args, "17_breast_cancer")


if __name__ == "__main__":
    main()
