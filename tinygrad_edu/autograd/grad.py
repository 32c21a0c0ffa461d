"""`grad`: gradients as values, rather than added up in `.grad`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import engine
from ..creation import zeros_like
from ..graph import mode, set_grad_enabled
from ..tensors import Tensor, starting_gradient


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradients of several tensors together to the `grad` of the leaves, in one pass."""
    roots = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    given = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors or [None] * len(roots))
    run(roots, given, retain_graph, create_graph, None)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
    *,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` (summed) with respect to each of `inputs`; no `.grad` is touched.

    An input that was not used is a RuntimeError; with `allow_unused` its gradient is None, with `materialize_grads` 0.

    >>> import tinygrad_edu as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (first,) = tg.autograd.grad(x ** 3, x, create_graph=True)      # 3 x²
    >>> (second,) = tg.autograd.grad(first, x)                         # 6 x
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    roots = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    given = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs or [None] * len(roots))
    for x in wanted:
        if x.node is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad; call requires_grad_() on it")
    found: dict[Any, Tensor | None] = {x.node: None for x in wanted}
    run(roots, given, retain_graph, create_graph, found)
    results = [found[x.node] for x in wanted]
    if materialize_grads:
        return tuple(zeros_like(x) if g is None else g for x, g in zip(wanted, results, strict=True))
    if not allow_unused and any(r is None for r in results):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior."
        )
    return tuple(results)


def run(
    roots: list[Tensor], given: list, retain_graph: bool | None, create_graph: bool, capture: dict[Any, Any] | None
) -> None:
    """One backward pass from several tensors."""
    if len(given) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(given)} gradients")
    seeds = [(x.node, starting_gradient(x, g)) for x, g in zip(roots, given, strict=True)]
    retain = create_graph if retain_graph is None else retain_graph
    watch: Any = None
    if mode.anomaly:
        from .anomaly import check_backward as watch
    with set_grad_enabled(create_graph):
        engine.backward(seeds, graph=create_graph, retain=retain, watch=watch, capture=capture)
