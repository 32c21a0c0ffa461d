"""Saving and loading tensors, without running anything that is in the file.

The problem. A pickle, PyTorch's usual format, is a program: loading one from a stranger runs it. And a file of which
only half was written should be noticed before anything is changed.

The idea. The safetensors format: eight bytes with the length of a header, the header (JSON: name, dtype, shape, place
of each tensor), then the numbers. Nothing in it can run. A state_dict is saved just so, and is read by
safetensors.torch.load_file; what safetensors.torch.save_file writes is read here. What is more than a flat dict, a
checkpoint say, leaves its structure as JSON in the header's metadata, in which each tensor stands by its name:

    {'model': {'w': tensor}, 'epoch': 3}    ──▶    tensors   model.w
                                                   metadata  {"dict": [["model", {"dict": ...}], ["epoch", 3]]}
 A tensor that occurs
several times (tied weights) is stored once, and is one tensor again after loading.

A file is written under another name and then renamed: what was there before stays until the new one is complete.

Source: safetensors, format specification, Hugging Face, 2022; for what a pickle can do, Python documentation, pickle.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .cuda import is_available
from .dtypes import BY_NAME, BY_NUMPY, as_device, dtype, kind_of
from .ops.conversion import from_array
from .tensors import Tensor

STRUCTURE, DEVICES = "tinygrad_edu", "devices"  # the keys in the metadata
DTYPES = {"BOOL", "U8", "I8", "I16", "I32", "I64", "F32", "F64"}  # as the format names those that there are
PICKLES = (b"PK\x03\x04", b"\x80")  # how torch.save's files begin: a zip archive with a pickle in it, or a bare pickle
LENGTH_END = b"\0\0\0\0{"  # bytes 4 to 8 of safetensors: the length of the header may begin as a pickle does


def library() -> Any:
    """The module safetensors.numpy. ImportError, with what to do, where it is not installed."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "save and load need the package safetensors: pip install safetensors (or pip install 'tinygrad-edu[io]')"
        ) from error
    return safetensors.numpy


# From an object to tensors and JSON, and back. A dict becomes {"dict": [[key, value], ...]}, so that keys may be
# numbers; a tensor {"tensor": name}; a list, and what is JSON itself, stay as they are.


def take_apart(x: Any, name: str, tensors: dict[str, Tensor], names: dict[tuple, str]) -> Any:
    """The structure of x, whose tensors go to `tensors`; `names` are those of the tensors seen, by their place."""
    if isinstance(x, Tensor):
        key = place(x)
        if key not in names:
            name = name or "tensor"
            while name in tensors:
                name += "_"
            names[key], tensors[name] = name, x.detach()
        return {"leaf" if x.requires_grad else "tensor": names[key]}
    if x is None or isinstance(x, bool | int | float | str):
        return x
    if isinstance(x, dtype):
        return {"dtype": x.name}
    parts = [name] if name else []
    if isinstance(x, Mapping):
        for key in x:
            if not isinstance(key, str | int | float | bool | None):
                raise TypeError(
                    f"save: the keys of dicts must be strings or numbers, not {type(key).__name__}{at(name)}"
                )
        return {"dict": [[k, take_apart(v, ".".join([*parts, str(k)]), tensors, names)] for k, v in x.items()]}
    if isinstance(x, list | tuple):
        found = [take_apart(v, ".".join([*parts, str(k)]), tensors, names) for k, v in enumerate(x)]
        return found if isinstance(x, list) else {"tuple": found}
    hint = ": save its state_dict(), which is made of tensors" if hasattr(x, "state_dict") else ""
    raise TypeError(
        f"save: cannot save a {type(x).__name__}{at(name)}{hint}. What can be saved are tensors, numbers, strings, "
        "None, and dicts, lists and tuples of them"
    )


def at(name: str) -> str:
    return f" (at '{name}')" if name else ""


def place(x: Tensor) -> tuple:
    """Equal for tensors that are the same elements of the same memory."""
    return (x.data_ptr(), tuple(x.shape), tuple(x.stride()), x.kind) if x.numel() else (id(x),)


def put_together(x: Any, tensors: dict[str, Tensor]) -> Any:
    """The reverse of take_apart."""
    if isinstance(x, list):
        return [put_together(v, tensors) for v in x]
    if not isinstance(x, dict):
        return x
    ((kind, value),) = x.items()
    if kind in ("tensor", "leaf"):
        return tensors[value].requires_grad_(kind == "leaf")
    if kind == "dtype":
        return BY_NAME[value]
    if kind == "tuple":
        return tuple(put_together(v, tensors) for v in value)
    return {k: put_together(v, tensors) for k, v in value}


