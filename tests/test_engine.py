"""The engine: order, addition of cotangents, ownership of buffers, memory. One engine for Value and Tensor."""

import gc
import time
import tracemalloc
import warnings
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Value
from tinygrad_edu.engine import Scratch, topological_order


class Plain(Scratch):
    """A node with nothing but parents."""

    def __init__(self, *parents):
        self.parents, self.walk = parents, None


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=30))
def test_every_node_comes_once_and_after_all_that_consume_it(edges):
    nodes = []
    for parents in edges:
        nodes.append(Plain(*[nodes[p % len(nodes)] for p in parents if nodes]))
    roots = [nodes[-1], nodes[len(nodes) // 2]]
    order = list(topological_order(*roots))
    assert len(order) == len(set(map(id, order)))
    place = {id(node): k for k, node in enumerate(order)}
    reachable, stack = set(), list(roots)
    while stack:
        node = stack.pop()
        if id(node) not in reachable:
            reachable.add(id(node))
            stack.extend(node.parents)
    assert set(place) == {k for k in reachable if k in {id(n) for n in nodes if n.parents}}  # leaves pass nothing on
    assert all(place[id(node)] < place[id(p)] for node in order for p in node.parents if p.parents)


def test_the_order_skips_missing_parents_and_keeps_repeats():
    a = Plain(Plain())
    b = Plain(a, None, a)
    assert list(topological_order(b)) == [b, a]


def test_a_walk_inside_a_walk_of_the_same_nodes_is_refused():
    b = Plain(Plain(Plain()))
    order = topological_order(b)
    assert next(order) is b
    with pytest.raises(RuntimeError, match="being walked already"):
        list(topological_order(b))
    order.close()
    assert len(list(topological_order(b))) == 2


def test_doubling_a_sum_takes_linear_time():
    """Trap: no topological order at all (TinyTorch): `y = y + y`, n times: time doubles per level."""
    for make in (Value, lambda x: tg.tensor(x, dtype=tg.float64, requires_grad=True)):
        x = y = make(1.0)
        for _ in range(60):
            y = y + y
        y.backward()
        assert float(x.grad) == 2.0**60


def seconds_for_a_sum_of(n):
    xs = [Value(1.0) for _ in range(n)]
    start = time.perf_counter()
    sum(xs, Value(0.0)).backward()
    return time.perf_counter() - start


def test_a_sum_of_n_terms_does_not_take_n_squared():
    """Trap: queue re-sorted at every push (DeZero): a sum of n terms costs n²."""
    small = min(seconds_for_a_sum_of(4_000) for _ in range(3))
    large = min(seconds_for_a_sum_of(64_000) for _ in range(3))
    assert large < 16 * small * 5  # quadratic time would be 256 times as much


def test_backward_on_a_leaf_is_one():
    """Trap: backward on a leaf (DeZero): AttributeError."""
    x = Value(3.0)
    x.backward()
    assert x.grad == 1.0
    t = tg.tensor(3.0, requires_grad=True)
    t.backward()
    assert t.grad.item() == 1.0


def test_unused_operands_get_no_gradient():
    """Trap: unused outputs of a multi-output node (DeZero): None reaches the user's backward."""
    x, y = tg.ones(2, requires_grad=True), tg.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    assert y.grad is None


def test_a_sum_of_a_thing_with_itself_keeps_both_operands_in_order():
    """Trap: parents kept in a set (micrograd): `a + a` has one edge, argument order is lost."""
    a, b = Value(2.0), Value(3.0)
    assert (a + a).parents == (a, a) and (a - b).parents == (a, b) and (b - a).parents == (b, a)
    x = tg.tensor([2.0], requires_grad=True)
    assert len((x + x).grad_fn.next_functions) == 2
    for y in (2 + x, 2 * x, x * 2):  # the tensor first, as in PyTorch
        assert [node for node, _ in y.grad_fn.next_functions] == [x.node, None]


def test_no_two_gradients_share_a_buffer():
    """Trap: aliasing (DeZero): `(a + b).backward()` leaves `a.grad is b.grad`; clipping then applies twice."""
    for shape in ((3,), ()):
        a, b = tg.ones(shape, requires_grad=True), tg.ones(shape, requires_grad=True)
        cotangent = tg.full(shape, 2.0)
        (a + b).backward(cotangent)
        assert a.grad is not b.grad
        a.grad.mul_(10.0)
        assert b.grad.sum().item() == cotangent.sum().item() == 2.0 * max(1, *shape, 1) if shape else True
        assert cotangent.reshape(-1).tolist()[0] == 2.0 and b.grad.reshape(-1).tolist()[0] == 2.0


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x + 0.0, lambda x: x.reshape(4), lambda x: x.t(), lambda x: x.expand(3, 2, 2), lambda x: x.clone(),
        lambda x: x.sum(), lambda x: x.sum(0), lambda x: x[0], lambda x: x.contiguous(), lambda x: x.squeeze(),
        lambda x: x, lambda x: x.relu(),
    ],
)  # fmt: skip
def test_a_leaf_owns_its_gradient_whatever_came_before(make):
    x = tg.ones(2, 2, requires_grad=True)
    y = make(x)
    cotangent = tg.ones(y.shape)
    y.backward(cotangent)
    first = x.grad.tolist()
    x.grad.mul_(7.0)
    assert cotangent.tolist() == tg.ones(y.shape).tolist()
    x.grad = None
    make(x).backward(cotangent)
    assert x.grad.tolist() == first


