"""The benchmark command runs, at sizes too small to measure anything, and what it writes can be read.

The figures themselves are not tested: a time depends on the machine. What a run must have is a verdict for
every row, none of which may be "error" (a wrong result, or a crash).
"""

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VERDICTS = {"measured", "skipped", "absent"}


def run(*arguments: str) -> subprocess.CompletedProcess:
    """A Python module run as a user runs it, from the root of the checkout."""
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_quick_run_prints_every_row_and_writes_json(tmp_path):
    path = tmp_path / "results.json"
    done = run("benchmarks", "--quick", "--rounds", "1", "--threads", "1", "--json", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(path.read_text(encoding="utf-8"))
    assert set(written) == {"date", "machine", "tables"}
    assert set(written["machine"]) == {"cpu", "system", "python", "huge_pages", "versions"}
    (table,) = written["tables"]
    assert table["threads"] == 1
    assert {row["verdict"] for row in table["rows"]} <= VERDICTS
    for row in table["rows"]:
        assert row["work"] in done.stdout
        assert row["verdict"] != "measured" or row["ours"] or row["ratio"]
    names = [row["name"] for row in table["rows"]]
    assert len(names) == len(set(names))
    assert {"sin_fit", "scalar_moons", "large_tanh", "matmul_float32_nt", "import"} <= set(names)


def test_one_table_for_each_number_of_threads(tmp_path):
    path = tmp_path / "results.json"
    done = run("benchmarks", "--quick", "--rounds", "1", "--threads", "1,2", "--only", "small_op", "--json", path)
    assert done.returncode == 0, done.stdout + done.stderr
    tables = json.loads(path.read_text(encoding="utf-8"))["tables"]
    assert [(table["threads"], [row["name"] for row in table["rows"]]) for table in tables] == [
        (1, ["small_op"]),
        (2, ["small_op"]),
    ]


def test_unknown_row_is_refused_with_the_names_there_are():
    done = run("benchmarks", "--only", "sinfit")
    assert done.returncode == 1
    assert "no row matches sinfit" in done.stderr and "sin_fit" in done.stderr


def test_budget_prints_both_sums():
    done = run("benchmarks.budget")
    assert re.search(r"[\d,]+  course path: budget 4,000", done.stdout), done.stderr
    assert re.search(r"[\d,]+  everything: budget 14,000", done.stdout), done.stderr


def test_a_gpu_that_is_not_there_is_not_measured():
    absent = """
        import os, sys; os.environ["NUMBA_ENABLE_CUDASIM"] = "0"
        from tinygrad_kernels.cuda import presence
        presence.missing = lambda: "NVIDIA's driver is there, but reports no GPU"
        from benchmarks.gpu import main
        sys.exit(main([]))
    """
    command = [sys.executable, "-c", textwrap.dedent(absent)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stderr
    assert done.stdout == "There is no GPU to measure: NVIDIA's driver is there, but reports no GPU.\n"


def test_the_rows_of_the_gpu_run_in_the_simulator(monkeypatch, tmp_path):
    pytest.importorskip("greenlet")
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    path = tmp_path / "gpu.json"
    done = run("benchmarks.gpu", "--quick", "--rounds", "1", "--json", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["machine"]["device"] == "simulated GPU" and "numba-cuda" in written["machine"]["versions"]
    (table,) = written["tables"]
    assert {row["verdict"] for row in table["rows"]} <= VERDICTS
    assert [row["name"] for row in table["rows"] if row["verdict"] == "measured"] == [
        "relu", "multiply_add", "sum", "softmax", "adam", "matmul", "matmul_tf32", "small_op",
    ]  # fmt: skip
    assert run("benchmarks.gpu").returncode == 1  # without --quick, the simulator has nothing to say
