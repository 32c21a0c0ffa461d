"""From a formula and tensors to one call of a kernel.

The problem. `x + y` may be two contiguous arrays, an array and a number, a matrix and a row, a transposed view, or all
of that with two dtypes. Each deserves its own loop, but finding out which must not cost more than the loop itself.

The idea. Whatever decides, that is the kinds, shapes and strides of the operands, is a key. The decision for a
key is made once, and kept as a `Launch`: an object that does nothing but call the right kernel.
One more part of the key is the shape that is wanted: if it is smaller than what the operands broadcast to, the result
is summed over the rest. That is how the gradient of a broadcast operand comes out of one pass over memory.

                                    kernel
    all contiguous, or one element  flat       one loop
    anything else                   strided    nested loops over collapsed axes
    wanted: last axes summed        rows
    wanted: other axes summed       columns
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Formula

from ..dtypes import Kind, device
from ..prepared import table
from .strides import Shape, Size, broadcast_shapes, broadcast_strides, collapse, contiguous_strides, reduced_axes

if TYPE_CHECKING:
    from ..tensors import Tensor

_launches: dict[tuple, Launch] = table()
LIMIT = 8192  # how many decisions are kept; a program whose shapes never repeat starts over


class Launch:
    """A kernel, chosen for operands of certain kinds and layouts.

    `run(operands, out)` takes Tensors and numbers, fills the buffer `out` (a new one for None) and gives it back.
    `direct(out, *buffers)` is the shortest form, for those who have the buffers of contiguous operands at hand (and
    numbers converted by `number`); None where an operand needs more than its buffer. `in_place()` compiles the form
    (*buffers) that stores the result in the first operand, where there is one.
    """

    __slots__ = ("run", "direct", "shape", "size", "number", "in_place")

    def __init__(
        self, run: Callable, direct: Callable | None, shape: Shape, number: type, in_place: Callable | None = None
    ) -> None:
        self.run, self.direct, self.shape, self.size, self.number = run, direct, Size(shape), prod(shape), number
        self.in_place = in_place


def compute(
    formula: Formula, operands: tuple, arithmetic: Kind, result: Kind, target: Shape | None = None, out: Any = None
) -> Tensor:
    """The formula over operands (Tensors and Python numbers, broadcast together), summed down to `target`.

    `arithmetic` is the kind in which it is computed, `result` that in which it is stored. With
    `out`, a buffer of the right size, the result goes there (it may be the buffer of a contiguous operand).
    """
    found = launch(formula, operands, arithmetic, result, target)
    return Tensor(found.run(operands, out), found.shape, result)


def launch(formula: Formula, operands: tuple, arithmetic: Kind, result: Kind, target: Shape | None = None) -> Launch:
    """The kernel for these operands and all that look like them."""
    key: list[Any] = [formula, arithmetic, result, target]
    for x in operands:
        if isinstance(x, Tensor):
            key.append(x.kind)
            key.append(x.shape)
            if x.flat is None:
                key.append(x.region[2])
        else:
            key.append(float)
    found = _launches.get(tuple(key))
    if found is None:
        found = decide(formula, operands, arithmetic, result, target)
        if len(_launches) >= LIMIT:
            _launches.clear()
        _launches[tuple(key)] = found
    return found


def decide(formula: Formula, operands: tuple, arithmetic: Kind, result: Kind, target: Shape | None) -> Launch:
    """Choose the kernel. Numbers among the operands come to it as float (or int, where the arithmetic is)."""
    shape = broadcast_shapes(*(x.shape for x in operands if isinstance(x, Tensor)))
    number = float if arithmetic.dtype.is_floating_point else int
    if target is not None and target != shape:
        return _reduction(formula, operands, arithmetic, result, shape, target, number)
    dtypes = [x.kind.dtype.name if isinstance(x, Tensor) else "number" for x in operands]
    access = [_flat_access(x, shape) for x in operands]
    n = prod(shape)
    big = n >= result.backend.PARALLEL_FROM
    if "strided" in access:
        return _strided(formula, operands, dtypes, arithmetic, result, shape, number, big)
    signature = Signature(dtypes, access, arithmetic.dtype.name)
    kernel = result.backend.flat(formula, signature, big)

    def in_place() -> Callable:
        return result.backend.flat(formula, Signature(dtypes, access, arithmetic.dtype.name, in_place=1), big)

    def run(operands: tuple, out: Any) -> Any:
        if out is None:
            out = result.empty(n)
        kernel(out, *[_element(x) if isinstance(x, Tensor) else number(x) for x in operands])
        return out

    return Launch(run, kernel, shape, number, in_place if access[0] == "flat" else None)


def on_one_device(operands: tuple) -> tuple:
    """The operands, with tensors of no dimension sent from the CPU to the GPU where another one is: they count as
    numbers. There is never a kernel for operands on two devices, so this is asked where none is found."""
    devices = {x.kind.device for x in operands if isinstance(x, Tensor)}
    if len(devices) < 2:
        return operands
    gpu = next(device for device in devices if device.type != "cpu")
    return tuple(x.to(gpu) if isinstance(x, Tensor) and not x.shape else x for x in operands)


def same_device(*operands: Any) -> device:
    """The device of the tensors among the operands. RuntimeError if there are two."""
    first, *rest = (x.kind.device for x in operands if isinstance(x, Tensor))
    for other in rest:
        if other != first:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{first} and {other}! Move one of them with .to('{first}')"
            )
    return first


def _flat_access(x: Any, shape: Shape) -> str:
    """How the operand is read by a flat loop over `shape`; 'strided' if it cannot be."""
    if not isinstance(x, Tensor):
        return "number"
    if x.flat is not None and x.shape == shape:
        return "flat"
    fixed = x.numel() == 1 or _repeats_one(x)
    return "one" if fixed and prod(shape) > 0 else "flat" if prod(shape) == 0 else "strided"


def _element(x: Tensor) -> Any:
    """The buffer of a contiguous tensor, or the one element that an expanded tensor repeats."""
    if x.flat is not None:
        return x.flat
    buffer, offset = x.region[:2]
    return buffer[offset : offset + 1]


def _strided(
    formula: Formula,
    operands: tuple,
    dtypes: list[str],
    arithmetic: Kind,
    result: Kind,
    shape: Shape,
    number: type,
    big: bool,
) -> Launch:
    """Nested loops over the collapsed axes of all operands; the result is contiguous."""
    tensors = [x for x in operands if isinstance(x, Tensor)]
    strides = [broadcast_strides(x.shape, x.stride(), shape) for x in tensors]
    dims, (result_strides, *collapsed) = collapse(shape, [contiguous_strides(shape), *strides])
    steps_of = iter(collapsed)
    steps = [next(steps_of) if isinstance(x, Tensor) else None for x in operands]
    access = ["number" if s is None else {1: "unit", 0: "fixed"}.get(s[-1], "strided") for s in steps]
    signature = Signature(dtypes, [*access, "unit"], arithmetic.dtype.name)
    kernel = result.backend.strided(formula, signature, len(dims), big)
    n, result_at = prod(shape), (0, *result_strides)

    def run(operands: tuple, out: Any) -> Any:
        if out is None:
            out = result.empty(n)
        arguments: list[Any] = []
        for x, s in zip(operands, steps, strict=True):
            if s is None:
                arguments.append(number(x))
            elif x.flat is not None:
                arguments += (x.flat, (0, *s))
            else:
                arguments += (x.region[0], (x.region[1], *s))
        kernel(dims, out, result_at, *arguments)
        return out

    ats = [None if s is None else (0, *s) for s in steps]
    contiguous = all(x.flat is not None for x in tensors)
    x_at, y_at = ats if len(ats) == 2 else (None, None)

    def direct_pair(out: Any, x: Any, y: Any) -> None:  # two arrays: the broadcast that every layer makes
        kernel(dims, out, result_at, x, x_at, y, y_at)

    def direct_any(out: Any, *buffers: Any) -> None:
        arguments: list[Any] = []
        for buffer, at in zip(buffers, ats, strict=True):
            arguments += (buffer,) if at is None else (buffer, at)
        kernel(dims, out, result_at, *arguments)

    direct = None if not contiguous else direct_pair if x_at and y_at else direct_any

    def in_place() -> Callable:
        changing = result.backend.strided(
            formula, Signature(dtypes, access, arithmetic.dtype.name, in_place=1), len(dims), big
        )
        return lambda x, y: changing(dims, x, x_at, y, y_at)

    possible = direct is direct_pair and x_at == result_at
    return Launch(run, direct, shape, number, in_place if possible else None)


def _reduction(
    formula: Formula, operands: tuple, arithmetic: Kind, result: Kind, shape: Shape, target: Shape, number: type
) -> Launch:
    """The sum of the formula over the axes in which `target` is smaller than `shape`."""
    kept, summed, after = split_axes(shape, reduced_axes(shape, target))
    if kept is None:  # the axes do not lie together
        return Launch(_two_steps(formula, arithmetic, result, shape, target), None, target, number)
    access = ["number" if not isinstance(x, Tensor) else "one" if _repeats_one(x) else "flat" for x in operands]
    if "flat" not in access:  # a sum of one number, many times
        access[access.index("one")] = "flat"
    dtypes = [x.kind.dtype.name if isinstance(x, Tensor) else "number" for x in operands]
    signature = Signature(dtypes, access, arithmetic.dtype.name)
    big = prod(shape) >= result.backend.PARALLEL_FROM
    sizes: tuple[int, ...]
    if after == 1:
        kernel, sizes = result.backend.rows(formula, signature, big), (summed,)
    else:
        kernel, sizes = result.backend.columns(formula, signature, big), (summed, after)
    n = prod(target)

    def read(x: Any, how: str) -> Any:
        if how == "number":
            return number(x)
        return _element(x) if how == "one" else full_buffer(x, shape)

    def run(operands: tuple, out: Any) -> Any:
        if out is None:
            out = result.empty(n)
        kernel(out, *sizes, 1.0, *map(read, operands, access))
        return out

    whole = all(
        how != "flat" or (x.flat is not None and x.shape == shape) for x, how in zip(operands, access, strict=True)
    )

    def direct(out: Any, *buffers: Any) -> None:
        kernel(out, *sizes, 1.0, *buffers)

    return Launch(run, direct if whole else None, target, number)


def full_buffer(x: Tensor, shape: Shape) -> Any:
    """The buffer of x, broadcast to `shape`, with every element in it."""
    if x.flat is not None and x.shape == shape:
        return x.flat
    return x.expand(shape).contiguous().flat


def split_axes(shape: Shape, axes: Shape) -> tuple[int | None, int, int]:
    """The sizes (kept before, summed, kept after) if the summed axes are neighbours, up to axes of size 1.

    >>> split_axes((2, 3, 4), (1,)), split_axes((2, 3, 4), (0, 2))
    ((2, 3, 4), (None, 0, 0))
    """
    real = [(n, axis in axes) for axis, n in enumerate(shape) if n != 1]
    groups: list[list] = []
    for n, gone in real:
        if groups and groups[-1][1] == gone:
            groups[-1][0] *= n
        else:
            groups.append([n, gone])
    pattern = [gone for _, gone in groups]
    sizes = [n for n, _ in groups]
    if pattern in ([], [False]):
        return prod(shape), 1, 1
    if pattern == [True]:
        return 1, sizes[0], 1
    if pattern == [False, True]:
        return sizes[0], sizes[1], 1
    if pattern == [True, False]:
        return 1, sizes[0], sizes[1]
    if pattern == [False, True, False]:
        return sizes[0], sizes[1], sizes[2]
    return None, 0, 0


def _repeats_one(x: Tensor) -> bool:
    """Is x one number, seen many times?"""
    return x.flat is None and not any(x.region[2])


def _two_steps(
    formula: Formula, arithmetic: Kind, result: Kind, shape: Shape, target: Shape
) -> Callable[[tuple, Any], Any]:
    def run(operands: tuple, out: Any) -> Any:
        full = compute(formula, tuple(operands), arithmetic, arithmetic)
        if full.shape != shape:
            full = full.expand(shape).contiguous()
        return full.sum_to(target).to_kind(result).flat

    return run
