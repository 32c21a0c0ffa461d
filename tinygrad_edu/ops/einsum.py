"""Sums of products, written by naming the axes: einsum, and tensordot.

The problem. "For each batch b and head h, the products of all rows i of q with all rows j of k" is four lines of
transposes and reshapes, or one string:

    einsum("bhid,bhjd->bhij", q, k)

A letter is an axis. The same letter in two operands walks along both at once; a letter that is not in the result is
summed over; one that stands twice in an operand is its diagonal. `...` are the axes without names.

The idea. Summing after multiplying everything with everything would take memory for all of b h i j d. For two
operands the letters fall into four groups, and with each group together as one axis this is a batched matmul:

    both, and kept       batch      b h        a  (batch, own of a, summed)
    both, and not kept   summed     d          b  (batch, summed, own of b)     ->  (batch, own of a, own of b)
    in one, and kept     own        i | j
    in one, not kept     summed before, in its operand

More operands are taken two by two, from the left; what is kept is what the result or a later operand still names.
(With d summed and no letter to sum over, the product is a broadcast multiplication.)

Source: A. Einstein, Die Grundlage der allgemeinen Relativitätstheorie, Annalen der Physik 49, 1916, section 5 (the
convention); for the reduction to matrix products, D. Smith, J. Gray, opt_einsum, J. Open Source Software 3(26), 2018.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from .linalg import check_operands, check_same_dtype, matmul
from .reduction import normalize_axes

if TYPE_CHECKING:
    from ..tensors import Tensor

Labels = list[Any]  # the name of each axis: a letter, or (for axes that "..." stands for) a number, -1 for the last
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def einsum(equation: Any, *operands: Any) -> Tensor:
    """The sum of products that an equation describes: "ij,jk->ik" is the matrix product; see the top of the file.

    Without "->" the result has the axes of "..." and then the letters that occur once, in alphabetical order. Axes of
    size 1 are broadcast. Instead of a string, lists of numbers below 52 may follow the operands: einsum(a, [0, 1],
    b, [1, 2], [0, 2]). RuntimeError for an equation that does not fit.

    >>> import tinygrad_edu as tg
    >>> a = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.einsum("ij->ji", a), tg.einsum("ii", a), tg.einsum("ij,j->i", a, tg.ones(2))
    (tensor([[1., 3.],
            [2., 4.]]), tensor(5.), tensor([3., 7.]))
    """
    inputs, output, tensors = parsed(equation, operands)
    check_operands("einsum", **{f"operands[{k}]": x for k, x in enumerate(tensors)})
    if len(inputs) != len(tensors):
        how = "fewer" if len(tensors) < len(inputs) else "more"
        raise RuntimeError(f"einsum(): {how} operands were provided than specified in the equation")
    named = [expanded(terms, x, k) for k, (terms, x) in enumerate(zip(inputs, tensors, strict=True))]
    unnamed = sorted({label for labels in named for label in labels if isinstance(label, int)})
    result = result_labels(output, named, unnamed)
    check_sizes(named, tensors)
    first, *rest = (unique(x, labels) for x, labels in zip(tensors, named, strict=True))
    x, labels = first
    for k, (y, others) in enumerate(rest):
        keep = {*result, *(label for _, later in rest[k + 1 :] for label in later)}
        x, labels = contract(x, labels, y, others, keep)
    x, labels = summed(x, labels, set(result))
    return x.permute(*(labels.index(label) for label in result)) if result != labels else x


# The equation -------------------------------------------------------------------------------------------------
def parsed(equation: Any, operands: tuple) -> tuple[list[Labels], Labels | None, list[Any]]:
    """(the terms of each operand, those of the result or None, the operands). A term is a letter or "..."."""
    if not operands:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    if isinstance(equation, str):
        if len(operands) == 1 and isinstance(operands[0], list | tuple):
            operands = tuple(operands[0])
        left, arrow, right = equation.partition("->")
        inputs = [terms_of(part, f"operand {k}", equation) for k, part in enumerate(left.split(","))]
        return inputs, terms_of(right, "output", equation) if arrow else None, list(operands)
    everything = [equation, *operands]
    lists = [[numbered(label) for label in terms] for terms in everything[1::2]]
    if len(everything) % 2:
        return lists, [numbered(label) for label in everything[-1]], everything[:-1:2]
    return lists, None, everything[::2]


def numbered(label: Any) -> str:
    if label is Ellipsis:
        return "..."
    number = operator.index(label)
    if not 0 <= number < 52:
        raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
    return LETTERS[number]


def terms_of(text: str, where: str, equation: str) -> Labels:
    """The letters, and "...", of one operand."""
    terms: Labels = []
    at = 0
    while at < len(text):
        character = text[at]
        if character == ".":
            if "..." in terms:
                raise RuntimeError(f"einsum(): found '.' for {where} for which an ellipsis was already found")
            if text[at : at + 3] != "...":
                raise RuntimeError(f"einsum(): found '.' for {where} that is not part of any ellipsis")
            character, at = "...", at + 2
        elif character not in LETTERS + " ":
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {equation.index(character)} in the equation string, "
                "subscripts must be in [a-zA-Z]"
            )
        terms += [character] if character != " " else []
        at += 1
    return terms


def expanded(terms: Labels, x: Tensor, number: int) -> Labels:
    """A name for each axis of x: "..." becomes numbers."""
    free = len(x.shape) - (len(terms) - terms.count("..."))
    if free < 0 or (free and "..." not in terms):
        hint = "but more dimensions than subscripts are needed" if "..." in terms else "and no ellipsis was given"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(terms)}) does not match the number of "
            f"dimensions ({len(x.shape)}) for operand {number} {hint}"
        )
    return [label for term in terms for label in (range(-free, 0) if term == "..." else [term])]


def result_labels(output: Labels | None, inputs: list[Labels], unnamed: Labels) -> Labels:
    """The names of the axes of the result."""
    letters = [label for labels in inputs for label in labels if isinstance(label, str)]
    if output is None:
        return [*unnamed, *sorted(label for label in set(letters) if letters.count(label) == 1)]
    for label in output:
        if label != "..." and output.count(label) > 1:
            raise RuntimeError(f"einsum(): output subscript {label} appears more than once in the output")
        if label != "..." and label not in letters:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input operand"
            )
    return [label for term in output for label in (unnamed if term == "..." else [term])]


def check_sizes(named: list[Labels], tensors: list[Tensor]) -> None:
    """Axes of one name have one size, or size 1."""
    seen: dict[Any, int] = {}
    for k, (labels, x) in enumerate(zip(named, tensors, strict=True)):
        here: dict[Any, int] = {}
        for label, n in zip(labels, x.shape, strict=True):
            if here.setdefault(label, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {k} but the sizes don't match, "
                    f"{n} != {here[label]}"
                )
            if n != 1 and seen.setdefault(label, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {n} for operand {k} which does not broadcast with "
                    f"previously seen size {seen[label]}"
                )


# The products -------------------------------------------------------------------------------------------------
def unique(x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """Diagonals in place of repeated names."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = x.diagonal(0, first, second)
            labels = [*(m for k, m in enumerate(labels) if k not in (first, second)), label]
    return x, labels


