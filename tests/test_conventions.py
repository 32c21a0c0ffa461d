"""The page of conventions says what the library does, and the library does what PyTorch does."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from points import TABLE

PATH = Path(__file__).resolve().parent.parent / "docs" / "conventions.py"
spec = importlib.util.spec_from_file_location("conventions", PATH)
conventions = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conventions)


def test_the_page_is_up_to_date():
    assert conventions.PAGE.read_text(encoding="utf-8") == conventions.page(), "run: python docs/conventions.py"


@pytest.mark.parametrize("case", [c for cases in conventions.CASES.values() for c in cases], ids=lambda c: c[1])
def test_every_line_is_pytorchs(case, torch):
    name, _, points, parameters = case
    assert parameters == TABLE[name].parameters
    for point in points:
        value, slopes = conventions.answers(name, point, parameters)
        operands = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in point]
        out = TABLE[name].in_torch(torch, *operands)
        out.backward()
        rtol = 1e-7 if name == "hardsigmoid" else 1e-13  # PyTorch's 1/6 is a float32
        np.testing.assert_allclose([value, *slopes], [out.item(), *(x.grad.item() for x in operands)], rtol=rtol)
