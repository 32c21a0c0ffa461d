"""Recurrent networks: layers that read a sequence and keep a state.

    RNN, LSTM, GRU                  whole sequences, in several layers and both directions
    RNNCell, LSTMCell, GRUCell      one step, for loops of your own

    x (T, N, input_size)  ──▶  output (T, N, D · hidden_size),   state (num_layers · D, N, hidden_size)

T steps of N sequences; D = 2 if `bidirectional`: a second layer reads from the end, and both outputs stand side by
side. With `batch_first` x and the output are (N, T, ·); a single sequence may leave N out. Every weight starts
uniform in ±1/√hidden_size. The formulas, and how a sequence is computed by one kernel, are in ops/recurrent.py.

Source: PyTorch documentation, torch.nn, "Recurrent Layers"; for bidirectional ones, M. Schuster, K. Paliwal,
Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing 45(11), 1997.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..creation import empty, zeros
from ..ops.joining import cat, stack
from ..ops.recurrent import STEPS, fused, linear, stepwise
from ..tensors import Tensor
from . import functional as F
from . import init
from .module import Module, Parameter

GATES = {"RNN_TANH": ("tanh", 1), "RNN_RELU": ("relu", 1), "LSTM": ("lstm", 4), "GRU": ("gru", 3)}
OPTIONS = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}


class Recurrent(Module):
    """What all have in common: first weights, and tensors of the right kind."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw new initial weights; PyTorch's own for the same seed."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def check(self, name: str, x: Any, dims: tuple[int, ...]) -> None:
        if not isinstance(x, Tensor):
            packed = ": packed sequences are not supported, pad them and mask what you padded"
            what = packed if hasattr(x, "batch_sizes") else ""
            raise TypeError(f"{type(self).__name__}: Expected {name} to be a Tensor, not {type(x).__name__}{what}")
        if x.dim() not in dims:
            raise ValueError(
                f"{type(self).__name__}: Expected {name} to be {dims[0]}D or {dims[1]}D, got {x.dim()}D instead"
            )


