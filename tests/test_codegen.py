"""Printed kernels: what they compute, called directly with arrays, and how they are printed."""

import ast
import math
import re
from inspect import signature

import numpy as np
import pytest
from tinygrad_kernels import codegen_reduction
from tinygrad_kernels.backend import get_backend
from tinygrad_kernels.calculus import OPERATIONS
from tinygrad_kernels.codegen import Signature, print_flat, print_strided, used_as_number
from tinygrad_kernels.codegen_reduction import print_reduction
from tinygrad_kernels.expr import backward_formulas, forward_formula, trace

cpu = get_backend("cpu")
SUM = trace("sum", lambda x: x, ("x",))
PRODUCT = trace("product", lambda x, y: x * y, ("x", "y"))
AXPY = trace("axpy", lambda a, x, y: a * x + y, ("a", "x", "y"))
SIZES = (0, 1, 2, 31, 32, 33, 1023, 1024, 1025, 2049, 65535, 65536, 65537, 200_003)


def formulas():
    for op in OPERATIONS.values():
        yield forward_formula(op)
        yield from (f for f in backward_formulas(op) if f is not None)


def flat_signature(formula, dtype, access=None):
    n = len(formula.inputs)
    return Signature([dtype] * n, access or ["flat"] * n, dtype)


@pytest.mark.parametrize("formula", list(formulas()), ids=lambda f: f.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_printed_file_is_python_and_opens_with_its_formula(formula, dtype):
    n = len(formula.inputs)
    texts = [print_flat(formula, flat_signature(formula, dtype))]
    texts += [print_strided(formula, Signature([dtype] * n, ["strided"] * n + ["unit"], dtype), d) for d in (1, 3)]
    texts += [print_reduction(formula, flat_signature(formula, dtype), columns) for columns in (False, True)]
    for text in texts:
        assert ast.get_docstring(ast.parse(text)).startswith(repr(formula))


def test_constants_have_the_dtype_of_the_loop():
    """A bare 0.5 would make a float64 loop of a float32 one."""
    formula = trace("half", lambda x: 0.5 * x, ("x",))
    assert "float32(0.5) * x[i]" in print_flat(formula, flat_signature(formula, "float32"))
    with pytest.raises(AssertionError):
        assert "float32" in print_flat(formula, flat_signature(formula, "float64"))


def test_a_common_part_is_computed_once():
    formula = trace("twice", lambda x: x.exp() * x.exp(), ("x",))
    assert print_flat(formula, flat_signature(formula, "float64")).count("exp(x[i])") == 1


def test_a_truth_value_is_not_used_as_a_number():
    formula = forward_formula(OPERATIONS["where"])
    assert [used_as_number(formula, name) for name in "cxy"] == [False, True, True]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("n", SIZES)
def test_flat_kernels_with_arrays_single_elements_and_numbers(n, big):
    random = np.random.default_rng(n)
    x, y, out = random.standard_normal(n), random.standard_normal(1), np.empty(n)
    kernel = cpu.flat(AXPY, flat_signature(AXPY, "float64", ["number", "flat", "one"]), big)
    kernel(out, 2.0, x, y)
    np.testing.assert_allclose(out, 2.0 * x + y[0], rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("big", [False, True])
def test_a_flat_kernel_with_two_results(big):
    formula = trace("both", lambda x, y: (x + y, x * y), ("x", "y"))
    x, y = np.random.default_rng(0).standard_normal((2, 70_000))
    total, product = np.empty_like(x), np.empty_like(x)
    cpu.flat(formula, flat_signature(formula, "float64"), big)(total, product, x, y)
    np.testing.assert_array_equal(total, x + y)
    np.testing.assert_array_equal(product, x * y)


@pytest.mark.parametrize("big", [False, True])
def test_a_strided_kernel_reads_offsets_steps_and_repeats(big):
    x, y = np.arange(200.0), np.arange(1000.0, 1010.0)
    out = np.empty(20)
    signature = Signature(["float64"] * 2, ["strided", "fixed", "unit"], "float64")
    kernel = cpu.strided(PRODUCT, signature, 2, big)
    kernel((4, 5), out, (0, 5, 1), x, (7, 30, 2), y, (1, 2, 0))
    expected = x[7 + 30 * np.arange(4)[:, None] + 2 * np.arange(5)] * y[1 + 2 * np.arange(4)[:, None]]
    np.testing.assert_array_equal(out.reshape(4, 5), expected)


def test_mixed_dtypes_are_converted_as_they_are_read():
    signature = Signature(["int64", "float32"], ["flat", "flat"], "float32")
    out = np.empty(3, np.float32)
    cpu.flat(PRODUCT, signature, False)(out, np.array([1, 2, 3]), np.array([0.5, 0.25, 2.0], np.float32))
    np.testing.assert_array_equal(out, np.array([0.5, 0.5, 6.0], np.float32))


# Reductions ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", SIZES)
def test_a_sum_is_one_number_right_to_a_few_roundings(n, dtype):
    """Trap: a reduction that returns block partials (minitorch's CUDA reduce of 1,025 elements has shape (2,))."""
    x = np.random.default_rng(n).standard_normal(n).astype(dtype)
    exact, magnitude = math.fsum(x), math.fsum(abs(x))
    for big in (False, True):
        out = np.empty(1, dtype)
        cpu.rows(SUM, flat_signature(SUM, dtype), big)(out, n, 1.0, x)
        assert abs(float(out[0]) - exact) <= np.finfo(dtype).eps * magnitude / 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_are_at_least_as_accurate_as_numpys_pairwise_sum(dtype):
    ours, numpys = 0.0, 0.0
    for seed in range(40):
        random = np.random.default_rng(seed)
        x = (random.standard_normal(100_000) * 10 ** random.uniform(-3, 3, 100_000)).astype(dtype)
        exact, out = math.fsum(x), np.empty(1, dtype)
        cpu.rows(SUM, flat_signature(SUM, dtype), True)(out, x.size, 1.0, x)
        ours += (float(out[0]) - exact) ** 2
        numpys += (float(x.sum()) - exact) ** 2
    assert ours <= numpys


@pytest.mark.parametrize("dtype", ["float32", "float64"])  # in float64 a forgotten rounding error shows
@pytest.mark.parametrize("shape", [(1, 1), (3, 1025), (70, 1), (5, 70_000), (2, 0), (0, 3), (1, 65537), (2000, 40)])
def test_serial_and_parallel_rows_have_the_same_bits(shape, dtype):
    rows, width = shape
    x = np.random.default_rng(1).standard_normal(rows * width).astype(dtype)
    outs = [np.empty(rows, dtype) for _ in range(2)]
    for big, out in zip((False, True), outs, strict=True):
        cpu.rows(SUM, flat_signature(SUM, dtype), big)(out, width, 1.0, x)
    np.testing.assert_array_equal(*outs)
    np.testing.assert_allclose(outs[0], x.reshape(shape).sum(1, dtype=np.float64), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    "shape", [(1, 5, 3), (2, 1025, 7), (3, 4, 2049), (1, 3000, 2050), (2, 0, 3), (2, 3, 0), (0, 2, 3)]
)
def test_serial_and_parallel_columns_have_the_same_bits(shape):
    outer, height, width = shape
    x = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    outs = [np.empty(outer * width, np.float32) for _ in range(2)]
    for big, out in zip((False, True), outs, strict=True):
        cpu.columns(SUM, flat_signature(SUM, "float32"), big)(out, height, width, 1.0, x.reshape(-1))
    np.testing.assert_array_equal(*outs)
    np.testing.assert_allclose(outs[0], x.sum(1, dtype=np.float64).reshape(-1), rtol=1e-5, atol=1e-4)


def test_a_sum_with_infinities_and_nans():
    def total(*numbers):
        out = np.empty(1)
        cpu.rows(SUM, flat_signature(SUM, "float64"), False)(out, len(numbers), 1.0, np.array(numbers))
        return out[0]

    inf, nan = np.inf, np.nan
    assert total(1.0, inf) == inf and total(-inf, 2.0) == -inf
    assert np.isnan(total(inf, -inf)) and np.isnan(total(1.0, nan)) and total() == 0.0
    assert total(1e308, -1e308, 1.0) == 1.0


def test_a_product_is_summed_as_it_is_computed():
    x, y = np.random.default_rng(3).standard_normal((2, 4000))
    out = np.empty(4)
    cpu.rows(PRODUCT, flat_signature(PRODUCT, "float64"), False)(out, 1000, 1.0, x, y)
    np.testing.assert_allclose(out, (x * y).reshape(4, 1000).sum(1), rtol=1e-12, atol=1e-12)


def test_an_unknown_backend_says_what_to_do():
    with pytest.raises(RuntimeError, match="device='cpu'"):
        get_backend("cuda")


@pytest.mark.parametrize("template", ["BLOCK_TOTAL", "ROWS", "COLUMNS", "ARG_ROWS", "ARG_COLUMNS"])
def test_no_operand_is_named_like_a_variable_of_a_printed_reduction(template):
    """Trap: `low` of clamp stood for a total, and its gradient failed, or would have been another number."""
    text = getattr(codegen_reduction, template)
    assigned = re.findall(r"^ *([\w, ]+?) = ", text, re.M) + re.findall(r"for (\w+) in", text)
    names = {name for group in assigned for name in group.split(", ")}
    operands = {name for op in OPERATIONS.values() for name in signature(op.forward).parameters}
    assert names and not names & operands
