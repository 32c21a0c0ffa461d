"""The matrix product: every kernel of the chapter by itself, then what the library makes of them."""

import numpy as np
import pytest
from tinygrad_kernels import precision
from tinygrad_kernels.cuda import matmul, memory
from tinygrad_kernels.cuda.matmul import REGISTERS, TENSOR, Plan
from tinygrad_kernels.cuda.matmul_naive import SIDE
from tinygrad_kernels.cuda.matmul_warp import TILES
from tinygrad_kernels.expr import Expr, Formula, build

import tinygrad_edu as tg

pytestmark = pytest.mark.usefixtures("order")
LAYOUTS = ("rows", "columns", "padded", "sliced")


def numbers(shape, dtype="float32", seed=0):
    generator = np.random.default_rng([seed, *shape])
    if dtype == "bool":
        return generator.random(shape) < 0.3
    return (
        generator.standard_normal(shape).astype(dtype)
        if "float" in dtype
        else generator.integers(0, 9, shape).astype(dtype)
    )


def stored(x, how):
    """A batch of matrices in memory as `how` says: the buffer, the step from one to the next, the layout."""
    batch, height, width = x.shape
    if how == "rows":
        return memory.from_numpy(x), height * width, (0, width, 1)
    if how == "columns":
        return memory.from_numpy(x.transpose(0, 2, 1)), height * width, (0, 1, height)
    if how == "padded":  # rows begin at multiples of 4 after 8 other numbers
        length = width + -width % 4 + 4
        larger = np.full((batch, height, length), 77, x.dtype)
        larger[:, :, :width] = x
        return (
            memory.from_numpy(np.concatenate([np.full(8, 77, x.dtype), larger.reshape(-1)])),
            height * length,
            (8, length, 1),
        )
    larger = np.full((batch, height, width, 3), 77, x.dtype)  # neither rows nor columns lie in a row
    larger[..., 1] = x
    return memory.from_numpy(larger), 3 * height * width, (1, 3 * width, 3)


def close(found, a, b, bias=0, digits=None):
    """Is it A B + bias, up to the rounding of sums in its dtype?"""
    if a.dtype.kind in "iu":
        np.testing.assert_array_equal(found, (a.astype(np.int64) @ b.astype(np.int64) + bias).astype(a.dtype))
        return
    wanted, scale = a.astype("f8") @ b.astype("f8") + bias, abs(a).astype("f8") @ abs(b).astype("f8") + abs(bias)
    assert np.isfinite(found).all()
    assert (abs(found - wanted) <= (digits or 8 * np.finfo(a.dtype).eps) * scale + 1e-300).all()


def start(step, tile, a, b, a_how="rows", b_how="rows", biased=True, pieces=1):
    """Launch one kernel on two batches, and compare; without a bias where the sum is cut."""
    (batch, m, k), n, dtype = a.shape, b.shape[2], a.dtype.name
    (a_buffer, a_step, a_layout), (b_buffer, b_step, b_layout) = stored(a, a_how), stored(b, b_how)
    bias = numbers((n,), dtype, 3)
    out = memory.empty(batch * pieces * m * n, a.dtype)
    head, biased = (out, a_buffer, b_buffer, memory.from_numpy(bias)), int(biased)
    if step == "skinny":
        matmul.matmul_skinny.launch(dtype, (*head, biased), batch, m, n, k, a_step, a_layout, b_step, b_layout, pieces)
    else:
        places = (a_step, *a_layout, b_step, *b_layout)
        matmul.start(dtype, step, tile, pieces, batch, (*head, out, out, biased, m, n, k, *places))
    parts = memory.to_numpy(out).reshape(batch, pieces, m, n)
    close(parts.sum(1, dtype=a.dtype), a, b, bias if biased else 0, digits=2**-10 if step == "tensor" else None)
    return parts


STEPS = [("naive", REGISTERS, "float32"), ("naive", REGISTERS, "uint8"), ("tiled", REGISTERS, "float32"),
         ("tiled", REGISTERS, "int64"), ("registers", REGISTERS, "float32"),
         ("registers", REGISTERS, "float64")]  # fmt: skip


@pytest.mark.parametrize("step, tile, dtype", STEPS)
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (20, 17, 19), (3, 70, 9)])
def test_the_first_steps(step, tile, dtype, m, n, k):
    start(step, tile, numbers((1, m, k), dtype), numbers((1, k, n), dtype, 1))


