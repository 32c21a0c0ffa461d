"""Modules against PyTorch: hooks, what is assigned and loaded, printed trees, activations with every argument."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import oracle
import pytest
from oracle import distinct, fixed, row

import tinygrad_edu as tg
from tinygrad_edu import nn

X = (3, 4)
KINKS = distinct(3, 4)

ROWS = [
    row("relu_", lambda m, x: m.nn.functional.relu_(x * 1.0), KINKS),
    row("relu_ of torch", lambda m, x: m.relu_(x * 1.0), KINKS),
    row("leaky_relu_", lambda m, x: m.nn.functional.leaky_relu_(x * 1.0, 0.3), KINKS),
    row("elu_", lambda m, x: m.nn.functional.elu_(x * 1.0, alpha=0.5), KINKS),
    row("selu_", lambda m, x: m.selu_(x * 1.0), KINKS),
    row("celu_", lambda m, x: m.celu_(x * 1.0, 0.5), KINKS),
    row("hardtanh_", lambda m, x: m.nn.functional.hardtanh_(x * 1.0, -0.52, 0.48), KINKS),
    row("threshold", lambda m, x: m.threshold(x, 0.1, -2.0), KINKS),
    row("threshold in place", lambda m, x: m.nn.functional.threshold(x * 1.0, 0.1, 20, inplace=True), KINKS),
    row("threshold_", lambda m, x: m.threshold_(x * 1.0, 0.1, 3.0), KINKS),
    row("threshold of integers", lambda m, x: m.threshold(x, 2, 7), fixed([[1, 2, 3, 4]], "int64"), gradient=False),
    row("hardshrink", lambda m, x: m.hardshrink(x), KINKS),
    row("hardshrink lambd", lambda m, x: m.nn.functional.hardshrink(x, lambd=0.2), KINKS),
    row("softshrink", lambda m, x: m.nn.functional.softshrink(x), KINKS),
    row("softshrink lambd", lambda m, x: m.nn.functional.softshrink(x, lambd=0.0), KINKS),
    row("softshrink nan", lambda m, x: m.nn.functional.softshrink(x), fixed([np.nan, -0.0, np.inf]), gradient=False),
    row("prelu one", lambda m, x, w: m.prelu(x, w), KINKS, fixed([0.3])),
    row("prelu channels", lambda m, x, w: m.nn.functional.prelu(x, w), KINKS, (4,)),
    row("prelu images", lambda m, x, w: m.nn.functional.prelu(x, w), distinct(2, 3, 2, 2), (3,)),
    row("prelu 0-d weight", lambda m, x, w: m.nn.functional.prelu(x, w), KINKS, fixed(0.3)),
    row("prelu 0-d", lambda m, x, w: m.nn.functional.prelu(x, w), fixed(-0.5), fixed([0.3])),
    row("prelu 1-d", lambda m, x, w: m.nn.functional.prelu(x, w), distinct(5), fixed([0.3])),
    row("rrelu", lambda m, x: m.rrelu(x, 0.1, 0.4), KINKS),
    row("rrelu in place", lambda m, x: m.nn.functional.rrelu(x * 1.0, inplace=True), KINKS),
    row("rrelu in training", lambda m, x: (m.manual_seed(3), m.rrelu(x, 0.1, 0.4, training=True))[1], KINKS,
        layouts=["contiguous"]),
    row("glu", lambda m, x: m.nn.functional.glu(x), X),
    row("glu dim", lambda m, x: m.nn.functional.glu(x, dim=0), (4, 3)),
    row("glu empty", lambda m, x: m.nn.functional.glu(x), (0, 4)),
    row("Softmax2d", lambda m, x: m.nn.Softmax2d()(x), (2, 3, 2, 2)),
    row("Softmax2d of one", lambda m, x: m.nn.Softmax2d()(x), (3, 2, 2)),
    row("RReLU", lambda m, x: m.nn.RReLU(0.2, 0.5).eval()(x), KINKS),
    row("GLU", lambda m, x: m.nn.GLU(0)(x), (4, 3)),
    row("pad_sequence", lambda m, x, y: m.nn.utils.rnn.pad_sequence([x, y]), (3, 2), (1, 2), layouts=["contiguous"]),
    row("pad_sequence left", lambda m, x, y: m.nn.utils.rnn.pad_sequence([x, y], True, 2.0, padding_side="left"),
        (3,), (5,)),
    row("unpad_sequence", lambda m, x: m.nn.utils.rnn.unpad_sequence(x, m.tensor([2, 3]), batch_first=True), (2, 3)),
    row("parameters_to_vector", lambda m, x, y: m.nn.utils.parameters_to_vector([x, y]), (3, 2), (4,),
        layouts=["contiguous"]),
    row("get_total_norm", lambda m, x, y: m.nn.utils.get_total_norm([x.detach(), y.detach()], 3.0), X, (2,),
        gradient=False),
]  # fmt: skip

REFUSED = {
    "an array for a Linear": lambda m: m.nn.Linear(3, 2)(np.ones((2, 3))),
    "an array for a LayerNorm": lambda m: m.nn.LayerNorm(3)(np.ones((2, 3))),
    "a list for an Embedding": lambda m: m.nn.Embedding(3, 2)([0, 1]),
    "a list for a Dropout": lambda m: m.nn.Dropout()([1.0]),
    "a list for one_hot": lambda m: m.nn.functional.one_hot([0, 1]),
    "a buffer with the name of a parameter": lambda m: m.nn.Linear(2, 2).register_buffer("weight", m.ones(1)),
    "a module with the name of a parameter": lambda m: m.nn.Linear(2, 2).add_module("weight", m.nn.ReLU()),
    "glu of a number": lambda m: m.nn.functional.glu(m.ones(())),
    "glu of three": lambda m: m.nn.functional.glu(m.ones(3)),
    "prelu of other channels": lambda m: m.nn.functional.prelu(m.ones(3, 4), m.ones(3)),
    "prelu of a matrix": lambda m: m.nn.functional.prelu(m.ones(3, 4), m.ones(1, 4)),
    "prelu of two dtypes": lambda m: m.nn.functional.prelu(m.ones(3, 4), m.ones(4, dtype=m.float64)),
    "prelu 0-d": lambda m: m.nn.functional.prelu(m.ones(()), m.ones(3)),
    "softshrink below 0": lambda m: m.nn.functional.softshrink(m.ones(3), -1.0),
    "rrelu bounds": lambda m: m.nn.functional.rrelu(m.ones(3), 0.5, 0.2),
    "Softmax2d of a matrix": lambda m: m.nn.Softmax2d()(m.ones(3, 3)),
    "in place on a leaf": lambda m: m.nn.functional.relu_(m.ones(3, requires_grad=True)),
    "pad nothing": lambda m: m.nn.utils.rnn.pad_sequence([]),
    "pad sides": lambda m: m.nn.utils.rnn.pad_sequence([m.ones(2)], padding_side="up"),
    "pad other widths": lambda m: m.nn.utils.rnn.pad_sequence([m.ones(2, 3), m.ones(2, 2)]),
    "parameter too early": lambda m: Early(m, m.nn.Parameter(m.ones(1))),
    "module too early": lambda m: Early(m, m.nn.Identity()),
    "train with text": lambda m: m.nn.Identity().train("yes"),
    "no forward": lambda m: m.nn.Module()(1),
    "a tensor as a parameter": lambda m: setattr(m.nn.Linear(1, 1), "weight", m.ones(1, 1)),
    "a number as a module": lambda m: setattr(m.nn.Sequential(m.nn.Identity()), "0", 3),
    "a number as a buffer": lambda m: setattr(buffered(m), "mean", 3),
    "a buffer that exists": lambda m: buffered(m).register_buffer("forward", None),
    "integers with gradients": lambda m: m.nn.Parameter(m.tensor([1])),
    "a state that is a list": lambda m: m.nn.Linear(1, 1).load_state_dict([]),
    "a state of other sizes": lambda m: m.nn.Linear(1, 1).load_state_dict(m.nn.Linear(2, 1).state_dict()),
    "a state of other names": lambda m: m.nn.Linear(1, 1).load_state_dict({"w": m.ones(1)}),
    "add_module of a number": lambda m: m.nn.Module().add_module("a", 3),
    "to integers": lambda m: m.nn.Linear(1, 1).to(m.int64),
    "no attribute": lambda m: m.nn.Linear(1, 1).wieght,
    "a missing module": lambda m: m.nn.Linear(1, 1).get_submodule("a.b"),
}  # fmt: skip

TestTable = oracle.parity(ROWS, REFUSED)


def test_a_state_dict_is_ordered_and_a_sequence_stays_numbered(torch):
    for m in (torch, tg):
        layers = m.nn.Sequential(OrderedDict(first=m.nn.Linear(1, 1), second=m.nn.ReLU(), third=m.nn.Linear(1, 1)))
        assert type(layers.state_dict()) is OrderedDict
        layers.pop(1)
        assert list(layers.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
        assert layers._get_name() == "Sequential"


class Early:
    """A module whose __init__ assigns before it calls that of Module."""

    def __new__(cls, library, value):
        class Module(library.nn.Module):
            def __init__(self):
                self.a = value

        return Module()


def buffered(library):
    module = library.nn.Module()
    module.register_buffer("mean", library.zeros(2))
    return module


def hooked(library, register, hook, **options):
    """The log of a hook on the middle of three layers; the gradients of the input and of the first weight."""
    library.manual_seed(0)
    model = library.nn.Sequential(library.nn.Linear(2, 3), library.nn.Tanh(), library.nn.Linear(3, 1)).double()
    x = library.tensor([[1.0, 2.0], [0.5, -1.0]], dtype=library.float64, requires_grad=True)
    log = []
    handle = getattr(model[1], register)(lambda *args: hook(library, log, *args), **options)
    out = model(x)
    out.sum().backward()
    first = model[0].weight.grad.numpy().copy()
    handle.remove()
    model.zero_grad()
    model(x).sum().backward()
    return log, out.detach().numpy(), first, model[0].weight.grad.numpy(), x.grad.numpy()


def numbers(*tensors):
    return [None if x is None else x.detach().numpy().tolist() for x in tensors]


HOOKS = {
    "pre": ("register_forward_pre_hook", lambda m, log, mod, args: log.append(numbers(*args)), {}),
    "pre, other input": ("register_forward_pre_hook", lambda m, log, mod, args: args[0] * 2, {}),
    "pre with kwargs": (
        "register_forward_pre_hook", lambda m, log, mod, args, kwargs: ((args[0] + 1,), kwargs), {"with_kwargs": True},
    ),
    "forward": ("register_forward_hook", lambda m, log, mod, args, out: log.append(numbers(*args, out)), {}),
    "other output": ("register_forward_hook", lambda m, log, mod, args, out: out * 3, {"prepend": True}),
    "forward with kwargs": (
        "register_forward_hook", lambda m, log, mod, args, kwargs, out: log.append((kwargs, numbers(out))),
        {"with_kwargs": True, "always_call": True},
    ),
    "backward": ("register_full_backward_hook", lambda m, log, mod, gi, go: log.append(numbers(*gi, *go)), {}),
    "other gradient": ("register_full_backward_hook", lambda m, log, mod, gi, go: (gi[0] * 2,), {}),
    "backward pre": ("register_full_backward_pre_hook", lambda m, log, mod, go: log.append(numbers(*go)), {}),
    "other output gradient": (
        "register_full_backward_pre_hook", lambda m, log, mod, go: (go[0] + 1,), {"prepend": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("register, hook, options", HOOKS.values(), ids=list(HOOKS))
def test_a_hook_sees_and_changes_what_pytorchs_does(register, hook, options, torch):
    found, expected = hooked(tg, register, hook, **options), hooked(torch, register, hook, **options)
    assert str(found[0])[:9] == str(expected[0])[:9] and len(found[0]) == len(expected[0])
    np.testing.assert_allclose(
        [v for v in np.ravel(np.array(found[0][0][-1] if found[0] else []))],
        [v for v in np.ravel(np.array(expected[0][0][-1] if expected[0] else []))],
        rtol=1e-12,
    )
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_backward_hooks_of_several_inputs_and_outputs(torch):
    seen = []
    for library in (tg, torch):

        class Both(library.nn.Module):
            def forward(self, x, n, y, *, scale):
                return x * y * scale, (x + y) * n

        log = []
        module = Both()
        module.register_full_backward_pre_hook(lambda mod, go, log=log: log.append(numbers(*go)))
        module.register_full_backward_hook(lambda mod, gi, go, log=log: log.append(numbers(*gi, *go)))
        x = library.tensor([1.0, 2.0], requires_grad=True)
        y = library.tensor([3.0, 4.0])
        a, b = module(x, 2.0, y, scale=10.0)
        (a.sum() + 5 * b.sum()).backward()
        seen.append((log, numbers(x.grad)))
    assert seen[0] == seen[1]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_a_backward_hook_fires_where_no_input_has_a_gradient(torch):
    seen = []
    for library in (tg, torch):
        layer, log = library.nn.Linear(1, 1, bias=False), []
        layer.register_full_backward_hook(lambda mod, gi, go, log=log: log.append(numbers(*gi, *go)))
        layer(library.ones(2, 1)).sum().backward()
        with library.no_grad():
            layer(library.ones(2, 1))
        seen.append(log)
    assert seen[0] == seen[1] == [[None, [[1.0], [1.0]]]]


def test_a_hook_that_is_always_called_is_called_after_a_failure(torch):
    for library in (tg, torch):
        seen, layer = [], library.nn.Linear(2, 1)
        for always in (True, False):
            layer.register_forward_hook(lambda mod, args, out, a=always, s=seen: s.append((a, out)), always_call=always)
        with pytest.raises(RuntimeError):
            layer(library.ones(1, 3))
        assert seen == [(True, None)]


def test_a_module_with_hooks_can_be_copied():
    layer = nn.Linear(2, 1)
    layer.register_forward_pre_hook(print_nothing)
    other = pickle.loads(pickle.dumps(copy.deepcopy(layer)))
    assert other(tg.ones(1, 2)).shape == (1, 1) and len(other._hooks["before"]) == 1


def print_nothing(module, args):
    return None


def net(library):
    n = library.nn
    block = n.Sequential(n.Linear(4, 4), n.PReLU(4), n.Dropout(0.25))
    return n.Sequential(
        n.Flatten(), n.Linear(4, 4, bias=False), n.ModuleList([block, n.Sequential(n.Linear(4, 4), n.ReLU(True))]),
        n.ModuleDict({"norm": n.LayerNorm(4), "act": n.GELU(approximate="tanh"), "glu": n.GLU()}),
        n.Embedding(5, 3, padding_idx=0), n.Unflatten(1, (2, 2)), n.Softmax(dim=-1), n.Threshold(0.1, 20),
        n.Hardshrink(), n.RReLU(inplace=True), n.CrossEntropyLoss(), n.LeakyReLU(0.2), n.Hardtanh(-2, 2),
        n.Identity(), n.ParameterList([library.ones(2)]), n.Softplus(), n.ELU(), n.LogSoftmax(1), n.Module(),
    )  # fmt: skip


def test_a_nested_tree_prints_as_pytorchs(torch):
    assert repr(net(tg)) == repr(net(torch))


def test_keys_that_do_not_fit_are_named_as_in_pytorch(torch):
    texts, results = [], []
    for library in (tg, torch):
        layer = library.nn.Sequential(library.nn.Linear(2, 1), library.nn.Linear(1, 1))
        state = {"0.weight": library.ones(1, 3), "0.bias": library.ones(1), "2.bias": library.ones(1)}
        with pytest.raises(RuntimeError) as error:
            layer.load_state_dict(state)
        texts.append(str(error.value))
        results.append(repr(layer.load_state_dict({"0.bias": library.ones(1), "x": library.ones(1)}, strict=False)))
        results.append(repr(layer.load_state_dict(layer.state_dict())))
    assert texts[0] == texts[1] and results[:2] == results[2:]


def test_a_state_may_take_the_places_of_the_parameters(torch):
    for library in (tg, torch):
        layer = buffered(library)
        layer.part = library.nn.Linear(2, 1)
        layer.part.bias.requires_grad_(False)
        state = {k: v.double() for k, v in layer.state_dict().items()}
        layer.load_state_dict(state, assign=True)
        assert layer.part.weight.dtype == library.float64 and layer.mean.dtype == library.float64
        assert isinstance(layer.part.weight, library.nn.Parameter)
        assert layer.part.weight.requires_grad and not layer.part.bias.requires_grad
        state["mean"][0] = 7.0
        assert layer.mean[0].item() == 7.0


def test_a_buffer_is_a_tensor_that_says_what_it_is(torch):
    for library in (tg, torch):
        module = library.nn.Module()
        module.mean = library.nn.Buffer(library.zeros(2))
        module.cache = library.nn.Buffer(library.zeros(2), persistent=False)
        module.p = library.nn.Parameter()
        assert list(dict(module.named_buffers())) == ["mean", "cache"] and list(module.state_dict()) == ["p", "mean"]
        module.mean = library.ones(2)
        assert list(module.state_dict()) == ["p", "mean"] and module.p.shape == (0,)
        module.register_module("part", library.nn.Identity())
        assert "part" in dir(module) and "mean" in dir(module)


def test_training_mode_is_passed_on_by_each_module(torch):
    for library in (tg, torch):

        class Frozen(library.nn.Dropout):
            def train(self, mode=True):
                return super().train(False)

        model = library.nn.Sequential(library.nn.Sequential(Frozen(), library.nn.Dropout())).train()
        assert [m.training for m in model.modules()] == [True, True, False, True]


def test_conversions_reach_all_that_floats(torch):
    for library in (tg, torch):
        module = buffered(library)
        module.register_buffer("count", library.tensor(3))
        module.weight = library.nn.Parameter(library.ones(2))
        kept = module.weight
        assert module.to(library.zeros(1, dtype=library.float64)) is module and module.weight is kept
        assert module.mean.dtype == library.float64 and module.count.dtype == library.int64
        assert module.type(library.float32).weight.dtype == library.float32
        assert module.to("cpu", library.float64, non_blocking=True).weight.dtype == library.float64


def test_a_copy_of_a_parameter_has_no_gradient_and_its_text_says_what_it_is(torch):
    for m in (tg, torch):
        p = m.nn.Parameter(m.tensor(2.0))
        p.grad = m.tensor(1.0)
        both = [p, {"same": p}]
        one, other = copy.deepcopy(both)
        assert one is other["same"] and type(one) is m.nn.Parameter and one.requires_grad and one.grad is None
        assert f"{p}" == "Parameter containing:\ntensor(2., requires_grad=True)"


def test_what_a_class_does_around_its_state_is_its_own_affair(torch):
    def told(m):
        class Wrapped(m.nn.Linear):
            def state_dict(self, **options):
                return {**super().state_dict(**options), "version": m.ones(1)}

            def load_state_dict(self, state, strict=True):
                return super().load_state_dict({k: v for k, v in state.items() if k != "version"}, strict)

        layer = Wrapped(1, 1)
        return str(layer.load_state_dict(layer.state_dict()))

    assert told(tg) == told(torch)


def test_one_element_is_loaded_into_a_number(torch):
    for m in (tg, torch):
        module = m.nn.Module()
        module.register_buffer("count", m.zeros(()))
        module.load_state_dict({"count": m.ones(1)})
        assert module.count.item() == 1.0 and module.count.shape == ()
        with pytest.raises(RuntimeError, match="size mismatch for count"):
            module.load_state_dict({"count": m.ones(1, 1)})


def lost(m):
    class Net(m.nn.Module):
        weight = None

        def __init__(self):
            super().__init__()
            self.weight = m.nn.Parameter(m.ones(1))

    Net()


def early(m):
    class Net(m.nn.Module):
        def __init__(self):
            self.register_buffer("mean", m.ones(1))

    Net()


@pytest.mark.parametrize(
    "call",
    [
        lost,
        early,
        lambda m: m.nn.Sequential(m.nn.Tanh()).insert(5, m.nn.Tanh()),
        lambda m: m.nn.ParameterList(m.ones(2, 2)),
        lambda m: m.nn.ParameterList().extend(3),
    ],
)
def test_mistakes_in_a_module_are_refused_as_in_pytorch(call, torch):
    oracle.refuse(torch, call)


def test_a_place_in_a_container_may_be_empty(torch):
    def text(m):
        layers = m.nn.ModuleList([None, m.nn.Tanh()])
        return repr(m.nn.ModuleDict({"skip": None, "layers": layers, "chain": m.nn.Sequential(m.nn.Tanh(), None)}))

    assert text(tg) == text(torch)
