"""Solution 04.3. Sharing was done while tracing: a part that is used twice is one object, so it needs one name."""

from tinygrad_kernels.expr import INFIX, Expr, walk


def text(op: str, operands: list[str]) -> str:
    """One operation as Python: text('add', ['x', 't0']) is 'x + t0'."""
    if op == "neg":
        return f"-{operands[0]}"
    if op in INFIX:
        return f"{operands[0]} {INFIX[op]} {operands[1]}"
    return f"{op}({', '.join(operands)})"


def statements(output: Expr) -> list[str]:
    """The lines of Python that compute `output`."""
    lines: list[str] = []
    names: dict[int, str] = {}
    for e in walk((output,)):
        if e.op == "input":
            names[id(e)] = e.value
        elif e.op == "const":
            names[id(e)] = repr(e.value)
        else:
            names[id(e)] = f"t{len(lines)}"
            lines.append(f"{names[id(e)]} = {text(e.op, [names[id(a)] for a in e.args])}")
    return lines
