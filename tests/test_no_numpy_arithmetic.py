"""NumPy allocates, Numba computes: no ufunc, matmul, dot, sum or sort of NumPy's on the way of a Tensor.

Two checks. One runs a program on buffers that raise when NumPy computes with them. The other reads the source
of both packages for calls of NumPy's functions that compute; the exceptions stand in one list, with the reason.
"""

import ast
import pathlib

import numpy as np
import pytest
import tinygrad_kernels
from tinygrad_kernels.cpu import backend as cpu

import tinygrad_edu as tg
from tinygrad_edu.dtypes import BY_NAME, kind_of
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops import linalg
from tinygrad_edu.ops.plan import OPERATIONS, apply

METHODS = ("sum", "mean", "prod", "dot", "sort", "argsort", "max", "min", "argmax", "argmin", "cumsum", "any", "all",
           "std", "var", "round", "clip")  # fmt: skip

# Where NumPy may compute: names by file. Numbers that are made once, checks of gradients, and text for people.
EXCEPTIONS = {
    "ranges.py": {"arange", "eye", "where"},  # data from outside, before it is a tensor
    "lapack.py": {"linalg"},  # factorizations of matrices are LAPACK's, which NumPy carries
    "lapack_calls.py": {"linalg", "eye"},
    "determinants.py": {"linalg"},
    "tensor_cores.py": {"isfinite"},  # what stands in for the instruction in the simulator
    "printing.py": None,  # text
    "check.py": None,  # gradcheck compares in NumPy, so that it does not trust what it checks
    "demo.py": None,
    "showing.py": None,
    "drawing.py": None,
    "doctor.py": None,
}


