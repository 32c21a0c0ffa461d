"""The recorder as the backend of a device: kernels that write a step down when they are called.

`recording` puts it in the place of the real backends for the length of a `with` block, in this thread; `suspended` puts
them back in the middle of one. Everything that was prepared for kinds of tensors is set aside meanwhile (prepared.py),
so that every operation asks for its kernel anew, and gets a recording one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from tinygrad_kernels.codegen import Signature
from tinygrad_kernels.expr import Formula

from .. import dtypes
from ..graph import mode
from ..prepared import set_aside
from .memory import root_of
from .program import Call, Piece, Shape
from .recorder import Recorder
from .symbols import Constant, Memory, Symbol, active, cannot


class RecordingBackend:
    """The backend of a device while recording. What other threads ask for goes to the real one."""

    def __init__(self, real: Any, device: Any, recorder: Recorder) -> None:
        self.real, self.recorder = real, recorder
        self.kinds = {d.numpy: dtypes.kind_of(d, device) for d in dtypes.BY_NAME.values()}
        self.kind = self.kinds[np.dtype("float32")]  # any one: it says which device
        self.PARALLEL_FROM, self.Generator = real.PARALLEL_FROM, real.Generator

    def _elsewhere(self) -> bool:
        return threading.get_ident() != self.recorder.thread

    def allocator(self, dtype: str) -> Callable[[int], Any]:
        kind = self.kinds[np.dtype(dtype)]

        def empty(n: int) -> Any:
            if self._elsewhere():
                return self.real.allocator(dtype)(n)
            return Symbol(Memory(int(n), kind), 0, int(n))

        return empty

    def maker(self, dtype: str, n: int) -> Callable[[], Any]:
        empty = self.allocator(dtype)
        return lambda: empty(n)

    def from_numpy(self, array: Any) -> Any:
        return self.real.from_numpy(array)

    def to_numpy(self, buffer: Any) -> Any:
        if self._elsewhere():
            return self.real.to_numpy(buffer)
        raise cannot(
            "the numbers in a tensor are asked for",
            "return the tensor, and ask for the number outside; in place of an `if`, choose with tg.where",
        )

    def address(self, buffer: Any) -> int:
        if self._elsewhere():
            return self.real.address(buffer)
        raise cannot("the address of a tensor is asked for")

    def flat(self, formula: Formula, signature: Signature, big: bool) -> Callable:
        if self._elsewhere():
            return self.real.flat(formula, signature, big)
        in_place, outputs = signature.in_place, len(formula.outputs)

        def record(*arguments: Any) -> None:
            results = arguments[: in_place or outputs]
            inputs = arguments if in_place else arguments[outputs:]
            given = [
                x if how == "number" else (x, 0, (1 if how == "flat" else 0,))
                for x, how in zip(inputs, signature.access, strict=True)
            ]
            places = [None] * len(results)
            self.recorder.loop(formula, signature, self.kind, (results[0].size,), list(results), places, given)

        return record

    def strided(self, formula: Formula, signature: Signature, dimensions: int, big: bool) -> Callable:
        if self._elsewhere():
            return self.real.strided(formula, signature, dimensions, big)

        def record(shape: Shape, *arguments: Any) -> None:
            rest = list(arguments)
            out = None if signature.in_place else (rest.pop(0), rest.pop(0))
            given: list[Any] = []
            for how in signature.access[: len(formula.inputs)]:
                x = rest.pop(0)
                if how != "number":
                    at = rest.pop(0)
                    x = (x, at[0], tuple(at[1:]))
                given.append(x)
            if out is None:
                out = (given[0][0], (given[0][1], *given[0][2]))
            place = (out[1][0], tuple(out[1][1:]))
            self.recorder.loop(formula, signature, self.kind, tuple(shape), [out[0]], [place], given)

        return record

    def rows(self, formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable:
        if self._elsewhere():
            return self.real.rows(formula, signature, big, op)

        def record(out: Any, width: int, divisor: float, *inputs: Any) -> None:
            self.recorder.fold(formula, signature, self.kind, op, (out.size, width), out, divisor, inputs)

        return record

    def columns(self, formula: Formula, signature: Signature, big: bool, op: str = "sum") -> Callable:
        if self._elsewhere():
            return self.real.columns(formula, signature, big, op)

        def record(out: Any, height: int, width: int, divisor: float, *inputs: Any) -> None:
            shape = (out.size // max(width, 1), height, width)
            self.recorder.fold(formula, signature, self.kind, op, shape, out, divisor, inputs)

        return record

    def matmul_kernel(self, dtype: str, *layout: Any) -> tuple[Callable, Any]:
        kernel, sizes = self.real.matmul_kernel(dtype, *layout)
        if self._elsewhere():
            return kernel, sizes

        def ending(formula: Formula) -> Callable | None:
            return self.real.matmul_ending(formula, dtype, *layout)

        def record(*arguments: Any) -> None:
            self.recorder.call("matmul", kernel, arguments, self.kind, ending=ending)

        return record, Constant(sizes)

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.real, name)
        if self._elsewhere() or name.startswith("_"):
            return function
        return lambda *arguments, **options: self.recorder.call(name, function, arguments, self.kind, options)


class RecordedStream:
    """A stream of random numbers whose draws are steps: each replay draws anew."""

    def __init__(self, recorder: Recorder, stream: Any) -> None:
        self.recorder, self.real = recorder, stream

    def __getattr__(self, name: str) -> Any:
        draw = getattr(self.real, name)

        def record(buffer: Any, *parameters: Any, **options: Any) -> None:
            if not isinstance(buffer, Symbol):
                raise cannot(f"random numbers are drawn by '{name}'", "draw them outside and pass them in")
            value = self.recorder.write(buffer, buffer.memory.kind)
            piece = Piece(value[0], *value[1:3])
            read = [] if value[3] is None else [value[3]]
            self.recorder.add(Call(name, draw, (piece, *parameters), read, [value[0]], pure=False, options=options))

        return record


one_at_a_time = threading.RLock()


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Inside, what tensors are asked to compute in this thread goes to the recorder."""
    for device in {kind.device for kind in dtypes._kinds.values()}:
        for d in dtypes.BY_NAME.values():
            dtypes.kind_of(d, device)  # none may be made while the real backend is out of the way
    with one_at_a_time, set_aside():
        kinds = list({id(kind): kind for kind in dtypes._kinds.values()}.values())
        recorder.ones = {id(root_of(kind.one)[0]) for kind in kinds}
        before = [(kind.backend, kind.empty) for kind in kinds]
        backends = {id(k.backend): RecordingBackend(k.backend, k.device, recorder) for k in kinds}
        outer, mode.recorder = mode.recorder, recorder
        try:
            for kind in kinds:
                kind.backend = backends[id(kind.backend)]  # type: ignore[assignment]
                kind.empty = kind.backend.allocator(kind.dtype.name)
            yield
        finally:
            mode.recorder = outer
            for kind, (backend, empty) in zip(kinds, before, strict=True):
                kind.backend, kind.empty = backend, empty


@contextmanager
def suspended() -> Iterator[None]:
    """Inside, in the middle of a recording, tensors compute as usual."""
    recorder = active()
    changed = [(kind, kind.backend, kind.empty) for kind in {id(k): k for k in dtypes._kinds.values()}.values()]
    with set_aside():
        mode.recorder = None
        for kind, backend, _ in changed:
            kind.backend = backend.real  # type: ignore[attr-defined]
            kind.empty = kind.backend.allocator(kind.dtype.name)
        try:
            yield
        finally:
            mode.recorder = recorder
            for kind, backend, empty in changed:
                kind.backend, kind.empty = backend, empty
