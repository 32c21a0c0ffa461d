"""Exercise 12.3: how large, and how far does it see?

A stack of layers is a list of (kernel, stride, padding, dilation), each a convolution or a pooling along one axis.

`size_after(n, layers)` is to give how many places are left of n. ValueError where a layer has no place to stand on.

`receptive_field(layers)` is to give how many places of the input one output depends on: from the first to the last,
all between counted. Padding does not matter for it. Hint: keep the distance, in input places, between two neighbours
of the current layer; a layer adds dilation (kernel - 1) such distances.
"""

Layer = tuple[int, int, int, int]


def size_after(n: int, layers: list[Layer]) -> int:
    """The number of places after all layers."""
    ...  # your work


def receptive_field(layers: list[Layer]) -> int:
    """The number of input places that one output can see."""
    ...  # your work
