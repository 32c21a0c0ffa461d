"""`python -m benchmarks.budget`: how many lines of code the library has, against what it may have.

A course can be too long to read, so breadth has a budget; explanations do not. A *code line* is a line with
at least one token that is neither a comment nor part of a docstring: blank lines, comments and docstrings
are free. Two sums are budgeted, the course path (the files that a reader goes through from a scalar `Value`
to `compiler/`) and both packages together. A third rule is about single files: a lesson has at most 400
lines, everything counted.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("kernels/tinygrad_kernels", "tinygrad_edu")
OTHERS = ("tests", "examples", "docs", "benchmarks")
COURSE = (
    *("calculus", "floats", "expr", "codegen", "value", "engine"),
    *("tensors", "graph", "launch", "strides"),  # the core of Tensor
    *("elementwise", "reduction", "linalg", "matmul", "compiler"),
)
COURSE_BUDGET, TOTAL_BUDGET, FILE_LIMIT = 4_000, 14_000, 400
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def docstrings(source: str) -> Iterator[tuple[int, int]]:
    """The positions (line, column) at which the docstrings of `source` begin."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    yield first.lineno, first.col_offset


def code_lines(source: str) -> int:
    """The number of lines of `source` that hold code.

    >>> code_lines('def f(x):\\n    "Doc."\\n\\n    # why\\n    return x\\n')
    2
    """
    skipped = set(docstrings(source))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT and token.start not in skipped:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines)


def on_course(path: Path) -> bool:
    """Whether a file of the packages, given relative to the root, is on the course path.

    The part of a name before "_" counts: `codegen_reduction.py` belongs to `codegen`.
    """
    parts = path.with_suffix("").parts
    return "cuda" not in parts and any(part.split("_")[0] in COURSE for part in parts)


def python_files(folder: str) -> list[Path]:
    """The Python files below `folder`, relative to the root."""
    return sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))


def main() -> int:
    """Print the sums and the files that are too long; 1 if a limit is broken."""
    sizes = {path: code_lines((ROOT / path).read_text("utf-8")) for folder in PACKAGES for path in python_files(folder)}
    course = {path: size for path, size in sizes.items() if on_course(path)}
    for path, size in course.items():
        print(f"{size:>7,}  {path}")
    over = False
    for title, used, budget in (
        ("course path", sum(course.values()), COURSE_BUDGET),
        ("everything", sum(sizes.values()), TOTAL_BUDGET),
    ):
        over |= used > budget
        print(f"{used:>7,}  {title}: budget {budget:,}{', OVER' if used > budget else ''}")
    for path in [*sizes, *(path for folder in OTHERS for path in python_files(folder))]:
        length = len((ROOT / path).read_text("utf-8").splitlines())
        if length > FILE_LIMIT:
            over = True
            print(f"{length:>7,}  lines in {path}: limit {FILE_LIMIT}")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
