"""Exercise 01.1: teach the toy to divide.

`divide(x, y)` is to give a Number with the value x / y that remembers how it was made, as `Number.__mul__` does. The
derivatives of a quotient are in every school book: what does x / y do when x moves, and when y moves?

    >>> x, y = Number(6.0), Number(2.0)
    >>> z = divide(x, y)
    >>> z.backward()
    >>> z.data, x.grad, y.grad
    (3.0, 0.5, -1.5)
"""

from toy import Number


def divide(x: Number, y: Number) -> Number:
    """The quotient, as a Number with parents and slopes."""
    slopes = (1.0 / y.data, -x.data / (y.data * y.data))
    return Number(x.data / y.data, (x, y), slopes)
