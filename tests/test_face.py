"""The face of the library: what it prints, what it says of names that it has not, its rooms, and what they answer."""

import copy
import importlib
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg

ROOMS = """nn nn.functional nn.init nn.utils optim optim.lr_scheduler autograd autograd.functional utils.data
utils.checkpoint utils.dlpack linalg cuda testing random special backends version""".split()

PRINTED = {
    "leaf": lambda m, x: x,
    "x * x": lambda m, x: x * x,
    "x + 1": lambda m, x: x + 1,
    "1 - x": lambda m, x: 1 - x,
    "1 / x": lambda m, x: 1 / x,
    "x ** 2": lambda m, x: x**2,
    "x ** 2.5": lambda m, x: x.abs() ** 2.5,
    "x ** y": lambda m, x: x.abs() ** x,
    "2 ** x": lambda m, x: 2**x,
    "sum": lambda m, x: x.sum(),
    "mean over rows": lambda m, x: x.mean(0),
    "max": lambda m, x: x.max(),
    "double": lambda m, x: x.double(),
    "double leaf": lambda m, x: x.detach().double().requires_grad_(),
    "product": lambda m, x: x @ x.t(),
    "view": lambda m, x: x.view(-1),
    "row": lambda m, x: x[0],
    "element": lambda m, x: x[0, 1],
    "clamp": lambda m, x: x.clamp(0, 1),
    "relu": lambda m, x: x.relu(),
    "tanh": lambda m, x: x.tanh(),
    "log_softmax": lambda m, x: x.log_softmax(1),
    "in place": lambda m, x: (x * 1).mul_(2),
    "alpha": lambda m, x: x.add(x, alpha=2),
    "mask": lambda m, x: x > 0,
    "long": lambda m, x: x.long(),
    "int": lambda m, x: x.int(),
    "empty": lambda m, x: x[:0],
    "large": lambda m, x: x.detach().repeat(300, 400) * 1000,
    "small": lambda m, x: x.detach() * 1e-6,
    "whole": lambda m, x: x.detach().round(),
    "nan": lambda m, x: (x.detach() - x.detach()) / 0,
    "deep": lambda m, x: x.detach().expand(2, 2, 2, 3),
    "size": lambda m, x: (x.shape, m.Size([1]), x.shape == (2, 3)),
    "dtypes": lambda m, x: (x.dtype, m.int64, m.bool, x.device, m.device("cuda:1")),
    "parameter": lambda m, x: m.nn.Parameter(x.detach()),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_what_is_printed_is_pytorchs(name, torch):
    data = [[0.3, -1.2, 2.0], [0.5, 0.25, -3.0]]
    ours, theirs = (repr(PRINTED[name](m, m.tensor(data, requires_grad=True))) for m in (tg, torch))
    assert ours == theirs


@given(st.lists(st.floats(width=32, allow_nan=True), max_size=5), st.sampled_from([0, 1]), st.booleans())
def test_numbers_print_as_in_pytorch(values, extra, grad):
    torch = pytest.importorskip("torch")
    ours, theirs = (
        (m.tensor(values, requires_grad=grad), m.tensor(values).sum() if values else m.tensor(extra))
        for m in (tg, torch)
    )
    assert repr(ours[0]) == repr(theirs[0]) and str(ours[0] + extra) == str(theirs[0] + extra)
    assert f"{ours[1]:.3f}" == f"{theirs[1]:.3f}" or values


def test_every_room_is_a_module_and_an_attribute():
    code = f"import tinygrad_edu as torch\nfor r in {ROOMS[::-1]}: print(eval('torch.' + r).__name__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [f"tinygrad_edu.{room}" for room in ROOMS[::-1]]
    for room in ROOMS:
        assert importlib.import_module(f"tinygrad_edu.{room}").__name__ == f"tinygrad_edu.{room}"


OUTSIDE = [
    (lambda: tg.sparse_coo_tensor, "sparse"), (lambda: tg.complex, "complex"), (lambda: tg.fft, "numpy.fft"),
    (lambda: tg.export, "compil"), (lambda: tg.jit, "compil"), (lambda: tg.amp, "float32"),
    (lambda: tg.distributed, "processes"), (lambda: tg.nn.Conv3d, "two-dimensional"), (lambda: tg.lgamma, "scipy"),
    (lambda: tg.nn.functional.conv3d, "two-dimensional"), (lambda: tg.nn.DataParallel, "processes"),
    (lambda: tg.ones(2).to_sparse, "sparse"), (lambda: tg.ones(2).names, "dimensions"), (lambda: tg.vmap, "functional"),
    (lambda: tg.quantize_per_tensor, "quantized"), (lambda: tg.mps, "device"), (lambda: tg.cuda.amp, "float32"),
    (lambda: tg.onnx, "safetensors"), (lambda: tg.special.zeta, "scipy"), (lambda: tg.hub, "models"),
    (lambda: tg.utils.data.StackDataset, "dict"), (lambda: tg.optim.lr_scheduler.CyclicLR, "OneCycleLR"),
    (lambda: tg.nn.utils.weight_norm, "of your own"),
]  # fmt: skip


@pytest.mark.parametrize("ask, reason", OUTSIDE)
def test_what_pytorch_has_and_this_library_has_not_says_why(ask, reason):
    with pytest.raises(AttributeError, match=rf"outside this library's scope.*{reason}"):
        ask()


def test_an_unknown_name_still_suggests_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'tensor'"):
        tg.tensr  # noqa: B018
    assert not hasattr(tg.ones(1), "to_sparse") and hasattr(tg, "tensor")


def test_a_machine_without_a_gpu_is_described_truthfully(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinygrad_kernels.cuda.memory", None)  # somebody imported it: still no GPU
    assert not tg.cuda.is_available() and tg.cuda.device_count() == 0 and not tg.backends.mps.is_available()
    assert tg.device("cuda" if tg.cuda.is_available() else "cpu") == tg.device("cpu")
    assert tg.cuda.manual_seed(0) is None and tg.cuda.manual_seed_all(0) is None
    for harmless in ("empty_cache", "synchronize", "reset_peak_memory_stats"):
        assert getattr(tg.cuda, harmless)() is None
    assert tg.cuda.memory_allocated() == tg.cuda.max_memory_allocated() == 0
    with pytest.raises(RuntimeError, match="device='cuda' is not available"):
        tg.cuda.get_device_name(0)
    with pytest.raises(AttributeError, match="did you mean 'is_available'"):
        tg.cuda.is_avaliable()
    with pytest.raises(RuntimeError):
        tg.set_default_device("cuda")
    tg.set_default_device("cpu")
    assert tg.get_default_device() == tg.device("cpu") and tg.version.cuda is None


def test_settings_are_kept_and_harmless():
    tg.backends.cudnn.deterministic, tg.backends.cudnn.benchmark = True, False
    tg.backends.cuda.matmul.allow_tf32 = True
    tg.use_deterministic_algorithms(True, warn_only=True)
    tg.set_float32_matmul_precision("high")
    assert tg.backends.cudnn.deterministic and tg.are_deterministic_algorithms_enabled()
    assert tg.get_float32_matmul_precision() == "high"
    with pytest.warns(UserWarning, match="highest"):
        tg.set_float32_matmul_precision("x")


def test_backends_can_be_imported():
    import tinygrad_edu.backends.cudnn as cudnn

    assert cudnn is tg.backends.cudnn and not cudnn.is_available()
    with pytest.raises(ModuleNotFoundError):
        import tinygrad_edu.backends.cudn  # noqa: F401


def test_a_tensor_survives_pickle_and_deepcopy():
    x = tg.tensor([[1.0, 2.0]], requires_grad=True)
    (x * x).sum().backward()
    deep = copy.deepcopy({"a": x, "b": x})
    assert deep["a"] is deep["b"] and deep["a"] is not x and deep["a"].grad.tolist() == [[2.0, 4.0]]
    for again in (pickle.loads(pickle.dumps(x)), pickle.loads(pickle.dumps(x.detach().t()))):
        assert again.reshape(-1).tolist() == [1.0, 2.0] and type(again) is tg.Tensor
    assert pickle.loads(pickle.dumps(x)).requires_grad and copy.copy(x.detach()).tolist() == [[1.0, 2.0]]
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(x * 2)


def test_numpy_and_tensors_meet():
    x = tg.arange(3.0)
    assert np.asarray(x).dtype == np.float32 and np.asarray(x, dtype=np.int64).tolist() == [0, 1, 2]
    array = np.array(x, copy=True)
    array[0] = 5
    assert x[0].item() == 0 and np.shares_memory(np.asarray(x), x.numpy())
    assert x.requires_grad_().numpy(force=True).tolist() == [0, 1, 2]
    assert tg.arange(3).apply_(lambda v: v * 2).tolist() == [0, 2, 4]


CLOSE = [
    (1.0, 1.0), (1, 2), (1.0, 1.1), ([1.0, 2.0], [1.0, 2.0]), ([1.0], [1.0, 2.0]), ({"a": 1.0}, {"a": 2.0}),
    ({"a": 1.0}, {"b": 1.0}), ((1.0, [2.0, 3.0]), (1.0, [2.0, 4.0])), (float("nan"), float("nan")), (None, None),
    ("a", "a"), (True, False),
]  # fmt: skip
TENSORS = [
    ([1.0, 2.0], [1.0, 2.0], {}), ([1.0, 2.0], [1.0, 2.5], {}), ([[1.0, 2.0]], [1.0, 2.0], {}), ([1, 2], [1, 3], {}),
    ([1.0, 2.0], [1, 2], {}), ([1.0, 2.0], [1, 2], {"check_dtype": False}), ([1.0], [1.05], {"rtol": 0.1, "atol": 0.0}),
    ([1.0], [1.0], {"rtol": 0.1}), ([float("nan")], [float("nan")], {"equal_nan": True}), ([0.0], [9e-6], {}),
    ([0.0, 3.0, 4.0], [1e-4, 3.0, 5.0], {}), (2.0, 1.0, {}), ([1.0], [2.0], {"msg": "no"}),
    ([float("inf")], [float("inf")], {}), ([], [], {}),
]  # fmt: skip


def verdict(m, actual, expected, **options):
    try:
        m.testing.assert_close(actual, expected, **options)
    except Exception as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize("actual, expected", CLOSE)
def test_assert_close_judges_numbers_and_containers_as_pytorch_does(actual, expected, torch):
    ours, theirs = verdict(tg, actual, expected), verdict(torch, actual, expected)
    assert (ours and ours[0]) == (theirs and theirs[0])


@pytest.mark.parametrize("actual, expected, options", TENSORS)
def test_assert_close_judges_tensors_as_pytorch_does(actual, expected, options, torch):
    ours, theirs = (verdict(m, m.tensor(actual), m.tensor(expected), **options) for m in (tg, torch))
    assert (ours and ours[0]) == (theirs and theirs[0])
    if ours and "Mismatched" in theirs[1]:
        same = [line.split("difference")[0] for line in theirs[1].splitlines()]
        assert [line.split("difference")[0] for line in ours[1].splitlines()] == same


def test_the_light_rooms_stay_closed_until_asked_for():
    code = (
        "import sys, tinygrad_edu as t; t.tensor(1.0); print([m for m in sys.modules if m.startswith('tinygrad_edu')])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for room in ("nn", "optim", "utils", "linalg", "testing", "cuda", "special", "autograd.functional"):
        assert f"'tinygrad_edu.{room}'" not in loaded, room


def test_reading_the_face_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {"tensor", "Tensor", "nn", "cuda", "random", "testing", "multiply", "pi"} <= {*dir(tg)} | {*vars(tg)}
        assert tg.multiply(2, tg.ones(1)).item() == 2.0
