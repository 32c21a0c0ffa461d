"""Watching a gradient as it passes: hooks, and gradients of results in between.

The problem. Backward, a gradient goes from node to node and is gone. To look at it, print it, clip it, or keep it, one
must stand beside the node when it comes by.

The idea. A node that somebody watches becomes a node of another class. It has all the methods of its old one, and the
flag `watched`, at which the engine calls `notice` with the whole cotangent. So the millions of nodes that nobody
watches pay nothing: neither a slot to fill nor a list to look at. (Python allows an object to change its class where
the new one stores the same things.)

A leaf has no parents, so the engine hands it cotangents one by one. A watched leaf is given a tuple of parents with
nothing in it: so it is visited like any other node, once, when its gradient is complete.

    x.register_hook(print)              prints each gradient of x; returns a handle with remove()
    x.register_hook(lambda g: 2 * g)    doubles it on its way
    y.retain_grad()                     keeps it in y.grad, though y is not a leaf
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from .graph import Leaf, Node

if TYPE_CHECKING:
    from .tensors import Tensor


class Extras:
    """What a watched node carries: hooks by number, and the gradient that it keeps."""

    __slots__ = ("hooks", "after", "retains", "grad")

    def __init__(self) -> None:
        self.hooks: dict[int, Callable] = {}
        self.after: dict[int, Callable] = {}
        self.retains = False
        self.grad: Tensor | None = None


class Watched(Node):
    """Mixed into the class of a watched node."""

    __slots__ = ()
    watched = True
    fresh = False  # a hook may return a tensor that others hold

    def notice(self, g: Tensor, graph: bool) -> Tensor:
        """Call the hooks, in the order of their registration; what they return takes the place of g."""
        for hook in list(self.extras.hooks.values()):
            found = hook(g)
            if found is not None:
                g = checked(found, g)
        if self.extras.retains:
            kept = self.extras.grad
            self.extras.grad = kept + g if kept is not None else g if graph else g.clone()
        return g


class WatchedLeaf(Watched, Leaf):
    """A leaf that is visited like a node: its gradient arrives in one piece."""

    __slots__ = ()

    def pull(self, g: Tensor, graph: bool) -> tuple[None]:
        self.receive(g, False)
        for hook in list(self.extras.after.values()):
            hook()
        return (None,)


def checked(found: Any, g: Tensor) -> Tensor:
    """What a hook returned: it must be able to take the place of g."""
    if not isinstance(found, type(g)):
        raise TypeError(f"expected hook to return a Tensor or None, got {type(found).__name__}")
    if found.shape != g.shape or found.kind is not g.kind:
        raise RuntimeError(
            f"a hook has changed the size or dtype of the gradient: {list(g.shape)} {g.kind.dtype.name} became "
            f"{list(found.shape)} {found.kind.dtype.name}. Return a tensor like the one it was given, or None"
        )
    return found


_watched_classes: dict[type, type] = {Leaf: WatchedLeaf}


def watched_class(cls: type[Node]) -> type[Node]:
    """The class with the same slots that `watched` nodes of a class belong to."""
    if cls not in _watched_classes:
        _watched_classes[cls] = type(f"Watched{cls.__name__}", (Watched, cls), {"__slots__": ()})
    return _watched_classes[cls]


def watch(node: Node) -> Extras:
    """Make a node a watched one, and give its extras."""
    if not node.watched:
        node.extras = Extras()
        node.__class__ = watched_class(type(node))
        if node.leaf:
            node.parents = (None,)
    return node.extras


class RemovableHandle:
    """What register_hook returns: `remove()` takes the hook away again, as does the end of a `with` block."""

    def __init__(self, hooks: dict[int, Callable], hook: Callable) -> None:
        self.hooks, self.id = hooks, max(hooks, default=-1) + 1
        hooks[self.id] = hook

    def remove(self) -> None:
        self.hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def register_hook(node: Node, hook: Callable) -> RemovableHandle:
    return RemovableHandle(watch(node).hooks, hook)


def register_after(x: Tensor, hook: Callable) -> RemovableHandle:
    """Call hook(x) when the gradient of a leaf x has been added to x.grad. The node does not keep x alive."""
    reference = ref(x)

    def call() -> None:
        leaf = reference()
        if leaf is not None:
            hook(leaf)

    return RemovableHandle(watch(x.node).after, call)


def retain(node: Node) -> None:
    """Keep the gradient that passes this node."""
    watch(node).retains = True


def kept_gradient(node: Node) -> Tensor | None:
    """The gradient that a node keeps, if it does."""
    if node.leaf:
        return node.grad  # type: ignore[attr-defined]
    return node.extras.grad if node.watched else None
