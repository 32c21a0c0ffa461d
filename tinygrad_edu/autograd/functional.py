"""Jacobians, Hessians, and their products with vectors: what a backward pass can be asked for.

A function from n numbers to m has a Jacobian J of (m, n) partial derivatives. One backward pass with cotangent v gives
a combination of its rows, vᵀ J, without ever forming J. Everything here is made of that:

    vjp       vᵀ J        one pass
    jacobian  J           one pass for each of the m outputs, v the rows of the identity
    jvp       J u         two passes: g(v) = vᵀ J is linear in v, so its own backward pass with u gives J u
    vhp, hvp  vᵀ H, H v   the gradient ∇f = g(x), then the vjp of g: Pearlmutter's product, H symmetric
    hessian   H           the Jacobian of the gradient: (n, n)

`inputs` is a tensor or a tuple of them; results have the same structure. With `create_graph` results can be
differentiated again, with `strict` an output that does not depend on an input is a RuntimeError, else its derivative is
zeros.

Source: B. Pearlmutter, Fast exact multiplication by the Hessian, Neural Computation 6(1), 1994; PyTorch
documentation, torch.autograd.functional, and J. Townsend, A new trick for calculating Jacobian vector products, 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..creation import ones_like, zeros_like
from ..graph import enable_grad
from ..ops.joining import stack
from ..tensors import Tensor
from .grad import grad

Tensors = tuple[Tensor, ...]


def as_tuple(given: Any, what: str) -> Tensors:
    found = given if isinstance(given, tuple) else tuple(given) if isinstance(given, list) else (given,)
    for k, x in enumerate(found):
        if not isinstance(x, Tensor):
            where = f" at index {k}" if isinstance(given, tuple | list) else ""
            raise TypeError(
                f"The {what} must be either a Tensor or a tuple of Tensors but the given {what} has type "
                f"{type(x).__name__}{where}"
            )
    return found


def like(given: Any, found: Tensors) -> Any:
    """A result with the structure of what it belongs to."""
    return found if isinstance(given, tuple | list) else found[0]


def evaluate(name: str, func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool) -> tuple:
    """Fresh leaves with the values of the inputs (or, for `create_graph`, views of these), and what func makes of them:
    as it came, and as a tuple."""
    given = as_tuple(inputs, f"inputs given to {name}")
    xs = tuple(x.view_as(x) if create_graph and x.requires_grad else x.detach().requires_grad_() for x in given)
    out = func(*xs)
    ys = as_tuple(out, f"outputs of the user-provided function given to {name}")
    for k, y in enumerate(ys):
        if strict and not y.requires_grad:
            raise RuntimeError(
                f"Output {k} of the user-provided function does not require gradient. The outputs must be computed in "
                "a differentiable manner from the input when running in strict mode."
            )
    return xs, out, ys


def pull(ys: Sequence[Tensor], xs: Tensors, vs: Sequence[Tensor], strict: bool, keep: bool, graph: bool) -> Tensors:
    """Jᵀ v: zeros for an input that nothing depends on (strict: a RuntimeError)."""
    live = [(y, v) for y, v in zip(ys, vs, strict=True) if y.requires_grad]
    found: Sequence[Tensor | None] = (None,) * len(xs)
    if live:
        outputs, cotangents = zip(*live, strict=True)
        found = grad(outputs, xs, cotangents, retain_graph=keep, create_graph=graph, allow_unused=True)
    for k, g in enumerate(found):
        if strict and g is None:
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {k}. This is not allowed in strict "
                "mode."
            )
    return tuple(zeros_like(x) if g is None else g for x, g in zip(xs, found, strict=True))


def vectors(name: str, v: Any, like_these: Tensors, whose: str) -> Tensors:
    """The vector argument: by default 1, for one number."""
    if v is None:
        if len(like_these) != 1 or like_these[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if {whose} a single Tensor with a single element: {name}() needs one"
            )
        return (ones_like(like_these[0]),)
    vs = as_tuple(v, f"v given to {name}")
    if len(vs) != len(like_these):
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like_these)} but got {len(vs)}.")
    for k, (given, x) in enumerate(zip(vs, like_these, strict=True)):
        if given.shape != x.shape:
            raise RuntimeError(f"Entry {k} in v has invalid size: should be {x.shape} but got {given.shape}.")
    return vs


def detached(given: Any, create_graph: bool) -> Any:
    if create_graph:
        return given
    return tuple(x.detach() for x in given) if isinstance(given, tuple | list) else given.detach()


def one_number(name: str, ys: Tensors) -> None:
    if len(ys) != 1 or ys[0].numel() != 1:
        raise RuntimeError(f"The function given to {name} should return a single Tensor with a single element")


@enable_grad()
def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), vᵀ J): v like the outputs, the product like the inputs. v may be left out for one number.

    >>> import tinygrad_edu as tg
    >>> vjp(lambda x: x * x, tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    xs, out, ys = evaluate("vjp", func, inputs, create_graph, strict)
    vs = vectors("vjp", v, ys, "the user-provided function returns")
    found = pull(ys, xs, vs, strict, create_graph, create_graph)
    return detached(out, create_graph), like(inputs, found)


@enable_grad()
def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), J v): v like the inputs, the product like the outputs.

    >>> import tinygrad_edu as tg
    >>> jvp(lambda x: x * x, tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0]))[1]
    tensor([ 2., 40.])
    """
    xs, out, ys = evaluate("jvp", func, inputs, create_graph, strict)
    us = vectors("jvp", v, xs, "the input to the user-provided function is")
    vs = tuple(zeros_like(y).requires_grad_() for y in ys)
    found = pull(pull(ys, xs, vs, strict, True, True), vs, us, False, create_graph, create_graph)
    return detached(out, create_graph), like(out, found)