def test_many_cotangents_at_one_node_are_added_in_place_without_touching_the_first():
    x = tg.ones(3, requires_grad=True)
    parts = [x * 1.0 for _ in range(5)]
    total = parts[0]
    for p in parts[1:]:
        total = total + p
    for p in (x, x, x):
        total = total + p
    total.backward(tg.tensor([1.0, 2.0, 3.0]))
    assert x.grad.tolist() == [8.0, 16.0, 24.0]


def test_a_chain_of_a_million_tensors_is_walked_and_freed_without_recursion():
    """Trap: recursive topological sort (micrograd, TinyTorch): RecursionError at depth 1,000."""
    x = y = tg.ones(1, requires_grad=True)
    for _ in range(1_000_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    del y  # a million nested objects: deletion must not overflow the stack either
    assert x.is_leaf


@pytest.mark.parametrize("step", [lambda y: y * 1.0, lambda y: y.exp(), lambda y: y.reshape(1), lambda y: y.clone(),
                                  lambda y: y.sum(0, keepdim=True)])  # fmt: skip
def test_a_long_graph_that_was_never_walked_is_freed_without_recursion(step):
    x = y = tg.zeros(1, requires_grad=True)
    for _ in range(50_000):
        y = step(y)
    del y
    assert x.is_leaf


def live_tensors_after(program):
    """Runs the program without the garbage collector; says which of the tensors it returns weak references to live."""
    gc.collect()
    gc.disable()
    try:
        return [reference for reference in program() if reference() is not None]
    finally:
        gc.enable()


def test_no_reference_cycles():
    def program():
        x = tg.rand(3, 3, requires_grad=True)
        y = (x @ x).tanh().exp() * x.sigmoid()
        z = (y.t()[0] ** 2).sum()
        first = weakref.ref(y), weakref.ref(z), weakref.ref(x)
        z.backward()
        return first

    assert live_tensors_after(program) == []


def test_no_reference_cycles_with_a_differentiable_backward():
    def program():
        x = tg.rand(3, requires_grad=True)
        (first,) = tg.autograd.grad((x.tanh() * x.exp()).sum(), x, create_graph=True)
        (second,) = tg.autograd.grad(first.sum(), x, create_graph=True)
        return weakref.ref(x), weakref.ref(first), weakref.ref(second)

    assert live_tensors_after(program) == []


def test_no_reference_cycles_in_place_and_in_views():
    def program():
        x = tg.rand(4, requires_grad=True)
        y = x * 2.0
        y += 1.0
        y[1] = 5.0
        v = y.detach()
        y.sum().backward()
        return weakref.ref(x), weakref.ref(y), weakref.ref(v)

    assert live_tensors_after(program) == []


def test_memory_of_a_graph_is_freed_as_backward_goes():
    n = 200_000
    x = tg.rand(n, requires_grad=True)
    x.sin().sin().sum().backward()  # loads all kernels of the chain, also that of an inner sin backward
    x.grad = None
    tracemalloc.start()
    try:
        y = x
        for _ in range(20):
            y = y.sin()
        before, _ = tracemalloc.get_traced_memory()
        loss = y.sum()
        del y
        tracemalloc.reset_peak()
        loss.backward()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    array = 4 * n
    assert before > 18 * array
    assert after < 4 * array
    assert peak < before + 5 * array


def test_a_freed_graph_says_so():
    x = tg.ones(2, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time.*retain_graph=True"):
        loss.backward()


def test_what_saves_nothing_is_not_freed():
    x = tg.ones(2, requires_grad=True)
    loss = (-x - 1).sum()
    loss.backward()
    loss.backward()
    assert x.grad.tolist() == [-2.0, -2.0]


def test_retain_graph_adds_once_more():
    """Trap: stale intermediate gradients (micrograd)."""
    x = tg.ones(2, requires_grad=True)
    y = x + x
    loss = (y * y).sum()
    loss.backward(retain_graph=True)
    loss.backward()
    assert x.grad.tolist() == [16.0, 16.0]


def test_two_roots_sharing_a_node():
    """Trap: two roots sharing a node (micrograd): 21, not 17."""
    x = tg.tensor([2.0], requires_grad=True)
    y = x * 3.0
    a, b = (y * y).sum(), (y * 5.0).sum()
    a.backward(retain_graph=True)
    b.backward()
    assert x.grad.item() == 51.0
    x.grad = None
    y = x * 3.0
    tg.autograd.backward([(y * y).sum(), (y * 5.0).sum()])
    assert x.grad.item() == 51.0


def test_a_gradient_that_nobody_keeps_is_asked_for_with_a_warning():
    x = tg.ones(2, requires_grad=True)
    y = x * 2
    with pytest.warns(UserWarning, match="not a leaf.*retain_grad"):
        assert y.grad is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x.grad is None and tg.ones(1).grad is None


def test_retained_gradients_of_results_in_between():
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [6.0, 12.0] and x.grad.tolist() == [18.0, 36.0]
    assert not y.is_leaf and y.grad_fn is not None
