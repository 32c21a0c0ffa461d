"""Sequences of different lengths, made one tensor by padding.

    [a b c]                      [a b c]
    [d]           padded:        [d 0 0]          and back, with the lengths: unpad_sequence

PyTorch's packed sequences, which save the work on the padding, are outside this library's scope: mask what is padded,
or take batches of sequences of about one length.

Source: PyTorch documentation, torch.nn.utils.rnn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...ops.joining import cat, stack
from ...tensors import Tensor


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Tensors (length, *) of several lengths as one: (longest, n, *), or (n, longest, *) with `batch_first`.

    >>> import tinygrad_edu as tg
    >>> pad_sequence([tg.tensor([1, 2, 3]), tg.tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    given = list(sequences)
    if not given:
        raise RuntimeError("received an empty list of sequences")
    for x in given:
        if not isinstance(x, Tensor):
            raise TypeError(f"pad_sequence(): expected a list of Tensors, got {type(x).__name__} in it")
    longest = max(x.shape[0] for x in given)
    padded = []
    for x in given:
        padding = x.new_full((longest - x.shape[0], *x.shape[1:]), padding_value)
        padded.append(cat((x, padding) if padding_side == "right" else (padding, x)))
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences that `pad_sequence` padded, on the right."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:length] for row, length in zip(rows.unbind(0), lengths.tolist(), strict=True)]


def __getattr__(name: str) -> Any:
    if name.startswith("pack") or name == "PackedSequence":
        raise AttributeError(
            f"packed sequences ({name}) are outside this library's scope: use pad_sequence, and mask what is padded"
        )
    raise AttributeError(f"module 'tinygrad_edu.nn.utils.rnn' has no attribute '{name}'")
