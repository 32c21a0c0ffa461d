"""Random tensors. With the same seed they are PyTorch's own numbers (tinygrad_kernels/cpu/random.py says how).

One generator serves the whole program; `manual_seed` starts it anew. A `generator=` argument takes another one. The
functions that make random tensors are here; those that fill one in place are methods (ops/random.py).

A draw without replacement from weights w is one sort: give item i the time eᵢ / wᵢ, with eᵢ exponential, and take those
that come first. (Among clocks that ring at rates w, each is the first with probability w / Σ w.)

Source: P. Efraimidis, P. Spirakis, Weighted random sampling with a reservoir, Information Processing Letters 97, 2006.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tinygrad_kernels.cpu.random_kernels import choose_by_weight

from .creation import allocated, empty, factory, finish, like
from .dtypes import FLOAT, as_dtype, float64, int64, kind_of
from .ops.conversion import says_wrong
from .ops.random import Generator, check_floating, chosen, coins, default_generator, drawn, seed_all
from .ops.shape import shape_arguments
from .tensors import Tensor


def manual_seed(seed: int) -> Generator:
    """Start the program's random numbers at `seed`, and give back their generator.

    >>> import tinygrad_edu as tg
    >>> _ = tg.manual_seed(0)
    >>> tg.rand(2)
    tensor([0.4963, 0.7682])
    """
    seed_all(int(seed))
    return default_generator


def seed() -> int:
    """Start the random numbers somewhere unpredictable; gives the seed that was used."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the random numbers started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where the random numbers are, as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continue the random numbers from what get_rng_state() returned."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **ignored: Any) -> Iterator[None]:
    """A context after which the random numbers continue from where they were before it.

    >>> _ = manual_seed(0)
    >>> with fork_rng():
    ...     first = rand(2)
    >>> bool((rand(2) == first).all())
    True
    """
    before = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if before is not None:
            set_rng_state(before)


