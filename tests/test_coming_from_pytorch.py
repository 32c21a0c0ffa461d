"""The page for those who come from PyTorch says what is here and what is not."""

import importlib.util
import re
from pathlib import Path

PATH = Path(__file__).resolve().parent.parent / "docs" / "coming_from_pytorch.py"
spec = importlib.util.spec_from_file_location("coming_from_pytorch", PATH)
coming = importlib.util.module_from_spec(spec)
spec.loader.exec_module(coming)


def test_the_page_is_up_to_date(torch):
    text = coming.PAGE.read_text(encoding="utf-8")
    assert text == coming.page(text), "run: python docs/coming_from_pytorch.py"


def test_every_name_that_the_page_promises_is_there():
    _, _, tables = coming.PAGE.read_text(encoding="utf-8").partition(coming.BEGIN)
    rooms = re.findall(r"^### (\S+)\n\nHere \((\d+)\):\n\n(.*?)\n\n", tables, re.MULTILINE | re.DOTALL)
    assert [title for title, _, _ in rooms] == list(coming.ROOMS)
    for title, count, names in rooms:
        listed = re.findall(r"`(\w+)`", names)
        assert len(listed) == int(count) > 0
        ours = coming.room("tinygrad_edu", coming.ROOMS[title])
        assert [name for name in listed if not coming.has(ours, name)] == []
