"""Tests that compile every kernel for a GPU, without one. They need numba-cuda: pip install "tinygrad-edu[cuda]".

tests/test_cuda_suites.py starts them in a process of their own.
"""

import os
from importlib.util import find_spec

REASON = ""
if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
    REASON = "nothing is compiled in the simulator"
elif find_spec("numba_cuda") is None:
    REASON = "numba-cuda is not installed"
if REASON:
    collect_ignore_glob = ["*"]


def pytest_terminal_summary(terminalreporter):
    if REASON:
        terminalreporter.write_line(f"nothing of tests/cubin was run: {REASON}")
