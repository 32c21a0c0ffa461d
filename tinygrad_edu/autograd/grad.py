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
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of several tensors together to the `grad` of the leaves, in one pass.

    With `inputs` (a tensor or several) to the `grad` of these only. `grad_variables` is an old name of `grad_tensors`.
    """
    roots, given = as_list(tensors), as_list(grad_tensors if grad_variables is None else grad_variables)
    given = given or [None] * len(roots)
    if inputs is None:
        run(roots, given, retain_graph, create_graph, None)
        return
    wanted = as_list(inputs)
    if not wanted:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    for x in wanted:
        if not x.is_leaf:
            x.retain_grad()  # from here on, its gradient is kept when it passes
    found = nodes_of(wanted)
    run(roots, given, retain_graph, create_graph, found)
    with set_grad_enabled(create_graph):
        for x in wanted:
            g = found.pop(x.node, None)  # an input named twice gets its gradient once
            if g is not None and x.is_leaf:
                x.grad = g.clone() if x.grad is None else x.grad + g


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor] | dict[str, Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """The gradients of `outputs` (summed) with respect to each of `inputs`; no `.grad` is touched.

    A tuple, or for a dict of inputs a dict. An input that was not used is a RuntimeError; with `allow_unused` its
    gradient is None, with `materialize_grads` 0. (`only_inputs` is ignored, as in PyTorch.)

    >>> import tinygrad_edu as tg
    >>> x = tg.tensor(3.0, requires_grad=True)
    >>> (first,) = tg.autograd.grad(x ** 3, x, create_graph=True)      # 3 x²
    >>> (second,) = tg.autograd.grad(first, x)                         # 6 x
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    if isinstance(inputs, dict):
        keywords: dict[str, Any] = {"allow_unused": allow_unused, "materialize_grads": materialize_grads}
        values = grad(outputs, list(inputs.values()), grad_outputs, retain_graph, create_graph, **keywords)
        return dict(zip(inputs, values, strict=True))
    if is_grads_batched:
        raise NotImplementedError("grad(is_grads_batched=True) needs vmap, which is not there: call grad for each row")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    roots, wanted = as_list(outputs), as_list(inputs)
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    found = nodes_of(wanted)
    run(roots, as_list(grad_outputs) or [None] * len(roots), retain_graph, create_graph, found)
    results = [found[x.node] for x in wanted]
    if materialize_grads:
        return tuple(zeros_like(x) if g is None else g for x, g in zip(wanted, results, strict=True))
    if not allow_unused and any(r is None for r in results):
        raise RuntimeError(
            "One of the differentiated Tensors appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior."
        )
    return tuple(results)


def as_list(given: Any) -> list:
    return [] if given is None else [given] if isinstance(given, Tensor) else list(given)


def nodes_of(wanted: list[Tensor]) -> dict[Any, Tensor | None]:
    """A place for the gradient of each tensor, by node."""
    for x in wanted:
        if x.node is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad; call requires_grad_() on it")
    return {x.node: None for x in wanted}


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
