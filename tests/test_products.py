"""Products by name, einsum, tensordot and diagonals: values, gradients and errors against PyTorch, and views."""

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import integers, row

import tinygrad_edu as tg

pytestmark = pytest.mark.filterwarnings("ignore:Using torch.cross")

A, B, C, V, W, SQUARE, CUBE = (2, 3), (3, 4), (2, 4), (3,), (2,), (3, 3), (3, 3, 3)
X, Y = (2, 3, 4), (2, 4, 5)

ROWS = [
    row("mm", lambda m, a, b: m.mm(a, b), A, B),
    row("mm empty", lambda m, a, b: a.mm(b), (0, 3), B),
    row("bmm", lambda m, a, b: (m.bmm(a, b), a.bmm(b)), X, Y),
    row("mv", lambda m, a, v: (m.mv(a, v), a.mv(v)), A, V),
    row("dot vdot", lambda m, v, w: (m.dot(v, w), v.vdot(w)), V, V),
    row("products with vectors", lambda m, a, v, w: (a @ v, w @ a, v @ v, a.t() @ w, v @ a.t()), A, V, W),
    row("outer ger", lambda m, v, w: (m.outer(v, w), v.ger(w)), V, W),
    row("outer promotes", lambda m, v, n: m.outer(v, n), V, integers(0, 9, 2)),
    row("inner", lambda m, a, b: (m.inner(a, b), a.inner(b)), A, (4, 2, 3)),
    row("inner of vectors", lambda m, a, b: m.inner(a, b), V, V),
    row("inner of a number", lambda m, a, b: m.inner(a, b), (), V),
    row("addmm", lambda m, c, a, b: (m.addmm(c, a, b), c.addmm(a, b, beta=0.5, alpha=-2)), C, A, B),
    row("addmm broadcast", lambda m, c, a, b: m.addmm(c, a, b, alpha=3), (4,), A, B),
    row("addmm of a number", lambda m, c, a, b: m.addmm(c, a, b), (), A, B),
    row("addmm beta 0", lambda m, c, a, b: m.addmm(c * float("nan"), a, b, beta=0), C, A, B, gradient=False),
    row("addmm beta 0 gradient", lambda m, c, a, b: m.addmm(c, a, b, beta=0), C, A, B),
    row("addmv", lambda m, c, a, v: (m.addmv(c, a, v), c.addmv(a, v, beta=2, alpha=3)), W, A, V),
    row("addr", lambda m, c, v, w: (m.addr(c, v, w), c.addr(v, w, beta=2, alpha=3)), (3, 2), V, W),
    row("baddbmm", lambda m, c, a, b: (m.baddbmm(c, a, b), c.baddbmm(a, b, beta=2, alpha=3)), (2, 3, 5), X, Y),
    row("baddbmm broadcast", lambda m, c, a, b: m.baddbmm(c, a, b), (3, 1), X, Y),
    row("addbmm", lambda m, c, a, b: (m.addbmm(c, a, b), c.addbmm(a, b, beta=2, alpha=3)), (3, 5), X, Y),
    row("kron", lambda m, a, b: (m.kron(a, b), a.kron(b)), A, C),
    row("kron of other dimensions", lambda m, a, b: m.kron(a, b), A, V, layouts=("contiguous",)),
    row("kron of a number", lambda m, a, b: m.kron(a, b), (), A),
    row("matrix_power", lambda m, a: [m.matrix_power(a, n) for n in (1, 2, 5)], SQUARE),
    row("matrix_power of a batch", lambda m, a: m.linalg.matrix_power(a, 3), (2, 3, 3), second=False),
    row("matrix_power 0, inverse", lambda m, a: (a.matrix_power(0), a.matrix_power(-2)), SQUARE, gradient=False,
        dtypes=("float64",)),
    row("cross", lambda m, a, b: (m.cross(a, b, dim=1), a.cross(b, -1), m.linalg.cross(a, b)), A, A),
    row("cross of the first 3", lambda m, a, b: a.cross(b), SQUARE, SQUARE),
    row("cross broadcast", lambda m, a, b: m.linalg.cross(a, b, dim=0), (3, 1), (3, 4)),
    row("vecdot", lambda m, a, b: (m.linalg.vecdot(a, b), m.linalg.vecdot(a, b, dim=0)), A, A),
    # tensordot
    row("tensordot", lambda m, a, b: m.tensordot(a, b), (2, 3, 4), (3, 4, 5)),
    row("tensordot 0", lambda m, a, b: m.tensordot(a, b, dims=0), A, W),
    row("tensordot 1", lambda m, a, b: m.tensordot(a, b, 1), A, B),
    row("tensordot lists", lambda m, a, b: m.tensordot(a, b, ([0, 2], [2, 0])), (2, 3, 4), (4, 5, 2)),
    row("tensordot negative", lambda m, a, b: m.tensordot(a, b, ([-1], [-2])), A, B),
    row("tensordot of everything", lambda m, a, b: m.tensordot(a, b, 2), A, A),
    row("tensordot broadcast", lambda m, a, b: m.tensordot(a, b, 1), (2, 1), (3, 4)),
    # diagonals
    row("diagonal", lambda m, a: [m.diagonal(a, k) for k in (0, 1, -1)], B),
    row("diagonal beyond", lambda m, a: m.diagonal(a, 7), B, gradient=False),
    row("diagonal axes", lambda m, a: (a.diagonal(1, 2, 0), a.diagonal(dim1=-1, dim2=1), m.linalg.diagonal(a)), X),
    row("diag", lambda m, a, v: (m.diag(a), a.diag(-1), m.diag(v), v.diag(2)), SQUARE, V),
    row("diag_embed", lambda m, a: (m.diag_embed(a), a.diag_embed(-1, 0, 2), a.diag_embed(offset=1, dim1=1)), A),
    row("diagflat", lambda m, a: (m.diagflat(a), a.diagflat(-1)), A),
    row("trace", lambda m, a: (m.trace(a), a.trace()), B),
    row("trace of integers", lambda m, n: n.trace(), integers(0, 9, 3, 3), gradient=False),
    row("products of integers", lambda m, a, b: (m.mm(a, b), m.einsum("ij,jk->ki", a, b), m.addmm(a, b, b, beta=3)),
        integers(-5, 6, 3, 3), integers(-5, 6, 3, 3), gradient=False),
]  # fmt: skip

