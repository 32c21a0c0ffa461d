"""From a list of samples to a batch: what has the same place in every sample is stacked.

    [(image, 3), (image, 5)]               ──▶  [images (2, ...), tensor([3, 5])]
    [{'x': 1.0, 'id': 'a'}, {'x': 2.0, 'id': 'b'}]  ──▶  {'x': tensor([1., 2.]), 'id': ['a', 'b']}

Tensors and arrays are stacked, numbers become tensors (floats float64, as Python's are), text stays a list, and
mappings, sequences and named tuples are taken apart and put together again.

Source: PyTorch documentation, torch.utils.data.default_collate.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...creation import as_tensor, tensor
from ...dtypes import float64
from ...ops.joining import stack
from ...tensors import Tensor


def default_collate(batch: Any) -> Any:
    """A batch of samples as tensors with one more axis, the first one.

    TypeError for what is neither tensor, array, number, text nor made of these; RuntimeError for sequences of
    different lengths.

    >>> default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=torch.float64)]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, np.ndarray) and first.dtype.kind not in "OSU":
        return stack([as_tensor(array) for array in batch], 0)
    if isinstance(first, float) and not isinstance(first, np.generic):
        return tensor(batch, dtype=float64)
    if isinstance(first, np.bool_ | np.number):
        return tensor(np.array(batch))
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return like_mapping(first, lambda key: default_collate([sample[key] for sample in batch]))
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(part) for part in zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                "each element in list of batch should be of equal size: pad them, or write a collate_fn that does"
            )
        return like_sequence(first, [default_collate(part) for part in zip(*batch, strict=True)])
    found = first.dtype if isinstance(first, np.ndarray) else type(first)
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {found}"
    )


def default_convert(data: Any) -> Any:
    """One sample, with every NumPy array and number in it as a tensor, and the rest as it is."""
    if isinstance(data, Tensor | str | bytes):
        return data
    if isinstance(data, np.ndarray | np.generic):
        return as_tensor(data) if data.dtype.kind not in "OSU" else data
    if isinstance(data, Mapping):
        return like_mapping(data, lambda key: default_convert(data[key]))
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(part) for part in data))
    if isinstance(data, Sequence):
        return like_sequence(data, [default_convert(part) for part in data])
    return data


def like_mapping(first: Mapping, value: Callable[[Any], Any]) -> Any:
    """{key: value(key)} as the type of `first`, where it can be made; else a dict."""
    found = {key: value(key) for key in first}
    try:
        if isinstance(first, MutableMapping):
            clone = copy.copy(first)
            clone.update(found)
            return clone
        return type(first)(found)  # type: ignore[call-arg]
    except TypeError:
        return found


def like_sequence(first: Sequence, parts: list) -> Any:
    """The parts as the type of `first`, where it can be made; else a list (also for a tuple)."""
    if isinstance(first, tuple):
        return parts
    try:
        if isinstance(first, MutableSequence):
            clone = copy.copy(first)
            for i, part in enumerate(parts):
                clone[i] = part
            return clone
        return type(first)(parts)  # type: ignore[call-arg]
    except TypeError:
        return parts
