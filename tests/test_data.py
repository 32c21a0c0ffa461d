"""Datasets, orders, batches and workers: with the same seed they are PyTorch's, number by number."""

import collections
import gc
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from oracle import refuse

import tinygrad_edu as tg
from tinygrad_edu.utils import data

Point = collections.namedtuple("Point", "x y")


class Numbers:
    """i, i squared as a float, and a name: what a program's own dataset gives."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return i, float(i * i), f"sample {i}"


def plain(x):
    """Without tensors, so that two libraries' results can be compared."""
    if hasattr(x, "tolist"):
        return (str(x.dtype).split(".")[-1], x.tolist())
    if isinstance(x, dict):
        return type(x).__name__, {key: plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return type(x).__name__, [plain(value) for value in x]
    return x


def epochs(m, dataset, count=3, **options):
    """All batches of some passes, and the numbers that the program draws between and after."""
    m.manual_seed(3)
    loader = m.utils.data.DataLoader(dataset(m), **options(m) if callable(options) else options)
    found = []
    for _ in range(count):
        found.append(([plain(batch) for batch in loader], m.rand(1).item()))
    return found


def tensors(m):
    return m.utils.data.TensorDataset(m.arange(22).reshape(11, 2), m.arange(11).float())


ORDERS = [
    {},
    {"batch_size": 4},
    {"batch_size": 4, "drop_last": True},
    {"batch_size": 4, "shuffle": True},
    {"batch_size": 11, "shuffle": True, "drop_last": True},
    {"batch_size": None},
    {"batch_size": None, "shuffle": True},
    {"batch_size": 4, "sampler": [3, 1, 1, 0, 10]},
    {"batch_sampler": [[1, 2], [], [5]][::2]},
    {"batch_size": 3, "collate_fn": list},
]


@pytest.mark.parametrize("options", ORDERS, ids=str)
@pytest.mark.parametrize("workers", [{}, {"num_workers": 2}], ids=["here", "workers"])
@pytest.mark.filterwarnings("ignore")
def test_batches_and_draws_are_pytorchs(options, workers, torch):
    for dataset in (lambda m: Numbers(11), tensors):
        assert epochs(tg, dataset, **options, **workers) == epochs(torch, dataset, **options, **workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_given_generator_is_used_as_in_pytorch(workers, torch):
    def run(m):
        generator = m.Generator().manual_seed(7)
        loader = m.utils.data.DataLoader(Numbers(7), 2, shuffle=True, generator=generator, num_workers=workers)
        passes = [[plain(b) for b in loader] for _ in range(3)]
        return passes, m.randperm(5, generator=generator).tolist()

    assert run(tg) == run(torch)


@pytest.mark.parametrize(
    "order",
    [
        lambda m, d: d.SequentialSampler(range(5)),
        lambda m, d: d.RandomSampler(range(9)),
        lambda m, d: d.RandomSampler(range(9), num_samples=20),
        lambda m, d: d.RandomSampler(range(9), num_samples=4),
        lambda m, d: d.RandomSampler(range(9), replacement=True, num_samples=70),
        lambda m, d: d.RandomSampler(range(9), True, generator=m.Generator().manual_seed(1)),
        lambda m, d: d.SubsetRandomSampler([5, 7, 2, 9]),
        lambda m, d: d.WeightedRandomSampler([0.0, 1.0, 0.0, 3.0], 9),
        lambda m, d: d.BatchSampler(d.RandomSampler(range(7)), 3, False),
        lambda m, d: d.BatchSampler(range(7), 3, True),
    ],
)
def test_samplers_give_pytorchs_orders(order, torch):
    def run(m):
        m.manual_seed(5)
        sampler = order(m, m.utils.data)
        return len(sampler), list(sampler), list(sampler), m.rand(1).item()

    assert run(tg) == run(torch)


@pytest.mark.filterwarnings("ignore:Length of split")
@pytest.mark.parametrize("lengths", [[7, 3], [0.7, 0.3], [0.35, 0.35, 0.3], [0.05, 0.95], [10], [0, 10]])
def test_random_split_gives_pytorchs_parts(lengths, torch):
    def run(m):
        m.manual_seed(5)
        parts = m.utils.data.random_split(range(10), lengths)
        parts += m.utils.data.random_split(range(10), lengths, m.Generator().manual_seed(2))
        return [part.indices for part in parts], [list(part) for part in parts]

    assert run(tg) == run(torch)


def test_a_split_of_nothing_warns():
    with pytest.warns(UserWarning, match="split at index 1 is 0"):
        data.random_split(range(3), [1.0, 0.0])


BATCHES = {
    "tensors": lambda m: [m.ones(2), m.zeros(2)],
    "arrays": lambda m: [np.ones((2, 2), np.float32), np.zeros((2, 2), np.float32)],
    "scalars of NumPy": lambda m: [np.float32(1.0), np.float32(2.0)],
    "float64 of NumPy": lambda m: [np.float64(1.0), np.float64(2.0)],
    "integers of NumPy": lambda m: [np.int32(1), np.int32(2)],
    "floats": lambda m: [1.0, 2.5],
    "ints": lambda m: [1, 2],
    "bools": lambda m: [True, False],
    "text": lambda m: ["a", "b"],
    "bytes": lambda m: [b"a", b"b"],
    "tuples": lambda m: [(1, "a", 2.0), (3, "b", 4.0)],
    "lists": lambda m: [[1, 2], [3, 4]],
    "dicts": lambda m: [{"x": 1, "y": [m.ones(1)]}, {"y": [m.zeros(1)], "x": 2}],
    "ordered dicts": lambda m: [collections.OrderedDict(x=1), collections.OrderedDict(x=2)],
    "named tuples": lambda m: [Point(1, 2.0), Point(3, 4.0)],
    "nested": lambda m: [{"a": (1, [2.0, "x"])}, {"a": (3, [4.0, "y"])}],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_collating_and_converting_do_what_pytorch_does(batch, torch):
    for name in ("default_collate", "default_convert"):
        found, expected = (getattr(m.utils.data, name)(batch(m)) for m in (tg, torch))
        assert plain(found) == plain(expected)


def test_what_is_gathered_at_once_is_what_is_stacked():
    """Batches of a TensorDataset, and of subsets of subsets of it, with gradients."""
    x = tg.arange(12.0).reshape(6, 2).requires_grad_()
    whole = data.TensorDataset(x)
    part = data.Subset(data.Subset(whole, [5, 3, 1, 0]), [0, 0, 2])
    ((batch,),) = data.DataLoader(part, 3)
    assert batch.tolist() == [[10.0, 11.0], [10.0, 11.0], [2.0, 3.0]]
    batch.sum().backward()
    assert x.grad[5].tolist() == [2.0, 2.0]
    (slow,) = data.DataLoader(part, 3, collate_fn=lambda samples: data.default_collate(samples)[0])
    assert slow.tolist() == batch.tolist()


def test_datasets():
    both = data.ConcatDataset([range(3), range(10, 12)])
    assert len(both) == 5 and [both[i] for i in (0, 2, 3, 4, -1, -5)] == [0, 2, 10, 11, 11, 0]
    joined = tensors(tg) + tensors(tg)
    assert len(joined) == 22 and joined[21][1].item() == 10.0
    assert list(Counting(2) + Counting(3)) == [0, 1, 0, 1, 2]
    assert len(tensors(tg)) == 11 and tensors(tg)[2:4][0].tolist() == [[4, 5], [6, 7]]
    assert data.Dataset[int] is not None


class Counting(data.IterableDataset):
    """0 ... n - 1; with several workers each gives its share."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(self.n) if info is None else range(info.id, self.n, info.num_workers))


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"batch_size": 3}, [[0, 1, 2], [3, 4, 5], [6]]),
        ({"batch_size": 3, "drop_last": True}, [[0, 1, 2], [3, 4, 5]]),
        ({"batch_size": None}, [0, 1, 2, 3, 4, 5, 6]),
        ({"batch_size": 3, "num_workers": 2}, [[0, 2, 4], [1, 3, 5], [6]]),
        ({"batch_size": 1, "num_workers": 2, "persistent_workers": True}, [[0], [1], [2], [3], [4], [5], [6]]),
        ({"batch_size": None, "num_workers": 3, "prefetch_factor": 1}, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_iterable_datasets(options, expected):
    loader = data.DataLoader(Counting(7), **options)
    for _ in range(2):
        assert [b if type(b) is int else b.tolist() for b in loader] == expected


# Workers.


class Recording:
    """Numbers at random, and where they were made."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        info = data.get_worker_info()
        return i, info.id, info.seed, os.getpid(), tg.rand(1).item(), random.random(), float(np.random.rand())


def test_workers_have_numbers_seeds_and_random_numbers_of_their_own(torch):
    tg.manual_seed(0)
    batches = [[float(x) for x in batch] for batch in data.DataLoader(Recording(), num_workers=2)]
    assert [b[1] for b in batches] == [0, 1] * 3
    assert len({b[3] for b in batches}) == 2 and os.getpid() not in {b[3] for b in batches}
    assert batches[1][2] == batches[0][2] + 1 or abs(batches[1][2] - batches[0][2]) < 2048  # as float64
    torch.manual_seed(0)
    seed = int(torch.empty((), dtype=torch.int64).random_())
    for number in range(2):
        torch.manual_seed(seed + number), random.seed(seed + number)
        np.random.seed(torch.utils.data._utils.worker._generate_state(seed, number))
        for batch in batches[number::2]:
            assert batch[4:] == [torch.rand(1).item(), random.random(), np.random.rand()]


def test_each_worker_is_initialised_with_its_own_copy_of_the_dataset():
    def initialise(number):
        data.get_worker_info().dataset.n = 2 + number

    dataset = Counting(0)
    loader = data.DataLoader(dataset, batch_size=None, num_workers=2, worker_init_fn=initialise)
    assert list(loader) == [0, 1] and dataset.n == 0


def test_workers_run_after_threads_were_started():
    """Trap: fork() after OpenMP started. A large sum uses every core here, then one in the worker."""
    x = tg.ones(300_000)
    assert x.sum().item() == 300_000.0
    loader = data.DataLoader([0, 1, 2], num_workers=2, collate_fn=lambda samples: (x * 2.0).sum().item())
    assert list(loader) == [600_000.0] * 3


class Failing(Numbers):
    def __getitem__(self, i):
        if i == 3:
            raise KeyError("three")
        return i


def test_an_exception_in_a_worker_comes_back_with_its_traceback():
    found = []
    with pytest.raises(KeyError, match="Caught KeyError in DataLoader worker process 1.*in __getitem__"):
        for batch in data.DataLoader(Failing(6), num_workers=2):
            found.append(batch.item())
    assert found == [0, 1, 2]


def test_what_cannot_be_sent_is_an_error():
    loader = data.DataLoader([0], num_workers=1, collate_fn=lambda samples: lambda: None)
    with pytest.raises(Exception, match="(?s)in DataLoader worker process 0.*pickle"):
        list(loader)


def test_a_worker_that_dies_is_an_error():
    loader = data.DataLoader([0, 1], num_workers=1, collate_fn=lambda samples: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(RuntimeError, match="exited unexpectedly, with exit code -9"):
        list(loader)


def test_a_slow_worker_times_out():
    loader = data.DataLoader([0], num_workers=1, timeout=0.2, collate_fn=lambda samples: time.sleep(1.0))
    with pytest.raises(RuntimeError, match="timed out after 0.2 seconds"):
        list(loader)


def test_no_worker_is_left():
    """After the last batch, a break, an error, an iterator that was never used, and workers that were kept."""
    gc.collect()
    before = set(multiprocessing.active_children())
    big = data.DataLoader([tg.ones(50_000)] * 20, num_workers=2, prefetch_factor=4)  # more than a pipe holds
    assert len(list(big)) == 20
    for _ in big:
        break
    iter(big)
    kept = data.DataLoader(Numbers(4), num_workers=2, persistent_workers=True)
    list(kept)
    for _ in kept:
        break
    assert [b[0].item() for b in kept] == [0, 1, 2, 3]
    del kept
    with pytest.raises(KeyError):
        list(data.DataLoader(Failing(6), num_workers=2))
    gc.collect()
    assert set(multiprocessing.active_children()) == before


SCRIPT = """
import tinygrad_edu as tg
from tinygrad_edu.utils.data import DataLoader, TensorDataset

if __name__ == "__main__":
    loader = DataLoader(TensorDataset(tg.arange(5)), 2, num_workers=2, multiprocessing_context="spawn")
    print([batch.tolist() for batch, in loader])
"""


def test_workers_may_be_spawned(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    found = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, timeout=120)
    assert found.stdout.strip() == "[[0, 1], [2, 3], [4]]", found.stderr


REFUSED = {
    "num_workers": lambda m, d: d.DataLoader([1], num_workers=-1),
    "timeout": lambda m, d: d.DataLoader([1], timeout=-1),
    "prefetch": lambda m, d: d.DataLoader([1], prefetch_factor=2),
    "persistent": lambda m, d: d.DataLoader([1], persistent_workers=True),
    "context": lambda m, d: d.DataLoader([1], multiprocessing_context="fork"),
    "unknown context": lambda m, d: d.DataLoader([1], num_workers=1, multiprocessing_context="thread"),
    "context of what": lambda m, d: d.DataLoader([1], num_workers=1, multiprocessing_context=3),
    "sampler and shuffle": lambda m, d: d.DataLoader([1], sampler=[0], shuffle=True),
    "batch_sampler and size": lambda m, d: d.DataLoader([1], 2, batch_sampler=[[0]]),
    "drop_last": lambda m, d: d.DataLoader([1], None, drop_last=True),
    "batch_size": lambda m, d: d.DataLoader([1], 0),
    "float batch_size": lambda m, d: d.DataLoader([1], 2.0),
    "shuffle nothing": lambda m, d: d.DataLoader([], shuffle=True),
    "set later": lambda m, d: setattr(d.DataLoader([1]), "batch_size", 3),
    "mixed shapes": lambda m, d: list(d.DataLoader([m.ones(1), m.ones(2)], 2)),
    "mixed lengths": lambda m, d: d.default_collate([[1], [1, 2]]),
    "objects": lambda m, d: d.default_collate([object()]),
    "array of text": lambda m, d: d.default_collate([np.array(["a"])]),
    "TensorDataset": lambda m, d: d.TensorDataset(m.ones(2), m.ones(3)),
    "no __getitem__": lambda m, d: d.Dataset()[0],
    "no __iter__": lambda m, d: d.IterableDataset(),
    "no datasets": lambda m, d: d.ConcatDataset([]),
    "iterable in concat": lambda m, d: d.ConcatDataset([d.ChainDataset([])]),
    "concat index": lambda m, d: d.ConcatDataset([[1]])[-2],
    "lengths": lambda m, d: d.random_split([1, 2], [1, 2]),
    "fraction": lambda m, d: d.random_split([1, 2], [-0.5, 1.5]),
    "num_samples": lambda m, d: d.RandomSampler([1], num_samples=0),
    "replacement": lambda m, d: d.RandomSampler([1], replacement=1),
    "weights": lambda m, d: d.WeightedRandomSampler([[1.0]], 2),
    "weighted samples": lambda m, d: d.WeightedRandomSampler([1.0], True),
    "sampler's drop_last": lambda m, d: d.BatchSampler([1], 2, 1),
    "iterable shuffle": lambda m, d: d.DataLoader(d.ChainDataset([]), shuffle=True),
    "iterable sampler": lambda m, d: d.DataLoader(d.ChainDataset([]), sampler=[1]),
    "iterable batch_sampler": lambda m, d: d.DataLoader(d.ChainDataset([]), batch_sampler=[[1]]),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_as_in_pytorch(call, torch):
    refuse(torch, lambda m: call(m, m.utils.data))


def test_lengths():
    with pytest.raises(TypeError, match="has no len"):
        len(data.DataLoader(Counting(3)))
    assert [len(data.DataLoader(range(7), 3, drop_last=last)) for last in (False, True)] == [3, 2]
    assert len(data.DataLoader(range(7), None)) == 7
