"""The backward pass of a compiled function whose result has a graph: one node, which runs a second program.

What the second program reads of the first is kept in the node, so a function may be called several times before the
first backward pass. Somebody may change an argument, a parameter or a result in between; the node remembers the
versions of their memory and refuses, as every node does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..autograd.function import Bundle
from ..graph import Leaf, Node, changed, freed, mode
from ..tensors import Tensor
from .program import Step, Value
from .symbols import Symbol

if TYPE_CHECKING:
    from .session import Session


class CompiledBackward(Node):
    """The backward pass of a compiled function."""

    __slots__ = ("session", "arguments", "kept", "seen", "versions")

    def __init__(self, session: Session, parents: tuple, arguments: list[Any], kept: list[Any], watched: list) -> None:
        super().__init__(parents)
        self.session, self.arguments, self.seen = session, arguments, watched
        self.kept: Any = kept
        self.versions = [shared.version for shared in watched]

    def release(self) -> None:
        self.kept = None

    def pull(self, g: Any, graph: bool) -> tuple[Tensor | None, ...]:
        session = self.session
        if self.kept is None:
            raise freed(self)
        if graph:
            raise RuntimeError(
                "compile: the backward pass of a compiled function cannot be differentiated (create_graph=True): call "
                "the function itself for that"
            )
        if [shared.version for shared in self.seen] != self.versions:
            raise changed("what a compiled function saved (an argument, a parameter or a result)")
        assert session.backward is not None
        made = session.backward
        parts = g.parts if isinstance(g, Bundle) else {session.with_graph[0]: g}
        arguments = [*self.arguments, *[None] * (len(session.recorder.arguments) - len(self.arguments))]
        for k, number in zip(session.with_graph, session.cotangents, strict=True):
            layout = session.returned[k][1]
            part = parts.get(k)
            if part is None:
                part = Tensor(layout.kind.empty(layout.n), layout.shape, layout.kind).fill_(0)
            arguments[number] = part.contiguous().flat
        arguments[len(arguments) - len(self.kept) :] = self.kept
        fresh = made.fresh()
        with session.lock:
            made.run(*arguments, *fresh)
        found: list[Tensor | None] = []
        for v, parent in zip(session.gradient_values, self.parents, strict=True):
            if v is None or parent is None:
                found.append(None)
                continue
            buffer = fresh[made.slot[v]] if v in made.slot else arguments[v.memory.home]
            shape, kind = session.shapes[len(found)]
            found.append(Tensor(buffer, shape, kind))
        return tuple(found)


class UsedUp(Node):
    """The graph of a result whose backward pass was a part of the compiled function."""

    __slots__ = ()

    def pull(self, g: Any, graph: bool) -> tuple[Tensor | None, ...]:
        raise freed(self)


def leaves_of(nodes: list[Any]) -> list[Leaf]:
    """The leaves that these nodes lead to."""
    found: dict[Leaf, None] = {}
    seen = set(nodes)
    stack = list(nodes)
    while stack:
        for parent in stack.pop().parents:
            if parent is None or parent in seen:
                continue
            seen.add(parent)
            if parent.leaf:
                found[parent] = None
            stack.append(parent)
    found |= dict.fromkeys(n for n in nodes if n.leaf)
    return list(found)


def value_in_order(x: Tensor) -> Value:
    """A value that is all of x, in order."""
    x = x.contiguous()
    buffer = x.flat
    if not isinstance(buffer, Symbol) or (buffer.offset, buffer.size) != (0, buffer.memory.size):
        buffer = x.clone().flat
    return mode.recorder.current(buffer.memory)


def crossing(first: list[Step], second: list[Step], wanted: list[Value]) -> list[Value]:
    """Values that the first steps make and the second ones read, or that are wanted of the second."""
    made = {v for step in first for v in step.made}
    read = dict.fromkeys(v for step in second for v in step.reads() if v in made)
    return list(read | dict.fromkeys(v for v in wanted if v in made))
