"""Filling a tensor with random numbers, in place: which generator, and in which order.

The problem. A stream of numbers is one-dimensional. Programs that should agree number by number must agree on the order
in which the elements of a tensor take theirs.

The idea. Elements are filled in the order in which they lie in *memory*, so that a transposed tensor gets the numbers
of the tensor that it is a view of. Uniform, normal and Bernoulli numbers come from loops over the words of the Mersenne
Twister (tinygrad_kernels/cpu/random.py); the distributions below are transformations of a float64 uniform u:

    exponential    -log(1 - u) / λ             geometric     ceil(log u / log(1 - p))
    log-normal     exp(normal)                 Cauchy        m + σ tan(π (u - ½))

Each is the inverse of the distribution function: F⁻¹(u) is distributed as F says.

Source: L. Devroye, Non-Uniform Random Variate Generation, 1986, chapter II.2; the order is PyTorch's TensorIterator's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..dtypes import as_device, float64, kind_of, uint8
from ..graph import mode, share
from .conversion import from_array, says_wrong
from .in_place import overwrite
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


class Generator:
    """A source of random numbers of its own, to be passed as `generator=`, for tensors on a device.

    >>> import tinygrad_edu as tg
    >>> tg.rand(2, generator=tg.Generator().manual_seed(0))
    tensor([0.4963, 0.7682])
    """

    def __init__(self, device: Any = "cpu") -> None:
        kind = kind_of(uint8, as_device(device))
        self.device = kind.device
        self.stream = kind.backend.Generator()

    def manual_seed(self, seed: int) -> Generator:
        """Start over with this seed."""
        self.stream.manual_seed(seed)
        return self

    def initial_seed(self) -> int:
        """The seed that it was started with."""
        return self.stream.initial_seed()

    def seed(self) -> int:
        """Start over with a seed that nobody knows, and return it."""
        return self.stream.seed()

    def get_state(self) -> Tensor:
        """The state as bytes (uint8) on the CPU, laid out as PyTorch's."""
        return from_array(self.stream.get_state(), kind_of(uint8))

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue from what get_state() returned. TypeError for anything but a tensor of bytes."""
        if not isinstance(new_state, Tensor) or new_state.dtype is not uint8:
            raise TypeError("expected a torch.ByteTensor: pass what get_state() returned")
        self.stream.set_state(new_state.contiguous().numpy())
        return self


default_generator = Generator()
_of_devices: dict[Any, Generator] = {default_generator.device: default_generator}  # the program's own generators


def generator_of(device: Any) -> Generator:
    """The program's own generator for tensors on a device. Its seed is the one that was last given to manual_seed."""
    found = _of_devices.get(device)
    if found is None:
        found = _of_devices[device] = Generator(device).manual_seed(default_generator.initial_seed())
    return found


def seed_all(seed: int) -> None:
    """Start all of the program's generators over."""
    for generator in _of_devices.values():
        generator.manual_seed(seed)


def chosen(generator: Any, device: Any) -> Any:
    """The stream of a `generator=` argument for tensors on a device: None is the program's own."""
    if generator is None:
        stream = generator_of(device).stream
        return stream if mode.recorder is None else mode.recorder.stream(stream)
    if not isinstance(generator, Generator):
        raise TypeError(f"argument 'generator' must be torch.Generator, not {type(generator).__name__}")
    if generator.device != device:
        raise RuntimeError(
            f"Expected a '{device}' device type for generator but found '{generator.device}': make one with "
            f"torch.Generator(device='{device}')"
        )
    return generator.stream if mode.recorder is None else mode.recorder.stream(generator.stream)


def drawn(x: Tensor, draw: str, generator: Any, *parameters: float, dtype: Any = None, singly: bool = False) -> Tensor:
    """New numbers for x, in the order of its memory: a tensor of its shape, and of its dtype or of another.

    Normal numbers are drawn in blocks, but one at a time where memory has gaps or jumps, or if `singly` says so.
    """
    kind = x.kind if dtype is None else kind_of(dtype, x.kind.device)
    fill, new = getattr(chosen(generator, kind.device), draw), kind.empty(x.numel())
    fill(new, *parameters, **({"contiguous": False} if draw == "normal" and (singly or x.flat is None) else {}))
    if x.flat is not None:
        return Tensor(new, x.shape, kind)
    steps = x.region[2]
    # The axis with the least stride runs fastest; where some are repeated (stride 0), all stay in their order.
    order = sorted(range(len(steps)), key=(lambda axis: -steps[axis]) if all(steps) else None)
    return Tensor(new, Size(x.shape[axis] for axis in order), kind).permute(
        [order.index(axis) for axis in range(len(order))]
    )


