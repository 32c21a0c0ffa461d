"""Tensors and other libraries' arrays on the same memory: NumPy's, DLPack's, and those of the CUDA array interface.

The problem. Two libraries that compute with the same numbers should not copy them back and forth.

The idea. What a tensor is to others is an address with a shape, strides and a dtype, and that is what an array of
NumPy's is. So each way in ends in one function, `on_memory(array)`, and each way out begins with one array:

    from_numpy(a)         ── a ─────────────────────────────┐
    from_dlpack(y)        ── capsule ── NumPy ── array ─────┼──▶ on_memory ──▶ tensor ──▶ array ──┬── x.numpy()
    as_tensor(y)          ── __cuda_array_interface__ ──────┘                                     ├── x.__dlpack__()
                                                                                                  └── x.__cuda_array_...

For memory of a GPU the array is a shell, which nobody looks into: cuda/exchange.py, loaded when the first one comes.

Whoever looks at the memory keeps it alive: the tensor the other library's object, the capsule the tensor's buffer. A
change on one side shows on the other, and no version is counted for it: a graph that has saved the old numbers does not
notice. A tensor that requires a gradient is not given away, for its gradient would stay behind.

Source: DLPack 1.0, "Python Specification"; Numba documentation, CUDA Array Interface (version 3); PyTorch
documentation, torch.utils.dlpack.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from tinygrad_kernels import capsule as capsules
from tinygrad_kernels.backend import get_backend

from .. import dtypes
from ..dtypes import BY_NUMPY, Kind, as_device, kind_of
from ..graph import share
from .conversion import laid_out
from .strides import Size

if TYPE_CHECKING:
    from ..tensors import Tensor


class DLDeviceType(IntEnum):
    """DLPack's numbers for the devices that tensors can lie on, or come from."""

    kDLCPU = capsules.CPU
    kDLCUDA = capsules.CUDA
    kDLCUDAHost = capsules.CUDA_HOST  # memory of the CPU that the GPU reads too
    kDLCUDAManaged = capsules.CUDA_MANAGED  # memory that wanders between the two


DEVICES = {1: "cpu", 2: "cuda", 3: "cpu", 13: "cuda"}
INTERFACE = "__cuda_array_interface__"


