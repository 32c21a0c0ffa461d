"""How the exercises are tested: `pytest docs/exercises` tests your work, `pytest docs/exercises --solutions` ours.

A test asks for its exercise by name: `exercise("ch01_1_divide")`. What it gets is the module, with one difference:
where a function returns None, because its hole is still open, the test ends with one line that says so. (A kernel
never returns anything, and says `-> None`: of it the file is asked whether the hole is still there.)
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--solutions", action="store_true", help="test docs/exercises/solutions instead of the holes")


class Exercise:
    """A module whose functions must give something."""

    def __init__(self, module: Any, path: Path) -> None:
        self.module, self.file = module, path.name
        self.open = "...  # your work" in path.read_text(encoding="utf-8")

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.module, name)
        if not callable(found) or isinstance(found, type):
            return found
        if found.__annotations__.get("return", found) is None:  # a kernel
            return self.still_open(name) if self.open else found

        def asked(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            return self.still_open(name) if result is None else result

        return asked

    def still_open(self, name: str) -> Any:
        pytest.fail(f"{name}() gave None: the hole in {self.file} is still open", pytrace=False)


@pytest.fixture
def exercise(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Exercise]:
    folder = HERE / "solutions" if request.config.getoption("--solutions") else HERE
    monkeypatch.syspath_prepend(str(HERE))  # for `from toy import Number`

    def load(name: str) -> Exercise:
        path = folder / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return Exercise(module, path)

    return load
