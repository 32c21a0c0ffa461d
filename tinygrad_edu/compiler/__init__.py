"""A compiler for tensors: record a function once, fuse what it does, replay it.

    step = compile(step)
    step(x, y)            records, compiles, runs
    step(x, y)            replays: a few kernels, no graph, almost no Python

The first call runs the function on a backend that computes nothing and writes everything down (recorder.py). The
recording is a list of steps over values (program.py), which a few passes make shorter (passes.py, fusion.py). Every
value gets a place in memory (planning.py), every step becomes a call of a kernel from the same printers that eager mode
uses (emission.py); made.py has all of this in a row, and capture.py makes few launches of it on a GPU. session.py is
one recording from beginning to end; updates.py lets optimizers take part; and scalars.py does the same for `Value`s,
where the list of steps is all there is.

Reading order: program, recorder, passes, order, fusion, planning, emission, made, session.

Source: PyTorch documentation, torch.compile (the interface); R. Frostig, M. Johnson, C. Leary, Compiling machine
learning programs via high-level tracing, SysML 2018.
"""

from __future__ import annotations

from typing import Any


def compile(
    model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = "inductor",
    mode: str | None = None, options: dict[str, Any] | None = None, disable: bool = False,
) -> Any:  # fmt: skip
    """Make a function (or a Module) of tensors fast: it is recorded at its first call, fused, and then replayed.

    The function may be a whole training step, with `backward()` and `optimizer.step()` in it. It is recorded again for
    arguments of other shapes, dtypes or devices. Numbers are constants of the recording, unless they are tensors; of
    what else it does in Python (printing, appending to lists) nothing is repeated. What cannot be recorded raises
    RuntimeError with the line. `program` of the result describes the latest recording.

    The other arguments are PyTorch's, and change nothing here, but for `disable`.

    >>> import tinygrad_edu as tg
    >>> @tg.compile
    ... def f(x):
    ...     return (x * 2.0 + 1.0).tanh().sum()
    >>> f(tg.zeros(3))
    tensor(2.2848)
    >>> f.program.steps                      # recorded, left after fusing
    (4, 1)
    """
    if model is None:
        return lambda function: compile(function, disable=disable)
    if disable:
        return model
    if isinstance(model, type) or not callable(model):
        raise TypeError(f"compile takes a function or a Module, not {model!r}")
    from .functions import CompiledFunction
    from .modules import CompiledModule, Module

    return CompiledModule(model) if isinstance(model, Module) else CompiledFunction(model)
