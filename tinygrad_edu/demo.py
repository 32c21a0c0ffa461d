"""The demo: does gradient descent find what is known to be right?

Problem. A falling loss shows that something is learnt, not that the gradients are right: many wrong
gradients descend too. A stronger test is a convex problem, where every descent must end at the one
optimum, and that optimum is also computed by a method that shares nothing with this library: NumPy,
float64, no descent.

    problem                            rows   features        loss    expected coefficients from
    cubic for sin(x)                   2000   u, u², u³       MSE     least squares (np.linalg.lstsq)
    line through y = 3x + 2 + noise     200   x               MSE     least squares
    benign tumour or malignant          569   3 measurements  BCE     Newton's method

All three are one layer, prediction = activation(features @ Wᵀ + b): features (n, k), W (1, k), b (1,). W
and b start random, by the seed, and every epoch is one update from the whole data, with momentum β = 0.9:
    v ← β v + ∇L,   θ ← θ - η v
Why the same number of epochs is enough everywhere: along an eigenvector of the Hessian with eigenvalue λ
the error obeys e″ = (1 + β - ηλ) e′ - β e (epochs t + 2, t + 1, t). The roots of its characteristic
polynomial are complex, both of modulus √β = 0.949, as long as
    (1 - √β)² < ηλ < (1 + √β)²,   that is   0.0026 < ηλ < 3.8
so within a condition number of 1,400 every direction shrinks by 0.949 an epoch, from any start: by 1e-9 in
400 (for the logistic loss, whose Hessian is not constant: once it is near the optimum). Scaling the
features keeps the problems inside: u = x/π in [-1, 1] for the cubic, standardised measurements.

With --compile the first epochs run as they are, the others with the same step compiled (chapter 14): the descent is
the same, and so one run shows how much faster it is.

Sources: Boris Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Peter
McCullagh and John Nelder, "Generalized Linear Models", 1989 (Newton's method for logistic regression); the
data: Street, Wolberg and Mangasarian, "Nuclear feature extraction for breast tumor diagnosis", 1993.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import tinygrad_edu as tg

EPOCHS = 400
MOMENTUM = 0.9
EAGER = 50  # epochs before the step is compiled, or half of them if there are fewer than twice as many
# A coefficient is recovered if |found - expected| ≤ RELATIVE·|expected| + ABSOLUTE. Rounding decides how
# tight this can be: a float32 gradient is good to about 1e-7, and the flattest direction (λ = 0.0014)
# magnifies that to 1e-4 at worst. ABSOLUTE is for the coefficients of 1 and x² in the cubic, which are 0 by
# symmetry. A descent that is stopped early misses by far more.
RELATIVE, ABSOLUTE = 1e-3, 1e-4
INSTALL = "pip install 'tinygrad-edu[examples]'"


@dataclass
class Problem:
    """Data, the layer's loss and step size, and what the optimum must be.

    `features` (n, k) and `targets` (n,) are float64. `names`, `expected` and `units` (k + 1,) have the
    intercept first; a trained coefficient times its entry of `units` is the one reported. `x` (n,) is the
    picture's horizontal axis.
    """

    title: str
    names: list[str]
    features: np.ndarray
    targets: np.ndarray
    expected: np.ndarray
    units: np.ndarray
    rate: float
    x: np.ndarray
    logistic: bool = False


@dataclass
class Fit:
    """What training gave: coefficients (k + 1,), predictions (n,), the loss of each epoch, seconds.

    `turns` are the seconds of each epoch; those from `compiled_at` on ran compiled, the first of them compiled it.
    """

    problem: Problem
    coefficients: np.ndarray
    predictions: np.ndarray
    losses: list[float] = field(repr=False)
    seconds: float
    turns: list[float] = field(repr=False, default_factory=list)
    compiled_at: int | None = None

    @property
    def speed(self) -> tuple[float, float, float]:
        """Microseconds of an epoch before and after compiling, and the seconds of the one that compiled."""
        at = self.compiled_at
        assert at is not None
        return median(self.turns[:at]) * 1e6, median(self.turns[at + 1 :]) * 1e6, self.turns[at]

    @property
    def missed(self) -> np.ndarray:
        """Which coefficients are off by more than the tolerance; nan is a miss."""
        expected = self.problem.expected
        return ~np.isclose(self.coefficients, expected, rtol=RELATIVE, atol=ABSOLUTE)


def sine() -> Problem:
    """The cubic a + bx + cx² + dx³ nearest to sin(x) on one period, trained in u = x/π.

    The columns x and x³ differ up to tenfold in size; in u all lie in [-1, 1], and the Hessian's condition
    number falls from 325 to 67. A coefficient β of u^p is β/π^p of x^p. Least squares is solved in x itself.
    """
    x = np.linspace(-np.pi, np.pi, 2000)
    y = np.sin(x)
    powers = np.arange(4)
    expected = np.linalg.lstsq(x[:, None] ** powers, y, rcond=None)[0]
    features = (x[:, None] / np.pi) ** powers[1:]
    names = ["1", "x", "x²", "x³"]
    return Problem("cubic for sin(x)", names, features, y, expected, np.pi**-powers, rate=0.5, x=x)


def line(seed: int) -> Problem:
    """The least-squares line of 200 points of y = 3x + 2 with noise of 0.3: near 3 and 2, not equal."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 200)
    y = 3 * x + 2 + rng.normal(0, 0.3, 200)
    expected = np.linalg.lstsq(np.stack([np.ones(200), x], axis=1), y, rcond=None)[0]
    names = ["intercept", "slope"]
    return Problem("line, y = 3x + 2 + noise", names, x[:, None], y, expected, np.ones(2), rate=0.5, x=x)


