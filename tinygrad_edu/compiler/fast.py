"""The shortest way through a replay: one printed function for the whole call.

A replay has to check that the recording holds, to find the buffers of the arguments, to make fresh ones for the
results, to run the program, and to leave behind what the function leaves behind. All of this is known when the
recording is made. So it is printed as one Python function of straight lines, like the program itself; for the sin fit

    def fast(x0, x1):
        if x0.kind is not K0 or x0.shape != S0 or ... or changes.count != session.count:
            return MISS
        ...
        r0 = new0()
        replay(x0.flat, x1.flat, r0)
        s0.version += 1
        return Tensor(r0, S2, K2)

It takes a microsecond, where the general way (Session.replay, which this must agree with) takes ten. What is not common
has no fast way: arguments that are not plain tensors, a result with a graph, a tensor kept as an attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import changes, mode
from ..tensors import Tensor
from .interrupts import SIGINT, handler_now, shield
from .layouts import Layout

if TYPE_CHECKING:
    from .session import Session

MISS = object()  # the answer of `fast` where the recording does not hold, or is not for these arguments


def print_fast(session: Session, given: list[Tensor]) -> tuple[str, dict[str, Any]] | None:
    """The text of the function, and what its names stand for; None where there is no fast way."""
    if not is_common(session, given):
        return None
    known: dict[str, Any] = {
        "Tensor": Tensor, "MISS": MISS, "changes": changes, "session": session, "mode": mode, "shield": shield,
        "get_ident": get_ident, "lock": session.lock, "replay": session.forward.run, "handler_now": handler_now,
        "SIGINT": SIGINT,
    }  # fmt: skip

    def name(letter: str, thing: Any) -> str:
        text = f"{letter}{sum(k.startswith(letter) and k[len(letter) :].isdigit() for k in known)}"
        known[text] = thing
        return text

    inputs = [f"x{k}" for k in range(len(given))]
    holds: list[str] = ["changes.count == session.count", f"mode.grad is {mode.grad}", "mode.recorder is None"]
    for x, tensor in zip(inputs, given, strict=True):
        holds += [f"type({x}) is {name('T', type(tensor))}", f"{x}.kind is {name('K', tensor.kind)}"]
        holds += [f"{x}.shape == {name('S', tensor.shape)}", f"{x}.flat is not None", f"{x}.node is None"]
    if session.changing:
        holds.append(lies_apart(session, given, inputs, name))
    for leaf, none in session.guards:
        holds.append(f"{name('leaf', leaf)}.grad is {'' if none else 'not '}None")
    for where, key, tensor in session.found:
        found = f"{name('cell', where)}.cell_contents" if key is None else f"{name('names', where)}.get({key!r})"
        holds.append(f"{found} is {name('t', tensor)}")
    forward = session.forward
    fresh = [f"r{k}" for k in range(len(forward.program.results))]
    lines = [f"    {name('leaf', leaf)}.grad = None" for leaf in session.dropped]
    if forward.makers is not None:
        lines += [f"    {r} = {name('new', make)}()" for r, make in zip(fresh, forward.makers, strict=True)]
    elif fresh:
        lines.append(f"    {', '.join(fresh)}, = {name('new', forward.fresh)}()")
    lines += [
        "    with lock:",
        "        held = get_ident() == shield.main",
        "        if held:",
        "            if handler_now(SIGINT) is not shield.seen:",
        "                shield.install()",
        "            shield.steps += 1",
        "        try:",
    ]
    arguments = [f"x{source}.flat" for source in session.recorder.sources[: session.inputs]]
    numbers = ""
    if session.recorder.updates:
        lines += ["            numbers = session.numbers()"]
        numbers = ", *numbers"
    lines.append(f"            replay({', '.join([*arguments, *fresh])}{numbers})")
    for leaf, what in session.new_gradients:
        g = made(what, session, name) if isinstance(what, Layout) else "None" if what is None else name("g", what)
        lines.append(f"            {name('leaf', leaf)}.grad = {g}")
    lines += [f"            {name('s', shared)}.version += 1" for shared in session.counted]
    lines += [f"            {name('o', optimizer)}.steps += 1" for optimizer in session.recorder.steppers]
    lines += ["        finally:", "            if held:", "                shield.steps -= 1"]
    lines += ["                if shield.noted is not None:", "                    shield.deliver()"]
    texts = []
    for k, (how, what) in enumerate(session.returned):
        node = name("node", session.used_up) if k in session.with_graph else ""
        texts.append(made(what, session, name, node) if how == "new" else name("t", what))
    result = texts[0] if session.single else f"{name('rebuild', session.rebuild)}([{', '.join(texts)}])"
    head = [f"def fast({', '.join(inputs)}):", f"    if not ({' and '.join(holds)}):", "        return MISS"]
    return "\n".join([*head, *lines, f"    return {result}"]) + "\n", known


def lies_apart(session: Session, given: list[Tensor], inputs: list[str], name: Callable[[str, Any], str]) -> str:
    """The text of session.apart. An array that owns its memory, or sees all of one that does, is looked up quickly."""
    slow = f"{name('apart', session.apart)}({', '.join(f'{x}.flat' for x in inputs)})"
    if session.changed_arguments or any(x.kind.device.type != "cpu" for x in given):
        return slow
    changed = name("changed", session.changed_roots)
    array = name("array", np.ndarray)
    quick = [
        f"((base := {x}.flat.base) is None and id({x}.flat) not in {changed}"
        f" or type(base) is {array} and base.base is None and id(base) not in {changed})"
        for x in inputs
    ]
    return f"({' and '.join(quick)} or {slow})"


def is_common(session: Session, given: list[Tensor]) -> bool:
    return (
        (session.freed or not session.with_graph)
        and not session.escaped
        and not session.checked
        and all(x.node is None and x.flat is not None for x in given)
        and all(type(source) is int for source in session.recorder.sources[: session.inputs])
        and all(type(where) is not int for where, _ in session.new_gradients)
        and all(how == "same" or (how == "new" and what.value.memory is None) for how, what in session.returned)
        and all(what.whole for how, what in session.returned if how == "new")
        and all(what.whole for _, what in session.new_gradients if isinstance(what, Layout))
    )


def made(layout: Layout, session: Session, name: Callable[[str, Any], str], node: str = "") -> str:
    """The text that makes a tensor of a result."""
    parts = [f"r{session.forward.slot[layout.value]}", name("S", layout.shape), name("K", layout.kind)]
    return f"Tensor({', '.join([*parts, node] if node else parts)})"
