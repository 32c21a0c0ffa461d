"""What the operations of a Tensor leave behind: the nodes of its graph.

A tensor that needs a gradient points to a node, and a node points to the nodes of its operands, never back to a
tensor that it made. So there are no cycles: a graph disappears with its result, at once.

    x ──node──▶ Leaf                 holds x.grad
    y = x * w
    y ──node──▶ MulBackward0 ─parents─▶ (x's Leaf, w's Leaf)

A node also keeps what its derivative will need: operands, or its own result. Somebody may change those in place in the
meantime, and then the gradient would silently be wrong. So the memory of a tensor counts its changes in a
*version*, a node remembers the versions it saw, and refuses to differentiate when it finds others.

Tensors on the same memory form a family: a *base* and its views. When one of them is changed in place and the change is
recorded, the elements of all of them have a new history (ops/in_place.py tells how they get it), so the family keeps
a list of the views.

Source: A. Paszke et al., Automatic differentiation in PyTorch, NIPS 2017 workshop, section 3 (in-place operations).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import TYPE_CHECKING, Any

from .engine import Scratch

if TYPE_CHECKING:
    from .tensors import Tensor


class Mode(threading.local):
    """Per thread: are operations recorded? Are we in inference_mode(), in detect_anomaly()?"""

    grad = True
    inference = False
    anomaly = False
    recorder: Any = None  # of compile, while it records a function


mode = Mode()


class Changes:
    """How often something that a compiled function relies on may have changed: which memory a tensor has, whether it
    requires a gradient, which mode a module is in. It then looks whether it is affected."""

    count = 0


changes = Changes()


class Node(Scratch):
    """An operation in the graph. The engine's protocol is in engine.py; a subclass says what `pull` does.

    `fresh` is False where pull may hand out memory that others hold (a view of g, say). `extras` is set only for nodes
    that somebody watches (hooks.py), `place` only by detect_anomaly (autograd/anomaly.py): slots that are not filled
    cost no time.
    """

    __slots__ = ("parents", "extras", "place")
    fresh = True

    parents: tuple[Node | None, ...]
    extras: Any
    place: str

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
        return f"{type(self).__name__.removeprefix('Watched')}0"

    @property
    def next_functions(self) -> tuple:
        """The nodes of the operands, each with the number of its output, as PyTorch lists them."""
        return tuple((p, 0) for p in self.parents)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf(Node):
    """The end of a path: a tensor made by the user, whose gradient is kept."""

    __slots__ = ("grad",)
    leaf = True

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
                self.grad += g
        else:  # a gradient that somebody else may hold is copied: a leaf owns its buffer
            self.grad = g if mode.grad or (owned and g.flat is not None) else g.clone()

    def name(self) -> str:
        return "AccumulateGrad"


class Shared:
    """What a family of tensors on the same memory has in common: the count of changes in place, and who they are."""

    __slots__ = ("version", "views", "limit")

    def __init__(self) -> None:
        self.version = 0
        self.views: list[weakref.ref[Tensor]] = []
        self.limit = 8

    def add(self, view: Tensor) -> None:
        """One more view of this memory. Those that are gone are dropped each time the list has doubled."""
        self.views.append(weakref.ref(view))
        if len(self.views) > self.limit:
            self.views = [t for t in self.views if t() is not None]
            self.limit = 2 * len(self.views) + 8

    @property
    def memory(self) -> Shared:
        """Stands for the memory itself: the same object for all families on it."""
        return self


class Detached(Shared):
    """The family of a detached tensor: a history of its own, on memory whose changes are counted elsewhere."""

    __slots__ = ("origin",)

    def __init__(self, origin: Shared) -> None:
        self.origin = origin.memory
        self.views, self.limit = [], 8

    @property
    def memory(self) -> Shared:
        return self.origin

    @property
    def version(self) -> int:
        return self.origin.version

    @version.setter
    def version(self, version: int) -> None:
        self.origin.version = version


def share(x: Tensor) -> Shared:
    """The record of x's memory. It is made when first needed: most tensors are never viewed or changed."""
    if x.shared is None:
        x.shared = Shared()
    return x.shared


def same_memory(x: Tensor, y: Tensor) -> bool:
    """May a change of x show in y? (Views of one buffer count, whether or not they overlap.)"""
    return x is y or (x.shared is not None and y.shared is not None and x.shared.memory is y.shared.memory)


def base_of(x: Tensor) -> Tensor:
    """The tensor that x is a view of; x itself if it is none."""
    found = x.region[3] if x.shared is not None and x.region is not None else None
    return x if found is None else found


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
    """Switch recording on or off: at once, until the end of a `with` block, or (as a decorator) inside a function.

    >>> import tinygrad_edu as tg
    >>> with tg.set_grad_enabled(False):
    ...     tg.is_grad_enabled()
    False
    """

    def __init__(self, mode_: bool) -> None:
        self.enabled, self.before = mode_, mode.grad
        mode.grad = mode_

    def __enter__(self) -> None:
        mode.grad = self.enabled

    def __exit__(self, *error: object) -> None:
        mode.grad = self.before

    def __call__(self, function: Callable) -> Callable:
        mode.grad = self.before
        return within(lambda: set_grad_enabled(self.enabled), function)


def within(block: Callable[[], Any], function: Callable) -> Callable:
    """`function`, each call of it (or, of a generator, each step) inside a fresh `with block():`."""
    if isgeneratorfunction(function):

        @wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            with block():
                steps = function(*args, **kwargs)
            answer = None
            while True:
                try:
                    with block():
                        found = steps.send(answer)
                except StopIteration as end:
                    return end.value
                answer = yield found

        return generator

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return wrapped


class Block:
    """A `with` block, or a decorator (with or without brackets), inside which recording is on or off."""

    enabled: bool

    def __init__(self) -> None:
        self.before: list[tuple[bool, bool]] = []

    def __new__(cls, function: Callable | None = None) -> Any:
        return super().__new__(cls) if function is None else within(cls, function)

    def __enter__(self) -> None:
        self.before.append((mode.grad, mode.inference))
        mode.grad = self.enabled

    def __exit__(self, *error: object) -> None:
        mode.grad, mode.inference = self.before.pop()

    def __call__(self, function: Callable) -> Callable:
        return within(type(self), function)


class no_grad(Block):
    """Inside, operations leave no graph.

    >>> import tinygrad_edu as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w
    tensor([0.5000, 1.5000], requires_grad=True)
    """

    enabled = False


class enable_grad(Block):
    """Inside, operations leave a graph, also within no_grad()."""

    enabled = True


class inference_mode(Block):
    """Inside, operations leave no graph: for code that only predicts.

    PyTorch also marks what is made inside, and refuses to use it in a graph later; here it is an ordinary tensor.
    """

    enabled = False

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):
            return within(cls, mode)
        return super().__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self.wanted = mode

    def __enter__(self) -> None:
        self.before.append((mode.grad, mode.inference))
        mode.grad, mode.inference = not self.wanted, self.wanted

    def __call__(self, function: Callable) -> Callable:
        return within(lambda: inference_mode(self.wanted), function)


def is_grad_enabled() -> bool:
    """Are operations recorded, here and now?"""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Are we inside inference_mode()?"""
    return mode.inference
