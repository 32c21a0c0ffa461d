"""No kernel's result depends on the number of threads: every one of the backend, at a size that threads share out.

A table says how each is called; the names in it, those of kernels that have no parallel twin, and what is no kernel,
are together the names of the backend, so that a new kernel cannot be forgotten.
"""

import os
from pathlib import Path

import numpy as np
from test_threads import run
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.cpu import backend, convolution, threads
from tinygrad_kernels.expr import Expr, Formula, trace

# Every kernel of the backend that has a parallel twin, at a size for which the twin is made: a function that fills
# results from float32 numbers x, y; and the dtypes and sizes of the results.
PRODUCT = trace("product", lambda x, y: x * y, ("x", "y"))
BOTH = trace("both", lambda x, y: (x * y, x + y), ("x", "y"))
FLAT = Signature(["float32", "float32"], ["flat", "flat"], "float32")
STRIDED = Signature(["float32", "float32"], ["strided", "strided", "unit"], "float32")
ROWS, COLS = 1709, 77  # blocks of no size fit into this
N = ROWS * COLS
AT = np.random.default_rng(1).integers(0, 50, 3000)


def _rows(each, everything, x, y):
    backend.rows(PRODUCT, FLAT, True)(each, COLS, 1.0, x, y)
    backend.rows(PRODUCT, FLAT, True)(everything, N, 1.0, x, y)


def _sums(total, stored, x, y):
    backend.sums(BOTH, FLAT, 1, True)(total, stored, N, 1.0, x, y)


def _strided(out, x, y):
    backend.strided(PRODUCT, STRIDED, 2, True)((COLS, ROWS), out, (0, ROWS, 1), x, (0, 1, COLS), y, (0, 1, COLS))


def _matmul_ending(out, x, y):
    layout = ("float32", 301, 203, 270, (0, 270, 1), (0, 1, 270))
    p, side = Expr.input("p"), Expr.input("y")
    kernel = backend.matmul_ending(Formula("ending", ("p", "y"), (p * side,)), *layout)
    kernel(out, x, y, backend.matmul_kernel(*layout)[1], y[:203], x[: out.size])


def _matmul(out, x, y):
    kernel, sizes = backend.matmul_kernel("float32", 301, 203, 270, (0, 270, 1), (0, 1, 270))
    kernel(out, x, y, sizes)


def _batched(out, x, y):
    backend.batched_matmul(out, x, y, 3, 150, 103, 170, 40, (0, 170, 1), 0, (0, 1, 170))


def _layer_norm(out, gx, gw, gb, x, y):
    statistics, w = np.empty((2, ROWS)), y[:COLS]
    backend.layer_norm(out, *statistics, x, w, w, ROWS, COLS, 1e-5)
    backend.layer_norm_backward(gx, gw, gb, y, x, w, *statistics, ROWS, COLS)


def _convolution(out, gx, gw, x, y):
    sizes = convolution.Geometry(70, 1, 4, 9, (13, 13), (3, 3), (13, 13), (1, 1), (1, 1), (1, 1))
    backend.convolution(2, x, y[: gw.size], out, None, sizes)
    backend.convolution(0, gx, y[: gw.size], x, None, sizes)
    backend.convolution(1, x, gw, y, None, sizes)


def _recurrent(*results_x_y):
    *results, x, y = results_x_y
    cells = {"tanh": 1, "relu": 1, "lstm": 4, "gru": 3}
    for (cell, gates), hs, d in zip(cells.items(), results[::2], results[1::2], strict=True):
        steps, batch, n = 10, 49, 101
        a, weight = np.tile(x[: steps * batch * n], gates), np.tile(y[: n * n], gates)
        states, dh, du = np.zeros_like(hs), np.zeros((2, batch * n), np.float32), np.empty_like(d)
        hs[: batch * n] = 0
        sizes = (steps, batch, n)
        backend.recurrent(cell, hs, states, a, weight, y[: gates * n], y[: gates * n], sizes, False)
        du = du if cell == "gru" else d
        backend.recurrent_backward(cell, d, du, *dh, x[: steps * batch * n], hs, states, a, weight, sizes, False)


