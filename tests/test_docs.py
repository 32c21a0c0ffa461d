"""The course runs: its code, its pictures, its exercises and its links.

- Every ```python block of a page is run, in order, all blocks of one page in one namespace. A ```text block right
  after it is what it prints, to the letter. A block with `>>>` is a doctest ("..." stands for anything).
- Every relative link leads to a file, and a link with #anchor to a heading there.
- Every picture is made by the script of the same name beside it, byte for byte, and is small.
- Every exercise fails with its hole and passes with its solution, and says where it is when it fails.
"""

import contextlib
import doctest
import io
import re
import subprocess
import sys
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
EXERCISES = DOCS / "exercises"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
CHAPTERS = sorted(DOCS.glob("[0-9]*.md"))
SCRIPTS = sorted(path for path in (DOCS / "pictures").glob("*.py") if path.stem != "svg")
HOLES = sorted(EXERCISES.glob("ch*.py"))

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


# Code.


def code_of(text: str) -> list[tuple[int, str, str | None]]:
    """(line, code, what it must print or None) for each python block."""
    blocks = list(FENCE.finditer(text))
    found = []
    for k, block in enumerate(blocks):
        if block[1] != "python":
            continue
        expected = None
        if k + 1 < len(blocks):
            following = blocks[k + 1]
            if following[1] == "text" and not text[block.end() : following.start()].strip():
                expected = following[2]
        line = text.count("\n", 0, block.start()) + 2
        found.append((line, block[2], expected))
    return found


def run_page(text: str, filename: str) -> None:
    """Run the blocks of a page; AssertionError where one prints something else than the page says."""
    namespace: dict = {"__name__": "__main__"}
    for line, code, expected in code_of(text):
        where = f"{filename}, line {line}"
        if code.lstrip().startswith(">>>"):
            run_session(code, namespace, where)
            continue
        printed = io.StringIO()
        padded = "\n" * (line - 1) + code  # so that a traceback shows the line of the page
        with contextlib.redirect_stdout(printed):
            exec(compile(padded, filename, "exec"), namespace)
        if expected is not None:
            assert printed.getvalue().rstrip() == expected.rstrip(), f"{where} prints something else than it says"


def run_session(code: str, namespace: dict, where: str) -> None:
    test = doctest.DocTestParser().get_doctest(code, namespace, where, where, 0)
    test.globs = namespace  # not a copy: the next block goes on with these names
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.write, clear_globs=False)
    assert runner.failures == 0, report.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_of_the_page_runs_and_prints_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    with ThreadPoolExecutor(1) as fresh:  # a thread of its own: what the library keeps per thread is new there
        fresh.submit(run_page, page.read_text(encoding="utf-8"), str(page)).result()


WRONG_PAGES = {
    "another output": "```python\nprint(1)\n```\n\n```text\n2\n```\n",
    "no output": "```python\npass\n```\n\n```text\n2\n```\n",
    "a failing session": "```python\n>>> 1 + 1\n3\n\n```\n",
    "an exception that the page does not show": "```python\nraise AssertionError\n```\n",
    "a second block that fails": "```python\nx = 1\n```\ntext\n```python\nassert x == 2\n```\n",
}


@pytest.mark.parametrize("text", WRONG_PAGES.values(), ids=WRONG_PAGES)
def test_a_page_that_is_wrong_is_refused(text):
    with pytest.raises(AssertionError):
        run_page(text, "page.md")


def test_chapters_are_long_enough_to_teach_and_every_gap_in_their_numbers_is_explained():
    there = [int(path.name[:2]) for path in CHAPTERS]
    listed = (DOCS / "README.md").read_text(encoding="utf-8")
    for first, last in re.findall(r"^\| (\d\d)(?: to (\d\d))? · .*\| +\| come", listed, re.MULTILINE):
        there += range(int(first), int(last or first) + 1)
    assert sorted(there) == list(range(1, max(there) + 1))
    for path in CHAPTERS:
        text = path.read_text(encoding="utf-8")
        assert len(code_of(text)) >= 3, f"{path.name} has hardly any code"
        assert "\n## Exercises\n" in text and "\n## Where to read on\n" in text, f"{path.name} ends without them"


