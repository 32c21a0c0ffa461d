"""Bad input: PyTorch's exception, and a message that says what, where and how to put it right."""

import numpy as np
import pytest

import tinygrad_edu as tg


def leaf(*shape):
    return tg.ones(*shape, requires_grad=True)


def twice(x):
    loss = (x * x).sum()
    loss.backward()
    loss.backward()


def in_place(x):
    x += 1.0


# what is done, the exception, a part of the message, the same in PyTorch (None: it has no such thing)
BAD = [
    # data
    (lambda t: t.tensor([[1, 2], [3]]), ValueError, "element 1"),
    (lambda t: t.tensor([[1.0], 2.0]), (TypeError, ValueError), "element 1"),
    (lambda t: t.tensor([1.0, [2.0]]), (TypeError, ValueError), "element 0"),
    (lambda t: t.tensor("abc"), TypeError, "numbers"),
    (lambda t: t.tensor(["a", "b"]), (TypeError, ValueError), "numbers"),
    (lambda t: t.tensor({1: 2}), (TypeError, RuntimeError), "dict"),
    (lambda t: t.tensor(None), (TypeError, RuntimeError), "numbers"),
    (lambda t: t.tensor([None]), (TypeError, RuntimeError), "numbers"),
    (lambda t: t.tensor([1 + 2j]) + t.tensor(object()), (TypeError, RuntimeError), ""),
    (lambda t: t.from_numpy([1.0]), TypeError, "expected np.ndarray"),
    (lambda t: t.from_numpy(np.array(["a"])), TypeError, "can't convert np.ndarray"),
    (lambda t: t.from_numpy(np.arange(3.0)[::-1]), ValueError, "negative"),
    (lambda t: t.zeros(-1), RuntimeError, "negative dimension"),
    (lambda t: t.zeros(2.5), TypeError, "ints"),
    (lambda t: t.zeros((2, "a")), TypeError, "ints"),
    (lambda t: t.arange(0, 5, 0), RuntimeError, "nonzero"),
    (lambda t: t.arange(0, 5, -1), RuntimeError, "step sign"),
    (lambda t: t.linspace(0, 1, -1), RuntimeError, "non-negative"),
    # dtypes
    (lambda t: t.tensor([1, 2], requires_grad=True), RuntimeError, "floating point.*int64"),
    (lambda t: t.tensor([True], requires_grad=True), RuntimeError, "floating point.*bool"),
    (lambda t: t.ones(2, dtype=t.int64).requires_grad_(), RuntimeError, r"\.float\(\)"),
    (lambda t: t.ones(2, dtype="float32"), TypeError, "dtype"),
    (lambda t: t.ones(2, dtype=t.int64).mean(), RuntimeError, "floating point"),
    (lambda t: t.ones(2, dtype=t.int64).add_(1.5), RuntimeError, "can't be cast"),
    (lambda t: t.ones(2, dtype=t.int64).div_(2), RuntimeError, "can't be cast"),
    (lambda t: t.tensor([True]) - t.tensor([True]), RuntimeError, "bool"),
    (lambda t: -t.tensor([True]), RuntimeError, "bool"),
    (lambda t: t.tensor([2]) ** -1, RuntimeError, "negative integer powers"),
    (lambda t: t.ones(2, 2) @ t.ones(2, 2, dtype=t.float64), RuntimeError, "dtype"),
    (lambda t: t.where(t.ones(2), 1.0, t.ones(2)), RuntimeError, "bool"),
    # devices
    (lambda t: t.ones(2, device="gpu"), RuntimeError, "Expected one of cpu, cuda"),
    (lambda t: t.ones(2, device="cpu:x"), RuntimeError, "Invalid device string"),
    (lambda t: t.ones(2).to("tpu0"), RuntimeError, "Expected one of cpu, cuda"),
    # shapes
    (lambda t: t.ones(2, 3) + t.ones(4), RuntimeError, r"a \(3\) must match the size of tensor b \(4\).*dimension 1"),
    (lambda t: t.ones(2, 3) + t.ones(3, 2), RuntimeError, r"a \(3\) must match .* b \(2\).*dimension 1"),
    (lambda t: t.ones(2, 3) * t.ones(3, 3), RuntimeError, "dimension 0"),
    (lambda t: t.ones(2).add_(t.ones(3, 2)), RuntimeError, "broadcast shape"),
    (lambda t: t.ones(6).reshape(4), RuntimeError, "invalid for input of size 6"),
    (lambda t: t.ones(6).reshape(-1, 4), RuntimeError, "invalid for input of size 6"),
    (lambda t: t.ones(6).reshape(-1, -1), RuntimeError, "only one dimension can be inferred"),
    (lambda t: t.ones(2, 3).permute(0, 0), RuntimeError, "permute"),
    (lambda t: t.ones(2, 3).permute(0), RuntimeError, "permute"),
    (lambda t: t.ones(2, 3).transpose(0, 2), IndexError, "out of range"),
    (lambda t: t.ones(2, 3, 4).t(), RuntimeError, "<= 2 dimensions"),
    (lambda t: t.ones(2, 3).expand(3, 3), RuntimeError, "must match the existing size"),
    (lambda t: t.ones(2, 3).expand(3), RuntimeError, "expand"),
    (lambda t: t.ones(2).unsqueeze(3), IndexError, "out of range"),
    (lambda t: t.ones(2, 3).sum(2), IndexError, "out of range"),
    (lambda t: t.ones(2, 3).sum((0, 0)), RuntimeError, "multiple times"),
    (lambda t: t.ones(2).flatten(3), IndexError, "out of range"),
    (lambda t: t.ones(1).squeeze(4), IndexError, "out of range"),
    # indexing
    (lambda t: t.ones(2)[2], IndexError, "index 2 is out of bounds for dimension 0 with size 2"),
    (lambda t: t.ones(2, 3)[0, -4], IndexError, "dimension 1"),
    (lambda t: t.ones(2)[0, 0], IndexError, "too many indices"),
    (lambda t: t.ones(2)[::-1], ValueError, "greater than zero"),
    (lambda t: t.ones(2)["a"], (TypeError, IndexError), "indices"),
    (lambda t: t.ones(2)[1.0], (TypeError, IndexError), "indices"),
    (lambda t: t.ones(2).__setitem__(0, t.ones(3)), RuntimeError, "shape"),
    (lambda t: t.ones(2).__setitem__(0, "a"), TypeError, "assign"),
    (lambda t: t.ones(1).expand(3).add_(1.0), RuntimeError, "single memory location.*clone"),
    # gradients
    (lambda t: t.ones(2, requires_grad=True).backward(), RuntimeError, "only for scalar outputs"),
    (lambda t: t.ones(2).sum().backward(), RuntimeError, "does not require grad"),
    (lambda t: twice(t.ones(2, requires_grad=True)), RuntimeError, "second time.*retain_graph=True"),
    (lambda t: (t.ones(2, requires_grad=True) * 2).backward(t.ones(3)), RuntimeError, "shape"),
    (lambda t: (t.ones(2, requires_grad=True) * 2).backward([1.0, 1.0]), TypeError, "Tensors or None"),
    (lambda t: in_place(t.ones(2, requires_grad=True)), RuntimeError, "leaf.*in-place.*no_grad"),
    (lambda t: t.ones(2, requires_grad=True).zero_(), RuntimeError, "leaf.*in-place"),
    (lambda t: t.ones(2, requires_grad=True).__setitem__(0, 1.0), RuntimeError, "leaf.*in-place"),
    (lambda t: t.ones(2).retain_grad(), RuntimeError, "retain_grad"),
    (lambda t: (t.ones(2, requires_grad=True) * 2).requires_grad_(False), RuntimeError, "leaf"),
    (lambda t: t.ones(2, requires_grad=True).numpy(), RuntimeError, r"detach\(\).numpy\(\)"),
    (lambda t: setattr(t.ones(2, requires_grad=True), "grad", 1.0), TypeError, "grad"),
    (lambda t: setattr(t.ones(2, requires_grad=True), "grad", t.ones(3)), RuntimeError, "size"),
    (lambda t: t.autograd.grad(t.ones(2, requires_grad=True).sum(), t.ones(2)), RuntimeError, "require"),
    # conversion
    (lambda t: t.ones(2).item(), RuntimeError, "2 elements cannot be converted to Scalar"),
    (lambda t: bool(t.ones(2)), RuntimeError, "more than one value is ambiguous"),
    (lambda t: bool(t.ones(0)), RuntimeError, "no values is ambiguous"),
    (lambda t: len(t.tensor(1.0)), TypeError, "0-d"),
    (lambda t: list(t.tensor(1.0)), TypeError, "0-d"),
    (lambda t: [1][t.tensor(0.0)], TypeError, "only integer tensors"),
    # operands and names
    (lambda t: t.ones(2) + "a", TypeError, ""),
    (lambda t: t.ones(2) * None, TypeError, ""),
    (lambda t: t.ones(2) @ 2.0, TypeError, ""),
    (lambda t: t.exp(2.0), TypeError, "must be Tensor, not float"),
    (lambda t: t.matmul(t.ones(2), 2.0), TypeError, "must be Tensor, not float"),
    (lambda t: t.tensor([1.0], require_grad=True), TypeError, "require_grad"),
    (lambda t: t.zeros(2, requires_gradients=True), TypeError, "requires_gradients"),
    (lambda t: t.nn.Linear(2, 3, biass=True), TypeError, "biass"),
    (lambda t: t.tensr, AttributeError, ""),
    (lambda t: t.nn.linear, AttributeError, ""),
    (lambda t: t.optim.Adamm, AttributeError, ""),
    (lambda t: t.ones(2).requires_gradd, AttributeError, ""),
]  # fmt: skip


