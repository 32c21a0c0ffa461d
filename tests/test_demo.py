"""`python -m tinygrad_edu demo` recovers known coefficients from any seed, and says so when it does not.

The demo is itself a checker, so it is checked in both directions: it must accept a right descent for ten
seeds, and refuse one that was stopped early and one that minimises something else. The table that it prints
is read back, and compared here with solutions written out once more.
"""

import re
import struct
import sys

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import demo

SIN = np.polynomial.polynomial.polyfit(np.linspace(-np.pi, np.pi, 2000), np.sin(np.linspace(-np.pi, np.pi, 2000)), 3)
ROW = re.compile(r"^(.{26})(.{18})\s*(-?[\d.]+|nan)\s+(-?[\d.]+)\s+([\d.e+-]+|nan)")


def rows(text: str) -> list[tuple[str, float, float]]:
    """(coefficient's name, recovered, expected) of each row of the printed table."""
    found = [match for match in map(ROW.match, text.splitlines()) if match]
    return [(match[2].strip(), float(match[3]), float(match[4])) for match in found]


def block(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make every import of `package`, and of what is already loaded of it, raise ImportError."""
    loaded = [name for name in sys.modules if name.startswith(package + ".")]
    for name in [package, *loaded]:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize("seed", range(10))
def test_every_seed_recovers_all_coefficients(seed, capsys):
    assert demo.main(["--seed", str(seed), "--no-plot"]) == 0
    out = capsys.readouterr().out
    table = rows(out)
    names = ["1", "x", "x²", "x³", "intercept", "slope"]
    names += ["intercept", "worst radius", "worst texture", "worst smoothness"]
    assert [name for name, _, _ in table] == names
    recovered = np.array([found for _, found, _ in table])
    expected = np.array([best for _, _, best in table])
    np.testing.assert_allclose(recovered, expected, rtol=demo.RELATIVE, atol=demo.ABSOLUTE)
    np.testing.assert_allclose(expected[:4], SIN, atol=1e-5)  # five digits are printed
    assert "recovered: all 10 coefficients" in out
    assert "FAILED" not in out


def test_the_line_is_that_of_covariance_over_variance():
    problem = demo.line(seed=4)
    slope = np.cov(problem.x, problem.targets)[0, 1] / np.var(problem.x, ddof=1)
    intercept = problem.targets.mean() - slope * problem.x.mean()
    np.testing.assert_allclose(problem.expected, [intercept, slope], rtol=1e-12)


def test_newton_ends_where_the_gradient_of_the_likelihood_is_zero():
    problem = demo.tumours()
    rows = np.c_[np.ones(len(problem.features)), problem.features]
    p = 1 / (1 + np.exp(-rows @ problem.expected))
    assert np.abs(rows.T @ (p - problem.targets)).max() < 1e-9
    assert np.mean((p > 0.5) == problem.targets) > 0.97


def test_newton_refuses_separable_classes():
    with pytest.raises((ArithmeticError, np.linalg.LinAlgError)), np.errstate(all="ignore"):
        demo.newton(np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize("epochs", [1, 20, 100])
def test_too_few_epochs_fail_and_say_so(epochs, capsys):
    assert demo.main(["--epochs", str(epochs), "--no-plot"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"FAILED: \d+ of 10 coefficients miss .* after {epochs} epochs \(400 are enough\)", out)
    assert "recovered: all" not in out
    assert "  missed" in out


def test_a_descent_of_another_loss_fails(monkeypatch, capsys):
    """The loss falls here too; only the comparison of coefficients can see that it is the wrong one."""

    class FourthPower(tg.nn.Module):
        def forward(self, prediction, target):
            error = (prediction - target) * (prediction - target)
            return (error * error).mean()

    monkeypatch.setattr(tg.nn, "MSELoss", FourthPower)
    assert demo.main(["--no-plot"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_a_descent_that_diverges_fails():
    problem = demo.line(seed=0)
    problem.rate = 100.0
    with np.errstate(all="ignore"):
        fit = demo.train(problem, epochs=60, seed=0, device="cpu")
    assert fit.missed.all()


def test_the_same_seed_gives_the_same_bits():
    first, again, other = (demo.train(demo.sine(), epochs=5, seed=seed, device="cpu") for seed in (3, 3, 4))
    assert np.array_equal(first.coefficients, again.coefficients)
    assert not np.array_equal(first.coefficients, other.coefficients)


def test_compiled_it_is_the_same_descent_and_says_what_it_gains(capsys):
    assert demo.main(["--epochs", "12", "--compile", "--no-plot"]) == 1
    out = capsys.readouterr().out
    assert len(re.findall(r"^compiled: .* µs an epoch, then \d+ µs: \d+\.\d times as fast", out, re.MULTILINE)) == 3
    for problem in (demo.sine(), demo.line(0), demo.tumours()):
        fit, eager = (demo.train(problem, 12, 0, "cpu", compiled=compiled) for compiled in (True, False))
        assert (fit.compiled_at, eager.compiled_at) == (6, None)
        np.testing.assert_allclose(fit.losses, eager.losses, rtol=1e-5)
        np.testing.assert_allclose(fit.coefficients, eager.coefficients, rtol=1e-4, atol=1e-6)


def test_compiled_it_recovers_all_coefficients(capsys):
    assert demo.main(["--compile", "--no-plot"]) == 0
    assert "recovered: all 10 coefficients" in capsys.readouterr().out


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_a_number_of_epochs_that_is_no_count_is_refused(epochs, capsys):
    with pytest.raises(SystemExit) as stop:
        demo.main(["--epochs", epochs])
    assert stop.value.code == 2
    assert "--epochs" in capsys.readouterr().err


def test_no_plot_needs_no_matplotlib(monkeypatch, capsys):
    block(monkeypatch, "matplotlib")
    assert demo.main(["--no-plot"]) == 0
    assert "picture" not in capsys.readouterr().out


def test_a_picture_without_matplotlib_names_the_extra(monkeypatch, capsys, tmp_path):
    block(monkeypatch, "matplotlib")
    assert demo.main(["--output", str(tmp_path / "demo.png")]) == 1
    assert "tinygrad-edu[examples]" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_without_scikit_learn_two_problems_run_and_the_extra_is_named(monkeypatch, capsys):
    block(monkeypatch, "sklearn")
    assert demo.main(["--no-plot"]) == 1
    out = capsys.readouterr().out
    assert "recovered: all 6 coefficients" in out
    assert re.search(r"FAILED: .*scikit-learn.*tinygrad-edu\[examples\]", out)


def test_without_tqdm_a_plain_line_announces_each_problem(monkeypatch, capsys):
    block(monkeypatch, "tqdm")
    assert demo.main(["--no-plot"]) == 0
    assert capsys.readouterr().err.count("400 epochs ...\n") == 3


def test_with_tqdm_each_problem_has_its_bar(capsys):
    pytest.importorskip("tqdm")
    assert demo.main(["--no-plot"]) == 0
    assert capsys.readouterr().err.count("400/400") == 3


def test_the_picture_is_a_png_of_sensible_size(capsys, tmp_path):
    path = tmp_path / "new folder" / "demo.png"
    assert demo.main(["--output", str(path)]) == 0
    assert f"picture: {path}" in capsys.readouterr().out
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])  # the first chunk, IHDR
    assert (width, height) == (1000, 960)
    assert 20_000 < len(data) < 500_000
