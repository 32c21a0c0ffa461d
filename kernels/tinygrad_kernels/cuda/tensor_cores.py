"""Tensor cores: a warp multiplies two small matrices with one instruction.

The problem. An ordinary multiplication is one of 128 that a multiprocessor does at a time, however its registers are
fed. The idea. Put 16 x 8 x 8 of them into one instruction, and let the 32 lanes of a warp hold the matrices together:

    D (16, 8) += A (16, 8) B (8, 8)        lane = 4 g + q,  g = 0 ... 7,  q = 0 ... 3

    lane holds  A[g, q]  A[g + 8, q]  A[g, q + 4]  A[g + 8, q + 4]       B[q, g]  B[q + 4, g]
                D[g, 2q]  D[g, 2q + 1]  D[g + 8, 2q]  D[g + 8, 2q + 1]

The price is precision. A and B are taken as *TF32*: float32 with 10 bits after the point instead of 23, so about three
decimal digits. Sums are kept in float32. `round_tf32` rounds to the nearest such number; bits that are still there are
cut off by the instruction, which is worse by a factor of two, and always towards zero.

    float32   s eeeeeeee mmmmmmmmmm mmmmmmmmmmmmm
    TF32      s eeeeeeee mmmmmmmmmm

Source: PTX ISA, section "Matrix fragments for mma.m16n8k8"; NVIDIA A100 Tensor Core GPU Architecture, 2020.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import simulator
from .device import SIMULATED

if SIMULATED:

    def round_tf32(x: Any) -> Any:
        """The nearest TF32 number, of two the one away from zero."""
        x = np.float32(x)
        return (
            ((x.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32) if np.isfinite(x) else x
        )

    def cut_tf32(x: Any) -> Any:
        return (np.float32(x).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)

    def multiply_tf32(d0: Any, d1: Any, d2: Any, d3: Any, a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any) -> Any:
        """D + A B of the warp: what this lane holds of it."""
        thread, held = simulator.current, simulator.current.block.exchange
        lane = thread.number % simulator.WARP
        first, g, q = thread.number - lane, lane // 4, lane % 4
        held[thread.number] = [cut_tf32(x) for x in (a0, a1, a2, a3, b0, b1)]
        simulator.cuda.syncwarp()
        sums = [d0, d1, d2, d3]
        for p in range(8):
            left, half = held[first + 4 * g + p % 4], p // 4
            for column in range(2):
                y = held[first + 4 * (2 * q + column) + p % 4][4 + half]
                sums[column] += left[2 * half] * y
                sums[2 + column] += left[2 * half + 1] * y
        simulator.cuda.syncwarp()
        return tuple(sums)

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    FLOAT, BITS = ir.FloatType(), ir.IntType(32)
    MULTIPLY = (
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
    )

    @intrinsic
    def round_tf32(typingctx: Any, x: Any) -> Any:
        """The nearest TF32 number, of two the one away from zero."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            convert = ir.InlineAsm(ir.FunctionType(BITS, [FLOAT]), "cvt.rna.tf32.f32 $0, $1;", "=r,f")
            return builder.bitcast(builder.call(convert, arguments), FLOAT)

        return types.float32(types.float32), generate

    @intrinsic
    def multiply_tf32(
        typingctx: Any, d0: Any, d1: Any, d2: Any, d3: Any, a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any
    ) -> Any:
        """D + A B of the warp: what this lane holds of it."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            four = ir.LiteralStructType([FLOAT] * 4)
            operands = [builder.bitcast(x, BITS) for x in arguments[4:]]
            kind = ir.FunctionType(four, [BITS] * 6 + [FLOAT] * 4)
            multiply = ir.InlineAsm(kind, MULTIPLY, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f")
            sums = builder.call(multiply, [*operands, *arguments[:4]])
            return context.make_tuple(
                builder, signature.return_type, [builder.extract_value(sums, k) for k in range(4)]
            )

        return types.UniTuple(types.float32, 4)(*[types.float32] * 10), generate