@pytest.mark.parametrize("k", range(len(BAD)))
def test_bad_input_raises_what_pytorch_raises_and_says_why(k, torch):
    bad, error, text = BAD[k]
    with pytest.raises(error, match=f"(?s){text}") as ours:
        bad(tg)
    with pytest.raises(Exception) as theirs:
        bad(torch)
    assert len(str(ours.value)) > 10
    if not isinstance(error, tuple):
        assert issubclass(ours.type, theirs.type) or issubclass(theirs.type, ours.type), theirs


@pytest.mark.parametrize(
    "bad, suggestion",
    [
        (lambda: tg.tensr, "tensor"),
        (lambda: tg.nn.Lineer, "Linear"),
        (lambda: tg.nn.linear, "did you mean 'Linear', or nn.functional.linear"),
        (lambda: tg.optim.Adamm, "Adam"),
        (lambda: tg.ones(2).requires_gradd, "requires_grad"),
        (lambda: tg.ones(2, require_grad=True), "requires_grad"),
        (lambda: tg.tensor([1.0], requires_gradients=True), "requires_grad"),
        (lambda: tg.nn.Linear(1, 1).wieght, "weight"),
    ],
)
def test_a_misspelt_name_suggests_the_nearest_real_one(bad, suggestion):
    with pytest.raises((AttributeError, TypeError), match=rf"'?{suggestion}'?\?"):
        bad()


