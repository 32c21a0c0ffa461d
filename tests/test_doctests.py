"""Every example in a docstring of the two packages runs, and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest
import tinygrad_kernels

import tinygrad_edu


def module_names():
    for package in (tinygrad_edu, tinygrad_kernels):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
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
