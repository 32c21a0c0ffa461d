"""Exercise 02.3: a tape.

An operand is made before the result that uses it. So if every number is written down when it is made, the list (the
*tape*) is sorted already, operands first. Read backwards, it is a topological order, and no sort is needed.

`gradients(tape, result)` is to return a dictionary that has for each number of the tape the derivative of `result`
with respect to it: 0.0 for those that `result` does not depend on. `tape` is a list of Numbers in the order in which
they were made; some may be younger than `result`. Do not touch `grad`.

(What a tape costs: it also holds what was made for other purposes. So the memory is only freed when the tape is.)
"""

from toy import Number


def gradients(tape: list[Number], result: Number) -> dict[Number, float]:
    """The derivative of `result` with respect to each number of the tape."""
    found = dict.fromkeys(tape, 0.0)
    found[result] = 1.0
    for node in reversed(tape):
        for parent, slope in zip(node.parents, node.slopes, strict=True):
            found[parent] += found[node] * slope
    return found
