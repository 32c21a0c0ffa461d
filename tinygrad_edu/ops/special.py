"""Elementwise methods that are made of others: logit, xlogy, hypot, sinc, heaviside, angles, signs.

The problem. These are formulas of two or three operations, but each has a point where the obvious formula says nan:

    xlogy(0, 0)    0 · log 0 = 0 · -inf        the entropy of an outcome that never happens: 0
    sinc(0)        0 / 0                       the limit: 1
    hypot(x, y)    √(x² + y²) overflows        at 1e30 in float32, though the result is 1.4e30

The idea. Put a harmless number where the formula would fail *before* computing, and the right value in afterwards.
Choosing afterwards only would leave the nan in the gradient, where it meets a 0: 0 · nan = nan.

They are compositions, so gradients of any order need no formula of their own. Speed is that of their parts: nobody
trains on them.

Source: PyTorch documentation, torch.special; C. Moler, D. Morrison, Replacing square roots by Pythagorean sums, 1983.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import dtypes
from ..dtypes import bool_, float64, result_dtype
from .elementwise import where
from .in_place import composed
from .plan import OPERATIONS, apply, refusal

if TYPE_CHECKING:
    from ..tensors import Tensor


def check_two_tensors(name: str, other: Any, same_dtype: Any = None) -> None:
    if not isinstance(other, Tensor):
        raise TypeError(f"{name}(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
    if same_dtype not in (None, other.dtype):
        raise RuntimeError(
            f"{name} is not implemented for two dtypes, {same_dtype} and {other.dtype}: convert with .to()"
        )


def check_floats(name: str, *operands: Any) -> None:
    dtype = result_dtype(operands)
    if not dtype.is_floating_point:
        raise refusal(name, dtype)


def xlogy(x: Any, y: Any) -> Tensor:
    """x log y, 0 where x is 0: tensors, or one of them a number."""
    nothing = (x == 0) & ((y <= 0) | (y == math.inf))
    return x * where(nothing, 1.0, y).log() if isinstance(nothing, Tensor) else x * y.log()


class SpecialMethods:
    """Elementwise methods of Tensor that are made of others."""

    __slots__ = ()

    def logit(self: Any, eps: float | None = None) -> Tensor:
        """log(x / (1 - x)), the inverse of sigmoid; x is first moved into [eps, 1 - eps] if eps is given.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([0.5, 0.0]).logit(eps=0.5)
        tensor([0., 0.])
        """
        x = self if self.is_floating_point() else self.to(dtypes.default_float)
        if eps is None:  # nan outside of [0, 1]; added, it is in the gradient too
            x = x + where((x < 0) | (x > 1), math.nan, 0.0)
        else:
            x = x.clamp(eps, 1.0 - eps)
        return x.log() - (1 - x).log()

    def xlogy(self: Any, other: Any) -> Tensor:
        """self log(other), 0 where self is 0: also log 0 times 0."""
        return xlogy(self, other)

    def hypot(self: Any, other: Tensor) -> Tensor:
        """√(self² + other²), of floats, without overflow on the way.

        >>> import tinygrad_edu as tg
        >>> tg.tensor([3e30]).hypot(tg.tensor([4e30]))
        tensor([5.0000e+30])
        """
        check_two_tensors("hypot", other)
        check_floats("hypot", self, other)
        scale = self.detach().abs().maximum(other.detach().abs())
        scale = where((scale == 0) | scale.isinf(), 1.0, scale)
        return scale * ((self / scale).square() + (other / scale).square()).sqrt()

    def float_power(self: Any, exponent: Any) -> Tensor:
        """self to the power `exponent`, computed in float64."""
        return self.to(float64).pow(exponent.to(float64) if isinstance(exponent, Tensor) else float(exponent))

    def ldexp(self: Any, other: Tensor) -> Tensor:
        """self · 2 to the power `other`."""
        check_two_tensors("ldexp", other)
        return self * 2.0**other

    def logaddexp2(self: Any, other: Tensor) -> Tensor:
        """log₂(2^self + 2^other) without overflow."""
        check_two_tensors("logaddexp2", other)
        return (self * math.log(2)).logaddexp(other * math.log(2)) / math.log(2)

    def heaviside(self: Any, values: Tensor) -> Tensor:
        """0 below 0, 1 above, and `values` at 0."""
        check_two_tensors("heaviside", values, self.dtype)
        return where(self == 0, values, (self > 0).to(self.dtype)).detach()

    def fmax(self: Any, other: Tensor) -> Tensor:
        """The larger one; a number where the other is nan."""
        check_two_tensors("fmax", other)
        return where((self >= other) | other.isnan(), self, other)

    def fmin(self: Any, other: Tensor) -> Tensor:
        """The smaller one; a number where the other is nan."""
        check_two_tensors("fmin", other)
        return where((self <= other) | other.isnan(), self, other)

    def sinc(self: Any) -> Tensor:
        """sin(πx) / (πx), 1 at 0."""
        zero, x = self == 0, self * math.pi
        x = where(zero, 1.0, x)
        return where(zero, 1.0, x.sin() / x)

    def deg2rad(self: Any) -> Tensor:
        """An angle in degrees as radians: π / 180 times."""
        return self * (math.pi / 180)

    def rad2deg(self: Any) -> Tensor:
        """An angle in radians as degrees: 180 / π times."""
        return self * (180 / math.pi)

    def signbit(self: Any) -> Tensor:
        """Is it negative, or -0.0?"""
        return apply(OPERATIONS["copysign"], 1.0, self.detach()) < 0 if self.is_floating_point() else self < 0

    def isposinf(self: Any) -> Tensor:
        """Is it +inf?"""
        return self == math.inf

    def isneginf(self: Any) -> Tensor:
        """Is it -inf?"""
        return self == -math.inf

    def isreal(self: Any) -> Tensor:
        """True, everywhere: there are no complex tensors here."""
        return self.new_ones(self.shape, dtype=bool_)

    def equal(self: Any, other: Tensor) -> bool:
        """Do both have the same shape and the same elements? nan equals nothing.

        >>> import tinygrad_edu as tg
        >>> tg.ones(2).equal(tg.ones(2)), tg.ones(2).equal(tg.ones(2, 1))
        (True, False)
        """
        check_two_tensors("equal", other)
        return self.shape == other.shape and bool((self == other).all())

    def allclose(self: Any, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
        """Is |self - other| <= atol + rtol |other| everywhere? (`isclose` says where.)"""
        return bool(self.isclose(other, rtol, atol, equal_nan).all())

    logit_, xlogy_, hypot_, float_power_ = map(composed, ("logit", "xlogy", "hypot", "float_power"))
    ldexp_, heaviside_, sinc_ = map(composed, ("ldexp", "heaviside", "sinc"))
    deg2rad_, rad2deg_ = map(composed, ("deg2rad", "rad2deg"))
