"""What every generator of random numbers refuses, whatever the device. All errors are PyTorch's."""

from __future__ import annotations

import numpy as np

FRESH_SEED = 67280421310721  # the seed of PyTorch's generators that were given none
GREATEST = {np.dtype(t): float(np.finfo(t).max) for t in (np.float32, np.float64)}


def checked_seed(seed: int) -> int:
    """The seed as a number of 64 bits. ValueError if it does not fit, RuntimeError for a float."""
    if isinstance(seed, float):
        raise RuntimeError(f"manual_seed expected a long, but got float ({seed}): use manual_seed({int(seed)})")
    seed = int(seed)
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"seed {seed} is outside -2**63 ... 2**64 - 1: Overflow when unpacking long long")
    return seed % 2**64


def check_float(dtype: np.dtype, name: str) -> None:
    """TypeError for a buffer that cannot hold fractions."""
    if dtype not in GREATEST:
        raise TypeError(f"{name} fills float32 or float64 arrays, got {dtype}")


def check_uniform(dtype: np.dtype, low: float, high: float) -> None:
    """RuntimeError if low > high, or if their distance overflows."""
    check_float(dtype, "uniform_")
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}")
    if not high - low <= GREATEST[dtype]:
        raise RuntimeError(f"uniform_ expects to - from <= {GREATEST[dtype]}, but found from={low}, to={high}")


def check_normal(dtype: np.dtype, std: float) -> None:
    """RuntimeError for a negative standard deviation."""
    check_float(dtype, "normal_")
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")


def check_integers(dtype: np.dtype, low: int, high: int) -> None:
    """RuntimeError for an empty range, or one that the dtype cannot hold."""
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    for name, value in (("from", low), ("to - 1", high - 1)):
        if dtype.kind in "iub" and not least(dtype) <= value <= greatest(dtype):
            raise RuntimeError(f"{name} is out of bounds for {dtype}: {value}")


def check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")


def least(dtype: np.dtype) -> int:
    """The least whole number of a dtype."""
    return 0 if dtype == np.bool_ else int(np.iinfo(dtype).min)


def greatest(dtype: np.dtype) -> int:
    """The greatest one; for floats that up to which every whole number is exact."""
    if dtype == np.bool_:
        return 1
    if dtype.kind == "f":
        return int(2 ** (np.finfo(dtype).nmant + 1))
    return int(np.iinfo(dtype).max)
