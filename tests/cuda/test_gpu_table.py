"""The rows of `python -m benchmarks.gpu` that compare with PyTorch on the same card, with this library in its place."""

import pytest

import tinygrad_edu as tg
from benchmarks import gpu
from benchmarks.measure import Settings


@pytest.mark.parametrize("row", [row for row in gpu.rows(quick=True) if isinstance(row, gpu.Against)])
def test_a_row_compares_two_libraries(row, monkeypatch):
    monkeypatch.setattr(gpu, "torch_with_cuda", lambda: tg)
    result = row.measure(Settings(rounds=1, quick=True))
    assert result.verdict == "measured"
    assert result.ratio == result.ours / result.peer > 0
    assert tg.get_default_device().type == "cpu"
