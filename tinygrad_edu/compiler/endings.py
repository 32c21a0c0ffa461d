"""Endings: what follows a matrix product, element by element, is computed before the product is stored.

The problem. A matrix product is a kernel that was written by hand, so the loop after it cannot be put into a formula
with it, as two loops can (fusion.py). `x + self.proj(h)` writes the product, and reads it again to add x.

The idea. Such a kernel does have a place where each element of its result is in a register for the last time: where it
stores it. There it can compute a formula of it first (an *epilogue*):

    v2 = matmul(h, w)                        v3 = p + x where p = matmul(h, w)
    v3 = v2 + x                  ──▶         one pass over memory in place of three

The formula may read one more array at the same places, and where the product itself is needed, too, it is stored beside
the result. Which formulas a kernel can end with is its own affair: a CPU's knows a few
(tinygrad_kernels/cpu/matmul_endings.py), a GPU's any.

Source: NVIDIA, CUTLASS: Efficient GEMM in CUDA, 2018 (epilogues).
"""

from __future__ import annotations

from tinygrad_kernels.expr import Expr, Formula

from .formulas import renamed
from .order import Order
from .passes import in_order
from .program import Access, Call, Ended, Loop, Program, Step, Value

MOST_RESULTS = 2  # that a kernel stores


def end_products(program: Program) -> None:
    """Give each product that can have one its ending."""
    order = Order(program)
    position: dict[Step, int] = {step: k for k, step in enumerate(program.steps)}
    wanted = set(program.wanted())
    for call in program.steps:
        if type(call) is not Call or call.ending is None or call.made[0].before is not None:
            continue
        for loop in sorted(order.users.get(call.made[0], ()), key=lambda step: position[step]):
            both = ended(call, loop, order, wanted) if type(loop) is Loop else None
            if both is not None:
                position[both] = position[loop]
                order.join(call, loop, both)
                break
    program.steps = order.sorted(position)


def ended(call: Call, loop: Loop, order: Order, wanted: set[Value]) -> Ended | None:
    """The call with the loop as its ending; None where it cannot be."""
    (p,) = call.made
    names = values_in_order(loop, p)
    if names is None or p.memory is not None or loop.target is not None or order.apart(call, loop):
        return None
    if any((v.memory, v.dtype) != (None, p.dtype) for v in loop.made):
        return None
    outputs, made = list(loop.outputs), list(loop.made)
    if p in wanted or order.needed_elsewhere(p, loop):
        outputs.append(Expr.input(next(name for name, v in names.items() if v is p)))
        made.append(p)
    letters = {name: "p" if v is p else "y" for name, v in names.items()}
    if len(made) > MOST_RESULTS or len(names) > 2:
        return None
    assert call.ending is not None
    kernel = call.ending(Formula("ending", ("p", "y")[: len(names)], tuple(renamed(outputs, letters))))
    if kernel is None:
        return None
    both = Ended(call, kernel, outputs, names, made)
    for v in made:
        v.step = both
    return both


def values_in_order(loop: Loop, p: Value) -> dict[str, Value] | None:
    """The values that a loop reads, by name, if it reads each as it reads p: all of it, in order, in the same dtype."""
    found: dict[str, Value] = {}
    for name, a in loop.operands.items():
        if not isinstance(a, Access) or not in_order(a, loop.shape) or a.value.dtype != p.dtype:
            return None
        found[name] = a.value
    return found if loop.compute == p.dtype and p in found.values() else None
