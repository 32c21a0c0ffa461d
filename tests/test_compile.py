"""tinygrad_edu.compile: what may be compiled, when it is recorded again, what it leaves behind; always against eager.

`alike(build)` builds the same program twice, runs one eagerly and one compiled, several times, and compares what they
return, the tensors that they change, and these tensors' gradients.
"""

import copy
import gc
import operator
import threading
from collections import namedtuple
from functools import partial

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.compiler.functions import LIMIT

F64 = tg.float64


def numbers(seed, *shape, dtype="float64"):
    """Fresh normal numbers, the same for each library and run."""
    return tg.tensor(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def leaf(seed, *shape):
    return numbers(seed, *shape).requires_grad_()


def tensors_in(found):
    if isinstance(found, tg.Tensor):
        return [found]
    if isinstance(found, dict):
        found = list(found.values())
    return [x for part in found for x in tensors_in(part)] if isinstance(found, tuple | list) else []


def equal(found, expected, rtol=1e-12):
    """Kind, shape, whether there is a graph, and numbers to rounding."""
    assert (found.dtype, found.shape, found.requires_grad) == (expected.dtype, expected.shape, expected.requires_grad)
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=rtol, atol=rtol)


def watch(tensors):
    for x in tensors:
        yield x
        if x.is_leaf and x.grad is not None:
            yield x.grad


def alike(build, calls=4, rtol=1e-12):
    """`build()` gives (a function of the call's number, tensors to watch). The compiled function, for more to ask."""
    (eager, theirs), (function, ours) = build(), build()
    compiled = tg.compile(function)
    for k in range(calls):
        tg.manual_seed(k)
        expected = eager(numbers(k, 3, 4))
        after = tg.rand(1)
        tg.manual_seed(k)
        found = compiled(numbers(k, 3, 4))
        assert tg.rand(1).item() == after.item(), "another state of the random numbers"
        for x, y in zip([*tensors_in(found), *watch(ours)], [*tensors_in(expected), *watch(theirs)], strict=True):
            equal(x, y, rtol)
    return compiled


# What may be compiled.
def test_a_decorator_a_function_and_pytorchs_arguments():
    @tg.compile
    def square(x):
        """x²"""
        return x * x

    @tg.compile(mode="max-autotune", fullgraph=True, dynamic=False, backend="inductor", options=None)
    def same(x):
        return x * x

    x = numbers(0, 3)
    for f in (square, same, tg.compile(lambda x: x * x)):
        for _ in range(2):
            equal(f(x), x * x)
    assert (square.__name__, square.__doc__) == ("square", "x²") and "square" in repr(square)
    assert tg.compile(square.function, disable=True) is square.function


@pytest.mark.parametrize("wrong", [3, "f", tg.nn.Linear, tg.zeros(1)], ids=str)
def test_what_is_no_function_is_refused(wrong):
    with pytest.raises(TypeError, match="compile takes a function or a Module"):
        tg.compile(wrong)


def test_arguments_by_name_by_default_and_nested():
    Pair = namedtuple("Pair", "first second")

    def f(x, pair, *rest, table, scale=2.0, power=None):
        y = x * scale + pair.first - pair.second + table["a"][0]
        for z in rest:
            y = y * z
        return y if power is None else y**power

    compiled = tg.compile(f)
    x, y, z = (numbers(k, 3) for k in range(3))
    for args, options in (
        ((x, Pair(y, z)), {"table": {"a": [z]}}),
        ((x, Pair(y, z), z, y), {"table": {"a": [y]}, "scale": 3.0}),
        ((x, Pair(z, y), z, y), {"table": {"a": [y]}, "scale": 3.0}),
        ((x, Pair(y, y)), {"table": {"a": [z]}, "power": 2}),
    ):
        equal(compiled(*args, **options), f(*args, **options))
    assert len(compiled.sessions) == 3


def test_results_of_any_structure():
    Both = namedtuple("Both", "sum product")

    def f(x, y):
        s = x + y
        return {"both": Both(s, [x * y, None]), "number": 3, "same": (s, x), "view": s[1:], "none": None}

    compiled = tg.compile(f)
    x, y = numbers(0, 4), numbers(1, 4)
    for _ in range(2):
        found, expected = compiled(x, y), f(x, y)
        assert list(found) == list(expected) and found["number"] == 3 and found["none"] is None
        assert isinstance(found["both"], Both) and found["both"].product[1] is None
        assert found["same"][1] is x
        for a, b in zip(tensors_in(found), tensors_in(expected), strict=True):
            equal(a, b)


