"""autograd.functional, and the arguments of grad, backward, gradcheck, hooks and Function, against PyTorch."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import functional


def tree(found):
    """A result as nested lists, for comparison."""
    if isinstance(found, tuple | list):
        return [tree(f) for f in found]
    return None if found is None else found.detach().tolist()


def flat(found):
    if isinstance(found, list):
        return [n for f in found for n in flat(f)]
    return [found]


def agree(run, torch):
    """run(library) gives the same nested tensors in both."""
    ours, theirs = tree(run(tg)), tree(run(torch))
    assert np.shape(flat(ours)) == np.shape(flat(theirs)) and str(ours).count("[") == str(theirs).count("[")
    for a, b in zip(flat(ours), flat(theirs), strict=True):
        assert a is b if a is None or b is None else a == pytest.approx(b, rel=1e-5, abs=1e-6)


def xy(m):
    return m.tensor([0.5, -1.0, 2.0]), m.tensor([[1.0, 2.0, 0.3], [0.1, -1.0, 1.5]])


def one(x):
    return x.exp() * x.sum()


def two(x, y):
    return (y * x).sin(), (x * x).sum()


def number(x, y):
    return (x.exp() * y.sum(0)).sum() * x.prod()


def first_only(x, y):
    return (x**3).sum()


CALLS = {
    "jacobian": lambda m, f: f.jacobian(one, xy(m)[0]),
    "jacobian, tuples": lambda m, f: f.jacobian(two, xy(m)),
    "jacobian, one of a tuple": lambda m, f: f.jacobian(lambda x: (x * 2.0,), (xy(m)[0],)),
    "jacobian, unused": lambda m, f: f.jacobian(first_only, xy(m)),
    "jacobian, constant": lambda m, f: f.jacobian(lambda x: m.ones(2), xy(m)[0]),
    "jacobian, vectorize": lambda m, f: f.jacobian(one, xy(m)[0], vectorize=True),
    "hessian": lambda m, f: f.hessian(lambda x: (x**3).sum() + x.prod(), xy(m)[0]),
    "hessian, tuples": lambda m, f: f.hessian(number, xy(m)),
    "hessian, unused": lambda m, f: f.hessian(first_only, xy(m)),
    "hessian, linear": lambda m, f: f.hessian(lambda x: x.sum(), xy(m)[0]),
    "vjp": lambda m, f: f.vjp(one, xy(m)[0], m.tensor([1.0, -2.0, 0.5])),
    "vjp of a number": lambda m, f: f.vjp(number, xy(m)),
    "vjp, tuples": lambda m, f: f.vjp(two, xy(m), (xy(m)[1], m.tensor(2.0))),
    "jvp": lambda m, f: f.jvp(one, xy(m)[0], m.tensor([1.0, -2.0, 0.5])),
    "jvp, tuples": lambda m, f: f.jvp(two, xy(m), xy(m)),
    "jvp, unused": lambda m, f: f.jvp(first_only, xy(m), xy(m)),
    "jvp of a number": lambda m, f: f.jvp(lambda x: (x, x * x), m.tensor(3.0)),
    "vhp": lambda m, f: f.vhp(number, xy(m), xy(m)),
    "vhp, unused": lambda m, f: f.vhp(first_only, xy(m), xy(m)),
    "hvp": lambda m, f: f.hvp(number, xy(m), xy(m)),
    "hvp, one": lambda m, f: f.hvp(lambda x: (x**4).sum(), xy(m)[0], xy(m)[0]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_products_and_matrices_of_derivatives_are_pytorchs(call, torch):
    agree(lambda m: call(m, m.autograd.functional), torch)


REFUSED = {
    "no tensor": lambda m, f: f.jacobian(one, 3.0),
    "no tensor inside": lambda m, f: f.vjp(two, (m.ones(2), 3.0)),
    "no tensor out": lambda m, f: f.jacobian(lambda x: 3.0, m.ones(2)),
    "v missing": lambda m, f: f.vjp(one, m.ones(2)),
    "v missing, jvp": lambda m, f: f.jvp(one, m.ones(2)),
    "v of another shape": lambda m, f: f.vjp(one, m.ones(2), m.ones(3)),
    "v of another length": lambda m, f: f.jvp(one, m.ones(2), (m.ones(2), m.ones(2))),
    "hessian of several": lambda m, f: f.hessian(one, m.ones(2)),
    "vhp of several": lambda m, f: f.vhp(one, m.ones(2), m.ones(2)),
    "strict, unused": lambda m, f: f.jacobian(first_only, xy(m), strict=True),
    "strict, constant": lambda m, f: f.vjp(lambda x: m.ones(()), m.ones(2), strict=True),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_bad_calls_are_refused_as_in_pytorch(call, torch):
    with pytest.raises(Exception) as theirs:
        call(torch, torch.autograd.functional)
    with pytest.raises(theirs.type):
        call(tg, functional)


def test_results_can_be_differentiated_with_create_graph(torch):
    def run(m):
        x = m.tensor([0.5, -1.0], requires_grad=True)
        f = m.autograd.functional
        total = (
            f.jacobian(one, x, create_graph=True).sum()
            + f.hvp(lambda x: (x**4).sum(), x, m.ones(2), create_graph=True)[1].sum()
        )
        return m.autograd.grad(total, x)

    agree(run, torch)
    assert not functional.jacobian(one, tg.ones(2)).requires_grad
    with tg.no_grad():
        assert functional.vjp(one, tg.ones(2), tg.ones(2))[1].tolist() == pytest.approx([4.0 * np.e] * 2)


# grad and backward --------------------------------------------------------------------------------------------
def graph(m):
    x, w = m.tensor([1.0, 2.0], requires_grad=True), m.tensor(3.0, requires_grad=True)
    h = x * w
    return x, w, h, (h * h).sum()


def test_grad_takes_pytorchs_arguments(torch):
    def run(m):
        x, w, h, loss = graph(m)
        unused = m.ones(2, requires_grad=True)
        g = m.autograd.grad
        return (
            g(loss, [x, w], retain_graph=True),
            g([loss, h], [x], [m.tensor(2.0), m.ones(2)], retain_graph=True),
            g(loss, (x, unused), None, True, False, True, True),
            g(loss, {"x": x, "w": w}, retain_graph=True)["w"],
            g(loss, (x, unused), retain_graph=True, materialize_grads=True),
            g((h,), (h,), (m.ones(2),), retain_graph=True),
        )

    agree(run, torch)


GRAD_REFUSED = {
    "unused": lambda m, x, w, h, loss: m.autograd.grad(loss, m.ones(1, requires_grad=True)),
    "unused, materialized": lambda m, x, w, h, loss: m.autograd.grad(
        loss, x, allow_unused=False, materialize_grads=True
    ),
    "no inputs": lambda m, x, w, h, loss: m.autograd.grad(loss, []),
    "requires none": lambda m, x, w, h, loss: m.autograd.grad(loss, m.ones(1)),
    "several": lambda m, x, w, h, loss: m.autograd.grad(h, x),
    "shape": lambda m, x, w, h, loss: m.autograd.grad(h, x, m.ones(3)),
    "twice": lambda m, x, w, h, loss: (loss.backward(), loss.backward()),
    "backward of nothing": lambda m, x, w, h, loss: loss.backward(inputs=[]),
    "constant": lambda m, x, w, h, loss: m.ones(()).backward(),
}


@pytest.mark.parametrize("call", GRAD_REFUSED.values(), ids=GRAD_REFUSED)
def test_what_grad_cannot_do_is_refused_as_in_pytorch(call, torch):
    for m in (torch, tg):
        with pytest.raises((RuntimeError, ValueError)) as error:
            call(m, *graph(m))
        if m is torch:
            expected = error.type
        assert isinstance(error.value, expected)


def test_backward_with_inputs_leaves_other_leaves_alone(torch):
    def run(m):
        x, w, h, loss = graph(m)
        h.retain_grad()
        loss.backward(inputs=[x], retain_graph=True)
        before = w.grad
        m.autograd.backward([loss, h.sum()], inputs=w, retain_graph=True)
        loss.backward(inputs=(x, h))
        return x.grad, w.grad, h.grad, before

    agree(run, torch)


def test_a_hook_after_accumulation_sees_the_gradient(torch):
    for m in (tg, torch):
        x = m.ones(2, requires_grad=True)
        seen = []
        handle = x.register_post_accumulate_grad_hook(lambda t, seen=seen: seen.append(t.grad.tolist()))
        for _ in range(2):
            (3.0 * x + x).sum().backward()
        handle.remove()
        (3.0 * x).sum().backward()
        assert seen == [[4.0, 4.0], [8.0, 8.0]]
        with pytest.raises(RuntimeError, match="non-leaf"):
            (x * 1.0).register_post_accumulate_grad_hook(print)


def test_a_gradient_can_be_stepped_and_dropped_as_soon_as_it_is_there():
    weights = [tg.ones(3, requires_grad=True) for _ in range(2)]

    def step(w):
        with tg.no_grad():
            w -= 0.1 * w.grad
        w.grad = None

    for w in weights:
        w.register_post_accumulate_grad_hook(step)
    (weights[0] * weights[1]).sum().backward()
    assert all(w.grad is None and w.tolist() == pytest.approx([0.9] * 3) for w in weights)


# gradcheck ----------------------------------------------------------------------------------------------------
def test_gradcheck_takes_pytorchs_switches(torch):
    for m in (tg, torch):
        x = m.tensor([0.5, 1.5], dtype=m.float64, requires_grad=True)
        check, again = m.autograd.gradcheck, m.autograd.gradgradcheck
        assert check(lambda x: x.exp(), (x,), eps=1e-6, atol=1e-4, rtol=1e-3, raise_exception=False, nondet_tol=1e-8)
        assert check(lambda x: x.sin(), [x], fast_mode=True, check_undefined_grad=False, check_grad_dtypes=True)
        assert again(lambda x: x**3, (x,), m.ones(2, dtype=m.float64, requires_grad=True))


def test_gradcheck_finds_a_backward_that_changes():
    class Restless(tg.autograd.Function):
        calls = 0

        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            Restless.calls += 1
            return g * (1.0 + 1e-7 * Restless.calls)

    x = tg.ones(2, dtype=tg.float64, requires_grad=True)
    with pytest.raises(tg.autograd.GradcheckError, match="not reentrant"):
        tg.autograd.gradcheck(Restless.apply, x)
    assert tg.autograd.gradcheck(Restless.apply, x, nondet_tol=1e-3)
    with pytest.raises(NotImplementedError, match="check_forward_ad"):
        tg.autograd.gradcheck(Restless.apply, x, check_forward_ad=True)
    with pytest.raises(TypeError, match="unexpected keyword"):
        tg.autograd.gradcheck(Restless.apply, x, epsilon=1.0)


def test_what_needs_vmap_says_so():
    x, _, _, loss = graph(tg)
    with pytest.raises(NotImplementedError, match="vmap"):
        tg.autograd.grad(loss, x, is_grads_batched=True)
    with pytest.raises(NotImplementedError, match="reverse-mode"):
        functional.jacobian(one, tg.ones(2), strategy="forward-mode")


def test_the_context_of_a_function_has_pytorchs_name():
    from tinygrad_edu.autograd.function import FunctionCtx, once_differentiable

    class Square(tg.autograd.Function):
        @staticmethod
        def forward(ctx: FunctionCtx, x):
            assert isinstance(ctx, FunctionCtx)
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return 2.0 * ctx.saved_tensors[0] * g

    x = tg.tensor(3.0, requires_grad=True)
    Square.apply(x).backward()
    assert x.grad.item() == 6.0