@pytest.mark.parametrize("tile", TILES, ids=lambda tile: f"{tile.rows}x{tile.columns}")
def test_each_tile_of_warps_with_ragged_edges(tile):
    k = tile.depth + 1
    start("warps", tile, numbers((1, tile.rows - 1, k)), numbers((1, k, tile.columns - 3), seed=1))


@pytest.mark.parametrize("step, tile", [("warps", TILES[2]), ("registers", REGISTERS)])
@pytest.mark.parametrize("a_how, b_how", [*zip(LAYOUTS, [*LAYOUTS[1:], LAYOUTS[0]], strict=True)])
def test_every_layout(step, tile, a_how, b_how):
    start(step, tile, numbers((1, 21, 19)), numbers((1, 19, 30), seed=1), a_how, b_how)
    if step == "warps":  # aligned: 128 bits at a time
        start(step, tile, numbers((1, 8, 12)), numbers((1, 12, 68), seed=1), a_how, b_how)


def test_a_larger_product_of_ragged_sizes():
    start("warps", TILES[2], numbers((1, 130, 17)), numbers((1, 17, 70), seed=1), "rows", "columns")


def test_no_steps_of_p_leave_the_bias():
    for step, tile in (("naive", REGISTERS), ("tiled", REGISTERS), ("registers", REGISTERS), ("warps", TILES[3])):
        start(step, tile, numbers((1, 3, 0)), numbers((1, 0, 5)))


@pytest.mark.parametrize("step, tile", [("warps", TILES[4]), ("registers", REGISTERS)])
def test_a_batch_cut_into_pieces(step, tile):
    parts = start(step, tile, numbers((2, 5, 40)), numbers((2, 40, 9), seed=1), biased=False, pieces=2)
    assert abs(parts).max((0, 2, 3)).all()  # each piece has its share


def test_pieces_that_come_too_late_are_zero():
    parts = start("warps", TILES[2], numbers((1, 5, 18)), numbers((1, 18, 9), seed=1), biased=False, pieces=4)
    assert not parts[0, 2:].any()


def test_tensor_cores_give_three_digits():
    a, b = numbers((1, 128, 17)), numbers((1, 17, 127), seed=1)
    parts = start("tensor", TENSOR, a, b, "rows", "columns", biased=False)
    assert abs(parts[:, 0] - a @ b).max() > 1e-4  # they were used


def test_tensor_cores_keep_infinities_and_nans():
    a, b = np.eye(20, dtype="f")[None], np.eye(20, dtype="f")[None]
    a[0, 3, 3], a[0, 5, 5] = np.inf, np.nan
    out, (x, *x_place), (y, *y_place) = memory.empty(400, a.dtype), stored(a, "rows"), stored(b, "rows")
    arguments = (out, x, y, out, out, out, 0, 20, 20, 20, x_place[0], *x_place[1], y_place[0], *y_place[1])
    matmul.start("float32", "tensor", TENSOR, 1, 1, arguments)
    found = memory.to_numpy(out).reshape(20, 20)
    assert found[3, 3] == np.inf and np.isnan(found[5, 5]) and found[4, 4] == 1 and not found[0, 1:].any()


@pytest.mark.parametrize("dtype, few, turned, how", [
    ("float32", 1, False, "rows"), ("float32", 3, True, "columns"), ("float32", 16, False, "columns"),
    ("float32", 9, True, "rows"), ("float64", 4, False, "sliced"), ("float64", 2, True, "columns"),
    ("int64", 1, True, "padded"), ("uint8", 2, False, "columns"),
])  # fmt: skip
def test_a_matrix_times_a_few_vectors(dtype, few, turned, how):
    long, short, other = (
        numbers((1, 19, 130), dtype),
        numbers((1, 130, few), dtype, 1),
        "rows" if few > 2 else "columns",
    )
    if turned:
        start("skinny", None, short.transpose(0, 2, 1), long.transpose(0, 2, 1), other, how)
    else:
        start("skinny", None, long, short, how, other)


def test_a_batch_of_vectors_cut_into_pieces():
    for how in ("rows", "columns"):  # the second piece is a short one
        start("skinny", None, numbers((2, 5, 200)), numbers((2, 200, 2), seed=1), how, biased=False, pieces=2)