@enable_grad()
def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), vᵀ H) for a func that returns one number; v and the product are like the inputs.

    >>> import tinygrad_edu as tg
    >>> vhp(lambda x: (x ** 3).sum(), tg.tensor([1.0, 2.0]), tg.tensor([1.0, 1.0]))[1]
    tensor([ 6., 12.])
    """
    xs, out, ys = evaluate("vhp", func, inputs, create_graph, strict)
    one_number("vhp", ys)
    vs = vectors("vhp", v, xs, "the input to the user-provided function is")
    first = pull(ys, xs, (ones_like(ys[0]),), strict, True, True)
    return detached(out, create_graph), like(inputs, pull(first, xs, vs, strict, create_graph, create_graph))


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), H v). A Hessian is symmetric, so this is `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


@enable_grad()
def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: for one input and one output of shape (*output.shape, *input.shape).

    Tuples of inputs give a tuple for each output, tuples of outputs a tuple of these. `vectorize` changes nothing but
    the speed in PyTorch, and nothing here; `strategy` must be 'reverse-mode'.

    >>> import tinygrad_edu as tg
    >>> jacobian(lambda x: x * x, tg.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy != "reverse-mode":
        raise NotImplementedError(f"jacobian(strategy='{strategy}'): there is reverse-mode differentiation only")
    xs, out, ys = evaluate("jacobian", func, inputs, create_graph, strict)
    found = []
    for y in ys:
        rows = []
        for k in range(y.numel()):
            v = zeros_like(y)
            v.reshape(-1)[k] = 1.0
            rows.append(pull([y], xs, [v], strict, True, create_graph))
        columns = zip(*rows, strict=True) if rows else (() for _ in xs)
        found.append(
            tuple(
                stack(list(c)).reshape(*y.shape, *x.shape) if c else x.new_zeros((*y.shape, *x.shape))
                for c, x in zip(columns, xs, strict=True)
            )
        )
    return like(out, tuple(like(inputs, f) for f in found))


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a func that returns one number: for one input of shape (*input.shape, *input.shape).

    A tuple of inputs gives a tuple of tuples, [i][j] of shape (*inputs[i].shape, *inputs[j].shape).

    >>> import tinygrad_edu as tg
    >>> hessian(lambda x: (x ** 3).sum(), tg.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*xs: Tensor) -> Any:
        out = func(*xs)
        ys = as_tuple(out, "outputs of the user-provided function given to hessian")
        one_number("hessian", ys)
        if strict and not ys[0].requires_grad:
            raise RuntimeError("The output of the user-provided function does not depend on its input, in strict mode")
        return like(inputs, pull(ys, xs, (ones_like(ys[0]),), strict, True, True))

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
