"""Is a gradient right? Compare it with differences.

The idea. The derivative of f in a direction u is what f does when x moves a little along it:

    (f(x + h u) - f(x - h u)) / 2h   =   <J u>            central difference, error of order h²

and a backward pass with the cotangent v gives Jᵀ v. So for every v and u the two numbers

    <v, (f(x + h u) - f(x - h u)) / 2h>    and    <Jᵀ v, u>

must agree. A check can be too kind in three ways, each of which let wrong gradients through in well-known libraries:

  - v of all ones: for a softmax, whose outputs always sum to 1, it asks for a gradient of zero and accepts a
    backward pass that returns zero. Here v is random.
  - one random element u: an error in the last element is missed most of the time. Here every element
    of a small input is tried, and several random directions of a large one, which touch all elements at once.
  - float32 with a tolerance to match: rounding hides the error. Here inputs must be float64.

The step is h = 1e-6: the truncation error h² and the rounding error 1e-16/h then are both near 1e-10 to 1e-12.

Source: A. Griewank, A. Walther, Evaluating Derivatives, 2nd edition, 2008, chapter 8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..creation import from_numpy
from ..ops.conversion import as_array
from ..tensors import Tensor
from .grad import grad

SWITCHES = {"check_undefined_grad": True, "check_grad_dtypes": True, "check_backward_ad": True, "masked": False,
            "check_batched_grad": False, "check_batched_forward_grad": False, "check_forward_ad": False,
            "check_fwd_over_rev": False, "check_rev_over_rev": True,
            "gen_non_contig_grad_outputs": True}  # fmt: skip  # of PyTorch: may it be asked for?
SMALL = 64  # elements of an input up to which each is moved by itself


class GradcheckError(RuntimeError):
    """A gradient that does not agree with the differences."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    fast_mode: bool = False,
    seed: int = 0,
    **others: bool,
) -> bool:
    """Check the gradients of `func` at `inputs` against central differences.

    `inputs`: a tensor or a tuple of arguments; the float64 tensors among them that require a gradient are checked.
    `func` may return one tensor or several. GradcheckError (or False) where analytical and numerical
    derivative differ by more than atol + rtol |numerical|, or where two backward passes differ by more than nondet_tol.
    `fast_mode` tries random directions only. Of PyTorch's other switches those that ask for less or for what is done
    anyway are accepted; what needs another kind of differentiation is a NotImplementedError.

    >>> import tinygrad_edu as tg
    >>> x = tg.tensor([0.5, -1.0], dtype=tg.float64, requires_grad=True)
    >>> gradcheck(lambda x: (x * x.sin()).sum(), x)
    True
    """
    for name, value in others.items():
        if name not in SWITCHES:
            raise TypeError(f"gradcheck() got an unexpected keyword argument '{name}'")
        if value and not SWITCHES[name]:
            raise NotImplementedError(
                f"gradcheck({name}=True) is not supported: there is backward differentiation only"
            )
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them do")
    for x in checked:
        if x.dtype.name != "float64":
            raise ValueError(
                f"gradcheck needs float64 inputs (differences of {x.dtype.name} are too coarse): x.double()"
            )
    try:
        random = np.random.default_rng(seed)
        compare(func, arguments, checked, random, eps, atol, rtol, nondet_tol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, **options: Any) -> bool:
    """Check the second derivatives: the gradients of `func` are themselves checked by `gradcheck`.

    `grad_outputs` are the cotangents of the first backward pass, by default random ones.
    """
    arguments = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    random = np.random.default_rng(options.get("seed", 0) + 1)
    places = [i for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad]
    if grad_outputs is None:
        cotangents = [random_like(y, random).requires_grad_() for y in outputs_of(func, arguments)]
    else:
        cotangents = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)

    def first(*given: Any) -> tuple:
        own, vs = given[: len(arguments)], given[len(arguments) :]
        ys = outputs_of(func, own)
        found = grad(ys, [own[i] for i in places], list(vs), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None and g.requires_grad)

    return gradcheck(first, (*arguments, *cotangents), **options)


def compare(
    func: Callable,
    arguments: tuple,
    checked: list[Tensor],
    random: Any,
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
    fast: bool,
) -> None:
    outputs = outputs_of(func, arguments)
    for k, y in enumerate(outputs):
        if not y.is_floating_point():
            continue
        v = random_like(y, random)
        analytical: tuple[Tensor | None, ...] = (None,) * len(checked)  # of an output without a graph: zero
        if y.requires_grad:
            analytical, again = (grad([y], checked, [v], retain_graph=True, allow_unused=True) for _ in range(2))
            for g, h in zip(analytical, again, strict=True):
                if g is not None and np.abs(as_array(g) - as_array(h)).max(initial=0.0) > nondet_tol:
                    raise GradcheckError("Backward is not reentrant: two passes gave different gradients (nondet_tol)")
        for which, (x, g) in enumerate(zip(checked, analytical, strict=True)):
            found = np.zeros(x.shape) if g is None else as_array(g)
            if g is not None and g.shape != x.shape:
                raise GradcheckError(f"the gradient of input {which} has shape {list(g.shape)}, not {list(x.shape)}")
            for u, name in directions(x, random, fast):
                numerical = difference(func, arguments, x, u, k, as_array(v), eps)
                exact = float((found * u).sum())
                if not abs(exact - numerical) <= atol + rtol * abs(numerical):
                    raise GradcheckError(
                        f"Jacobian mismatch for output {k} with respect to input {which}, {name}:\n"
                        f"numerical: {numerical:.10g}\nanalytical: {exact:.10g}\n"
                        "the backward formula, or something it saved, does not belong to the forward one"
                    )


def directions(x: Tensor, random: Any, fast: bool) -> list[tuple[np.ndarray, str]]:
    """Every element of a small input; random directions of a large one."""
    if x.numel() <= SMALL and not fast:
        found = []
        for index in np.ndindex(*x.shape):
            u = np.zeros(x.shape)
            u[index] = 1.0
            found.append((u, f"element {list(index)}"))
        return found
    return [(random.standard_normal(x.shape), f"random direction {n}") for n in range(8)]


def difference(func: Callable, arguments: tuple, x: Tensor, u: np.ndarray, k: int, v: np.ndarray, eps: float) -> float:
    """<v, (f(x + eps u) - f(x - eps u)) / 2 eps> for output k."""
    values = []
    start = as_array(x).copy()
    for sign in (1.0, -1.0):
        moved = from_numpy(np.array(start + sign * eps * u, order="C")).requires_grad_()
        given = [moved if a is x else a for a in arguments]
        values.append(as_array(outputs_of(func, tuple(given))[k]).copy())
    return float((v * (values[0] - values[1])).sum() / (2 * eps))


def outputs_of(func: Callable, arguments: tuple) -> list[Tensor]:
    found = func(*arguments)
    return [found] if isinstance(found, Tensor) else list(found)


def random_like(y: Tensor, random: Any) -> Tensor:
    return from_numpy(np.asarray(random.standard_normal(y.shape)).reshape(y.shape))
