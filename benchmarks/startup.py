"""Starting up: what the first import and the first example cost, each measured in a fresh process.

Three states matter to someone who tries the library: the *import*, paid in every process; the first example
with a *cold* kernel cache, paid once (every kernel it needs is compiled); and the same with a *warm* cache,
paid in every process. A cold start gets an empty temporary folder as its cache; a warm one gets that folder
again. The clock runs inside the process, from before the import: starting Python itself is not ours to
improve.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import Result, Settings, describe, judge

ROOT = Path(__file__).resolve().parent.parent

IMPORT = """
import time
start = time.perf_counter()
import {module} as m
print(time.perf_counter() - start)
"""

TENSOR = """
import time
start = time.perf_counter()
import {module} as m
value = m.tensor([1.0, 2.0]).tolist()
elapsed = time.perf_counter() - start
assert value == [1.0, 2.0]
print(elapsed)
"""

FIRST_EXAMPLE = """
import time
start = time.perf_counter()
import {module} as m
import numpy as np
grid = np.linspace(-np.pi, np.pi, 2000, dtype=np.float32)
x, y = m.tensor(grid), m.tensor(np.sin(grid))
a, b, c, d = (m.tensor(value, requires_grad=True) for value in (0.3, -0.2, 0.1, -0.4))
y_pred = a + b * x + c * x**2 + d * x**3
loss = (y_pred - y).pow(2).sum()
loss.backward()
with m.no_grad():
    for p in (a, b, c, d):
        p -= 1e-6 * p.grad
        p.grad = None
loss = loss.item()
elapsed = time.perf_counter() - start
xs = np.linspace(-np.pi, np.pi, 2000)
expected = ((0.3 - 0.2 * xs + 0.1 * xs**2 - 0.4 * xs**3 - np.sin(xs)) ** 2).sum()
assert abs(loss / expected - 1) < 1e-5, (loss, expected)
print(elapsed)
"""


FIRST_COMPILED = """
import time
import {module} as m
import numpy as np
grid = np.linspace(-np.pi, np.pi, 2000, dtype=np.float32)
x, y = m.tensor(grid), m.tensor(np.sin(grid))
a, b, c, d = (m.tensor(value, requires_grad=True) for value in (0.3, -0.2, 0.1, -0.4))
def step(x, y):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    loss.backward()
    with m.no_grad():
        for p in (a, b, c, d):
            p -= 1e-6 * p.grad
            p.grad = None
    return loss
start = time.perf_counter()
loss = m.compile(step)(x, y).item()
elapsed = time.perf_counter() - start
xs = np.linspace(-np.pi, np.pi, 2000)
expected = ((0.3 - 0.2 * xs + 0.1 * xs**2 - 0.4 * xs**3 - np.sin(xs)) ** 2).sum()
assert abs(loss / expected - 1) < 1e-5, (loss, expected)
print(elapsed)
"""


FIRST_GPT = """
import time
import {module} as m
from benchmarks.transformer import gpt
step = gpt(m, make=m.compile)
start = time.perf_counter()
step(0)
print(time.perf_counter() - start)
"""


def run(script: str, module: str, cache: str | None = None) -> float:
    """Run `script` in a fresh process at the root of the checkout; the seconds that it prints."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # after the first start of all, Python has its bytecode
    if cache is not None:
        environment |= {"TINYGRAD_EDU_CACHE": cache, "NUMBA_CACHE_DIR": cache}
    command = [sys.executable, "-c", script.format(module=module)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    return float(json.loads(done.stdout))


@contextmanager
def fresh_cache() -> Iterator[str]:
    """An empty folder for compiled kernels."""
    with tempfile.TemporaryDirectory(prefix="benchmark-cache-") as folder:
        yield folder


@dataclass(frozen=True)
class Startup:
    """A row in seconds. `cache` is "own" (the user's cache, filled by an untimed run), "cold" or "warm"."""

    name: str
    work: str
    script: str
    floor: float
    stretch: float
    cache: str = "own"

    def measure(self, settings: Settings) -> Result:
        result = Result(self.name, self.work, "", self.floor, self.stretch, unit="start")
        try:
            times = self.times(settings)
        except RuntimeError as error:
            result.note = str(error)[:100]
            result.verdict = "absent" if result.note.startswith(("AttributeError", "ModuleNotFound")) else "error"
        except Exception as error:  # one broken row must not take the table with it
            result.verdict, result.note = "error", describe(error)
        else:
            result.ours = median(times)
            result.verdict = judge(result.ours, self.floor, settings)
            result.details = {"fastest": min(times), "slowest": max(times)}
        return result

    def times(self, settings: Settings) -> list[float]:
        """One time per round; a cold round is slow, three of them must do."""
        rounds = range(min(settings.rounds, 3 if self.cache == "cold" else 5))
        if self.cache == "cold":
            return [self.cold(settings.ours) for _ in rounds]
        with fresh_cache() as folder:
            cache = folder if self.cache == "warm" else None
            run(self.script, settings.ours, cache)
            return [run(self.script, settings.ours, cache) for _ in rounds]

    def cold(self, module: str) -> float:
        """The time of one run with an empty cache."""
        with fresh_cache() as folder:
            return run(self.script, module, folder)
