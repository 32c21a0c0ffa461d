"""An elementwise operation, prepared: from the second time on, `x * y` is a look-up and a kernel.

A `Plan` belongs to one operation on operands of certain kinds and shapes, all contiguous (or numbers). It knows the
kernel, the shape and kind of the result, and for the way back one function per operand that turns a cotangent and the
saved buffers into the operand's gradient. Operands that are strided take the general way, `apply`.

The node of an operation keeps only what the derivatives of those operands that need one will ask for, and the
versions of what it keeps (graph.py says why).

Source: A. Griewank, A. Walther, Evaluating Derivatives, 2nd edition, 2008, chapter 3 (reverse mode); for the sum that
undoes a broadcast, R. Frostig, M. Johnson, C. Leary, Compiling machine learning programs via high-level tracing, 2018.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from tinygrad_kernels import calculus
from tinygrad_kernels.expr import Formula, backward_formulas, forward_formula, inputs_of, walk

from .. import dtypes
from ..dtypes import BOOL, FLOAT, NUMBERS, Kind, bool_, int64, kind_of, result_dtype
from ..graph import Node, changed, freed, mode, share
from ..prepared import table
from .launch import compute, launch, on_one_device, same_device
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


class Operation:
    """What the Tensor side keeps of one operation of the calculus: its traced formulas, and its plans.

    `pulls[i]` is the formula of operand i's cotangent (None: it has none), over the names that `picks[i]` selects from
    (g, operands..., out). `keeps[mask]` says which of (operands..., out) must be saved if the operands whose bits are
    set in `mask` need a gradient.
    """

    def __init__(self, op: type[calculus.Elementwise]) -> None:
        self.op, self.name = op, op.name
        self.plans: dict[tuple, Plan] = table()

    # Traced when first needed: a program uses few of the operations.
    @cached_property
    def forward(self) -> Formula:
        return forward_formula(self.op)

    @cached_property
    def pulls(self) -> tuple[Formula | None, ...]:
        return backward_formulas(self.op)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return ("g", *self.op.operands, "out")

    @cached_property
    def picks(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(self.names.index(n) for n in p.inputs) if p else () for p in self.pulls)

    @cached_property
    def passes(self) -> tuple[bool, ...]:
        """Which operands get g itself."""
        return tuple(p is not None and p.outputs[0].op == "input" for p in self.pulls)

    @cached_property
    def keeps(self) -> list[tuple[bool, ...] | None]:
        return [self._keep(mask) for mask in range(2**self.op.arity)]  # None: nothing at all

    def _keep(self, mask: int) -> tuple[bool, ...] | None:
        needed: set[str] = set()
        for i, pull in enumerate(self.pulls):
            if mask >> i & 1 and pull is not None:
                needed |= inputs_of(pull.outputs)
        found = tuple(name in needed for name in self.names[1:])
        return found if any(found) else None


class Plan:
    """One operation on contiguous operands of certain kinds and shapes: see the top of the file."""

    __slots__ = ("operation", "kernel", "size", "shape", "kind", "arithmetic", "number", "targets", "flat_g", "one_g",
                 "new", "change", "make_change", "fits_first", "keeps", "straight")  # fmt: skip

    def __init__(self, operation: Operation, operands: tuple) -> None:
        self.operation = operation
        self.keeps: Any = operation.keeps if operation.op.differentiable else None
        self.arithmetic = arithmetic_kind(operation, operands)
        self.kind = result_kind(operation, self.arithmetic)
        found = launch(operation.forward, operands, self.arithmetic, self.kind)
        assert found.direct is not None or not all(_has_buffer(x) for x in operands)
        self.kernel: Any = found.direct  # None: the general way only
        self.size, self.shape, self.number = found.size, found.shape, found.number
        self.new = self.kind.backend.maker(self.kind.dtype.name, self.size)  # () -> a buffer for the result
        self.change: Any = None  # the kernel that stores the result in the first operand, made when first needed
        self.make_change = found.in_place
        self.targets = tuple((x.shape, x.kind) if isinstance(x, Tensor) else None for x in operands)
        first = operands[0]
        self.fits_first = isinstance(first, Tensor) and first.kind is self.kind and first.shape == self.shape
        self.straight = self.keeps is not None and all(
            t is None or (passes and t == (self.shape, self.kind))
            for t, passes in zip(self.targets, operation.passes, strict=True)
        )  # a sum of two of one shape: every operand's cotangent is g itself
        self.flat_g: list[Callable | None] = [None] * len(operands)  # made when a gradient first comes this way
        self.one_g: list[Callable | None] = [None] * len(operands)

    def make_pull(self, i: int, g: Tensor, values: tuple) -> Callable[[Tensor, tuple], Tensor]:
        """The function (g, buffers of (g, operands..., out)) -> cotangent of operand i, for a g laid out like this."""
        operation = self.operation
        wanted, formula = self.targets[i], operation.pulls[i]
        assert wanted is not None and formula is not None  # only operands with a node get here
        target, kind = wanted
        if operation.passes[i] and target == self.shape and kind is self.kind:
            return lambda g, values: g
        picks = operation.picks[i]
        whole = (g, *map(self._as_operand, values[1:], (*self.targets, (self.shape, self.kind))))
        chosen = tuple(whole[k] for k in picks)
        found = launch(formula, chosen, self.arithmetic, kind, target)
        if found.direct is None:

            def pull_any(g: Tensor, values: tuple) -> Tensor:
                whole = (g, *map(self._as_operand, values[1:], (*self.targets, (self.shape, self.kind))))
                operands = tuple(whole[k] for k in picks)
                return Tensor(found.run(operands, None), found.shape, kind)

            return pull_any
        kernel, shape = found.direct, Size(target)
        new = kind.backend.maker(kind.dtype.name, found.size)
        if len(picks) == 1:
            (only,) = picks

            def pull_one(g: Tensor, values: tuple) -> Tensor:
                out = new()
                kernel(out, values[only])
                return Tensor(out, shape, kind)

            return pull_one
        pick = itemgetter(*picks)

        def pull(g: Tensor, values: tuple) -> Tensor:
            out = new()
            kernel(out, *pick(values))
            return Tensor(out, shape, kind)

        return pull

    @staticmethod
    def _as_operand(buffer: Any, target: tuple | None) -> Any:
        """A saved buffer as the tensor it came from; a number, or what was not saved, as it is."""
        return buffer if target is None or buffer is None else Tensor(buffer, *target)


def _has_buffer(x: Any) -> bool:
    return not isinstance(x, Tensor) or x.flat is not None


NOTHING = (None,) * 8


class ElementwiseNode(Node):
    """One elementwise operation in the graph, on contiguous operands.

    `buffers` are those of (operands..., out), None in place of what is not needed; `operands` the saved tensors
    themselves. `versions` is the sum of the versions of all that is saved: they only grow, so one number is enough to
    see a change.
    """

    __slots__ = ("plan", "buffers", "operands", "versions", "out_shared")

    buffers: Any  # None once it is released
    operands: Any

    def __init__(self, plan: Plan, mask: int, parents: tuple, operands: tuple, out: Tensor) -> None:
        """`mask` has the bits of those operands set that have a node."""
        self.walk = None
        self.parents, self.plan = parents, plan
        self.out_shared = None
        keep = plan.keeps[mask]
        if keep is None:  # a linear operation
            self.versions = 0
            self.operands = self.buffers = NOTHING
            return
        versions = 0
        buffers: list[Any] = []
        kept: list[Any] = []
        for x, wanted in zip(operands, keep):  # noqa: B905  (keep has one more, for the result)
            if not wanted:
                buffers.append(None)
                kept.append(None)
            elif isinstance(x, Tensor):
                buffers.append(x.flat)
                kept.append(x)
                if x.shared is not None:
                    versions += x.shared.version
            else:
                buffers.append(plan.number(x))
                kept.append(x)
        if keep[-1]:
            buffers.append(out.flat)
            self.out_shared = share(out)
            versions += self.out_shared.version
        else:
            buffers.append(None)
        self.versions, self.operands, self.buffers = versions, kept, tuple(buffers)

    def name(self) -> str:
        from ..printing import node_name

        return node_name(self.plan.operation.op, self.plan.targets)

    def release(self) -> None:
        if self.operands is not NOTHING:  # where nothing was saved, nothing is lost
            self.buffers = self.operands = self.out_shared = None

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...] | list[Tensor | None]:
        if self.buffers is None:
            raise freed(self)
        plan = self.plan
        if plan.straight:
            return (g,) * len(self.parents)
        if self.operands is not self.buffers:
            self.check()
        if graph:
            return self.pull_graph(g)
        pulls = plan.flat_g
        buffer = g.flat
        if buffer is None:
            if any(g.region[2]):
                g = g.contiguous()
                buffer = g.flat
            else:  # one number, expanded
                pulls, (base, offset, _, _) = plan.one_g, g.region
                buffer = base[offset : offset + 1]
        values = (buffer, *self.buffers)
        found: list[Tensor | None] = []
        for i, parent in enumerate(self.parents):
            if parent is None:
                found.append(None)
                continue
            pull = pulls[i]
            if pull is None:
                pull = pulls[i] = plan.make_pull(i, g, values)
            found.append(pull(g, values))
        return found

    def check(self) -> None:
        """Refuse if something saved has been changed in place since."""
        versions = 0
        for x in self.operands:
            if isinstance(x, Tensor) and x.shared is not None:
                versions += x.shared.version
        if self.out_shared is not None:
            versions += self.out_shared.version
        if versions != self.versions:
            operands = [list(t[0]) for t in self.plan.targets if t]
            raise changed(f"an operand of {self.name()}, of shapes {operands}, or its result {list(self.plan.shape)}")

    def pull_graph(self, g: Tensor) -> tuple[Tensor | None, ...]:
        """The cotangents as differentiable tensors: the traced formulas, evaluated operation by operation."""
        plan, operation = self.plan, self.plan.operation
        assert self.buffers is not None
        operands = [  # in the dtype in which the result was computed
            x.to_kind(plan.arithmetic) if isinstance(x, Tensor) and name not in operation.op.parameters else x
            for name, x in zip(operation.op.operands, self.operands, strict=False)
        ]
        whole = dict(zip(operation.names, (g, *operands), strict=False))
        if self.buffers[-1] is not None:
            whole["out"] = Tensor(self.buffers[-1], plan.shape, plan.kind, self)
        found: list[Tensor | None] = []
        for i, parent in enumerate(self.parents):
            formula = operation.pulls[i]
            if parent is None or formula is None:
                found.append(None)
                continue
            target, kind = plan.targets[i]  # type: ignore[misc]
            found.append(evaluate(formula, whole).sum_to(target).to_kind(kind))
        return tuple(found)


def evaluate(formula: Formula, values: dict[str, Any]) -> Any:
    """Read a traced formula on tensors. Each operation is one of Tensor's, so the result has a graph."""
    done: dict[int, Any] = {}
    for e in walk(formula.outputs):
        if e.op == "input":
            done[id(e)] = values[e.value]
        elif e.op == "const":
            done[id(e)] = e.value
        else:
            done[id(e)] = apply(OPERATIONS[e.op], *(done[id(a)] for a in e.args))
    found = done[id(formula.outputs[0])]
    return found if isinstance(found, Tensor) else repeated(found, values["g"])


