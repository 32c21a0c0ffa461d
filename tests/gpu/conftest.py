"""Tests that need a GPU. Without one, or in the simulator, each is skipped and says why.

They add to tests/cuda, which runs every operation on a GPU as it does in the simulator:

    python -m pytest -n 0 tests/cuda tests/gpu
"""

import pytest
from tinygrad_kernels.cuda import presence

REASON = "the simulator is on: NUMBA_ENABLE_CUDASIM=1" if presence.SIMULATED else presence.missing()


@pytest.fixture(autouse=True, scope="session")
def needs_a_gpu():
    if REASON:
        pytest.skip(f"NOT TESTED ON A GPU: {REASON}")


@pytest.fixture
def empty_cache():
    """The test begins and ends with no free blocks kept."""
    import tinygrad_edu as tg

    tg.cuda.empty_cache()
    yield
    tg.cuda.empty_cache()
