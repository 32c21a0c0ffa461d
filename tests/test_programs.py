"""Programs written for PyTorch run with only the import changed, and print what they print under PyTorch.

The programs stand in programs/, in the manner of what people write after their first tutorials: models of letters from
pairs to transformers, image classifiers, recurrent networks, autoencoders. None uses what differs between processors in
PyTorch itself (dropout masks, samples by `multinomial` without replacement: see docs/15-coming-from-pytorch.md).
"""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")


def ported(source: str) -> str:
    """The program with its imports changed, and nothing else."""
    source = re.sub(r"^import torch$", "import tinygrad_edu as torch", source, flags=re.MULTILINE)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_edu", source, flags=re.MULTILINE)


def printed(source: str, path: Path) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, str(path), "exec"), {"__name__": "__main__"})
    return out.getvalue()


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_prints_what_it_prints_under_pytorch(path, torch):
    """The same words, shapes and names; numbers to what a few dozen float32 steps leave of them (1e-3, the last digit
    that is printed of four)."""
    source = path.read_text(encoding="utf-8")
    assert ported(source).count("tinygrad_edu") >= 1
    ours, theirs = printed(ported(source), path), printed(source, path)
    assert NUMBER.sub("#", ours).split() == NUMBER.sub("#", theirs).split()
    ours, theirs = ([float(number) for number in NUMBER.findall(text)] for text in (ours, theirs))
    assert len(ours) > 10
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-4)
