"""Exercise 15.2: the same random numbers.

PyTorch's generator on the CPU is the Mersenne Twister, which NumPy has too: `words(seed, n)` below gives its first n
words, unsigned integers of 32 bits. What is made of them:

`rand(words)`: a float32 from each word, its low 24 bits divided by 2²⁴. (A float32 has 24 bits; dividing all 32 would
round, and could give 1.)

`randperm(n, words)`: the numbers 0 ... n - 1 shuffled. For i from 0 to n - 2, swap place i with place i + w % (n - i),
where w is the next word.

Both return NumPy arrays, float32 and int64.
"""

import numpy as np


def words(seed: int, n: int) -> np.ndarray:
    """The first n words of the generator, uint32."""
    return np.frombuffer(np.random.RandomState(seed).bytes(4 * n), "<u4")


def rand(words: np.ndarray) -> np.ndarray:
    """A uniform float32 in [0, 1) from each word."""
    ...  # your work


def randperm(n: int, words: np.ndarray) -> np.ndarray:
    """A permutation of 0 ... n - 1 from n - 1 words."""
    ...  # your work
