"""How the exercises are tested: `pytest docs/exercises` tests your work, `pytest docs/exercises --solutions` ours.

A test asks for its exercise by name: `exercise("ch01_1_divide")`. What it gets is the module, with one difference:
where a function returns None, because its hole is still open, the test ends with one line that says so.
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

    def __init__(self, module: Any, file: str) -> None:
        self.module, self.file = module, file

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.module, name)
        if not callable(found) or isinstance(found, type):
            return found

        def asked(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            if result is None:
                pytest.fail(f"{name}() gave None: the hole in {self.file} is still open", pytrace=False)
            return result

        return asked


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
        return Exercise(module, path.name)

    return load