def tumours() -> Problem:
    """Logistic regression of scikit-learn's breast-cancer data on three standardised measurements.

    Three, because all 30 tell the classes apart perfectly, and without a penalty the best coefficients then
    lie at infinity. With these three the classes overlap (97 % accuracy), so the optimum is finite.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    names = ["worst radius", "worst texture", "worst smoothness"]
    columns = [list(data.feature_names).index(name) for name in names]
    features = data.data[:, columns]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    targets = data.target.astype(float)
    expected = newton(features, targets)
    score = np.c_[np.ones(len(features)), features] @ expected
    return Problem(
        "benign or malignant",
        ["intercept", *names],
        features,
        targets,
        expected,
        np.ones(4),
        rate=2.0,
        x=score,
        logistic=True,
    )


def newton(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Logistic regression by Newton's method: the maximum-likelihood coefficients (k + 1,), intercept first.

    With X = [1, features], p = sigmoid(Xθ) and S = diag(p(1 - p)), a step δ solves (XᵀSX) δ = Xᵀ(y - p).
    That is least squares with weights S, hence the other name: iteratively reweighted least squares. Near the
    optimum every step doubles the number of right digits.

    Raises:
        ArithmeticError: no convergence in 50 steps, as when the classes are separable.

    >>> x = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])
    >>> newton(x, np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0])).round(4)  # odds 1 : 2 at x = 0, 2 : 1 at x = 1
    array([-0.6931,  1.3863])
    """
    rows = np.c_[np.ones(len(features)), features]
    theta = np.zeros(rows.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-rows @ theta))
        step = np.linalg.solve((rows.T * (p * (1 - p))) @ rows, rows.T @ (targets - p))
        theta += step
        if np.abs(step).max() < 1e-10:
            return theta
    raise ArithmeticError("Newton's method did not converge: are the classes separable?")


