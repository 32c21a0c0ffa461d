"""Module, containers, layers and activations: PyTorch's behaviour, numbers and printed form."""

import collections
import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

ACTIVATIONS = [
    ("ReLU", {}), ("ReLU", {"inplace": True}), ("ReLU6", {}), ("LeakyReLU", {"negative_slope": 0.2}), ("ELU", {}),
    ("ELU", {"alpha": 0.5, "inplace": True}), ("SELU", {}), ("CELU", {"alpha": 0.5}), ("GELU", {}),
    ("GELU", {"approximate": "tanh"}), ("SiLU", {}), ("Mish", {}), ("Softplus", {"beta": 2.0, "threshold": 3.0}),
    ("Softsign", {}), ("Hardtanh", {"min_val": -0.5}), ("Hardsigmoid", {}), ("Hardswish", {}), ("LogSigmoid", {}),
    ("Tanh", {}), ("Tanhshrink", {}), ("Sigmoid", {}), ("Softmax", {"dim": 1}), ("LogSoftmax", {"dim": 0}),
    ("Softmin", {"dim": -1}), ("Identity", {}), ("Flatten", {}), ("Flatten", {"start_dim": 0}),
    ("Threshold", {"threshold": 0.1, "value": 2.0, "inplace": True}), ("Hardshrink", {}),
    ("Softshrink", {"lambd": 0.3}), ("PReLU", {}), ("PReLU", {"num_parameters": 4, "init": 0.5}), ("GLU", {}),
    ("GLU", {"dim": 1}),
    ("Unflatten", {"dim": 1, "unflattened_size": (2, -1)}), ("Dropout", {"p": 0.0}),
]  # fmt: skip


@pytest.mark.parametrize("name, options", ACTIVATIONS, ids=str)
def test_a_layer_without_parameters_is_pytorchs(name, options, torch):
    random = np.random.default_rng(0)
    array = random.standard_normal((3, 4)) * 3
    results = []
    for library in (tg, torch):
        layer = getattr(library.nn, name)(**options).double()
        x = library.tensor(array, requires_grad=True)
        y = layer(x * 1.0)
        (y * y).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy(), repr(layer)))
    assert results[0][2] == results[1][2]
    for found, expected in zip(results[0][:2], results[1][:2], strict=True):
        rtol = 1e-7 if name == "Hardsigmoid" else 1e-12  # PyTorch's 1/6 is a float32
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-13)


def test_an_activation_takes_tensors_only():
    with pytest.raises(TypeError, match="must be Tensor, not list"):
        F.gelu([1.0])
    with pytest.raises(RuntimeError, match="none or tanh"):
        F.gelu(tg.zeros(1), approximate="sigmoid")


class Branches(nn.Module):
    """The same tree in either library."""

    def __init__(self, library):
        super().__init__()
        build(self, library)


def build(module, library):
    n = library.nn
    module.first = n.Linear(2, 3)
    module.chain = n.Sequential(collections.OrderedDict([("a", n.Linear(3, 3)), ("b", n.ReLU())]))
    module.list = n.ModuleList([n.Linear(3, 3), n.Linear(3, 3), n.Tanh()])
    module.dict = n.ModuleDict({"left": n.Linear(1, 1), "right": n.Identity()})
    module.scale = n.Parameter(library.ones(3))
    module.scales = n.ParameterList([library.zeros(2), library.ones(1)])
    module.named = n.ParameterDict({"p": n.Parameter(library.ones(1))})
    module.register_buffer("mean", library.zeros(3))
    module.register_buffer("cache", library.zeros(1), persistent=False)
    module.register_parameter("nothing", None)
    module.again = module.first


@pytest.fixture
def twins(torch):
    theirs = torch.nn.Module()
    tg.manual_seed(3)
    torch.manual_seed(3)
    build(theirs, torch)
    ours = nn.Module()
    build(ours, tg)
    return ours, theirs


def names(pairs):
    return [name for name, _ in pairs]


def test_names_and_numbers_are_pytorchs(twins):
    ours, theirs = twins
    for method in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert names(getattr(ours, method)()) == names(getattr(theirs, method)()), method
    assert names(ours.named_parameters("net", recurse=False)) == names(theirs.named_parameters("net", recurse=False))
    assert names(ours.named_parameters(remove_duplicate=False)) == names(
        theirs.named_parameters(remove_duplicate=False)
    )
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in ours.state_dict(prefix="").items():
        np.testing.assert_array_equal(value.numpy(), theirs.state_dict()[key].numpy())


