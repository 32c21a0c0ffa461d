"""Four float32 at once: loads and stores of 128 bits.

A thread that loads four numbers with one instruction asks memory a quarter as often, and a warp's request is 512 bytes
in a row. The compiler does not do this by itself: it would have to know that the address is a multiple of 16. Whoever
calls `load4(x, i)` promises that: buffers begin at multiples of 512 bytes, so i must be a multiple of 4 (and a slice
that begins elsewhere must take the kernel that loads one by one).

At the edge of a matrix, `load_up_to_4` and `store_up_to_4` take as many of four as there are. A branch for each would
be four times the code; a *predicate* makes an instruction one that is skipped where it does not hold.

This file, as asynchronous.py and tensor_cores.py, builds instructions by hand, through Numba's `intrinsic`: a function
that prints LLVM's intermediate language, or PTX, instead of being compiled.

Source: PTX ISA, ld.global.v4 and "Predicated Execution"; numba documentation, "Implementing intrinsics".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import SIMULATED

if SIMULATED:

    def load4(x: Any, i: int) -> Any:
        """Elements i ... i + 3."""
        assert i % 4 == 0, f"a load of 128 bits at element {i}: not a multiple of 4"
        return x[i], x[i + 1], x[i + 2], x[i + 3]

    def store4(x: Any, i: int, a: Any, b: Any, c: Any, d: Any) -> None:
        """The same, written."""
        assert i % 4 == 0, f"a store of 128 bits at element {i}: not a multiple of 4"
        assert i + 3 < x.size
        x[i], x[i + 1], x[i + 2], x[i + 3] = a, b, c, d

    def load_up_to_4(x: Any, i: int, count: int, aligned: bool) -> Any:
        """The first `count` of elements i ... i + 3, and zeros; `aligned`: i is a multiple of 4, as count is."""
        assert not aligned or count <= 0 or ((x.ctypes.data + 4 * int(i)) % 16 == 0 and count % 4 == 0)
        return tuple(x[i + k] if k < count else np.float32(0) for k in range(4))

    def store_up_to_4(x: Any, i: int, count: int, aligned: bool, a: Any, b: Any, c: Any, d: Any) -> None:
        """The first `count` of them, written, without a branch."""
        assert not aligned or count <= 0 or ((x.ctypes.data + 4 * int(i)) % 16 == 0 and count % 4 == 0)
        for k, value in enumerate((a, b, c, d)):
            if k < count:
                x[i + k] = value

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    VECTOR = ir.VectorType(ir.FloatType(), 4)
    LANES = [ir.Constant(ir.IntType(32), k) for k in range(4)]

    def address(context: Any, builder: Any, kind: Any, x: Any, i: Any) -> Any:
        """Where element i lies of an address, or of an array in shared memory."""
        start = context.make_array(kind)(context, builder, x).data if isinstance(kind, types.Array) else x
        return builder.gep(start, [i])

    def _vector(context: Any, builder: Any, signature: Any, x: Any, i: Any) -> Any:
        pointer = address(context, builder, signature.args[0], x, i)
        return builder.bitcast(pointer, VECTOR.as_pointer(pointer.type.addrspace))

    @intrinsic
    def load4(typingctx: Any, x: Any, i: Any) -> Any:
        """Elements i ... i + 3."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            vector = builder.load(_vector(context, builder, signature, *arguments))
            vector.align = 16
            values = [builder.extract_element(vector, lane) for lane in LANES]
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(types.float32, 4)(x, types.int64), generate

    @intrinsic
    def store4(typingctx: Any, x: Any, i: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        """The same, written."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = _vector(context, builder, signature, *arguments[:2])
            vector = ir.Constant(VECTOR, ir.Undefined)
            for lane, value in zip(LANES, arguments[2:], strict=True):
                vector = builder.insert_element(vector, value, lane)
            builder.store(vector, pointer).align = 16
            return context.get_dummy_value()

        return types.void(x, types.int64, *[types.float32] * 4), generate

    # `count` and `aligned` become predicates: all four at once, or the first, the second, ... of them alone
    PREDICATES = """
        .reg .pred at_once, one, two, three, four, some, single;
        setp.gt.s32 some, COUNT, 0;
        setp.ne.and.s32 at_once, ALIGNED, 0, some;
        setp.eq.s32 single, ALIGNED, 0;
        setp.gt.and.s32 one, COUNT, 0, single;
        setp.gt.and.s32 two, COUNT, 1, single;
        setp.gt.and.s32 three, COUNT, 2, single;
        setp.gt.and.s32 four, COUNT, 3, single;"""
    LOADS = f"""{{
        {PREDICATES.replace("COUNT", "$5").replace("ALIGNED", "$6")}
        mov.f32 $0, 0f00000000;
        mov.f32 $1, 0f00000000;
        mov.f32 $2, 0f00000000;
        mov.f32 $3, 0f00000000;
        @at_once ld.global.v4.f32 {{$0, $1, $2, $3}}, [$4];
        @one ld.global.f32 $0, [$4];
        @two ld.global.f32 $1, [$4+4];
        @three ld.global.f32 $2, [$4+8];
        @four ld.global.f32 $3, [$4+12];
    }}"""
    STORES = f"""{{
        {PREDICATES.replace("COUNT", "$1").replace("ALIGNED", "$2")}
        @at_once st.global.v4.f32 [$0], {{$3, $4, $5, $6}};
        @one st.global.f32 [$0], $3;
        @two st.global.f32 [$0+4], $4;
        @three st.global.f32 [$0+8], $5;
        @four st.global.f32 [$0+12], $6;
    }}"""

    @intrinsic
    def load_up_to_4(typingctx: Any, x: Any, i: Any, count: Any, aligned: Any) -> Any:
        """The first `count` of elements i ... i + 3, and zeros; `aligned`: i is a multiple of 4, as count is."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, i, count, aligned = arguments
            place = builder.ptrtoint(address(context, builder, signature.args[0], x, i), ir.IntType(64))
            flag = builder.zext(aligned, ir.IntType(32))
            four = ir.LiteralStructType([ir.FloatType()] * 4)
            kind = ir.FunctionType(four, [place.type, count.type, flag.type])
            assembly = ir.InlineAsm(kind, LOADS, "=&f,=&f,=&f,=&f,l,r,r,~{memory}", side_effect=True)
            found = builder.call(assembly, [place, count, flag])
            values = [builder.extract_value(found, k) for k in range(4)]
            return context.make_tuple(builder, signature.return_type, values)

        return types.UniTuple(types.float32, 4)(x, types.int64, types.int32, types.boolean), generate

    @intrinsic
    def store_up_to_4(typingctx: Any, x: Any, i: Any, count: Any, aligned: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        """The first `count` of them, written, without a branch."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, i, count, aligned, *values = arguments
            place = builder.ptrtoint(address(context, builder, signature.args[0], x, i), ir.IntType(64))
            flag = builder.zext(aligned, ir.IntType(32))
            kind = ir.FunctionType(ir.VoidType(), [place.type, count.type, flag.type, *(v.type for v in values)])
            assembly = ir.InlineAsm(kind, STORES, "l,r,r,f,f,f,f,~{memory}", side_effect=True)
            builder.call(assembly, [place, count, flag, *values])
            return context.get_dummy_value()

        return types.void(x, types.int64, types.int32, types.boolean, *[types.float32] * 4), generate
