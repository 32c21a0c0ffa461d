"""Solution 12.3. Strides multiply, and each layer sees further by its reach times the strides before it."""

Layer = tuple[int, int, int, int]


def size_after(n: int, layers: list[Layer]) -> int:
    """The number of places after all layers."""
    for kernel, stride, padding, dilation in layers:
        room = n + 2 * padding - dilation * (kernel - 1) - 1
        if room < 0:
            raise ValueError(f"a window of {dilation * (kernel - 1) + 1} does not fit into {n} + 2 · {padding} places")
        n = room // stride + 1
    return n


def receptive_field(layers: list[Layer]) -> int:
    """The number of input places that one output can see."""
    seen, distance = 1, 1
    for kernel, stride, _, dilation in layers:
        seen += distance * dilation * (kernel - 1)
        distance *= stride
    return seen