def test_a_tree_prints_as_pytorchs(torch):
    def make(n):
        return n.Sequential(n.Linear(2, 3), n.ModuleList([n.Tanh(), n.Tanh(), n.Linear(1, 1)]), n.Sequential())

    assert repr(make(nn)) == repr(make(torch.nn))
    dicts = [n.ModuleDict({"a": n.Tanh(), "b": n.ModuleList()}) for n in (nn, torch.nn)]
    assert repr(dicts[0]) == repr(dicts[1])
    lists = [lib.nn.ParameterList([lib.zeros(2, 3), lib.zeros(4)]) for lib in (tg, torch)]
    assert repr(lists[0]) == repr(lists[1])
    for sizes in ([2], [2, 3]):
        found, expected = (lib.nn.ParameterDict({f"p{n}": lib.zeros(n) for n in sizes}) for lib in (tg, torch))
        assert repr(found) == repr(expected)


def test_chains_are_joined_and_repeated_as_in_pytorch(torch):
    texts = []
    for n in (nn, torch.nn):
        chain = n.Sequential(n.Tanh(), n.ReLU())
        texts.append([repr(chain + chain), repr(chain * 2), repr(2 * chain)])
        chain += n.Sequential(n.Tanh())
        chain *= 2
        texts[-1].append(repr(chain))
        for call, error in ((lambda c=chain: c + [1], ValueError), (lambda c=chain: c * 0, ValueError),
                            (lambda c=chain: c * 1.5, TypeError)):  # fmt: skip
            with pytest.raises(error):
                call()
    assert texts[0] == texts[1]


def test_a_dict_of_parameters_is_a_dict(torch):
    for library in (tg, torch):
        p = library.nn.Parameter(library.ones(1))
        found = library.nn.ParameterDict({"a": p, "b": library.zeros(2)})
        assert list(reversed(found)) == ["b", "a"] and found.get("c", 3) == 3 and found.copy()["a"] is p
        assert list(found | {"c": library.ones(1)}) == ["a", "b", "c"] and list(found) == ["a", "b"]
        found |= {"d": p}
        assert found.setdefault("d", None) is p and found.popitem()[0] == "d" and len(found) == 2
        assert list(found.fromkeys(["x"], p)) == ["x"]


def test_what_is_assigned_to_a_name_must_be_of_its_kind():
    module = Branches(tg)
    for name, kind in (("scale", "parameter"), ("first", "child module"), ("mean", "buffer")):
        with pytest.raises(TypeError, match=f"cannot assign 'str' as {kind} '{name}'"):
            setattr(module, name, "text")
        setattr(module, name, None)
        assert getattr(module, name) is None
    module.scale = nn.Tanh()
    assert "scale" in module._modules and "scale" not in module._parameters
    for name, error in (("a.b", KeyError), ("", KeyError), (3, TypeError), ("forward", KeyError)):
        with pytest.raises(error):
            module.register_buffer(name, None)
    with pytest.raises(TypeError, match="cannot assign 'int' object to parameter"):
        module.register_parameter("weight", 3)
    with pytest.raises(TypeError, match="not a Module subclass"):
        module.add_module("layer", 3)


def test_a_part_is_found_by_its_dotted_name():
    module = Branches(tg)
    assert module.get_submodule("list.1") is module.list[1] and module.get_submodule("") is module
    assert module.get_parameter("chain.a.weight") is module.chain.a.weight
    assert module.get_buffer("mean") is module.mean
    for call, name in ((module.get_submodule, "scale"), (module.get_parameter, "mean"), (module.get_buffer, "scale")):
        with pytest.raises(AttributeError, match="is not a"):
            call(name)
    with pytest.raises(AttributeError, match="no attribute"):
        module.get_submodule("missing")


def test_apply_visits_the_innermost_first_and_in_order():
    seen = []
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Tanh()))
    model.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Tanh", "Sequential", "Sequential"]


