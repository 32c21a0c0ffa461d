"""What a run prints and keeps: the machine, the table, the JSON."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measure import Result

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
LIBRARIES = ("tinygrad-edu", "numpy", "numba", "llvmlite", "torch", "micrograd")
BUSY = 0.15  # cores; the operating system itself uses some
HEADER = f"{'work':<52} {'ours':>9} {'peer':>19} {'ratio':>6} {'floor':>7} {'stretch':>7}  verdict"


def machine() -> dict[str, Any]:
    """Everything about the machine and the software that the figures depend on."""
    return {
        "cpu": cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "huge_pages": huge_pages(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def cpu_name() -> str:
    """The model of the processor, as the system calls it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def huge_pages() -> str:
    """The chosen one of the kernel's settings `always [madvise] never`, or "unknown"."""
    try:
        found = re.search(r"\[(\w+)\]", HUGE_PAGES.read_text())
    except OSError:
        found = None
    return found.group(1) if found else "unknown"


def version(name: str) -> str | None:
    """The installed version of a distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def file_name(about: dict[str, Any], date: str) -> str:
    """`<processor>-<date>.json`, in lower case, without what a file name should not hold."""
    processor = re.sub(r"\((r|tm)\)|@.*$", "", about["cpu"].lower())
    return re.sub(r"[^a-z0-9]+", "-", processor).strip("-") + f"-{date}.json"


def duration(seconds: float | None) -> str:
    """A time with a unit that suits it."""
    if seconds is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def line(row: Result) -> str:
    """One line of the table."""
    limit = duration if row.unit else lambda value: "-" if value is None else f"{value:g}"
    ratio = "-" if row.ratio is None else f"{row.ratio:.3f}" if row.ratio < 0.1 else f"{row.ratio:.2f}"
    peer = f"{duration(row.peer)} {row.peer_name}" if row.peer is not None else "-"
    text = f"{row.work:<52} {duration(row.ours):>9} {peer:>19} {ratio:>6}"
    text += f" {limit(row.floor):>7} {limit(row.stretch):>7}  {row.verdict}"
    notes = [row.note] if row.note else []
    if row.others > BUSY:
        notes.append(f"busy machine: others used {row.others:.1f} cores")
    return f"{text}  ({'; '.join(notes)})" if notes else text


def heading(about: dict[str, Any], threads: int) -> str:
    """What stands above a table."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items() if number)
    return (
        f"\n{about['cpu']}, {threads} thread{'s' if threads > 1 else ''}, huge pages: {about['huge_pages']}\n"
        f"Python {about['python']}, {versions}\n\n{HEADER}\n{'-' * len(HEADER)}"
    )


def summary(rows: Sequence[Result]) -> str:
    """How many rows had which verdict."""
    verdicts = [row.verdict for row in rows]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    return f"\n{len(rows)} rows: {counts}"


def table(rows: Sequence[Result], threads: int) -> dict[str, Any]:
    """One table as it stands in the JSON."""
    return {"threads": threads, "rows": [asdict(row) for row in rows]}


def write(path: Path, about: dict[str, Any], date: str, tables: Sequence[dict[str, Any]]) -> None:
    """Write the machine and its tables as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"date": date, "machine": about, "tables": list(tables)}, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