def test_results_are_tensors_of_their_own():
    """Each call gives fresh memory, and views of one result share it as they do eagerly."""

    @tg.compile
    def f(x):
        y = x * 2.0
        return y, y.T, y[0], x + 0.0, x.clone()

    x = numbers(0, 2, 3)
    first, second = f(x), f(x)
    first[0].fill_(7.0)
    assert (first[1] == 7.0).all() and (first[2] == 7.0).all() and not (second[0] == 7.0).any()
    assert (first[3] == x).all() and (first[4] == x).all()
    first[3].zero_()
    first[4].zero_()
    assert (x != 0.0).all() and (second[3] == x).all()


def test_a_view_of_an_argument_is_a_view_of_the_argument():
    f = tg.compile(lambda x: (x[1:], x.T, x, x.detach()))
    for k in range(2):
        x = numbers(k, 3, 2)
        rows, transposed, same, detached = f(x)
        assert same is x
        x.fill_(5.0)
        assert (rows == 5.0).all() and (transposed == 5.0).all() and (detached == 5.0).all()


def test_a_tensor_from_outside_is_returned_as_it_is():
    w = leaf(0, 3)
    f = tg.compile(lambda x: (w, x + w))
    x = numbers(1, 3)
    for _ in range(2):
        assert f(x)[0] is w


def test_no_arguments_and_no_tensors():
    w = leaf(0, 3)
    f = tg.compile(lambda: (w * w).sum())
    equal(f(), (w * w).sum())
    assert tg.compile(lambda x, n: n)(w, 3) == 3


def test_arguments_that_lie_in_strides():
    f = tg.compile(lambda x, y: x @ y + x.sum())
    for _ in range(2):
        x, y = numbers(0, 3, 4).T, numbers(1, 5, 3)[::2].T
        equal(f(x, y), x @ y + x.sum())


def test_empty_tensors_and_those_without_axes():
    f = tg.compile(lambda x: (x * 2.0, x.sum()))
    for shape in ((), (0,), (2, 0, 3)):
        for a, b in zip(f(numbers(0, *shape)), (numbers(0, *shape) * 2.0, numbers(0, *shape).sum()), strict=True):
            equal(a, b)


def test_a_function_that_calls_compiled_ones():
    inner = tg.compile(lambda x: x.tanh())
    outer = tg.compile(lambda x: inner(x) * 2.0 + inner(x + 1.0))
    x = numbers(0, 3)
    for _ in range(2):
        equal(outer(x), x.tanh() * 2.0 + (x + 1.0).tanh())
    assert not inner.sessions


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 5, dtype=F64), nn.Linear(5, 2, dtype=F64)

    def forward(self, x):
        return self.second(self.first(x).tanh())


def test_a_module():
    tg.manual_seed(0)
    net = Net()
    compiled = tg.compile(net)
    x = numbers(0, 3, 4)
    for _ in range(2):
        equal(compiled(x), net(x))
    assert [p is q for p, q in zip(compiled.parameters(), net.parameters(), strict=True)] == [True] * 4
    assert list(compiled.state_dict()) == ["_orig_mod." + name for name in net.state_dict()]
    assert compiled.first is net.first and "forward:" in str(compiled.program)
    with pytest.raises(AttributeError, match="third"):
        compiled.third  # noqa: B018
    compiled.eval()
    assert not net.training


def test_methods_are_bound_and_each_object_has_its_own_recordings():
    class Shift:
        def __init__(self, by):
            self.by = by

        @tg.compile
        def add(self, x):
            return x + self.by

    one, two = Shift(numbers(0, 3)), Shift(numbers(1, 3))
    x = numbers(2, 3)
    for _ in range(2):
        for shift in (one, two):
            equal(shift.add(x), x + shift.by)
    assert one.add is one.add and one.add is not two.add and len(one.add.sessions) == 1


def test_partials_and_callable_objects():
    add = partial(operator.add, numbers(0, 3))
    f = tg.compile(add)
    for k in range(2):
        equal(f(numbers(k, 3)), add(numbers(k, 3)))


def test_a_copy_of_a_compiled_module_is_on_its_own():
    net = Net()
    compiled = tg.compile(net)
    x = numbers(0, 3, 4)
    compiled(x)
    other = copy.deepcopy(compiled)
    with tg.no_grad():
        other.first.weight.zero_()
    equal(compiled(x), net(x))
    equal(other(x), other._orig_mod(x))
    assert not (compiled(x) == other(x)).any()


