"""The recorder: a backend that writes down what it is asked to compute.

The problem. A training step is Python: it builds a graph, walks it, calls a hundred small kernels, the same ones in
each step. What is the sequence of kernels, without the Python?

The idea. Tensors do not compute; they ask the backend of their device for a kernel and call it with buffers. So give
them another backend for the length of one call. Its buffers (`Symbol`) have a size but no numbers, its kernels
append a step to a list, and the function runs as it always does: forward, backward, the optimizer's update.

    out = empty(n)                     a new memory, with no value yet
    kernel(out, a, b)                  Loop: v7 ← a * b; from now on `out` holds v7
    kernel(out, c) in place            Loop: v8 ← v7 + c; from now on `out` holds v8

Real arrays among the operands (parameters, data that the function finds by itself) are memory from outside.
Nothing is computed and nothing outside is changed while recording. symbols.py has the buffers, recording.py the backend
that calls what is here.

Source: R. Frostig, M. Johnson, C. Leary, Compiling machine learning programs via high-level tracing, SysML 2018.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Expr, Formula

from .. import dtypes
from ..dtypes import Kind
from ..ops.strides import contiguous_strides
from .formulas import rebuilt
from .memory import root_of, size_of
from .program import Access, Call, Fold, Loop, Names, Number, Piece, Program, Shape, Step, Value
from .symbols import Answer, Memory, Refused, Symbol, cannot

# What the kernels that were written by hand fill: the positions of their results, all else is only read. A kernel that
# is not listed is taken to change everything it gets, which is always right.
FILLS: dict[str, tuple[int, ...]] = {
    "softmax": (0,), "softmax_backward": (0,), "log_softmax": (0,), "log_softmax_backward": (0,),
    "cross_entropy": (0, 1), "cross_entropy_backward": (0,), "logsumexp": (0, 1), "logsumexp_backward": (0,),
    "layer_norm": (0, 1, 2), "layer_norm_backward": (0, 1, 2), "batched_matmul": (0,), "matmul": (0,),
    "attention": (0, 1), "attention_backward": (0, 1, 2), "batch_norm_backward": (0, 1, 2), "cumsum": (0,),
    "cumprod": (0,), "recurrence": (0,), "logcumsumexp": (0,), "cumextreme": (0,), "take": (0,), "triangle": (0,),
    "max_pool": (0, 1), "average_pool": (0,), "average_pool_backward": (0,), "max_pool_backward": (0,),
    "coordinates": (0,), "smallest_and_largest": (), "variance": (0, 1), "search_rows": (0,), "median_rows": (0,),
    "batch_norm": (0, 1, 2), "sort_rows": (0,), "first_of_rows": (0,),
}  # fmt: skip
CHANGES: dict[str, tuple[int, ...]] = dict.fromkeys(
    ("put", "add_at", "reduce_at", "paste", "fold_index", "gather_places"), (0,)
) | {"recurrent": (1, 2, 3), "recurrent_backward": (1, 2, 3, 4)}  # of which they change a part, or may
ANSWERS = ("cross_entropy", "fold_index", "gather_places", "smallest_and_largest")
UNKNOWN = ("count_true", "mark_runs")  # whose answer is a size


class Recorder:
    """What is recorded, and the state of all memory at this point of the program."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.steps: list[Step] = []
        self.values = 0
        self.outside: dict[tuple, Memory] = {}  # by what identifies memory from outside
        self.arguments: list[Memory] = []
        self.alive: list[Any] = []  # arrays from outside: what identifies them must not be used again
        self.names = Names()
        self.updates: list[Any] = []  # of parameters, by optimizers: updates.py
        self.numbers: list[tuple[float, ...]] = []  # those of the first step
        self.steppers: list[Any] = []  # the optimizer of each step()
        self.undo: list[tuple] = []  # (state of an optimizer, its numbers before)
        self.assigned: set[Any] = set()  # leaves whose gradient was set, also to None
        self.cleared: set[Any] = set()  # leaves whose gradient was dropped before anything was added to it
        self.ones: set[int] = set()  # the ones that backward passes begin with: known numbers
        self.sources: list[Any] = []  # where a replay finds the buffer of each argument
        self.entry: dict[Any, Any] = {}  # the gradients of all leaves at the start
        self.gradients: dict[int, Any] = {}  # leaves that had a gradient at the start, by the root of its memory

    # Values and memory.
    def new_value(self, size: int, kind: Kind, memory: Any = None, before: Value | None = None) -> Value:
        self.values += 1
        return Value(self.values, size, kind, memory, before)

    def locate(self, buffer: Any, kind: Kind) -> tuple[Memory, int, int]:
        """(memory, offset, size) of a symbol or of an array from outside."""
        if isinstance(buffer, Symbol):
            return buffer.memory, buffer.offset, buffer.size
        root, offset = root_of(buffer)
        memory = self.outside.get((id(root), buffer.dtype))
        if memory is None and id(root) in self.gradients:
            self.alive.append(root)
            memory = self.argument(buffer.size, kind_for(buffer, kind), self.gradients[id(root)]).memory
            self.outside[id(root), buffer.dtype] = memory
        if memory is None:
            size = size_of(root, buffer.dtype)
            memory = self.outside[id(root), buffer.dtype] = Memory(size, kind_for(buffer, kind), root)
            self.alive += (root, buffer)
            memory.value = self.new_value(size, memory.kind, memory)
        return memory, offset, buffer.size

    def argument(self, size: int, kind: Kind, source: Any) -> Symbol:
        """Memory that is another one in each replay, where `source` says."""
        memory = Memory(size, kind, len(self.arguments))
        self.sources.append(source)
        memory.value = self.new_value(size, kind, memory)
        self.arguments.append(memory)
        return Symbol(memory, 0, size)

    def current(self, memory: Memory) -> Value:
        """What a memory holds."""
        if memory.value is None:  # read before anything was written: as with real memory, anything
            memory.value = self.new_value(memory.size, memory.kind)
        return memory.value

    def write(self, buffer: Any, kind: Kind, changes: bool = False) -> tuple[Value, int, int, Value | None]:
        """A new value for what is written to: (value, offset, size, the value of which it changes a part)."""
        memory, offset, size = self.locate(buffer, kind)
        whole = (offset, size) == (0, memory.size) and not changes
        before = None if whole else self.current(memory)
        value = self.new_value(memory.size, memory.kind, memory if memory.home is not None else None, before)
        memory.value = value
        return value, offset, size, before

    def add(self, step: Step) -> None:
        for value in step.made:
            value.step = step
        self.steps.append(step)

    # Loops.
    def access(self, operands: dict[str, Any], access: Access, shape: Shape) -> Expr:
        """An operand of a loop as an expression: its name."""
        name = self.names.of(access, shape)
        operands[name] = access
        return Expr.input(name)

    def read(
        self, operands: dict[str, Any], buffer: Any, kind: Kind, offset: int, strides: Shape, shape: Shape
    ) -> Expr:
        """The expression for the elements of a buffer at the places of a loop; a known number is that number."""
        if not isinstance(buffer, Symbol) and id(root_of(buffer)[0]) in self.ones:
            return Expr.of(1.0 if buffer.dtype.kind == "f" else 1)
        memory, at, _ = self.locate(buffer, kind)
        strides = tuple(s if n != 1 else 0 for n, s in zip(shape, strides, strict=True))
        return self.access(operands, Access(self.current(memory), at + offset, strides), shape)

    def fill(self, target: Symbol, number: Any) -> None:
        kind = target.memory.kind
        value, offset, size, before = self.write(target, kind)
        place = None if before is None else Access(before, offset, (1,))
        self.add(Loop((size,), {}, [Expr.of(number)], [value], kind.dtype.name, place))

    def copy(self, target: Any, source: Any, kind: Kind) -> None:
        operands = dict[str, Any]()
        e = self.read(operands, source, kind, 0, (1,), (target.size,))
        value, offset, size, before = self.write(target, kind)
        place = None if before is None else Access(before, offset, (1,))
        self.add(Loop((size,), operands, [e], [value], kind.dtype.name, place))

    def loop(
        self, formula: Formula, signature: Signature, kind: Kind, shape: Shape, results: list, at: list, inputs: list
    ) -> None:
        """A Loop: `inputs` are numbers, or (buffer, offset, strides); `results` buffers, `at` their offset and strides
        (None where all of it is filled in order)."""
        operands: dict[str, Any] = {}
        given = {
            name: self.read(operands, x[0], kind, x[1], x[2], shape) if isinstance(x, tuple) else Expr.of(x)
            for name, x in zip(formula.inputs, inputs, strict=True)
        }
        outputs = rebuilt(formula.outputs, given, signature.compute)
        made, target = [], None
        for buffer, place in zip(results, at, strict=True):
            ordered = place is None or place == (0, contiguous_strides(shape))
            memory = self.locate(buffer, kind)[0]
            value, offset, _, before = self.write(buffer, kind, changes=prod(shape) != memory.size or not ordered)
            made.append(value)
            if before is not None:
                start, strides = place or (0, contiguous_strides(shape))
                target = Access(before, offset + start, strides)
        self.add(Loop(shape, operands, outputs, made, signature.compute, target))

    def fold(
        self, formula: Formula, signature: Signature, kind: Kind, op: str, shape: Shape, out: Any, divisor: float,
        inputs: tuple,
    ) -> None:  # fmt: skip
        operands: dict[str, Any] = {}
        steps = {"flat": contiguous_strides(shape), "one": (0,) * len(shape)}
        given = {
            name: Expr.of(x) if how == "number" else self.read(operands, x, kind, 0, steps[how], shape)
            for name, how, x in zip(formula.inputs, signature.access, inputs, strict=True)
        }
        outputs = rebuilt(formula.outputs, given, signature.compute)
        value, offset, size, before = self.write(out, kind)
        if before is not None:
            raise cannot("a reduction is written into a part of a tensor")
        self.add(Fold(shape, operands, outputs, [value], signature.compute, op, [divisor]))

    def call(
        self, name: str, function: Callable, arguments: tuple, kind: Kind, options: dict | None = None,
        ending: Callable | None = None,
    ) -> Answer | None:  # fmt: skip
        """A Call of a kernel that was written by hand."""
        if name in UNKNOWN:
            raise cannot("a shape depends on the numbers in a tensor", "compute it outside and pass it in")
        fills = FILLS.get(name, ())
        if name == "convolution":
            fills = (1 + arguments[0],)
        known = name in FILLS or name in CHANGES or name == "convolution"
        changes = CHANGES.get(name, ())
        late: list[tuple[Any, Symbol]] = []
        if name == "batch_norm" and arguments[9]:
            # In training the running statistics move: as copies, so that nothing outside is changed in the middle of a
            # step that an error may still stop
            changes = (6, 7)
            late = [(x, self.copied(x, kind)) for x in arguments[6:8]]
            arguments = (*arguments[:6], *(copy for _, copy in late), *arguments[8:])
        read: list[Value] = []
        made: list[Value] = []
        written: dict[tuple[Memory, int, int], Piece] = {}

        def piece(x: Any, writes: bool, whole: bool) -> Any:
            if isinstance(x, tuple | list) and not hasattr(x, "_fields"):
                return type(x)(piece(y, writes, whole) for y in x)
            if not is_buffer(x):
                return x
            if not writes:
                memory, offset, size = self.locate(x, kind)
                read.append(self.current(memory))
                return Piece(read[-1], offset, size)
            place = self.locate(x, kind)
            if place in written:  # results that share a memory, side by side
                return written[place]
            value, offset, size, before = self.write(x, kind, changes=not whole)
            made.append(value)
            if before is not None:
                read.append(before)
            written[place] = Piece(value, offset, size)
            return written[place]

        order = sorted(range(len(arguments)), key=lambda k: known and (k in fills or k in changes))
        pieces: dict[int, Any] = {}
        for k in order:  # what is only read comes first: an argument may be read and written
            writes = not known or k in fills or k in changes
            pieces[k] = piece(arguments[k], writes, known and k in fills)
        found = tuple(pieces[k] for k in range(len(arguments)))
        step = Call(name, function, found, read, made, pure=known, options=options, ending=ending)
        self.add(step)
        for x, copy in late:
            if x.size:
                self.copy(x, copy, copy.memory.kind)
        return Answer(step) if name in ANSWERS else None

    def copied(self, x: Any, kind: Kind) -> Symbol:
        """A buffer's elements in memory of their own."""
        kind = kind_for(x, kind)
        copy = Symbol(Memory(x.size, kind), 0, x.size)
        if x.size:
            self.copy(copy, x, kind)
        return copy

    # What the library tells the recorder.
    def doubts(self, x: Any) -> bool:
        """Do these numbers say that something is wrong? Here they do not; each replay asks again."""
        x = x.contiguous()
        memory, offset, size = self.locate(x.flat, x.kind)
        value = self.current(memory)
        step = Call("look", x.kind.backend.real.to_numpy, (Piece(value, offset, size),), [value], [])
        step.checks.append(lambda found: bool(found.any()))
        self.add(step)
        return False

    def computes(self, compute: Callable, operands: tuple, found: list[Shape]) -> list[tuple[Symbol, Shape]]:
        """Buffers of the shapes `found`, that a function of NumPy arrays fills, anew in each replay. It is a question
        as well, since there may be no answer: nothing outside is changed before it."""
        from ..ops.lapack_calls import LinAlgError

        class Unsolvable(Refused, LinAlgError):
            """Then the function is run eagerly, and raises LAPACK's error itself; a backward pass raises this one."""

        kind, shapes = operands[0].kind, [tuple(x.shape) for x in operands]
        read = [self.locate(x.contiguous().flat, kind) for x in operands]
        given = [Piece(self.current(memory), offset, size) for memory, offset, size in read]
        made = [Symbol(Memory(prod(s), kind), 0, prod(s)) for s in found]
        values = [self.write(x, kind)[0] for x in made]

        def run(*buffers: Any) -> None:
            try:
                arrays = compute(*(x.reshape(s) for x, s in zip(buffers[len(made) :], shapes, strict=True)))
            except LinAlgError as error:
                raise Unsolvable(str(error)) from error
            for out, x in zip(buffers, arrays, strict=False):
                out[:] = x.reshape(-1)

        pieces = [Piece(v, 0, v.size) for v in values]
        step = Call("lapack", run, (*pieces, *given), [piece.value for piece in given], values)
        step.checks.append(lambda found: False)
        self.add(step)
        return list(zip(made, found, strict=True))

    def update(self, number: int, rule: Any, arrays: list[Any], numbers: int, kind: Kind) -> None:
        """An optimizer's update of one parameter: a loop that changes the first arrays in place."""
        formula, n = rule.formula, arrays[0].size
        operands: dict[str, Any] = {}
        given: dict[str, Expr] = {}
        for name, x in zip(formula.inputs, arrays, strict=False):
            given[name] = self.read(operands, x, kind, 0, (1,), (n,))
        for k, name in enumerate(formula.inputs[len(arrays) :]):
            operands[f"n{number}_{k}"] = Number(number, k)
            given[name] = Expr.input(f"n{number}_{k}")
        assert numbers == len(formula.inputs) - len(arrays)
        outputs = rebuilt(formula.outputs, given, kind.dtype.name)
        made = [self.write(x, kind)[0] for x in arrays[: len(outputs)]]
        self.add(Loop((n,), operands, outputs, made, kind.dtype.name))

    def assigns(self, leaf: Any, gradient: Any) -> None:
        """The gradient of a leaf is set, or dropped. If the program has not looked at what is dropped, it need not know
        whether there was one."""
        self.assigned.add(leaf)
        if gradient is None and leaf is not None and leaf.leaf and leaf.grad is self.entry.get(leaf):
            memory = None if leaf.grad is None or leaf.grad.flat is None else root_of(leaf.grad.flat)[0]
            if memory is None or not any(key[0] == id(memory) for key in self.outside):
                self.cleared.add(leaf)

    def stream(self, stream: Any) -> Any:
        """A stream of random numbers, as the recorder sees it."""
        from .recording import RecordedStream

        return RecordedStream(self, stream)

    def finish(self, results: list[Value]) -> Program:
        """The program, with the values that somebody outside will see."""
        memories = dict.fromkeys((*self.outside.values(), *self.arguments))
        final = [m.value for m in memories if m.value is not None and m.value.step is not None]
        return Program(self.steps, results, final, self.names)


def is_buffer(x: Any) -> bool:
    return isinstance(x, Symbol | np.ndarray) or hasattr(x, "block")


def kind_for(buffer: Any, kind: Kind) -> Kind:
    """The kind of a buffer's own dtype, on the device of `kind`."""
    return dtypes.kind_of(dtypes.BY_NUMPY[np.dtype(buffer.dtype)], kind.device)
