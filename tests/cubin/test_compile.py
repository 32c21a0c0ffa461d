"""Every kernel becomes machine code for a Hopper GPU (sm_90), within the bounds of the table below.

A kernel that uses more registers than before runs fewer threads at a time; one that spills or needs a stack waits for
memory; a `.f64` in the code of a float32 kernel is an instruction that many GPUs run at a 64th of the speed, and comes
in by a bare `0.5`. None of this shows in a result.
"""

import os
import re

import pytest
from tinygrad_kernels import calculus
from tinygrad_kernels.cache import load_source
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cuda.codegen import print_flat, print_strided
from tinygrad_kernels.cuda.codegen_reduction import print_columns, print_rows
from tinygrad_kernels.cuda.compile import assemble, ptx_of
from tinygrad_kernels.cuda.device import cuda
from tinygrad_kernels.cuda.jit import C_TYPES, kernel
from tinygrad_kernels.cuda.random import bernoulli, exponential, integers, normal, uniform
from tinygrad_kernels.cuda.reduction import endings
from tinygrad_kernels.expr import backward_formulas, forward_formula, trace, walk

HOPPER = (9, 0)
EVERYTHING = os.environ.get("TINYGRAD_EDU_SAMPLE", "1") == "1"  # the derivative by each operand, not by the first only
WIDTHS = {"uint8": "8", "uint32": "32", "int32": "32", "int64": "64", "uint64": "64", "float32": "32", "float64": "64"}


def built(kernel, registers, *, doubles=False, stack=0, shared=0):
    """Compile a kernel and hold it against its bounds; gives the assembly language."""
    ptx = ptx_of(kernel, HOPPER)
    report = assemble(ptx, HOPPER).report
    assert report["registers"] <= registers, (kernel.name, report)
    assert report["stack"] <= stack and report["spills"] == 0, (kernel.name, report)
    assert report["shared"] <= shared, (kernel.name, report)
    assert doubles or ".f64" not in ptx, f"{kernel.name} computes in float64"
    launched_as_declared(kernel, ptx)
    return ptx


def launched_as_declared(kernel, ptx):
    """The launcher passes as many arguments, of the same widths, as the machine code takes."""
    entry = ptx[ptx.index(".visible .entry") :]
    taken = re.findall(r"\.param \.\w(\d+)[^,)\n]*_param_\d+", entry[: entry.index(")")])
    given = ["64" if name.endswith("*") else WIDTHS[name] for name in kernel.signature]
    assert [*taken] == given and all(name.endswith("*") or name in C_TYPES for name in kernel.signature)


def printed(text, name="compiled"):
    return load_source(text, name)


DIFFERENTIABLE = [op for op in calculus.OPERATIONS.values() if "f" in op.kinds]


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=[op.name for op in DIFFERENTIABLE])
def test_every_formula_and_its_derivatives(op):
    """Four float32 at a time, by loads of 128 bits. sin, cos and tan keep a table for large arguments on the stack."""
    derivatives = [formula for formula in backward_formulas(op) if formula is not None]
    for formula in (forward_formula(op), *(derivatives if EVERYTHING else derivatives[:1])):
        n = len(formula.inputs)
        result = "bool" if op.predicate else "float32"
        module = printed(print_flat(formula, Signature(["float32"] * n, ["flat"] * n, "float32"), [result]))
        far = any(name in repr(formula) for name in ("sin(", "cos(", "tan("))
        if op.predicate:
            built(module.flat, 32)
        else:
            ptx = built(module.flat4, 48, doubles=far, stack=32 if far else 0)
            read = {e.value for e in walk(formula.outputs) if e.op == "input"}
            assert ptx.count("ld.global.v4.") == len(read) and "st.global.v4." in ptx


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "bool"])
def test_other_dtypes(dtype):
    add = forward_formula(calculus.OPERATIONS["mul"])
    module = printed(print_flat(add, Signature([dtype] * 2, ["flat"] * 2, dtype), [dtype]))
    built(module.flat, 16, doubles=dtype == "float64")


@pytest.mark.parametrize("index", ["uint32", "int64"])
@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_strided(dimensions, index):
    """Division in 32 bits keeps the kernel small."""
    mul = forward_formula(calculus.OPERATIONS["mul"])
    signature = Signature(["float32"] * 2, ["strided", "fixed", "unit"], "float32")
    built(printed(print_strided(mul, signature, dimensions, ["float32"], index)).strided, 40)


OPS = ["sum", "prod", "max", "min", "any", "all", "argmax", "argmin"]


@pytest.mark.parametrize("op, dtype", [*((op, "float32") for op in OPS), ("sum", "float64"), ("max", "int64")])
def test_reductions(op, dtype):
    result = "int64" if op.startswith("arg") else "bool" if op in ("any", "all") else dtype
    distance = trace("distance", lambda x, y: (x - y) * (x - y), ("x", "y"))
    signature = Signature([dtype] * 2, ["flat", "one"], dtype)
    wide = {"doubles": dtype == "float64"}
    along = printed(print_rows(distance, signature, op, result))
    built(along.rows, 64, shared=2048, **wide)
    built(along.narrow, 64, **wide)
    built(printed(print_columns(distance, signature, op, result)).columns, 80, shared=6144, **wide)
    for end, shared in zip(endings(op, dtype, result), (2048, 0), strict=True):
        built(end, 48, shared=shared, **wide)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers(dtype):
    for make, registers in ((uniform, 24), (normal, 40), (exponential, 32)):
        built(make(dtype), registers, doubles=dtype == "float64")
    for make in (integers, bernoulli):
        built(make("int64"), 32)


def test_a_bare_constant_would_be_noticed():
    """What the search for .f64 is for. (By 0.5 the compiler multiplies in float32 in any case: it is exact.)"""

    @kernel("float32*, int64")
    def tenth(x, n):
        i = cuda.grid(1)
        if i < n:
            x[i] = x[i] * 0.1

    with pytest.raises(AssertionError, match="float64"):
        built(tenth, 32)
