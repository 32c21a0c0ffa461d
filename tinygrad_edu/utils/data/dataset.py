"""Sets of samples.

    map-style    has samples by number: `dataset[i]`, `len(dataset)`
    iterable     only gives one after another: `for sample in dataset`

A training set is cut into parts without copying anything: a `Subset` is a list of numbers.

Source: PyTorch documentation, torch.utils.data, "Dataset Types".
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from ...random import randperm
from ...tensors import Tensor

T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """The base of all sets with samples by number: write `__getitem__`, and `__len__`."""

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T], ABC):
    """The base of all sets that only give one sample after another: write `__iter__`.

    With several workers each of them iterates; `get_worker_info()` tells it which one it is.
    """

    @abstractmethod
    def __iter__(self) -> Iterator[T]: ...

    def __add__(self, other: Dataset) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors with the same first axis, whose i-th entries together are the i-th sample.

    >>> import tinygrad_edu as tg
    >>> TensorDataset(tg.tensor([1.0, 2.0]), tg.tensor([10, 20]))[1]
    (tensor(2.), tensor(20))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if any(x.size(0) != tensors[0].size(0) for x in tensors):
            raise AssertionError("Size mismatch between tensors: their first axes must be equal")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(x[index] for x in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class Subset(Dataset[T]):
    """Some samples of a dataset, by number."""

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T]:
        """Several samples at once."""
        chosen = [self.indices[i] for i in indices]
        several = getattr(self.dataset, "__getitems__", None)
        return several(chosen) if several else [self.dataset[i] for i in chosen]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T]):
    """Datasets one after another, as one.

    >>> ConcatDataset([range(3), range(10, 12)])[3]
    10
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset: use ChainDataset")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < 0 and index < 0:
            raise ValueError("absolute value of index should not exceed dataset length")
        place = index + len(self) if index < 0 else index
        k = bisect_right(self.cumulative_sizes, place)
        return self.datasets[k][place - (self.cumulative_sizes[k - 1] if k else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """Iterable datasets one after another, as one."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        super().__init__()
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for d in self.datasets:
            if not isinstance(d, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield from d

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)


def random_split(dataset: Any, lengths: Sequence[float], generator: Any = None) -> list[Subset]:
    """Cut a dataset into parts at random: of the given lengths, or of fractions that add up to 1.

    Fractions are rounded down, and what is left goes to the first parts, one sample each. With the same seed the parts
    are PyTorch's. ValueError where the lengths do not add up.

    >>> import tinygrad_edu as tg
    >>> [part.indices for part in random_split(range(5), [0.7, 0.3], tg.Generator().manual_seed(0))]
    [[4, 0, 1, 3], [2]]
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
        counts = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(counts)):
            counts[i % len(counts)] += 1
        for i, count in enumerate(counts):
            if count == 0:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2
                )
        lengths = counts
    if sum(lengths) != total:
        raise ValueError(
            f"Sum of input lengths does not equal the length of the input dataset! {sum(lengths)} is not {total}"
        )
    order: Any = randperm(total, generator=generator, device="cpu").tolist()
    ends = list(accumulate(int(n) for n in lengths))
    return [Subset(dataset, order[end - int(n) : end]) for end, n in zip(ends, lengths, strict=True)]