class RNNBase(Recurrent):
    """The layers of RNN, LSTM and GRU; `mode` is one of 'RNN_TANH', 'RNN_RELU', 'LSTM', 'GRU'."""

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                stacklevel=3,
            )
        for name, value, wanted in (
            ("bias", bias, bool), ("batch_first", batch_first, bool),
            ("input_size", input_size, int), ("hidden_size", hidden_size, int),
        ):  # fmt: skip
            if not isinstance(value, wanted):
                raise TypeError(f"{name} should be of type {wanted.__name__}, got: {type(value).__name__}")
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if value <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        rows, width = GATES[mode][1] * hidden_size, proj_size or hidden_size
        self._names: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                below = input_size if layer == 0 else width * (1 + bidirectional)
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, below), "weight_hh": (rows, width)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    setattr(self, f"{name}_l{layer}{suffix}", Parameter(empty(*shape, dtype=dtype, device=device)))
                self._names.append([f"{name}_l{layer}{suffix}" for name in shapes])
        self.reset_parameters()

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names]

    def flatten_parameters(self) -> None:
        """Nothing: there is no faster layout to bring the weights into."""

    def extra_repr(self) -> str:
        options = "".join(f", {k}={getattr(self, k)}" for k, usual in OPTIONS.items() if getattr(self, k) != usual)
        return f"{self.input_size}, {self.hidden_size}{options}"

    def first_state(self, input: Tensor, hx: Any, batched: bool) -> list[Tensor]:
        """h (and c) of all layers, (layers, N, width): those given, checked, or zeros."""
        batch, layers = input.shape[1], len(self._names)
        widths = [self.proj_size or self.hidden_size, self.hidden_size][: 1 + (self.mode == "LSTM")]
        wanted = [(layers, batch, width) for width in widths]
        if hx is None:
            return [zeros(*shape, dtype=input.dtype, device=input.device) for shape in wanted]
        given = list(hx) if self.mode == "LSTM" and isinstance(hx, tuple | list) else [hx]
        if len(given) != len(wanted) or not all(isinstance(state, Tensor) for state in given):
            raise TypeError(f"{self.mode}: hx must be {'a pair of tensors' if len(wanted) == 2 else 'a Tensor'}")
        if any(state.dim() != (3 if batched else 2) for state in given):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            found = " and ".join(f"{state.dim()}-D" for state in given)
            raise RuntimeError(f"For {kind} input, hx should also be {3 if batched else 2}-D but got {found} tensor")
        given = given if batched else [state.unsqueeze(1) for state in given]
        for k, (state, shape) in enumerate(zip(given, wanted, strict=True)):
            if state.shape != shape:
                what = f"hidden[{k}]" if len(wanted) == 2 else "hidden"
                raise RuntimeError(f"Expected {what} size {shape}, got {list(state.shape)}")
            if state.kind is not input.kind:
                raise RuntimeError(
                    f"Input and hidden tensors are not the same dtype, found input tensor with {input.dtype} and "
                    f"hidden tensor with {state.dtype}"
                )
        return given

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """(output, h_n), of an LSTM (output, (h_n, c_n)); hx is h, or (h, c), and zeros where it is None."""
        self.check("input", input, (2, 3))
        first, batched = self.all_weights[0][0], input.dim() == 3
        x = input if batched else input.unsqueeze(1)
        x = x.transpose(0, 1) if self.batch_first and batched else x
        if x.kind is not first.kind:
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({first.dtype}). Convert input: "
                f"input.to({first.dtype}), or convert model: model.to({x.dtype})"
            )
        if x.shape[2] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[2]}"
            )
        states = self.first_state(x, hx, batched)
        if x.shape[0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        x, last = self.layers(x, states)
        x = x.transpose(0, 1) if self.batch_first and batched else x
        if not batched:
            x, last = x.squeeze(1), [state.squeeze(1) for state in last]
        return x, (tuple(last) if len(last) == 2 else last[0])

    def layers(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The output of the last layer, and the last states of all."""
        cell, directions = GATES[self.mode][0], 1 + self.bidirectional
        last = []
        for k, weights in enumerate(self.all_weights):
            if k % directions == 0:
                below, outputs = x, []
            state = (states[0][k], states[1][k] if len(states) == 2 else None)
            reverse = bool(k % directions)
            if self.proj_size:
                out, end = stepwise(cell, below, state, weights[:-1], weights[-1], reverse)
            else:
                out, end = fused(cell, below, state, weights, reverse)
            outputs.append(out)
            last.append(end)
            if reverse or directions == 1:
                x = cat(outputs, 2) if directions == 2 else out
                if self.dropout and k < len(self._names) - directions:
                    x = F.dropout(x, self.dropout, self.training)
        return x, [stack([end[i] for end in last]) for i in range(len(states))]


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu: the simplest recurrent layer.

    >>> import tinygrad_edu as tg
    >>> rnn = tg.nn.RNN(3, 4, num_layers=2, bidirectional=True)
    >>> output, h_n = rnn(tg.zeros(5, 2, 3))
    >>> output.shape, h_n.shape
    (torch.Size([5, 2, 8]), torch.Size([4, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        *args: Any,
        **options: Any,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        refuse_projection(options)
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, *args, **options)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory: a second state c, which gates write, keep and read. Gates in the order i, f, g, o.

    With `proj_size` each h is multiplied by a matrix weight_hr (proj_size, hidden_size) before it is given on.

    >>> import tinygrad_edu as tg
    >>> lstm = tg.nn.LSTM(3, 4, batch_first=True)
    >>> lstm
    LSTM(3, 4, batch_first=True)
    >>> output, (h_n, c_n) = lstm(tg.zeros(2, 5, 3))
    >>> output.shape, c_n.shape
    (torch.Size([2, 5, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__("LSTM", *args, **options)


class GRU(RNNBase):
    """Gated recurrent unit: h' = (1 - z) n + z h. Gates in the order r, z, n.

    >>> import tinygrad_edu as tg
    >>> tg.nn.GRU(3, 4)(tg.zeros(5, 3))[0].shape  # one sequence, without a batch
    torch.Size([5, 4])
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        refuse_projection(options)
        super().__init__("GRU", *args, **options)


def refuse_projection(options: dict[str, Any]) -> None:
    if "proj_size" in options:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNNCellBase(Recurrent):
    """One step of a layer; `num_chunks` is the number of gates."""

    cell: str

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        for name, shape in (
            ("weight_ih", (rows, input_size)), ("weight_hh", (rows, hidden_size)), ("bias_ih", (rows,)),
            ("bias_hh", (rows,)),
        ):  # fmt: skip
            wanted = bias or "weight" in name
            made = Parameter(empty(*shape, dtype=dtype, device=device)) if wanted else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def extra_repr(self) -> str:
        bias = "" if self.bias is True else f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return f"{self.input_size}, {self.hidden_size}{bias}" + (
            "" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity}"
        )

    def step(self, input: Tensor, given: list[Tensor] | None, names: tuple[str, ...]) -> list[Tensor]:
        """The new h (and c)."""
        self.check("input", input, (1, 2))
        for name, state in zip(names, given or (), strict=False):
            self.check(name, state, (1, 2))
        x = input if input.dim() == 2 else input.unsqueeze(0)
        if x.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}")
        shape = (x.shape[0], self.hidden_size)
        if given is None:
            given = [zeros(*shape, dtype=x.dtype, device=x.device) for _ in names]
        elif input.dim() == 1:
            given = [state.unsqueeze(0) if state.dim() == 1 else state for state in given]
        for k, state in enumerate(given):
            if state.shape != shape:
                raise RuntimeError(
                    f"Input batch size and hidden_size {list(shape)} don't match hidden{k} {list(state.shape)}"
                )
        h, c = (*given, None)[:2]
        a = linear(x, self.weight_ih, self.bias_ih)
        found = [state for state in STEPS[self.cell](a, (h, c), self.weight_hh, self.bias_hh) if state is not None]
        return found if input.dim() == 2 else [state.squeeze(0) for state in found]


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu: (N, input_size), (N, hidden_size) -> (N, hidden_size)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        self.cell = self.nonlinearity
        return self.step(input, None if hx is None else [hx], ("hidden",))[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: x and (h, c) -> (h', c').

    >>> import tinygrad_edu as tg
    >>> h, c = tg.nn.LSTMCell(3, 4)(tg.zeros(2, 3))
    >>> c.shape
    torch.Size([2, 4])
    """

    cell = "lstm"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, ...]:
        return tuple(self.step(input, None if hx is None else list(hx), ("hx[0]", "hx[1]")))


class GRUCell(RNNCellBase):
    """One step of a GRU: x and h -> h'."""

    cell = "gru"

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self.step(input, None if hx is None else [hx], ("hidden",))[0]
