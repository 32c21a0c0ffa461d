"""The nearest real name, for messages about a misspelt one; and the reason, where a name of PyTorch's is left out.

A program written for PyTorch may ask for things that this library does not have. An AttributeError alone would leave
open whether the name is wrong or the library small; so a short table of groups, with wildcards, says which.

    >>> closest("stft", [])
    "; it is outside this library's scope (Fourier transforms): compute with numpy.fft on x.detach().numpy()"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


# names that are left out | what they are | what comes closest
TABLE = """
*sparse* *coo* *csr* *csc* coalesce crow_indices | sparse tensors | a dense tensor with a mask
complex* *complex cfloat cdouble chalf polar | complex numbers | keep real and imaginary part in two tensors
real imag conj* angle is_conj resolve_conj view_as_real | complex numbers | keep both parts in two tensors
fft ifft rfft stft istft *_window | Fourier transforms | compute with numpy.fft on x.detach().numpy()
*quant* *qint* qscheme q_scale q_zero_point ao fake_* | quantized tensors | compute in float32
distributed *parallel *DataParallel | several processes | one uses all cores; DataLoader has workers
SyncBatchNorm multiprocessing rpc futures | several processes or GPUs | one process uses all cores
jit export fx _dynamo _inductor compiler | compiling programs in other ways | compile(function)
package script ScriptModule | compiling programs in other ways | compile(function)
amp autocast GradScaler is_autocast_* float8* | mixed precision | compute in float32
onnx hub | exchanging models | save(model.state_dict(), ...) and load, as safetensors
*3d *3d_ unfold3d | three-dimensional layers | the two-dimensional ones, on reshaped input
LPPool* lp_pool* *MaxUnpool* max_unpool* Fractional* | rare kinds of pooling | max_pool2d, avg_pool2d
lgamma digamma polygamma mvlgamma *gamma* erfinv erfcx | special functions | scipy.special on x.detach().numpy()
i0* i1* *bessel_* airy_ai zeta psi ndtri log_ndtr | special functions | scipy.special on x.detach().numpy()
poisson binomial distributions | distributions | rand, randn, bernoulli, multinomial, Tensor.exponential_
vmap func functorch jacrev jacfwd hessian grad_and_value | transforms of functions | autograd.functional
rename* refine_names align_* names has_names unflatten_names | named dimensions | number the dimensions
nested* jagged masked MaskedTensor | nested and masked tensors | pad, and use a mask
pack_padded_sequence pad_packed_sequence PackedSequence pack_sequence | packed sequences | pad, and mask the loss
mps mtia xla hpu ipu vulkan is_x?? Stream Event | other devices | device='cpu'
pin_memory record_stream | other devices | device='cpu'
profiler monitor overrides library classes tensorboard | PyTorch's tools | time.perf_counter
CTCLoss ctc_loss AdaptiveLogSoftmax* | rare losses | cross_entropy
SparseAdam Rprop ASGD Adafactor Muon CyclicLR | rare optimizers and schedules | AdamW; OneCycleLR
multi_dot chain_matmul | products in the cheapest order | A @ (B @ v), in the order of your choice
swa_utils AveragedModel SWALR | averages of weights | a loop over the state_dict
H mH adjoint is_neg resolve_neg | conjugate transposes | mT, all numbers are real
as_strided* *_strided resize* *storage *Storage set_ | memory under several shapes | view, reshape, contiguous
lu lu_* ldl_* eig eigvals geqrf orgqr ormqr householder* | rare factorisations | numpy.linalg on x.detach().numpy()
matrix_exp lobpcg *_lowrank *triangular_solve symeig *_ex | rare factorisations | scipy.linalg on x.detach().numpy()
cholesky_inverse tensorinv tensorsolve vander | rare factorisations | linalg.solve, linalg.inv
gcd* lcm* frexp nextafter* igamma* nonzero_static | rare functions | numpy on x.detach().numpy()
histogram* pdist gradient unravel_index hash_tensor | rare functions | numpy on x.detach().numpy(); histc, cdist
index_reduce* segment_reduce embedding_bag EmbeddingBag | rare reductions | scatter_reduce; embedding(x).sum(1)
Lazy* Uninitialized* | layers that find out their sizes | name the number of inputs
grid_sample* affine_grid* *grid_generator | warped images | interpolate
LocalResponseNorm local_response_norm CrossMapLRN2d | rare norms | BatchNorm2d, GroupNorm
multi_head_attention_forward | functions behind a module | nn.MultiheadAttention
parametri* *weight_norm *spectral_norm prune stateless | changing modules when they are done | a Module of your own
skip_init fuse_* fusion convert_conv* | changing modules when they are done | a Module of your own
StackDataset DistributedSampler *DataPipe datapipes | rare datasets | a Dataset that returns a dict
*cudnn* *miopen* *mkldnn* *fbgemm* *grouped_mm *scaled_mm | other libraries' kernels | the operation itself
modules adam sgd clip_grad grad_mode variable | PyTorch's files | the same names from nn, optim, nn.utils, autograd
graph saved_tensors_hooks saved_tensors* | what nodes save | utils.checkpoint; an autograd.Function of your own
make_tensor assert_allclose | PyTorch's tests of itself | testing.assert_close
BoolStorage *StorageBase from_file share_memory | shared memory | from_numpy, x.numpy(), from_dlpack
"""
OUTSIDE = [[cell.strip() for cell in row.split("|")] for row in TABLE.strip().splitlines()]


def closest(name: str, known: Iterable[str]) -> str:
    """Text to append to an error message: a reason, a suggestion, or nothing.

    >>> closest("lineer", ["linear", "relu"])
    "; did you mean 'linear'?"
    """
    for names, group, instead in OUTSIDE:
        if any(fnmatchcase(name, pattern) for pattern in names.split()):
            return f"; it is outside this library's scope ({group}): {instead}"
    others = [k for k in known if k != name]
    found = [k for k in others if k.lower() == name.lower()] or get_close_matches(name, others, n=1, cutoff=0.6)
    return f"; did you mean '{found[0]}'?" if found else ""


def refused(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for a module that has these names, when it is asked for another.

    >>> refused("tinygrad_edu", "layer_norm", ["norm"])
    AttributeError("module 'tinygrad_edu' has no attribute 'layer_norm'; it is nn.functional.layer_norm")
    >>> refused("tinygrad_edu.nn", "relu", ["ReLU"])
    AttributeError("module 'tinygrad_edu.nn' has no attribute 'relu'; did you mean 'ReLU', or nn.functional.relu?")
    """
    from .nn import functional

    hint = closest(name, known)
    if name in functional.__all__:
        module_form = f"'{name}'" in hint.lower()
        hint = f"{hint[:-1]}, or nn.functional.{name}?" if module_form else f"; it is nn.functional.{name}"
    return AttributeError(f"module '{module}' has no attribute '{name}'{hint}")


