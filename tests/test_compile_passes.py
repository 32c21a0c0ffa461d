"""The passes of the compiler, one by one, on small recorded programs: what they do, and what they must leave alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from test_compile import F64, equal, leaf, numbers
from test_compile_random import SMALL, programs, step_of
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cpu import backend
from tinygrad_kernels.expr import Expr, build, trace

import tinygrad_edu as tg
from tinygrad_edu.compiler import passes
from tinygrad_edu.compiler.describe import step_text
from tinygrad_edu.compiler.formulas import rebuilt
from tinygrad_edu.compiler.functions import flat_results
from tinygrad_edu.compiler.fusion import fuse
from tinygrad_edu.compiler.layouts import buffer_of
from tinygrad_edu.compiler.made import optimize
from tinygrad_edu.compiler.passes import drop_dead, forward_copies, spread_constants
from tinygrad_edu.compiler.program import Call, Fold, Loop
from tinygrad_edu.compiler.recompute import recompute
from tinygrad_edu.compiler.recorder import Recorder
from tinygrad_edu.compiler.recording import recording
from tinygrad_edu.compiler.session import Session

X, Y = numbers(0, 3, 4), numbers(1, 3, 4)


def recorded(function, *operands):
    """The program of a function of tensors, as it was recorded; its results are what the function returns."""
    recorder = Recorder()
    with recording(recorder):
        stand_ins = [
            tg.Tensor(recorder.argument(x.numel(), x.kind, k), x.shape, x.kind) for k, x in enumerate(operands)
        ]
        found = function(*stand_ins)
        values = [recorder.current(buffer_of(x).memory) for x in (found if isinstance(found, tuple) else (found,))]
        return recorder.finish(values)


def texts(program):
    return [step_text(step) for step in program.steps]


def after(function, *the_passes, operands=(X, Y)):
    """The steps that are left after some passes."""
    program = recorded(function, *operands)
    for one in the_passes:
        one(program)
    return program


# Dead code, copies, sharing, constants.
def test_what_nobody_sees_is_not_computed():
    def f(x, y):
        (x * y).tanh()
        return x + y

    assert len(recorded(f, X, Y).steps) == 3
    assert len(after(f, drop_dead).steps) == 1


def test_a_change_of_memory_from_outside_is_seen():
    w = numbers(2, 3, 4)
    assert len(after(lambda x, y: (w.add_(x), x)[1] + y, drop_dead).steps) == 2
    assert (w == numbers(2, 3, 4)).all()  # recording changes nothing


def test_random_numbers_are_drawn_even_if_nobody_sees_them():
    program = after(lambda x, y: (tg.rand(3), x + y)[1], drop_dead)
    assert [type(step) for step in program.steps] == [Call, Loop]


def test_a_copy_is_what_it_copies():
    program = after(lambda x, y: x.clone() + y.clone(), forward_copies, drop_dead)
    assert texts(program) == ["v5[12] = m1 + m2"]


def test_a_copy_that_leaves_stays_and_so_does_one_of_what_changes():
    assert len(after(lambda x, y: x.clone(), forward_copies, drop_dead).steps) == 1
    w = numbers(2, 3, 4)

    def f(x, y):
        old = w.clone()
        w.add_(x)
        return old + y

    assert len(after(f, forward_copies, drop_dead).steps) == 3


def test_equal_steps_are_one():
    program = after(lambda x, y: (x * y) + (x * y).tanh() + (y * x), passes.share, drop_dead)
    assert sum("*" in text for text in texts(program)) == 2  # x * y and y * x are not written alike


def test_steps_are_not_equal_if_what_they_read_has_changed():
    w = numbers(2, 3, 4)

    def f(x, y):
        first = w * 2.0
        w.add_(x)
        return first + w * 2.0

    assert sum("* 2" in text for text in texts(after(f, passes.share, drop_dead))) == 2


def test_two_results_do_not_become_one_memory():
    program = after(lambda x, y: (x * 2.0, x * 2.0), passes.share, forward_copies, drop_dead)
    assert len(set(program.results)) == 2
    a, b = tg.compile(lambda x: (x * 2.0, x * 2.0))(X)
    a.zero_()
    equal(b, X * 2.0)


def test_known_numbers_are_put_where_they_are_read():
    program = after(lambda x, y: x * tg.full((3, 4), 3.0, dtype=F64) + tg.zeros(3, 4, dtype=F64), optimize)
    assert len(program.steps) == 1 and not any("m2" in text for text in texts(program))


def test_one_cheap_number_is_computed_where_it_is_read():
    program = after(lambda x, y: x * (y[0, 0] * 2.0), spread_constants, drop_dead)
    assert texts(program) == ["v4[12] = m1 * (m2 * 2)"]


def test_a_reduction_keeps_something_to_run_along():
    """The sum of ones has no operand but the ones: they must not be folded away."""
    f = tg.compile(lambda x: (tg.ones(3, 4).sum(0), tg.ones(3, 4).sum(), (tg.ones(3, 4) * x[0, 0]).sum(1)))
    for found, expected in zip(f(X.float()), (tg.full((4,), 3.0), tg.tensor(12.0), X.float()[0, 0] * 4.0), strict=True):
        equal(found, expected.expand(found.shape), 1e-6)


@pytest.mark.parametrize("compute", ["float32", "float64"])
def test_folded_constants_are_rounded_as_a_loop_rounds_them(compute):
    """(0.1 + 0.2) * 3 in float32 is not what it is in Python."""
    x = Expr.input("x")
    (e,) = rebuilt([(x + 0.2) * 3.0], {"x": Expr.of(0.1)}, compute)
    T = np.dtype(compute).type
    assert e.op == "const" and e.value == float((T(0.1) + T(0.2)) * T(3.0))


def test_a_yes_or_no_that_is_calculated_with_is_a_number():
    x, y = Expr.input("x"), Expr.input("y")
    (e,) = rebuilt([y * 2.0], {"y": build("lt", x, 0.0)}, "float64")
    assert repr(e) == repr(build("where", build("lt", x, 0.0), 1.0, 0.0) * 2.0)


# Fusion.
def fused(function, *operands):
    """What is left after all passes, and: the compiled function gives what the eager one gives, twice."""
    program = after(function, optimize, operands=operands)
    compiled = tg.compile(function)
    for _ in range(2):
        found, expected = compiled(*operands), function(*operands)
        for x, y in zip(*(r if isinstance(r, tuple) else (r,) for r in (found, expected)), strict=True):
            equal(x, y, 1e-6 if x.dtype is tg.float32 else 1e-12)
    return program.steps


def test_a_chain_becomes_one_loop():
    (step,) = fused(lambda x, y: ((x * y + 1.0).tanh() - y).square(), X, Y)
    assert type(step) is Loop and len(step.made) == 1 and len(step.operands) == 2


def test_a_chain_becomes_part_of_its_reduction():
    (step,) = fused(lambda x, y: ((x * y).tanh() - y).square().sum(), X, Y)
    assert type(step) is Fold


def test_what_is_needed_besides_is_stored_on_the_way():
    def f(x, y):
        z = x * y
        return z, z.tanh()

    (step,) = fused(f, X, Y)
    assert len(step.made) == 2


def test_several_sums_of_the_same_rows_are_one_loop():
    (step,) = fused(lambda x, y: (x.sum(), (x * y).sum(), (x * x).mean()), X, Y)
    assert type(step) is Fold and step.divisors == [1.0, 1.0, 12.0]


def test_other_reductions_and_columns_stay_apart():
    assert len(fused(lambda x, y: (x.amax(), x.sum()), X, Y)) == 2
    assert len(fused(lambda x, y: (x.sum(0), (x * y).sum(0)), X, Y)) == 2


def test_a_broadcast_row_is_read_in_the_loop():
    (step,) = fused(lambda x, y: (x + y[0]) * y[:, :1], X, Y)
    assert type(step) is Loop


def test_dtypes_are_not_mixed():
    """What would be rounded on its way to memory is rounded: the loops stay two."""
    steps = fused(lambda x, y: (x * 0.1).float() * y.float(), X, Y)
    assert len(steps) >= 2
    x = X.float()
    for _ in range(2):
        assert (tg.compile(lambda x: (x.double() * 0.1).float().double())(x) == (x.double() * 0.1).float()).all()


def test_a_mask_is_part_of_the_loop():
    (step,) = fused(lambda x, y: y.where(x > y, x * 2.0), X, Y)
    assert len(step.operands) == 2


def in_place(change):
    """A function that changes memory from outside, compiled and eager: the same results, the same memory."""
    w, v = numbers(5, 4, 4), numbers(5, 4, 4)
    compiled = tg.compile(lambda x: change(w, x))
    x = numbers(6, 4, 4)
    for _ in range(3):
        for a, b in zip(compiled(x), change(v, x), strict=True):
            equal(a, b)
        equal(w, v)
    return compiled.program.steps[1]


def test_what_was_read_before_a_change_is_the_old_number():
    def f(w, x):
        old = w * 2.0
        w.add_(x)
        return old, w * 3.0

    assert in_place(f) == 1  # in one loop: all is read before anything is stored


def test_a_loop_does_not_overwrite_what_it_reads_elsewhere():
    def f(w, x):
        turned = w.T * 2.0
        w.add_(x)
        return turned, w.sum(0)

    assert in_place(f) >= 2


def test_a_row_that_all_read_is_not_changed_on_the_way():
    def f(w, x):
        y = x + w[0]
        w.mul_(0.5)
        return y, y * w

    in_place(f)


def test_a_step_in_between_keeps_two_apart():
    def f(w, x):
        y = x * 2.0
        s = y.sum()
        return y * s, s

    assert in_place(f) >= 2


# Recomputing.
def test_a_cheap_array_is_computed_again_rather_than_stored():
    def f(x, y):
        h = x * 2.0 + 1.0
        return h * h.sum()

    program = after(f, optimize)
    before = after(f, drop_dead, fuse, drop_dead).bytes_moved()
    assert program.bytes_moved() < before
    fused(f, X, Y)


def test_a_dear_one_is_stored():
    def f(x, y):
        h = x.tanh().exp()
        return h * h.sum()

    program = after(f, drop_dead, fuse, drop_dead)
    steps = texts(program)
    recompute(program)
    assert texts(program) == steps


# Memory.
def check_plan(program, plan):
    """Run the steps on a map of who lies where: whatever a step reads is still there."""
    lies = {}  # (where, first byte, last byte) -> value

    def where(v):
        p = plan.places[v]
        if p.result is not None:
            return ("result", p.result), 0, v.nbytes
        if p.home is not None:
            return ("home", id(p.home)), 0, v.nbytes
        assert 0 <= p.offset and p.offset + v.nbytes <= plan.sizes[v.kind.device]
        return ("arena", v.kind.device), p.offset, p.offset + v.nbytes

    def write(v):
        home, begin, end = where(v)
        for other in [k for k in lies if k[0] == home and k[1] < end and begin < k[2]]:
            del lies[other]
        lies[home, begin, end] = v

    for step in program.steps:
        for v in step.reads():
            if v.step is None and where(v) not in lies:
                write(v)  # it was there before
            if v not in step.made:
                assert lies.get(where(v)) is v, f"{v} is not there any more for {step_text(step)}"
        for v in step.made:
            write(v)
    for v in program.wanted():
        if v.step is not None:
            assert lies.get(where(v)) is v, f"{v} is not there at the end"


@settings(max_examples=12)
@given(programs([n for n in SMALL if n != "largest"]))
def test_values_that_live_at_one_time_do_not_overlap(program):
    """Recorded and planned; no kernel is run."""
    step, _, _ = step_of(program, F64)
    try:
        session = Session(step, [X], flat_results)
    except RuntimeError:  # the program is wrong, eagerly too
        return
    check_plan(session.forward.program, session.forward.plan)


def test_a_plan_that_overlaps_is_found():
    """The check of the test above sees a mistake."""
    compiled = tg.compile(lambda x: ((x * 2.0).T @ x).tanh().sum(0) @ (x.T @ x))
    compiled(X)
    forward = compiled.sessions[0][1].forward
    check_plan(forward.program, forward.plan)
    for p in forward.plan.places.values():
        p.offset = 0
    with pytest.raises(AssertionError, match="is not there any more"):
        check_plan(forward.program, forward.plan)


# The printer of several sums.
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 511, 4000])
@pytest.mark.parametrize("big", [False, True])
def test_sums_in_one_loop_have_the_bits_of_single_sums(dtype, width, big):
    rng = np.random.default_rng(width)
    x, y = (rng.normal(size=3 * width).astype(dtype) for _ in range(2))
    single = [trace("a", lambda x, y: x - y, ("x", "y")), trace("b", lambda x, y: x * 0.5 / y, ("x", "y"))]
    both = trace("both", lambda x, y: (x - y, x * 0.5 / y, x + y), ("x", "y"))
    signature = Signature([dtype] * 2, ["flat"] * 2, dtype)
    out, store = np.empty((2, 3), dtype), np.empty(3 * width, dtype)
    call = backend.sums(both, signature, 2, big)
    call(out[0], out[1], store, width, 1.0, 7.0, x, y)
    for row, formula, divisor in zip(out, single, (1.0, 7.0), strict=True):
        expected = np.empty(3, dtype)
        backend.rows(formula, signature, big)(expected, width, divisor, x, y)
        np.testing.assert_array_equal(row, expected)
    np.testing.assert_array_equal(store, x + y)


# The program of chapter 14.
def test_the_sin_fit_is_two_loops():
    x = tg.linspace(-3.0, 3.0, 2000)
    a, b, c, d = (leaf(k).float().detach().requires_grad_() for k in range(4))

    @tg.compile
    def step(x, y):
        loss = (a + b * x + c * x**2 + d * x**3 - y).pow(2).sum()
        loss.backward()
        with tg.no_grad():
            for p in (a, b, c, d):
                p -= 1e-6 * p.grad
                p.grad = None
        return loss.detach()

    step(x, x.sin())
    recorded, left = step.program.steps
    before, now = step.program.bytes
    assert (left, recorded > 20) == (2, True)
    assert 16_000 <= now < 17_000 < 200_000 < before  # x and y are read once: 2 * 2000 * 4 bytes
    text = str(step.program)
    assert f"recorded: {recorded} steps" in text and "def replay(a0, a1, r0" in text
    assert len(step.program.kernels()) == 2 and all("@jit" in k for k in step.program.kernels().values())
