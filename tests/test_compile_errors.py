"""What compile refuses says so with the line; and what fails or is interrupted leaves whole steps, never halves."""

import _thread
import inspect
import os
import signal
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from test_compile import F64, equal, leaf, numbers

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.compiler.interrupts import shield

F = nn.functional


def reads_an_item(x):
    return x * x.sum().item()


def chooses(x):
    return x if x.sum() > 0 else -x


def converts(x):
    return x + float(x.sum())


def hands_to_numpy(x):
    return tg.tensor(x.numpy() * 2)


def prints(x):
    y = x * 2
    print(y)
    return y


def picks_by_a_mask(x):
    return x[x > 0]


def asks_where(x):
    return (x > 0).nonzero()


def lists(x):
    return x * len(x.tolist())


def compares(x):
    return x if (x == x).all() else -x


REFUSED = [
    reads_an_item, chooses, converts, hands_to_numpy, prints, picks_by_a_mask, asks_where, lists, compares,
]  # fmt: skip


@pytest.mark.parametrize("function", REFUSED, ids=lambda f: f.__name__)
def test_what_needs_numbers_is_refused_with_the_line(function):
    lines, first = inspect.getsourcelines(function)
    compiled = tg.compile(function)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"compile: .* while the function is recorded \(") as found:
            compiled(numbers(0, 4))
        line = int(str(found.value).split(", line ")[1].split(")")[0])
        assert __file__ in str(found.value) and first < line < first + len(lines)
    function(numbers(0, 4))  # eagerly it works, also after the refusal
    with pytest.raises(RuntimeError, match="call the function first"):
        compiled.program  # noqa: B018


def test_a_symbol_that_is_kept_has_no_numbers_after_a_failure():
    kept = []

    @tg.compile
    def f(x):
        kept.append(x * 2.0)
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        f(numbers(0, 3))
    with pytest.raises(RuntimeError, match="compile: .*Return it from the function"):
        kept[0] + 1.0


def test_arguments_of_unknown_kinds():
    class Unhashable:
        __hash__ = None

    with pytest.raises(TypeError, match="an argument of type Unhashable cannot be part of a recording"):
        tg.compile(lambda x, y: x)(numbers(0, 2), Unhashable())


def test_errors_of_the_function_itself_pass_through():
    f = tg.compile(lambda x, y: x @ y)
    equal(f(numbers(0, 2, 3), numbers(1, 3, 2)), numbers(0, 2, 3) @ numbers(1, 3, 2))
    with pytest.raises(RuntimeError, match="mat1 and mat2|shapes"):
        f(numbers(0, 2, 3), numbers(1, 2, 3))
    equal(f(numbers(0, 2, 3), numbers(1, 3, 2)), numbers(0, 2, 3) @ numbers(1, 3, 2))


# A step that fails.
def classifier():
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4, False, dtype=F64), nn.BatchNorm1d(4, dtype=F64), nn.Linear(4, 5, dtype=F64))
    optimizer = optim.Adam(net.parameters(), lr=0.1)

    def step(x, classes):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), classes)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return net, optimizer, step


def state_of(net, optimizer):
    """Copies of everything that a step changes."""
    tensors = [x.detach().clone() for x in net.state_dict().values()]
    steps = [s["step"] for s in optimizer.state.values()]
    return tensors, steps


@pytest.mark.parametrize("before", [0, 1, 3], ids=lambda n: f"after {n} steps")
def test_a_wrong_class_changes_no_parameter_and_the_next_step_is_right(before):
    net, optimizer, step = classifier()
    twin, its_optimizer, eager = classifier()
    step = tg.compile(step)
    right, wrong = tg.tensor([0, 4, 2, 1]), tg.tensor([0, 5, 2, 1])
    for k in range(before):
        equal(step(numbers(k, 4, 3), right), eager(numbers(k, 4, 3), right))
    held = [p.detach().clone() for p in net.parameters()], state_of(net, optimizer)[1]
    with pytest.raises(IndexError, match="out of bounds"):
        step(numbers(7, 4, 3), wrong)
    with pytest.raises(IndexError):
        eager(numbers(7, 4, 3), wrong)
    assert state_of(net, optimizer)[1] == held[1]
    for p, kept in zip(net.parameters(), held[0], strict=True):
        assert (p == kept).all()
    for a, b in zip(state_of(net, optimizer)[0], state_of(twin, its_optimizer)[0], strict=True):
        equal(a, b)  # running statistics too: eagerly the forward pass has moved them
    for k in range(2):
        equal(step(numbers(k, 4, 3), right), eager(numbers(k, 4, 3), right))
    for a, b in zip(state_of(net, optimizer)[0], state_of(twin, its_optimizer)[0], strict=True):
        equal(a, b)
    assert state_of(net, optimizer)[1] == state_of(twin, its_optimizer)[1]


