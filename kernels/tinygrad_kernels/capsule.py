"""DLPack's capsules: the first lines of the struct that libraries hand each other, and where the memory lies.

The problem. Two libraries in one process want to look at the same numbers, and neither knows the other's classes.

The idea. They agree on a struct of C, and Python carries its address in a *capsule*, an object with a name and nothing
else. Whoever takes the memory over renames the capsule, so that nobody takes it twice, and calls the deleter at the
end; if nobody does, the capsule calls it when it dies.

    capsule "dltensor_versioned"                  capsule "dltensor", before version 1.0
      version, owner, deleter, flags                -
      data, device (type, number)                   data, device (type, number)
      dimensions, dtype, shape, strides, offset     dimensions, dtype, shape, strides, offset
      -                                             owner, deleter

Who owns what, and who frees it, is the hard part, and NumPy has it right, in C: it writes and reads the capsules here.
All that this file does is to look at the two numbers in the middle, and to change them: NumPy knows the CPU only, and
cuda/exchange.py says what that is good for.

Source: DLPack 1.0 (dmlc.github.io/dlpack), "C API", "Python Specification for DLPack".
"""

from __future__ import annotations

from ctypes import PYFUNCTYPE, Structure, c_char_p, c_int, c_int32, c_uint32, c_uint64, c_void_p, py_object, pythonapi
from typing import Any

import numpy as np

# Functions of our own: the attributes of `pythonapi` belong to everybody.
_is_named = PYFUNCTYPE(c_int, py_object, c_char_p)(("PyCapsule_IsValid", pythonapi))
_address = PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", pythonapi))

CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13  # the types of device that concern this library
VERSION = (1, 0)  # what we ask other libraries for
NAMES = (b"dltensor_versioned", b"dltensor")


class Head(Structure):
    """Where the numbers lie."""

    _fields_ = (("data", c_void_p), ("device_type", c_int32), ("device_number", c_int32))


class Versioned(Structure):
    _fields_ = (
        ("version", c_uint32 * 2), ("owner", c_void_p), ("deleter", c_void_p), ("flags", c_uint64), ("tensor", Head),
    )  # fmt: skip


def head_of(capsule: Any) -> Head:
    """The struct's part that says where the numbers lie: to read, and to write. RuntimeError for no fresh capsule."""
    for name in NAMES:
        if _is_named(capsule, name):
            address = _address(capsule, name)
            return Versioned.from_address(address).tensor if name == NAMES[0] else Head.from_address(address)
    raise RuntimeError(
        f"from_dlpack received an invalid capsule ({type(capsule).__name__}). Note that DLTensor capsules can be "
        "consumed only once, so you might have already constructed a tensor from it once"
    )


def device_in(capsule: Any) -> tuple[int, int]:
    """(type, number) of the device that a capsule names."""
    head = head_of(capsule)
    return head.device_type, head.device_number


def relabel(capsule: Any, device: tuple[int, int]) -> Any:
    """The capsule, which now says that its numbers lie on another device."""
    head = head_of(capsule)
    head.device_type, head.device_number = device
    return capsule


def wrap(array: np.ndarray, max_version: tuple[int, int] | None) -> Any:
    """A capsule on the memory of an array; with a version if the other side knows what that is."""
    if max_version is None or np.lib.NumpyVersion(np.__version__) < "2.1.0":
        return array.__dlpack__()
    return array.__dlpack__(max_version=max_version)


class _Handed:
    """A capsule in the form in which NumPy takes one."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **wishes: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU, 0


class Described:
    """What `numpy.asarray` makes an array of without looking at a number: address, shape, strides, typestr. It keeps
    the memory's owner alive."""

    def __init__(self, owner: Any, **facts: Any) -> None:
        self.owner, self.__array_interface__ = owner, {"version": 3, **facts}


def unwrap(capsule: Any) -> np.ndarray:
    """The array on the memory that a capsule for the CPU describes. It frees the memory in the end, whatever happens.

    It can be written to: capsules without a version do not say whether that is allowed, and PyTorch never asks.
    """
    try:
        array = np.from_dlpack(_Handed(capsule))
    except (BufferError, RuntimeError) as error:
        raise TypeError(f"from_dlpack(): {error} There are no kernels for this dtype or layout here") from None
    if array.flags.writeable:
        return array
    facts = {**array.__array_interface__, "data": (array.ctypes.data, False)}
    return np.asarray(Described(array, **facts))