EQUATIONS = {
    "ij,jk": (A, B), "ij,jk->ki": (A, B), "ij -> ji": (A,), "ba": (A,), "ij->": (A,), "ij->j": (A,), "ii": (SQUARE,),
    "ii->i": (SQUARE,), "iii->i": (CUBE,), "iij->ji": (CUBE,), "i,i": (V, V), "i,j": (V, W), "ij,ij->ij": (A, A),
    "ij,j->i": (A, V), "bij,bjk->bik": (X, Y), "bhid,bhjd->bhij": ((2, 2, 3, 4), (2, 2, 5, 4)),
    "bhij,bhjd->bihd": ((2, 2, 3, 4), (2, 2, 4, 5)), "...ij,...jk": (X, (4, 5)), "...ij,jk->...ki": (X, (4, 5)),
    "...": (A,), "i...->...i": (X,), "...j->...": (A,), "i...,j->...": (A, W), "a...,a...->...": (A, (2, 1)),
    "ij,jk->ik": ((2, 1), B), "bij,bj->bi": ((1, 3, 4), C), "ij,jk,kl": (A, B, (4, 2)), "a,b,c->cab": (V, W, (4,)),
    "bi,bj,bij->b": (A, C, (2, 3, 4)), "bn,anm,bm->ba": (A, (5, 3, 4), C), "Ab,bA->A": (A, (3, 2)), "aB,Bc": (A, B),
    "ijk,jil->kl": ((2, 3, 4), (3, 2, 5)), "ii,jj->": (SQUARE, (2, 2)), "ij,kl->": (A, C), "->": ((),),
    "ij,jk->k": (A, B),
}  # fmt: skip
ROWS += [
    row(f"einsum {equation}", lambda m, *x, equation=equation: m.einsum(equation, *x), *shapes)
    for equation, shapes in EQUATIONS.items()
]
ROWS += [
    row("einsum of a list", lambda m, a, b: m.einsum("ij,jk->ik", [a, b]), A, B),
    row("einsum of lists", lambda m, a, b: (m.einsum(a, [0, 1], b, [1, 2], [0, 2]), m.einsum(a, [1, 0])), A, B),
    row("einsum of lists with ...", lambda m, a: m.einsum(a, [Ellipsis, 0], [0, ...]), A),
    row("einsum empty", lambda m, a, b: m.einsum("ij,jk->ik", a, b), (2, 0), (0, 4)),
]

