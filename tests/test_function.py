"""autograd.Function: an operation with a backward of one's own, as PyTorch's static form has it."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu.autograd import Function, gradcheck, gradgradcheck


class LegendrePolynomial3(Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Exp(Function):
    """Saves its result."""

    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


class SumAndProduct(Function):
    """Two arguments, two results, and a number."""

    @staticmethod
    def forward(ctx, x, y, factor):
        ctx.save_for_backward(x, y)
        ctx.factor = factor
        return (x + y) * factor, x * y

    @staticmethod
    def backward(ctx, g_sum, g_product):
        x, y = ctx.saved_tensors
        gx = gy = None
        if ctx.needs_input_grad[0]:
            gx = g_sum * ctx.factor + g_product * y
        if ctx.needs_input_grad[1]:
            gy = g_sum * ctx.factor + g_product * x
        return gx, gy, None


class Scale(Function):
    """The form without ctx in forward."""

    @staticmethod
    def forward(x, factor):
        return x * factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.factor = inputs[1]

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor, None


def leaf(*numbers):
    return tg.tensor(numbers, dtype=tg.float64, requires_grad=True)


@pytest.mark.parametrize(
    "function, count",
    [
        (LegendrePolynomial3.apply, 1),
        (Exp.apply, 1),
        (lambda x, y: SumAndProduct.apply(x, y, 3.0), 2),
        (lambda x: Scale.apply(x, -2.0), 1),
    ],
)
def test_gradients_and_second_derivatives_are_the_numerical_ones(function, count):
    inputs = tuple(leaf(0.3 + k, -1.2, 2.0) for k in range(count))
    assert gradcheck(function, inputs) and gradgradcheck(function, inputs)


def test_a_wrong_backward_is_found():
    class Wrong(Exp):
        @staticmethod
        def backward(ctx, g):
            return g * 2.0

    with pytest.raises(tg.autograd.GradcheckError):
        gradcheck(Wrong.apply, (leaf(0.3, 1.0),))


def test_the_node_is_named_after_the_function():
    y = LegendrePolynomial3.apply(leaf(1.0))
    assert y.grad_fn.name() == "LegendrePolynomial3Backward" and not y.is_leaf


def test_needs_input_grad_says_who_asks():
    seen = []

    class Ask(Function):
        @staticmethod
        def forward(ctx, x, n, y):
            seen.append(ctx.needs_input_grad)
            return x * n + y

        @staticmethod
        def backward(ctx, g):
            seen.append(ctx.needs_input_grad)
            return g, None, g

    Ask.apply(leaf(1.0), 2.0, tg.ones(1, dtype=tg.float64)).backward()
    assert seen == [(True, False, False)] * 2


def test_an_unused_result_gives_zeros_or_none():
    seen = []

    def build(materialize):
        class Two(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(materialize)
                return x * 1.0, x * 2.0

            @staticmethod
            def backward(ctx, g, h):
                seen.append(None if h is None else h.tolist())
                return g

        return Two

    for materialize in (True, False):
        build(materialize).apply(leaf(1.0, 2.0))[0].sum().backward()
    assert seen == [[0.0, 0.0], None]


def test_nothing_is_recorded_inside_forward_or_without_need():
    class Look(Function):
        @staticmethod
        def forward(ctx, x):
            assert not tg.is_grad_enabled()
            return x * 2.0

        @staticmethod
        def backward(ctx, g):
            return g * 2.0

    assert Look.apply(tg.ones(2)).grad_fn is None
    with tg.no_grad():
        assert Look.apply(leaf(1.0)).grad_fn is None


def test_an_argument_that_is_returned_is_a_result_of_its_own():
    class Straight(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 10.0

    x = leaf(1.0)
    y = Straight.apply(x)
    assert y is not x and x.is_leaf
    y.sum().backward()
    assert x.grad.item() == 10.0


def test_a_change_in_place_is_marked():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2.0)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2.0

    x = leaf(1.0, 3.0)
    y = x * 1.0
    z = Double.apply(y)
    assert z is y and y.tolist() == [2.0, 6.0]
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_result_without_a_derivative():
    class SortOfRound(Function):
        @staticmethod
        def forward(ctx, x):
            whole = x * 0.0 + 3.0
            ctx.mark_non_differentiable(whole)
            return x * 2.0, whole

        @staticmethod
        def backward(ctx, g, _):
            return g * 2.0

    x = leaf(1.0)
    y, whole = SortOfRound.apply(x)
    assert y.requires_grad and not whole.requires_grad
    y.backward()
    assert x.grad.item() == 2.0


def test_results_that_are_no_tensors_and_arguments_by_name():
    class Several(Function):
        @staticmethod
        def forward(ctx, x, factor=1.0):
            return x * factor, 7, None

        @staticmethod
        def backward(ctx, g, seven, nothing):
            assert seven is None and nothing is None
            return g * 5.0

    x = leaf(1.0)
    y, seven, nothing = Several.apply(x, factor=3.0)
    y.backward()
    assert (y.item(), seven, nothing, x.grad.item()) == (3.0, 7, None, 5.0)


def test_saved_tensors_are_watched_and_freed():
    x = leaf(1.0)
    middle = x * 1.0
    y = LegendrePolynomial3.apply(middle)
    middle.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    z = LegendrePolynomial3.apply(x)
    z.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.sum().backward()


def test_a_graph_with_functions_in_it_has_no_cycles():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)
        y = Exp.apply(x)
        a = SumAndProduct.apply(y, y, 2.0)[0]
        seen = [weakref.ref(t) for t in (y, a)]
        node = weakref.ref(y.grad_fn)
        del y, a
        assert [r() for r in seen] == [None, None] and node() is None
    finally:
        gc.enable()


BAD = [
    (lambda: LegendrePolynomial3(), RuntimeError, "static"),
    (lambda: _broken(lambda ctx, g: (g, g)).backward(), RuntimeError, "incorrect number of gradients"),
    (lambda: _broken(lambda ctx, g: tg.ones(3).double()).backward(), RuntimeError, "invalid gradient at index 0"),
    (lambda: _broken(lambda ctx, g: 3.0).backward(), RuntimeError, "index 0"),
    (lambda: _broken(lambda ctx, g: (g, g), 2.0).backward(), RuntimeError, "different than None at position 2"),
    (lambda: _marking(lambda x: x + 0.0, leaf(1.0) * 1.0), RuntimeError, "were not returned as output"),
    (lambda: _marking(lambda x: x, leaf(1.0)), RuntimeError, "a leaf Variable that requires grad"),
    (lambda: _saving(3), TypeError, "save_for_backward"),
]  # fmt: skip


def _broken(backward, *others):
    class Broken(Function):
        @staticmethod
        def forward(ctx, x, *others):
            return x * 1.0

    Broken.backward = staticmethod(backward)
    return Broken.apply(leaf(1.0, 2.0), *others).sum()


def _marking(give, x):
    class Marking(Exp):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return give(x)

    return Marking.apply(x)


def _saving(thing):
    class Saving(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(thing)
            return x

        @staticmethod
        def backward(ctx, g):
            return g

    return Saving.apply(leaf(1.0))


@pytest.mark.parametrize("call, error, message", BAD)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_once_differentiable_refuses_to_be_differentiated_twice():
    from tinygrad_edu.autograd.function import once_differentiable

    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2.0 * x

    x = leaf(3.0)
    Once.apply(x).backward()
    assert x.grad.item() == 6.0
    (g,) = tg.autograd.grad(Once.apply(x) * x, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


def test_the_same_program_in_pytorch(torch):
    class Theirs(torch.autograd.Function):
        forward = staticmethod(SumAndProduct.forward)
        backward = staticmethod(SumAndProduct.backward)

    results = []
    for library, function in ((tg, SumAndProduct), (torch, Theirs)):
        x = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
        y = library.tensor([0.5, 3.0], dtype=library.float64, requires_grad=True)
        a, b = function.apply(x, y, 3.0)
        (a * b + function.apply(b, x, 1.0)[1]).sum().backward()
        results.append((x.grad.numpy(), y.grad.numpy()))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-14)
