"""The functional forms: `tg.exp(x)` is `x.exp()`.

The problem. PyTorch has most operations twice, as a method and as a function of the module, and two definitions of one
thing drift apart.

The idea. The method is the definition. A function is made from it by its name, with its docstring; all it adds is an
error that says what is wrong where the operand is no tensor.

    >>> import tinygrad_edu as tg
    >>> tg.add(tg.tensor([1, 2]), 10)
    tensor([11, 12])
    >>> tg.exp(1.0)
    Traceback (most recent call last):
    TypeError: exp(): argument 'input' (position 1) must be Tensor, not float; make one with tensor(...)

Everything here without a leading underscore is public: face.py takes it over as a whole.

Source: PyTorch documentation, torch, "Math operations".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tensors import Tensor

if TYPE_CHECKING:  # no names for users
    from collections.abc import Callable
    from typing import Any


def _function(name: str) -> Callable[..., Any]:
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


add, sub, mul, div, neg = map(_function, ("add", "sub", "mul", "div", "neg"))
lt, le, gt, ge, eq, ne = map(_function, ("lt", "le", "gt", "ge", "eq", "ne"))
exp, log, sin, cos, tanh = map(_function, ("exp", "log", "sin", "cos", "tanh"))
sqrt, square, relu, sigmoid = map(_function, ("sqrt", "square", "relu", "sigmoid"))
exp2, expm1, log2, log10, log1p = map(_function, ("exp2", "expm1", "log2", "log10", "log1p"))
rsqrt, reciprocal, abs, sign = map(_function, ("rsqrt", "reciprocal", "abs", "sign"))
tan, asin, acos, atan, atan2 = map(_function, ("tan", "asin", "acos", "atan", "atan2"))
sinh, cosh, asinh, acosh, atanh = map(_function, ("sinh", "cosh", "asinh", "acosh", "atanh"))
erf, erfc, logaddexp, copysign = map(_function, ("erf", "erfc", "logaddexp", "copysign"))
floor, ceil, round, trunc, frac = map(_function, ("floor", "ceil", "round", "trunc", "frac"))
remainder, fmod, floor_divide = map(_function, ("remainder", "fmod", "floor_divide"))
maximum, minimum, clamp, clip = map(_function, ("maximum", "minimum", "clamp", "clip"))
clamp_min, clamp_max, nan_to_num = map(_function, ("clamp_min", "clamp_max", "nan_to_num"))
isnan, isinf, isfinite, isclose = map(_function, ("isnan", "isinf", "isfinite", "isclose"))
logical_and, logical_or = map(_function, ("logical_and", "logical_or"))
logical_xor, logical_not = map(_function, ("logical_xor", "logical_not"))
bitwise_and, bitwise_or = map(_function, ("bitwise_and", "bitwise_or"))
bitwise_xor, bitwise_not = map(_function, ("bitwise_xor", "bitwise_not"))
bitwise_left_shift, bitwise_right_shift = map(_function, ("bitwise_left_shift", "bitwise_right_shift"))
lerp, addcmul, addcdiv, masked_fill = map(_function, ("lerp", "addcmul", "addcdiv", "masked_fill"))
sum, mean = map(_function, ("sum", "mean"))
logsumexp = _function("logsumexp")
max, min, amax, amin = map(_function, ("max", "min", "amax", "amin"))
argmax, argmin, any, all = map(_function, ("argmax", "argmin", "any", "all"))
prod, cumsum, cumprod, count_nonzero = map(_function, ("prod", "cumsum", "cumprod", "count_nonzero"))
var, std, norm = map(_function, ("var", "std", "norm"))
matmul, mm = map(_function, ("matmul", "mm"))
reshape, flatten, permute, transpose, t = map(_function, ("reshape", "flatten", "permute", "transpose", "t"))
squeeze, unsqueeze, clone, detach, numel = map(_function, ("squeeze", "unsqueeze", "clone", "detach", "numel"))
gather, scatter, scatter_add = map(_function, ("gather", "scatter", "scatter_add"))
take, take_along_dim, index_put = map(_function, ("take", "take_along_dim", "index_put"))
index_select, index_add, index_copy = map(_function, ("index_select", "index_add", "index_copy"))
index_fill, masked_select, nonzero = map(_function, ("index_fill", "masked_select", "nonzero"))
narrow, select, unbind, split, chunk = map(_function, ("narrow", "select", "unbind", "split", "chunk"))
movedim, swapaxes, broadcast_to = map(_function, ("movedim", "swapaxes", "broadcast_to"))
unflatten, ravel, tile, flip, roll = map(_function, ("unflatten", "ravel", "tile", "flip", "roll"))
tril, triu, unique, bincount = map(_function, ("tril", "triu", "unique", "bincount"))
sort, argsort, topk, kthvalue, median = map(_function, ("sort", "argsort", "topk", "kthvalue", "median"))

_power = _function("pow")


def pow(input: Any, exponent: Any) -> Any:
    """input to the power `exponent`: tensors, or one of them a number"""
    if isinstance(exponent, Tensor) and not isinstance(input, Tensor):
        return input**exponent
    return _power(input, exponent)


def is_tensor(x: Any) -> bool:
    """Is x a Tensor?"""
    return isinstance(x, Tensor)