@pytest.mark.parametrize("m, n, k, step, tile, pieces", [
    (8192, 8192, 8192, "warps", TILES[0], 1), (4096, 1024, 4096, "warps", None, 1), (64, 64, 64, "warps", None, 1),
    (256, 256, 65536, "warps", None, "many"), (4096, 1, 4096, "skinny", None, None), (1, 1, 10**6, "skinny", None,
    "many"), (16, 4096, 4096, "skinny", None, None), (3, 3, 3, "naive", None, 1), (10**6, 24, 512, "warps", TILES[4],
    1), (24, 10**6, 512, "warps", TILES[3], 1),
])  # fmt: skip
def test_the_choice(m, n, k, step, tile, pieces):
    plan = matmul.plan("float32", 1, m, n, k, True, False)
    assert plan.step == step and tile in (None, plan.tile)
    assert pieces is None or (plan.pieces >= 8 if pieces == "many" else plan.pieces == pieces)


def test_the_choice_depends_on_dtype_gpu_and_precision():
    cases = {("float64", True, True): "registers", ("int32", True, True): "tiled", ("bool", True, True): "naive",
             ("float32", False, True): "registers", ("float32", True, True): "tensor",
             ("float32", True, False): "warps"}  # fmt: skip
    for (dtype, modern, tf32), step in cases.items():
        assert matmul.plan(dtype, 1, 64, 64, 64, modern, tf32).step == step


def both(function, *arrays, dtype="float32"):
    """The function's value and gradients on both devices."""
    results = []
    for device in ("cpu", "cuda"):
        leaves = [tg.tensor(x, device=device, requires_grad="float" in dtype) for x in arrays]
        value = function(*leaves)
        if "float" in dtype:
            value.backward(tg.tensor(numbers(tuple(value.shape), dtype, 9), device=device))
        results.append(
            [value.detach().cpu().numpy(), *(leaf.grad.cpu().numpy() for leaf in leaves if "float" in dtype)]
        )
    for expected, found in zip(*results, strict=True):
        assert expected.shape == found.shape and expected.dtype == found.dtype
        tolerance = {"float32": 3e-5, "float64": 1e-13}.get(dtype, 0)
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"])
def test_matmul_of_every_dtype(dtype):
    for shapes in [((3, 4), (4, 5)), ((18, 7), (7, 20)), ((70,), (70,)), ((2, 0), (0, 3))]:
        both(lambda a, b: a @ b, *(numbers(shape, dtype, k) for k, shape in enumerate(shapes)), dtype=dtype)


def test_products_with_their_gradients():
    a, b, batch, one = (
        numbers(shape, "float32", k) for k, shape in enumerate([(18, 9), (9, 20), (2, 4, 66), (1, 66, 5)])
    )
    both(lambda a, b: b.t() @ a.mT, a, b)
    both(lambda a, b: a @ b, batch, one)  # a step of 0
    both(lambda a, b: a[:, 2:] @ b[1:-1, ::3], a, b)
    both(lambda x, w, b: tg.nn.functional.linear(x, w, b), a, b.T.copy(), numbers((20,)))
    both(lambda x, w, b: tg.nn.functional.linear(x, w, b), numbers((2, 70)), numbers((17, 70)), numbers((17,)))


def test_a_sum_that_is_cut_is_joined_with_its_bias(monkeypatch):
    x, w, b = numbers((3, 130)), numbers((2, 130), seed=1), numbers((2,), seed=2)
    for step, pieces in (("warps", 3), ("registers", 2), ("skinny", 2)):
        monkeypatch.setattr(matmul, "plan", lambda *_, step=step, pieces=pieces: Plan(step, TILES[2], pieces))
        out = tg.nn.functional.linear(*(tg.tensor(value, device="cuda") for value in (x, w, b)))
        close(out.cpu().numpy(), x, w.T, b)


def test_a_batch_longer_than_a_grid(monkeypatch):
    monkeypatch.setattr(matmul, "PER_LAUNCH", 2)
    both(lambda a, b: a @ b, numbers((5, 3, 4)), numbers((5, 4, 2)))


def test_tf32_is_asked_for_through_the_backends(monkeypatch):
    monkeypatch.setattr(precision, "allow_tf32", False)
    a, b = numbers((20, 20)), numbers((20, 20), seed=1)

    def product():
        return (tg.tensor(a, device="cuda") @ tg.tensor(b, device="cuda")).cpu().numpy()

    exact = product()
    assert not tg.backends.cuda.matmul.allow_tf32
    tg.backends.cuda.matmul.allow_tf32 = True
    rough = product()
    assert tg.get_float32_matmul_precision() == "high" and 1e-5 < abs(rough - exact).max() < 1e-2
    tg.set_float32_matmul_precision("highest")
    assert not tg.backends.cuda.matmul.allow_tf32 and (product() == exact).all()


