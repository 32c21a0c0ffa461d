"""The cache can be slow, never wrong: damaged, foreign, outdated and unwritable files.

TRAPS: a truncated file of Numba's own cache raises UnpicklingError, a flipped byte loads as a hit; kernels made
by a closure over jitted functions never hit and write new files on every run.
"""

import errno
import inspect
import os
import shutil
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba.core.errors import NumbaPerformanceWarning
from tinygrad_kernels import cache
from tinygrad_kernels.cpu.jit import fingerprint, jit

posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permission bits are POSIX's")


def forget_choices():
    cache.location.cache_clear()
    cache._prune.cache_clear()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder for one test."""
    path = tmp_path / "cache"
    monkeypatch.setenv("TINYGRAD_EDU_CACHE", str(path))
    forget_choices()
    assert cache.location() == path
    yield path
    forget_choices()


def kernels(folder):
    return sorted(folder.glob("*.kernel"))


def hits(kernel):
    return sum(kernel.stats.cache_hits.values())


def double(x):
    return x + x


# Where ------------------------------------------------------------------------------------------------------
def choose(monkeypatch, **environment):
    for name in ("TINYGRAD_EDU_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    forget_choices()
    return cache.location()


@pytest.fixture(autouse=True)
def choose_again_afterwards():
    yield
    forget_choices()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG convention")
def test_the_default_is_in_the_platforms_cache_folder(tmp_path, monkeypatch):
    assert choose(monkeypatch, XDG_CACHE_HOME=tmp_path / "x") == tmp_path / "x" / "tinygrad_edu"
    assert choose(monkeypatch, HOME=tmp_path) == tmp_path / ".cache" / "tinygrad_edu"


@posix
def test_a_new_folder_is_private(folder):
    assert folder.stat().st_mode & 0o777 == 0o700


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path, monkeypatch, mode):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.warns(RuntimeWarning, match="chmod 700"):
        chosen = choose(monkeypatch, TINYGRAD_EDU_CACHE=shared)
    assert chosen != shared and chosen.stat().st_mode & 0o777 == 0o700
    cache.write("a.kernel", b"content")
    assert cache.read("a.kernel") == b"content" and not list(shared.iterdir())


@posix
def test_a_folder_of_somebody_else_is_refused(folder, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with pytest.warns(RuntimeWarning, match="somebody else"):
        assert choose(monkeypatch, TINYGRAD_EDU_CACHE=folder) != folder


def test_a_folder_that_cannot_be_made_gives_a_temporary_one(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    chosen = choose(monkeypatch, TINYGRAD_EDU_CACHE=tmp_path / "file" / "cache")
    assert chosen.is_dir() and tmp_path not in chosen.parents


def test_without_any_folder_modules_and_kernels_still_work(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache.tempfile, "mkdtemp", refuse(errno.EROFS))
    assert choose(monkeypatch, TINYGRAD_EDU_CACHE=tmp_path / "file" / "cache") is None
    module = cache.load_source("def nowhere():\n    return 'nowhere'\n", "nowhere")
    assert module.nowhere() == "nowhere" and "return 'nowhere'" in inspect.getsource(module.nowhere)
    assert jit(double)(2.0) == 4.0
    assert cache.size() == 0
    cache.clear()


# Files ------------------------------------------------------------------------------------------------------
def refuse(code):
    def fail(*arguments, **keywords):
        raise OSError(code, os.strerror(code))

    return fail


def test_what_was_written_is_read(folder):
    cache.write("a.kernel", b"content")
    assert cache.read("a.kernel") == b"content"
    assert cache.read("b.kernel") is None


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=60), data=st.data())
def test_no_damaged_file_is_read(folder, content, data):
    cache.write("a.kernel", content)
    path = folder / "a.kernel"
    stored = path.read_bytes()
    if data.draw(st.booleans(), label="truncate"):
        path.write_bytes(stored[: data.draw(st.integers(0, len(stored) - 1), label="length")])
    else:
        bit = data.draw(st.integers(0, 8 * len(stored) - 1), label="bit")
        damaged = bytearray(stored)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
    assert cache.read("a.kernel") is None


def test_a_file_copied_over_another_is_not_read(folder):
    cache.write("a.kernel", b"of a")
    cache.write("b.kernel", b"of b")
    shutil.copy(folder / "a.kernel", folder / "b.kernel")
    assert cache.read("b.kernel") is None


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("step", ["mkstemp", "replace"])
def test_a_full_or_read_only_disk_is_not_an_error(folder, monkeypatch, code, step):
    owner = cache.tempfile if step == "mkstemp" else cache.os
    monkeypatch.setattr(owner, step, refuse(code))
    cache.write("a.kernel", b"content")
    module = cache.load_source(f"def f():\n    return {code!r}, {step!r}\n", "full")
    assert module.f() == (code, step)
    assert jit(double)(2.0) == 4.0
    assert not list(folder.iterdir())  # no temporary file stays behind


@posix
def test_a_read_only_folder_is_still_read(folder):
    cache.write("a.kernel", b"content")
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root may write everywhere")
    forget_choices()
    cache.write("b.kernel", b"content")
    found = cache.read("a.kernel"), cache.read("b.kernel")
    folder.chmod(0o700)
    assert found == (b"content", None)


def test_clear_and_size_are_about_our_files_only(folder):
    (folder / "thesis.txt").write_text("six years of work")
    (folder / "folder.kernel").mkdir()
    cache.write("a.kernel", b"12345")
    assert cache.size() == 32 + 5
    cache.clear()
    assert cache.size() == 0
    assert sorted(path.name for path in folder.iterdir()) == ["folder.kernel", "thesis.txt"]


def test_above_the_limit_the_oldest_files_go(folder, monkeypatch):
    for age, name in enumerate(["new.kernel", "middle.kernel", "old.kernel"]):
        cache.write(name, bytes(68))
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    (folder / "died.tmp").write_bytes(b"")
    os.utime(folder / "died.tmp", (1e9 + 1, 1e9 + 1))
    monkeypatch.setattr(cache, "LIMIT", 250)
    cache._prune.cache_clear()
    cache.write("newest.kernel", bytes(68))
    assert sorted(path.name for path in folder.iterdir()) == ["new.kernel", "newest.kernel"]


# Printed source ---------------------------------------------------------------------------------------------
def test_the_same_text_is_one_module(folder):
    text = "def f():\n    return 1\n"
    module = cache.load_source(text, "one")
    assert cache.load_source(text, "one") is module is sys.modules[module.__name__]
    assert cache.load_source(text + "\n", "one") is not module


def test_a_printed_module_can_be_opened_and_traced(folder):
    text = "def f(x):\n    # divides\n    return 1 / x\n"
    module = cache.load_source(text, "sin(x)/../ü")
    path = Path(module.__file__)
    assert path.parent == folder and path.read_text() == text
    assert path.stem.isascii() and path.stem.rpartition("_")[0].isidentifier()
    cache.clear()
    assert inspect.getsource(module.f) == text
    with pytest.raises(ZeroDivisionError) as caught:
        module.f(0)
    assert "return 1 / x" in "".join(traceback.format_exception(caught.value))


def test_a_file_that_says_something_else_is_rewritten_and_not_run(folder):
    text = "def f():\n    return 'right'\n"
    path = Path(cache.load_source(text, "swapped").__file__)
    path.write_text("raise SystemExit('planted')")
    cache._modules.clear()
    assert cache.load_source(text, "swapped").f() == "right"
    assert path.read_text() == text


def test_a_syntax_error_leaves_no_module_behind(folder):
    before = set(sys.modules)
    with pytest.raises(SyntaxError):
        cache.load_source("def f(:\n", "broken")
    assert not {name for name in set(sys.modules) - before if "_printed_" in name}


# Compiled kernels, in one process ----------------------------------------------------------------------------
def test_nothing_is_read_or_written_before_the_first_call(folder, monkeypatch):
    monkeypatch.setattr(cache, "read", refuse(errno.EIO))
    monkeypatch.setattr(cache, "write", refuse(errno.EIO))
    jit(double)
    assert not kernels(folder)


def test_each_signature_has_its_file(folder):
    first = jit(double)
    assert (first(2.0), first(2), hits(first)) == (4.0, 4, 0)
    assert len(kernels(folder)) == 2
    second = jit(double)
    assert (second(2.0), second(2), hits(second)) == (4.0, 4, 2)


def test_the_flags_are_part_of_the_name(folder):
    jit(double)(2.0)
    for other in (jit(accumulate=True), jit(parallel=True)):
        with warnings.catch_warnings(action="ignore", category=NumbaPerformanceWarning):  # nothing to share
            assert hits(other(double)) == 0
            assert fingerprint(other(double)) != fingerprint(jit(double))


SIBLINGS = """
import sys
from tinygrad_kernels.cpu.jit import jit

