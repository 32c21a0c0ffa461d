"""The examples and the demo run with --device cuda: one step of each, the two largest on a little of their data.

What they recover is tested on the CPU (../test_examples.py). The GPU's random numbers are its own, so the numbers that
are printed differ from those of the CPU where a start is drawn.
"""

import importlib
import re
from pathlib import Path

import pytest

import tinygrad_edu as tg

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("[0-9]*.py"))
ON_THE_CPU = {"01_sin_numpy": "NumPy alone", "18_moons_value": "Value alone"}
LARGE = ["19_digits_cnn", "20_small_gpt"]
NEED_SKLEARN = ["15_regression", "17_breast_cancer", "19_digits_cnn"]


@pytest.fixture
def example(monkeypatch):
    """A function that imports an example by its name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load(name):
        if name in NEED_SKLEARN:
            pytest.importorskip("sklearn")
        return importlib.import_module(name)

    yield load
    tg.set_default_device("cpu")


@pytest.mark.parametrize("name", sorted({*NAMES} - {*LARGE} - ON_THE_CPU.keys()))
def test_an_example_runs_on_the_gpu(name, example, capsys):
    main = example(name).main
    tg.cuda.reset_peak_memory_stats()
    before = tg.cuda.memory_allocated()
    main(["--steps", "1", "--no-plot", "--device", "cuda"])
    assert capsys.readouterr().out.startswith(f"{name}: 1 steps, loss ")
    assert tg.cuda.max_memory_allocated() > before


@pytest.mark.parametrize("name", ON_THE_CPU)
def test_an_example_without_tensors_has_no_device(name, example, capsys):
    with pytest.raises(SystemExit):
        example(name).main(["--device", "cuda"])
    assert "unrecognized arguments: --device" in capsys.readouterr().err


def test_digits_are_read_on_the_gpu(example, monkeypatch):
    digits = example("19_digits_cnn")
    x, _, y, _ = digits.split()
    monkeypatch.setattr(tg.utils.data, "DataLoader", lambda dataset, **how: [[part[None] for part in dataset[0]]])
    model, losses = digits.fit(x[:1], y[:1], steps=1, seed=0, device="cuda")
    assert model.scores.weight.device.type == "cuda"
    assert 1 < losses[0] < 5
    assert digits.predict(model, x[:1]).shape == (1,)


def test_a_tiny_gpt_learns_on_the_gpu(example, monkeypatch):
    gpt = example("20_small_gpt")
    for size, value in {"BATCH": 1, "CONTEXT": 4, "WIDTH": 16, "LAYERS": 1}.items():
        monkeypatch.setattr(gpt, size, value)
    tg.set_default_device("cuda")
    alphabet, data = gpt.encoded("gradients")
    model, losses = gpt.fit(data, len(alphabet), steps=1, seed=0)
    assert model.scores.weight.device.type == "cuda"
    assert 1 < losses[0] < 5
    assert len(gpt.write(model, [0], 2)) == 2


def test_the_demo_runs_on_the_gpu(capsys):
    from tinygrad_edu import demo

    assert demo.main(["--device", "cuda", "--epochs", "1", "--no-plot"]) == 1  # one epoch is not enough
    assert re.search(r"coefficients miss .* after 1 epochs", capsys.readouterr().out)
