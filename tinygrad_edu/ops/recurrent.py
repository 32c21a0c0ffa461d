"""Recurrent layers as operations: the lesson, step by step, and one node for a whole sequence.

    RNN     h' = tanh(W_ih x + b_ih + W_hh h + b_hh)                  (or relu)
    LSTM    c' = f c + i g,   h' = o tanh c'                          i, f, o: σ of such sums,  g: tanh of one
    GRU     h' = (1 - z) n + z h                                      r, z: σ of such sums,  n = tanh(a + r u)

What an LSTM remembers, c, is changed by a sum, so its gradient is carried back over many steps by the factor f alone;
an RNN's goes through W_hh at every step, and vanishes or explodes.

x (T, N, I): T steps of N sequences with I features; h, c (N, H); the weights (gates · H, I) and (gates · H, H).

`stepwise` below is the definition, in operations that have derivatives of any order; `fused` gives the same from the
kernels of tinygrad_kernels/cpu/recurrent.py, with one node. Where its gradient must have a graph itself, the node runs
`stepwise` again, on the same operands behind *doors*: while a door is closed it is the end of the graph, so that a
backward pass finds the gradients there; open, it is a node that hands its cotangent on, and the gradients are a part of
the graph that goes on behind it.

Sources: S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997; K. Cho et al., Learning
phrase representations using RNN encoder-decoder, EMNLP 2014; J. Elman, Finding structure in time, 1990.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..autograd.function import Bundle, Output
from ..engine import backward
from ..graph import Node, mode
from ..tensors import Tensor
from .joining import stack
from .linalg import times
from .reduction import SavingNode
from .strides import Size

State = tuple[Tensor, Tensor | None]  # h, and the LSTM's c


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    y = x @ weight.t()
    return y if bias is None else y + bias


# One step: from a = W_ih x + b_ih and the state to the next state.


def tanh_step(a: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    return (a + linear(state[0], w_hh, b_hh)).tanh(), None


def relu_step(a: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    return (a + linear(state[0], w_hh, b_hh)).relu(), None


def lstm_step(a: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    h, c = state
    i, f, g, o = (a + linear(h, w_hh, b_hh)).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_step(a: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    h, _ = state
    (a_r, a_z, a_n), (u_r, u_z, u_n) = a.chunk(3, 1), linear(h, w_hh, b_hh).chunk(3, 1)
    r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
    n = (a_n + r * u_n).tanh()
    return n + z * (h - n), None


STEPS: dict[str, Callable[..., State]] = {
    "tanh": tanh_step, "relu": relu_step, "lstm": lstm_step, "gru": gru_step,
}  # fmt: skip


def stepwise(
    cell: str,
    x: Tensor,
    state: State,
    weights: Sequence[Tensor],
    w_hr: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, State]:
    """All h (T, N, H), and the last state, one step after another; with w_hr each h is projected by it.

    `weights` are W_ih and W_hh, and b_ih and b_hh if there are any.

    >>> import tinygrad_edu as tg
    >>> x, h, one = tg.tensor([[[1.0]], [[2.0]]]), tg.zeros(1, 1), tg.ones(1, 1)
    >>> stepwise("relu", x, (h, None), [one, 10.0 * one])[0].flatten()  # h = relu(x + 10 h)
    tensor([ 1., 12.])
    """
    (w_ih, w_hh), (b_ih, b_hh) = weights[:2], weights[2:] or (None, None)
    found = []
    for a in linear(x, w_ih, b_ih).unbind(0)[:: -1 if reverse else 1]:
        h, c = STEPS[cell](a, state, w_hh, b_hh)
        state = (h if w_hr is None else linear(h, w_hr, None)), c
        found.append(state[0])
    return stack(found[:: -1 if reverse else 1]), state


class RecurrentBackward(SavingNode):
    """Keeps the operands, all states, and the gates. Its outputs are all h, and the last c, in the same memory."""

    __slots__ = ("cell", "reverse", "buffers", "shape")

    def __init__(
        self, cell: str, given: list[Tensor], results: list[Tensor], buffers: tuple, shape: tuple, reverse: bool
    ) -> None:
        super().__init__(tuple(x.node for x in given), *given, *(y.detach() for y in results))
        self.cell, self.buffers, self.shape, self.reverse = cell, buffers, shape, reverse

    def release(self) -> None:
        self.tensors, self.buffers = None, ()

    def unpacked(self, given: tuple[Tensor, ...]) -> tuple[Tensor, State, list[Tensor]]:
        """x, the first state, the weights and biases."""
        x, h, *rest = given
        return (x, (h, rest[0]), rest[1:]) if self.cell == "lstm" else (x, (h, None), rest)

    def pull(self, g: Any, graph: bool) -> list[Tensor | None]:
        given = self.saved()[: len(self.parents)]
        parts = g.parts if type(g) is Bundle else {0: g}
        if graph:
            return self.differentiable(parts, given)
        x, (_, c0), (w_ih, w_hh, *biases) = self.unpacked(given)
        kind, (steps, batch, n) = x.kind, self.shape
        hs, states, gates = self.buffers
        d = kind.empty(gates.size)
        du = kind.empty(gates.size) if self.cell == "gru" else d
        dh = Tensor(kind.empty(batch * n), (batch, n), kind).zero_()
        dc = parts[1].clone() if 1 in parts else Tensor(kind.empty(batch * n), (batch, n), kind).zero_()
        arriving = parts[0].contiguous().flat if 0 in parts else kind.empty(0)
        kind.backend.recurrent_backward(
            self.cell, d, du, dh.flat, dc.flat, arriving, hs, states, gates, w_hh.flat, self.shape, self.reverse
        )
        before = hs[batch * n :] if self.reverse else hs[: steps * batch * n]
        wide = w_hh.shape[0]
        on_x, on_h = (Tensor(delta, (steps * batch, wide), kind) for delta in (d, du))
        rows, h_before = x.reshape(steps * batch, x.shape[2]), Tensor(before, (steps * batch, n), kind)
        wanted = iter(parent is not None for parent in self.parents)
        found: list[Tensor | None] = [times(on_x, w_ih).reshape(x.shape) if next(wanted) else None]
        found += [state if next(wanted) else None for state in ((dh, dc) if c0 is not None else (dh,))]
        found += [times(delta, y, left=True) if next(wanted) else None for delta, y in ((on_x, rows), (on_h, h_before))]
        if biases:
            found += [delta.sum(0) if next(wanted) else None for delta in (on_x, on_h)]
        return found

    def differentiable(self, parts: dict[int, Tensor], given: tuple[Tensor, ...]) -> list[Tensor | None]:
        """The same by `stepwise`, whose gradients have a graph: see the top of this file."""
        doors = [None if y.node is None else Door() for y in given]
        x, state, weights = self.unpacked(
            tuple(Tensor(y.flat, y.shape, y.kind, door) for y, door in zip(given, doors, strict=True))
        )
        out, (_, c) = stepwise(self.cell, x, state, weights, reverse=self.reverse)
        found: dict[Any, Any] = {door: None for door in doors if door is not None}
        outputs: Any = (out, c)
        backward([(outputs[k].node, g) for k, g in parts.items()], graph=True, retain=True, capture=found)
        for door, y in zip(doors, given, strict=True):
            if door is not None:
                door.parents = (y.node,)
        return [None if door is None else found[door] for door in doors]


class Door(Node):
    """A node that has no parents at first, and later one, to which it hands its cotangent on."""

    __slots__ = ()
    fresh = False

    def pull(self, g: Tensor, graph: bool) -> tuple[Tensor]:
        return (g,)


def fused(cell: str, x: Tensor, state: State, weights: Sequence[Tensor], reverse: bool = False) -> tuple[Tensor, State]:
    """The same as `stepwise`, without w_hr, in one kernel."""
    kind, (steps, batch, _), (wide, n) = x.kind, x.shape, weights[1].shape
    operands = [y.contiguous() for y in (x, *state, *weights) if y is not None]
    size = batch * n
    gates = times(operands[0].reshape(steps * batch, x.shape[2]), weights[0], right=True).flat
    hs = kind.empty((steps + 1) * size)
    states = hs if cell in ("tanh", "relu") else kind.empty(hs.size)
    first, begin, last = (steps * size, 0, 0) if reverse else (0, size, steps * size)
    hs[first : first + size] = operands[1].flat
    if cell == "lstm":
        states[first : first + size] = operands[2].flat
    none = Tensor(kind.empty(wide), (wide,), kind).zero_()
    w, b_x, b_h = operands[-3:] if len(weights) == 4 else (operands[-1], none, none)
    kind.backend.recurrent(cell, hs, states, gates, w.flat, b_x.flat, b_h.flat, (steps, batch, n), reverse)
    results = [Tensor(hs[begin : begin + steps * size], Size((steps, batch, n)), kind)]
    if cell == "lstm":
        results.append(Tensor(states[last : last + size], Size((batch, n)), kind))
    if mode.grad and any(y.node is not None for y in operands):
        node = RecurrentBackward(cell, operands, results, (hs, states, gates), (steps, batch, n), reverse)
        for k, y in enumerate(results):
            y.node = Output(node, k) if cell == "lstm" else node
    out, *c_n = results
    return out, (out[0 if reverse else steps - 1], c_n[0] if c_n else None)
