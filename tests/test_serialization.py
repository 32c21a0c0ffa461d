"""What is saved is loaded as it was; files travel to PyTorch and back; a bad file changes nothing and runs nothing."""

import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_edu as tg

safetensors = pytest.importorskip("safetensors")


def back(x, **options):
    file = io.BytesIO()
    tg.save(x, file)
    file.seek(0)
    return tg.load(file, **options)


def alike(x, y):
    """Equal, with all types."""
    assert type(x) is type(y)
    if isinstance(x, tg.Tensor):
        assert x.dtype is y.dtype and x.shape == y.shape and x.requires_grad == y.requires_grad
        np.testing.assert_array_equal(x.detach().numpy(), y.detach().numpy())
    elif isinstance(x, dict):
        assert list(x) == list(y)
        for key in x:
            alike(x[key], y[key])
    elif isinstance(x, list | tuple):
        assert len(x) == len(y)
        for a, b in zip(x, y, strict=True):
            alike(a, b)
    else:
        assert x == y or x != x


THINGS = {
    "a tensor": tg.tensor([1.0, 2.0]),
    "0-d": {"x": tg.tensor(3)},
    "empty": {"x": tg.zeros(0, 3), "y": tg.zeros(2, 0)},
    "dtypes": {
        d: tg.tensor([0, 1, 100]).to(getattr(tg, d)) for d in "uint8 int8 int16 int32 int64 float64 bool".split()
    },
    "strided": {"t": tg.arange(6).reshape(2, 3).t(), "slice": tg.arange(10)[2:9:3], "row": tg.ones(1, 3).expand(4, 3)},
    "special numbers": {"x": tg.tensor([float("nan"), float("inf"), -0.0]), "y": float("nan"), "z": float("-inf")},
    "no tensor": [1, -2.5, "text", None, True, (3, [])],
    "nested": {"model": {"a.b": tg.ones(2), "a": {"b": tg.zeros(2)}}, "epoch": 3, 7: [tg.ones(1), {"": tg.ones(1)}]},
    "keys": {0: {1.5: "x", True: "y", None: "z"}},
    "dtype": {"dtype": tg.float32},
    "requires grad": [tg.ones(2, requires_grad=True), tg.ones(2)],
    "names that are ours": {"tensor": tg.ones(1), "dict": {"leaf": [tg.ones(2)], "tuple": (1,)}, "__metadata__": 1},
}


@pytest.mark.parametrize("x", THINGS.values(), ids=THINGS)
def test_what_is_saved_is_loaded_as_it_was(x):
    alike(back(x), x)
    for place in ("cpu", tg.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        alike(back(x, map_location=place, weights_only=True), x)


def test_a_tensor_that_occurs_twice_is_one_tensor_again():
    w, x = tg.ones(3), tg.arange(4)
    found = back({"encoder": w, "decoder": w, "same memory": w.detach(), "part": x[1:], "whole": x})
    assert found["encoder"] is found["decoder"] is found["same memory"]
    assert found["part"].tolist() == [1, 2, 3] and found["whole"].tolist() == [0, 1, 2, 3]


def test_what_is_loaded_may_be_changed():
    x = back({"x": tg.ones(2)})["x"]
    x.add_(1.0)
    assert x.tolist() == [2.0, 2.0]


def test_training_goes_on_from_a_checkpoint(tmp_path):
    def make():
        tg.manual_seed(0)
        model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1))
        return model, tg.optim.Adam(model.parameters(), lr=0.1)

    def train(model, optimizer):
        optimizer.zero_grad()
        loss = model(tg.ones(2, 3)).square().sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    model, optimizer = make()
    for _ in range(3):
        train(model, optimizer)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    tg.save(state, tmp_path / "checkpoint")
    losses = [train(model, optimizer) for _ in range(3)]
    other, again = make()
    loaded = tg.load(str(tmp_path / "checkpoint"))
    other.load_state_dict(loaded["model"])
    again.load_state_dict(loaded["optimizer"])
    assert loaded["epoch"] == 3
    assert [train(other, again) for _ in range(3)] == losses


