"""`Function`: an operation of your own, with a backward that you write yourself.

The problem. Some derivatives are better written down than found: the formula is simpler than what the chain rule makes
of the steps, or more stable, or the function is computed by something that leaves no graph.

The idea. Write both directions as static methods; `apply` runs the first without recording anything, and puts one node
into the graph that will call the second. What the derivative needs is saved in `ctx`, the context, which *is* that
node. Backward receives one cotangent per output, and returns one per argument of forward (None where there is none):

    class LegendrePolynomial3(Function):              P₃(x) = (5 x³ - 3 x) / 2,   P₃'(x) = 3 (5 x² - 1) / 2

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return 0.5 * (5 * x ** 3 - 3 * x)

        @staticmethod
        def backward(ctx, g):
            x, = ctx.saved_tensors
            return g * 1.5 * (5 * x ** 2 - 1)

Everything saved through `save_for_backward` is watched for changes in place, freed after use, and comes back with its
own graph where the derivative is differentiated again.

A function with several outputs has one node, on which a small node per output stands; it is visited when the cotangents
of all of them are in (`Bundle` collects them).

Source: PyTorch documentation, "Extending torch.autograd"; A. Paszke et al., 2017.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import getattr_static
from typing import Any

from ..graph import Node, changed, freed, mode, no_grad, share
from ..ops.history import record_change
from ..tensors import Tensor


class Bundle:
    """The cotangents of the outputs of one node, by number. Adding two bundles adds what both have."""

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, Tensor]) -> None:
        self.parts = parts

    def __add__(self, other: Bundle) -> Bundle:
        parts = dict(self.parts)
        for k, g in other.parts.items():
            parts[k] = parts[k] + g if k in parts else g
        return Bundle(parts)


class Output(Node):
    """The k-th output of a node with several."""

    __slots__ = ("k",)
    fresh = False

    def __init__(self, node: Node, k: int) -> None:
        self.walk = None
        self.parents, self.k = (node,), k

    def name(self) -> str:
        assert self.parents[0] is not None
        return self.parents[0].name()

    def pull(self, g: Tensor, graph: bool) -> tuple[Any]:
        return (Bundle({self.k: g}),)


class FunctionCtx(Node):
    """The node of a Function, which its forward and backward know as `ctx`. Any attribute may be set on it."""

    # No __slots__: a user may keep what they like here.
    fresh = False

    def __init__(self, function: type[Function], needs: tuple[bool, ...]) -> None:
        self.walk = None
        self.parents = ()
        self.function, self.needs_input_grad = function, needs
        self.to_save: tuple[Any, ...] = ()
        self.saved: list[Saved] | None = []
        self.dirty: tuple[Tensor, ...] = ()
        self.constant: tuple[Tensor, ...] = ()
        self.materialize_grads = True
        self.outputs: list[tuple] = []  # (shape, kind) of each
        self.arguments: list[tuple | None] = []  # (shape, kind) of each argument that is a tensor

    # What forward may call.
    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (arguments or results of forward) for `saved_tensors`. To be called at most once."""
        for x in tensors:
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type {type(x).__name__}; keep "
                    "other things as attributes: ctx.factor = 2"
                )
        self.to_save = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that forward changed these arguments in place; it must return them."""
        self.dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that these results have no derivative."""
        self.constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """False: backward receives None, not zeros, for a result that nothing depends on."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved. RuntimeError if it was changed in place since, or is freed."""
        if self.saved is None:
            raise freed(self)
        return tuple(s.unpack(self) for s in self.saved)

    # What the engine calls.
    def name(self) -> str:
        return f"{self.function.__name__}Backward"

    def release(self) -> None:
        self.saved = None

    def pull(self, g: Any, graph: bool) -> tuple[Tensor | None, ...]:
        if self.saved is None:
            raise freed(self)
        parts = g.parts if type(g) is Bundle else {0: g}
        found = self.function.backward(self, *(self._cotangent(parts.get(k), k) for k in range(len(self.outputs))))
        given = found if isinstance(found, tuple | list) else (found,)
        while len(given) > len(self.arguments) and given[-1] is None:
            given = given[:-1]
        if len(given) != len(self.arguments):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {len(self.arguments)}, "
                f"got {len(given)}): one per argument of forward, None where there is none"
            )
        for k, (c, place) in enumerate(zip(given, self.arguments, strict=True)):
            if place is None and c is not None:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position {k + 1}, but the "
                    "corresponding forward input was not a Variable"
                )
        return tuple(
            self._checked(c, k) if parent is not None else None
            for k, (c, parent) in enumerate(zip(given, self.parents, strict=True))
        )

    def _cotangent(self, g: Tensor | None, k: int) -> Tensor | None:
        if g is not None or not self.materialize_grads or self.outputs[k] is None:
            return g
        from ..creation import zeros

        shape, kind = self.outputs[k]
        return zeros(shape, dtype=kind.dtype, device=kind.device)

    def _checked(self, g: Any, k: int) -> Tensor | None:
        if g is None:
            return None
        if not isinstance(g, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(g).__name__}) at index {k} from {self.name()}")
        shape, kind = self.arguments[k]  # type: ignore[misc]
        if g.shape != shape:
            lead = len(g.shape) - len(shape)
            if lead < 0 or any(n not in (1, m) for n, m in zip(shape, g.shape[max(lead, 0) :], strict=False)):
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {k} - got {list(g.shape)} but "
                    f"expected shape compatible with {list(shape)}"
                )
            g = g.sum_to(shape)
        return g.to_kind(kind)


