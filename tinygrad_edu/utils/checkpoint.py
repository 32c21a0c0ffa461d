"""Checkpointing: compute a part of the network twice, to remember less of it.

The problem. A backward pass needs what the forward pass computed, so the activations of all layers are alive at once:
memory grows with depth.

The idea. Of a whole block of layers keep the inputs only. Backward, when the block's turn comes, compute it again, this
time for its gradients. One more forward pass buys memory: n layers in blocks of √n need O(√n) activations instead of n.

    x ──▶ [ h1 = f1(x), h2 = f2(h1), y = f3(h2) ] ──▶ y
                   forgotten; computed again when y's cotangent arrives

Computed again, the block must give the same: random numbers (dropout) start from the state that they started from.

How it is done. The block is run once with a graph, which tells what y depends on: the arguments, leaves that the
function knows by itself (its weights), and what was computed outside and is used inside. Then that graph is dropped,
and one node stands for it, whose parents these are. Backward, the node makes the graph again, and sends the cotangent
through it up to its parents and no further.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, Training deep nets with sublinear memory cost, 2016; A. Griewank,
Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation, 1992.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from sys import getrefcount
from typing import Any

from .. import engine, random
from ..autograd.function import Bundle, Output
from ..graph import Node, enable_grad, freed, mode
from ..ops.reduction import SavingNode
from ..tensors import Tensor


class CheckpointError(RuntimeError):
    """The function did not compute the same thing the second time."""


def tensors_in(found: Any) -> Iterator[Tensor]:
    """The tensors in a result or in arguments, in order."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, tuple | list | dict):
        for part in found.values() if isinstance(found, dict) else found:
            yield from tensors_in(part)


def replaced(found: Any, by: dict[int, Tensor]) -> Any:
    """The same structure with other tensors in it."""
    if isinstance(found, Tensor):
        return by.get(id(found), found)
    if isinstance(found, dict):
        return {name: replaced(part, by) for name, part in found.items()}
    if type(found) in (tuple, list):
        return type(found)(replaced(part, by) for part in found)
    return found


@contextmanager
def ends_at(nodes: Sequence[Node]) -> Iterator[None]:
    """Inside, walks over a graph end at these nodes, as if they were leaves."""
    kept = [node.parents for node in nodes]
    for node in nodes:
        node.parents = ()
    try:
        yield
    finally:
        for node, parents in zip(nodes, kept, strict=True):
            node.parents = parents


class CheckpointBackward(SavingNode):
    """A block that is computed again. Parents: the nodes of its arguments, then what it uses besides."""

    __slots__ = ("call", "state", "shapes")

    shapes: list[Any]  # of the outputs

    def __init__(self, call: Callable[[], Any], arguments: list[Tensor], others: list[Node], state: Any) -> None:
        super().__init__((*(x.node for x in arguments), *others), *arguments)
        self.call, self.state = call, state

    def release(self) -> None:
        super().release()
        self.call = None  # type: ignore[assignment]  # it knows the arguments too

    def pull(self, g: Any, graph: bool) -> tuple[Tensor | None, ...]:
        self.saved()
        if self.call is None:
            raise freed(self)
        with enable_grad(), same_numbers(self.state):
            outputs = differentiable(self.call())
        if [y.shape for y in outputs] != self.shapes:
            raise CheckpointError(
                "checkpoint: computed again, the function gave other results: shapes "
                f"{[list(y.shape) for y in outputs]}, and {[list(s) for s in self.shapes]} the first time"
            )
        parts = g.parts if type(g) is Bundle else {0: g}
        found: dict[Any, Tensor | None] = {node: None for node in self.parents if node is not None}
        with ends_at(list(found)):
            seeds = [(outputs[k].node, part) for k, part in parts.items()]
            engine.backward(seeds, graph=graph, retain=graph, capture=found)
        return tuple(None if node is None else found.pop(node, None) for node in self.parents)


@contextmanager
def same_numbers(state: Any) -> Iterator[None]:
    """Inside, random numbers start from a state (None: from where they are)."""
    if state is None:
        yield
        return
    now = random.default_generator.get_state()
    random.default_generator.set_state(state)
    try:
        yield
    finally:
        random.default_generator.set_state(now)


def differentiable(found: Any) -> list[Tensor]:
    return list({id(y): y for y in tensors_in(found) if y.requires_grad}.values())


def let_go(held: dict[Node, None], arguments: list[Node]) -> list[Node]:
    """Drop a graph, from its end (`held`); return what it hangs on besides the arguments: leaves, nodes made elsewhere.

    A node whose consumers are gone, and that nobody but us holds, goes too. What is left belongs to somebody. (That may
    be a node of this graph whose tensor the function has put aside. It will get no gradient; those behind it may.)
    """
    probe = {Node(): None}
    node = next(iter(probe))
    alone = getrefcount(node)  # as many as a node has that is in one dict and in `node`
    todo = dict(held)
    while todo:
        node = todo.popitem()[0]
        if getrefcount(node) == alone:
            del held[node]
            new = dict.fromkeys(p for p in node.parents if p is not None and p not in arguments)
            held |= new
            todo |= new
            del new
    todo = dict(held)
    while todo:
        new = dict.fromkeys(p for p in todo.popitem()[0].parents if not (p is None or p in held or p in arguments))
        held |= new
        todo |= new
    return list(held)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose intermediate results are not kept but computed again in the backward pass.

    Values and gradients (of the arguments, and of weights that the function uses) are those of a plain call, with
    `preserve_rng_state` for dropout too. `use_reentrant` is accepted with either value: there is one way here.
    `context_fn` and `debug` are not supported (NotImplementedError).

    >>> import tinygrad_edu as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor(3.3129)
    """
    if context_fn is not None or debug:
        raise NotImplementedError("checkpoint(context_fn=..., debug=...) is not supported: leave both out")
    if determinism_check not in ("default", "none"):
        raise ValueError(f"determinism_check should be one of 'default' and 'none' but got {determinism_check}")
    if use_reentrant and kwargs:
        raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
    if not mode.grad or mode.recorder is not None:  # a compiled function decides by itself what to compute again
        return function(*args, **kwargs)
    state = random.default_generator.get_state() if preserve_rng_state else None
    found = function(*args, **kwargs)
    outputs = differentiable(found)
    if not outputs:
        return found
    arguments = differentiable((args, kwargs))
    own = [x.node for x in arguments]
    held, results = {y.node: None for y in outputs if y.node not in own}, [y.detach() for y in outputs]
    found = replaced(found, dict(zip(map(id, outputs), results, strict=True)))
    outputs.clear()
    node = CheckpointBackward(lambda: function(*args, **kwargs), arguments, let_go(held, own), state)
    node.shapes = [z.shape for z in results]
    for k, z in enumerate(results):
        z.node = node if len(results) == 1 else Output(node, k)
    return found


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """The functions (a Sequential or a list) one after the other, in so many segments, each but the last checkpointed.

    `preserve_rng_state` may be given; other keywords are a ValueError.
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")
    steps = list(functions.children()) if hasattr(functions, "children") else list(functions)

    def run(first: int, stop: int) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for step in steps[first:stop]:
                x = step(x)
            return x

        return forward

    size, at = len(steps) // segments, 0
    for _ in range(segments - 1):
        input = checkpoint(run(at, at + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
        at += size
    return run(at, len(steps))(input)
