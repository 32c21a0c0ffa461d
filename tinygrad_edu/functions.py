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

from .creation import tensor as _tensor
from .dtypes import NUMBERS as _NUMBERS
from .dtypes import float64 as _float64
from .hints import not_a_tensor as _not_a_tensor
from .ops.elementary import ALIASES as _ALIASES
from .ops.elementary import rounded_division as _division
from .ops.in_place import store as _store
from .ops.plan import OPERATIONS as _OPERATIONS
from .ops.plan import apply as _apply
from .ops.special import xlogy as _xlogy
from .tensors import Tensor

if TYPE_CHECKING:  # no names for users
    from collections.abc import Callable
    from typing import Any


# what f(number, tensor) is, for the functions whose first operand may be a number
_NUMBER_FIRST: dict[str, Callable[..., Any]] = {
    "add": lambda x, y, alpha=1: y.mul(alpha).add(x),
    "sub": lambda x, y, alpha=1: x - y.mul(alpha),
    "mul": lambda x, y: y.mul(x),
    "div": lambda x, y, rounding_mode=None: _apply(_OPERATIONS[_division(x, y, rounding_mode)], x, y),
    "floor_divide": lambda x, y: x // y,
    "remainder": lambda x, y: x % y,
    "pow": lambda x, y: x**y,
    "float_power": lambda x, y: _tensor(x, dtype=_float64).float_power(y),
    "xlogy": _xlogy,
    **{f"bitwise_{name}": lambda x, y, name=name: _apply(_OPERATIONS[f"bitwise_{name}"], x, y)
       for name in ("and", "or", "xor", "left_shift", "right_shift")},
}  # fmt: skip
_NUMBERS_ONLY = ("add", "sub", "mul", "div", "floor_divide")  # and those that take two of them: a 0-d tensor
_WITHOUT_OUT = set(
    "relu isnan isinf isfinite isclose masked_fill reshape flatten permute transpose t squeeze unsqueeze clone detach "
    "numel index_put index_fill narrow select unbind chunk movedim swapaxes broadcast_to unflatten ravel tile "
    "flip roll unique bincount equal allclose is_floating_point is_complex is_nonzero is_same_size is_signed".split()
)


def _function(name: str) -> Callable[..., Any]:
    """The method of that name as a function of its tensor. TypeError for anything but a tensor."""
    method, number_first = getattr(Tensor, name), _NUMBER_FIRST.get(name)

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(input, Tensor) and (not kwargs or "out" not in kwargs or name in _WITHOUT_OUT):
            return method(input, *args, **kwargs)
        out = kwargs.pop("out", None)
        if isinstance(input, Tensor):
            result = method(input, *args, **kwargs)
        else:
            other = kwargs.get("exponent" if name in ("pow", "float_power") else "other", args[0] if args else None)
            number = type(input) in _NUMBERS
            if number_first and number and isinstance(other, Tensor):
                rest = {k: v for k, v in kwargs.items() if v is not other}
                result = number_first(input, other, *args[1:], **rest)
            elif number and name in _NUMBERS_ONLY and type(other) in _NUMBERS:
                result = method(_tensor(input), *args, **kwargs)
            else:
                raise _not_a_tensor(name, "input", 1, input)
        return result if out is None else _stored(out, result)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = method.__doc__
    return call


