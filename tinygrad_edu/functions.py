"""The functional forms: `tg.exp(x)` is `x.exp()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensors import Tensor


def function(name: str) -> Callable[..., Any]:
    """The method of that name as a function of its tensor. TypeError for anything but a tensor."""
    method = getattr(Tensor, name)

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, Tensor):
            raise TypeError(
                f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}; "
                "make one with tensor(...)"
            )
        return method(input, *args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = method.__doc__
    return call


add, sub, mul, div, neg, pow = map(function, ("add", "sub", "mul", "div", "neg", "pow"))
lt, le, gt, ge, eq, ne = map(function, ("lt", "le", "gt", "ge", "eq", "ne"))
exp, log, sin, cos, tanh = map(function, ("exp", "log", "sin", "cos", "tanh"))
sqrt, square, relu, sigmoid = map(function, ("sqrt", "square", "relu", "sigmoid"))
sum, mean = map(function, ("sum", "mean"))
matmul, mm = map(function, ("matmul", "mm"))
reshape, flatten, permute, transpose, t = map(function, ("reshape", "flatten", "permute", "transpose", "t"))
squeeze, unsqueeze, clone, detach, numel = map(function, ("squeeze", "unsqueeze", "clone", "detach", "numel"))


def is_tensor(x: Any) -> bool:
    """Is x a Tensor?"""
    return isinstance(x, Tensor)
