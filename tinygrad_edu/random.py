"""Random tensors. With the same seed they are PyTorch's own numbers (tinygrad_kernels/cpu/random.py says how).

One generator serves the whole program; `manual_seed` starts it anew. A `generator=` argument takes another one.
"""

from __future__ import annotations

from typing import Any

from tinygrad_kernels.cpu.random import Generator

from .creation import empty, finish
from .dtypes import as_dtype, int64
from .ops.shape import shape_arguments
from .tensors import Tensor

default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Start the program's random numbers at `seed`, and give back their generator.

    >>> import tinygrad_edu as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.rand(2)
    tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the random numbers somewhere unpredictable; gives the seed that was used."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the random numbers started from."""
    return default_generator.initial_seed()


def rand(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    x = empty(*size, dtype=dtype, device=device)
    (generator or default_generator).uniform(x.flat)
    return finish(x, requires_grad)


def randn(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Normal numbers, of mean 0 and standard deviation 1."""
    x = empty(*size, dtype=dtype, device=device)
    (generator or default_generator).normal(x.flat)
    return finish(x, requires_grad)


def randint(*arguments: Any, generator: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """Integers from low (0) up to, not including, high: randint(high, size) or randint(low, high, size)."""
    if len(arguments) not in (2, 3):
        raise TypeError(f"randint() takes (high, size) or (low, high, size), got {len(arguments)} arguments")
    low, high, size = (0, *arguments) if len(arguments) == 2 else arguments
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    x = empty(shape_arguments((size,)), dtype=int64 if dtype is None else as_dtype(dtype), device=device)
    (generator or default_generator).integers(x.flat, low, high)
    return x


def randperm(n: int, *, generator: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    x = empty(n, dtype=int64 if dtype is None else as_dtype(dtype), device=device)
    (generator or default_generator).permutation(x.flat)
    return x