def test_a_list_is_a_list_and_a_chain_too():
    a, b, c = nn.Linear(1, 1), nn.Tanh(), nn.ReLU()
    for make in (lambda *m: nn.ModuleList(m), nn.Sequential):
        modules = make(a, b)
        assert modules.append(c) is modules and len(modules) == 3 and modules[-1] is c and b in modules
        assert type(modules[1:]) is type(modules) and list(modules[1:])[0] is b
        modules.insert(0, c)
        assert list(modules) == [c, a, b, c]
        del modules[0]
        modules[1] = c
        assert list(modules) == [a, c, c] and list(modules._modules) == ["0", "1", "2"]
        assert modules.pop() is c and list(modules.extend([b])) == [a, c, b]
        with pytest.raises(IndexError):
            modules[3]
        with pytest.raises(TypeError, match="not a Module subclass"):
            modules.append(3)
    named = nn.Sequential({"in": a, "out": b})
    assert named.out is b and list(named[1:]._modules) == ["out"]
    assert list(nn.ModuleList([a]) + [b]) == [a, b] == list(nn.Sequential(a) + nn.Sequential(b))


def test_a_dict_is_a_dict():
    a, b = nn.Tanh(), nn.ReLU()
    modules = nn.ModuleDict({"a": a})
    modules["b"] = b
    assert modules["b"] is b and "a" in modules and list(modules) == ["a", "b"] and len(modules) == 2
    assert list(modules.items()) == [("a", a), ("b", b)] and list(modules.values()) == [a, b]
    assert modules.pop("a") is a and list(modules.keys()) == ["b"]
    with pytest.raises(TypeError, match="not a Module subclass"):
        modules["c"] = 3
    modules.clear()
    assert not len(modules)
    parameters = nn.ParameterDict([("p", tg.ones(2))])
    assert isinstance(parameters["p"], nn.Parameter) and len(list(parameters.parameters())) == 1
    with pytest.raises(TypeError, match="Parameter or a Tensor"):
        nn.ParameterList([1.0])


def test_layers_in_a_plain_dict_are_warned_about():
    with pytest.warns(UserWarning, match=r"nn.ModuleDict\({...}\)"):
        nn.Module().layers = {"a": nn.Tanh()}


def test_hooks_see_and_replace():
    layer, seen = nn.Linear(2, 1), []
    first = layer.register_forward_pre_hook(lambda module, args: (args[0] * 2.0,))
    second = layer.register_forward_hook(lambda module, args, out: seen.append((module, args[0].tolist())))
    third = layer.register_forward_hook(lambda module, args, kwargs, out: out * 10.0, with_kwargs=True, prepend=True)
    x = tg.ones(2)
    found = layer(x)
    np.testing.assert_allclose(found.tolist(), (layer.forward(x * 2.0) * 10.0).tolist())
    assert seen == [(layer, [2.0, 2.0])]
    for handle in (first, second, third):
        handle.remove()
    assert layer(x).tolist() == layer.forward(x).tolist() and len(seen) == 1


def test_a_converted_module_keeps_its_parameters_gradients_and_optimizer():
    module = nn.Linear(2, 1)
    module.register_buffer("count", tg.zeros(1, dtype=tg.int64))
    optimizer = tg.optim.SGD(module.parameters(), lr=0.5)
    before = list(module.parameters())
    loss = module(tg.ones(2, requires_grad=True)).sum()
    module.double()
    assert list(module.parameters()) == before and module.count.dtype is tg.int64
    module.weight.grad = tg.ones(1, 2, dtype=tg.float64)
    module.float().to(tg.float64)
    assert module.weight.grad.dtype is tg.float64
    start = module.weight.tolist()
    optimizer.step()
    np.testing.assert_allclose(module.weight.tolist(), np.array(start) - 0.5)
    with pytest.raises(RuntimeError, match="modified"):
        (loss * 1.0).backward()
    with pytest.raises(TypeError, match="only accepts floating point"):
        module.to(tg.int64)


def test_copies_and_pickles_are_independent_and_keep_ties():
    module = Branches(tg)
    module.tied = nn.Linear(3, 3)
    module.tied.weight = module.list[0].weight
    module.scale.grad = tg.ones(3)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module.eval()))):
        assert repr(other) == repr(module) and other.tied.weight is other.list[0].weight
        assert other.scale.tolist() == module.scale.tolist() and isinstance(other.scale, nn.Parameter)
        tg.nn.init.zeros_(other.scale)
        assert module.scale.tolist() == [1.0] * 3 and other.scale.requires_grad
    assert copy.deepcopy(module).scale.grad is None
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(module.scale * 2.0)


