"""The command: `python -m benchmarks`, from the root of the checkout.

The number of threads is fixed before NumPy, Numba or PyTorch is loaded, through the environment variables
that they read at that moment, because not all of them can change it later. With several numbers (`--threads
1,2`) each table therefore comes from a process of its own.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def available() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def numbers(text: str) -> list[int]:
    """`"1,2"` as [1, 2]."""
    values = [int(part) for part in text.split(",")]
    if min(values) < 1:
        raise ValueError
    return values


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Our time over the peer's, row by row.")
    parser.add_argument("--only", metavar="NAMES", help="rows whose names contain one of these, e.g. sin_fit,matmul")
    parser.add_argument("--rounds", type=int, default=9, help="a row reports the median of so many rounds (9)")
    parser.add_argument("--threads", type=numbers, default=[available()], help="e.g. 1 or 1,2 (default: all cores)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the rows run, measures nothing")
    parser.add_argument("--ours", default="tinygrad_edu", help="the library measured; `torch` shows the noise")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the results to this file")
    parser.add_argument("--save", action="store_true", help="write them to benchmarks/results/<processor>-<date>.json")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def measure(options: argparse.Namespace, threads: int) -> dict[str, Any]:
    """Measure and print one table in this process."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    from benchmarks import arrays, report, table  # they load NumPy, which reads the variables just set
    from benchmarks.measure import Others, Settings

    rows = table.all_rows(options.quick)
    if options.only:
        chosen = [row for row in rows if any(part in row.name for part in options.only.split(","))]
        if not chosen:
            sys.exit(f"no row matches {options.only}; there are: {', '.join(row.name for row in rows)}")
        rows = chosen
    settings = Settings(options.rounds, threads, options.quick, options.ours)
    print(report.heading(report.machine(), threads), flush=True)
    results = []
    for row in rows:
        others = Others()
        results.append(row.measure(settings))
        results[-1].others = others.cores()
        print(report.line(results[-1]), flush=True)
    for result in arrays.summarise(results, settings):
        results.append(result)
        print(report.line(result))
    print(report.summary(results), flush=True)
    return report.table(results, threads)


def measure_apart(options: argparse.Namespace, threads: int) -> dict[str, Any]:
    """Measure one table in a process of its own, which prints it."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        path = Path(folder) / "table.json"
        command = [sys.executable, "-m", "benchmarks", "--threads", str(threads), "--json", str(path)]
        command += ["--rounds", str(options.rounds), "--ours", options.ours]
        command += ["--only", options.only] if options.only else []
        command += ["--quick"] if options.quick else []
        status = subprocess.run(command, check=False).returncode
        if not path.exists():
            sys.exit(status or 1)
        return json.loads(path.read_text(encoding="utf-8"))["tables"][0]


def main() -> int:
    """Run the command; 1 if a row was wrong or crashed."""
    options = parse()
    one = measure if len(options.threads) == 1 else measure_apart
    tables = [one(options, threads) for threads in options.threads]
    if options.json or options.save:
        from benchmarks import report

        date, about = datetime.date.today().isoformat(), report.machine()
        paths = [options.json] if options.json else []
        paths += [RESULTS / report.file_name(about, date)] if options.save else []
        for path in paths:
            report.write(path, about, date, tables)
            print(f"written: {path}")
    return int(any(row["verdict"] == "error" for table in tables for row in table["rows"]))


if __name__ == "__main__":
    sys.exit(main())