def repeated(number: float, like: Tensor) -> Tensor:
    """A tensor of one number, everywhere: a derivative that is constant."""
    buffer = like.kind.empty(1)
    buffer[0] = number
    return Tensor(buffer, (), like.kind).expand(like.shape)


def apply(operation: Operation, *operands: Any) -> Any:
    """The operation on any mix of tensors and Python numbers, of any dtypes, shapes and layouts."""
    if not any(isinstance(x, Tensor) for x in operands):
        return operation.op.forward(*(float(x) for x in operands))
    plan = operation.plans.get(plan_key(operands))
    if plan is None:
        operands = on_one_device(operands)
        plan = plan_for(operation, operands)
    recorded = mode.grad and operation.op.differentiable
    parents: tuple[Node | None, ...] = ()
    if recorded:
        parents = tuple(
            x.node if isinstance(x, Tensor) and p is not None else None
            for x, p in zip(operands, operation.pulls, strict=True)
        )
        recorded = any(p is not None for p in parents)
    if plan.kernel is None or not all(_has_buffer(x) for x in operands):
        if recorded:  # a node holds buffers: a strided operand is copied, in the graph
            return apply(operation, *(x.contiguous() if isinstance(x, Tensor) else x for x in operands))
        return compute(operation.forward, operands, plan.arithmetic, plan.kind)
    out = Tensor(plan.new(), plan.shape, plan.kind)
    plan.kernel(out.flat, *[x.flat if isinstance(x, Tensor) else plan.number(x) for x in operands])
    if recorded:
        mask = sum(2**i for i, p in enumerate(parents) if p is not None)
        out.node = ElementwiseNode(plan, mask, parents, operands, out)
    return out


