"""Printed kernels: operands keep the names that they have in their formula, so nothing else may take one."""

import ast

import numpy as np
import pytest
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cuda.codegen import print_flat, print_strided
from tinygrad_kernels.cuda.codegen_reduction import print_columns, print_rows

import tinygrad_edu as tg
from tinygrad_edu.ops.plan import OPERATIONS


def texts(formula):
    """All kernels for a formula."""
    kinds = ["float32"] * len(formula.inputs)
    flat = Signature(kinds, ["flat"] * len(kinds), "float32")
    strided = Signature(kinds, ["strided"] * (len(kinds) + 1), "float32")
    yield print_rows(formula, flat, "sum", "float32")
    yield print_columns(formula, flat, "sum", "float32")
    yield print_flat(formula, flat, ["float32"] * len(formula.outputs))
    yield print_strided(formula, strided, 3, ["float32"], "int64")


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_variable_is_called_like_an_operand(name):
    operation = OPERATIONS[name]
    for formula in (operation.forward, *filter(None, operation.pulls)):
        for text in texts(formula):
            for function in ast.parse(text).body:
                if isinstance(function, ast.FunctionDef):
                    stored = [x.id for x in ast.walk(function) if isinstance(x, ast.Name) and type(x.ctx) is ast.Store]
                    assert {a.arg for a in function.args.args}.isdisjoint(stored), function.name


@pytest.mark.parametrize("shape", [(80,), (3, 40), (40, 3)])
@pytest.mark.parametrize("function", [tg.where, lambda c, x, y: tg.addcmul(c.float(), c.float(), x)])
def test_the_gradient_of_a_broadcast_operand_is_a_sum(shape, function):
    condition = np.arange(np.prod(shape)).reshape(shape) % 3 == 0
    for small in [(), (shape[-1],), (1,) * len(shape)]:
        found = []
        for device in ("cpu", "cuda"):
            x = tg.ones(small, device=device, requires_grad=True)
            function(tg.tensor(condition, device=device), x, tg.zeros(shape, device=device)).sum().backward()
            found.append(x.grad.tolist())
        assert found[0] == found[1]
