"""The GPU's memory, its stream, and what the driver says of it.

Everything goes through one stream, in the order in which it was asked for. A copy to the host waits for it; nothing
else does.

Source: CUDA Driver API, sections 6.13 (memory) and 6.14 (stream-ordered allocation).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import cache
from threading import Lock, local
from typing import Any

import numpy as np
from cuda.bindings import driver


class Gpu:
    """The device, its context and the stream of this library."""

    def __init__(self, number: int = 0) -> None:
        from cuda.core import Device

        self.device = Device(number)
        self.device.set_current()
        self.stream = self.device.create_stream()
        self.handle = driver.CUstream(int(self.stream.handle))
        pool = checked(driver.cuDeviceGetDefaultMemPool(number))
        keep = driver.CUmemPool_attribute.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
        checked(driver.cuMemPoolSetAttribute(pool, keep, driver.cuuint64_t(2**63)))  # or each wait gives memory back


_lock, _here = Lock(), local()


@cache
def _started() -> Gpu:
    return Gpu()


def gpu() -> Gpu:
    """The GPU in use, started by the first who asks. Each thread has to tell the driver once that it uses it."""
    if not hasattr(_here, "gpu"):
        with _lock:  # or two threads would start it, with two streams
            found = _started()
        found.device.set_current()
        _here.gpu = found
    return _here.gpu


def own() -> Gpu:
    """The same, with the library's stream also in a thread that writes a graph down on another one."""
    gpu()
    return _started()


def checked(answer: tuple) -> Any:
    """What a call of the driver returns, or its error as an exception."""
    status, *values = answer
    if status == driver.CUresult.CUDA_SUCCESS:
        return values[0] if values else None
    if status == driver.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
        raise MemoryError
    raise RuntimeError(
        f"CUDA error: {status.name}. It may come from a kernel that was launched earlier, since kernels run while "
        "Python goes on: TINYGRAD_EDU_LAUNCH_BLOCKING=1 makes each launch wait, so that the line is the right one"
    )


def allocate(nbytes: int) -> int:
    return int(checked(driver.cuMemAllocAsync(nbytes, own().handle)))


def release(raw: int) -> None:
    checked(driver.cuMemFreeAsync(raw, own().handle))


def trim() -> None:
    """Give what was released back to the system, where other processes can have it."""
    gpu()
    checked(driver.cuMemPoolTrimTo(checked(driver.cuDeviceGetDefaultMemPool(0)), 0))


def view(raw: int, n: int, dtype: np.dtype) -> int:
    return raw


def offset(at: int, start: int, dtype: np.dtype) -> int:
    return at + start * dtype.itemsize


def copy_in(at: int, array: np.ndarray) -> None:
    checked(driver.cuMemcpyHtoDAsync(at, array.ctypes.data, array.nbytes, gpu().handle))
    checked(driver.cuStreamSynchronize(gpu().handle))  # the array may change, or die, after this


def send(at: int, array: np.ndarray) -> None:
    """Like copy_in, without waiting: for small ordinary arrays, which the driver puts aside at once."""
    checked(driver.cuMemcpyHtoDAsync(at, array.ctypes.data, array.nbytes, gpu().handle))


def copy_out(array: np.ndarray, at: int) -> None:
    checked(driver.cuMemcpyDtoHAsync(array.ctypes.data, at, array.nbytes, gpu().handle))
    checked(driver.cuStreamSynchronize(gpu().handle))


def copy_across(to: int, at: int, nbytes: int) -> None:
    """From the device to the device: queued, nobody waits."""
    if nbytes:
        checked(driver.cuMemcpyDtoDAsync(to, at, nbytes, gpu().handle))


def synchronize() -> None:
    """Wait until everything that was queued is done."""
    checked(driver.cuStreamSynchronize(own().handle))


def wait_for_all() -> None:
    """Wait for every stream of the process. An error of somebody's kernel shows where its result is asked for."""
    gpu()
    driver.cuCtxSynchronize()


def stream() -> int:
    """The address of our stream."""
    return int(gpu().handle)


def follow(later: int, earlier: int) -> None:
    """What is queued on one stream from now on begins when another has done what is queued there now."""
    gpu()
    event = checked(driver.cuEventCreate(driver.CUevent_flags.CU_EVENT_DISABLE_TIMING))
    checked(driver.cuEventRecord(event, driver.CUstream(earlier)))
    checked(driver.cuStreamWaitEvent(driver.CUstream(later), event, 0))
    checked(driver.cuEventDestroy(event))  # the driver keeps it as long as somebody waits


def info() -> tuple[int, int]:
    """Bytes that are free, and all of them."""
    gpu()
    status, free, total = driver.cuMemGetInfo()
    checked((status,))
    return free, total


def properties() -> dict[str, Any]:
    device = gpu().device
    capability = device.compute_capability
    return {
        "name": device.name,
        "compute_capability": (capability.major, capability.minor),
        "multiprocessors": device.properties.multiprocessor_count,
    }


def record(work: Callable[[], None]) -> Recorded:
    """What `work` queues, which is not run now. It goes to a stream of its own, so that other threads are not in it."""
    outer = gpu()
    inner = _here.gpu = copy(outer)
    inner.stream = outer.device.create_stream()
    inner.handle = driver.CUstream(int(inner.stream.handle))
    relaxed = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
    try:
        checked(driver.cuStreamBeginCapture(inner.handle, relaxed))
        try:
            work()
        except BaseException:
            status, graph = driver.cuStreamEndCapture(inner.handle)
            if status == driver.CUresult.CUDA_SUCCESS:
                driver.cuGraphDestroy(graph)
            raise
        graph = checked(driver.cuStreamEndCapture(inner.handle))
    finally:
        _here.gpu = outer
    try:
        return Recorded(checked(driver.cuGraphInstantiate(graph, 0)))
    finally:
        checked(driver.cuGraphDestroy(graph))


class Recorded:
    """A graph of the driver, ready to be launched."""

    def __init__(self, executable: Any) -> None:
        self.executable = executable

    def launch(self) -> None:
        checked(driver.cuGraphLaunch(self.executable, gpu().handle))

    def __del__(self) -> None:
        driver.cuStreamSynchronize(_started().handle)  # it may be running
        driver.cuGraphExecDestroy(self.executable)


class Point:
    """A point in the stream: an event of the driver."""

    def __init__(self) -> None:
        gpu()
        self.event = checked(driver.cuEventCreate(0))

    def record(self) -> None:
        checked(driver.cuEventRecord(self.event, gpu().handle))

    def wait(self) -> None:
        checked(driver.cuEventSynchronize(self.event))

    def reached(self) -> bool:
        return driver.cuEventQuery(self.event)[0] == driver.CUresult.CUDA_SUCCESS

    def since(self, other: Point) -> float:
        """Milliseconds."""
        return checked(driver.cuEventElapsedTime(other.event, self.event))

    def __del__(self) -> None:
        if hasattr(self, "event"):
            driver.cuEventDestroy(self.event)
