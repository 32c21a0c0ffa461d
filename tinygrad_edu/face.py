"""Every public name of `tinygrad_edu`, in one place. PyTorch's names."""

from __future__ import annotations

from . import autograd, nn, optim
from .autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
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
from .drawing import draw
from .dtypes import bool_ as bool
from .dtypes import device, dtype, float32, float64, int8, int16, int32, int64, uint8
from .dtypes import float32 as float
from .dtypes import float64 as double
from .dtypes import int32 as int
from .dtypes import int64 as long
from .functions import (
    add,
    clone,
    cos,
    detach,
    div,
    eq,
    exp,
    flatten,
    ge,
    gt,
    is_tensor,
    le,
    log,
    lt,
    matmul,
    mean,
    mm,
    mul,
    ne,
    neg,
    numel,
    permute,
    pow,
    relu,
    reshape,
    sigmoid,
    sin,
    sqrt,
    square,
    squeeze,
    sub,
    sum,
    t,
    tanh,
    transpose,
    unsqueeze,
)
from .ops.elementwise import where
from .ops.strides import Size
from .printing import set_printoptions
from .random import Generator, initial_seed, manual_seed, rand, randint, randn, randperm, seed
from .showing import show
from .tensors import Tensor
from .threads import get_num_threads, set_num_threads
from .value import Value
