"""What the operations of a Tensor leave behind: the nodes of its graph.

A tensor that needs a gradient points to a node, and a node points to the nodes of its operands, never back to a
tensor that it made. So there are no cycles: a graph disappears with its result, at once.

    x ──node──▶ Leaf                 holds x.grad
    y = x * w
    y ──node──▶ MulBackward0 ─parents─▶ (x's Leaf, w's Leaf)

A node also keeps what its derivative will need: operands, or its own result. Somebody may change those in place in the
meantime, and then the gradient would silently be wrong. So the memory of a tensor counts its changes in a
*version*, a node remembers the versions it saw, and refuses to differentiate when it finds others.

Source: A. Paszke et al., Automatic differentiation in PyTorch, NIPS 2017 workshop, section 3 (in-place operations).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .engine import Scratch

if TYPE_CHECKING:
    from .tensors import Tensor


class Mode(threading.local):
    """Per thread: are operations recorded?"""

    grad = True


mode = Mode()


class Node(Scratch):
    """An operation in the graph. The engine's protocol is in engine.py; a subclass says what `pull` does.

    `fresh` is False where pull may hand out memory that others hold (a view of g, say).
    """

    __slots__ = ("parents",)
    fresh = True

    parents: tuple[Node | None, ...]

    def __init__(self, parents: tuple[Node | None, ...] = ()) -> None:
        self.walk = None
        self.parents = parents

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor | None, ...] | list[Tensor | None]:
        raise NotImplementedError

    def receive(self, g: Tensor, owned: bool) -> None:
        raise AssertionError("only a leaf receives")

    def release(self) -> None:
        """Forget what was saved. Nothing to do for a node that saves no tensors."""

    def name(self) -> str:
        return f"{type(self).__name__}0"

    @property
    def next_functions(self) -> tuple:
        """The nodes of the operands, each with the number of its output, as PyTorch lists them."""
        return tuple((p, 0) for p in self.parents)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf(Node):
    """The end of a path: a tensor made by the user, whose gradient is kept."""

    __slots__ = ("grad",)

    grad: Tensor | None

    def __init__(self) -> None:
        self.walk = None
        self.parents = ()
        self.grad = None

    def receive(self, g: Tensor, owned: bool) -> None:
        if self.grad is not None:
            if mode.grad:
                self.grad = self.grad + g
            else:
                self.grad.add_(g)
        else:  # a gradient that somebody else may hold is copied: a leaf owns its buffer
            self.grad = g if mode.grad or (owned and g.flat is not None) else g.clone()

    def name(self) -> str:
        return "AccumulateGrad"


class Retained(Node):
    """Sits between a tensor and the node that made it, and keeps the gradient that passes: `retain_grad()`."""

    __slots__ = ("grad",)
    fresh = False

    def __init__(self, node: Node) -> None:
        self.walk = None
        self.parents = (node,)
        self.grad: Tensor | None = None

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        self.grad = g if graph else g.clone()
        return (g,)

    def name(self) -> str:
        assert self.parents[0] is not None
        return self.parents[0].name()


class Stale(Node):
    """The node of a tensor whose memory was changed in place through another tensor that shares it."""

    __slots__ = ("change",)

    def __init__(self, node: Node | None, change: str) -> None:
        self.walk = None
        self.parents = (node,)
        self.change = change

    def pull(self, g: Tensor, graph: bool) -> tuple:
        raise RuntimeError(
            f"this tensor shares memory with one that was changed in place by '{self.change}' after both were made, "
            "so its gradient is not known. Make the view again after the change, or change a clone()"
        )


class Shared:
    """What tensors on the same memory have in common: the count of changes in place, and who they are."""

    __slots__ = ("version", "tensors", "limit")

    def __init__(self, first: Tensor) -> None:
        self.version = 0
        self.tensors: list[weakref.ref[Tensor]] = [weakref.ref(first)]
        self.limit = 8

    def add(self, view: Tensor) -> None:
        """One more tensor on this memory. Those that are gone are dropped each time the list has doubled."""
        self.tensors.append(weakref.ref(view))
        if len(self.tensors) > self.limit:
            self.tensors = [t for t in self.tensors if t() is not None]
            self.limit = 2 * len(self.tensors) + 8


def share(x: Tensor) -> Shared:
    """The record of x's memory. It is made when first needed: most tensors are never viewed or changed."""
    if x.shared is None:
        x.shared = Shared(x)
    return x.shared


def changed(what: str) -> RuntimeError:
    """The error for a saved tensor (`what` describes it) whose version is no longer the one that a node saw."""
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"{what}, before backward(). Write the change as a new tensor (y = y + 1, not y += 1), or change a clone()"
    )


def freed(node: Node) -> RuntimeError:
    return RuntimeError(
        f"Trying to backward through the graph a second time: what {node.name()} saved has already been freed. "
        "Specify retain_graph=True in the first backward() or autograd.grad() if you need the graph again"
    )


class set_grad_enabled:
    """Switch recording on or off, for a `with` block or (as a decorator) for a function."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = enabled
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(mode.grad)
        mode.grad = self.enabled

    def __exit__(self, *error: object) -> None:
        mode.grad = self.before.pop()

    def __call__(self, function: Callable) -> Callable:
        from functools import wraps

        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with set_grad_enabled(self.enabled):
                return function(*args, **kwargs)

        return wrapped


class no_grad(set_grad_enabled):
    """Inside, operations leave no graph.

    >>> import tinygrad_edu as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5000, 1.5000], requires_grad=True)
    """

    def __init__(self, function: Callable | None = None) -> None:
        super().__init__(False)

    def __new__(cls, function: Callable | None = None) -> Any:
        instance = super().__new__(cls)
        if function is None:
            return instance
        instance.__init__()  # type: ignore[misc]
        return instance(function)  # used as a bare decorator: @no_grad


class enable_grad(set_grad_enabled):
    """Inside, operations leave a graph, also within no_grad()."""

    def __init__(self) -> None:
        super().__init__(True)


def is_grad_enabled() -> bool:
    """Are operations recorded, here and now?"""
    return mode.grad
