"""Computing early what is cheaper to compute early: the derivative beside the function.

The problem. gelu(x) = x Φ(x) keeps x for its backward pass, which multiplies g by Φ(x) + x φ(x). So Φ, an error
function, is computed twice, and between the two loops stands everything that a network does in the meantime.

The idea. The second loop wants x only for a formula of x alone. Compute that formula where x is read first, where half
of it is being computed anyway, and keep it in place of x:

    forward     y = x Φ(x)                       forward     y = x Φ(x);  d = Φ(x) + x φ(x)
    keep        x                         ──▶    keep        d
    backward    g (Φ(x) + x φ(x))                backward    g d

As much is kept as before, and one array more is written, over one that was just read. It pays where the two formulas
share a function. (Expressions that are equal are one object, so sharing can be seen: expr.py.)

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost, 2016, section 3 (in-place
operations and what they keep).
"""

from __future__ import annotations

from tinygrad_kernels.expr import Expr, walk

from ..ops.strides import contiguous_strides
from .formulas import PREDICATES, cost
from .passes import in_order, lasting
from .program import Access, Fold, Loop, Program, Value

WRITE = 15  # operations (formulas.cost) that take as long as to write their result


def compute_early(program: Program) -> None:
    """Where two loops read a value, let the first compute what the second needs it for."""
    stays, wanted = lasting(program), set(program.wanted())
    for x, users in program.readers().items():
        if len(users) != 2 or x.memory is not None or x in wanted or x not in stays:
            continue
        first, later = users
        if type(first) is not Loop or first.target is not None or not isinstance(later, Loop):
            continue
        if first.compute != x.dtype or later.compute != x.dtype:
            continue
        names = name_of(x, first), name_of(x, later)
        if None in names or names[0] != names[1]:
            continue
        e = only_use(names[1], later)
        if e is None or cost(e) - (cost(*first.outputs, e) - cost(*first.outputs)) < WRITE:
            continue
        y = program.new_value(x)
        first.outputs.append(e)
        first.made.append(y)
        y.step = first
        access = Access(y, 0, contiguous_strides(later.shape))
        later.operands[name := program.names.of(access, later.shape)] = access
        later.outputs = with_input(later.outputs, e, name)
        later.prune()


def name_of(x: Value, step: Loop) -> str | None:
    """The name of x in a loop that reads all of it in order, and not otherwise."""
    found = [(name, a) for name, a in step.operands.items() if isinstance(a, Access) and a.value is x]
    return found[0][0] if len(found) == 1 and in_order(found[0][1], step.shape) else None


def only_use(name: str | None, step: Loop) -> Expr | None:
    """The one largest expression of nothing but this operand, if the loop needs the operand for nothing else."""
    if isinstance(step, Fold) and len(step.operands) == 1:
        return None  # a reduction runs along what is left
    alone: set[int] = set()
    uses: dict[int, Expr] = {}
    for e in walk(tuple(step.outputs)):
        mine = [a for a in e.args if id(a) in alone]
        if e.value == name if e.op == "input" else mine and all(id(a) in alone or a.op == "const" for a in e.args):
            alone.add(id(e))
        else:
            uses |= {id(a): a for a in mine}
    uses |= {id(e): e for e in step.outputs if id(e) in alone}
    if len(uses) != 1:
        return None
    (e,) = uses.values()
    return None if e.op == "input" or e.op in PREDICATES else e


def with_input(outputs: list[Expr], part: Expr, name: str) -> list[Expr]:
    """The expressions with an input in place of a part."""
    done: dict[int, Expr] = {id(part): Expr.input(name)}
    for e in walk(tuple(outputs)):
        if id(e) not in done:
            done[id(e)] = Expr(e.op, tuple(done[id(a)] for a in e.args), e.value) if e.args else e
    return [done[id(e)] for e in outputs]
