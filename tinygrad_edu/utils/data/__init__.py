"""Data: sets of samples, the order in which they are taken, and how they are made into batches.

dataset    what a sample is: Dataset, TensorDataset, Subset, ...
sampler    in which order: one after another, shuffled, by weight; and in batches
collate    from a list of samples to a batch of tensors
loader     DataLoader, which puts the three together
workers    the same in other processes

Source: PyTorch documentation, torch.utils.data.
"""

from ...hints import refusing
from .collate import default_collate, default_convert
from .dataloader import DataLoader
from .dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from .workers import get_worker_info

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset", "RandomSampler",
    "Sampler", "SequentialSampler", "Subset", "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler",
    "default_collate", "default_convert", "get_worker_info", "random_split",
]  # fmt: skip
__getattr__ = refusing("tinygrad_edu.utils.data", __all__)
