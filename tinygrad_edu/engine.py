"""The engine: one backward pass for every graph, of numbers or of tensors.

The problem. A result was computed in many small steps, and each step knows only its own derivative. How does
the gradient of the result get to every input, exactly and in one sweep?

The idea. Walk the graph from the result back to the inputs. Each node turns the cotangent that arrives (the gradient
of the result with respect to the node's output) into one cotangent per parent; where several arrive at the
same node they are added, because a change of that node acts along all of those paths at once.

A *node* is anything with
    parents              a tuple of nodes (order and repeats kept; None where no gradient is wanted)
    pull(g, graph)       one cotangent per parent (or None); `graph`: must the result be differentiable itself?
    release()            forget what was saved for `pull`
    fresh                are the results of `pull` new buffers that nobody else holds (g itself always excepted)?
    receive(g, owned)    for a node without parents only (a leaf): keep the final gradient

Source: S. Linnainmaa, The representation of the cumulative rounding error of an algorithm as a Taylor expansion,
1970; A. B. Kahn, Topological sorting of large networks, CACM 5(11), 1962.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any


def topological_order(*roots: Any) -> Iterator[Any]:
    """Every node that `roots` depend on, each once and only after all the nodes that consume it.

    Works on any objects with a tuple `parents`. Nothing is recursive: a chain of a million nodes is as good as any.

    Why sort at all? Because a node must wait until *all* of its cotangents are in. Take

        b = a + a
        c = b + b

    and visit the graph depth first without sorting: c sends 1 to b; b sends 1 to a, and again 1 to a; then c's
    second 1 arrives at b, and b sends it to a twice more, so all of b's work is done twice. Every further line of this
    kind doubles the work: 30 lines, a billion visits. Keeping a list of visited nodes instead is fast and wrong: b is
    done when its first 1 arrives, the second is lost, and a gets 2 instead of 4. Sorted, b is visited once, with 2.

    Kahn's method: count the consumers of each node, then repeatedly take a node whose consumers are all done.

    >>> from collections import namedtuple
    >>> Node = namedtuple("Node", "name parents")
    >>> a = Node("a", ()); b = Node("b", (a, a)); c = Node("c", (b, b))
    >>> [node.name for node in topological_order(c)]
    ['c', 'b', 'a']
    """
    waiting: dict[Any, int] = dict.fromkeys(roots, 0)  # node -> how many consumers are not done yet
    stack = list(waiting)
    while stack:
        for parent in stack.pop().parents:
            if parent in waiting:
                waiting[parent] += 1
            elif parent is not None:
                waiting[parent] = 1
                stack.append(parent)
    ready = [root for root in dict.fromkeys(roots) if waiting[root] == 0]
    while ready:
        node = ready.pop()
        yield node
        for parent in node.parents:
            if parent is None:
                continue
            waiting[parent] -= 1
            if waiting[parent] == 0:
                ready.append(parent)


def backward(
    seeds: Iterable[tuple[Any, Any]],
    *,
    graph: bool = False,
    retain: bool = False,
    watch: Callable[[Any, Any, tuple], None] | None = None,
    capture: dict[Any, Any] | None = None,
) -> None:
    """Send cotangents from the roots to every leaf.

    `seeds` are pairs (root, cotangent of that root). With `graph` the cotangents are computed by differentiable
    operations. Unless `retain`, what a node saved is dropped as soon as it was used. `watch(node, g, cotangents)`
    is called at each node with parents: it is how `backward(trace=True)` prints what happens. `capture`, a dict with
    nodes as keys, collects what arrives at those nodes; then no leaf keeps anything.

    Who owns a buffer of gradients? The first cotangent to reach a node is *borrowed* (addition hands the same
    one to both operands); the second makes a sum, which is ours; later ones are added to that sum in place.
    """
    arrived: dict[Any, Any] = {}
    owned: set[Any] = set()  # the nodes whose entry in `arrived` nobody else holds
    for root, g in seeds:
        arrived[root] = arrived[root] + g if root in arrived else g
    for node in topological_order(*arrived):
        g = arrived.pop(node, None)
        if g is None:  # all its consumers had None for it
            continue
        if capture is not None and node in capture:
            capture[node] = g
        if not node.parents:
            if capture is None:
                node.receive(g, node in owned)
            continue
        cotangents = node.pull(g, graph)
        if watch is not None:
            watch(node, g, cotangents)
        for parent, found in zip(node.parents, cotangents, strict=True):
            if parent is None or found is None:
                continue
            if parent not in arrived:
                arrived[parent] = found
                if node.fresh and found is not g and not graph:
                    owned.add(parent)
            elif parent in owned:
                arrived[parent] += found
            else:
                arrived[parent] = arrived[parent] + found
                if not graph:
                    owned.add(parent)
        if not retain:
            node.release()
