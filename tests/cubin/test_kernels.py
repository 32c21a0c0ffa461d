"""The kernels that were written by hand, compiled for a Hopper GPU: a table of what each may use.

A row is (file, function that makes the kernel, its arguments), then registers of a thread, bytes of shared memory of a
block, and whether it may contain instructions on float64: statistics are float64 where the interface says so, read or
written once for each row. No kernel may spill registers, or need a stack.
"""

import importlib

import pytest
from test_compile import built
from tinygrad_kernels.cuda import matmul_tf32, matmul_tiles, matmul_warp
from tinygrad_kernels.cuda.matmul_endings import print_ending
from tinygrad_kernels.expr import Expr, Formula, build

TABLE = [
    ("attention", "product", ("float32",), 80, 5376, False),
    ("attention", "weigh", ("float32",), 48, 0, False),
    ("attention", "weigh_backward", ("float32",), 32, 0, False),
    ("batch_norm", "_statistics", ("float32", "warp"), 40, 0, True),
    ("batch_norm", "_recalled", ("float32", "warp"), 24, 0, True),
    ("batch_norm", "_sums", ("float32", "warp"), 64, 0, True),
    ("batch_norm", "_joined", ("float32", "warp"), 32, 0, False),
    ("batch_norm", "_normalised", ("float32", "warp"), 72, 0, True),
    ("batch_norm", "_backward", ("float32", "warp"), 80, 0, True),
    ("batch_norm", "_statistics", ("float32", "block"), 48, 1120, True),
    ("batch_norm", "_recalled", ("float32", "block"), 24, 0, True),
    ("batch_norm", "_sums", ("float32", "block"), 64, 1120, True),
    ("batch_norm", "_joined", ("float32", "block"), 32, 1120, False),
    ("batch_norm", "_normalised", ("float32", "block"), 72, 0, True),
    ("batch_norm", "_backward", ("float32", "block"), 80, 0, True),
    ("convolution", "direct", ("float32", "uint32"), 56, 0, False),
    ("convolution", "tiled", ("float32", "uint32"), 112, 5376, False),
    ("convolution_weights", "direct_weights", ("float32", "uint32"), 56, 1088, False),
    ("convolution_weights", "tiled_weights", ("float32", "uint32"), 120, 5376, False),
    ("convolution_weights", "add_parts", ("float32",), 32, 0, False),
    ("norm", "_layer_norm", ("float32", ("warp", 4)), 48, 0, True),
    ("norm", "_layer_norm", ("float32", ("warp", 16)), 72, 0, True),
    ("norm", "_layer_norm", ("float32", ("block", 4)), 56, 1120, True),
    ("norm", "_layer_norm", ("float32", ("block", 16)), 72, 1120, True),
    ("norm", "_backward", ("float32", ("warp", 4)), 56, 2048, True),
    ("norm", "_backward", ("float32", ("warp", 16)), 104, 2048, True),
    ("norm", "_backward", ("float32", ("block", 4)), 56, 1120, True),
    ("norm", "_backward", ("float32", ("block", 16)), 120, 1120, True),
    ("rows", "_softmax", ("float32", ("warp", 4), False), 40, 0, False),
    ("rows", "_softmax_backward", ("float32", ("warp", 4), False), 32, 0, False),
    ("rows", "_from_logsum", ("float32", ("warp", 4), False), 24, 0, True),
    ("rows", "_from_logsum", ("float32", ("warp", 4), True), 32, 0, True),
    ("rows", "_logsumexp", ("float32", ("warp", 4)), 32, 0, True),
    ("rows", "_cross_entropy", ("float32", ("warp", 4)), 32, 0, True),
    ("rows", "_softmax", ("float32", ("warp", 32), False), 56, 0, False),
    ("rows", "_softmax_backward", ("float32", ("warp", 32), False), 96, 0, False),
    ("rows", "_from_logsum", ("float32", ("warp", 32), False), 80, 0, True),
    ("rows", "_from_logsum", ("float32", ("warp", 32), True), 80, 0, True),
    ("rows", "_logsumexp", ("float32", ("warp", 32)), 56, 0, True),
    ("rows", "_cross_entropy", ("float32", ("warp", 32)), 56, 0, True),
    ("rows", "_softmax", ("float32", ("block", 16), False), 40, 1120, False),
    ("rows", "_softmax_backward", ("float32", ("block", 16), False), 56, 1120, False),
    ("rows", "_from_logsum", ("float32", ("block", 16), False), 48, 0, True),
    ("rows", "_from_logsum", ("float32", ("block", 16), True), 48, 0, True),
    ("rows", "_logsumexp", ("float32", ("block", 16)), 32, 1120, True),
    ("rows", "_cross_entropy", ("float32", ("block", 16)), 40, 1120, True),
    ("variance", "_moments", ("float32", "warp"), 56, 0, False),
    ("variance", "_moments", ("float32", "block"), 56, 1120, False),
    ("variance", "_moments", ("float32", "column"), 56, 4096, False),
    ("variance", "_variance", ("float32", "thread"), 40, 0, False),
    ("variance", "_variance", ("float32", "warp"), 40, 0, False),
    ("pooling", "largest", ("float32", "uint32"), 48, 0, False),
    ("pooling", "largest_backward", ("float32", "uint32"), 48, 0, False),
    ("pooling", "mean", ("float32", "uint32"), 48, 0, False),
    ("pooling", "wide_mean", ("float32", "uint32"), 40, 0, False),
    ("pooling", "mean_backward", ("float32", "uint32"), 72, 0, False),
    ("recurrent", "step", ("lstm", "float32"), 40, 0, False),
    ("recurrent", "back", ("lstm", "float32"), 32, 0, False),
    ("recurrent", "step", ("gru", "float32"), 40, 0, False),
    ("recurrent", "back", ("gru", "float32"), 32, 0, False),
    ("recurrent", "add", ("float32",), 16, 0, False),
    ("matmul_naive", "naive", ("float32",), 40, 0, False),
    ("matmul_naive", "tiled", ("float32",), 40, 3072, False),
    ("matmul_naive", "registers", ("float32",), 120, 5184, False),
    ("matmul_skinny", "rows", ("float32", 1), 96, 1536, False),
    ("matmul_skinny", "columns", ("float32", 1), 88, 5632, False),
    ("matmul_skinny", "rows", ("float32", 4), 112, 3072, False),
    ("matmul_skinny", "columns", ("float32", 4), 96, 19456, False),
    ("matmul_skinny", "rows", ("float32", 16), 128, 9216, False),
    ("matmul_skinny", "columns", ("float32", 16), 128, 41984, False),
    ("matmul_tiles", "join", ("float32",), 32, 0, False),
    ("scattering", "kernels", ("add", "float32", "uint32"), 40, 0, False),
    ("sorting", "key_maker", ("float32",), 16, 0, False),
    ("sorting", "median_finder", ("float32",), 24, 0, False),
    ("runs", "change_marker", ("float32",), 16, 0, False),
    ("scan", "kernels", ("sum", "float32", "float32"), 80, 9536, False),
    ("scan", "kernels", ("prod", "float32", "float32"), 88, 9568, True),
    ("scan", "kernels", ("max", "float32", "float32"), 88, 9568, False),
    ("scan", "kernels", ("logsumexp", "float32", "float32"), 64, 9536, False),
    ("scan", "kernels", ("recurrence", "float32", "float32"), 96, 13824, True),
]  # fmt: skip