class Guarded(np.ndarray):
    """An array that may be stored in and viewed, and not computed with by NumPy."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise AssertionError(f"NumPy's {ufunc.__name__}.{method} computes on the way of a Tensor")

    def __array_function__(self, function, types, arguments, options):
        raise AssertionError(f"NumPy's {function.__name__} computes on the way of a Tensor")


def refuse(name):
    def method(self, *arguments, **options):
        raise AssertionError(f"ndarray.{name} computes on the way of a Tensor")

    return method


for name in METHODS:
    setattr(Guarded, name, refuse(name))


@pytest.fixture
def guarded(monkeypatch):
    """Every new buffer is a guarded one."""
    for dtype in BY_NAME.values():
        kind = kind_of(dtype)
        monkeypatch.setattr(kind, "empty", lambda n, make=kind.empty: make(n).view(Guarded))
    make_buffer = cpu.maker
    monkeypatch.setattr(cpu, "maker", lambda dtype, n: lambda: make_buffer(dtype, n)().view(Guarded))
    forget_plans()

    def make(array, requires_grad=False):
        x = tg.tensor(array)
        x.flat = x.flat.view(Guarded)
        return x.requires_grad_() if requires_grad else x

    yield make
    forget_plans()


def forget_plans():
    """What is prepared keeps a function that makes its buffers."""
    linalg._products.clear()
    for operation in OPERATIONS.values():
        operation.plans.clear()


def test_the_guard_refuses():
    a = np.ones(3).view(Guarded)
    for compute in (lambda: a + a, lambda: a.sum(), lambda: np.dot(a, a), lambda: a @ a, lambda: np.exp(a),
                    lambda: np.sort(a), lambda: a.sort(), lambda: np.sum(a), lambda: np.add.reduce(a)):  # fmt: skip
        with pytest.raises(AssertionError, match="computes on the way"):
            compute()


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_elementwise_operation(name, create_graph, guarded):
    """Large arrays for some: they have another loop, which is chosen in one place, and takes long to compile."""
    operation = OPERATIONS[name]
    for shape in ((3, 4), (1, 70_000)) if name in ("add", "exp", "where", "fmod", "eq") else ((3, 4),):
        random = np.random.default_rng(0)
        operands = []
        for operand, pull in zip(operation.forward.inputs, operation.pulls, strict=True):
            x = guarded(random.uniform(0.1, 0.9, shape), pull is not None)
            if operand in ("c", "condition"):
                x = x > 0.5
            operands.append(x if "f" in operation.op.kinds else (x * 10.0).long())
        out = apply(operation, *operands)
        strided = apply(operation, *(x.t() for x in operands))
        assert type(out.flat) is type(strided.flat) is Guarded
        if out.requires_grad:
            (out * strided.t()).sum().backward(create_graph=create_graph)
            assert all(x.grad is not None for x in operands if x.requires_grad)


def programs():
    def reductions(make):
        x = make(np.ones((3, 4, 5)), True)
        for dim in (None, 0, 1, (0, 2)):
            (x.sum(dim) * x.mean(dim)).sum().backward()
            (x.amax(dim) * x.var(dim) + x.std(dim) + x.norm(3, dim)).sum().backward()
            x.any(dim), x.all(dim), x.count_nonzero(dim)
        for dim in (0, 1):
            (x.max(dim).values + x.min(dim)[0] * x.prod(dim)).sum().backward()
            (x.cumsum(dim) * x.cumprod(dim)).sum().backward()
        (x.max() + x.min() + x.prod()).backward()
        x.argmax(), x.argmin(1)

    def broadcasts(make):
        x, y = make(np.ones((300, 400)), True), make(np.ones((400,)), True)
        ((x * y + 2.0) / (y - 0.5) ** 2).mean().backward()

    def products(make):
        a, b, v = make(np.ones((20, 30)), True), make(np.ones((30, 20)), True), make(np.ones(30), True)
        ((a @ b).t() @ a @ v).sum().backward()
        c = make(np.ones((2, 3, 4)), True)
        (c @ c.mT).sum().backward()

    def views(make):
        x = make(np.ones((4, 6)), True)
        (x.t()[1:, ::2].reshape(-1)[:3].expand(2, 3).clone() * x[0, :3]).sum().backward()

    def in_place(make):
        x, y = make(np.ones((4, 4)), True), make(np.ones((4, 4)))
        y += x * 2.0
        y[1:, 0] = 3.0
        y *= x
        y.sum().backward()
        z = make(np.ones(5))
        z.zero_().fill_(2.0).add_(1.0).div_(3.0)
        z.copy_(make(np.ones(5))).to(tg.int64)

    def rows(make):
        x = make(np.ones((5, 7)), True)
        (F.softmax(x, 1) * F.log_softmax(x, 0)).sum().backward()
        F.cross_entropy(x, make(np.array([0, 1, 2, 3, 4]))).backward()

    def indices(make):
        x, v = make(np.ones((4, 6)), True), make(np.ones((2, 6)))
        rows, mask = tg.tensor([1, -1]), x > 0
        y = x * 2.0
        y[rows] = v
        y[mask] = 0.5
        (y[rows, rows].sum() + x[mask].sum() + x[:, rows].sum() + x.gather(0, tg.zeros(1, 6).long()).sum()).backward()
        x.detach().index_add_(0, rows % 4, v).scatter_(1, rows.reshape(2, 1) % 4, 3.0).nonzero()
        tg.cat([x, v]).flip(0).roll(1, 1).tril().repeat(2, 2).split(3)

    def orders(make):
        x = make(np.ones((4, 60)), True)
        (x.sort(1)[0].sum() + x.topk(2)[0].sum() + x.median() + x.kthvalue(2, 0)[0].sum()).backward()
        x.unique(return_inverse=True), tg.searchsorted(x[0], x), tg.bincount(x[0].long(), x[0])

    def training(make):
        model = tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Tanh(), tg.nn.Linear(4, 1), tg.nn.Sigmoid())
        x, t = make(np.ones((8, 3), np.float32)), make(np.zeros((8, 1), np.float32))
        for name in ("SGD", "Adam"):
            optimizer = getattr(tg.optim, name)(model.parameters(), lr=0.1)
            for loss in (F.mse_loss, F.binary_cross_entropy):
                optimizer.zero_grad()
                loss(model(x), t).backward()
                optimizer.step()

    def random(make):
        tg.rand(5), tg.randn(100), tg.randint(3, (4,)), tg.randperm(10)

    return [reductions, broadcasts, products, views, in_place, rows, indices, orders, training, random]


@pytest.mark.parametrize("program", programs(), ids=lambda p: p.__name__)
def test_whole_programs(program, guarded):
    program(guarded)


FORBIDDEN = {name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)} | {
    "dot", "vdot", "inner", "outer", "tensordot", "einsum", "sum", "mean", "prod", "sort", "argsort", "cumsum",
    "cumprod", "max",
    "min", "amax", "amin", "argmax", "argmin", "std", "var", "linalg", "where", "clip", "convolve", "interp",
    "median", "arange",
    "linspace", "eye", "round", "nansum", "trapezoid", "cross", "kron", "fft",
}  # fmt: skip
FILES = [p for package in (tg, tinygrad_kernels) for p in pathlib.Path(package.__file__).parent.rglob("*.py")]


def numpy_names(tree):
    """The names of NumPy that a module uses outside of its jitted functions (Numba compiles those itself)."""
    jitted = {
        id(node)
        for f in ast.walk(tree)
        if isinstance(f, ast.FunctionDef)
        and any("jit" in ast.unparse(d) or "intrinsic" in ast.unparse(d) for d in f.decorator_list)
        for node in ast.walk(f)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
            if id(node) not in jitted:
                yield node.attr
        if isinstance(node, ast.ImportFrom) and node.module == "numpy":
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_source_calls_no_function_of_numpy_that_computes(path):
    allowed = EXCEPTIONS.get(path.name, set())
    found = set(numpy_names(ast.parse(path.read_text()))) & FORBIDDEN
    assert allowed is None or found <= allowed, f"{path.name} computes with NumPy's {sorted(found - allowed)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_no_kernel_calls_blas(path):
    """`np.dot` inside a jitted function calls BLAS."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy"):
            assert path.name in EXCEPTIONS or node.attr not in ("dot", "matmul", "linalg", "einsum", "tensordot")