def train(problem: Problem, epochs: int, seed: int, device: str, compiled: bool = False) -> Fit:
    """Train the layer on all rows for `epochs` updates. The expected coefficients play no part in it."""
    tg.manual_seed(seed)
    layer = tg.nn.Linear(problem.features.shape[1], 1)
    model = tg.nn.Sequential(layer, tg.nn.Sigmoid()) if problem.logistic else layer
    model.to(device)
    loss_function = tg.nn.BCELoss() if problem.logistic else tg.nn.MSELoss()
    optimizer = tg.optim.SGD(model.parameters(), lr=problem.rate, momentum=MOMENTUM)
    features = tg.tensor(problem.features.astype(np.float32), device=device)
    targets = tg.tensor(problem.targets.astype(np.float32)[:, None], device=device)

    def step(features: Any, targets: Any) -> Any:
        loss = loss_function(model(features), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled_at = min(EAGER, epochs // 2) if compiled else None
    losses: list[float] = []
    times = [time.perf_counter()]
    with progress(problem.title, epochs) as bar:
        for epoch in bar:
            if epoch == compiled_at:
                step = tg.compile(step)
            losses.append(step(features, targets).item())
            times.append(time.perf_counter())

    weights = np.concatenate([array_of(layer.bias), array_of(layer.weight)])
    with tg.no_grad():
        predictions = array_of(model(features))
    turns = np.diff(times).tolist()
    return Fit(problem, weights * problem.units, predictions, losses, times[-1] - times[0], turns, compiled_at)


def array_of(tensor: Any) -> np.ndarray:
    """A tensor's values as a flat float64 array, from any device."""
    return tensor.detach().cpu().numpy().astype(np.float64).reshape(-1)


@contextmanager
def progress(title: str, epochs: int) -> Iterator[Any]:
    """The epochs to loop over, shown by a tqdm bar, or announced by one plain line without tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        print(f"{title}: {epochs} epochs ...", file=sys.stderr, flush=True)
        yield range(epochs)
        return
    with tqdm(range(epochs), desc=f"{title:<26}", unit="epoch") as bar:
        yield bar


def table(fits: Sequence[Fit]) -> str:
    """Recovered against expected coefficients, a row each; loss and time on the first row of each problem."""
    head = f"{'problem':<26}{'coefficient':<18}{'recovered':>11}{'expected':>11}{'off by':>10}"
    lines = [head + f"{'loss':>12}{'time':>9}", "-" * (len(head) + 21)]
    for fit in fits:
        title, tail = fit.problem.title, f"{fit.losses[-1]:>12.6f}{fit.seconds:>7.2f} s"
        rows = zip(fit.problem.names, fit.coefficients, fit.problem.expected, fit.missed, strict=True)
        for name, found, expected, missed in rows:
            error = abs(found - expected)
            # Rounding a tiny negative number gives -0.0; adding 0.0 takes the sign away.
            row = f"{title:<26}{name:<18}{round(found, 5) + 0.0:>11.5f}{round(expected, 5) + 0.0:>11.5f}"
            lines.append(row + f"{error:>10.1e}{tail}" + ("  missed" if missed else ""))
            title = tail = ""
    return "\n".join(lines)


def gains(fits: Sequence[Fit]) -> str:
    """What compiling the step has gained, a line for each problem."""
    lines = []
    for fit in fits:
        before, after, first = fit.speed
        lines.append(
            f"compiled: {fit.problem.title:<26}{before:>7.0f} µs an epoch, then {after:.0f} µs: "
            f"{before / after:.1f} times as fast ({first:.2f} s to compile)"
        )
    return "\n".join(lines)


def picture(fits: Sequence[Fit], path: Path) -> None:
    """Save one figure: a row for each problem, with data and fit on the left and the loss curve on the right.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2 * len(fits)), layout="constrained")
    FigureCanvasAgg(figure)  # draws into memory: needs no screen
    axes = figure.subplots(len(fits), 2, squeeze=False)
    for fit, (left, right) in zip(fits, axes, strict=True):
        problem = fit.problem
        order = np.argsort(problem.x)
        left.plot(problem.x, problem.targets, ".", markersize=3, label="data")
        left.plot(problem.x[order], fit.predictions[order], label="fit")
        left.set(title=problem.title, xlabel="score, z = x·w + b" if problem.logistic else "x")
        left.set(ylabel="P(benign)" if problem.logistic else "y")
        left.legend()
        right.semilogy(fit.losses)
        right.set(title="loss", xlabel="epoch")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, format="png")


def options(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line of the demo."""
    parser = argparse.ArgumentParser(
        prog="python -m tinygrad_edu demo",
        description="Recover known coefficients by gradient descent: a cubic for sin(x), a line, "
        "a logistic regression. Exits with 0 only if all meet their independent solution.",
    )
    parser.add_argument("--device", default="cpu", help="where the tensors live: cpu (default) or cuda")
    parser.add_argument(
        "--epochs", type=positive, default=EPOCHS, help="updates for each problem (default: %(default)s)"
    )
    parser.add_argument("--compile", action="store_true", help="compile the training step, and say what it gains")
    parser.add_argument("--seed", type=int, default=0, help="seed of initial weights and noise (default: 0)")
    parser.add_argument("--output", type=Path, default=Path("tinygrad_edu_demo.png"), help="the picture's path")
    parser.add_argument("--no-plot", action="store_true", help="save no picture (needs no matplotlib)")
    return parser.parse_args(argv)


def positive(text: str) -> int:
    """An integer of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; the exit status is 0 if all was done and every coefficient is recovered, else 1."""
    args = options(argv)
    problems = [sine(), line(args.seed)]
    complaints = []
    try:
        problems.append(tumours())
    except ImportError:
        complaints.append(f"logistic regression left out: it needs scikit-learn ({INSTALL})")

    fits = [train(problem, args.epochs, args.seed, args.device, args.compile) for problem in problems]
    print(table(fits))
    if args.compile and args.epochs >= 4:
        print(gains(fits))
    if not args.no_plot:
        try:
            picture(fits, args.output)
            print(f"picture: {args.output}")
        except ImportError:
            complaints.append(f"no picture: it needs matplotlib ({INSTALL}); --no-plot runs without")

    misses = sum(int(fit.missed.sum()) for fit in fits)
    total = sum(len(fit.coefficients) for fit in fits)
    tolerance = f"the tolerance of {RELATIVE:g} relative + {ABSOLUTE:g}"
    if misses:
        hint = f" ({EPOCHS} are enough)" if args.epochs < EPOCHS else ""
        complaints.append(f"{misses} of {total} coefficients miss {tolerance} after {args.epochs} epochs{hint}")
    else:
        print(f"recovered: all {total} coefficients are within {tolerance}")
    for complaint in complaints:
        print(f"FAILED: {complaint}")
    return 1 if complaints else 0