def fill(x: Tensor, draw: str, generator: Any, *parameters: Any) -> Tensor:
    """Fill x, in place."""
    if x.flat is None or x.region is not None or (mode.grad and x.node is not None):
        return overwrite(x, drawn(x, draw, generator, *parameters), draw)
    getattr(chosen(generator, x.kind.device), draw)(x.flat, *parameters)
    share(x).version += 1
    return x


def uniforms(x: Tensor, generator: Any) -> Tensor:
    """Float64 numbers in [0, 1) for the elements of x."""
    return drawn(x, "uniform", generator, dtype=float64)


def check_floating(x: Tensor, name: str) -> None:
    if not x.kind.dtype.is_floating_point:
        raise NotImplementedError(f'"{name}" not implemented for {x.kind.dtype}. Use x.float()')


def coins(x: Tensor, p: Any, generator: Any) -> Tensor:
    """1 with probability p, a number or a tensor of floats; else 0. Of the shape and dtype of x."""
    if not isinstance(p, Tensor):
        return drawn(x, "bernoulli", generator, p)
    check_floating(p, "bernoulli_tensor_cpu")
    if p.numel() and says_wrong((~((p >= 0) & (p <= 1))).any()):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false: probabilities are from 0 to 1")
    return (drawn(x, "uniform", generator, dtype=p.kind.dtype) < p.detach()).to(x.kind.dtype)


class RandomMethods:
    """The methods of Tensor that fill it with random numbers, or take it for probabilities; each has `generator=`."""

    __slots__ = ()

    def bernoulli(self: Any, p: float | None = None, *, generator: Any = None) -> Tensor:
        """tinygrad_edu.bernoulli: 1 with the probabilities of this tensor, else 0."""
        from ..random import bernoulli

        return bernoulli(self, p, generator=generator)

    def multinomial(self: Any, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
        """tinygrad_edu.multinomial: column numbers, with the weights of this tensor."""
        from ..random import multinomial

        return multinomial(self, num_samples, replacement, generator=generator)

    def uniform_(self: Any, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **named: float) -> Tensor:
        """Uniform numbers in [from, to)."""
        check_floating(self, "check_uniform_bounds")
        return fill(self, "uniform", generator, named.pop("from", from_), to)

    def normal_(self: Any, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
        """Normal numbers.

        >>> import tinygrad_edu as tg
        >>> tg.empty(3).normal_(5.0, 0.0)
        tensor([5., 5., 5.])
        """
        check_floating(self, "normal_kernel_cpu")
        return fill(self, "normal", generator, mean, std)

    def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        """1 with probability p, a number or a tensor of them; else 0.

        The numbers are those of PyTorch's portable code; on Intel processors PyTorch itself takes others.
        """
        return overwrite(self, coins(self, p, generator), "bernoulli")

    def random_(self: Any, from_: int | None = None, to: int | None = None, *, generator: Any = None) -> Tensor:
        """Whole numbers: random_(to) from 0, random_(from, to); random_() up to the greatest of the dtype."""
        if from_ is None and to is None:
            return fill(self, "random", generator)
        low, high = (0, from_) if to is None else (from_ or 0, to)
        return fill(self, "integers", generator, low, high)

    def exponential_(self: Any, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
        """Exponential numbers of rate lambd."""
        check_floating(self, "exponential")
        if lambd <= 0.0:
            raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
        if lambd == 1:
            return fill(self, "exponential", generator)
        return overwrite(self, drawn(self, "exponential", generator, dtype=float64) / lambd, "exponential")

    def geometric_(self: Any, p: float, *, generator: Any = None) -> Tensor:
        """How many trials until one succeeds, each with probability p: 1, 2, ..."""
        if not 0 < p < 1:
            raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
        return overwrite(self, (uniforms(self, generator).log() / math.log1p(-p)).ceil(), "geometric")

    def log_normal_(self: Any, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
        """The exponential of normal numbers."""
        check_floating(self, "log_normal")
        if std <= 0.0:
            raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
        normals = drawn(self, "normal", generator, mean, std, dtype=float64, singly=True)
        return overwrite(self, normals.exp(), "log_normal")

    def cauchy_(self: Any, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
        """Cauchy numbers: no mean, no variance."""
        check_floating(self, "cauchy")
        if sigma <= 0.0:
            raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
        return overwrite(self, median + sigma * (math.pi * (uniforms(self, generator) - 0.5)).tan(), "cauchy")
