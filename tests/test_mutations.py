"""Tests of the tests: a mistake is planted in the library, and the tests must notice.

The problem. A test suite that passes says that the library is right, or that the tests are blind. A gradient checker
that looks at `.grad is not None`, a comparison at a tolerance of 1e-2, an empty table of cases: all of them pass.

The idea. Copy the library, make one mistake of the kind that people make, run a few tests on the copy, and see them
fail: not by an accident (an import that breaks, a name that is missing) but because an answer is wrong. A mistake
that survives is a missing test. The same tests pass on a copy without a mistake.

Each run has a process of its own. Most of a start is loading NumPy, Numba, PyTorch and pytest, which are the same for
all copies: one process, the *fork server*, loads them once and is forked for each run. (A fork takes no threads along:
the server must not have started any. It loads nothing of the library, so each child loads the copy's.)

Each row is a mistake: the file, the text that is right (it stands there once), the wrong one, and the tests that must
see the difference. When the library is rewritten and a text is no longer found, find the new place of the same mistake.

Source: R. DeMillo, R. Lipton, F. Sayward, Hints on test data selection: help for the practicing programmer, IEEE
Computer 11(4), 1978.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent


class Mistake(NamedTuple):
    file: str
    right: str
    wrong: str
    noticed_by: str  # a test, as pytest names it
    seen_as: str = "(?:assert|AssertionError|Failed: DID NOT RAISE)"


MISTAKES = {
    # Engine
    "a cotangent replaces those before it": Mistake(
        "tinygrad_edu/engine.py",
        "parent.arrived, parent.owned = parent.arrived + found, not graph",
        "parent.arrived, parent.owned = found, not graph",
        "test_traps.py::test_a_sum_into_a_borrowed_cotangent_would_reach_its_other_holder",
    ),
    "a parent with several consumers waits for one": Mistake(
        "tinygrad_edu/engine.py",
        "parent.waiting += 1",
        "parent.waiting = 1",
        "test_engine.py::test_every_node_comes_once_and_after_all_that_consume_it",
    ),
    "what is saved is dropped although the graph is to be kept": Mistake(
        "tinygrad_edu/engine.py",
        "if not retain:\n",
        "if True:\n",
        "test_engine.py::test_retain_graph_adds_once_more",
        seen_as="RuntimeError: Trying to backward through the graph a second time",
    ),
    "what is saved is never dropped": Mistake(
        "tinygrad_edu/engine.py",
        "if not retain:\n",
        "if False:\n",
        "test_engine.py::test_a_freed_graph_says_so",
    ),
    # Who owns a buffer
    "a leaf keeps a buffer that others hold": Mistake(
        "tinygrad_edu/graph.py",
        "self.grad = g if mode.grad or (owned and g.flat is not None) else g.clone()",
        "self.grad = g",
        "test_engine.py::test_no_two_gradients_share_a_buffer",
    ),
    "the second cotangent is added into a borrowed first one": Mistake(
        "tinygrad_edu/engine.py",
        "parent.owned = fresh and found is not g",
        "parent.owned = True",
        "test_traps.py::test_a_sum_into_a_borrowed_cotangent_would_reach_its_other_holder",
    ),
    # Broadcasting
    "a gradient is summed over the wrong axis": Mistake(
        "tinygrad_edu/ops/strides.py",
        "lead + k for k, (n, t) in",
        "k for k, (n, t) in",
        "test_traps.py::test_a_broadcast_gradient_is_summed_over_the_axis_that_was_stretched",
    ),
    # Ties and kinks
    "every one of several maxima gets the whole gradient": Mistake(
        "tinygrad_edu/ops/extrema.py",
        "(equal * (g.reshape(plan.kept) / equal.sum(plan.axes, keepdim=True)),)",
        "(equal * g.reshape(plan.kept),)",
        "test_traps.py::test_ties_share_or_one_takes_all",
    ),
    "both of two equal operands get the whole gradient": Mistake(
        "kernels/tinygrad_kernels/calculus/rounding.py",
        "return larger(x, y)\n\n    def backward(g, x, y, out):\n        shared = where(x == y, 0.5 * g, g)",
        "return larger(x, y)\n\n    def backward(g, x, y, out):\n        shared = g",
        "test_traps.py::test_ties_share_or_one_takes_all",
    ),
    "relu has slope 1 at 0": Mistake(
        "kernels/tinygrad_kernels/calculus/activations.py",
        "return where(out <= 0.0, 0.0, g)\n\n\nclass Sigmoid",
        "return where(out < 0.0, 0.0, g)\n\n\nclass Sigmoid",
        "test_traps.py::test_ties_share_or_one_takes_all",
    ),
    # Changes in place
    "a node does not look whether what it saved was changed": Mistake(
        "tinygrad_edu/ops/plan.py",
        "if versions != self.versions:",
        "if False:",
        "test_in_place.py::test_changing_an_operand_that_was_saved_is_refused",
    ),
    "a change in place is not counted": Mistake(
        "tinygrad_edu/ops/in_place.py",
        "x.shared.version += 1\n    return x",
        "return x",
        "test_traps.py::test_every_change_of_what_was_saved_is_counted",
    ),
    "a change in place is not counted where it takes the short way": Mistake(
        "tinygrad_edu/ops/elementwise.py",
        "x.shared.version += 1\n        return x",
        "return x",
        "test_traps.py::test_every_change_of_what_was_saved_is_counted",
    ),
    "old elements get the gradient of the new ones": Mistake(
        "tinygrad_edu/ops/history.py",
        "take(rest, self.at).fill_(0.0)",
        "pass",
        "test_traps.py::test_elements_that_were_replaced_get_no_gradient",
    ),
    "a view does not hear of a change of its base": Mistake(
        "tinygrad_edu/ops/history.py",
        "if y is not None:",
        "if False:",
        "test_traps.py::test_a_view_knows_what_was_done_to_its_base",
    ),
    # Kernels
    "a sum forgets the last block where it is not full": Mistake(
        "kernels/tinygrad_kernels/codegen_reduction.py",
        "for lo in range(row * width, end, {block}):",
        "for lo in range(row * width, max(row * width + 1, end - width % {block}), {block}):",
        "test_traps.py::test_a_sum_is_one_number",
    ),
    "the parallel sum drops the rounding errors that the serial one keeps": Mistake(
        "kernels/tinygrad_kernels/codegen_reduction.py",
        "total, rest = add(total, rest, totals[k])",
        "total, rest = total + totals[k], rest",
        "test_codegen.py::test_serial_and_parallel_rows_have_the_same_bits",
    ),
    "log 2 has a wrong eleventh digit": Mistake(
        "kernels/tinygrad_kernels/cpu/math_exp.py",
        "float32(1.4286068203094173e-06)",
        "float32(1.4276068203094173e-06)",
        "test_primitives.py::test_float32_is_within_2_ulp_over_all_bit_patterns[exp]",
    ),
    "a matrix product leaves out the last, ragged strip of rows": Mistake(
        "kernels/tinygrad_kernels/cpu/matmul.py",
        "for g in range(0, m, group):",
        "for g in range(0, m - m % ROWS if m > ROWS else m, group):",
        "test_matmul_kernel.py::test_the_naive_kernel_is_the_definition_and_the_real_one_equals_it",
    ),
    "softmax does not subtract the maximum": Mistake(
        "kernels/tinygrad_kernels/cpu/rows.py",
        "m = maximum(x)\n    total = 0.0\n    for start in range(0, x.size, BLOCK):\n        total += exp_block(",
        "m = x.dtype.type(0)\n    total = 0.0\n    for start in range(0, x.size, BLOCK):\n        total += exp_block(",
        "test_rows.py::test_softmax_of_huge_logits_is_finite",
    ),
    "of several gradients for one place the last one stays": Mistake(
        "kernels/tinygrad_kernels/cpu/indexing.py",
        "target[at[m]] += source[m]",
        "target[at[m]] = source[m]",
        "test_gathering.py::test_put_and_add_follow_their_formulas",
    ),
    # Optimizers
    "Adam does not correct the bias of its averages": Mistake(
        "tinygrad_edu/optim/optimizers.py",
        "lr / (1 - beta1**t), (1 - beta2**t) ** 0.5,",
        "lr, 1.0,",
        "test_traps.py::test_adams_first_step_is_the_learning_rate",
    ),
}


CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()
STARTER = multiprocessing.get_context("forkserver" if CAN_FORK else "spawn")
STARTER.set_forkserver_preload(  # what is not there is left out
    """pytest hypothesis mpmath torch scipy.linalg numba numba.np.npyimpl numba.np.linalg numba.cpython.unicode
    numba.typed.typedobjectutils""".split()
)


class Run(NamedTuple):
    """How pytest ended, and what it printed."""

    code: int | None
    report: str


def run_tests(library: Path, *tests: str) -> Run:
    """Run tests of this folder on a copy of the library. (A kernel is found again by its content: a wrong one is never
    taken for the right one.)"""
    process = STARTER.Process(target=run_in_child, args=(library, [str(TESTS / name) for name in tests]))
    process.start()
    process.join(300)
    code = process.exitcode  # None if it is still running
    process.kill()
    process.join()
    return Run(code, (library / "report.txt").read_text(encoding="utf-8"))


def run_in_child(library: Path, tests: list[str]) -> None:
    gc.freeze()  # what the server has loaded is no garbage
    places = [str(library), str(library / "kernels")]
    sys.path[:0] = places
    os.environ |= {"PYTHONPATH": os.pathsep.join(places), "COLUMNS": "300"}
    os.chdir(library)
    with open("report.txt", "w", encoding="utf-8") as report:
        os.dup2(report.fileno(), 1)
        os.dup2(report.fileno(), 2)
    options = ["-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", "-o", "addopts="]
    sys.exit(pytest.main([*options, *tests]))


def notice(mistake: Mistake, library: Path) -> None:
    """Plant the mistake in a copy of the library, and see a test fail because an answer is wrong."""
    file = library / mistake.file
    text = file.read_text(encoding="utf-8")
    assert text.count(mistake.right) == 1, f"{mistake.file} has this {text.count(mistake.right)} times: {mistake.right}"
    file.write_text(text.replace(mistake.right, mistake.wrong), encoding="utf-8")
    done = run_tests(library, mistake.noticed_by)
    assert done.code == 1, f"not noticed, or nothing ran:\n{done.report}"
    assert re.search(rf"^FAILED .* - {mistake.seen_as}", done.report, re.MULTILINE), done.report


def test_the_tests_pass_where_no_mistake_is(library):
    done = run_tests(library, *{row.noticed_by for row in MISTAKES.values()})
    assert done.code == 0 and "skipped" not in done.report, done.report


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_noticed(name, library):
    notice(MISTAKES[name], library)
