"""The folder that remembers: printed kernels, and the machine code that Numba made of them.

Problem. Compiling a kernel takes some 100 milliseconds, loading a compiled one 3. So compiled kernels are
kept on disk. But a file on disk can be cut short by a crash, changed by a failing disk, written by two
processes at once, or planted by somebody else; and machine code is *run*, so a wrong file does not give a
wrong message, it gives a wrong gradient, or worse.

Idea. Four habits make a cache that can only be slow, never wrong:

1. *Content addressing*: a file's name contains a hash of everything that it was made from. Another input has
   another name, so nothing is ever out of date, and two processes that write one name write the same thing.
2. *Atomic writes*: a file is written under a temporary name and then renamed. The rename happens entirely or
   not at all, so a reader never sees half a file.
3. *Checksums*: `write` puts sha256(file name + content) in front of the content, and `read` gives nothing
   unless it matches. The name is hashed too, so a file that was copied over another one is refused as well.
4. *A private place*: the folder must belong to the user and be closed for writing to everybody else.

And every failure (a full or read-only disk, no home folder) means "not remembered", never an exception.

The folder is $TINYGRAD_EDU_CACHE, else `tinygrad_edu` in the platform's folder for such files (XDG_CACHE_HOME
or ~/.cache, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows), else a temporary one for this process
alone.

Sources: R. Merkle, "A Digital Signature Based on a Conventional Encryption Function" (1987), for naming
content by its hash; T. Pillai et al., "All File Systems Are Not Created Equal" (2014), for what a rename does
and does not promise after a crash (the content may be missing: hence the checksum).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import linecache
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

LIMIT = 512 * 2**20  # bytes: above this the oldest files go. A compiled kernel takes 20 to 100 KB
_CHECKSUM = hashlib.sha256().digest_size  # 32 bytes in front of every file that `write` makes
_ABANDONED = 3600.0  # seconds after which a temporary file must be left over from a process that died
_SUFFIXES = (".py", ".kernel", ".tmp")  # what we write; `clear` and `size` touch nothing else in the folder

_modules: dict[tuple[str, str], types.ModuleType] = {}  # (name, text) -> the module that it became


# Where ------------------------------------------------------------------------------------------------------
@functools.cache
def location() -> Path | None:
    """The folder of this process's cache; None if not even a temporary one can be made.

    It is chosen once, at the first call. A folder that others may write to is refused with a RuntimeWarning.

    >>> folder = location()
    >>> folder is None or folder.is_dir()
    True
    """
    chosen = os.environ.get("TINYGRAD_EDU_CACHE")
    try:
        folder = Path(chosen).expanduser().absolute() if chosen else _platform_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(folder):
            return folder
        warnings.warn(
            f"{folder} belongs to, or can be written by, somebody else, so it is not used: compiled kernels "
            f"are forgotten. Make it yours alone (chmod 700), or name another in TINYGRAD_EDU_CACHE.",
            RuntimeWarning,
            stacklevel=2,
        )
    except (OSError, RuntimeError):  # RuntimeError: there is no home folder
        pass
    return _temporary_folder()


def _platform_folder() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "tinygrad_edu"


def _is_private(folder: Path) -> bool:
    if not hasattr(os, "geteuid"):  # Windows: a user's own folders are private by their access lists
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _temporary_folder() -> Path | None:
    try:
        folder = Path(tempfile.mkdtemp(prefix="tinygrad_edu_"))  # mkdtemp's folders are private
    except OSError:
        return None
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child leaves its parent's folder alone
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


# Files ------------------------------------------------------------------------------------------------------
def read(name: str) -> bytes | None:
    """What `write(name, content)` stored; None if there is no such file, or if it is damaged."""
    folder = location()
    if folder is None:
        return None
    try:
        stored = (folder / name).read_bytes()
    except OSError:
        return None
    content = stored[_CHECKSUM:]
    return content if stored[:_CHECKSUM] == _checksum(name, content) else None


def write(name: str, content: bytes) -> None:
    """Store `content` under the file name `name` if that is possible."""
    folder = location()
    if folder is not None:
        _write(folder / name, _checksum(name, content) + content)


def remove(prefix: str) -> None:
    """Forget every file whose name begins with `prefix`."""
    for path, _ in _files():
        if path.name.startswith(prefix):
            _unlink(path)


def clear() -> None:
    """Forget everything. Modules and kernels that this process has loaded stay usable.

    Files that we did not write are left alone, whatever folder TINYGRAD_EDU_CACHE names.
    """
    remove("")


def size() -> int:
    """Bytes on disk."""
    return sum(status.st_size for _, status in _files())


def _checksum(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


def _files() -> Iterator[tuple[Path, os.stat_result]]:
    folder = location()
    with contextlib.suppress(OSError):
        for path in list(folder.iterdir()) if folder else []:
            with contextlib.suppress(OSError):  # another process may have removed it
                status = path.lstat()
                if path.suffix in _SUFFIXES and stat.S_ISREG(status.st_mode):
                    yield path, status


def _write(path: Path, content: bytes) -> None:
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:  # full, read-only, or (on Windows) open in another process: not remembered this time
        if temporary is not None:
            _unlink(Path(temporary))
    _prune()


@functools.cache  # once a process is enough: one process does not fill the folder
def _prune() -> None:
    """Keep the folder below LIMIT: leftovers go first, then the oldest files."""
    files = sorted(_files(), key=lambda file: file[1].st_mtime)
    total = sum(status.st_size for _, status in files)
    for path, status in files:
        abandoned = path.suffix == ".tmp" and status.st_mtime < time.time() - _ABANDONED
        if abandoned or total > LIMIT:
            _unlink(path)
            total -= status.st_size


def _unlink(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


# Printed source ---------------------------------------------------------------------------------------------
def load_source(text: str, name: str) -> types.ModuleType:
    """The module whose source is `text`, kept as the file `<name>_<hash>.py` so that it can be opened.

    What runs is `text` itself, never the file: the file is for readers, debuggers and tracebacks, and is
    rewritten if it says something else. Python's own .pyc files are not used, because they carry no checksum.
    The same text and name give the same module, in every thread. Raises SyntaxError as Python does.

    >>> load_source("def twice(x):\\n    return 2 * x\\n", "doc example").twice(21)
    42
    """
    module = _modules.get((name, text))
    if module is not None:
        return module
    safe = re.sub(r"\W", "_", name, flags=re.ASCII)[:80]
    stem = f"{safe}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    module = types.ModuleType(f"tinygrad_kernels._printed_{stem}")
    module.__file__ = _keep(f"{stem}.py", text)
    # An entry without a modification time is never checked against the disk, so that tracebacks and
    # inspect.getsource work where nothing could be written, and after `clear`.
    linecache.cache[module.__file__] = (len(text), None, text.splitlines(keepends=True), module.__file__)
    # Numba looks a function's module up by its name, so it must be known before the text is run.
    sys.modules[module.__name__] = module
    try:
        exec(compile(text, module.__file__, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    # Two threads may both have come here; no lock (a lock that is held during a fork stays locked in the
    # child): the first to store its module wins, the other's is dropped.
    module = _modules.setdefault((name, text), module)
    sys.modules[module.__name__] = module
    return module


def _keep(filename: str, text: str) -> str:
    """See that the file says `text`, if that is possible; return its path."""
    folder = location()
    if folder is None:
        return f"<{filename}>"
    path = folder / filename
    try:
        intact = path.read_bytes() == text.encode()
    except OSError:
        intact = False
    if not intact:
        _write(path, text.encode())
    return str(path)
