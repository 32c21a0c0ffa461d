"""The two innermost pieces of matmul, in vector registers: a tile of C, and the transpose of a strip.

**Problem.** A core can start two vector multiply-adds a cycle, but a loop such as `c[j] += a * b[j]` brings two
operands from memory and writes one back for each of them: it waits for memory, not for arithmetic. The cure is
to let a small tile of C live in registers while p runs over the whole block of the reduction axis:

    for p in range(k):                          # with 8 rows and 3 vectors of 16 floats:
        b0, b1, b2 = three vectors of row p of B                  3 loads
        for i in range(8):
            s = A[i, p] in every lane of a vector                 8 loads
            c[i][0] += s * b0;  c[i][1] += s * b1;  ...          24 multiply-adds

11 loads feed 24 multiply-adds, and C is touched once per tile. 24 accumulators, 3 vectors of B and one `s` take
28 of the 32 vector registers; machines with 16 registers (AVX2) get 4 rows: 12 + 3 + 1. The more accumulators,
the better: a multiply-add answers after 4 cycles, so at least 8 must be under way at any time.

**Why LLVM, and not a plain loop.** Written as a Numba loop with scalars, LLVM does not find the tile (measured:
10 GFLOP/s), and with arrays it keeps C in memory and uses half of an AVX-512 register. Numba's `@intrinsic` lets a
function write its own LLVM instructions; a value of type `<16 x float>` is a full register on every machine that
has one, and is split into smaller ones elsewhere, so the text below is portable. It is a loop in Python that
*prints* instructions: `rows` and `vectors` are known when it runs, all the other names are values of the machine.

Source: K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008;
F. Van Zee and R. van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality", 2015.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from tinygrad_kernels.cpu.matmul_endings import ADD, MULTIPLY, NONE, RELU, WHERE_POSITIVE

_FEATURES = llvm.get_host_cpu_features()
VECTOR_BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
ROWS = 4 if VECTOR_BYTES == 32 else 8  # rows of a tile: 12 or 24 accumulators
VECTORS = 3  # vectors in a row of a tile

_INT = ir.IntType(64)
_INT32 = ir.IntType(32)
_CONTRACT = ["contract"]  # a * b + c may become one instruction; nothing may change its order


class _Vectors:
    """Prints the vector instructions that both intrinsics need, for arrays of one dtype."""

    def __init__(self, context: Any, builder: Any, dtype: types.Float) -> None:
        self.context, self.builder = context, builder
        self.size = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.size
        self.type = ir.VectorType(context.get_value_type(dtype), self.lanes)
        self.zero = ir.Constant(self.type, None)

    def address(self, array_type: Any, array: Any, at: Any) -> Any:
        """Pointer to `array[at]`; no bounds check, no negative indices."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.gep(data, [at])

    def addresses(self, first: Any, row: Any, there: list[Any]) -> list[Any]:
        """Pointers to the first row and, `row` elements apart, to as many more as there are; then to the last again."""
        found = [first]
        for exists in there:
            found.append(self.builder.gep(found[-1], [self.builder.select(exists, row, _INT(0))]))
        return found

    def offsets(self, first: Any, row: Any, there: list[Any]) -> list[Any]:
        """The same as numbers of elements."""
        found = [first]
        for exists in there:
            found.append(self.builder.add(found[-1], self.builder.select(exists, row, _INT(0))))
        return found

    def read(self, start: Any, offset: Any, mask: Any) -> Any:
        """A vector, `offset` elements from an address in bytes; 0 where the mask is off."""
        pointer = self.builder.inttoptr(start, self.type.element.as_pointer())
        source = self.builder.bitcast(self.builder.gep(pointer, [offset]), self.type.as_pointer())
        return self.masked("load", self.type, [source, _INT32(self.size), mask, self.zero])

    def smaller(self, i: Any, j: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", i, j), i, j)

    def load(self, pointer: Any) -> Any:
        vector = self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()))
        vector.align = self.size
        return vector

    def store(self, vector: Any, pointer: Any) -> None:
        self.builder.store(vector, self.builder.bitcast(pointer, vector.type.as_pointer()), align=self.size)

    def shuffle(self, x: Any, y: Any, lanes: list[int]) -> Any:
        """A vector of the given lanes of x (0, 1, ...) and y (counted on from there)."""
        return self.builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes))

    def splat(self, scalar: Any, vector_type: Any = None) -> Any:
        """The scalar in every lane."""
        start = ir.Constant(vector_type or self.type, ir.Undefined)
        first = self.builder.insert_element(start, scalar, _INT32(0))
        return self.shuffle(first, first, [0] * self.lanes)

    def multiply_add(self, x: Any, y: Any, z: Any) -> Any:
        return self.builder.fadd(self.builder.fmul(x, y, flags=_CONTRACT), z, flags=_CONTRACT)

    def opaque(self, index: Any) -> Any:
        """The same index, by an empty piece of assembly that the optimiser cannot look into.

        It would make `pointer[index]` of ROWS pointers into ROWS pointers that all move, and these additions take
        the ports of the multiply-adds.
        """
        return self.builder.asm(ir.FunctionType(index.type, [index.type]), "", "=r,0", [index], False)

    def prefetch(self, pointer: Any) -> None:
        """Ask for the cache line of `pointer`, to be written."""
        byte = self.builder.bitcast(pointer, cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [byte.type, _INT32, _INT32, _INT32])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        self.builder.call(function, [byte, _INT32(1), _INT32(3), _INT32(1)])

    def ended(self, ending: int, x: Any, y: Any) -> Any:
        """A vector of C after an ending."""
        if ending == ADD:
            return self.builder.fadd(x, y)
        if ending == MULTIPLY:
            return self.builder.fmul(x, y)
        low = self.builder.fcmp_ordered("<=", x if ending == RELU else y, self.zero)
        return self.builder.select(low, self.zero, x)

    def lanes_below(self, count: Any) -> Any:
        """A mask: lane number < count (any integer, so no lane or all lanes too)."""
        numbers = ir.VectorType(_INT, self.lanes)
        lane = ir.Constant(numbers, list(range(self.lanes)))
        return self.builder.icmp_signed("<", lane, self.splat(count, numbers))

    def masked(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """Call `llvm.masked.load` or `.store`: lanes that are off neither read nor write memory."""
        suffix = f".v{self.lanes}f{8 * self.size}.p0"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.masked.{name}{suffix}")
        return self.builder.call(function, arguments)


@intrinsic(prefer_literal=True)
def tile(
    typing, vectors, c, c_at, c_row, m, n, first, a, a_at, a_row, a_col, b, b_at, b_row, k, last, bias, side, ending
):
    """C[:ROWS, :vectors * lanes] = A @ B if first, else += A @ B; called from a kernel, with a literal `vectors`.

    If last, the bias of column j is added, and then comes the ending. `bias` and `side` are addresses, in bytes: of the
    bias of the first column (0: there is none), and of the other matrix, which is laid out as `c` is.

    Element (i, j) of C is `c[c_at + i * c_row + j]`; (i, p) of A is `a[a_at + i * a_row + p * a_col]`; (p, j) of B is
    `b[b_at + p * b_row + j]`, and B must be readable for all `vectors * lanes` columns.

    Only m rows and n columns of C exist. Missing columns are masked. A missing row repeats the last one: the same
    value is computed and stored again, which needs no branch and no mask.
    """
    kinds = [c, *[types.int64] * 4, types.boolean, a, *[types.int64] * 3, b, *[types.int64] * 3]
    signature = types.void(vectors, *kinds, types.boolean, *[types.int64] * 3)

    def codegen(context, builder, signature, arguments):
        _, c, c_at, c_row, m, n, first, a, a_at, a_row, a_col, b, b_at, b_row, k, last, bias, side, ending = arguments
        builder.function.attributes.add("noinline")  # one copy in the kernel's caller, however often it is called
        v = _Vectors(context, builder, kinds[0].dtype)
        columns = range(vectors.literal_value)
        there = [builder.icmp_signed("<", _INT(i), m) for i in range(1, ROWS)]
        a_rows = v.addresses(v.address(kinds[6], a, a_at), a_row, there)
        b_start = v.address(kinds[10], b, b_at)
        c_rows = v.addresses(v.address(kinds[0], c, c_at), c_row, there)
        sums = [[cgutils.alloca_once_value(builder, v.zero) for _ in columns] for _ in range(ROWS)]
        for c_i in c_rows:
            for j in columns:
                v.prefetch(builder.gep(c_i, [_INT(j * v.lanes)]))

        with cgutils.for_range(builder, k) as loop:
            b_p = builder.gep(b_start, [builder.mul(loop.index, b_row)])
            b_vectors = [v.load(builder.gep(b_p, [_INT(j * v.lanes)])) for j in columns]
            a_p = v.opaque(builder.mul(loop.index, a_col))
            for a_i, sums_i in zip(a_rows, sums, strict=True):
                s = v.splat(builder.load(builder.gep(a_i, [a_p])))
                for b_j, place in zip(b_vectors, sums_i, strict=True):
                    builder.store(v.multiply_add(s, b_j, builder.load(place)), place)

        masks = [v.lanes_below(builder.sub(n, _INT(j * v.lanes))) for j in columns]
        pointer = v.type.as_pointer()
        targets = [
            (place, builder.bitcast(builder.gep(c_i, [_INT(j * v.lanes)]), pointer), masks[j])
            for c_i, sums_i in zip(c_rows, sums, strict=True)
            for j, place in enumerate(sums_i)
        ]
        with builder.if_then(builder.not_(first)):  # read all rows before any is stored: the last may be repeated
            for place, target, mask in targets:
                old = v.masked("load", v.type, [target, _INT32(v.size), mask, v.zero])
                builder.store(builder.fadd(builder.load(place), old), place)
        with builder.if_then(builder.and_(last, builder.icmp_signed("!=", bias, _INT(0)))):
            for j in columns:
                some = v.read(bias, _INT(j * v.lanes), masks[j])
                for sums_i in sums:
                    builder.store(builder.fadd(builder.load(sums_i[j]), some), sums_i[j])
        with builder.if_then(builder.and_(last, builder.icmp_signed("!=", ending, _INT(NONE)))):
            starts = v.offsets(c_at, c_row, there)
            for number in (ADD, MULTIPLY, RELU, WHERE_POSITIVE):
                with builder.if_then(builder.icmp_signed("==", ending, _INT(number))):
                    for start, sums_i in zip(starts, sums, strict=True):
                        for j, place in enumerate(sums_i):
                            y = (
                                v.read(side, builder.add(start, _INT(j * v.lanes)), masks[j])
                                if number != RELU
                                else None
                            )
                            builder.store(v.ended(number, builder.load(place), y), place)
        for place, target, mask in targets:
            v.masked("store", ir.VoidType(), [builder.load(place), target, _INT32(v.size), mask])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def transpose(typing, out, out_at, out_row, x, x_at, x_row, count):
    """out[p, i] = x[min(i, count - 1), p] for ROWS rows i of x and one vector of columns p; called from a kernel.

    Row p of `out` starts at `out[out_at + p * out_row]`, row i of `x` at `x[x_at + i * x_row]`. count >= 1.

    A perfect shuffle interleaves the first half of a list with the second (0 4 1 5 2 6 3 7). On the ROWS * lanes
    elements, numbered i * lanes + p, each shuffle moves the highest bit of the number to the lowest place: after
    log2(ROWS) of them the bits of i stand behind those of p, and that is the transpose.
    """
    signature = types.void(out, types.int64, types.int64, x, types.int64, types.int64, types.int64)

    def codegen(context, builder, signature, arguments):
        out, out_at, out_row, x, x_at, x_row, count = arguments
        builder.function.attributes.add("noinline")
        v = _Vectors(context, builder, signature.args[0].dtype)
        last = builder.sub(count, _INT(1))
        rows = [builder.mul(v.smaller(_INT(i), last), x_row) for i in range(ROWS)]
        strip = [v.load(v.address(signature.args[3], x, builder.add(x_at, row))) for row in rows]
        both = [i // 2 + i % 2 * v.lanes for i in range(2 * v.lanes)]  # 0, lanes, 1, lanes + 1, ...
        low, high = both[: v.lanes], both[v.lanes :]
        for _ in range(ROWS.bit_length() - 1):
            pairs = list(zip(strip[: ROWS // 2], strip[ROWS // 2 :], strict=True))
            strip = [v.shuffle(x, y, half) for x, y in pairs for half in (low, high)]

        piece = min(ROWS, v.lanes)  # what one vector holds of one row of `out`
        for number in range(0, ROWS * v.lanes, piece):
            vector = strip[number // v.lanes]
            lanes = list(range(number % v.lanes, number % v.lanes + piece))
            p, i = divmod(number, ROWS)
            at = builder.add(out_at, builder.add(builder.mul(_INT(p), out_row), _INT(i)))
            v.store(v.shuffle(vector, vector, lanes), v.address(signature.args[0], out, at))
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def move(typing, out, out_at, x, x_at, count, width):
    """out[:width] = x[:count], width and count <= lanes; the elements between count and width become 0."""
    signature = types.void(out, types.int64, x, types.int64, types.int64, types.int64)

    def codegen(context, builder, signature, arguments):
        out, out_at, x, x_at, count, width = arguments
        v = _Vectors(context, builder, signature.args[0].dtype)
        source = builder.bitcast(v.address(signature.args[2], x, x_at), v.type.as_pointer())
        target = builder.bitcast(v.address(signature.args[0], out, out_at), v.type.as_pointer())
        vector = v.masked("load", v.type, [source, _INT32(v.size), v.lanes_below(count), v.zero])
        v.masked("store", ir.VoidType(), [vector, target, _INT32(v.size), v.lanes_below(width)])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def copy(typing, out, out_at, x, x_at):
    """out[:ROWS] = x[:ROWS]: a row of a full strip."""
    signature = types.void(out, types.int64, x, types.int64)

    def codegen(context, builder, signature, arguments):
        out, out_at, x, x_at = arguments
        v = _Vectors(context, builder, signature.args[0].dtype)
        kind = ir.VectorType(v.type.element, ROWS).as_pointer()
        row = builder.load(builder.bitcast(v.address(signature.args[2], x, x_at), kind), align=v.size)
        v.store(row, v.address(signature.args[0], out, out_at))
        return context.get_dummy_value()

    return signature, codegen
