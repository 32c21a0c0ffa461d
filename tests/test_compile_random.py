"""Random programs do compiled what they do eagerly: values, gradients, what they change, over several calls.

A program is a list of instructions over a growing list of tensors: (name, first operand, second operand). It starts
with an argument, two leaves and a tensor from outside that is no leaf; it may change what it has made, and the outside
tensor, in place. At the end come a loss, its backward pass, and a step of SGD with momentum.

Two proofs. In machine code a fused formula may round once where two loops rounded twice (a product that feeds an
addition: contraction); so values are compared to rounding. In a process where nothing is contracted, every bit has to
be the same. The first way to get one is NUMBA_DISABLE_JIT=1, which runs kernels as plain Python, without compiling:
slow, but these tensors have twelve elements. The second, with TINYGRAD_EDU_CONTRACT=0, is machine code again, with the
matrix products. Reductions with a prologue have the order of those without.
"""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if __name__ == "__main__" and "NUMBA_DISABLE_JIT" in os.environ:  # Numba's types do not make NumPy arrays
    import numba

    for name in ("float32", "float64", "int32", "int64"):
        setattr(numba, name, getattr(np, name))

import tinygrad_edu as tg


def fitting(x, y):
    """y, or something of it that broadcasts with x."""
    try:
        tg.broadcast_shapes(x.shape, y.shape)
    except RuntimeError:
        return y.sum()
    return y


def like(x, y):
    """y, or something of it that broadcasts to the shape of x, in the dtype of x."""
    if tuple(tg.broadcast_shapes(x.shape, fitting(x, y).shape)) == tuple(x.shape):
        return fitting(x, y).to(x.dtype)
    return y.sum().to(x.dtype)


def product(x, y):
    x, y = (z if z.ndim == 2 else z.reshape(1, -1) for z in (x, y))
    return x @ (y if y.shape[0] == x.shape[1] else y.T if y.shape[1] == x.shape[1] else x.T)


UNARY = {
    "tanh": lambda x: x.tanh(), "square": lambda x: x * x, "scale": lambda x: x * 0.5 + 1.0, "neg": lambda x: -x,
    "relu": lambda x: x.relu(), "abs": lambda x: x.abs(), "divide": lambda x: x / 3.0, "exp": lambda x: (-x * x).exp(),
    "clamp": lambda x: x.clamp(-0.5, 0.75), "detach": lambda x: x.detach(), "clone": lambda x: x.clone(),
    "zeros": lambda x: tg.zeros_like(x), "sin": lambda x: x.sin(), "cos": lambda x: (x * 3000.0).cos(),
}  # fmt: skip
BINARY = {
    "add": lambda x, y: x + fitting(x, y), "sub": lambda x, y: x - fitting(x, y), "mul": lambda x, y: x * fitting(x, y),
    "maximum": lambda x, y: tg.maximum(x, fitting(x, y)), "hypot": lambda x, y: x / (1.0 + fitting(x, y).abs()),
    "where": lambda x, y: x.where(x > 0.25, fitting(x, y).to(x.dtype)), "less": lambda x, y: (x < fitting(x, y)) * x,
}  # fmt: skip
VIEWS = {
    "transpose": lambda x: x.transpose(0, -1) if x.ndim else x, "rows": lambda x: x[1:] if x.ndim and len(x) > 1 else x,
    "every other": lambda x: x[..., ::2] if x.ndim else x, "flat": lambda x: x.reshape(-1),
    "first": lambda x: x[0] if x.ndim else x, "row": lambda x: x.unsqueeze(0) if x.ndim < 2 else x,
    "spread": lambda x: x.expand(3, *x.shape) if x.ndim < 2 else x,
}  # fmt: skip
SUMS = {
    "sum": lambda x: x.sum(), "sum of rows": lambda x: x.sum(-1) if x.ndim else x,
    "sum of columns": lambda x: x.sum(0, keepdim=True) if x.ndim else x, "mean": lambda x: x.mean(),
    "largest": lambda x: x.amax(-1) if x.ndim else x,
}  # fmt: skip
CASTS = {
    "narrow": lambda x: x.float(), "wide": lambda x: x.double(),
    "whole": lambda x: (x * 4.0).long().to(x.dtype if x.is_floating_point() else tg.float64),
    "sign": lambda x: (x > 0.0).to(x.dtype),
}  # fmt: skip
CHANGES = {
    "+=": lambda x, y: x.add_(like(x, y)), "*=": lambda x, y: x.mul_(like(x, y)), "zero": lambda x, y: x.zero_(),
    "first +=": lambda x, y: x[:1].add_(y.sum().to(x.dtype)) if x.ndim else x.add_(1.0),
    "column =": lambda x, y: x[..., 0].copy_(y.mean().to(x.dtype)) if x.ndim else x.fill_(2.0),
}  # fmt: skip
SMALL = {**UNARY, **BINARY, **VIEWS, **SUMS, **CASTS}
OPERATIONS = {**SMALL, "product": product}


