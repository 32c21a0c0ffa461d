"""Copies from memory to shared memory that go on while the threads compute.

The problem. A number on its way from memory to shared memory passes through a register: a load, which takes some 500
cycles, and a store that has to wait for it. A thread that fetches the next tile early, so as not to wait, needs a
register for each number that is under way, and has none left.

The idea. Since 2020 (compute capability 8.0) a thread can ask for the copy itself and go on; the data passes by the
registers. Some time later it waits for all the copies that it has asked for, and after a barrier everybody may read:

    copy_async(tile, i, x, at, inside)      ask for tile[i] = x[at], or 0 where `inside` is false (the edge of a matrix)
    ...                                     compute with another tile
    wait_for_copies()                       mine are here
    cuda.syncthreads()                      everybody's are

Before the wait there may be anything in tile[i]. The simulator puts nan there, so a kernel that forgets to wait is
wrong every time instead of once in a while.

Source: PTX ISA, section "Data Movement and Conversion Instructions: Asynchronous copy" (cp.async); NVIDIA, CUTLASS,
cutlass/arch/memory_sm80.h, 2020.
"""

from __future__ import annotations

from typing import Any

from . import simulator
from .device import SIMULATED

if SIMULATED:

    def _copies() -> list[Any]:
        """What the running thread has asked for and not waited for."""
        thread = simulator.current
        return thread.block.exchange.setdefault(("copies", thread.number), [])

    def copy_async(tile: Any, i: int, x: Any, at: int, inside: bool) -> None:
        """tile[i] = x[at] if inside else 0, some time before wait_for_copies() returns."""
        tile[i] = float("nan")
        _copies().append((tile, i, (x[at] if inside else 0,)))

    def copy4_async(tile: Any, i: int, x: Any, at: int, count: int) -> None:
        """tile[i ... i + 3] = x[at ... at + 3], of which the first `count` are read and the others are 0."""
        assert i % 4 == 0, f"a copy of 128 bits to element {i}: not a multiple of 4"
        assert count <= 0 or (x[at:].ctypes.data) % 16 == 0, f"a copy of 128 bits from element {at}: not aligned"
        assert 0 <= count <= 4
        tile[i : i + 4] = float("nan")
        _copies().append((tile, i, tuple(x[at + k] if k < count else 0 for k in range(4))))

    def wait_for_copies() -> None:
        """Wait for all copies that this thread has asked for."""
        for tile, i, values in _copies():
            tile[i : i + len(values)] = values
        _copies().clear()

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    from .vectors import address

    INT32, INT64 = ir.IntType(32), ir.IntType(64)

    def _copy(context: Any, builder: Any, signature: Any, arguments: Any, instruction: str, count: Any) -> Any:
        """The instruction; of its bytes, those of `count` float32 are read, and the others are zeros."""
        tile, i, x, at, _ = arguments
        target = address(context, builder, signature.args[0], tile, i)
        if target.type.addrspace != 3:  # shared memory has addresses of its own, of 32 bits
            target = builder.addrspacecast(target, target.type.pointee.as_pointer(3))
        source = address(context, builder, signature.args[2], x, at)
        if source.type.addrspace != 1:
            source = builder.addrspacecast(source, source.type.pointee.as_pointer(1))
        bytes_read = builder.shl(count, ir.Constant(INT32, 2))
        kind = ir.FunctionType(ir.VoidType(), [INT32, INT64, INT32])
        assembly = ir.InlineAsm(kind, instruction, "r,l,r,~{memory}", side_effect=True)
        builder.call(assembly, [builder.ptrtoint(target, INT32), builder.ptrtoint(source, INT64), bytes_read])
        return context.get_dummy_value()

    @intrinsic
    def copy_async(typingctx: Any, tile: Any, i: Any, x: Any, at: Any, inside: Any) -> Any:
        """tile[i] = x[at] if inside else 0, some time before wait_for_copies() returns."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count = builder.zext(arguments[4], INT32)
            return _copy(context, builder, signature, arguments, "cp.async.ca.shared.global [$0], [$1], 4, $2;", count)

        return types.void(tile, types.int64, x, types.int64, types.boolean), generate

    @intrinsic
    def copy4_async(typingctx: Any, tile: Any, i: Any, x: Any, at: Any, count: Any) -> Any:
        """tile[i ... i + 3] = x[at ... at + 3], of which the first `count` are read and the others are 0."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            count = arguments[4]
            return _copy(context, builder, signature, arguments, "cp.async.cg.shared.global [$0], [$1], 16, $2;", count)

        return types.void(tile, types.int64, x, types.int64, types.int32), generate

    @intrinsic
    def wait_for_copies(typingctx: Any) -> Any:
        """Wait for all copies that this thread has asked for."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            nothing = ir.FunctionType(ir.VoidType(), [])
            builder.call(ir.InlineAsm(nothing, "cp.async.wait_all;", "~{memory}", side_effect=True), [])
            return context.get_dummy_value()

        return types.void(), generate
