"""Tests that run on device='cuda': on a GPU where there is one, else in the simulator (NUMBA_ENABLE_CUDASIM=1).

tests/test_cuda_suites.py starts them in a process of their own, so that the rest of the tests sees no CUDA device. By
hand:

    python -m pytest tests/cuda tests/gpu                          on a GPU
    NUMBA_ENABLE_CUDASIM=1 python -m pytest -n 0 tests/cuda        in the simulator
"""

import pytest
from tinygrad_kernels.cuda import presence, simulator

REASON = presence.missing()
if REASON:
    collect_ignore_glob = ["*"]


def pytest_terminal_summary(terminalreporter):
    if REASON:
        terminalreporter.write_line(f"nothing of tests/cuda was run, since there is no CUDA device: {REASON}")


@pytest.fixture(params=["forward", "reverse"] if presence.SIMULATED else ["GPU"])
def order(request, monkeypatch):
    """The order in which the simulator runs the threads of a block; a missing barrier shows in one of them."""
    monkeypatch.setattr(simulator, "order", request.param)
    return request.param
