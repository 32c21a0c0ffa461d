"""What all tests share: hypothesis repeats itself exactly, and PyTorch is an oracle that may be missing."""

import os
import zlib

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("ci")

collect_ignore = ["cuda", "cubin", "gpu"]  # each in a process of its own: see test_cuda_suites.py

SLOW = ["test_threads_kernels", "test_examples", "test_mutations_layers", "test_extrema", "test_mutations", "test_data"]


def pytest_configure(config):
    config.option.loadscopereorder = False  # of pytest-xdist: files with few tests last, which are the slow ones


def pytest_collection_modifyitems(items):
    """The slow files first, or one worker would be left alone with them at the end. Of the suites for a GPU, those that
    test_cuda_suites.py starts, one test in TINYGRAD_EDU_SAMPLE: always the same ones."""
    items.sort(key=lambda item: item.path.stem not in SLOW)
    sample = int(os.environ.get("TINYGRAD_EDU_SAMPLE", 1))
    items[:] = [item for item in items if sample == 1 or zlib.crc32(item.nodeid.encode()) % sample == 0]


@pytest.fixture(scope="session")
def torch():
    """PyTorch as the oracle. Where it is not installed, the tests that ask for it are skipped (and counted)."""
    return pytest.importorskip("torch")