# Recorded again.
def test_another_shape_dtype_need_of_gradients_or_number_is_another_recording():
    f = tg.compile(lambda x, n: x.tanh() * n)
    x = numbers(0, 3)
    for given in ((x, 2), (x[:2], 2), (x.float(), 2), (x, 3), (x, 2.0), (x.clone().requires_grad_(), 2)):
        for _ in range(2):
            equal(f(*given), given[0].tanh() * given[1], 1e-6)
    assert len(f.sessions) == 6
    with tg.no_grad():
        assert not f(x.clone().requires_grad_(), 2).requires_grad
    assert len(f.sessions) == 7


@pytest.mark.filterwarnings("ignore:.*recorded for more than 8 kinds")
def test_a_function_keeps_a_bounded_number_of_recordings():
    f = tg.compile(lambda x: x * 2.0)
    x = numbers(0, 20)
    for n in range(1, LIMIT + 4):
        equal(f(x[:n]), x[:n] * 2.0)
    assert len(f.sessions) == LIMIT
    f(x[:6])  # the one that was used last is the last to go
    assert len(f.sessions) == LIMIT and f(x[:6]).shape == (6,)


def test_recordings_do_not_keep_arguments_or_results():
    f = tg.compile(lambda x: x * 2.0)
    gc.collect()
    before = sum(isinstance(x, tg.Tensor) for x in gc.get_objects())
    for _ in range(3):
        f(numbers(0, 3))
    gc.collect()
    assert sum(isinstance(x, tg.Tensor) for x in gc.get_objects()) <= before


def test_train_and_eval():
    net = nn.Sequential(nn.Linear(4, 4, dtype=F64), nn.Dropout(0.5), nn.BatchNorm1d(4, dtype=F64))
    twin = copy.deepcopy(net)
    compiled = tg.compile(net)
    x = numbers(0, 6, 4)
    for training in (True, False, False, True, True):
        net.train(training), twin.train(training)
        tg.manual_seed(1)
        found = compiled(x)
        tg.manual_seed(1)
        equal(found, twin(x))
        for a, b in zip(net.buffers(), twin.buffers(), strict=True):
            equal(a, b)
    assert len(compiled.compiled.sessions) >= 2


def data_replaced(net, other):
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        p.data = q.detach().clone()


def new_parameters(net, other):
    for name, linear in (("first", net.first), ("second", net.second)):
        linear.weight = nn.Parameter(getattr(other, name).weight.detach().clone())
        linear.bias = nn.Parameter(getattr(other, name).bias.detach().clone())


def new_layer(net, other):
    net.first, net.second = copy.deepcopy(other.first), copy.deepcopy(other.second)


def filled(net, other):
    with tg.no_grad():
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            p.copy_(q)


CHANGES = [data_replaced, new_parameters, new_layer, filled, lambda net, other: net.load_state_dict(other.state_dict())]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_other_parameters_take_effect(change):
    net, other = Net(), Net()
    compiled, closure = tg.compile(net), tg.compile(lambda x: net(x))
    x = numbers(0, 3, 4)
    for f in (compiled, closure):
        f(x), f(x)
    change(net, other)
    for f in (compiled, closure):
        equal(f(x), other(x))
        net.zero_grad(), other.zero_grad()
        f(x).sum().backward(), other(x).sum().backward()
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            equal(p.grad, q.grad)


def test_other_tensors_in_closures_and_globals_take_effect():
    scale = numbers(0, 3)
    f = tg.compile(lambda x: x * scale)
    x = numbers(1, 3)
    for _ in range(2):
        equal(f(x), x * scale)
    scale = numbers(2, 3)
    equal(f(x), x * scale)
    scale += 1.0
    equal(f(x), x * scale)


def test_another_default_dtype_is_another_recording():
    f = tg.compile(lambda x: x + tg.ones(3))
    x = tg.arange(3)
    assert f(x).dtype is tg.float32 and f(x).dtype is tg.float32
    tg.set_default_dtype(F64)
    try:
        assert f(x).dtype is F64
    finally:
        tg.set_default_dtype(tg.float32)
    assert f(x).dtype is tg.float32


def test_a_frozen_parameter():
    net = Net()
    compiled = tg.compile(lambda x: net(x).sum())
    x = numbers(0, 3, 4)
    compiled(x), compiled(x).backward()
    net.first.weight.requires_grad_(False)
    net.zero_grad()
    compiled(x).backward()
    assert net.first.weight.grad is None and net.second.weight.grad is not None


def test_threads_may_share_a_compiled_function():
    w = leaf(0, 3)
    f = tg.compile(lambda x: (x * w).tanh())
    wrong = []

    def work(seed):
        for k in range(100):
            x = numbers(seed + k, 3 + k % 2 * 0)
            if not np.allclose(f(x).detach().numpy(), (x * w).tanh().detach().numpy(), 1e-12):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(1000 * k,)) for k in range(3)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert not wrong and len(f.sessions) >= 1