D = lambda m, *shape: m.ones(*shape)  # noqa: E731
REFUSED = {
    "mm of vectors": lambda m: m.mm(D(m, 3), D(m, 3)),
    "mm sizes": lambda m: m.mm(D(m, 2, 3), D(m, 2, 3)),
    "mm dtypes": lambda m: m.mm(D(m, 2, 3), D(m, 3, 2).double()),
    "mm of a number": lambda m: D(m, 2, 2).mm(2.0),
    "bmm of matrices": lambda m: m.bmm(D(m, 2, 3), D(m, 3, 4)),
    "bmm broadcasts nothing": lambda m: m.bmm(D(m, 1, 3, 4), D(m, 2, 4, 5)),
    "bmm sizes": lambda m: m.bmm(D(m, 2, 3, 4), D(m, 2, 3, 4)),
    "bmm dtypes": lambda m: m.bmm(D(m, 2, 3, 4), D(m, 2, 4, 4).double()),
    "mv of vectors": lambda m: m.mv(D(m, 3), D(m, 3)),
    "mv sizes": lambda m: m.mv(D(m, 2, 3), D(m, 2)),
    "dot of matrices": lambda m: m.dot(D(m, 2, 3), D(m, 3)),
    "dot sizes": lambda m: m.dot(D(m, 3), D(m, 1)),
    "dot dtypes": lambda m: m.dot(D(m, 3), D(m, 3).double()),
    "dot of a number": lambda m: m.dot(D(m, 3), 1.0),
    "outer of matrices": lambda m: m.outer(D(m, 2, 3), D(m, 3)),
    "inner sizes": lambda m: m.inner(D(m, 2, 3), D(m, 2, 2)),
    "inner dtypes": lambda m: m.inner(D(m, 3), D(m, 3).double()),
    "addmm too wide": lambda m: m.addmm(D(m, 5), D(m, 2, 3), D(m, 3, 4)),
    "addmm dimensions": lambda m: m.addmm(D(m, 3, 2, 4), D(m, 2, 3), D(m, 3, 4)),
    "addmm dtypes": lambda m: m.addmm(D(m, 4).double(), D(m, 2, 3), D(m, 3, 4)),
    "addmm_ of a smaller one": lambda m: D(m, 1, 4).addmm_(D(m, 2, 3), D(m, 3, 4)),
    "addmm positional alpha": lambda m: m.addmm(D(m, 4), D(m, 2, 3), D(m, 3, 4), D(m, 1), 2.0, 3.0, 4.0),
    "addmv sizes": lambda m: m.addmv(D(m, 3), D(m, 2, 3), D(m, 3)),
    "addmv dimensions": lambda m: m.addmv(D(m, 2, 2), D(m, 2, 3), D(m, 3)),
    "addr of matrices": lambda m: m.addr(D(m, 3, 3), D(m, 2, 3), D(m, 3)),
    "matrix_power not square": lambda m: m.matrix_power(D(m, 2, 3), 2),
    "matrix_power 2.0": lambda m: m.matrix_power(D(m, 2, 2), 2.0),
    "cross sizes": lambda m: m.linalg.cross(D(m, 2, 3), D(m, 2, 4)),
    "cross without a 3": lambda m: m.cross(D(m, 2, 2), D(m, 2, 2)),
    "cross dimensions": lambda m: m.linalg.cross(D(m, 2, 3), D(m, 3)),
    "tensordot sizes": lambda m: m.tensordot(D(m, 2, 3), D(m, 2, 3), 1),
    "tensordot too many": lambda m: m.tensordot(D(m, 2, 3), D(m, 2, 3), 3),
    "tensordot negative": lambda m: m.tensordot(D(m, 2, 3), D(m, 2, 3), -1),
    "tensordot lengths": lambda m: m.tensordot(D(m, 2, 3), D(m, 2, 3), ([0, 1], [0])),
    "tensordot twice": lambda m: m.tensordot(D(m, 2, 2), D(m, 2, 2), ([0, 0], [0, 1])),
    "tensordot dtypes": lambda m: m.tensordot(D(m, 2, 3), D(m, 3).double(), 1),
    "trace of a vector": lambda m: m.trace(D(m, 3)),
    "diag of a cube": lambda m: m.diag(D(m, 2, 2, 2)),
    "diag of a number": lambda m: m.diag(m.tensor(1.0)),
    "diagonal of a vector": lambda m: D(m, 3).diagonal(),
    "diagonal of one axis": lambda m: D(m, 2, 3).diagonal(0, 1, -1),
    "diag_embed of one axis": lambda m: D(m, 3).diag_embed(0, 0, 0),
    "fill_diagonal_ of a vector": lambda m: D(m, 3).fill_diagonal_(1.0),
    "einsum nothing": lambda m: m.einsum("ij"),
    "einsum of a number": lambda m: m.einsum("i", 3),
    "einsum dtypes": lambda m: m.einsum("i,i", D(m, 3), D(m, 3).double()),
    "einsum number 60": lambda m: m.einsum(D(m, 2, 2), [0, 60]),
}
REFUSED |= {
    f"einsum {equation} of {shapes}": lambda m, e=equation, s=shapes: m.einsum(e, *(m.ones(*k) for k in s))
    for equation, shapes in [
        ("ij,jk->ik", [A]), ("ij->ij", [A, B]), ("i1->i", [A]), ("i.j->i", [A]), ("i....->i", [A]), ("...->...i", [A]),
        ("ij->i->", [A]), ("ijk->i", [A]), ("i->i", [A]), ("ij,ij->i", [A, B]), ("ii->i", [A]), ("ij->ii", [A]),
        ("ij->k", [A]), ("ij,jk-ik", [A, B]), ("...i...", [A]), ("ijk...", [A]),
    ]
}  # fmt: skip

