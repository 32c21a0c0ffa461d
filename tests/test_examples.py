"""The examples run alone, as their readers run them, and recover what they say.

Each is started once as a script of its own with a few steps, for its options and its picture. The full fits
run in this process, against least squares (or scikit-learn), which no example uses to train.
"""

import importlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("[0-9]*.py"))
SIN = [name for name in NAMES if "_sin_" in name]
LINEAR = [name for name in NAMES if "_linear_" in name]


@pytest.fixture
def example(monkeypatch):
    """A function that imports an example by its name, as if its folder were the current one."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


def run(folder: Path, name: str, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_the_examples_are_numbered_without_a_gap():
    assert [int(name[:2]) for name in NAMES] == list(range(1, 9))


@pytest.mark.parametrize("name", NAMES)
def test_runs_alone_and_saves_its_picture(name, tmp_path):
    done = run(tmp_path, name, "--steps", "3", "--seed", "1", "--output", "pictures")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{name}: 3 steps, loss ")
    path = tmp_path / "pictures" / f"{name}.png"
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (900, 400)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == [path.name]


@pytest.mark.parametrize("name", NAMES)
def test_no_plot_needs_no_matplotlib_and_writes_nothing(name, example, monkeypatch, tmp_path, capsys):
    for loaded in [module for module in sys.modules if module.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, loaded, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.chdir(tmp_path)
    example(name).main(["--steps", "2", "--no-plot"])
    assert capsys.readouterr().out.startswith(f"{name}: 2 steps, loss ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SIN)
def test_the_cubic_is_that_of_least_squares(name, example):
    coefficients, losses = example(name).fit(steps=4000, seed=0)
    x = np.linspace(-np.pi, np.pi, 2000)
    expected = np.polynomial.polynomial.polyfit(x, np.sin(x), 3)
    np.testing.assert_allclose(coefficients, expected, rtol=1e-3, atol=1e-4)
    assert losses[-1] < losses[0] / 100


def test_the_three_tensor_fits_are_the_same_descent(example):
    """By hand, by autograd and by optimizer: the same start and rule, so the same numbers up to rounding."""
    by_hand, autograd, module = (example(name).fit(steps=200, seed=5)[0] for name in SIN[1:])
    np.testing.assert_allclose(autograd, by_hand, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(module, by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("seed", range(3))
def test_the_line_is_that_of_least_squares(name, seed, example):
    coefficients, losses = example(name).fit(steps=200, seed=seed)
    x, y = example("_common").line_data(seed)
    slope = np.cov(x, y)[0, 1] / np.var(x, ddof=1)
    np.testing.assert_allclose(coefficients, [y.mean() - slope * x.mean(), slope], rtol=1e-4)
    np.testing.assert_allclose(coefficients, [2, 3], atol=0.15)  # and near the line that made the points
    assert losses[-1] < 0.15


@pytest.mark.parametrize("seed", range(3))
def test_tumours_are_told_apart_as_well_as_by_scikit_learn(seed, example):
    from sklearn.linear_model import LogisticRegression

    cancer = example("07_breast_cancer")
    x_train, x_test, y_train, y_test = cancer.split(seed)
    model, losses = cancer.fit(x_train, y_train, steps=300, seed=seed)
    accuracy = np.mean((cancer.predict(model, x_test) > 0.5) == y_test)
    reference = LogisticRegression(max_iter=1000).fit(x_train, y_train).score(x_test, y_test)
    assert accuracy > 0.95
    assert accuracy > reference - 0.02
    assert losses[-1] < 0.1


def test_moons_are_told_apart_by_numbers_alone(example):
    moons = example("08_moons_value")
    points, labels = moons.moons(100, seed=0)
    assert sum(labels) == 0
    layers, losses = moons.fit(points, labels, steps=30, seed=0)
    assert sum(len(weights) + 1 for layer in layers for weights, _ in layer) == 337
    assert moons.accuracy(layers, points, labels) >= 0.9
    assert np.mean(losses[-5:]) < losses[0] / 2
