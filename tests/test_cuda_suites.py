"""The two proofs of the CUDA kernels that need no GPU, and that on a GPU, each in a process of its own.

tests/cuda runs every operation in the simulator (NUMBA_ENABLE_CUDASIM must be set before Python starts, and makes
`cuda.is_available()` true, which no other test expects); tests/cubin compiles every kernel for a Hopper GPU. Both take
minutes, so from here a sample of them is run; TINYGRAD_EDU_SAMPLE=1 runs them whole, and so does starting them by hand:

    NUMBA_ENABLE_CUDASIM=1 python -m pytest -n 2 tests/cuda
    python -m pytest -n 2 tests/cubin

Where there is a GPU, tests/cuda runs on it as well, whole, and tests/gpu tests what no simulator shows.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tinygrad_kernels.cuda import presence

TESTS = Path(__file__).parent


def suite(folder, sample, simulated):
    """Run the tests of a folder, one in `sample` (TINYGRAD_EDU_SAMPLE=1 in the environment: all of them); their report
    is the message of a failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(TESTS / folder)]
    sample = os.environ.get("TINYGRAD_EDU_SAMPLE", str(sample))
    environment = {**os.environ, "TINYGRAD_EDU_SAMPLE": sample, "NUMBA_ENABLE_CUDASIM": str(int(simulated))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.skipif(find_spec("greenlet") is None, reason="the simulator needs greenlet: no CUDA operation was tested")
def test_operations_in_the_simulator():
    suite("cuda", 12, simulated=True)


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed: no CUDA kernel was compiled")
def test_kernels_become_machine_code():
    suite("cubin", 6, simulated=False)


NO_GPU = "this process simulates one" if presence.SIMULATED else presence.missing()


@pytest.mark.skipif(bool(NO_GPU), reason=f"no GPU: {NO_GPU}")
def test_every_operation_on_a_gpu():
    for folder in ("cuda", "gpu"):
        suite(folder, 1, simulated=False)
