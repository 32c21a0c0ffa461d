"""Elementwise operations on tensors: arithmetic, functions, comparisons, and their gradients.

The formulas are in tinygrad_kernels/calculus.py. Here is what an array adds to them:

  - the loop: forward and backward run printed kernels (launch.py), with a short way for the common case, two
    contiguous operands of one kind and shape;
  - broadcasting backward: where an operand was repeated, the cotangents of all its repetitions are summed;
  - the graph: an `ElementwiseNode` keeps only what the derivatives of the operands that need one will ask for;
  - derivatives of derivatives: with `create_graph` the traced formula is evaluated on tensors, operation by
    operation, so that the gradient has a graph of its own.

Source: for the rule behind the sum, G. Frostig, M. Johnson, C. Leary, Compiling machine learning programs via
high-level tracing, SysML 2018 (the transpose of a broadcast is a sum).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tinygrad_kernels import calculus
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Formula, backward_formulas, forward_formula, inputs_of, walk

from ..dtypes import BOOL, NUMBERS, Kind, bool_, default_float, kind_of, result_dtype
from ..graph import Leaf, Node, Stale, freed, mode, share
from .launch import compute
from .shape import copy_into

if TYPE_CHECKING:
    from ..tensors import Tensor

PARALLEL_FROM = 65536  # elements; smaller arrays take the short way below


class Operation:
    """What the Tensor side keeps of one operation of the calculus: its traced formulas and compiled kernels.

    `pulls[i]` is the formula of operand i's cotangent (None: it has none); `keeps[mask]` says which of (operands...,
    out) must be saved if the operands whose bits are set in `mask` need a gradient.
    """

    def __init__(self, op: type[calculus.Elementwise]) -> None:
        self.op, self.name = op, op.name
        self.node_name = f"{op.__name__}Backward0"
        self.forward = forward_formula(op)
        self.pulls = backward_formulas(op)
        self.names = ("g", *self.forward.inputs, "out")
        self.picks = tuple(p and tuple(self.names.index(n) for n in p.inputs) for p in self.pulls)
        self.passes = tuple(p is not None and p.outputs[0].op == "input" for p in self.pulls)
        self.keeps = [self._keep(mask) for mask in range(2**op.arity)]
        self.same = Kernels(self.forward, op)
        self.pull_same = tuple(p and Kernels(p) for p in self.pulls)

    def _keep(self, mask: int) -> tuple[bool, ...]:
        needed: set[str] = set()
        for i, pull in enumerate(self.pulls):
            if mask >> i & 1 and pull is not None:
                needed |= inputs_of(pull.outputs)
        return tuple(name in needed for name in self.names[1:])

    def result_kind(self, operands: tuple, arithmetic: Kind) -> Kind:
        return kind_of(bool_, arithmetic.device) if self.op.predicate else arithmetic


class Kernels(dict):
    """For contiguous operands of one kind and shape: kind -> (kernel, kind of the result). Compiled on first use."""

    def __init__(self, formula: Formula, op: type[calculus.Elementwise] | None = None) -> None:
        self.formula, self.op = formula, op

    def __missing__(self, kind: Kind) -> tuple[Callable, Kind] | None:
        op, count = self.op, len(self.formula.inputs)
        if op is not None and ((op.floating and not kind.dtype.is_floating_point) or kind.dtype is bool_):
            self[kind] = None  # integers that become floats, truth values: the general way
            return None
        signature = Signature([kind.dtype.name] * count, ["flat"] * count, kind.dtype.name)
        result = kind_of(bool_, kind.device) if op is not None and op.predicate else kind
        self[kind] = kind.backend.flat(self.formula, signature, big=False), result
        return self[kind]


class ElementwiseNode(Node):
    """One elementwise operation in the graph.

    `saved` has the operands and the buffer of the result, None in place of what is not needed. `targets` has
    (shape, kind) per operand, or is None if all are as the result. `versions` is the sum of the versions of all that is
    saved: they only grow, so one number is enough to see a change.
    """

    __slots__ = ("operation", "saved", "shape", "kind", "targets", "versions", "out_shared")

    def __init__(self, operation: Operation, parents: tuple, operands: tuple, out: Tensor, same: bool) -> None:
        self.parents = parents
        self.operation = operation
        self.shape, self.kind = out.shape, out.kind
        self.targets = None if same else tuple((x.shape, x.kind) if isinstance(x, Tensor) else None for x in operands)
        mask = 0
        for i, parent in enumerate(parents):
            if parent is not None:
                mask |= 1 << i
        keep = operation.keeps[mask]
        versions = 0
        saved = []
        for x, wanted in zip(operands, keep, strict=False):
            saved.append(x if wanted else None)
            if wanted and isinstance(x, Tensor) and x.shared is not None:
                versions += x.shared.version
        self.out_shared = None
        if keep[-1]:
            saved.append(out.flat)
            self.out_shared = share(out)
            versions += self.out_shared.version
        else:
            saved.append(None)
        self.versions = versions
        self.saved: tuple | None = tuple(saved)

    def name(self) -> str:
        return self.operation.node_name

    def release(self) -> None:
        self.saved = None

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...]:
        saved = self.saved
        if saved is None:
            raise freed(self)
        operation = self.operation
        self.check()
        if graph:
            return self.pull_graph(g)
        out = saved[-1]
        found: list[Tensor | None] = []
        short = self.targets is None and g.flat is not None and g.flat.size < PARALLEL_FROM
        for i, parent in enumerate(self.parents):
            formula = operation.pulls[i]
            if parent is None or formula is None:
                found.append(None)
            elif operation.passes[i] and self.targets is None:
                found.append(g)
            elif short:
                kernel, kind = operation.pull_same[i][self.kind]
                result = kind.empty(g.flat.size)
                flats = [g.flat if k == 0 else out if k == len(saved) else saved[k - 1].flat for k in operation.picks[i]]
                kernel(result, *flats)
                found.append(Tensor(result, self.shape, kind))
            else:
                target, kind = (self.shape, self.kind) if self.targets is None else self.targets[i]
                if operation.passes[i] and target == self.shape and kind is self.kind:
                    found.append(g)
                    continue
                whole = (g, *saved[:-1], None if out is None else Tensor(out, self.shape, self.kind))
                operands = tuple(whole[k] for k in operation.picks[i])
                found.append(compute(formula, operands, self.kind, kind, target))
        return tuple(found)

    def check(self) -> None:
        """Refuse if something saved has been changed in place since."""
        saved = self.saved or ()
        versions = 0
        for x in saved[:-1]:
            if isinstance(x, Tensor) and x.shared is not None:
                versions += x.shared.version
        if self.out_shared is not None:
            versions += self.out_shared.version
        if versions != self.versions:
            raise RuntimeError(changed_message(self, [x for x in saved[:-1] if isinstance(x, Tensor)]))

    def pull_graph(self, g: Tensor) -> tuple[Tensor | None, ...]:
        """The cotangents as differentiable tensors: the traced formulas, evaluated operation by operation."""
        assert self.saved is not None
        *operands, out = self.saved
        whole = dict(zip(self.operation.names, (g, *operands, out), strict=True))
        if out is not None:
            whole["out"] = Tensor(out, self.shape, self.kind, self)
        found: list[Tensor | None] = []
        for i, parent in enumerate(self.parents):
            formula = self.operation.pulls[i]
            if parent is None or formula is None:
                found.append(None)
                continue
            target, kind = (self.shape, self.kind) if self.targets is None else self.targets[i]
            result = evaluate(formula, whole)
            if not isinstance(result, Tensor):  # a formula that came out as a constant
                result = g * 0 + result
            found.append(result.sum_to(target).to_kind(kind))
        return tuple(found)


def changed_message(node: ElementwiseNode, saved: list) -> str:
    shapes = ", ".join(f"{x.kind.dtype.name} {list(x.shape)}" for x in saved) or "its own result"
    return (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"{node.name()} of shape {list(node.shape)} saved [{shapes}], and it was changed before backward(). "
        "Write the change as a new tensor (y = y + 1, not y += 1), or change a clone()"
    )


def evaluate(formula: Formula, values: dict[str, Any]) -> Any:
    """Read a traced formula on tensors. Each operation is a method of Tensor, so the result has a graph."""
    done: dict[int, Any] = {}
    for e in walk(formula.outputs):
        if e.op == "input":
            done[id(e)] = values[e.value]
        elif e.op == "const":
            done[id(e)] = e.value
        else:
            done[id(e)] = apply(OPERATIONS[e.op], *(done[id(a)] for a in e.args))
    return done[id(formula.outputs[0])]


def apply(operation: Operation, *operands: Any) -> Any:
    """The general way: any mix of tensors and Python numbers, dtypes, shapes and layouts."""
    if not any(isinstance(x, Tensor) for x in operands):
        return operation.op.forward(*(float(x) for x in operands))
    arithmetic = arithmetic_kind(operation, operands)
    result = operation.result_kind(operands, arithmetic)
    out = compute(operation.forward, operands, arithmetic, result)
    if mode.grad and operation.op.differentiable:
        record(operation, operands, out)
    return out


def arithmetic_kind(operation: Operation, operands: tuple) -> Kind:
    """The kind in which the operation computes: the operands' common dtype, a float one where the operation needs it."""
    for x in operands:
        if not isinstance(x, Tensor) and type(x) not in NUMBERS:
            raise TypeError(
                f"{operation.name}(): expected tensors and numbers, got {type(x).__name__}"
                + (" (make it a tensor first: from_numpy(array))" if type(x).__module__ == "numpy" else "")
            )
    tensors = [x for x in operands if isinstance(x, Tensor)]
    device = tensors[0].kind.device
    for x in tensors:
        if x.kind.device != device:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{device} and {x.kind.device}! Move one of them with .to('{device}')"
            )
    numeric = operands[1:] if operation.name == "where" else operands
    dtype = result_dtype(numeric)
    if operation.op.floating and not dtype.is_floating_point:
        dtype = default_float
    if dtype.category == BOOL and operation.name in ("sub", "neg"):
        raise RuntimeError("Subtraction, the `-` operator, with a bool tensor is not supported. Use x != y, or x.int()")
    if operation.name == "pow" and not dtype.is_floating_point and type(operands[1]) is int and operands[1] < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed. Use x.float() ** y")
    return kind_of(dtype, device)


