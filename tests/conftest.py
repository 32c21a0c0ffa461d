"""What all tests share: hypothesis repeats itself exactly, and PyTorch is an oracle that may be missing."""

import pytest
from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, max_examples=60, database=None)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def torch():
    """PyTorch as the oracle. Where it is not installed, the tests that ask for it are skipped (and counted)."""
    return pytest.importorskip("torch")
