"""Every operation of the test tables on device='cuda': results and gradients are the CPU's.

The tables are those that are compared with PyTorch on the CPU (oracle.py). Each row is run here on both devices, in one
of its dtypes and layouts, taking turns from row to row. That no array passes through the host on the way is seen by
`to_numpy` raising while an operation runs.
"""

import importlib
import pathlib
import zlib

import numpy as np
import pytest
from oracle import TOLERANCES, Row, arrays, flattened, operands
from tinygrad_kernels.cpu import backend as cpu
from tinygrad_kernels.cuda import backend, presence

import tinygrad_edu as tg

OTHERWISE = {  # rows whose results differ on purpose, and why
    "creation_table-frombuffer": "the memory is the host's",
    "creation_table-zeros options": "asks for device='cpu'",
    "creation_table-format": "the text names the device",
    "module_table-rrelu in training": "the GPU has random numbers of its own",
    "module_table-unpad_sequence": "sizes are numbers of the host",
    "shape_table-tensor_split by a tensor": "sizes are numbers of the host",
    "products-matrix_power 0, inverse": "LAPACK's",
}


def tables():
    """(file, row) of every table of rows in tests/."""
    for path in sorted(pathlib.Path(__file__).parents[1].glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "from oracle import" not in text or "parity(" not in text:
            continue
        module = importlib.import_module(path.stem)
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, list) and value and isinstance(value[0], Row):
                yield from ((path.stem, row) for row in value)


LARGE = ("convolution-conv2d large", "convolution-conv2d kernel of the image")  # minutes in the simulator
CASES = {f"{file[5:]}-{row.name}": row for file, row in tables()}
LAPACK = [name for name in CASES if name.startswith("lapack-")]
CHOSEN = sorted(CASES.keys() - OTHERWISE.keys())
if presence.SIMULATED:
    CHOSEN = [name for name in CHOSEN if name not in LARGE]


def run(row, dtype, layout, device):
    """Results and gradients of a row on a device, as arrays."""
    tg.set_default_device(device)
    try:
        tg.manual_seed(0)
        with host_refused(device):
            tensors, leaves = operands(tg, arrays(row, dtype), layout, row.gradient)
            results = list(flattened(row.call(tg, *tensors)))
            if row.gradient:
                rng, total = np.random.default_rng(7), 0.0
                for result in results:
                    if isinstance(result, tg.Tensor) and result.requires_grad:
                        cotangent = rng.normal(size=tuple(result.shape)).astype(str(result.dtype).split(".")[-1])
                        total = total + (result * tg.tensor(cotangent)).sum()
                total.backward()
        return [on_host(x, device) for x in results], [on_host(leaf.grad, device) for leaf in leaves]
    finally:
        tg.set_default_device("cpu")


class host_refused:
    """While it lasts, nothing but single numbers comes from the GPU."""

    def __init__(self, device):
        self.device = device

    def __enter__(self):
        if self.device == "cuda":
            self.patch = pytest.MonkeyPatch()

            to_numpy = backend.to_numpy

            def refuse(buffer):
                assert buffer.size == 1, "an array goes through the host"
                return to_numpy(buffer)

            self.patch.setattr(backend, "to_numpy", refuse)

    def __exit__(self, *error):
        if self.device == "cuda":
            self.patch.undo()


def on_host(x, device):
    if not isinstance(x, tg.Tensor):
        return x
    assert x.device.type == device, f"a result is on {x.device}"
    return x.detach().cpu().numpy()


def test_the_backend_has_every_name_of_the_cpus():
    assert set(cpu.__all__) <= set(backend.__all__)
    assert all(hasattr(backend, name) for name in backend.__all__)


@pytest.mark.parametrize("name", CHOSEN)
def test_results_and_gradients_are_the_cpus(name):
    row = CASES[name]
    turn = zlib.crc32(name.encode())
    dtype, layout = row.dtypes[turn % len(row.dtypes)], row.layouts[turn // 2 % len(row.layouts)]
    expected, wanted = run(row, dtype, layout, "cpu")
    try:
        found, gradients = run(row, dtype, layout, "cuda")
    except NotImplementedError as error:
        assert name in LAPACK and ".cpu()" in str(error)
        return
    assert len(found) == len(expected)
    for f, e in zip([*found, *gradients], [*expected, *wanted], strict=True):
        assert type(f) is type(e)
        if isinstance(e, np.ndarray):
            assert f.dtype == e.dtype and f.shape == e.shape
            relative, absolute = TOLERANCES[dtype]
            scale = float(np.abs(e[np.isfinite(e)]).max(initial=1.0)) if e.dtype.kind == "f" else 1.0
            np.testing.assert_allclose(f, e, rtol=relative, atol=absolute * scale)
        elif isinstance(e, float):
            assert f == pytest.approx(e, rel=TOLERANCES[dtype][0], nan_ok=True)
        else:
            assert f == e
