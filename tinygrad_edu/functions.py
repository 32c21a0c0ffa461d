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


add, sub, mul, div, neg = map(function, ("add", "sub", "mul", "div", "neg"))
lt, le, gt, ge, eq, ne = map(function, ("lt", "le", "gt", "ge", "eq", "ne"))
exp, log, sin, cos, tanh = map(function, ("exp", "log", "sin", "cos", "tanh"))
sqrt, square, relu, sigmoid = map(function, ("sqrt", "square", "relu", "sigmoid"))
exp2, expm1, log2, log10, log1p = map(function, ("exp2", "expm1", "log2", "log10", "log1p"))
rsqrt, reciprocal, abs, sign = map(function, ("rsqrt", "reciprocal", "abs", "sign"))
tan, asin, acos, atan, atan2 = map(function, ("tan", "asin", "acos", "atan", "atan2"))
sinh, cosh, asinh, acosh, atanh = map(function, ("sinh", "cosh", "asinh", "acosh", "atanh"))
erf, erfc, logaddexp, copysign = map(function, ("erf", "erfc", "logaddexp", "copysign"))
floor, ceil, round, trunc, frac = map(function, ("floor", "ceil", "round", "trunc", "frac"))
remainder, fmod, floor_divide = map(function, ("remainder", "fmod", "floor_divide"))
maximum, minimum, clamp, clip = map(function, ("maximum", "minimum", "clamp", "clip"))
clamp_min, clamp_max, nan_to_num = map(function, ("clamp_min", "clamp_max", "nan_to_num"))
isnan, isinf, isfinite, isclose = map(function, ("isnan", "isinf", "isfinite", "isclose"))
logical_and, logical_or = map(function, ("logical_and", "logical_or"))
logical_xor, logical_not = map(function, ("logical_xor", "logical_not"))
bitwise_and, bitwise_or = map(function, ("bitwise_and", "bitwise_or"))
bitwise_xor, bitwise_not = map(function, ("bitwise_xor", "bitwise_not"))
bitwise_left_shift, bitwise_right_shift = map(function, ("bitwise_left_shift", "bitwise_right_shift"))
lerp, addcmul, addcdiv, masked_fill = map(function, ("lerp", "addcmul", "addcdiv", "masked_fill"))
sum, mean = map(function, ("sum", "mean"))
logsumexp = function("logsumexp")
max, min, amax, amin = map(function, ("max", "min", "amax", "amin"))
argmax, argmin, any, all = map(function, ("argmax", "argmin", "any", "all"))
prod, cumsum, cumprod, count_nonzero = map(function, ("prod", "cumsum", "cumprod", "count_nonzero"))
var, std, norm = map(function, ("var", "std", "norm"))
matmul, mm = map(function, ("matmul", "mm"))
reshape, flatten, permute, transpose, t = map(function, ("reshape", "flatten", "permute", "transpose", "t"))
squeeze, unsqueeze, clone, detach, numel = map(function, ("squeeze", "unsqueeze", "clone", "detach", "numel"))
gather, scatter, scatter_add = map(function, ("gather", "scatter", "scatter_add"))
take, take_along_dim, index_put = map(function, ("take", "take_along_dim", "index_put"))
index_select, index_add, index_copy = map(function, ("index_select", "index_add", "index_copy"))
index_fill, masked_select, nonzero = map(function, ("index_fill", "masked_select", "nonzero"))
narrow, select, unbind, split, chunk = map(function, ("narrow", "select", "unbind", "split", "chunk"))
movedim, swapaxes, broadcast_to = map(function, ("movedim", "swapaxes", "broadcast_to"))
unflatten, ravel, tile, flip, roll = map(function, ("unflatten", "ravel", "tile", "flip", "roll"))
tril, triu, unique, bincount = map(function, ("tril", "triu", "unique", "bincount"))
sort, argsort, topk, kthvalue, median = map(function, ("sort", "argsort", "topk", "kthvalue", "median"))


def pow(input: Any, exponent: Any) -> Any:
    """input to the power `exponent`: tensors, or one of them a number"""
    if isinstance(exponent, Tensor) and not isinstance(input, Tensor):
        return input**exponent
    return function("pow")(input, exponent)


def is_tensor(x: Any) -> bool:
    """Is x a Tensor?"""
    return isinstance(x, Tensor)
