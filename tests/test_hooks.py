"""Hooks on gradients, retain_grad, the switches of recording, and the search for the first nan."""

import pytest

import tinygrad_edu as tg


def leaf(*numbers):
    return tg.tensor(numbers, dtype=tg.float64, requires_grad=True)


def test_a_hook_sees_the_whole_gradient_once_in_a_backward_pass():
    for make in (lambda: leaf(1.0, 2.0), lambda: leaf(1.0, 2.0) * 1.0):
        seen = []
        x = make()
        x.register_hook(lambda g, seen=seen: seen.append(g.tolist()))
        (x * 2.0 + x * x).sum().backward()
        assert seen == [[4.0, 6.0]]


def test_what_a_hook_returns_goes_on_in_place_of_the_gradient():
    x = leaf(1.0)
    y = x * 3.0
    y.register_hook(lambda g: g * 10.0)
    x.register_hook(lambda g: g + 0.5)
    y.backward()
    assert x.grad.item() == 30.5


def test_hooks_are_called_in_order_until_they_are_removed():
    x = leaf(1.0)
    order = []
    first = x.register_hook(lambda g: order.append("first"))
    with x.register_hook(lambda g: order.append("second")):
        (x * 2.0).backward()
    first.remove()
    (x * 2.0).backward()
    assert order == ["first", "second"] and x.grad.item() == 4.0


def test_a_hook_counts_for_consumers_that_were_there_before_it():
    x = leaf(2.0)
    y = x * 3.0
    z = y * y
    y.retain_grad()
    seen = []
    y.register_hook(lambda g: seen.append(g.item()))
    z.backward()
    assert seen == [12.0] and y.grad.item() == 12.0 and y.retains_grad


def test_autograd_grad_gives_what_the_hook_made_and_leaves_the_leaf_alone():
    x = leaf(2.0)
    x.register_hook(lambda g: g * 2.0)
    (g,) = tg.autograd.grad(x * 5.0, x)
    assert g.item() == 10.0 and x.grad is None


def test_a_hook_that_changes_the_shape_or_returns_something_else_is_refused():
    for answer, error in ((lambda g: tg.ones(3, dtype=tg.float64), RuntimeError), (lambda g: 2.0, TypeError)):
        x = leaf(1.0)
        x.register_hook(answer)
        with pytest.raises(error, match="hook"):
            (x * 2.0).backward()


def test_a_hook_needs_a_gradient():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        tg.ones(2).register_hook(print)


