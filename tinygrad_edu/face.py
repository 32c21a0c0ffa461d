"""Every public name of `tinygrad_edu`, in one place. PyTorch's names.

Those that are methods of a tensor too (`exp`, `sum`, `reshape`, ...) are listed in functions.py.
"""

from __future__ import annotations

from math import e, inf, nan, pi
from typing import TYPE_CHECKING

from .backends import (
    are_deterministic_algorithms_enabled,
    get_float32_matmul_precision,
    set_float32_matmul_precision,
    use_deterministic_algorithms,
)
from .creation import (
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
    as_tensor,
    asarray,
    empty,
    empty_like,
    from_numpy,
    frombuffer,
    full,
    full_like,
    ones,
    ones_like,
    scalar_tensor,
    tensor,
    zeros,
    zeros_like,
)
from .dtypes import (
    bfloat16,
    can_cast,
    complex64,
    complex128,
    device,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_device,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    result_type,
    set_default_device,
    set_default_dtype,
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
from .ops.activations import (
    celu,
    celu_,
    hardshrink,
    prelu,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    threshold,
    threshold_,
)
from .ops.conversion import channels_last, contiguous_format, preserve_format, strided
from .ops.einsum import einsum, tensordot
from .ops.elementwise import where
from .ops.exchange import from_dlpack, to_dlpack
from .ops.joining import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    broadcast_shapes,
    broadcast_tensors,
    cartesian_prod,
    cat,
    column_stack,
    combinations,
    dstack,
    hstack,
    stack,
    vstack,
)
from .ops.joining import cat as concat
from .ops.joining import cat as concatenate
from .ops.joining import vstack as row_stack
from .ops.ranks import bucketize
from .ops.scan import cumulative_trapezoid, trapezoid
from .ops.scan import trapezoid as trapz
from .ops.scattering import isin
from .ops.similarity import cdist, cosine_similarity, pairwise_distance
from .ops.sorting import searchsorted
from .ops.statistics import std_mean, var_mean
from .ops.strides import Size
from .printing import set_printoptions
from .random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from .ranges import arange, eye, linspace, logspace, meshgrid, tril_indices, triu_indices
from .tensors import Tensor
from .threads import get_num_threads, set_num_threads
from .value import Value

newaxis = None  # x[:, newaxis]

if TYPE_CHECKING:  # loaded when first asked for: see __init__.py
    from . import autograd, nn, optim
    from .autograd import is_anomaly_enabled
    from .drawing import draw
    from .ops.convolution import conv1d, conv2d, conv_transpose1d, conv_transpose2d
    from .serialization import load, save
    from .showing import show
