"""What is done to all parameters of a network at once: clipping gradients, and one long vector of everything.

A single bad batch can give a gradient so long that one step ruins a network. Clipping makes it shorter and keeps its
direction:

    g ← g · min(1, c / (‖g‖ + 1e-6))        ‖g‖ over all parameters together

Source: R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural networks, ICML 2013.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinygrad_kernels.expr import trace

from ...creation import tensor
from ...graph import mode, no_grad
from ...hints import refusing
from ...ops.joining import cat
from ...ops.launch import compute
from ...tensors import Tensor
from . import rnn

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector", "rnn",
    "vector_to_parameters",
]  # fmt: skip
__getattr__ = refusing("tinygrad_edu.nn.utils", __all__)
SQUARES = trace("squares", lambda x: x * x, ("x",))


def gradients_of(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in given if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """Scale all gradients together so that their norm is at most `max_norm`; gives the norm that they had, 0-d.

    `norm_type` is 2, or any other p of a p-norm, inf included. RuntimeError for a norm of nan or inf, if asked for.
    (`foreach` chooses among PyTorch's implementations, and changes nothing here.)

    >>> import tinygrad_edu as tg
    >>> p = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> (0.5 * p * p).sum().backward()
    >>> tg.nn.utils.clip_grad_norm_([p], max_norm=1.0)
    tensor(5.)
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    norm = get_total_norm(gradients_of(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, norm)
    return norm


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:  # fmt: skip
    """The p-norm of all elements of all tensors together, 0-d."""
    given = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not given:
        return tensor(0.0)
    with no_grad():
        norm = norm_of([x.detach() for x in given], float(norm_type))
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped: look for the first operation that gives nan or inf"
        )
    return norm


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scale all gradients by max_norm / total_norm, if that is less than 1."""
    if mode.recorder is not None:  # no number is known yet
        with no_grad():
            factor = (float(max_norm) / (total_norm.double() + 1e-6)).clamp(max=1.0)
            for g in gradients_of(parameters):
                g.mul_(factor)
        return
    scale = float(max_norm) / (total_norm.item() + 1e-6)
    if not scale >= 1.0:
        with no_grad():
            for g in gradients_of(parameters):
                g.mul_(scale)


def norm_of(gradients: list[Tensor], p: float) -> Tensor:
    """The p-norm of all elements of all gradients."""
    if mode.recorder is not None:  # no number is known yet
        parts = [(g.abs().max() if p == math.inf else (g.double().abs() ** p).sum()).reshape(1) for g in gradients]
        return (cat(parts).max() if p == math.inf else cat(parts).sum() ** (1.0 / p)).to(gradients[0].dtype)
    if p == math.inf:
        largest = [g.abs().max() for g in gradients if g.numel()]
        return max(largest, key=lambda x: (math.isnan(x.item()), x.item())) if largest else tensor(0.0)
    if p == 2.0:  # squares and their sum in one pass
        sums = [compute(SQUARES, (g,), g.kind, g.kind, ()) for g in gradients]
        return tensor(
            math.sqrt(math.fsum(s.item() for s in sums)), dtype=gradients[0].dtype, device=gradients[0].device
        )
    total = math.fsum((g.abs() ** p).sum().item() for g in gradients)
    return tensor(total ** (1.0 / p), dtype=gradients[0].dtype)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Bound every element of every gradient by ±clip_value."""
    with no_grad():
        for g in gradients_of(parameters):
            g.copy_(g.clamp(-float(clip_value), float(clip_value)))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters one after the other: (n,), in the graph."""
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """The reverse: each parameter takes its elements from the vector, unrecorded."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    with no_grad():
        for p in parameters:
            p.copy_(vec[start : start + p.numel()].reshape(p.shape))
            start += p.numel()
