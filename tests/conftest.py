"""What all tests share: hypothesis repeats itself exactly, and PyTorch is an oracle that may be missing.

Two settings save time, and change no result. Several test processes start threads on the same cores: a
thread that has nothing to do must sleep, or it takes a core from one that has (OpenMP lets it spin by default). And the
garbage collector is told to pass over what stays for good (21,000 tests, the compilers' tables), and to come less often
than after each 700th new object: compiling a kernel makes hundreds of thousands.
"""

import compileall
import gc
import os
import shutil
import zlib
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when Numba or PyTorch is loaded

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("ci")

collect_ignore = ["cuda", "cubin", "gpu"]  # each in a process of its own: see test_cuda_suites.py

SLOW = ["test_threads_kernels", "test_examples", "test_mutations_layers", "test_extrema", "test_mutations", "test_data"]


gc.set_threshold(100_000, 10, 10)


def pytest_configure(config):
    config.option.loadscopereorder = False  # of pytest-xdist: files with few tests last, which are the slow ones


def pytest_collection_modifyitems(items):
    """The slow files first, or one worker would be left alone with them at the end. Of the suites for a GPU, those that
    test_cuda_suites.py starts, one test in TINYGRAD_EDU_SAMPLE: always the same ones."""
    items.sort(key=lambda item: item.path.stem not in SLOW)
    sample = int(os.environ.get("TINYGRAD_EDU_SAMPLE", 1))
    items[:] = [item for item in items if sample == 1 or zlib.crc32(item.nodeid.encode()) % sample == 0]


def pytest_collection_finish():
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """A folder with both packages and their bytecode."""
    folder = tmp_path_factory.mktemp("packages")
    for package in ("tinygrad_edu", "kernels/tinygrad_kernels"):
        shutil.copytree(Path(__file__).parent.parent / package, folder / package)
    compileall.compile_dir(folder, quiet=1)
    return folder


@pytest.fixture
def library(packages, tmp_path):
    """The folder with a copy of both packages, to plant a mistake in."""
    return shutil.copytree(packages, tmp_path / "library")


@pytest.fixture(scope="session")
def torch():
    """PyTorch as the oracle. Where it is not installed, the tests that ask for it are skipped (and counted)."""
    return pytest.importorskip("torch")