def test_loading_reports_as_pytorchs(twins, torch):
    ours, theirs = twins
    state = {k: v for k, v in ours.state_dict().items() if k != "scale"}
    messages = []
    for module, library in ((ours, tg), (theirs, torch)):
        given = {k: library.zeros(*v.shape) for k, v in state.items()} | {
            "new": library.ones(1),
            "mean": library.ones(9),
        }
        with pytest.raises(RuntimeError) as error:
            module.load_state_dict(given)
        messages.append(str(error.value))
        del given["mean"]
        keys = module.load_state_dict(given, strict=False)
        assert keys.missing_keys == ["scale", "mean"] and keys.unexpected_keys == ["new"]
        assert repr(module.load_state_dict(module.state_dict())) == "<All keys matched successfully>"
    assert messages[0] == messages[1]
    with pytest.raises(RuntimeError, match="expected a Tensor, got list"):
        ours.load_state_dict({"scale": [1.0]}, strict=False)
    with pytest.raises(TypeError, match="dict-like"):
        ours.load_state_dict([])


def test_training_mode_reaches_all_and_dropout_asks_for_it():
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(1.0)))
    x = tg.ones(1000)
    assert not any(model(x).tolist())
    assert model.eval()(x) is x and not model[1][0].training
    with pytest.raises(ValueError, match="boolean"):
        model.train(1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(1.5)


def test_dropout_drops_a_share_and_keeps_the_mean():
    tg.manual_seed(0)
    x = tg.ones(20_000, requires_grad=True)
    y = F.dropout(x, 0.25)
    kept = np.array(y.tolist()) != 0
    assert abs(kept.mean() - 0.75) < 0.02 and set(y.tolist()) == {0.0, float(np.float32(1) / np.float32(0.75))}
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_dropout_has_pytorchs_numbers_where_pytorch_has_portable_ones(torch):
    masks = []
    for library, functional in ((tg, F), (torch, torch.nn.functional)):
        library.manual_seed(1)
        masks.append(functional.dropout(library.ones(100), 0.3).tolist())
    torch.manual_seed(1)
    u = torch.rand(100, dtype=torch.float64)
    portable = (u < 0.7).to(torch.float32).div(0.7).tolist()
    assert masks[0] == portable
    if masks[1] != portable:
        pytest.skip("on this processor PyTorch draws these numbers by another library")


def test_an_embedding_is_pytorchs(torch):
    results = []
    for library in (tg, torch):
        library.manual_seed(5)
        layer = library.nn.Embedding(7, 3, padding_idx=-2)
        out = layer(library.tensor([[0, 5, 6], [6, 6, 1]]))
        (out * out).sum().backward()
        results.append((layer.weight.detach().numpy(), out.detach().numpy(), layer.weight.grad.numpy(), repr(layer)))
    for found, expected in zip(results[0][:3], results[1][:3], strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-6)
    assert results[0][3] == results[1][3]
    for bad, error in ((tg.tensor([7]), IndexError), (tg.tensor([0.5]), RuntimeError)):
        with pytest.raises(error):
            nn.Embedding(7, 3)(bad)


def test_unflatten_checks_its_sizes():
    with pytest.raises(RuntimeError, match="don't multiply up"):
        nn.Unflatten(1, (2, 2))(tg.zeros(1, 6))
    with pytest.raises(TypeError, match="tuple of ints"):
        nn.Unflatten(1, "ab")


def test_backward_hooks_and_outputs_that_nothing_depends_on(torch):
    """No gradient is None, and not zeros; where the outputs are in a dict there are no hooks, and a warning."""
    for m in (tg, torch):

        class Two(m.nn.Module):
            def forward(self, x, named=False):
                return {"out": x * 2} if named else (x * 2, x * 3)

        module, seen = Two(), []
        module.register_full_backward_hook(lambda module, inputs, outputs, seen=seen: seen.append((inputs, outputs)))
        x = m.ones(2, requires_grad=True)
        module(x)[0].sum().backward()
        ((inputs,), (first, second)) = seen.pop()
        assert inputs.tolist() == [2.0, 2.0] and first.tolist() == [1.0, 1.0] and second is None
        with pytest.warns(UserWarning, match="module output should be a Tensor or a tuple of Tensors"):
            out = module(x, named=True)["out"]
        out.sum().backward()
        assert not seen and x.grad.tolist() == [4.0, 4.0]
