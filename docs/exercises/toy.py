"""The toy engine that chapter 01 ends its second attempt with. The exercises build on it."""


class Number:
    """A float that remembers how it was made: `parents`, and `slopes`, the derivative with respect to each."""

    def __init__(self, data, parents=(), slopes=()):
        self.data = data
        self.parents = parents
        self.slopes = slopes
        self.grad = 0.0

    def __add__(self, other):
        return Number(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Number(self.data * other.data, (self, other), (other.data, self.data))

    def backward(self, g=1.0):
        """Add the derivative of the result with respect to every number it was made from to their `grad`."""
        self.grad += g
        for parent, slope in zip(self.parents, self.slopes, strict=True):
            parent.backward(g * slope)
