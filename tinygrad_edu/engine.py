"""The engine: one backward pass for every graph, of numbers or of tensors.

The problem. A result was computed in many small steps, and each step knows only its own derivative. How does
the gradient of the result get to every input, exactly and in one sweep?

The idea. Walk the graph from the result back to the inputs. Each node turns the cotangent that arrives (the gradient
of the result with respect to the node's output) into one cotangent per parent; where several arrive at the
same node they are added, because a change of that node acts along all of those paths at once.

A *node* has
    parents              a tuple of nodes (order and repeats kept; None where no gradient is wanted)
    pull(g, graph)       one cotangent per parent (or None); `graph`: must the result be differentiable itself?
    release()            forget what was saved for `pull`
    fresh                are the results of `pull` new buffers that nobody else holds (g itself always excepted)?
    receive(g, owned)    of a node without parents (a leaf): add a cotangent to its gradient
    watched, notice(g)   does somebody want to see (and perhaps replace) the whole cotangent before `pull` does?
    leaf                 is it a leaf? (one that is watched is visited like any node, so that it has its sum first)

Source: S. Linnainmaa, The representation of the cumulative rounding error of an algorithm as a Taylor expansion,
1970; A. B. Kahn, Topological sorting of large networks, CACM 5(11), 1962.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any


class Scratch:
    """Where a walk keeps its notes on a node. (A dict from nodes to notes reads the same, and takes twice as long: its
    entries are scattered over memory, the node is at hand.)"""

    __slots__ = ("walk", "waiting", "arrived", "owned")

    walk: Walk | None  # the latest walk that has been here
    waiting: int  # how many consumers are not done yet
    arrived: Any  # the sum of the cotangents so far
    owned: bool  # does nobody else hold that sum? (set with it)

    watched = leaf = False


class Walk:
    """One walk over a graph."""

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = True


def topological_order(*roots: Any) -> Generator[Any, None, None]:
    """Every node with parents that `roots` depend on, each once and only after all the nodes that consume it.

    Works on any objects with a tuple `parents` and the slots of `Scratch`. Leaves are not listed: they pass nothing on.
    Nothing is recursive: a chain of a million nodes is as good as any.

    Why sort at all? Because a node must wait until *all* of its cotangents are in. Take

        b = a + a
        c = b + b

    and visit the graph depth first without sorting: c sends 1 to b; b sends 1 to a, and again 1 to a; then c's
    second 1 arrives at b, and b sends it to a twice more, so all of b's work is done twice. Every further line of this
    kind doubles the work: 30 lines, a billion visits. Keeping a list of visited nodes instead is fast and wrong: b is
    done when its first 1 arrives, the second is lost, and a gets 2 instead of 4. Sorted, b is visited once, with 2.

    Kahn's method: count the consumers of each node, then repeatedly take a node whose consumers are all done.

    >>> from tinygrad_edu import Value
    >>> a = Value(1.0); b = a + a; c = b + b
    >>> [node is b for node in topological_order(c)]
    [False, True]
    """
    walk = Walk()
    starts = list(dict.fromkeys(root for root in roots if root.parents))
    for root in starts:
        _check_free(root.walk)
        root.walk = walk
        root.waiting = 0
        root.arrived = None
    stack = starts.copy()
    while stack:
        for parent in stack.pop().parents:
            if parent is None or not parent.parents:
                continue
            if parent.walk is walk:
                parent.waiting += 1
            else:
                if parent.walk is not None:
                    _check_free(parent.walk)
                parent.walk = walk
                parent.waiting = 1
                parent.arrived = None
                stack.append(parent)
    ready = [root for root in starts if root.waiting == 0]
    try:
        while ready:
            node = ready.pop()
            yield node
            for parent in node.parents:
                if parent is not None and parent.walk is walk:
                    if parent.waiting == 1:
                        ready.append(parent)
                    parent.waiting -= 1
    finally:
        walk.active = False


def _check_free(other: Walk | None) -> None:
    if other is not None and other.active:
        raise RuntimeError(
            "this part of the graph is being walked already, by another thread or by a backward() inside this one: "
            "compute the shared part once for each"
        )


def backward(
    seeds: Iterable[tuple[Any, Any]],
    *,
    graph: bool = False,
    retain: bool = False,
    watch: Callable[[Any, Any, Any], None] | None = None,
    capture: dict[Any, Any] | None = None,
) -> None:
    """Send cotangents from the roots to every leaf.

    `seeds` are pairs (root, cotangent of that root). With `graph` the cotangents are computed by differentiable
    operations. Unless `retain`, what a node saved is dropped as soon as it was used. `watch(node, g, cotangents)`
    is called at each node with parents: it is how `backward(trace=True)` prints what happens. `capture`, a dict with
    nodes as keys, collects what arrives at those nodes; then no leaf keeps anything, and no node that leads to none of
    them is touched or dropped: not what lies behind them, either.

    Who owns a buffer of gradients? The first cotangent to reach a node is *borrowed*, unless it is fresh (addition
    hands the same one to both operands); the second makes a sum, which is ours; later ones are added to it in place.
    """
    starting: dict[Any, Any] = {}
    for root, g in seeds:
        if not root.parents:
            deliver(root, g, False, capture)
        else:
            starting[root] = starting[root] + g if root in starting else g
    needed = set() if capture is None else leading_to(capture, starting)
    order = topological_order(*starting)
    try:
        for node in order:
            g, node.arrived = node.arrived, None
            if capture is not None and node not in needed and node not in capture:
                continue
            if starting and node in starting:
                g = starting.pop(node) if g is None else g + starting.pop(node)
            if g is None:  # all its consumers had None for it
                continue
            if node.watched:
                g = node.notice(g, graph)
            if capture is not None:
                if node in capture:
                    capture[node] = g
                if node.leaf or node not in needed:
                    continue
            cotangents = node.pull(g, graph)
            if watch is not None:
                watch(node, g, cotangents)
            fresh = node.fresh and not graph
            for parent, found in zip(node.parents, cotangents):  # noqa: B905  (the hot loop)
                if found is None or parent is None:
                    continue
                if not parent.parents:
                    if capture is None:
                        parent.receive(found, fresh and found is not g)
                    else:
                        deliver(parent, found, False, capture)
                elif parent.arrived is None:
                    parent.arrived = found
                    parent.owned = fresh and found is not g
                elif parent.owned:
                    parent.arrived += found
                else:
                    parent.arrived, parent.owned = parent.arrived + found, not graph
            if not retain:
                node.release()
    finally:
        order.close()  # also where a node raised: the graph is free for another walk


def leading_to(targets: Iterable[Any], roots: Iterable[Any]) -> set[Any]:
    """Those of the nodes that `roots` depend on which have one of `targets` among their operands, or theirs."""
    wanted, found = set(targets), set[Any]()
    for node in reversed(list(topological_order(*roots))):  # operands first
        if not (wanted.isdisjoint(node.parents) and found.isdisjoint(node.parents)):
            found.add(node)
    return found


def deliver(leaf: Any, g: Any, owned: bool, capture: dict[Any, Any] | None) -> None:
    """A cotangent has reached a leaf."""
    if capture is None:
        leaf.receive(g, owned)
    elif leaf in capture:
        capture[leaf] = g if capture[leaf] is None else capture[leaf] + g