def kernels(made):
    """The kernels in what a factory gives back: one, or a tuple of them."""
    return made if isinstance(made, tuple) else (made,)


@pytest.mark.parametrize(
    "file, factory, arguments, registers, shared, doubles", TABLE, ids=[f"{r[0]}-{r[1]}-{r[2]}" for r in TABLE]
)
def test_a_kernel_stays_within_its_bounds(file, factory, arguments, registers, shared, doubles):
    module = importlib.import_module(f"tinygrad_kernels.cuda.{file}")
    for kernel in kernels(getattr(module, factory)(*arguments)):
        built(kernel, registers, shared=shared, doubles=doubles)


SHARED = [26112, 17920, 18432, 22528, 22528]  # bytes for each tile: two pieces of A and of B, and what the system takes


STRAIGHT, TURNED = ("four", "four"), ("across", "along")
TILES = [*((number, STRAIGHT) for number in range(len(SHARED))), (1, TURNED)]


@pytest.mark.parametrize("number, ways", TILES, ids=[f"{number}-{'-'.join(ways)}" for number, ways in TILES])
def test_every_tile_of_the_matrix_product(number, ways):
    """So many registers that the blocks fit which should be resident; most instructions are multiplications."""
    tile = matmul_warp.TILES[number]
    fitting = min(255, 65536 // (tile.threads * tile.resident))
    ptx = built(matmul_warp.warps(tile, *ways), fitting, shared=SHARED[number])
    assert ptx.count("cp.async") >= 4 and ptx.count("fma.rn.f32") >= tile.rows * tile.columns // tile.threads
    assert ("ld.shared.v4" in ptx) and (("16, " in ptx) or ways is TURNED)


P, Y = Expr.input("p"), Expr.input("y")
ERF = build("erf", P * 0.7071067811865476)
ENDINGS = {
    "residual": Formula("residual", ("p", "y"), (P + Y,)),
    "gelu and its derivative": Formula(
        "gelu",
        ("p",),
        (P * (0.5 * (1.0 + ERF)), 0.5 * (1.0 + ERF) + P * (0.398942280401 * build("exp", -0.5 * (P * P)))),
    ),
    "a product that is kept": Formula("tanh", ("p", "y"), (build("tanh", P) * Y, P)),
}


@pytest.mark.parametrize("formula", ENDINGS.values(), ids=ENDINGS)
def test_endings_need_no_more_registers(formula):
    """Before an element is stored, the registers that multiplied are free."""
    ending = print_ending(formula)
    for number, tile in enumerate(matmul_warp.TILES):
        if number != 1 and len(formula.inputs) == 2:
            continue  # the other formula is the longest
        fitting = min(255, 65536 // (tile.threads * tile.resident))
        ptx = built(matmul_warp.warps(tile, *STRAIGHT, ending), fitting, shared=SHARED[number])
        assert (" ld.global.v4" in ptx) == ("y" in formula.inputs)
    if len(formula.inputs) == 1:
        built(matmul_tf32.tensor("four", "four", ending), 128, shared=35840)
    built(matmul_tiles.join("float32", ending), 48)


def test_tensor_cores_are_used_where_they_are_allowed():
    ptx = built(matmul_tf32.tensor("four", "four"), 128, shared=35840)
    assert ptx.count("mma.sync.aligned.m16n8k8") >= 32
