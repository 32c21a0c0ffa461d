"""Parameter and Buffer: tensors that a module counts as its own.

They are real subclasses of Tensor and not flags on it: `isinstance(x, nn.Parameter)` is what programs written for
PyTorch ask, and a module decides by it what its parameters are.

Source: PyTorch documentation, torch.nn.parameter.
"""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..tensors import Tensor


class Owned(Tensor):
    """What both are: another tensor on the memory of one that exists, outside its graph."""

    __slots__ = ()

    def __init__(self, data: Tensor | None = None) -> None:
        if not isinstance(data, Tensor | None):
            raise TypeError(f"{type(self).__name__} data must be a Tensor, not {type(data).__name__}; use tensor(...)")
        x = empty(0) if data is None else data.detach()
        super().__init__(x.flat, x.shape, x.kind)
        self.region, self.shared = x.region, x.shared


class Parameter(Owned):
    """A leaf that a Module counts as its own when it is assigned to one of its attributes, and trains.

    >>> import tinygrad_edu as tg
    >>> tg.nn.Parameter(tg.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        super().__init__(data)
        if requires_grad:
            self.requires_grad_()

    def __format__(self, spec: str) -> str:
        return super().__format__(spec) if spec else repr(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A parameter with a copy of the elements and, unlike a tensor's copy, without the gradient."""
        memo[id(self)] = copy = Parameter(self.detach().clone(), self.requires_grad)
        return copy

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Owned):
    """A tensor that a Module keeps, and does not train, when it is assigned to one of its attributes.

    `persistent`: it is saved with the module.

    >>> import tinygrad_edu as tg
    >>> module = tg.nn.Module()
    >>> module.mean = tg.nn.Buffer(tg.zeros(2))
    >>> dict(module.state_dict())
    {'mean': tensor([0., 0.])}
    """

    __slots__ = ("persistent",)

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        super().__init__(data)
        self.persistent = persistent
