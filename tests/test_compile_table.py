"""Every row of the tables of operations gives compiled what it gives eagerly: values, and gradients both ways.

Each row is run as a function whose backward pass is outside, and as a function that has the backward pass in it. A
fixed sample of the rows is run here, since each needs kernels of its own; TINYGRAD_EDU_ROWS=1 runs all of them.

What needs numbers while it is recorded is refused; REFUSED says which rows and why.
"""

import importlib
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from oracle import Row, arrays, flattened, operands, same

import tinygrad_edu as tg

ASKS = "the row itself asks for numbers, or for Python's"
SHAPE = "the shape of the result depends on the numbers"
BRANCH = "what is computed depends on the numbers"
REFUSED = {
    "creation_table": {
        "allclose": ASKS, "equal": ASKS, "contains": ASKS, "format": ASKS, "index": ASKS, "numbers": ASKS,
        "questions": ASKS, "tensor of tensors": ASKS, "tensor of kinds of numbers": ASKS, "asarray array": ASKS,
        "arange tensors": SHAPE, "linspace tensors": ASKS, "where alone": SHAPE,
    },
    "indexing_table": {
        "brackets": SHAPE, "masked": SHAPE, "nonzero": SHAPE, "index_put": SHAPE, "isin": BRANCH,
    },
    "lapack": {"lstsq, all of it": BRANCH},
    "losses_table": {"multilabel": BRANCH, "MultiLabel": BRANCH, "multi margin of one": BRANCH},
    "module_table": {"rrelu in training": SHAPE, "unpad_sequence": SHAPE, "get_total_norm": BRANCH},
    "padding": {"one_hot": SHAPE},
    "shape_table": {"narrow by a tensor": SHAPE, "repeat_interleave": SHAPE, "tensor_split by a tensor": SHAPE},
    "statistics_table": {
        "bincount": SHAPE, "cov weights": BRANCH, "histc": BRANCH, "unique": SHAPE,
    },
}  # fmt: skip
DIFFERENT = {"facts": "a row that asks which tensors are views, and of what"}
SAMPLE = int(os.environ.get("TINYGRAD_EDU_ROWS", 40))  # one row in so many


def rows():
    """(file, row) of all tables, or of the sample."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "from oracle import" not in text or "parity(" not in text:
            continue
        module = importlib.import_module(path.stem)
        for name, table in vars(module).items():
            if name.isupper() and isinstance(table, list) and table and isinstance(table[0], Row):
                for k, row in enumerate(table):
                    if zlib.crc32(f"{path.stem}-{name}-{k}".encode()) % SAMPLE == 0:
                        yield path.stem[5:], row


CASES = list(rows())


def total_of(results):
    """A number of all results that have a gradient, with random weights."""
    rng, total = np.random.default_rng(7), 0.0
    for result in results:
        if isinstance(result, tg.Tensor) and result.requires_grad:
            weights = rng.normal(size=tuple(result.shape)).astype(str(result.dtype).split(".")[-1])
            total = total + (result * tg.tensor(weights)).sum()
    return total


def may_be_refused(file, row):
    return any(row.name.startswith(name) for name in REFUSED.get(file, {}))


@pytest.mark.parametrize("whole", [False, True], ids=["forward", "with backward"])
@pytest.mark.parametrize("file, row", CASES, ids=[f"{file}-{row.name}" for file, row in CASES])
def test_row(file, row, whole):
    number = zlib.crc32(row.name.encode())
    dtype = row.dtypes[number % len(row.dtypes)]
    layout = "contiguous" if whole else row.layouts[number // 7 % len(row.layouts)]

    def function(*tensors):
        results = list(flattened(row.call(tg, *tensors)))
        if not whole or not row.gradient:
            return results
        total_of(results).backward()
        return [x.detach() if isinstance(x, tg.Tensor) else x for x in results]

    def seen(f):
        tg.manual_seed(0)
        tensors, leaves = operands(tg, arrays(row, dtype), layout, row.gradient)
        results = f(*tensors)
        if row.gradient and not whole:
            total_of(results).backward()
        return results, [leaf.grad for leaf in leaves]

    compiled, (expected, gradients) = tg.compile(function), seen(function)
    for _ in range(2):
        try:
            results, found = seen(compiled)
        except RuntimeError as error:
            assert "compile:" in str(error) and may_be_refused(file, row), str(error)
            return
        assert len(results) == len(expected)
        for x, y in zip(results, expected, strict=True):
            if row.name not in DIFFERENT:
                same(x, y, dtype, "a result")
        for x, y in zip(found, gradients, strict=True):
            assert (x is None) == (y is None), "one has a gradient"
            if y is not None:
                same(x, y, dtype, "a gradient")


def test_every_refused_row_is_there():
    """No line of REFUSED is about nothing."""
    names = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        names[path.stem[5:]] = path.read_text(encoding="utf-8")
    for file, listed in REFUSED.items():
        for name in listed:
            assert name.split()[0] in names[file] if name else file in names, f"{file}: {name}"
