"""Orders: in which order the samples of a dataset are taken. A sampler is an iterable of their numbers.

    sequential    0, 1, 2, ...
    random        a permutation; or, with replacement, draws
    weighted      draws, with a probability for each sample
    batch         the numbers of another sampler, in lists

With the same seed the orders are PyTorch's. A random order that was given no generator seeds one of its own from the
program's, by a single number: so how much of an order is used does not change what the program draws afterwards.

Source: PyTorch documentation, torch.utils.data, "Data Loading Order and Sampler".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain, islice, repeat
from typing import Any, Generic, TypeVar

import numpy as np

from ... import random
from ...creation import as_tensor
from ...dtypes import float64

T = TypeVar("T", covariant=True)


def draw_seed(generator: Any = None) -> int:
    """A number from 0 to 2^63 - 1, as PyTorch draws the seeds of generators and workers."""
    out = np.empty(1, np.int64)
    (generator or random.default_generator).stream.random(out)
    return int(out[0])


def check_count(name: str, count: Any) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={count}")


class Sampler(Generic[T]):
    """The base of all samplers: write `__iter__`, and `__len__` where there is one."""

    def __init__(self, data_source: Any = None) -> None:
        pass

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """`num_samples` (by default: all) in random order; with `replacement` each is drawn from all of them.

    >>> import tinygrad_edu as tg
    >>> list(RandomSampler(range(5), generator=tg.Generator().manual_seed(0)))
    [4, 0, 1, 3, 2]
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Any = None
    ) -> None:
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        check_count("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, count, own = len(self.data_source), self.num_samples, self.generator
        generator = random.Generator().manual_seed(draw_seed()) if own is None else own
        step = 32 if self.replacement else n
        for size in chain(repeat(step, count // step), (count % step,)):  # the last is drawn even if not needed
            if self.replacement:
                yield from random.randint(n, (size,), generator=generator, device="cpu").tolist()
            else:
                yield from random.randperm(n, generator=generator, device="cpu").tolist()[:size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[Any]):
    """The given numbers in random order."""

    def __init__(self, indices: Sequence[Any], generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[Any]:
        for i in random.randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` draws from 0 ... len(weights) - 1, with probabilities in the ratio of the weights."""

    def __init__(
        self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator: Any = None
    ) -> None:
        check_count("num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights.dim() != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        drawn = random.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        return iter(drawn.tolist())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """What a sampler gives in lists of `batch_size`; the last one may be shorter, or is dropped.

    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        check_count("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(islice(numbers, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        n: int = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
