"""Recurrent layers: the kernel, the step-by-step definition and PyTorch agree, forward and backward."""

import numpy as np
import pytest
from oracle import refuse

import tinygrad_edu as tg
from tinygrad_edu.autograd import gradcheck, gradgradcheck
from tinygrad_edu.ops.recurrent import fused, stepwise

GATES = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}

# layer, options, shape of the input, is a first state given
LAYERS = [
    (name, options, shape, given)
    for name in ("RNN", "LSTM", "GRU")
    for options, shape, given in (
        ({}, (5, 3, 4), True),
        ({}, (5, 3, 4), False),
        ({}, (5, 4), True),
        ({}, (1, 1, 4), False),
        ({"bias": False}, (5, 3, 4), True),
        ({"batch_first": True}, (3, 5, 4), True),
        ({"batch_first": True}, (5, 4), False),
        ({"num_layers": 3}, (5, 3, 4), True),
        ({"bidirectional": True}, (5, 3, 4), True),
        ({"bidirectional": True}, (5, 4), True),
        ({"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False}, (3, 5, 4), True),
        ({"num_layers": 2, "dropout": 0.5}, (5, 3, 4), False),
    )
]
LAYERS += [("RNN", {"nonlinearity": "relu", "num_layers": 2}, (5, 3, 4), True)]
LAYERS += [
    ("LSTM", {"proj_size": 2, **options}, (5, 3, 4), given)
    for options, given in (({}, True), ({"bias": False}, False), ({"num_layers": 2, "bidirectional": True}, True))
]
CELLS = [
    (name, options, shape, given)
    for name in ("RNNCell", "LSTMCell", "GRUCell")
    for options, shape, given in (({}, (3, 4), True), ({}, (4,), True), ({"bias": False}, (3, 4), False))
]
CELLS += [("RNNCell", {"nonlinearity": "relu"}, (3, 4), True)]


def flattened(found):
    return [y for x in found for y in flattened(x)] if isinstance(found, tuple) else [found]


def run(m, name, options, shape, given, hidden=6, dtype="float32"):
    """Results, gradients of all operands, text, and first weights of a layer of library m."""
    m.manual_seed(0)
    layer = getattr(m.nn, name)(4, hidden, **options)
    layer.eval()
    first = {key: x.detach().numpy().copy() for key, x in layer.state_dict().items()}
    layer.to(getattr(m, dtype))
    rng = np.random.default_rng(1)
    x = m.tensor(rng.normal(size=shape).astype(dtype), requires_grad=True)
    batch = () if len(shape) == 1 + ("Cell" not in name) else (shape[0 if options.get("batch_first") else -2],)
    layers = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    lead = batch if "Cell" in name else (layers, *batch)
    widths = [options.get("proj_size") or hidden, hidden][: 1 + ("LSTM" in name)]
    states = [m.tensor(rng.normal(size=(*lead, w)).astype(dtype), requires_grad=True) for w in widths]
    results = flattened(layer(x, (tuple(states) if len(states) == 2 else states[0]) if given else None))
    sum((y * m.tensor(rng.normal(size=tuple(y.shape)).astype(dtype))).sum() for y in results).backward()
    leaves = [x, *(states if given else ()), *layer.parameters()]
    return [y.detach().numpy() for y in results] + [leaf.grad.numpy() for leaf in leaves], repr(layer), first


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [*LAYERS, *CELLS], ids=str)
def test_results_gradients_text_and_first_weights_are_pytorchs(case, dtype, torch):
    found, text, weights = run(tg, *case, dtype=dtype)
    expected, wanted_text, wanted_weights = run(torch, *case, dtype=dtype)
    assert text == wanted_text
    assert list(weights) == list(wanted_weights)
    for key, x in weights.items():
        np.testing.assert_array_equal(x, wanted_weights[key])
    tolerance = 5e-5 if dtype == "float32" else 1e-10
    for x, y in zip(found, expected, strict=True):
        assert x.shape == y.shape
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(1.0, abs(y).max()))