def _batch_norm(out, gx, gw, gb, x, y):
    statistics, w, none = np.empty((2, ROWS)), y[:ROWS], np.empty(0, np.float32)
    backend.batch_norm(out, *statistics, x, w, w, none, none, COLS, True, 0.1, 1e-5)
    backend.batch_norm_backward(gx, gw, gb, y, x, w, *statistics, COLS, True)


def _attention(out, p, gq, gk, gv, x, y):
    sizes = np.array([2, 90, 80, 16, 16, *3 * (0, 4096, 1024, 16), *5 * (0,)])  # 2 heads of 10 examples
    backend.attention(out, p, x, y, x, np.empty(0, np.float32), sizes, 0.25, True)
    places = [(0, 2 * rows * 16, 16, 32) for rows in (90, 80, 80)]
    sizes = np.append(sizes, places)
    backend.attention_backward(gq, gk, gv, y[: out.size], p, x, y, x, sizes, 0.25, True)


def _logsumexp(out, sums, gx, x, y):
    backend.logsumexp(out, sums, x, ROWS, COLS)
    backend.logsumexp_backward(gx, y, x, sums, ROWS, COLS)


def _cross_entropy(losses, sums, gx, x, y):
    targets = np.arange(ROWS) % COLS
    backend.cross_entropy(losses, sums, x, targets, ROWS, COLS)
    backend.cross_entropy_backward(gx, y[:1], x, sums, targets, ROWS, COLS)


def _add_at(by_rows, by_elements, x, y):
    by_rows[:], by_elements[:] = x[: by_rows.size], x[: by_elements.size]
    backend.add_at(by_rows, AT[:400], y, 1, 50, 300)
    backend.add_at(by_elements, AT, y, 40, 50, 1)


def _max_pool(pairs, pairs_at, out, at, gx, x, y):
    edges = np.arange(0, 11, 2)
    backend.max_pool(pairs, pairs_at, x, edges, edges + 2, edges, edges + 2, (1, 1), True, 700, 144, 12)
    backend.max_pool(out, at, x, edges, edges + 2, edges, edges + 2, (1, 1), False, 700, 144, 12)
    backend.max_pool_backward(gx, y, at, 700, 144)


def _average_pool(out, gx, x, y):
    edges, counts = np.arange(0, 9, 2), np.full(5, 4)
    windows = (edges, edges + 4, edges, edges + 4, counts, counts)
    backend.average_pool(out, x, *windows, 700, 144, 12)
    backend.average_pool_backward(gx, y, *windows, 700, 144, 12)


