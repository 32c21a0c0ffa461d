"""Every public name of `tinygrad_edu`, in one place. PyTorch's names.

Those that are methods of a tensor too (`exp`, `sum`, `reshape`, ...) are listed in functions.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .creation import (
    arange,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .dtypes import (
    bfloat16,
    complex64,
    complex128,
    device,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from .dtypes import bool_ as bool
from .dtypes import complex64 as cfloat
from .dtypes import complex128 as cdouble
from .dtypes import float16 as half
from .dtypes import float32 as float
from .dtypes import float64 as double
from .dtypes import int16 as short
from .dtypes import int32 as int
from .dtypes import int64 as long
from .functions import *  # noqa: F403
from .graph import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .ops.activations import celu, selu
from .ops.elementwise import where
from .ops.joining import cat, hstack, stack, vstack
from .ops.sorting import searchsorted
from .ops.statistics import std_mean, var_mean
from .ops.strides import Size
from .printing import set_printoptions
from .random import Generator, initial_seed, manual_seed, rand, randint, randn, randperm, seed
from .tensors import Tensor
from .threads import get_num_threads, set_num_threads
from .value import Value

if TYPE_CHECKING:  # loaded when first asked for: see __init__.py
    from . import autograd, nn, optim
    from .autograd import is_anomaly_enabled
    from .drawing import draw
    from .showing import show