def on_memory(array: np.ndarray, device: dtypes.device = dtypes.CPU) -> Tensor:
    """A tensor on the memory of an array; for a GPU, of a shell. ValueError for strides that a tensor cannot have."""
    if array.dtype not in BY_NUMPY:
        raise TypeError(f"can't convert np.ndarray of type {array.dtype}; supported are {', '.join(dtypes.BY_NAME)}")
    kind = kind_of(BY_NUMPY[array.dtype], device)
    if array.flags.c_contiguous:
        return Tensor(buffer_on(array.reshape(-1), kind), Size(array.shape), kind)
    steps = tuple(s // array.itemsize for s in array.strides)
    if any(s % array.itemsize or s < 0 for s in array.strides):
        raise ValueError("negative or fractional strides are not supported: pass a copy of the array, array.copy()")
    reach = sum((n - 1) * s for n, s in zip(array.shape, steps, strict=True)) + 1
    x = Tensor(None, Size(array.shape), kind)
    flat = np.lib.stride_tricks.as_strided(array, (reach,), (array.itemsize,))
    x.region = (buffer_on(flat, kind), 0, steps, None)
    return x


def buffer_on(flat: np.ndarray, kind: Kind) -> Any:
    """The buffer on the memory of a flat array or shell."""
    if kind.device.type == "cpu":
        return flat
    from tinygrad_kernels.cuda.exchange import adopt

    return adopt(flat)


def shell_of(x: Tensor, lent: bool) -> np.ndarray:
    """The address of a tensor on a GPU as an array. One that is lent keeps the memory alive."""
    from tinygrad_kernels.cuda.exchange import shell

    share(x)
    return shell(x.flat, lent).reshape(x.shape) if x.flat is not None else laid_out(x, shell(x.region[0], lent))


class ExchangeMethods:
    """What other libraries ask a Tensor for."""

    __slots__ = ()

    def __dlpack_device__(self: Any) -> tuple[DLDeviceType, int]:
        """Where the tensor lies, in DLPack's numbers."""
        on_cpu = self.kind.device.type == "cpu"
        return DLDeviceType.kDLCPU if on_cpu else DLDeviceType.kDLCUDA, 0

    def __dlpack__(
        self: Any,
        stream: int | None = None,
        *,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule on the tensor's memory, for another library's `from_dlpack(x)`, which calls this.

        On a GPU what is queued on `stream` (None: the default one) will wait for what is queued here; -1 waits for
        nothing. With `copy`, or for another device, the memory is a copy's.
        """
        if self.node is not None:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        if stream is not None and type(stream) is not int:
            raise TypeError("stream must be ``int`` or ``none``")
        here = self.__dlpack_device__()
        if here[0] == capsules.CPU and stream not in (None, -1):
            raise AssertionError("stream should be None on cpu.")
        if dl_device is not None and tuple(dl_device) != here:
            target = device_of(*dl_device)
            if copy is False:
                raise ValueError(
                    f"cannot move (i.e. copy=False) tensor from {self.device} to {target} without copying."
                )
            return self.to(target).__dlpack__(max_version=max_version)
        x = self.clone() if copy else self
        if here[0] == capsules.CPU:
            return capsules.wrap(x.numpy(), max_version)
        from tinygrad_kernels.cuda.exchange import hand_over

        hand_over(stream)
        return capsules.relabel(capsules.wrap(shell_of(x, lent=True), max_version), here)

    @property
    def __cuda_array_interface__(self: Any) -> dict[str, Any]:
        """Where a tensor on a GPU lies, for libraries such as CuPy and Numba. AttributeError for one on the CPU.

        Those who look there keep the tensor, until what they have queued is done.
        """
        if self.kind.device.type == "cpu":
            raise AttributeError
        if self.node is not None:
            raise RuntimeError(
                f"Can't get {INTERFACE} on Variable that requires grad. If gradients aren't required, use var.detach() "
                "to get Variable that doesn't require grad."
            )
        from tinygrad_kernels.cuda.exchange import stream

        facts = shell_of(self, lent=False).__array_interface__
        facts["data"] = (facts["data"][0] if self.numel() else 0, False)
        return {name: facts[name] for name in ("shape", "typestr", "strides", "data", "version")} | {"stream": stream()}


def device_of(kind: int, number: int) -> dtypes.device:
    """The device with DLPack's numbers. BufferError for one that tensors cannot lie on; RuntimeError without a GPU."""
    if kind not in DEVICES:
        raise BufferError(f"from_dlpack(): device type {int(kind)} is not supported, only the CPU (1) and CUDA (2)")
    name = DEVICES[kind]
    get_backend(name)
    return kind_of(dtypes.float32, dtypes.device(name, number if name == "cuda" else None)).device


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor on the memory of another library's array (or of a DLPack capsule): a change of one shows in the other.

    `device` moves it, `copy` makes it independent. It may be written to even if the other library forbids it, as in
    PyTorch. TypeError for a dtype that there are no kernels for.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> t = from_dlpack(a)
    >>> t += 1.0
    >>> a
    array([1., 1.])
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        if device is not None or copy is not None:
            raise AssertionError("device and copy kwargs not supported when ext_tensor is already a DLPack capsule.")
        return taken_over(ext_tensor)
    source = device_of(*ext_tensor.__dlpack_device__())
    target = source if device is None else kind_of(dtypes.float32, as_device(device)).device
    if copy is False and target != source:
        raise ValueError(
            f"cannot move DLPack tensor from device {source} to {target} without copying. Set copy=None or copy=True."
        )
    wishes: dict[str, Any] = {"max_version": capsules.VERSION}
    if source.type == "cuda":
        from tinygrad_kernels.cuda.exchange import stream

        wishes["stream"] = stream()
    try:
        capsule = ext_tensor.__dlpack__(**wishes)
    except TypeError:  # a library from before version 1.0
        del wishes["max_version"]
        capsule = ext_tensor.__dlpack__(**wishes)
    x = taken_over(capsule)
    return x.to(target) if target != source else x.clone() if copy else x


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule on a tensor's memory, for a `from_dlpack(capsule)`. It can be used once.

    >>> import tinygrad_edu as tg
    >>> from_dlpack(to_dlpack(tg.ones(2)))
    tensor([1., 1.])
    """
    return tensor.__dlpack__()


def taken_over(capsule: Any) -> Tensor:
    """The tensor on the memory that a capsule describes."""
    device = device_of(*capsules.device_in(capsule))
    return on_memory(capsules.unwrap(capsules.relabel(capsule, (capsules.CPU, 0))), device)


def from_cuda_array(array: Any) -> Tensor:
    """The tensor on the memory of an object with a `__cuda_array_interface__`, which it keeps alive."""
    device = device_of(capsules.CUDA, 0)
    from tinygrad_kernels.cuda.exchange import described

    return on_memory(described(getattr(array, INTERFACE), array), device)