def not_a_tensor(function: str, argument: str, position: int, given: object) -> TypeError:
    """The error for an argument that should have been a tensor.

    >>> not_a_tensor("exp", "input", 1, 1.0)
    TypeError("exp(): argument 'input' (position 1) must be Tensor, not float; make one with tensor(...)")
    """
    where = f"{function}(): argument '{argument}' (position {position})"
    return TypeError(f"{where} must be Tensor, not {type(given).__name__}; make one with tensor(...)")


def refusing(module: str, known: Iterable[str]) -> Callable[[str], None]:
    """The `__getattr__` of a module that has these names: it is asked for all others."""

    def __getattr__(name: str) -> None:
        raise refused(module, name, known)

    return __getattr__


def hinted(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose TypeError for an unknown keyword suggests the nearest one that it has.

    >>> @hinted
    ... def make(size, requires_grad=False): ...
    >>> make(3, require_grad=True)
    Traceback (most recent call last):
    TypeError: make() got an unexpected keyword argument 'require_grad'; did you mean 'requires_grad'?
    """
    code = getattr(function, "__code__")  # noqa: B009  # a callable need not have one, for the type checker
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if unknown is None or unknown[1] not in kwargs or "did you mean" in str(error).lower():
                raise
            raise TypeError(f"{error}{closest(unknown[1], known)}") from None

    return call