def make(number):
    @jit
    def kernel(x):
        return x * number
    return kernel

kernels = {"2": make(2.0), "3": make(3.0)}
for name in sys.argv[1:]:
    assert kernels[name](10.0) == float(name) * 10
    [compiled] = kernels[name].overloads.values()
    print(compiled.fndesc.mangled_name)
"""


def test_kernels_of_one_closure_from_two_processes_have_names_of_their_own(folder, tmp_path):
    """Machine code refers to functions by name, and Numba numbers names anew in each process: without more, two kernels
    would be found under one name by the process that loads both."""
    script = tmp_path / "siblings.py"
    script.write_text(SIBLINGS)
    names = []
    for wanted in (["2"], ["3"], ["2", "3"]):
        command = [sys.executable, str(script), *wanted]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        names.append(done.stdout.split())
    (two,), (three,), both = names
    assert two != three and both == [two, three]


def closure_over(callee):
    @jit
    def apply(x):
        return callee(x) + 1.0

    return apply


def test_a_closure_over_a_jitted_function_is_remembered(folder):
    """Trap: closures over jitted functions never hit Numba's own cache; every run writes new files."""
    assert closure_over(jit(double))(2.0) == 5.0
    files = kernels(folder)
    again = closure_over(jit(double))
    assert (again(2.0), hits(again)) == (5.0, 1)
    assert kernels(folder) == files