def operands(cell, hidden=3, steps=4, batch=2, features=5, biased=True, seed=0):
    rng = np.random.default_rng(seed)
    wide = GATES[cell] * hidden
    shapes = [(steps, batch, features), (batch, hidden), *([(batch, hidden)] if cell == "lstm" else [])]
    shapes += [(wide, features), (wide, hidden), *([(wide,), (wide,)] if biased else [])]
    return [tg.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]


def call(form, cell, given, reverse):
    x, h, *rest = given
    c, weights = (rest[0], rest[1:]) if cell == "lstm" else (None, rest)
    out, (h_n, c_n) = form(cell, x, (h, c), weights, reverse=reverse)
    return (out, h_n) if c_n is None else (out, h_n, c_n)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("biased, sizes", [(True, {}), (False, {}), (True, {"hidden": 17, "batch": 9, "steps": 3})])
def test_the_kernel_does_what_the_steps_do(cell, reverse, biased, sizes):
    results = []
    for form in (fused, stepwise):
        given = operands(cell, biased=biased, **sizes)
        found = call(form, cell, given, reverse)
        sum((k + 1.0) * (y * y).sum() for k, y in enumerate(found)).backward()
        results.append([y.detach().numpy() for y in found] + [y.grad.numpy() for y in given])
    for ours, steps in zip(*results, strict=True):
        np.testing.assert_allclose(ours, steps, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_gradients_of_first_and_second_order_are_those_of_differences(cell, reverse):
    given = operands(cell, hidden=2, steps=3, batch=2, features=2, seed=3)
    assert gradcheck(lambda *given: call(fused, cell, given, reverse), tuple(given))
    assert gradgradcheck(lambda *given: call(fused, cell, given, reverse), tuple(given))


def test_the_gradient_of_a_gradient_reaches_what_made_the_operands():
    """Through the doors: x is itself a result, here and in the graph of its gradient."""
    z = tg.tensor([[[0.3, -0.2]], [[0.5, 0.1]]], dtype=tg.float64, requires_grad=True)
    x, h, w_ih, w_hh = (z.exp(), *(y.detach() for y in operands("gru", 2, 2, 1, 2, biased=False)[1:]))
    (g,) = tg.autograd.grad(fused("gru", x, (h, None), [w_ih, w_hh])[0].sum(), z, create_graph=True)
    (second,) = tg.autograd.grad((g * g).sum(), z)
    (g,) = tg.autograd.grad(stepwise("gru", z.exp(), (h, None), [w_ih, w_hh])[0].sum(), z, create_graph=True)
    (expected,) = tg.autograd.grad((g * g).sum(), z)
    np.testing.assert_allclose(second.numpy(), expected.numpy(), rtol=1e-12)


def test_only_the_last_state_of_an_lstm_may_be_used():
    for k in (0, 1):
        given, steps = operands("lstm"), operands("lstm")
        call(fused, "lstm", given, False)[1 + k].sum().backward()
        call(stepwise, "lstm", steps, False)[1 + k].sum().backward()
        for y, z in zip(given, steps, strict=True):
            expected = 0.0 if z.grad is None else z.grad.numpy()
            np.testing.assert_allclose(y.grad.numpy() + 0.0 * y.detach().numpy(), expected, atol=1e-12)


def test_a_result_changed_in_place_is_noticed():
    lstm = tg.nn.LSTM(4, 3)
    output, (_, c_n) = lstm(tg.ones(5, 2, 4))
    with tg.no_grad():
        output.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        c_n.sum().backward()


def test_backward_twice_needs_the_graph_kept():
    output, _ = tg.nn.GRU(4, 3)(tg.ones(5, 2, 4))
    output.sum().backward(retain_graph=True)
    output.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        output.sum().backward()


def test_dropout_is_between_layers_and_in_training_only():
    tg.manual_seed(0)
    rnn = tg.nn.RNN(4, 50, num_layers=2, dropout=1.0)
    x = tg.ones(1, 1, 4)
    with_dropout = rnn(x)[0]
    expected = (rnn.bias_ih_l1 + rnn.bias_hh_l1).tanh()
    assert tg.allclose(with_dropout.flatten(), expected, atol=1e-6)
    assert not tg.allclose(rnn.eval()(x)[0].flatten(), expected, atol=1e-2)


def test_a_batch_may_be_empty():
    output, (h_n, _) = tg.nn.LSTM(4, 3)(tg.ones(5, 0, 4))
    assert output.shape == (5, 0, 3) and h_n.shape == (1, 0, 3)


def test_all_weights_and_flatten_parameters():
    gru = tg.nn.GRU(4, 3, num_layers=2)
    assert [len(weights) for weights in gru.all_weights] == [4, 4]
    assert gru.all_weights[1][0] is gru.weight_ih_l1
    before = [p.detach().clone() for p in gru.parameters()]
    gru.flatten_parameters()
    assert all(tg.equal(p, q) for p, q in zip(gru.parameters(), before, strict=True))


def test_packed_sequences_are_refused_with_what_to_do():
    class Packed:
        batch_sizes = (2, 1)

    with pytest.raises(TypeError, match="packed sequences are not supported, pad"):
        tg.nn.LSTM(4, 3)(Packed())


REFUSED = {
    "dropout": lambda m: m.nn.LSTM(4, 3, 2, dropout=1.5),
    "dropout is bool": lambda m: m.nn.LSTM(4, 3, 2, dropout=True),
    "bias": lambda m: m.nn.GRU(4, 3, bias=1),
    "batch_first": lambda m: m.nn.GRU(4, 3, batch_first=1),
    "input_size": lambda m: m.nn.GRU(4.0, 3),
    "input_size 0": lambda m: m.nn.GRU(0, 3),
    "hidden_size": lambda m: m.nn.GRU(4, "3"),
    "hidden_size 0": lambda m: m.nn.RNN(4, 0),
    "num_layers": lambda m: m.nn.RNN(4, 3, 0),
    "nonlinearity": lambda m: m.nn.RNN(4, 3, nonlinearity="sigmoid"),
    "cell nonlinearity": lambda m: m.nn.RNNCell(4, 3, nonlinearity="sigmoid")(m.ones(2, 4)),
    "projected rnn": lambda m: m.nn.RNN(4, 3, proj_size=2),
    "projected gru": lambda m: m.nn.GRU(4, 3, proj_size=2),
    "large projection": lambda m: m.nn.LSTM(4, 3, proj_size=3),
    "negative projection": lambda m: m.nn.LSTM(4, 3, proj_size=-1),
    "dimensions": lambda m: m.nn.LSTM(4, 3)(m.ones(4)),
    "features": lambda m: m.nn.LSTM(4, 3)(m.ones(5, 2, 3)),
    "dtype": lambda m: m.nn.LSTM(4, 3)(m.ones(5, 2, 4, dtype=m.float64)),
    "no steps": lambda m: m.nn.LSTM(4, 3)(m.ones(0, 2, 4)),
    "hx dimensions": lambda m: m.nn.GRU(4, 3)(m.ones(5, 2, 4), m.ones(2, 3)),
    "hx batched": lambda m: m.nn.GRU(4, 3)(m.ones(5, 4), m.ones(1, 1, 3)),
    "hx size": lambda m: m.nn.GRU(4, 3)(m.ones(5, 2, 4), m.ones(2, 2, 3)),
    "c size": lambda m: m.nn.LSTM(4, 3)(m.ones(5, 2, 4), (m.ones(1, 2, 3), m.ones(1, 2, 4))),
    "cell dimensions": lambda m: m.nn.GRUCell(4, 3)(m.ones(5, 2, 4)),
    "cell hx dimensions": lambda m: m.nn.LSTMCell(4, 3)(m.ones(2, 4), (m.ones(1, 2, 3), m.ones(1, 2, 3))),
    "cell features": lambda m: m.nn.GRUCell(4, 3)(m.ones(2, 5)),
    "cell batch": lambda m: m.nn.GRUCell(4, 3)(m.ones(2, 4), m.ones(1, 3)),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_as_in_pytorch(call, torch):
    refuse(torch, call)


def test_dropout_with_one_layer_warns():
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        tg.nn.LSTM(4, 3, dropout=0.5)
