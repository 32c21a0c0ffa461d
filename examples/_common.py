"""What every example shares: options, data, the closed form, and the picture.

Nothing here is about automatic differentiation; it stands in one place so that the examples can be short.

The answer that the polynomial examples are measured against is least squares. For the model
y ≈ Σ θ_j x^j and the loss L(θ) = Σ (Xθ - y)² with the columns X_j = x^j, setting the gradient
2 Xᵀ(Xθ - y) to zero gives the normal equations XᵀX θ = Xᵀy, so the optimum is known without any descent.
Source: Adrien-Marie Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes", 1805.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm, trange


def options(
    lesson: str, steps: int, argv: Sequence[str] | None, device: bool = False, compile: bool = False
) -> argparse.Namespace:
    """The command line: `steps`, `seed`, `output` (a folder), `no_plot`, and where asked for `device`, `compile`."""
    parser = argparse.ArgumentParser(description=lesson.splitlines()[0])
    parser.add_argument("--steps", type=int, default=steps, help="gradient steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default: 0)")
    parser.add_argument("--output", type=Path, default=Path("out"), help="folder for the picture")
    parser.add_argument("--no-plot", action="store_true", help="save no picture (needs no matplotlib)")
    if device:
        parser.add_argument("--device", default="cpu", help="where the tensors live: cpu (default) or cuda")
    if compile:
        parser.add_argument("--compile", action="store_true", help="compile the training step, and say what it gains")
    return parser.parse_args(argv)


class Faster:
    """A training step that is compiled after ten calls, and after ten more says how much faster it is.

    Both ways compute the same, so the descent is the same. What is timed is a turn of the loop, from call to call.

        step = Faster(step, tg.compile) if args.compile else step
    """

    CALLS = 10

    def __init__(self, step: Callable[..., Any], compile: Callable[[Any], Any]) -> None:
        self.step, self.compiled = step, compile(step)
        self.begun: list[float] = []

    def __call__(self, *tensors: Any) -> Any:
        self.begun.append(perf_counter())
        if len(self.begun) == 2 * self.CALLS + 2:
            turns = np.diff(self.begun) * 1e6
            before, after = median(turns[: self.CALLS]), median(turns[self.CALLS + 1 :])  # between them it is compiled
            tqdm.write(f"compiled: {before:,.0f} µs a step, then {after:,.0f} µs: {before / after:.1f} times as fast")
        return (self.step if len(self.begun) <= self.CALLS else self.compiled)(*tensors)


def progress(steps: int) -> Iterable[int]:
    """`range(steps)` for long work: with a progress bar where somebody watches, without one in a pipe."""
    return trange(steps, disable=None, leave=False)


def sin_data() -> tuple[np.ndarray, np.ndarray]:
    """2,000 evenly spaced points of one period of the sine: x and sin(x), both of shape (2000,)."""
    x = np.linspace(-np.pi, np.pi, 2000)
    return x, np.sin(x)


def line_data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """200 points of y = 3x + 2 with normal noise of standard deviation 0.3: x and y, both of shape (200,).

    The noise moves the best line a little away from slope 3 and intercept 2. What a fit can recover is
    the least-squares line of these points, not the line that made them.
    """
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, 200)
    return x, 3 * x + 2 + rng.normal(0, 0.3, 200)


def report(
    args: argparse.Namespace,
    name: str,
    data: tuple[np.ndarray, np.ndarray],
    coefficients: Sequence[float],
    losses: Sequence[float],
    expected: Sequence[float] | None = None,
    heading: str = "closed form",
) -> None:
    """Print the coefficients of 1, x, x², … beside the best ones, and save `name`.png.

    The best ones are least squares over `data`, or `expected`, under its `heading`, where an example knows better.
    """
    x, y = data
    if expected is None:
        expected = np.polynomial.polynomial.polyfit(x, y, len(coefficients) - 1)
    print(f"{name}: {len(losses)} steps, loss {losses[0]:.6g} -> {losses[-1]:.6g}")
    print(f"term   recovered  {heading:>12}")
    for power, (found, best) in enumerate(zip(coefficients, expected, strict=True)):
        # Rounding a tiny negative number gives -0.0; adding 0.0 takes the sign away.
        print(f"x^{power}  {round(found, 5) + 0.0:10.5f}  {round(best, 5) + 0.0:12.5f}")
    if args.no_plot:
        return
    figure, (left, right) = canvas()
    left.plot(x, y, ".", markersize=2, label="data")
    order = np.argsort(x)
    left.plot(x[order], np.polynomial.polynomial.polyval(x[order], coefficients), label="fit")
    left.set(xlabel="x", ylabel="y", title="data and fit")
    left.legend()
    draw_losses(right, losses)
    save(figure, args, name)


def canvas():
    """A figure with two axes side by side. Imports matplotlib only here, so `--no-plot` runs without it."""
    import matplotlib

    matplotlib.use("Agg")  # draws into files: needs no screen
    import matplotlib.pyplot as plt

    return plt.subplots(1, 2, figsize=(9, 4), layout="constrained")


def draw_losses(axes, losses: Sequence[float]) -> None:
    """The loss of every step, on a logarithmic scale."""
    axes.semilogy(losses)
    axes.set(xlabel="step", ylabel="loss", title="loss")


def save(figure, args: argparse.Namespace, name: str) -> None:
    """Write the figure into the output folder (made if it is not there) and print its path."""
    args.output.mkdir(parents=True, exist_ok=True)
    path = args.output / f"{name}.png"
    figure.savefig(path, dpi=100)
    print(f"picture: {path}")