def test_recompile_compiles(folder):
    kernel = jit(double)
    kernel(2.0)
    kernel.recompile()
    assert kernel(2.0) == 4.0 and hits(kernel) == 0


CALLER = """
from tinygrad_kernels.cpu.jit import jit

@jit
def callee(x):
    {comment}
    return x * {factor}

LEVEL = {level}

@jit
def middle(x):
    return callee(x)

@jit
def kernel(x):
    return middle(x) + LEVEL + TABLE[0]
"""


def build(factor=2, level=0, comment="", table=0.0):
    """The kernel of a module whose parts have been edited."""
    namespace = {"__name__": "edited", "TABLE": np.array([table])}
    exec(CALLER.format(factor=factor, level=level, comment=comment), namespace)
    return namespace["kernel"]


@pytest.mark.parametrize(
    "edit, same",
    [
        ({"factor": 3}, False),  # an inlined function two calls away: Numba's own cache does not see it
        ({"level": 1}, False),  # a number that is frozen into the code
        ({"table": 1.0}, False),  # an array that is
        ({"comment": "# a comment"}, True),
    ],
    ids=["callee", "constant", "table", "comment"],
)
def test_a_kernel_is_as_new_as_everything_that_was_inlined_into_it(edit, same):
    assert (fingerprint(build()) == fingerprint(build(**edit))) is same


def test_the_fingerprint_sees_functions_reached_through_a_module():
    text = "from tinygrad_kernels.cpu.jit import jit\n@jit\ndef f(x):\n    return x * {}\n"

    def kernel(factor):
        m = cache.load_source(text.format(factor), "through a module")
        namespace = {"__name__": "through", "m": m, "jit": jit}
        exec("@jit\ndef kernel(x):\n    return m.f(x)\n", namespace)
        return namespace["kernel"]

    assert fingerprint(kernel(2)) == fingerprint(kernel(2)) != fingerprint(kernel(3))
