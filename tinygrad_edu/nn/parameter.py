"""Parameter: a tensor that a module counts as its own.

It is a real subclass of Tensor and not a flag on it: `isinstance(x, nn.Parameter)` is what programs written for PyTorch
ask, and a module decides by it what its parameters are.

Source: PyTorch documentation, torch.nn.parameter.Parameter.
"""

from __future__ import annotations

from ..tensors import Tensor


class Parameter(Tensor):
    """A leaf that a Module counts as its own when it is assigned to one of its attributes.

    >>> import tinygrad_edu as tg
    >>> tg.nn.Parameter(tg.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter data must be a Tensor, not {type(data).__name__}; use tensor(...)")
        x = data.detach()
        super().__init__(x.flat, x.shape, x.kind)
        self.region, self.shared = x.region, x.shared
        if requires_grad:
            self.requires_grad_()

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