def record(operation: Operation, operands: tuple, out: Tensor) -> None:
    """Give `out` its node, if an operand needs a gradient."""
    parents = tuple(x.node if isinstance(x, Tensor) and p is not None else None
                    for x, p in zip(operands, operation.pulls, strict=True))  # fmt: skip
    if any(p is not None for p in parents):
        out.node = ElementwiseNode(operation, parents, operands, out, same=False)


def binary(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    """The method for an operation of two operands, with the short way for equal kinds and shapes."""
    operation = OPERATIONS[op.name]
    same, differentiable = operation.same, op.differentiable

    def method(x: Tensor, y: Any) -> Tensor:
        if isinstance(y, Tensor) and x.kind is y.kind and x.shape == y.shape:
            a, b = x.flat, y.flat
            if a is not None and b is not None and a.size < PARALLEL_FROM:
                found = same[x.kind]
                if found is not None:
                    kernel, kind = found
                    out = Tensor(kind.empty(a.size), x.shape, kind)
                    kernel(out.flat, a, b)
                    parents = (x.node, y.node)
                    if (parents[0] is not None or parents[1] is not None) and differentiable and mode.grad:
                        out.node = ElementwiseNode(operation, parents, (x, y), out, True)
                    return out
        elif not isinstance(y, Tensor) and type(y) not in NUMBERS:
            return NotImplemented
        return apply(operation, x, y)

    return _described(method, op)


def reflected(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    """The method for `number op tensor`."""
    operation = OPERATIONS[op.name]

    def method(y: Tensor, x: Any) -> Tensor:
        return apply(operation, x, y) if type(x) in NUMBERS else NotImplemented

    return _described(method, op)


def unary(op: type[calculus.Elementwise]) -> Callable[[Tensor], Tensor]:
    """The method for an operation of one operand."""
    operation = OPERATIONS[op.name]
    same = operation.same

    def method(x: Tensor) -> Tensor:
        a = x.flat
        if a is not None and a.size < PARALLEL_FROM:
            found = same[x.kind]
            if found is not None:
                kernel, kind = found
                out = Tensor(kind.empty(a.size), x.shape, kind)
                kernel(out.flat, a)
                if x.node is not None and mode.grad:
                    out.node = ElementwiseNode(operation, (x.node,), (x,), out, True)
                return out
        return apply(operation, x)

    return _described(method, op)


def in_place(op: type[calculus.Elementwise]) -> Callable[[Tensor, Any], Tensor]:
    """The method that stores the result of an operation of two operands in the first."""
    operation = OPERATIONS[op.name]

    def method(x: Tensor, y: Any) -> Tensor:
        return apply_in_place(operation, x, y)

    return _described(method, op, suffix="_")


def apply_in_place(operation: Operation, x: Tensor, *others: Any) -> Tensor:
    """x becomes operation(x, *others). The shape and the dtype of x stay."""
    operands = (x, *others)
    arithmetic = arithmetic_kind(operation, operands)
    result = operation.result_kind(operands, arithmetic)
    if result.dtype.category > x.kind.dtype.category:
        raise RuntimeError(
            f"result type {result.dtype.name} can't be cast to the desired output type {x.kind.dtype.name}: "
            f"write the result as a new tensor, or convert with .to({result.dtype.name}) first"
        )
    changing = begin_change(x, operation.name + "_", others)
    before = alias(x)  # the operand, as the node will remember it
    if x.flat is not None and not any(isinstance(y, Tensor) and may_overlap(x, y) for y in others):
        compute(operation.forward, operands, arithmetic, x.kind, out=x.flat)
    else:
        found = compute(operation.forward, operands, arithmetic, x.kind)
        if found.shape != x.shape:
            raise RuntimeError(
                f"output with shape {list(x.shape)} doesn't match the broadcast shape {list(found.shape)}: "
                f"an operation in place cannot make its tensor larger"
            )
        copy_into(x, found)
    end_change(x, operation.name + "_")
    if changing and operation.op.differentiable:
        record(operation, (before, *others), x)
        if isinstance(x.node, ElementwiseNode) and x.node.saved is not None and x.node.saved[0] is before:
            x.node.versions -= 1  # it needs the operand as it was: pull will find it changed, and refuse
    return x


def may_overlap(x: Tensor, y: Tensor) -> bool:
    """Would writing x element by element disturb y before it is read?"""
    aligned = y.flat is not None and y.shape == x.shape and (y is x or y.shared is None or y.shared is not x.shared)
    return not (aligned or (y.numel() == 1 and x.numel() > 0 and (y.shared is None or y.shared is not x.shared)))


def begin_change(x: Tensor, name: str, others: tuple = ()) -> bool:
    """Checks before x is changed in place; must the change be recorded?"""
    recorded = mode.grad and (x.node is not None or any(isinstance(y, Tensor) and y.node is not None for y in others))
    if not recorded:
        if x.flat is None and not all(s for n, s in zip(x.shape, x.view[2], strict=True) if n > 1):
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to a single memory "
                f"location. Please clone() the tensor before {name}"
            )
        return False
    if type(x.node) is Leaf:
        raise RuntimeError(
            f"a leaf Variable that requires grad is being used in an in-place operation ({name}). "
            "Wrap an update of parameters in `with no_grad():`, or work on a clone()"
        )
    if x.is_view():
        raise RuntimeError(
            f"{name} on a view of a tensor that takes part in a graph is not supported: change the tensor itself "
            "(x[i] = ..., x += ...), or write the result as a new tensor"
        )
    return True


def end_change(x: Tensor, name: str) -> None:
    """Count the change, and mark the graphs of other tensors on the same memory as out of date."""
    shared = share(x)
    shared.version += 1
    if mode.grad:
        for reference in shared.tensors:
            y = reference()
            if y is not None and y is not x and y.node is not None and type(y.node) is not Leaf:
                y.node = Stale(y.node, name)


def alias(x: Tensor) -> Tensor:
    """x as it is in the graph now: the same memory and node, under another object."""
    other = Tensor(x.flat, x.shape, x.kind, x.node)
    other.view, other.shared = x.view, share(x)
    return other


def _described(method: Any, op: type[calculus.Elementwise], suffix: str = "") -> Any:
    method.__name__ = op.name + suffix
    method.__qualname__ = f"Tensor.{op.name}{suffix}"
    method.__doc__ = op.__doc__
    return method


OPERATIONS = {name: Operation(op) for name, op in calculus.OPERATIONS.items()}


class ElementwiseMethods:
    """The elementwise methods of Tensor. Each is one line: the operation; see the calculus for its formula."""

    __slots__ = ()

    __add__ = binary(calculus.Add)
    __sub__ = binary(calculus.Sub)
    __mul__ = binary(calculus.Mul)
    __truediv__ = binary(calculus.Div)
    __radd__ = reflected(calculus.Add)
    __rsub__ = reflected(calculus.Sub)
    __rmul__ = reflected(calculus.Mul)
    __rtruediv__ = reflected(calculus.Div)
    __rpow__ = reflected(calculus.Pow)
    __neg__ = unary(calculus.Neg)
    __lt__ = binary(calculus.Lt)
    __le__ = binary(calculus.Le)
    __gt__ = binary(calculus.Gt)
    __ge__ = binary(calculus.Ge)
    __eq__ = binary(calculus.Eq)
    __ne__ = binary(calculus.Ne)

    __iadd__ = in_place(calculus.Add)
    __isub__ = in_place(calculus.Sub)
    __imul__ = in_place(calculus.Mul)
    __itruediv__ = in_place(calculus.Div)

    mul, div, mul_, div_ = __mul__, __truediv__, __imul__, __itruediv__
    lt, le, gt, ge, eq, ne, neg = __lt__, __le__, __gt__, __ge__, __eq__, __ne__, __neg__

    exp = unary(calculus.Exp)
    log = unary(calculus.Log)
    sin = unary(calculus.Sin)
    cos = unary(calculus.Cos)
    tanh = unary(calculus.Tanh)
    sqrt = unary(calculus.Sqrt)
    square = unary(calculus.Square)
    relu = unary(calculus.Relu)
    sigmoid = unary(calculus.Sigmoid)
    _cube = unary(calculus.Cube)

    def add(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self + alpha * other"""
        return self + (other if alpha == 1 else alpha * other)

    def sub(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self - alpha * other"""
        return self - (other if alpha == 1 else alpha * other)

    def add_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self += alpha * other"""
        return apply_in_place(OPERATIONS["add"], self, other if alpha == 1 else alpha * other)

    def sub_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        """self -= alpha * other"""
        return apply_in_place(OPERATIONS["sub"], self, other if alpha == 1 else alpha * other)

    def __pow__(self: Any, exponent: Any) -> Tensor:
        """self to the power `exponent`; squares and cubes are multiplications"""
        if isinstance(exponent, Tensor):
            return apply(OPERATIONS["pow"], self, exponent)
        if type(exponent) not in NUMBERS:
            return NotImplemented
        op = calculus.power(exponent)
        if op is calculus.Square:
            return self.square()
        if op is calculus.Cube:
            return self._cube()
        if op is calculus.Sqrt and self.kind.dtype.is_floating_point:
            return self.sqrt()
        return apply(OPERATIONS["pow"], self, exponent)

    pow = __pow__

    def where(self: Any, condition: Tensor, other: Any) -> Tensor:
        """self where `condition`, else `other`"""
        return where(condition, self, other)

    def _where(self: Any, x: Any, y: Any) -> Tensor:  # what a formula of the calculus calls
        return where(self, x, y)




def where(condition: Tensor, x: Any, y: Any) -> Tensor:
    """x where the condition holds, else y; all three are broadcast together. Tensors or numbers.

    >>> import tinygrad_edu as tg
    >>> a = tg.tensor([-1.0, 2.0])
    >>> tg.where(a > 0, a, 0.0)
    tensor([0., 2.])
    """
    if not isinstance(condition, Tensor) or condition.kind.dtype is not bool_:
        raise RuntimeError("where expected condition to be a boolean tensor; write a comparison such as x > 0")
    return apply(OPERATIONS["where"], condition, x, y)