PARALLEL = {
    "flat": (lambda a, b, x, y: backend.flat(BOTH, FLAT, True)(a, b, x, y), [("f", N), ("f", N)]),
    "strided": (_strided, [("f", N)]),
    "rows": (_rows, [("f", ROWS), ("f", 1)]),
    "sums": (_sums, [("f", 1), ("f", N)]),
    "columns": (lambda out, x, y: backend.columns(PRODUCT, FLAT, True)(out, ROWS, COLS, 1.0, x, y), [("f", COLS)]),
    "matmul_kernel": (_matmul, [("f", 301 * 203)]),
    "matmul_ending": (_matmul_ending, [("f", 301 * 203)]),
    "batched_matmul": (_batched, [("f", 3 * 150 * 103)]),
    "softmax": (lambda out, x, y: backend.softmax(out, x, ROWS, COLS), [("f", N)]),
    "softmax_backward": (lambda out, x, y: backend.softmax_backward(out, x, y, ROWS, COLS), [("f", N)]),
    "log_softmax": (lambda out, x, y: backend.log_softmax(out, x, ROWS, COLS), [("f", N)]),
    "log_softmax_backward": (lambda out, x, y: backend.log_softmax_backward(out, x, y, ROWS, COLS), [("f", N)]),
    "convolution": (_convolution, [("f", 70 * 9 * 169), ("f", 70 * 4 * 169), ("f", 9 * 4 * 9)]),
    "logsumexp logsumexp_backward": (_logsumexp, [("f", ROWS), ("d", ROWS), ("f", N)]),
    "cross_entropy cross_entropy_backward": (_cross_entropy, [("f", ROWS), ("d", ROWS), ("f", N)]),
    "layer_norm layer_norm_backward": (_layer_norm, [("f", N), ("f", N), ("f", COLS), ("f", COLS)]),
    "max_pool max_pool_backward": (
        _max_pool,
        [("f", 700 * 36), ("i", 700 * 36), ("f", 700 * 36), ("i", 700 * 36), ("f", 700 * 144)],
    ),
    "average_pool average_pool_backward": (_average_pool, [("f", 700 * 25), ("f", 700 * 144)]),
    "recurrent recurrent_backward": (
        _recurrent,
        [("f", size) for gates in (1, 1, 4, 3) for size in (11 * 49 * 101, 10 * 49 * 101 * gates)],
    ),
    "batch_norm batch_norm_backward": (_batch_norm, [("f", N), ("f", N), ("f", ROWS), ("f", ROWS)]),
    "attention attention_backward": (_attention, [("f", n) for n in (28800, 144000, 28800, 25600, 25600)]),
    "cumsum": (lambda out, x, y: backend.cumsum(out, x, COLS, 1, True), [("f", N)]),
    "cumprod": (lambda out, x, y: backend.cumprod(out, x, ROWS, COLS), [("f", N)]),
    "cumextreme": (lambda out, x, y: backend.cumextreme(out, x, COLS, 1, True), [("q", N)]),
    "logcumsumexp": (lambda out, x, y: backend.logcumsumexp(out, x, COLS, 1), [("f", N)]),
    "variance": (
        lambda out, mean, x, y: backend.variance(out, mean, x, COLS, 1, 3.0, True),
        [("f", ROWS), ("f", ROWS)],
    ),
    "recurrence": (lambda out, x, y: backend.recurrence(out, x, y, ROWS, COLS, True), [("f", N)]),
    "take": (lambda out, x, y: backend.take(out, x, AT, 40, 50, 1), [("f", 40 * 3000)]),
    "add_at": (_add_at, [("f", 50 * 300), ("f", 40 * 50)]),
    "sort_rows": (lambda order, x, y: backend.sort_rows(order, x, ROWS, COLS, True), [("q", N)]),
}
# The kernels that have none, and what is no kernel
SERIAL = """coordinates count_true find_true first_of_rows fold_index gather_places mark_runs
median_rows paste put reduce_at runs search_rows smallest_and_largest triangle""".split()
NO_KERNELS = ["Generator", "PARALLEL_FROM", "address", "allocator", "from_numpy", "maker", "to_numpy"]


def test_every_kernel_of_the_backend_is_said_to_be_parallel_or_serial():
    named = [*" ".join(PARALLEL).split(), *SERIAL, *NO_KERNELS]
    assert sorted(named) == sorted(backend.__all__)


def run_all_kernels():
    """Print the kernels whose results change with the number of threads."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((2, N)).astype(np.float32)
    for name, (kernel, results) in PARALLEL.items():
        found = set()
        for number in (1, 2, 3, 4):
            threads.set_num_threads(number)
            outs = [np.full(size, 9, dtype) for dtype, size in results]
            kernel(*outs, x, y)
            found.add(b"".join(out.tobytes() for out in outs))
        if len(found) > 1:
            print(name.replace(" ", "+"))


def test_no_kernels_result_depends_on_the_number_of_threads(tmp_path):
    """In a process that counts the parallel kernels: none is forgotten in the table."""
    program = """
made, launched, plain = set(), set(), threads.parallel
def parallel(kernel, serial):
    launch = plain(kernel, serial)
    made.add(kernel)
    def counted(*arguments):
        if threads.get_num_threads() > 1:
            launched.add(kernel)
        return launch(*arguments)
    return counted
threads.parallel = parallel
sys.path.insert(0, TESTS)
import test_threads_kernels
test_threads_kernels.run_all_kernels()
print(len(made - launched), len(launched) >= 20)
"""
    program = program.replace("TESTS", repr(str(Path(__file__).parent)))
    assert run(os.environ.get("TINYGRAD_EDU_CACHE", tmp_path), program, number=4) == ["0", "True"]