# The two functions.


def save(obj: Any, f: str | os.PathLike | Any) -> None:
    """Save tensors, numbers, strings, None, and dicts, lists and tuples of them, as a safetensors file.

    `f` is a path, or a file that is open for writing bytes. TypeError, with the place, for anything else in `obj`;
    RuntimeError for a folder that does not exist.

    >>> import io
    >>> import tinygrad_edu as tg
    >>> save(tg.nn.Linear(1, 1), io.BytesIO())
    Traceback (most recent call last):
    TypeError: save: cannot save a Linear: save its state_dict(), which is made of tensors. ...
    """
    tensors: dict[str, Tensor] = {}
    structure = take_apart(obj, "", tensors, {})
    arrays = {name: np.ascontiguousarray(x.cpu().numpy()).reshape(tuple(x.shape)) for name, x in tensors.items()}
    elsewhere = {name: str(x.device) for name, x in tensors.items() if x.device.type != "cpu"}
    data = library().save(arrays, {STRUCTURE: json.dumps(structure), DEVICES: json.dumps(elsewhere)})
    if hasattr(f, "write"):
        f.write(data)
        return
    path = Path(os.path.realpath(f))
    if not path.parent.is_dir():
        raise RuntimeError(f"Parent directory {path.parent} does not exist.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load(
    f: str | os.PathLike | Any, map_location: Any = None, *, weights_only: bool | None = None, mmap: bool | None = None
) -> Any:
    """What was saved, as it was; of a safetensors file from elsewhere, the dict of its tensors.

    `f` is a path, or a file that is open for reading bytes. `map_location`: the device on which the tensors should be,
    by default that on which they were; a dict {'cuda:0': 'cpu'} from one to the other; a function (the usual `lambda
    storage, location: storage`) for the CPU. `weights_only` is accepted: there is never anything else. RuntimeError for
    a file that is damaged, cut short, or a pickle, and where there is no such device; nothing in the file is run.

    >>> import io
    >>> load(io.BytesIO(b"PK\\x03\\x04"))
    Traceback (most recent call last):
    RuntimeError: load: the file is a pickle, as torch.save writes them, ...
    """
    if mmap:
        raise ValueError("load: mmap=True is not supported: the file is read as a whole")
    if not isinstance(map_location, dict) and map_location is not None:
        map_location = as_device("cpu" if callable(map_location) else map_location)
    data = f.read() if hasattr(f, "read") else Path(f).read_bytes()
    if not isinstance(data, bytes | bytearray):
        raise TypeError(f"load: the file gives {type(data).__name__}: open it with mode 'rb'")
    if data.startswith(PICKLES) and data[4:9] != LENGTH_END:
        raise RuntimeError(
            "load: the file is a pickle, as torch.save writes them, and loading a pickle runs what is in it. Convert "
            "it where PyTorch is installed, if you trust it: safetensors.torch.save_file(torch.load(path), new_path)"
        )
    package = library()
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = header.pop("__metadata__", {})
        foreign = [f"'{name}' is {entry['dtype']}" for name, entry in header.items() if entry["dtype"] not in DTYPES]
        arrays = {} if foreign else package.load(bytes(data))
        elsewhere = json.loads(metadata.get(DEVICES, "{}"))
        tensors = {
            name: from_array(np.array(arrays[name], order="C"), kind_of(BY_NUMPY[arrays[name].dtype]))
            for name in header
            if name in arrays
        }
        structure = json.loads(metadata[STRUCTURE]) if STRUCTURE in metadata else None
        found = tensors if structure is None else put_together(structure, tensors)
    except Exception as error:
        raise RuntimeError(
            f"load: the file is damaged, cut short, or no safetensors file ({type(error).__name__}: {error})"
        ) from error
    if foreign:
        raise TypeError(f"load: there are no kernels for what is in the file ({foreign[0]}): save it as float32")
    if elsewhere or map_location is not None:
        for name, x in tensors.items():
            tensors[name] = x.detach().to(device_for(elsewhere.get(name, "cpu"), map_location))
        found = tensors if structure is None else put_together(structure, tensors)
    return found


def device_for(saved: str, map_location: Any) -> Any:
    """Where a tensor goes that was on the device `saved`."""
    if isinstance(map_location, dict):
        return map_location.get(saved, saved)
    if map_location is None and saved != "cpu" and not is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False. If you are "
            "running on a CPU-only machine, please use torch.load with map_location=torch.device('cpu')"
        )
    return saved if map_location is None else map_location