def test_a_thread_block_has_the_size_that_the_kernel_counts_on():
    assert SIDE * matmul.matmul_naive.EACH == matmul.matmul_naive.TILE
    for tile in TILES:
        assert tile.rows % (tile.down * 32) == 0 and tile.columns % (tile.across * 16) == 0 and tile.depth % 8 == 0


P, Y = Expr.input("p"), Expr.input("y")
ENDINGS = {
    "residual": ((P + Y,), lambda p, y: (p + y,)),
    "activation": ((build("tanh", P),), lambda p, y: (np.tanh(p),)),
    "kept": ((build("tanh", P) * Y, P), lambda p, y: (np.tanh(p) * y, p)),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("step, pieces", [("warps", 1), ("warps", 3), ("tensor", 1)])
@pytest.mark.parametrize("m, n, k", [(17, 22, 30), (40, 68, 16)])  # n decides whether four are stored at once
def test_a_product_ends_with_a_formula(m, n, k, step, pieces, ending, monkeypatch):
    monkeypatch.setattr(matmul, "plan", lambda *_: Plan(step, TILES[2] if step == "warps" else TENSOR, pieces))
    outputs, meaning = ENDINGS[ending]
    x, w, bias, side = (numbers(shape, seed=s) for s, shape in enumerate([(m, k), (k, n), (n,), (m, n)]))
    layout = ("float32", m, n, k, (0, k, 1), (0, n, 1))
    a, b, biases, beside = map(memory.from_numpy, (x, w, bias, side.reshape(-1)))
    kernel, sizes = matmul.matmul_kernel(*layout)
    plain = memory.empty(m * n, x.dtype)
    formula = Formula("ending", ("p",) if ending == "activation" else ("p", "y"), outputs)
    for given in (None, biases):
        kernel(plain, a, b, sizes, given)
        results = [memory.from_numpy(np.full(m * n, np.nan, "f")) for _ in outputs]
        sides = [beside] if "y" in formula.inputs else []
        matmul.matmul_ending(formula, *layout)(*results, a, b, sizes, given, *sides)
        wanted = meaning(memory.to_numpy(plain).reshape(m, n), side)
        for result, expected in zip(results, wanted, strict=True):
            np.testing.assert_allclose(memory.to_numpy(result).reshape(m, n), expected, rtol=1e-6, atol=1e-6)


def test_a_side_that_begins_anywhere_is_read_one_by_one():
    x, w, side = numbers((18, 20)), numbers((20, 20), seed=1), numbers((361,), seed=2)
    layout = ("float32", 18, 20, 20, (0, 20, 1), (0, 20, 1))
    kernel = matmul.matmul_ending(Formula("ending", ("p", "y"), (P * Y, P)), *layout)
    a, b, beside = map(memory.from_numpy, (x.ravel(), w.ravel(), side))
    out, second = memory.empty(360, x.dtype), memory.empty(361, x.dtype)
    kernel(out, second[1:], a, b, None, None, beside[1:])
    np.testing.assert_allclose(memory.to_numpy(second)[1:].reshape(18, 20), x @ w, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(memory.to_numpy(out), memory.to_numpy(second)[1:] * side[1:])


def test_kernels_of_other_steps_have_no_ending():
    formula = Formula("ending", ("p", "y"), (P + Y,))
    for dtype, n in (("float32", 1), ("float64", 64), ("int64", 64)):
        assert matmul.matmul_ending(formula, dtype, 64, n, 64, (0, 64, 1), (0, n, 1)) is None


def test_a_formula_that_needs_many_registers_is_no_ending():
    layout, formula = ("float32", 64, 64, 64, (0, 64, 1), (0, 64, 1)), P
    for k in range(12):
        assert matmul.matmul_ending(Formula("ending", ("p",), (formula,)), *layout) is not None
        formula = formula * (P + float(k + 1))
    for k in range(12, 24):
        formula = formula * (P + float(k + 1))
    assert matmul.matmul_ending(Formula("ending", ("p",), (formula,)), *layout) is None
