"""Solution 15.2. A mask and a division; Fisher and Yates."""

import numpy as np


def words(seed: int, n: int) -> np.ndarray:
    """The first n words of the generator, uint32."""
    return np.frombuffer(np.random.RandomState(seed).bytes(4 * n), "<u4")


def rand(words: np.ndarray) -> np.ndarray:
    """A uniform float32 in [0, 1) from each word."""
    return (words & 0xFFFFFF).astype(np.float32) / np.float32(2**24)


def randperm(n: int, words: np.ndarray) -> np.ndarray:
    """A permutation of 0 ... n - 1 from n - 1 words."""
    order = np.arange(n)
    for i in range(n - 1):
        j = i + int(words[i]) % (n - i)
        order[[i, j]] = order[[j, i]]
    return order