def made(draw: str, size: tuple, generator: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    x = allocated(size, dtype, device)
    check_floating(x, draw)
    getattr(chosen(generator, x.kind.device), draw)(x.flat)
    return finish(x, requires_grad)


@factory
def rand(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return made("uniform", size, generator, dtype, device, requires_grad)


@factory
def randn(
    *size: Any, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Normal numbers, of mean 0 and standard deviation 1."""
    return made("normal", size, generator, dtype, device, requires_grad)


@factory
def randint(
    *given: Any,
    size: Any = None,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    **named: Any,
) -> Tensor:
    """Integers from low (0) up to, not including, high: randint(high, size) or randint(low, high, size)."""
    sized = isinstance(given[-1], tuple | list) if given else False
    given, size = (given[:-1], given[-1]) if sized else (given, size)
    names = ("high",) if len(given) == 1 and "high" not in named else ("low", "high")
    bounds = {"low": 0, **dict(zip(names, given, strict=False)), **named}
    if len(given) > 2 or bounds.keys() != {"low", "high"} or not isinstance(size, tuple | list):
        raise TypeError("randint() takes (high, size) or (low, high, size), with a tuple as size")
    low, high = (b.item() if isinstance(b, Tensor) else b for b in bounds.values())
    if not (hasattr(low, "__index__") and hasattr(high, "__index__")):
        raise TypeError(f"randint(): the bounds must be ints, not {low!r} and {high!r}")
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    x = empty(shape_arguments((size,)), dtype=int64 if dtype is None else as_dtype(dtype), device=device)
    return finish(drawn(x, "integers", generator, low, high), requires_grad)


@factory
def randperm(
    n: int, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers 0 to n - 1 in random order."""
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    x = empty(n, dtype=int64 if dtype is None else as_dtype(dtype), device=device)
    limit = 2**24 if x.dtype.category == FLOAT else 2 ** (8 * x.dtype.itemsize - x.dtype.is_signed)
    if n > limit:
        raise RuntimeError(f"n is too large for result tensor type: {n} for {x.dtype}")
    return finish(drawn(x, "permutation", generator), requires_grad)


def filled_like(draw: str, input: Any, *parameters: Any, generator: Any, **options: Any) -> Tensor:
    """New numbers in the shape and the order in memory of a tensor."""

    def make(shape: Any, **kwargs: Any) -> Tensor:
        requires_grad = kwargs.pop("requires_grad")
        x = empty(shape, **kwargs) if input.is_contiguous() else input
        if draw != "integers":
            check_floating(empty(0, **kwargs), draw)
        return finish(drawn(x, draw, generator, *parameters, dtype=kwargs["dtype"]), requires_grad)

    make.__name__ = {"uniform": "rand", "normal": "randn"}.get(draw, "randint")
    return like(make, input, **options)


@factory
def rand_like(
    input: Tensor, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform numbers in [0, 1), of the shape, dtype and device of a tensor."""
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return filled_like("uniform", input, generator=generator, **options)


@factory
def randn_like(
    input: Tensor, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Normal numbers of mean 0 and standard deviation 1, of the shape, dtype and device of a tensor."""
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return filled_like("normal", input, generator=generator, **options)


@factory
def randint_like(
    input: Tensor,
    *bounds: int,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    low: int = 0,
    high: int | None = None,
) -> Tensor:
    """Integers from low (0) up to, not including, high, of the shape, dtype and device of a tensor.

    randint_like(x, high) or randint_like(x, low, high).
    """
    low, high = (low, *bounds) if len(bounds) == 1 else bounds or (low, high)
    if high is None or high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    options = {"dtype": dtype, "device": device, "requires_grad": requires_grad}
    return filled_like("integers", input, low, high, generator=generator, **options)


@factory
def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None) -> Tensor:
    """1 with the probability that stands in `input` (or with probability p everywhere), else 0.

    >>> import tinygrad_edu as tg
    >>> bernoulli(tg.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"bernoulli(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    return coins(input.detach(), input if p is None else p, generator)


@factory
def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers: normal(mean, std, size) of numbers, or of tensors, one draw for each of their elements.

    >>> import tinygrad_edu as tg
    >>> normal(tg.tensor([1.0, 2.0]), 0.0)
    tensor([1., 2.])
    """
    lowest = std.min().item() if isinstance(std, Tensor) and std.numel() else std
    if not isinstance(lowest, Tensor) and lowest < 0:
        raise RuntimeError(f"normal expects all elements of std >= 0.0, but found {lowest}")
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if bool(tensors) == (size is not None):
        raise TypeError("normal() takes two numbers and a size, or a tensor and no size: normal(mean, std, size)")
    if not tensors:
        x = empty(size, dtype=dtype, device=device)
        check_floating(x, "normal_kernel_cpu")
        return finish(drawn(x, "normal", generator, mean, std), requires_grad)
    shape = (tensors[0] + tensors[-1]).shape
    x = drawn(empty(shape, dtype=tensors[0].dtype, device=tensors[0].device), "normal", generator)
    return (x * std + mean).detach()


@factory
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """Column numbers drawn by weight, from each row: (n,) or (rows, n) -> (num_samples,) or (rows, num_samples).

    Weights are floats, not negative, and need not add up to 1. RuntimeError for others, and for more samples than
    columns without `replacement`.

    >>> import tinygrad_edu as tg
    >>> multinomial(tg.tensor([0.0, 3.0]), 4, replacement=True)
    tensor([1, 1, 1, 1])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"multinomial(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
    weights = input.detach()
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if weights.dtype.category != FLOAT:
        raise RuntimeError(f"multinomial only supports floating-point dtypes for input, got: {weights.dtype}")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if says_wrong(((weights >= 0) & weights.isfinite()).logical_not().any()):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if says_wrong((weights.sum(-1) <= 0).any()):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if num_samples == 1 or not replacement:
        times = weights / drawn(weights.contiguous(), "exponential", generator)  # the later, the smaller
        return times.argmax(-1, keepdim=True) if num_samples == 1 else times.topk(num_samples).indices
    rows = weights.contiguous()
    shape = (*weights.shape[:-1], num_samples)
    u = drawn(empty(shape, dtype=float64), "uniform", generator)
    found = Tensor(kind_of(int64).empty(u.numel()), u.shape, kind_of(int64))
    choose_by_weight(rows.flat, weights.shape[-1], u.flat, num_samples, found.flat)
    return found