def test_a_state_dict_is_read_by_pytorch(tmp_path, torch):
    from safetensors.torch import load_file

    layer, path = tg.nn.LSTM(3, 4), tmp_path / "w.safetensors"
    tg.save(layer.state_dict(), path)
    other = torch.nn.LSTM(3, 4)
    other.load_state_dict(load_file(path))
    for p, q in zip(layer.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_a_file_written_by_pytorch_is_loaded(tmp_path, torch):
    from safetensors.torch import save_file

    layer, path = torch.nn.Linear(3, 4), tmp_path / "w.safetensors"
    save_file({**layer.state_dict(), "n": torch.tensor(5), "b": torch.tensor([True])}, path, {"note": "from elsewhere"})
    found = tg.load(path)
    assert sorted(found) == ["b", "bias", "n", "weight"] and found["n"].dtype is tg.int64
    own = tg.nn.Linear(3, 4)
    own.load_state_dict({key: found[key] for key in ("weight", "bias")})
    np.testing.assert_array_equal(own.weight.detach().numpy(), layer.weight.detach().numpy())


def test_a_dtype_without_kernels_is_refused(tmp_path, torch):
    from safetensors.torch import save_file

    for dtype in (torch.float16, torch.bfloat16):
        save_file({"w": torch.ones(2, dtype=dtype)}, tmp_path / "w")
        with pytest.raises(TypeError, match="'w' is B?F16"):
            tg.load(tmp_path / "w")


def test_a_pickle_is_refused_and_not_run(tmp_path, torch):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"x": Trap()}, tmp_path / "new")
    (tmp_path / "bare").write_bytes(pickle.dumps(Trap()))
    for name in ("new", "bare"):
        with pytest.raises(RuntimeError, match="is a pickle.*Convert it"):
            tg.load(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_a_header_whose_length_begins_as_a_pickle_does_is_read():
    began = set()
    for n in range(0, 256, 8):  # headers are padded to eights: one of 32 lengths has 0x80 as its first byte
        file = io.BytesIO()
        tg.save({"x" * (n + 1): 3, "w": tg.arange(4)}, file)
        began.add(file.getvalue()[0])
        assert tg.load(io.BytesIO(file.getvalue()))["w"].tolist() == [0, 1, 2, 3]
    assert 0x80 in began


def test_a_damaged_file_is_an_error(tmp_path):
    file = io.BytesIO()
    tg.save({"x": tg.arange(4), "n": [1, 2]}, file)
    data = file.getvalue()
    cut = [data[:n] for n in range(len(data))]
    flipped = [data[:n] + bytes([data[n] ^ 0x15]) + data[n + 1 :] for n in range(0, 9)]
    for bad in [*cut, *flipped, data + b"\0", b"nonsense" * 9]:
        with pytest.raises(RuntimeError, match="load: the file is "):
            tg.load(io.BytesIO(bad))


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "w"
    tg.save({"x": tg.ones(2)}, path)
    with pytest.raises(TypeError):
        tg.save({"x": object()}, path)

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        tg.save({"x": tg.zeros(2)}, path)
    assert os.listdir(tmp_path) == ["w"] and tg.load(path)["x"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda f: tg.save(tg.nn.Linear(1, 1), f), TypeError, "cannot save a Linear: save its state_dict"),
        (lambda f: tg.save({"a": [1, {2}]}, f), TypeError, r"cannot save a set \(at 'a.1'\)"),
        (lambda f: tg.save({(1, 2): 3}, f), TypeError, "keys of dicts must be strings or numbers, not tuple"),
        (lambda f: tg.save({}, "/no such folder/w"), RuntimeError, "Parent directory /no such folder does not exist"),
        (lambda f: tg.load(f, mmap=True), ValueError, "mmap"),
        (lambda f: tg.load(io.StringIO("text")), TypeError, "open it with mode 'rb'"),
        (lambda f: tg.load("/no such file"), FileNotFoundError, "no such file"),
    ],
)
def test_errors(call, kind, message):
    with pytest.raises(kind, match=message):
        call(io.BytesIO())


def test_a_cyclic_structure_is_an_error():
    x = []
    x.append(x)
    with pytest.raises(RecursionError):
        tg.save(x, io.BytesIO())


def test_without_safetensors_the_error_says_how_to_install_it():
    program = """
import io, sys
sys.modules["safetensors"] = None
import tinygrad_edu as tg
try:
    tg.save({}, io.BytesIO())
except ImportError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install safetensors" in found.stdout, found.stderr