def _stored(out: Any, result: Any) -> Any:
    """A result, or each of several, in the memory of `out`."""
    return _store(out, result) if isinstance(result, Tensor) else type(result)(*map(_store, out, result))


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
logsumexp, softmax, log_softmax = map(_function, ("logsumexp", "softmax", "log_softmax"))
max, min, amax, amin = map(_function, ("max", "min", "amax", "amin"))
argmax, argmin, any, all = map(_function, ("argmax", "argmin", "any", "all"))
prod, cumsum, cumprod, count_nonzero = map(_function, ("prod", "cumsum", "cumprod", "count_nonzero"))
var, std, norm = map(_function, ("var", "std", "norm"))
matmul, mm, bmm, mv, dot, vdot = map(_function, ("matmul", "mm", "bmm", "mv", "dot", "vdot"))
outer, ger, inner, kron, cross = map(_function, ("outer", "ger", "inner", "kron", "cross"))
addmm, addmv, addr, addbmm, baddbmm = map(_function, ("addmm", "addmv", "addr", "addbmm", "baddbmm"))
diag, diagonal, diag_embed, diagflat, trace = map(_function, ("diag", "diagonal", "diag_embed", "diagflat", "trace"))
inverse, det, logdet, slogdet, cholesky = map(_function, ("inverse", "det", "logdet", "slogdet", "cholesky"))
cholesky_solve = _function("cholesky_solve")
matrix_power, qr, svd, pinverse = map(_function, ("matrix_power", "qr", "svd", "pinverse"))
reshape, flatten, permute, transpose, t = map(_function, ("reshape", "flatten", "permute", "transpose", "t"))
squeeze, unsqueeze, clone, detach, numel = map(_function, ("squeeze", "unsqueeze", "clone", "detach", "numel"))
gather, scatter, scatter_add = map(_function, ("gather", "scatter", "scatter_add"))
take, take_along_dim, index_put = map(_function, ("take", "take_along_dim", "index_put"))
index_select, index_add, index_copy = map(_function, ("index_select", "index_add", "index_copy"))
index_fill, masked_select, nonzero = map(_function, ("index_fill", "masked_select", "nonzero"))
narrow, select, unbind, chunk = map(_function, ("narrow", "select", "unbind", "chunk"))
movedim, swapaxes, broadcast_to = map(_function, ("movedim", "swapaxes", "broadcast_to"))
unflatten, ravel, tile, flip, roll = map(_function, ("unflatten", "ravel", "tile", "flip", "roll"))
moveaxis, swapdims, tensor_split, hsplit = map(_function, ("moveaxis", "swapdims", "tensor_split", "hsplit"))
vsplit, dsplit, split_with_sizes = map(_function, ("vsplit", "dsplit", "split_with_sizes"))
repeat_interleave, fliplr, flipud, rot90 = map(_function, ("repeat_interleave", "fliplr", "flipud", "rot90"))
is_same_size, detach_, argwhere = map(_function, ("is_same_size", "detach_", "argwhere"))
scatter_reduce, put, masked_scatter = map(_function, ("scatter_reduce", "put", "masked_scatter"))
select_scatter, slice_scatter, diagonal_scatter = map(
    _function, ("select_scatter", "slice_scatter", "diagonal_scatter")
)
tril, triu, unique, bincount = map(_function, ("tril", "triu", "unique", "bincount"))
quantile, nanquantile, mode, nanmedian = map(_function, ("quantile", "nanquantile", "mode", "nanmedian"))
msort, histc, unique_consecutive, aminmax = map(_function, ("msort", "histc", "unique_consecutive", "aminmax"))
cummax, cummin, logcumsumexp, diff = map(_function, ("cummax", "cummin", "logcumsumexp", "diff"))
nansum, nanmean, cov, corrcoef = map(_function, ("nansum", "nanmean", "cov", "corrcoef"))
dist, renorm = map(_function, ("dist", "renorm"))
sort, argsort, topk, kthvalue, median = map(_function, ("sort", "argsort", "topk", "kthvalue", "median"))

logit, xlogy, hypot, sinc, heaviside = map(_function, ("logit", "xlogy", "hypot", "sinc", "heaviside"))
pow, float_power, ldexp, logaddexp2 = map(_function, ("pow", "float_power", "ldexp", "logaddexp2"))
fmax, fmin, deg2rad, rad2deg, signbit = map(_function, ("fmax", "fmin", "deg2rad", "rad2deg", "signbit"))
isposinf, isneginf, isreal, positive = map(_function, ("isposinf", "isneginf", "isreal", "positive"))
equal, allclose, is_nonzero, is_same_size = map(_function, ("equal", "allclose", "is_nonzero", "is_same_size"))
is_floating_point, is_complex, is_signed = map(_function, ("is_floating_point", "is_complex", "is_signed"))
globals().update({alias: globals()[name] for alias, name in _ALIASES.items()})
# PyTorch has these in-place methods as functions too
_IN_PLACE = """abs_ acos_ acosh_ addmv_ asin_ asinh_ atan_ atanh_ ceil_ clamp_ clamp_max_ clamp_min_ clip_ cos_ cosh_
deg2rad_
erf_ erfc_ exp_ exp2_ expm1_ fill_ fix_ floor_ frac_ index_put_ ldexp_ log_ log10_ log1p_ log2_ logit_ nan_to_num_ neg_
negative_ rad2deg_ reciprocal_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_"""
globals().update({name: _function(name) for name in _IN_PLACE.split()})


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Views of parts along an axis: of a size, or of the sizes in a list. As a method, its keyword is split_size."""
    return Tensor.split(tensor, split_size_or_sections, dim)


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """other - alpha * input"""
    return sub(other, input, alpha=alpha)


def is_tensor(x: Any) -> bool:
    """Is x a Tensor?"""
    return isinstance(x, Tensor)