def step_of(program, dtype):
    """(the training step, all that it may change)."""

    def made(seed, *shape):
        return tg.tensor(np.random.default_rng(seed).normal(size=shape), dtype=dtype)

    leaves, outside = [made(1, 3, 4).requires_grad_(), made(2, 4).requires_grad_()], made(3, 3, 4)
    optimizer = tg.optim.SGD(leaves, lr=0.01, momentum=0.5)

    def step(x):
        optimizer.zero_grad()
        found, own = [x, *leaves, outside], []
        for name, i, j in program:
            first, second = found[-1 - i % len(found)], found[-1 - j % len(found)]
            if name.startswith("outside "):
                with tg.no_grad():
                    CHANGES[name[8:]](outside[j % 2 :], first.detach().clone())
            elif name in CHANGES:
                if own:
                    CHANGES[name](own[i % len(own)], second.detach().clone())
            elif name in BINARY or name == "product":
                found.append(OPERATIONS[name](first, second))
                own.append(found[-1])
            else:
                found.append(OPERATIONS[name](first))
                if name in UNARY and name not in ("detach",):
                    own.append(found[-1])
        loss = sum((y.double().tanh().sum() for y in found if y.requires_grad), tg.zeros((), dtype=tg.float64))
        loss.backward()
        optimizer.step()
        return [y.detach() for y in found[4:]] + [loss.detach()]

    return step, [*leaves, outside], optimizer


def run(program, dtype, compiled):
    """All that can be seen of three calls: arrays, or the error."""
    step, watched, optimizer = step_of(program, dtype)
    step = tg.compile(step) if compiled else step
    seen = []
    for k in range(3):
        x = tg.tensor(np.random.default_rng(10 + k).normal(size=(3, 4)), dtype=dtype)
        try:
            results = step(x)
        except RuntimeError as error:
            return "RuntimeError" if "compile:" not in str(error) else str(error)
        state = [optimizer.state[p]["momentum_buffer"] for p in watched if p in optimizer.state]
        tensors = [*results, x, *watched, *(p.grad for p in watched if p.grad is not None), *state]
        seen.append([t.detach().numpy().copy() for t in tensors])
    return seen


def compare(program, dtype, exact):
    expected, found = run(program, dtype, False), run(program, dtype, True)
    if isinstance(expected, str):
        assert found == expected, f"{found}, eagerly an error"
        return False
    assert not isinstance(found, str), found
    for call, (a, b) in enumerate(zip(found, expected, strict=True)):
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            if exact:
                np.testing.assert_array_equal(x, y, f"call {call}, tensor {k}")
                assert (np.signbit(x) == np.signbit(y)).all(), f"call {call}, tensor {k}: sign of 0"
            else:
                np.testing.assert_allclose(x, y, 1e-11, 1e-11 * max(1.0, np.abs(y).max(initial=0.0)))
    return True


def programs(names):
    names = [*names, *CHANGES, *(f"outside {name}" for name in CHANGES)]
    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@settings(max_examples=int(os.environ.get("TINYGRAD_EDU_PROGRAMS", 8)))
@given(programs([n for n in OPERATIONS if n not in {*CASTS, "less", "where", "maximum", "largest", "sin", "cos"}]))
def test_random_programs_are_alike_to_rounding(program):
    """In float64. (What jumps, as a comparison does, may fall to the other side of a rounding; and the sine of a large
    number is steep.)"""
    compare(program, tg.float64, exact=False)


def random_programs(names, count, seed):
    """Programs of 1 to 12 instructions; hypothesis need not be there to find smaller ones."""
    rng = random.Random(seed)
    names = [*names, *CHANGES, *(f"outside {name}" for name in CHANGES)]
    for _ in range(count):
        yield [(rng.choice(names), rng.randrange(6), rng.randrange(6)) for _ in range(rng.randint(1, 12))]


def in_another_process(environment, names, count):
    command = [sys.executable, __file__, names, str(count)]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    ran, _, _, failed = done.stdout.split()[-4:]
    assert int(ran) > count // 2 and failed == "0"


@pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="this process does it itself")
def test_random_programs_have_the_same_bits_where_kernels_are_python():
    in_another_process({"NUMBA_DISABLE_JIT": "1"}, "SMALL", int(os.environ.get("TINYGRAD_EDU_PROGRAMS", 150)))


def test_random_programs_have_the_same_bits_without_contraction():
    in_another_process({"TINYGRAD_EDU_CONTRACT": "0"}, "OPERATIONS", int(os.environ.get("TINYGRAD_EDU_PROGRAMS", 5)))


if __name__ == "__main__":
    names, count = sys.argv[1:3]
    ran = refused = 0
    for number, program in enumerate(random_programs(globals()[names], int(count), int((sys.argv[3:] or [0])[0]))):
        dtype = (tg.float64, tg.float32)[number % 2]
        try:
            if compare(program, dtype, exact=True):
                ran += 1
        except Exception as error:
            refused += 1
            print(program, dtype, type(error).__name__, str(error)[:700], file=sys.stderr, flush=True)
            if len(sys.argv) > 4:
                raise
    print(ran, "programs, failed:", refused)
    sys.exit(refused > 0)
