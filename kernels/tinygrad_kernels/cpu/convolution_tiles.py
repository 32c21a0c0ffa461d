"""The two innermost pieces of a convolution, in vector registers.

**Problem.** A convolution is a matrix product in disguise: out[o, t] = sum over k of W[o, k] X[k, t], where t is a
position in the image, k a *tap* (one channel, one place in the kernel), and X[k, t] the pixel that tap k sees from t.
The well-known way (im2col) writes X out, and a 3x3 kernel then copies every pixel nine times before the first product.

**Idea.** X need not exist. Row k of X is the image itself, moved: X[k, t] = frame[tap[k] + t]. So the tile of matmul,
which keeps 8 x 3 vectors of the result in registers, works as it is if row k of its right operand starts at an address
out of a table. Neighbouring taps read almost the same pixels, so what a tile touches stays in the first-level cache,
where nine copies would not.

    correlate    out[o, t] = b[o] + sum over k of W[o, k] frame[tap[k] + t]      broadcast a weight, load pixels
    weigh        out[k, o] += sum over t of  G[o, t] frame[tap[k] + t]           load both, lanes added up at the end

Positions come in *pieces*, one vector each: (where it starts in the frame, where its results go, how many of its lanes
are results). Three pieces make the width of a tile, wherever they lie.

Sources: M. Dukhan, The indirect convolution algorithm, 2019 (arXiv:1907.02129), for the table of addresses;
E. Georganas et al., Anatomy of high-performance deep learning convolutions on SIMD architectures, SC 2018.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tinygrad_kernels.cpu.matmul_blocks import _INT, _INT32, _Vectors

PIECE = 3  # numbers that describe a piece: source, destination, count


class _Places(_Vectors):
    """Prints what both tiles need beside vector arithmetic: numbers out of tables, and sums over lanes."""

    def number(self, table_type: Any, table: Any, at: Any) -> Any:
        return self.builder.load(self.address(table_type, table, at))

    def clipped(self, count: int, limit: Any) -> list[Any]:
        """0 ... count - 1, none above limit - 1: what is missing repeats the last."""
        last = self.builder.sub(limit, _INT(1))
        return [self.smaller(_INT(i), last) for i in range(count)]

    def totals(self, vectors: list[Any]) -> Any:
        """The sum of the lanes of each vector, as one short vector. At most as many vectors as lanes.

        Each step adds neighbours and puts two vectors into one: (a0+a1, a2+a3, ..., b0+b1, ...).
        """
        count = len(vectors)
        even = list(range(0, 2 * self.lanes, 2))
        odd = [lane + 1 for lane in even]
        for _ in range(self.lanes.bit_length() - 1):
            pairs = list(zip(vectors[::2], vectors[1::2] or vectors, strict=True))
            vectors = [self.builder.fadd(self.shuffle(x, y, even), self.shuffle(x, y, odd)) for x, y in pairs]
        return self.shuffle(vectors[0], vectors[0], list(range(count)))


@intrinsic(prefer_literal=True)
def correlate(typing, rows, vectors, out, at, row, m, bias, bias_at, w, w_at, x, x_at, taps, tap, k, pieces, piece):
    """out[i, t] = bias[i] + sum over p < k of w[i, p] x[tap[p] + t] for `rows` rows i, and the t of `vectors` pieces.

    `rows` and `vectors` are literals. Row i of the result is at out[at + i * row + destination of the piece ...]; only
    m rows exist, and the missing ones repeat the last. Weight (i, p) is w[w_at + p * rows + i], tap p is at
    taps[tap + p]. A whole vector of x must be readable wherever a tap of a piece starts.
    """
    kinds = [out, *[types.int64] * 3, bias, types.int64, w, types.int64, x, types.int64]
    signature = types.void(rows, vectors, *kinds, taps, types.int64, types.int64, pieces, types.int64)

    def codegen(context, builder, signature, arguments):
        _, _, out, at, row, m, bias, bias_at, w, w_at, x, x_at, taps, tap, k, pieces, piece = arguments
        builder.function.attributes.add("noinline")  # one copy in the kernel's caller, however often it is called
        v = _Places(context, builder, kinds[0].dtype)
        tables = signature.args
        first = builder.mul(piece, _INT(PIECE))
        sources, places, counts = (
            [
                v.number(tables[15], pieces, builder.add(first, _INT(j * PIECE + field)))
                for j in range(vectors.literal_value)
            ]
            for field in range(PIECE)
        )
        numbers = v.clipped(rows.literal_value, m)
        starts = [v.address(kinds[8], x, builder.add(x_at, source)) for source in sources]
        weights = v.address(kinds[6], w, w_at)
        sums = [
            [cgutils.alloca_once_value(builder, v.splat(v.number(kinds[4], bias, builder.add(bias_at, i))))
             for _ in starts]
            for i in numbers
        ]  # fmt: skip
        with cgutils.for_range(builder, k) as loop:
            moved = v.number(tables[12], taps, builder.add(tap, loop.index))
            pixels = [v.load(builder.gep(start, [moved])) for start in starts]
            w_p = builder.gep(weights, [builder.mul(loop.index, _INT(len(numbers)))])
            for i, sums_i in enumerate(sums):
                s = v.splat(builder.load(builder.gep(w_p, [_INT(i)])))
                for pixel, place in zip(pixels, sums_i, strict=True):
                    builder.store(v.multiply_add(s, pixel, builder.load(place)), place)

        masks = [v.lanes_below(count) for count in counts]
        for i, sums_i in zip(numbers, sums, strict=True):
            line = v.address(kinds[0], out, builder.add(at, builder.mul(i, row)))
            for total, place, mask in zip(sums_i, places, masks, strict=True):
                target = builder.bitcast(builder.gep(line, [place]), v.type.as_pointer())
                v.masked("store", ir.VoidType(), [builder.load(total), target, _INT32(v.size), mask])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic(prefer_literal=True)
def weigh(
    typing, rows, vectors, out, at, g, g_at, g_row, g_step, m, x, x_at, x_step, taps, tap, left, pieces, count, images
):
    """out[p, i] += sum over images and t of g[i, t] x[tap[p] + t] for `rows` rows i and `vectors` taps p.

    Row p of `out` starts at out[at + p * rows]. g (of each image, g_step apart) has one vector for each of the `count`
    pieces, whose lanes that are no position hold 0. Only m rows of g and `left` taps exist; missing ones repeat the
    last, and missing taps add the same to the same place, once, since all is read before anything is stored.
    """
    kinds = [out, types.int64, g, *[types.int64] * 4, x, *[types.int64] * 2]
    signature = types.void(rows, vectors, *kinds, taps, *[types.int64] * 2, pieces, *[types.int64] * 2)

    def codegen(context, builder, signature, arguments):
        _, _, out, at, g, g_at, g_row, g_step, m, x, x_at, x_step, taps, tap, left, pieces, count, images = arguments
        builder.function.attributes.add("noinline")
        v = _Places(context, builder, kinds[0].dtype)
        tables = signature.args
        numbers = v.clipped(vectors.literal_value, left)
        moves = [v.number(tables[12], taps, builder.add(tap, p)) for p in numbers]
        starts = [v.address(kinds[7], x, builder.add(x_at, move)) for move in moves]
        lines = [
            v.address(kinds[2], g, builder.add(g_at, builder.mul(i, g_row))) for i in v.clipped(rows.literal_value, m)
        ]
        sums = [[cgutils.alloca_once_value(builder, v.zero) for _ in lines] for _ in starts]
        with cgutils.for_range(builder, images) as image:
            x_image, g_image = builder.mul(image.index, x_step), builder.mul(image.index, g_step)
            with cgutils.for_range(builder, count) as loop:
                source = v.number(tables[15], pieces, builder.mul(loop.index, _INT(PIECE)))
                source = builder.add(x_image, source)
                pixels = [v.load(builder.gep(start, [source])) for start in starts]
                g_p = v.opaque(builder.add(g_image, builder.mul(loop.index, _INT(v.lanes))))
                for i, line in enumerate(lines):
                    cotangent = v.load(builder.gep(line, [g_p]))
                    for pixel, sums_p in zip(pixels, sums, strict=True):
                        builder.store(v.multiply_add(cotangent, pixel, builder.load(sums_p[i])), sums_p[i])

        step = min(rows.literal_value, v.lanes)
        results = []
        for p, sums_p in zip(numbers, sums, strict=True):
            for i in range(0, rows.literal_value, step):
                total = v.totals([builder.load(place) for place in sums_p[i : i + step]])
                place = builder.add(at, builder.add(builder.mul(p, _INT(rows.literal_value)), _INT(i)))
                target = builder.bitcast(v.address(kinds[0], out, place), total.type.as_pointer())
                old = builder.load(target)
                old.align = v.size
                results.append((builder.fadd(old, total), target))
        for result, target in results:
            builder.store(result, target, align=v.size)
        return context.get_dummy_value()

    return signature, codegen