def test_a_hooked_gradient_is_differentiated_again():
    x = leaf(2.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (first,) = tg.autograd.grad(y, x, create_graph=True)  # 2 x · x
    (second,) = tg.autograd.grad(first, x)
    assert first.item() == 8.0 and second.item() == 8.0


def test_the_kept_gradient_follows_a_change_in_place():
    x = leaf(2.0)
    y = x * 3.0
    y.retain_grad()
    y.mul_(5.0)
    (y * 2.0).backward()
    assert y.grad.item() == 2.0 and x.grad.item() == 30.0


def same_hooks(library):
    x = library.tensor([1.0, -2.0], dtype=library.float64, requires_grad=True)
    y = x * x
    y.retain_grad()
    y.register_hook(lambda g: g * 2.0)
    z = (y * x).sum() + y[0]
    x.register_hook(lambda g: g * 0.1)
    z.backward()
    return y.grad.tolist(), x.grad.tolist()


def test_the_same_hooks_in_pytorch(torch):
    assert same_hooks(tg) == same_hooks(torch)


# Switching the recording on and off.
def switches(library):
    x = library.ones(2, requires_grad=True)
    found = []
    with library.no_grad():
        found.append((x * 2).requires_grad)
        with library.enable_grad():
            found.append((x * 2).requires_grad)
    with library.inference_mode():
        found += [(x * 2).requires_grad, library.is_inference_mode_enabled(), library.is_grad_enabled()]
    with library.inference_mode(False):
        found.append((x * 2).requires_grad)
    before = library.set_grad_enabled(False)
    found += [(x * 2).requires_grad, library.is_grad_enabled()]
    library.set_grad_enabled(True)
    with library.set_grad_enabled(False):
        found.append((x * 2).requires_grad)
    found.append((x * 2).requires_grad)

    @library.no_grad()
    def quiet():
        return (x * 2).requires_grad

    @library.enable_grad()
    def loud():
        return (x * 2).requires_grad

    @library.inference_mode()
    def predicting():
        return (x * 2).requires_grad

    @library.set_grad_enabled(False)
    def switched():
        return (x * 2).requires_grad

    @library.no_grad()
    def steps():
        yield (x * 2).requires_grad
        yield (x * 2).requires_grad

    found += [quiet(), predicting(), switched(), library.is_grad_enabled()]
    for inside in steps():
        found += [inside, (x * 2).requires_grad]
    with library.no_grad():
        found.append(loud())
    try:
        with library.no_grad():
            raise ValueError
    except ValueError:
        found.append(library.is_grad_enabled())
    assert before is not None
    return found


def test_every_switch_does_as_pytorchs(torch):
    assert switches(tg) == switches(torch)


# The first nan.
def test_the_operation_and_the_line_that_made_the_first_infinity_are_named():
    x = leaf(1.0, 0.0)
    with pytest.raises(RuntimeError, match=r"'log' made the first inf(.|\n)*y = x\.log\(\)  # here"):
        with tg.autograd.detect_anomaly():
            y = x.log()  # here
            y * 0.0


def test_the_line_of_a_nan_that_only_the_backward_pass_makes():
    x = leaf(0.0)
    with pytest.raises(RuntimeError, match=r"'SqrtBackward0' returned nan(.|\n)*y = x\.sqrt\(\)  # made here"):
        with tg.autograd.detect_anomaly():
            y = x.sqrt()  # made here
            z = (y * 0.0).sum()
            z.backward()


def test_autograd_grad_is_watched_too():
    x = leaf(0.0)
    with tg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="'SqrtBackward0' returned inf"):
        tg.autograd.grad(x.sqrt().sum(), x)


def test_inside_a_layer_the_line_is_still_the_users():
    layer = tg.nn.Linear(2, 2)
    with tg.no_grad():
        layer.weight.fill_(3e38)
    with pytest.raises(RuntimeError, match=r"made the first inf(.|\n)*layer\(tg\.ones"):
        with tg.autograd.detect_anomaly():
            layer(tg.ones(1, 2) * 1e5)


def test_without_check_nan_nothing_is_refused():
    x = tg.tensor([0.0, 4.0], requires_grad=True)
    with tg.autograd.detect_anomaly(check_nan=False):
        (x.sqrt() * 0.0).sum().backward()
    assert str(x.grad.tolist()) == "[nan, 0.0]"


def test_an_infinity_that_was_asked_for_is_no_anomaly():
    with tg.autograd.detect_anomaly():
        y = tg.where(tg.tensor([True, False]), tg.ones(2), -float("inf"))
        (y * 2.0).exp()
        tg.full((2,), float("nan")) * 2.0
    assert not tg.is_anomaly_enabled()


def test_after_the_block_nothing_is_watched():
    with pytest.raises(RuntimeError):
        with tg.autograd.detect_anomaly():
            leaf(0.0).log()
    assert leaf(0.0).log().item() == -float("inf")
    tg.autograd.set_detect_anomaly(True)
    assert tg.is_anomaly_enabled()
    tg.autograd.set_detect_anomaly(False)
    assert leaf(0.0).log().item() == -float("inf")


def test_a_whole_training_step_runs_under_watch():
    model = tg.nn.Sequential(tg.nn.Linear(2, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1))
    optimizer = tg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x = tg.rand(8, 2)
    with tg.autograd.detect_anomaly():
        for _ in range(2):
            loss = tg.nn.functional.mse_loss(model(x), x[:, :1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert loss.item() < 10.0
