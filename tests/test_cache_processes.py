"""Compiled kernels in several processes: the second one compiles nothing, and reads nothing damaged or outdated."""

import json
import os
import subprocess
import sys

import pytest
from test_cache import kernels

EXP = """
from tinygrad_kernels.cpu.jit import jit

@jit
def scaled(x):
    return {factor} * x
"""
USER = """
import json, warnings
import numpy as np
warnings.simplefilter("error")
from numba import prange
from callee import scaled
from tinygrad_kernels.cache import load_source
from tinygrad_kernels.cpu.jit import jit

@jit
def serial(out, x):
    for i in range(x.size):
        out[i] = scaled(x[i])

@jit(parallel=True)
def shared(out, x):
    for i in prange(x.size):
        out[i] = scaled(x[i])

printed = load_source('''
from callee import scaled
from tinygrad_kernels.cpu.jit import jit

@jit
def printed(out, x):
    for i in range(x.size):
        out[i] = scaled(x[i])
''', "printed").printed

if __name__ == "__main__":
    x = np.arange(5.0)
    report = {}
    for kernel in (serial, shared, printed):
        out = np.zeros(5)
        kernel(out, x)
        stats = getattr(kernel, "stats", None)
        report[kernel.__name__] = [out.tolist(), sum(stats.cache_hits.values()) if stats else None]
    print(json.dumps(report))
"""


@pytest.fixture
def folder(tmp_path):
    """The cache folder of the processes of one test."""
    return tmp_path / "cache"


@pytest.fixture
def program(tmp_path):
    """A program with two jitted functions of its own and a printed one, all of which call `callee.scaled`."""
    source = tmp_path / "program"
    source.mkdir()
    (source / "callee.py").write_text(EXP.format(factor=3.0))
    (source / "user.py").write_text(USER)
    return source


def start(program, folder, **environment):
    command = [sys.executable, "-B", str(program / "user.py")]
    environment = {**os.environ, "TINYGRAD_EDU_CACHE": str(folder), **environment}
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process, factor=3.0):
    """The number of hits of each kernel, after a look at the results."""
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    report = json.loads(output)
    right = [factor * i for i in range(5)]
    assert all(result == right for result, _ in report.values())
    return {name: number for name, (_, number) in report.items()}


ALL = {"serial": 1, "shared": 1, "printed": 1}
NONE = {"serial": 0, "shared": 0, "printed": 0}


def test_the_second_process_compiles_nothing(program, folder):
    assert finish(start(program, folder)) == NONE
    files = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert finish(start(program, folder)) == ALL
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == files


def test_damaged_kernels_are_built_again(program, folder):
    """Trap: damaged files in Numba's cache: a truncated one raises at the first call, a flipped byte loads as a hit."""
    finish(start(program, folder))

    def flip(stored):
        stored[len(stored) // 2] ^= 16

    def truncate(stored):
        del stored[len(stored) // 3 :]

    for damage in (flip, truncate, bytearray.clear):
        for path in kernels(folder):
            stored = bytearray(path.read_bytes())
            damage(stored)
            path.write_bytes(stored)
        assert finish(start(program, folder)) == NONE
    assert finish(start(program, folder)) == ALL


def test_an_edited_callee_is_not_served_from_the_cache(program, folder):
    finish(start(program, folder))
    (program / "callee.py").write_text(EXP.format(factor=7.0))
    assert finish(start(program, folder), factor=7.0) == NONE


def test_processes_may_start_at_once(program, folder):
    for process in [start(program, folder) for _ in range(3)]:
        finish(process)
    assert finish(start(program, folder)) == ALL
    assert not list(folder.glob("*.tmp"))


def test_a_process_removes_its_temporary_folder(program, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "file").write_text("")
    nowhere = tmp_path / "file" / "cache"
    assert finish(start(program, nowhere, TMPDIR=str(temporary), TEMP=str(temporary))) == NONE
    assert not list(temporary.iterdir())


def test_kernels_work_uncompiled(program, folder):
    assert finish(start(program, folder, NUMBA_DISABLE_JIT="1")) == dict.fromkeys(ALL)


def test_kernels_work_where_numbas_internals_have_moved(program, folder):
    user = program / "user.py"
    user.write_text("import numba.core.caching\ndel numba.core.caching._Cache\n" + USER)
    assert finish(start(program, folder)) == NONE
    assert finish(start(program, folder)) == NONE
    assert not kernels(folder)


def test_scipy_is_not_loaded_but_whoever_multiplies_matrices_in_numba_gets_it():
    pytest.importorskip("scipy")
    code = """if True:
        import sys
        import numba
        import numpy as np
        import tinygrad_edu as tg

        assert tg.ones(3).exp().sum().item() > 8
        print("scipy.linalg" in sys.modules)

        @numba.njit
        def products(a, b):
            return np.dot(a, b), a @ b, np.linalg.inv(a)

        a = np.array([[2.0, 0.0], [1.0, 4.0]])
        for found, expected in zip(products(a, a), (a @ a, a @ a, np.linalg.inv(a)), strict=True):
            np.testing.assert_allclose(found, expected)
        print("scipy.linalg" in sys.modules)
    """
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "True"]
