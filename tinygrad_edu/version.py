"""Versions, under PyTorch's names: of this library, and of the CUDA that it does not have."""

from . import __version__  # noqa: F401

cuda = hip = None
