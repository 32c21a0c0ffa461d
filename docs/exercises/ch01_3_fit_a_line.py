"""Exercise 01.3: fit a line with the real `Value`.

`fit(points, steps, rate)` is to start from the line y = 0 x + 0 and go `steps` times downhill:

    1. compute the *mean* of the squared distances (w x + v - y)² over all points,
    2. find its derivatives with `backward()`,
    3. take `rate` times its derivative away from each of w and v.

w and v are each a `tinygrad_edu.Value`; `fit` returns their data, (w, v) as two floats.
One line of the loop is easily forgotten; the tests notice.
"""


def fit(points: list[tuple[float, float]], steps: int, rate: float) -> tuple[float, float]:
    """Slope and intercept after `steps` steps downhill."""
    ...  # your work