CHECKED = {
    "index": (lambda x, k: x[k], IndexError), "embedding": (lambda x, k: F.embedding(k, x.reshape(4, 1)), IndexError),
    "gather": (lambda x, k: x.gather(0, k), RuntimeError), "take": (lambda x, k: x.take(k), IndexError),
    "index_select": (lambda x, k: x.index_select(0, k), IndexError),
    "one_hot": (lambda x, k: F.one_hot(k, 4) * x, RuntimeError),
    "division": (lambda x, k: k // (3 - k), RuntimeError),
    "nll": (lambda x, k: F.nll_loss(x.reshape(2, 2).log_softmax(1), k // 2), IndexError),
    "multi_margin": (lambda x, k: F.multi_margin_loss(x.reshape(2, 2), k // 2), RuntimeError),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_a_check_of_numbers_is_made_at_every_call(name):
    function, error = CHECKED[name]
    f, x = tg.compile(function), numbers(0, 4)
    right, other, wrong = tg.tensor([1, 2]), tg.tensor([0, 1]), tg.tensor([1, 9 if name != "division" else 3])
    for k in (right, other):
        assert (f(x, k) == function(x, k)).all()
    for _ in range(2):
        with pytest.raises(error):
            function(x, wrong)
        with pytest.raises(error):
            f(x, wrong)
    assert (f(x, right) == function(x, right)).all()
    with pytest.raises(error):
        tg.compile(function)(x, wrong)  # wrong the first time


def test_a_probability_that_is_none():
    f = tg.compile(F.binary_cross_entropy)
    right, target = tg.tensor([0.1, 0.9]), tg.tensor([0.0, 1.0])
    equal(f(right, target), F.binary_cross_entropy(right, target), 1e-6)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        f(right * 2.0, target)


# Interrupts.
@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt, also where the tests were started in the background, with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def sending_from_inside(step):
    """Each step sends itself the signal, before its kernels run."""
    (_, session), *_ = step.sessions
    run, fast = session.forward.run, step.fast

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        run(*arguments)

    session.forward.run = interrupted
    if fast is not None:
        step.fast = type(fast)(fast.__code__, {**fast.__globals__, "replay": interrupted})
    try:
        yield
    finally:
        session.forward.run, step.fast = run, fast


def fit(make):
    """A fit whose steps change several tensors: (step, the tensors)."""
    tg.manual_seed(0)
    tensors = [leaf(k, 40) for k in range(6)]
    optimizer = optim.SGD(tensors, lr=0.01, momentum=0.5)

    def step(x):
        optimizer.zero_grad()
        loss = sum(((w * x).sin().sum() for w in tensors), tg.tensor(0.0, dtype=F64))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return make(step), tensors, optimizer


@pytest.mark.parametrize("round", range(3))
def test_an_interrupt_falls_between_steps(round, interruptible):
    """Wherever Ctrl-C arrives: parameters and momentum are those of the eager trajectory at a whole step."""
    step, tensors, optimizer = fit(tg.compile)
    x = numbers(0, 40)
    for _ in range(3):
        step(x)
    done, timer = 3, threading.Timer(0.05 + 0.013 * round, _thread.interrupt_main)
    handler = signal.getsignal(signal.SIGINT)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        while done < 1_000_000:
            step(x)
            done += 1
    timer.join()
    assert 3 < done < 1_000_000 and shield.steps == 0 and shield.noted is None
    assert signal.getsignal(signal.SIGINT) is handler
    eager, twins, its_optimizer = fit(lambda f: f)
    for _ in range(done):
        eager(x)
    whole = np.array([np.allclose(p.detach(), q.detach(), 1e-9, 1e-12) for p, q in zip(tensors, twins, strict=True)])
    if not whole.all():  # the step that was under way may have been finished before the interrupt was handed on
        eager(x)
    for p, q in zip(tensors, twins, strict=True):
        equal(p, q, 1e-9)
        equal(optimizer.state[p]["momentum_buffer"], its_optimizer.state[q]["momentum_buffer"], 1e-9)


def test_an_interrupt_in_the_middle_of_a_step_waits(interruptible):
    """The signal is sent by the step itself, between two of its kernels."""
    step, tensors, _ = fit(tg.compile)
    x = numbers(0, 40)
    step(x)
    before = [w.detach().clone() for w in tensors]
    with sending_from_inside(step), pytest.raises(KeyboardInterrupt):
        step(x)
    assert all((w != b).any() for w, b in zip(tensors, before, strict=True))
    eager, twins, _ = fit(lambda f: f)
    eager(x), eager(x)
    for p, q in zip(tensors, twins, strict=True):
        equal(p, q)


def test_a_handler_that_was_set_later_waits_too(interruptible):
    """And the old one can be put back: it waits as before, and calls what it called before."""
    step, tensors, _ = fit(tg.compile)
    x, calls = numbers(0, 40), []
    step(x), step(x), step(x)  # the third one takes the fast way
    old = signal.getsignal(signal.SIGINT)

    def note(number, frame):
        calls.append([w.detach().clone() for w in tensors])

    signal.signal(signal.SIGINT, note)
    with sending_from_inside(step):
        step(x)
    assert len(calls) == 1 and all((w == b).all() for w, b in zip(tensors, calls[0], strict=True))
    signal.signal(signal.SIGINT, old)
    before = [w.detach().clone() for w in tensors]
    with sending_from_inside(step), pytest.raises(KeyboardInterrupt):
        step(x)
    assert len(calls) == 1 and all((w != b).any() for w, b in zip(tensors, before, strict=True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with sending_from_inside(step):
        step(x)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN and len(calls) == 1


def test_a_failure_in_the_middle_leaves_the_optimizer_as_it_was():
    net, optimizer, step = classifier()
    compiled = tg.compile(step)
    x, classes = numbers(0, 4, 3), tg.tensor([0, 4, 2, 1])
    compiled(x, classes)
    (_, session), *_ = compiled.sessions
    run, held = session.forward.run, state_of(net, optimizer)

    def broken(*arguments):
        raise MemoryError

    session.forward.run = broken
    with pytest.raises(MemoryError):
        compiled(x, classes)
    session.forward.run = run
    assert state_of(net, optimizer)[1] == held[1]
    assert all((a == b).all() for a, b in zip(state_of(net, optimizer)[0], held[0], strict=True))


def test_a_tensor_whose_constructor_raised_is_no_hindrance():
    with pytest.raises(TypeError) as kept:  # whose traceback holds a Tensor without fields
        tg.Tensor("abc")
    function = tg.compile(lambda x: x * 2.0 + 1.0)
    assert function(tg.ones(3)).tolist() == [3.0, 3.0, 3.0]
    assert kept.value is not None


def test_gradients_of_another_thread_are_not_this_functions():
    stop, started = threading.Event(), threading.Event()

    def other():
        w = leaf(0, 50)
        while not stop.is_set():
            w.grad = None
            (w * w).sum().backward()
            started.set()

    thread = threading.Thread(target=other)
    thread.start()
    started.wait()
    try:
        for k in range(10):
            v = leaf(k, 3)

            @tg.compile
            def step(x, v=v):
                v.grad = None
                (v * x).sum().backward()

            step(numbers(k, 3))
            assert [where for where, _ in step.sessions[0][1].new_gradients] == [v.node]
            equal(v.grad, numbers(k, 3))
    finally:
        stop.set()
        thread.join()


def test_threads_train_models_of_their_own():
    fits = [fit(tg.compile) for _ in range(2)]
    x = numbers(0, 40)

    def train(step):
        for _ in range(50):
            step(x)

    threads = [threading.Thread(target=train, args=(step,)) for step, _, _ in fits]
    [t.start() for t in threads], [t.join() for t in threads]
    eager, twins, _ = fit(lambda f: f)
    for _ in range(50):
        eager(x)
    for _, tensors, _ in fits:
        for p, q in zip(tensors, twins, strict=True):
            equal(p, q, 1e-9)
