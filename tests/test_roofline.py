"""The roofline command runs at sizes too small to measure anything, and its arithmetic is that of the model.

The figures are not tested: they are the machine's.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import roofline

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks.roofline", "--quick", "--rounds", "1", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_command_prints_both_tables_and_draws_them(tmp_path):
    pytest.importorskip("matplotlib")
    done = run("--picture", str(tmp_path / "roof.svg"))
    assert done.returncode == 0, done.stderr
    for name in ("read, memory", "triad, cache", "multiply-adds, float32", "multiply-adds, float64"):
        assert re.search(rf"^{name} +\d+\.\d (GB/s|GFLOP/s)$", done.stdout, re.MULTILINE), done.stdout
    for name in ("add", "exp", "sigmoid", "sum", "softmax", "matmul n = 8"):
        assert re.search(rf"^{name}.* float32 .* \d+%$", done.stdout, re.MULTILINE), done.stdout
    assert (tmp_path / "roof.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize(
    ("intensity", "dtype", "where", "expected"),
    [(0.25, "float32", "memory", 2.5), (10.0, "float32", "memory", 100.0), (100.0, "float32", "memory", 100.0),
     (100.0, "float64", "memory", 50.0), (1.0, "float32", "cache", 40.0)],
)  # fmt: skip
def test_a_roof_is_the_lower_of_its_slope_and_its_flat_part(intensity, dtype, where, expected):
    roof = roofline.Roof({"memory": 10.0, "cache": 40.0}, {"float32": 100.0, "float64": 50.0})
    assert roof.attainable(intensity, dtype, where) == expected


def test_bytes_and_operations_are_those_of_the_definition():
    works = {(work.name, work.where): work for work in roofline.kernels(2048, 1024, (8,))}
    assert works["add", "memory"].intensity == 1 / 12  # two operands and a result of 4 bytes
    assert works["sum", "memory"].intensity == 1 / 4
    assert works["matmul n = 8", "memory"].intensity == 2 * 8 / (3 * 8)  # 2 n³ / (3 n² itemsize), float64 comes last


def test_the_roof_is_made_of_the_best_bandwidth_and_the_peaks():
    machine = [*roofline.bandwidths(64, "memory"), *roofline.bandwidths(64, "cache"), *roofline.peaks(1)]
    times = [1.0, 0.5, 1.0, 0.25, 1.0, 1.0, 1.0, 2.0]
    roof = roofline.roof_of(machine, times)
    assert roof.bandwidth == {"memory": machine[1].bytes / 0.5, "cache": machine[3].bytes / 0.25}
    assert roof.peak == {"float32": machine[6].flops, "float64": machine[7].flops / 2.0}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_peak_loop_keeps_its_numbers_where_arithmetic_is_fast(dtype):
    x = np.full(8, 0.5, dtype)
    roofline._multiply_adds(x, x.dtype.type(0.5), x.dtype.type(0.25), 1000)
    assert (x == 0.5).all()  # inf and subnormal numbers would take longer