TestProducts = oracle.parity(ROWS, REFUSED)

IN_PLACE = {
    "addmm_": lambda c, a, b: c.addmm_(a, b, beta=0.5, alpha=2), "baddbmm_": lambda c, a, b: c.baddbmm_(a, b, beta=2),
    "addmv_": lambda c, a, b: c.addmv_(a, b, alpha=3), "addr_": lambda c, a, b: c.addr_(a, b, beta=2),
    "addbmm_": lambda c, a, b: c.addbmm_(a, b),
}  # fmt: skip
SHAPES = {"addmm_": (C, A, B), "baddbmm_": ((2, 3, 5), X, Y), "addmv_": (W, A, V), "addr_": ((3, 2), V, W),
          "addbmm_": ((3, 5), X, Y)}  # fmt: skip


@pytest.mark.parametrize("name", IN_PLACE)
def test_forms_in_place_and_their_gradients(name, torch):
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape) for shape in SHAPES[name]]
    found = []
    for m in (tg, torch):
        leaves = [m.tensor(x, requires_grad=True) for x in arrays]
        c = leaves[0] * 2.0
        out = IN_PLACE[name](c, *leaves[1:])
        assert out is c
        (out * out).sum().backward()
        found.append([out.detach(), *(x.grad for x in leaves)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_a_diagonal_is_a_view_and_writing_to_it_is_recorded():
    x = tg.zeros(3, 3, requires_grad=True)
    y = x * 1.0
    v = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y.diagonal().copy_(v)
    y.diagonal(1).mul_(0.0)
    (y * y).sum().backward()
    assert y.diagonal().tolist() == [1.0, 2.0, 3.0]
    assert v.grad.tolist() == [2.0, 4.0, 6.0] and x.grad.tolist() == [[0.0] * 3] * 3


@pytest.mark.parametrize("shape, wrap", [((3, 3), False), ((2, 4), False), ((7, 3), False), ((7, 3), True),
                                         ((3, 3, 3), False)])  # fmt: skip
def test_fill_diagonal(shape, wrap, torch):
    ours, theirs = (m.zeros(shape).fill_diagonal_(2.0, wrap) for m in (tg, torch))
    assert ours.tolist() == theirs.tolist()


def test_einsum_of_one_operand_is_a_view():
    x = tg.zeros(2, 3)
    tg.einsum("ij->ji", x)[0, 1] = 5.0
    assert x[1, 0].item() == 5.0


@st.composite
def equations(draw):
    """Two or three operands over five letters, each at most once in an operand, and a result of some of them."""
    sizes = dict(zip("abcde", draw(st.lists(st.integers(1, 3), min_size=5, max_size=5)), strict=True))
    operands = draw(st.lists(st.lists(st.sampled_from("abcde"), max_size=4, unique=True), min_size=2, max_size=3))
    used = sorted({letter for operand in operands for letter in operand})
    out = draw(st.permutations(used))[: draw(st.integers(0, len(used)))]
    return ",".join(map("".join, operands)) + "->" + "".join(out), [[sizes[c] for c in x] for x in operands]


@given(equations())
def test_einsum_is_numpys(case):
    equation, shapes = case
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape) for shape in shapes]
    found = tg.einsum(equation, *map(tg.tensor, arrays)).numpy()
    expected = np.einsum(equation, *arrays)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