class Saved:
    """A saved tensor. A result is kept without its node, which would be the context itself: a cycle."""

    __slots__ = ("x", "number", "shared", "version")

    def __init__(self, x: Any, number: int | None) -> None:
        self.x = x.detach() if x is not None and number is not None else x
        self.number = number
        self.shared = share(x) if x is not None else None
        self.version = self.shared.version if self.shared is not None else 0

    def unpack(self, node: FunctionCtx) -> Any:
        if self.shared is None:
            return None
        if self.shared.version != self.version:
            raise changed(f"a tensor of shape {list(self.x.shape)} that {node.function.__name__} saved")
        if self.number is None:
            return self.x
        whole = self.x.detach()
        whole.node = node if len(node.outputs) == 1 else Output(node, self.number)
        return whole


class Function:
    """The base class: subclass it, write `forward(ctx, ...)` and `backward(ctx, *cotangents)`, call `apply`.

    Or write `forward(...)` without ctx, and `setup_context(ctx, inputs, output)`, which saves.

    >>> import tinygrad_edu as tg
    >>> class Double(tg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> x = tg.ones(2, requires_grad=True)
    >>> Double.apply(x).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    setup_context: Callable[..., Any] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are all static: "
            f"call {type(self).__name__}.apply(...)"
        )

    @classmethod
    def apply(cls, *arguments: Any, **named: Any) -> Any:
        """forward(*arguments, **named), with one node in the graph if any tensor among them needs a gradient."""
        for method in ("forward", "backward"):
            found = getattr_static(cls, method, None)
            if found is None:
                raise NotImplementedError(f"You must implement the {method} function for custom autograd.Function.")
            if not isinstance(found, staticmethod):
                raise RuntimeError(f"{cls.__name__}.{method} must be a @staticmethod with ctx as its first argument")
        tensors = [x if isinstance(x, Tensor) else None for x in arguments]
        ctx = FunctionCtx(cls, tuple(x is not None and x.requires_grad for x in tensors))
        recorded = mode.grad and any(ctx.needs_input_grad)
        with no_grad():
            if cls.setup_context is None:
                found = cls.forward(ctx, *arguments, **named)
            else:
                found = cls.forward(*arguments, **named)
                cls.setup_context(ctx, arguments, found)
        outputs = list(found) if isinstance(found, tuple) else [found]
        for k, y in enumerate(outputs):  # an argument handed through is a result of its own
            if any(y is x for x in tensors if x is not None) and not any(y is d for d in ctx.dirty):
                outputs[k] = y.detach()
        if recorded:
            record(ctx, tensors, outputs)
        return tuple(outputs) if isinstance(found, tuple) else outputs[0]


def record(ctx: FunctionCtx, tensors: list, outputs: list) -> None:
    """Put the node of a Function into the graph, between its arguments and its results."""
    ctx.parents = tuple(None if x is None else x.node for x in tensors)
    ctx.arguments = [None if x is None else (x.shape, x.kind) for x in tensors]
    ctx.outputs = [(y.shape, y.kind) if isinstance(y, Tensor) else None for y in outputs]  # type: ignore[misc]
    for d in ctx.dirty:
        if not any(d is y for y in outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as output. The inputs that "
                "are modified inplace must all be outputs of the Function."
            )
        if d.node is not None and d.node.leaf:
            raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
    constant = [
        not isinstance(y, Tensor) or not y.is_floating_point() or any(y is c for c in ctx.constant) for y in outputs
    ]
    for k, y in enumerate(outputs):
        if constant[k]:
            continue
        node = ctx if len(outputs) == 1 else Output(ctx, k)
        if any(y is d for d in ctx.dirty):
            record_change(y, node)
        else:
            y.node = node
    numbers = {id(y): k for k, y in enumerate(outputs) if not constant[k]}
    ctx.saved = [Saved(x, numbers.get(id(x)) if x is not None else None) for x in ctx.to_save]
    ctx.to_save = ctx.dirty = ctx.constant = ()


def once_differentiable(backward: Callable) -> Callable:
    """A decorator for a `backward` whose result must not be differentiated again: doing so is an error."""

    @wraps(backward)
    def wrapped(ctx: FunctionCtx, *cotangents: Any) -> Any:
        recorded = mode.grad and any(isinstance(g, Tensor) and g.requires_grad for g in cotangents)
        with no_grad():
            found = backward(ctx, *cotangents)
        if not recorded:
            return found
        outputs = found if isinstance(found, tuple) else (found,)
        refusing = tuple(None if y is None else _Refuse.apply(y, *cotangents) for y in outputs)
        return refusing if isinstance(found, tuple) else refusing[0]

    return wrapped


class _Refuse(Function):
    @staticmethod
    def forward(ctx: FunctionCtx, y: Tensor, *cotangents: Any) -> Tensor:
        return y.detach()

    @staticmethod
    def backward(ctx: FunctionCtx, g: Tensor) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
