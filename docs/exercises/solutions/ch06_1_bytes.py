"""Solution 06.1."""

from tinygrad_kernels.expr import Expr, walk


def unfused(output: Expr, itemsize: int) -> int:
    """Bytes for one element, one loop for each operation."""
    moved = 0
    for e in walk((output,)):
        if e.op not in ("input", "const"):
            read = {id(operand) for operand in e.args if operand.op != "const"}
            moved += (len(read) + 1) * itemsize
    return moved


def fused(output: Expr, itemsize: int) -> int:
    """Bytes for one element, one loop for the whole formula."""
    inputs = sum(1 for e in walk((output,)) if e.op == "input")
    return (inputs + 1) * itemsize
