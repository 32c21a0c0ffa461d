"""Every example in a docstring of the two packages runs, and prints what it says."""

import doctest
import importlib
import pkgutil
from importlib.util import find_spec

import pytest
import tinygrad_kernels

import tinygrad_edu

ANYWHERE = ("tinygrad_kernels.cuda.presence", "tinygrad_kernels.cuda.simulator")


def module_names():
    """All modules; those with kernels for a GPU only where numba-cuda can be imported."""
    for package in (tinygrad_edu, tinygrad_kernels):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            needs_cuda = found.name.startswith("tinygrad_kernels.cuda.") and found.name not in ANYWHERE
            if not found.name.endswith("__main__") and not (needs_cuda and find_spec("numba_cuda") is None):
                yield found.name


@pytest.mark.parametrize("name", list(module_names()))
def test_examples_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_there_are_many():
    finder = doctest.DocTestFinder(exclude_empty=True)
    names = list(module_names())
    found = sum(1 for name in names for test in finder.find(importlib.import_module(name)) if test.examples)
    assert found > 50


@pytest.mark.parametrize("name", list(module_names()))
def test_every_module_opens_with_a_lesson(name):
    assert (importlib.import_module(name).__doc__ or "").strip()