def test_a_missing_gpu_says_what_to_do():
    with pytest.raises(RuntimeError, match="device='cpu'.*doctor"):
        tg.ones(2, device="cuda")


def test_an_error_leaves_the_tensor_and_the_mode_as_they_were():
    x = tg.ones(2)
    for bad in (lambda: x.add_(tg.ones(3)), lambda: x.__setitem__(0, tg.ones(4)), lambda: x.add_("a")):
        with pytest.raises((RuntimeError, TypeError)):
            bad()
    assert x.tolist() == [1.0, 1.0]
    y = leaf(2) * 1.0
    with pytest.raises(RuntimeError):
        y.backward()
    assert tg.is_grad_enabled()


def test_a_numpy_array_as_operand_is_refused_with_the_fix():
    for bad in (lambda: tg.ones(2) + np.ones(2), lambda: np.ones(2) + tg.ones(2)):
        with pytest.raises(TypeError):
            bad()


def test_numpys_numbers_are_numbers():
    x = tg.tensor([1.0, 4.0])
    results = [
        x ** np.float64(0.5),
        x + np.float32(1.0),
        np.float32(2.0) * x,
        x.pow(np.int64(2)),
        x.clone().add_(np.float32(1)),
    ]
    assert all(type(y) is tg.Tensor and y.dtype is tg.float32 for y in results)
    assert [y.tolist() for y in results] == [[1.0, 2.0], [2.0, 5.0], [2.0, 8.0], [1.0, 16.0], [2.0, 5.0]]


def test_whole_numbers_have_no_negative_powers():
    for change in (lambda x: x**-1, lambda x: x.pow(-1), lambda x: x.pow_(-1)):
        with pytest.raises(RuntimeError, match="negative integer powers"):
            change(tg.tensor([2, 3]))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "half", "complex64", "complex128"])
def test_dtypes_without_kernels_are_names_that_say_so(name):
    dtype = getattr(tg, name)
    assert repr(dtype).startswith("torch.")
    for use in (lambda: tg.zeros(2, dtype=dtype), lambda: tg.ones(2).to(dtype), lambda: tg.ones(2).sum(dtype=dtype)):
        with pytest.raises(TypeError, match="name only.*Use"):
            use()


def test_where_of_a_condition_alone_is_where_it_holds():
    assert [i.tolist() for i in tg.where(tg.tensor([[True, False], [False, True]]))] == [[0, 1], [0, 1]]
    with pytest.raises(TypeError, match="two operands"):
        tg.where(tg.tensor([True]), 1.0)
