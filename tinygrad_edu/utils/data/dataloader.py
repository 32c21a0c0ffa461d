"""DataLoader: a dataset in batches, shuffled or not, here or in worker processes.

    sampler        numbers in some order         3, 0, 4, 1, 2
    batch_sampler  the same in lists             [3, 0], [4, 1], [2]
    dataset[i]     samples
    collate_fn     from a list of samples to a batch

For each pass the loader draws one number from its generator (the program's, unless one was given): the seed of the
workers, also where there are none. A shuffled order is drawn after it. So the program's other random numbers, and the
orders, are PyTorch's.

Batches of a TensorDataset are gathered at once, rather than taken apart into samples and stacked again.

Source: PyTorch documentation, torch.utils.data.DataLoader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any, Generic, TypeVar

from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, Subset, TensorDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed
from .workers import Workers, context_for

T = TypeVar("T", covariant=True)
FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class Endless:
    """The sampler of an iterable dataset, which has no numbers."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class Fetcher:
    """Samples by what a sampler gave, collated. StopIteration where an iterable dataset has no more."""

    def __init__(self, dataset: Any, batches: bool, collate_fn: Callable, drop_last: bool) -> None:
        self.dataset, self.batches, self.collate, self.drop_last = dataset, batches, collate_fn, drop_last
        self.samples = iter(dataset) if isinstance(dataset, IterableDataset) else None

    def __call__(self, index: Any) -> Any:
        if self.samples is not None:
            return self.collate(self.several(self.samples, index) if self.batches else next(self.samples))
        if not self.batches:
            return self.collate(self.dataset[index])
        if self.collate is default_collate:
            found: Any = self.dataset
            numbers = index
            while type(found) is Subset:
                found, numbers = found.dataset, [found.indices[i] for i in numbers]
            if type(found) is TensorDataset and all(type(i) is int for i in numbers):
                return [x[numbers] for x in found.tensors]
        several = getattr(self.dataset, "__getitems__", None)
        return self.collate(several(index) if several else [self.dataset[i] for i in index])

    def several(self, samples: Iterator[Any], index: list) -> list:
        found = [sample for _, sample in zip(index, samples, strict=False)]
        if not found or (self.drop_last and len(found) < len(index)):
            raise StopIteration
        return found


class Pass:
    """One pass over the data in this process."""

    def __init__(self, loader: DataLoader) -> None:
        self.indices = iter(loader._index_sampler)
        draw_seed(loader.generator)
        self.fetch = loader._fetcher()

    def __iter__(self) -> Pass:
        return self

    def __next__(self) -> Any:
        return self.fetch(next(self.indices))


class DataLoader(Generic[T]):
    """The batches of a dataset: iterate over it, as often as needed.

    batch_size           samples in a batch; None: samples as they are
    shuffle              a new random order in each pass
    sampler              an order of one's own
    batch_sampler        batches of one's own: lists of numbers
    num_workers          processes that fetch and collate; 0: this one
    collate_fn           from a list of samples to a batch (default_collate)
    pin_memory           accepted; there is no memory to pin on the CPU
    drop_last            without the last batch, if it is shorter
    timeout              seconds to wait for a worker; 0: any time
    worker_init_fn       called with its number in each worker
    multiprocessing_context    'fork' (usual on Linux), 'spawn', 'forkserver', or a context of multiprocessing
    generator            where the random order comes from
    prefetch_factor      batches that each worker prepares in advance (2)
    persistent_workers   keep the workers for the next pass

    ValueError for arguments that exclude each other.

    >>> list(DataLoader(range(5), batch_size=2))
    [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """

    _iterator: Workers | None = None
    _ready = False
    multiprocessing_context: Any

    def __init__(
        self,
        dataset: Dataset[T] | Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        iterable = isinstance(dataset, IterableDataset)
        batch_options = batch_size != 1 or shuffle or sampler is not None or drop_last
        for wrong, message in (
            (num_workers < 0, "num_workers option should be non-negative; use num_workers=0 to load in this process."),
            (timeout < 0, "timeout option should be non-negative"),
            (num_workers == 0 and prefetch_factor is not None, "prefetch_factor option could only be specified in "
             "multiprocessing. Let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."),
            (prefetch_factor is not None and prefetch_factor < 0, "prefetch_factor option should be non-negative"),
            (num_workers == 0 and persistent_workers, "persistent_workers option needs num_workers > 0"),
            (num_workers == 0 and multiprocessing_context is not None, "multiprocessing_context can only be used with "
             f"multi-process loading (num_workers > 0), but got num_workers={num_workers}"),
            (iterable and shuffle not in (False, None), "DataLoader with IterableDataset: expected unspecified shuffle "
             f"option, but got shuffle={shuffle}"),
            (iterable and sampler is not None, "DataLoader with IterableDataset: expected unspecified sampler option, "
             f"but got sampler={sampler}"),
            (iterable and batch_sampler is not None, "DataLoader with IterableDataset: expected unspecified "
             f"batch_sampler option, but got batch_sampler={batch_sampler}"),
            (sampler is not None and shuffle, "sampler option is mutually exclusive with shuffle"),
            (batch_sampler is not None and batch_options,
             "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"),
            (batch_size is None and drop_last,
             "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"),
        ):  # fmt: skip
            if wrong:
                raise ValueError(message)
        if sampler is None:
            numbered: Any = dataset
            ordered = RandomSampler(numbered, generator=generator) if shuffle else SequentialSampler(numbered)
            sampler = Endless() if iterable else ordered
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.pin_memory, self.pin_memory_device, self.in_order = pin_memory, pin_memory_device, in_order
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.multiprocessing_context = context_for(multiprocessing_context) if num_workers else None
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._ready and name in FIXED:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _index_sampler(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetcher(self) -> Fetcher:
        return Fetcher(self.dataset, self.batch_sampler is not None, self.collate_fn, self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0:
            return Pass(self)
        if self._iterator is not None and self._iterator.alive():
            return self._iterator.again()
        found = Workers(self, draw_seed(self.generator))
        if self.persistent_workers:
            self._iterator = found
        return found

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)
        if not isinstance(self.dataset, Sized):
            raise TypeError(f"object of type '{type(self.dataset).__name__}' has no len()")
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