def summed(x: Tensor, labels: Labels, keep: set[Any]) -> tuple[Tensor, Labels]:
    """Without the axes that are not kept."""
    gone = tuple(k for k, label in enumerate(labels) if label not in keep)
    return (x.sum(gone), [label for label in labels if label in keep]) if gone else (x, labels)


def contract(a: Tensor, a_labels: Labels, b: Tensor, b_labels: Labels, keep: set[Any]) -> tuple[Tensor, Labels]:
    """The product of two operands, summed over the names that both have and that are not kept."""
    sizes = dict(zip(b_labels, b.shape, strict=True))
    a, a_labels = without_ones(a, a_labels, sizes)
    b, b_labels = without_ones(b, b_labels, dict(zip(a_labels, a.shape, strict=True)))
    a, a_labels = summed(a, a_labels, keep | set(b_labels))
    b, b_labels = summed(b, b_labels, keep | set(a_labels))
    both = [label for label in a_labels if label in b_labels]
    batch, inside = [m for m in both if m in keep], [m for m in both if m not in keep]
    own_a, own_b = ([m for m in labels if m not in both] for labels in (a_labels, b_labels))
    a = a.permute(*map(a_labels.index, [*batch, *own_a, *inside]))
    b = b.permute(*map(b_labels.index, [*batch, *inside, *own_b]))
    labels, front = [*batch, *own_a, *own_b], a.shape[: len(batch)]
    rows = a.shape[len(batch) : len(batch) + len(own_a)]
    columns = b.shape[len(batch) + len(inside) :]
    if not inside:
        return a.reshape(*front, *rows, *[1] * len(columns)) * b.reshape(*front, *[1] * len(rows), *columns), labels
    check_same_dtype(a, b)
    k = prod(a.shape[len(batch) + len(rows) :])
    if batch and not rows and not columns:  # a dot product for each of a batch: six times as fast as 1 x 1 products
        return (a.reshape(*front, k) * b.reshape(*front, k)).sum(-1), labels
    out = matmul(a.reshape(*front, prod(rows), k), b.reshape(*front, k, prod(columns)))
    return out.reshape(*front, *rows, *columns), labels


def without_ones(x: Tensor, labels: Labels, others: dict[Any, int]) -> tuple[Tensor, Labels]:
    """Without the axes of size 1 whose name the other operand has too: it brings them."""
    gone = tuple(k for k, (label, n) in enumerate(zip(labels, x.shape, strict=True)) if n == 1 and label in others)
    return (x.squeeze(gone), [m for k, m in enumerate(labels) if k not in gone]) if gone else (x, labels)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over pairs of axes: the last `dims` of a with the first of b, or those in two lists.

    The result has the other axes of a, and then those of b.

    >>> import tinygrad_edu as tg
    >>> tg.tensordot(tg.ones(2, 3, 4), tg.ones(3, 4, 5), 2).shape
    torch.Size([2, 5])
    >>> tg.tensordot(tg.ones(2, 3), tg.ones(2, 4), ([0], [0])).shape
    torch.Size([3, 4])
    """
    check_operands("tensordot", a=a, b=b)
    check_same_dtype(a, b)
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    pairs: list[Sequence[int]]
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(len(a.shape), len(b.shape)):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        pairs = [range(-dims, 0), range(dims)]
    else:
        pairs = [axes if isinstance(axes, list | tuple) else [axes] for axes in dims]
    if len(pairs[0]) != len(pairs[1]):
        raise RuntimeError("both dimension lists should have same length")
    for x, axes in zip((a, b), pairs, strict=True):
        normalize_axes(tuple(axes) or None, len(x.shape))
    for first, second in zip(*pairs, strict=True):
        n, m = a.shape[first], b.shape[second]
        if n != m and 1 not in (n, m):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {first} and second has size {m} "
                f"in dim {second}"
            )
    a_labels, b_labels = list(range(len(a.shape))), [-1 - k for k in range(len(b.shape))]
    for first, second in zip(*pairs, strict=True):
        b_labels[second] = a_labels[first]
    shared = set(a_labels) & set(b_labels)
    out, labels = contract(a, a_labels, b, b_labels, (set(a_labels) | set(b_labels)) - shared)
    return out