def test_the_list_of_chapters_has_them_all_in_order():
    listed = re.findall(r"\((\d\d-[\w-]+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8"))
    assert listed == [path.name for path in CHAPTERS]


def test_the_map_of_the_design_names_every_file():
    """All but those __init__.py that only collect names."""
    text = (DOCS / "design.md").read_text(encoding="utf-8")
    files = [f for package in ("tinygrad_edu", "kernels/tinygrad_kernels") for f in (ROOT / package).rglob("*.py")]
    assert len(files) > 50
    assert [f for f in map(name, files) if not f.endswith("__init__.py") and f"(../{f})" not in text] == []


# Links.


def anchors(page: Path) -> set[str]:
    """The #names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page):
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):  # https:, mailto:
            continue
        path, _, anchor = target.partition("#")
        goal = page.parent / path if path else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            broken.append(target)
    assert not broken


# Pictures.


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_the_script_makes_the_picture(script, tmp_path):
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = [path.name for path in tmp_path.iterdir()]
    assert made == [f"{script.stem}.svg"]
    committed = script.with_suffix(".svg")
    assert committed.exists(), f"run {name(script)} and commit its picture"
    assert (tmp_path / made[0]).read_bytes() == committed.read_bytes(), f"run {name(script)} again: its picture is old"


def test_pictures_are_small_and_shown_and_have_a_script():
    shown = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for picture in (DOCS / "pictures").glob("*.svg"):
        xml.etree.ElementTree.parse(picture)
        assert picture.stat().st_size < 60_000, f"{picture.name} is too large"
        assert picture.with_suffix(".py") in SCRIPTS, f"no script makes {picture.name}"
        assert f"pictures/{picture.name}" in shown, f"no page shows {picture.name}"


# Exercises.


Report = tuple[str, list[tuple[str, str]]]  # what pytest printed, and (test, outcome) for each test


def run_exercises(*options: str) -> Report:
    """What `pytest docs/exercises` reports."""
    how = ["-q", "-rA", "-n", "0", "-p", "no:cacheprovider", *options]
    command = [sys.executable, "-m", "pytest", str(EXERCISES), *how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    outcomes = re.findall(r"^(PASSED|FAILED|ERROR) \S*?(test_ch\w+\.py::\w+)", done.stdout, re.MULTILINE)
    return done.stdout + done.stderr, [(test, outcome) for outcome, test in outcomes]


@pytest.fixture(scope="module")
def holes():
    return run_exercises()


@pytest.fixture(scope="module")
def solutions():
    return run_exercises("--solutions")


def outcomes_of(exercise: Path, report: Report) -> set[str]:
    """How the tests of one exercise ended: ch01_2_paths is tested in test_ch01.py by test_2_...(...)."""
    chapter, number, _ = exercise.stem.split("_", 2)
    return {outcome for test, outcome in report[1] if test.startswith(f"test_{chapter}.py::test_{number}_")}


def test_every_exercise_has_one_solution_and_every_chapter_three_exercises():
    assert [path.name for path in HOLES] == sorted(path.name for path in (EXERCISES / "solutions").glob("*.py"))
    numbers = [tuple(path.stem.split("_")[:2]) for path in HOLES]
    assert numbers == [(f"ch{chapter.name[:2]}", str(k)) for chapter in CHAPTERS for k in (1, 2, 3)]


@pytest.mark.parametrize("exercise", HOLES, ids=name)
def test_an_exercise_fails_with_its_hole_and_passes_with_its_solution(exercise, holes, solutions):
    assert "# your work" in exercise.read_text(encoding="utf-8")
    assert outcomes_of(exercise, holes) == {"FAILED"}, holes[0]
    assert outcomes_of(exercise, solutions) == {"PASSED"}, solutions[0]


@pytest.mark.parametrize("exercise", HOLES, ids=name)
def test_a_hole_is_reported_in_one_line_that_names_its_file(exercise, holes):
    assert re.search(rf"^\w+\(\) gave None: the hole in {exercise.name} is still open", holes[0], re.MULTILINE)


def test_the_number_of_the_exercises_is_that_of_chapter_01():
    toy = (EXERCISES / "toy.py").read_text(encoding="utf-8")
    number = toy[toy.index("class Number:") :]
    assert number in CHAPTERS[0].read_text(encoding="utf-8")
