"""Creation and the small elementwise operations, compared with PyTorch: one table."""

import warnings

import numpy as np
import pytest
from oracle import booleans, fixed, integers, parity, positive, row

import tinygrad_edu as tg


def made(name, call, *operands, **options):
    """A row about what is made, not about a gradient."""
    return row(name, call, *operands, gradient=False, layouts=("contiguous",), dtypes=("float32",), **options)


def quietly(call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


THREE = np.float32(3)
CREATION = {
    "tensor bool": lambda m: m.tensor([True, False]),
    "tensor mixed": lambda m: m.tensor([1, 2.5, True]),
    "tensor empty": lambda m: m.tensor([]),
    "tensor nested empty": lambda m: m.tensor([[], []]),
    "tensor of tensors": lambda m: m.tensor([m.tensor(1.5, dtype=m.float64), 2]),
    "tensor of arrays": lambda m: quietly(lambda: m.tensor([np.ones(2), np.zeros(2)])),
    "tensor of numpy numbers": lambda m: m.tensor([np.float64(1.5), np.float64(2)]),
    "numbers of NumPy": lambda m: (
        m.full((2,), THREE), m.full((2,), np.int64(2)), m.full((2,), np.float64(1)), m.zeros(2).fill_(THREE),
        m.zeros(2).clamp(min=THREE), m.where(m.tensor([True, False]), THREE, m.zeros(2)),
        m.clamp(m.ones(2), np.int64(2), 5),
        m.ones(2).masked_fill_(m.ones(2) > 0, THREE), m.zeros(2).add_(m.ones(2), alpha=THREE),
        m.nn.functional.leaky_relu(-m.ones(2), THREE), m.nn.init.constant_(m.ones(2), THREE),
        m.addcmul(m.ones(2), m.ones(2), m.ones(2), value=THREE), m.lerp(m.ones(2), m.zeros(2), THREE)),
    "tensor of kinds of numbers": lambda m: quietly(lambda: [
        m.tensor(x) for x in ([np.int64(1), 2.5], [1, np.float64(2)], [True, np.int32(1)], [m.tensor(1), 2.5],
                              [m.ones(1), m.ones(1, 1)], [np.float32(1), 2.5], [[1.5, 2], np.array([1, 2])])]),
    "tensor of a numpy number": lambda m: m.tensor(np.float64(1.5)),
    "tensor of a range": lambda m: m.tensor(range(3)),
    "tensor dtype": lambda m: m.tensor([1.9, -1.9], dtype=m.int64),
    "tensor dtype=int": lambda m: m.tensor([1.9], dtype=int),
    "as_tensor": lambda m: m.as_tensor([1, 2], dtype=m.float64),
    "as_tensor array": lambda m: m.as_tensor(np.arange(3), dtype=m.float32),
    "asarray": lambda m: m.asarray([1.0, 2.0], requires_grad=True),
    "asarray array": lambda m: m.asarray(np.ones(2), copy=True),
    "scalar_tensor": lambda m: (m.scalar_tensor(3), m.scalar_tensor(3, dtype=m.int64)),
    "frombuffer": lambda m: m.frombuffer(bytearray(range(12)), dtype=m.int32, count=1, offset=4),
    "zeros": lambda m: (m.zeros(2, 3), m.zeros((2, 3)), m.zeros(size=(2,)), m.zeros(()), m.zeros(0, 3)),
    "zeros options": lambda m: m.zeros([2], layout=m.strided, pin_memory=False, device="cpu", dtype=m.int32),
    "ones out": lambda m: m.ones(2, out=m.empty(2, dtype=m.int64)),
    "full": lambda m: [m.full((2,), v) for v in (1, True, 2.5, float("inf"))],
    "out of another shape": lambda m: [
        m.arange(5, out=m.empty(0, dtype=m.int64)), m.add(m.ones(2), 1, out=m.empty(0)),
        m.cat([m.ones(2), m.zeros(1)], out=m.empty(0)), m.stack([m.ones(2)] * 2, 1, out=m.empty(0)),
        quietly(lambda: m.sum(m.ones(2, 3), 0, out=m.empty(2))), m.hstack([m.ones(1)] * 2, out=m.empty(2)),
    ],
    "full dtype": lambda m: m.full((2, 1), 2.7, dtype=m.int64),
    "full size": lambda m: m.full(size=(2,), fill_value=3.0),
    "full_like": lambda m: (m.full_like(m.ones(2), 3), m.full_like(m.ones(2).long(), 2.7, dtype=m.float64)),
    "likes": lambda m: (m.zeros_like(m.ones(2, 3).t()), m.ones_like(input=m.ones(1).bool(), dtype=m.uint8)),
    "empty_like": lambda m: m.empty_like(m.ones(2, 0)),
    "eye": lambda m: (m.eye(2), m.eye(2, 3), m.eye(0), m.eye(3, 2, dtype=m.int64), m.eye(2, dtype=m.bool)),
    "arange": lambda m: (m.arange(3), m.arange(1, 4), m.arange(1, 9, 3), m.arange(5, 0, -2), m.arange(0)),
    "arange floats": lambda m: (m.arange(2.5), m.arange(1, 2.5, 0.5), m.arange(3, dtype=m.float64)),
    "arange named": lambda m: (m.arange(end=3), m.arange(start=1, end=4, step=2), m.arange(1, step=2, end=9)),
    "arange tensors": lambda m: m.arange(m.tensor(3), m.tensor(5.0)),
    "arange cut": lambda m: m.arange(0.5, 3.9, dtype=m.int64),
    "linspace": lambda m: [m.linspace(-1, 1, n) for n in (0, 1, 2, 7)],
    "linspace named": lambda m: m.linspace(start=0, end=1, steps=3, dtype=m.float64),
    "linspace integers": lambda m: m.linspace(0, 5, 3, dtype=m.int64),
    "linspace tensors": lambda m: m.linspace(m.tensor(0.0), m.tensor(2), 5),
    "logspace": lambda m: (m.logspace(0, 2, 3), m.logspace(-1, 1, 4, base=2), m.logspace(0, 2, 5, 2, dtype=m.int64)),
    "tril_indices": lambda m: (m.tril_indices(3, 3), m.tril_indices(3, 4, 1), m.tril_indices(0, 2)),
    "triu_indices": lambda m: (m.triu_indices(3, 4, -1, dtype=m.int32), m.triu_indices(2, 2, offset=1)),
    "meshgrid": lambda m: quietly(lambda: m.meshgrid(m.arange(2), m.arange(3))),
    "meshgrid xy": lambda m: m.meshgrid([m.arange(2), m.arange(3), m.tensor(4)], indexing="xy"),
    "new_": lambda m: [getattr(m.ones(2).long(), f"new_{n}")(2, 1) for n in ("zeros", "ones")],
    "new_full": lambda m: m.ones(2).long().new_full((2,), 3.7),
    "new_tensor": lambda m: (m.ones(2).new_tensor([1, 2]), m.ones(2).new_tensor([True], dtype=m.bool)),
    "new_zeros grad": lambda m: m.ones(2).new_zeros((2,), requires_grad=True).requires_grad,
    "old": lambda m: (m.Tensor([1, 2]), m.FloatTensor([1, 2]), m.LongTensor([1.5]), m.BoolTensor([1, 0]), m.Tensor()),
    "old sizes": lambda m: [tuple(t.shape) for t in (m.Tensor(2, 3), m.Tensor(2, 3, 4), m.LongTensor(2), m.Tensor(2))],
    "type":
        lambda m: (m.ones(1).type(), m.ones(1).type("torch.IntTensor"), m.ones(1).type(m.int8)),
    "type_as": lambda m: m.ones(2).type_as(m.ones(1).bool()),
    "conversions":
        lambda m: [getattr(m.tensor([1.7, 2.0]), n)() for n in "float double long int short char byte bool".split()],
    "isinstance": lambda m: (isinstance(m.ones(1), m.FloatTensor), isinstance(m.ones(1), m.LongTensor)),
    "promote": lambda m: [str(m.promote_types(a, b)) for a in (m.int8, m.bool) for b in (m.uint8, m.float32)],
    "result_type": lambda m: [str(m.result_type(m.tensor([1]), v)) for v in (1, 2.5, m.tensor(1.0, dtype=m.float64))],
    "can_cast": lambda m: [m.can_cast(a, b) for a in (m.float32, m.int64, m.bool) for b in (m.int64, m.uint8, m.bool)],
    "finfo": lambda m: [str(m.finfo(d)) for d in (m.float32, m.float64)] + [m.finfo().eps, m.finfo(m.float64).bits],
    "iinfo": lambda m: [str(m.iinfo(d)) for d in (m.int8, m.uint8, m.int64)] + [m.iinfo(m.int32).max],
    "numbers": lambda m: (int(m.tensor([2.7])), float(m.tensor(2)), complex(m.tensor(2.0)), bool(m.tensor([0]))),
    "index": lambda m: ([5, 6][m.tensor([[1]])], range(3)[m.tensor(True)]),
    "contains": lambda m: (2 in m.tensor([1, 2]), 2.5 in m.tensor([1, 2]), m.tensor(1) in m.tensor([1])),
    "format": lambda m: f"{m.tensor(1.2345):.2f} {m.tensor(3):5d} {m.tensor([1.0])}",
    "reversed": lambda m: list(reversed(m.tensor([1, 2]))),
    "questions":
        lambda m: [m.is_tensor(1), m.is_floating_point(m.ones(1)), m.numel(m.ones(2, 3)), m.is_nonzero(m.ones(1))],
    "sizes": lambda m: [m.ones(2, 3).numel(), m.ones(2, 3).shape.numel(), m.ones(2).element_size(), m.ones(2).nbytes],
    "equal": lambda m: [m.equal(m.ones(2), m.ones(n)) for n in (2, 3)] + [m.ones(2).equal(m.ones(2).long())],
    "allclose": lambda m: [m.allclose(m.ones(2), m.tensor([1, v]), atol=1e-3) for v in (1.0001, 1.1, float("nan"))],
    "allclose nan": lambda m: m.allclose(m.tensor([float("nan")]), m.tensor([float("nan")]), equal_nan=True),
    "where numbers": lambda m: (m.where(m.tensor([True, False]), 1, 0), m.where(m.tensor([True]), m.ones(1), 2)),
    "where alone": lambda m: m.where(m.tensor([[0, 1], [1, 1]]) > 0),
    "numbers first":
        lambda m: (m.add(2, m.ones(2), alpha=3), m.sub(2, m.ones(2)), m.mul(2.5, m.ones(2).long()), m.add(2, 3)),
    "number / tensor": lambda m: [m.div(7, m.tensor([2, -2]), rounding_mode=r) for r in (None, "floor", "trunc")],
    "number ** tensor":
        lambda m: (m.pow(2, m.tensor([1.0, 2.0])), m.float_power(2, m.tensor([3])), m.xlogy(2, m.ones(1))),
    "number % tensor":
        lambda m: (m.remainder(7, m.tensor([3])), m.floor_divide(7, m.tensor([2])), m.rsub(m.ones(1), 3)),
    "number & tensor": lambda m: (m.bitwise_and(6, m.tensor([3])), m.bitwise_left_shift(1, m.tensor([3]))),
    "out": lambda m: (m.exp(m.zeros(2), out=m.empty(2)), m.add(m.ones(2), 1, out=m.empty(2, dtype=m.float64))),
    "pi": lambda m: [m.pi, m.e, m.inf],
}  # fmt: skip

SIGNS = fixed([0.0, -0.0, 1.5, -2.0, float("inf"), float("-inf"), float("nan")])
ALIASES = {"absolute": 1, "negative": 1, "arcsin": 1, "arctan": 1, "arcsinh": 1, "multiply": 2,
           "subtract": 2, "divide": 2, "true_divide": 2, "arctan2": 2}  # fmt: skip
ROWS = [
    *(made(name, call) for name, call in CREATION.items()),
    *(row(name, lambda m, *x, name=name: getattr(m, name)(*(v * 0.3 for v in x)), *[(2, 3)] * n)
      for name, n in ALIASES.items()),
    row("logit", lambda m, x: (m.logit(x), x.logit(eps=0.3)), fixed([[0.2, 0.6], [0.9, 0.45]])),
    row("powers of integers", lambda m, n: (n**2.0, n**3.0, n**1.0, n**2, m.pow(n, 0.5)), integers(0, 5, 6),
        gradient=False),
    row("clamp by a number in a tensor", lambda m, x, y: (x.clamp(min=y), x.clamp(max=y), x.clamp(y, y + 1)), (3, 4),
        fixed(0.1), second=False),
    row("nan_to_num None", lambda m, x: m.nan_to_num(x, None, 1.0, None), (3,)),
    row("logit of integers", lambda m, n: n.logit(), integers(-1, 3, 6), gradient=False),
    row("named other", lambda m, x, y: [getattr(x * 1, n)(other=y) for n in ("remainder", "fmod", "floor_divide",
        "mul_", "remainder_", "fmod_", "copysign_", "lt_")], (4,), positive(4), gradient=False),
    row("xlogy", lambda m, x, y: (m.xlogy(x, y), x.xlogy(y)), (2, 3), positive(3)),
    made("xlogy 0", lambda m, x: m.xlogy(m.zeros(7), x), SIGNS),
    row("hypot", lambda m, x, y: m.hypot(x, y), (2, 3), (3,)),
    made("hypot far", lambda m: m.hypot(m.tensor([3e30, 0.0, float("inf")]), m.tensor([4e30, 0.0, 1.0]))),
    row("float_power", lambda m, x: m.float_power(x, 2.5), positive(2, 3), dtypes=("float64",)),
    row("ldexp", lambda m, x, n: m.ldexp(x, n), (2, 3), integers(-2, 3, 3), gradient=False),
    row("logaddexp2", lambda m, x, y: m.logaddexp2(x, y), (2, 3), (2, 1)),
    row("fmax fmin", lambda m, x, y: (m.fmax(x, y), x.fmin(y)), (2, 3), (2, 3)),
    made("fmax nan", lambda m, x: (m.fmax(x, x.flip(0)), m.fmin(x, m.ones(7))), SIGNS),
    row("sinc", lambda m, x: m.sinc(x), (2, 3), second=False, dtypes=("float64",)),
    made("sinc 0", lambda m, x: x.sinc(), fixed([0.0, 0.5, 2.0])),
    row("angles", lambda m, x: (m.deg2rad(x), x.rad2deg()), (2, 3)),
    made("angles of integers", lambda m, n: m.deg2rad(n), integers(-90, 90, 4)),
    made("signs", lambda m, x: (m.sgn(x), m.fix(x), m.signbit(x), x.isposinf(), m.isneginf(x), x.isreal()), SIGNS),
    made("signs of integers", lambda m, n: (m.signbit(n), n.isposinf(), m.positive(n)), integers(-3, 3, 5)),
    made("heaviside", lambda m, x: m.heaviside(x, m.full((7,), 0.5)), SIGNS),
    made("comparisons", lambda m, x, y: [getattr(m, n)(x, y) for n in
         "greater greater_equal less less_equal not_equal".split()], integers(0, 3, 6), integers(0, 3, 6)),
    *(made(f"{name}_", lambda m, x, y, name=name: getattr(x, f"{name}_")(y), (2, 3), (3,)) for name in
      "eq ne lt le gt ge greater less logical_and logical_or logical_xor multiply divide xlogy hypot".split()),
    made("logical_not_", lambda m, x: x.logical_not_(), booleans(4)),
    made("comparison with a number in place", lambda m, x: (x.lt_(0.5), x.long().eq_(1)), (5,)),
    row("in place, others", lambda m, x: [getattr(x * 0.1 + 0.5, n)() for n in ("logit_", "sinc_", "deg2rad_")], (4,)),
    row("meshgrid's gradient", lambda m, x, y: m.meshgrid(x, y, indexing="ij"), (2,), (3,), layouts=("contiguous",)),
    row("expit", lambda m, x: (m.special.expit(x), m.special.entr(m.sigmoid(x)), m.special.ndtr(x)), (2, 3)),
]  # fmt: skip

REFUSED = {
    "tensor of None": lambda m: m.tensor([None]),
    "tensor of a dict": lambda m: m.tensor({"a": 1}),
    "tensor of vectors": lambda m: m.tensor([m.ones(2), m.ones(2)]),
    "full of a size": lambda m: m.full(2, 1.0),
    "full of nan": lambda m: m.full((2,), float("nan"), dtype=m.int64),
    "fill with 300": lambda m: m.zeros(2, dtype=m.uint8).fill_(300),
    "tensor of 300": lambda m: m.tensor([1, 300], dtype=m.uint8),
    "tensor of nan": lambda m: m.tensor(float("nan"), dtype=m.int32),
    "tensor of a huge int": lambda m: m.tensor(2**70),
    "full of a tensor": lambda m: m.full((2,), m.ones(1)),
    "eye -1": lambda m: m.eye(-1),
    "eye 2.5": lambda m: m.eye(2.5),
    "arange nan": lambda m: m.arange(float("nan")),
    "arange backwards": lambda m: m.arange(1, 0),
    "arange bool": lambda m: m.arange(5, dtype=m.bool),
    "arange of nothing": lambda m: m.arange(),
    "arange integer gradient": lambda m: m.arange(3, requires_grad=True),
    "arange of text": lambda m: m.arange("a"),
    "linspace without steps": lambda m: m.linspace(0, 1),
    "linspace of vectors": lambda m: m.linspace(m.ones(2), 1, 3),
    "logspace -1": lambda m: m.logspace(0, 1, -1),
    "zeros_like a list": lambda m: m.zeros_like([1]),
    "zeros names": lambda m: m.zeros(2, names=["a"]),
    "tril_indices -1": lambda m: m.tril_indices(-1, 2),
    "tril_indices float": lambda m: m.tril_indices(2, 2, dtype=m.float32),
    "meshgrid of nothing": lambda m: m.meshgrid(indexing="xy"),
    "meshgrid ab": lambda m: m.meshgrid(m.ones(2), indexing="ab"),
    "meshgrid of matrices": lambda m: m.meshgrid(m.ones(2, 2), indexing="ij"),
    "meshgrid of dtypes": lambda m: m.meshgrid(m.ones(2), m.arange(2), indexing="ij"),
    "finfo of integers": lambda m: m.finfo(m.int8),
    "iinfo of floats": lambda m: m.iinfo(m.float32),
    "iinfo of bool": lambda m: m.iinfo(m.bool),
    "default int": lambda m: m.set_default_dtype(m.int64),
    "default text": lambda m: m.set_default_dtype("a"),
    "type foo": lambda m: m.ones(2).type("foo"),
    "LongTensor of floats": lambda m: m.LongTensor(m.ones(2)),
    "Tensor of a number": lambda m: m.Tensor(2.5),
    "Tensor ragged": lambda m: m.Tensor([[1], [2, 3]]),
    "int of two": lambda m: int(m.ones(2)),
    "float of none": lambda m: float(m.ones(0)),
    "item of two": lambda m: m.ones(2).item(),
    "index float": lambda m: range(3)[m.tensor(1.0)],
    "text in": lambda m: "a" in m.ones(2),
    "format": lambda m: f"{m.ones(2):.2f}",
    "format d": lambda m: f"{m.tensor(1.5):d}",
    "is_nonzero of two": lambda m: m.is_nonzero(m.ones(2)),
    "allclose dtypes": lambda m: m.allclose(m.ones(2), m.arange(2)),
    "isclose number": lambda m: m.ones(2).isclose(2.0),
    "numel of a list": lambda m: m.numel([1]),
    "maximum 2": lambda m: m.maximum(2, m.ones(2)),
    "lt 2": lambda m: m.lt(2, m.ones(2)),
    "hypot integers": lambda m: m.hypot(m.arange(2), m.arange(2)),
    "heaviside dtypes": lambda m: m.heaviside(m.ones(2), m.arange(2)),
    "ldexp number": lambda m: m.ldexp(m.ones(2), 2),
    "out with a gradient": lambda m: m.exp(m.ones(2, requires_grad=True), out=m.empty(2)),
    "out of another category": lambda m: m.exp(m.ones(2), out=m.empty(2, dtype=m.int64)),
    "out is a list": lambda m: m.exp(m.ones(2), out=[1]),
    "in place, larger": lambda m: m.ones(2).hypot_(m.ones(3, 2)),
    "in place, a leaf": lambda m: m.ones(2, requires_grad=True).logit_(),
    "pinned": lambda m: m.zeros(2, pin_memory=True),
    "numpy of a leaf": lambda m: m.ones(2, requires_grad=True).numpy(),
    "apply_ to a leaf": lambda m: m.ones(2, requires_grad=True).apply_(abs),
}

TestCreation = parity(ROWS, REFUSED)


def test_a_copy_of_a_tensor_warns_as_pytorch_does():
    x = tg.ones(2)
    with pytest.warns(UserWarning, match="detach"):
        y = tg.tensor(x)
    assert y is not x and y.data_ptr() != x.data_ptr()


def test_data_on_the_same_memory_is_shared_and_otherwise_copied():
    array = np.zeros(2, np.float32)
    x = tg.as_tensor(array)
    array[0] = 3.0
    assert x[0].item() == 3.0 and tg.as_tensor(x) is x
    assert tg.asarray(array, copy=True)[0].item() == 3.0
    with pytest.raises(ValueError, match="alias"):
        tg.asarray([1.0], copy=False)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        assert tg.from_numpy(array).add_(1.0).tolist() == [4.0, 1.0]


def test_the_default_dtype_is_respected_everywhere():
    assert tg.get_default_dtype() is tg.float32 and (tg.tensor([1]) / 2).dtype is tg.float32
    tg.set_default_dtype(tg.float64)
    try:
        made = [tg.tensor(1.0), tg.ones(2), tg.rand(2), tg.linspace(0, 1, 3), tg.arange(1.0), tg.full((1,), 1.0),
                tg.tensor([1]) / 2, tg.tensor([1]).sqrt(), tg.tensor([1]) * 2.5, tg.eye(2)]  # fmt: skip
        assert all(x.dtype is tg.float64 for x in made)
        assert repr(tg.ones(1)) == "tensor([1.])" and "float32" in repr(tg.ones(1).float())
        assert tg.nn.Linear(1, 1).weight.dtype is tg.float64
    finally:
        tg.set_default_dtype(tg.float32)
    assert (tg.tensor([1]) / 2).dtype is tg.float32