def plan_key(operands: Iterable[Any]) -> tuple:
    """The kinds and shapes of operands."""
    key: list[Any] = []
    for x in operands:
        if isinstance(x, Tensor):
            key.append(x.kind)
            key.append(x.shape)
        else:
            key.append(type(x))
    return tuple(key)


def plan_for(operation: Operation, operands: tuple) -> Plan:
    """The plan for operands of these kinds and shapes, made when they are first seen."""
    key = plan_key(operands)
    found = operation.plans.get(key)
    if found is None:
        found = Plan(operation, operands)
        if not all(_has_buffer(x) for x in operands):
            return found  # made for a strided layout: the next operands may have another
        if len(operation.plans) > 2048:
            operation.plans.clear()
        operation.plans[key] = found
    return found


def result_kind(operation: Operation, arithmetic: Kind) -> Kind:
    return kind_of(bool_, arithmetic.device) if operation.op.predicate else arithmetic


def arithmetic_kind(operation: Operation, operands: tuple) -> Kind:
    """The kind in which it is computed: the operands' common dtype, a float one where the operation needs it."""
    for x in operands:
        if not isinstance(x, Tensor) and type(x) not in NUMBERS:
            raise TypeError(
                f"{operation.name}(): expected tensors and numbers, got {type(x).__name__}"
                + (" (make it a tensor first: from_numpy(array))" if type(x).__module__ == "numpy" else "")
            )
    device = same_device(*operands)
    both = zip(operation.forward.inputs, operands, strict=True)
    dtype = result_dtype([x for name, x in both if name not in operation.op.parameters])
    if dtype.category == BOOL and operation.name in ("square", "cube"):
        dtype = int64  # a power with a whole number, as True ** 2 is 1
    if "bif"[dtype.category] not in operation.op.kinds:
        raise refusal(operation.name, dtype)
    if operation.name == "sub" and any(type(x) is bool or getattr(x, "dtype", None) is bool_ for x in operands):
        raise refusal("sub", bool_)
    if operation.op.floating and not dtype.is_floating_point:
        dtype = dtypes.default_float
    return kind_of(dtype, device)


def refusal(name: str, dtype: Any) -> RuntimeError:
    """Why an operation does not take numbers of this dtype: the types of error are PyTorch's."""
    if dtype.category == BOOL and name in ("sub", "neg"):
        return RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. Use x != y, or x.int()"
        )
    if dtype.category == BOOL and name in ("relu", "relu6", "hardtanh"):
        return RuntimeError(f"Boolean inputs not supported for {name}. Use x.int()")
    if name == "addcdiv":
        return RuntimeError("Integer division with addcdiv is no longer supported. Use x.float()")
    hint = "x.float()" if dtype.category != FLOAT else "x.int()"
    return NotImplementedError(f'"{name}" not implemented for {dtype}. Use {hint}')


OPERATIONS = {name: Operation(op) for name, op in calculus.OPERATIONS.items()}
