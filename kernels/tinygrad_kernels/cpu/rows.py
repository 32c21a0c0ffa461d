"""Softmax, log-softmax and cross-entropy over the rows of a matrix, forward and backward.

The problem. A classifier answers with one number per class, a row of *logits* x. Softmax turns a row into
probabilities, log-softmax into their logarithms, and cross-entropy compares those with the right class t:

    y_j = e^{x_j} / Σ_k e^{x_k}          log y_j = x_j - log Σ_k e^{x_k}          loss = -log y_t

As written, e^{x_j} is inf from x_j = 89 on (float32), and inf / inf is nan.

The idea. Subtracting a constant m from the whole row changes nothing, since e^{-m} cancels. With m the row's maximum
the largest term is e⁰ = 1: no overflow, and a sum of at least 1. So every forward pass is three loops over a row that
is still in the cache: the maximum, the sum of e^{x_j - m}, the result. An entry of -inf gets probability 0; a row of
nothing but -inf has m = -inf, and -inf - (-inf) makes it nan, as it is in PyTorch.

The vector-Jacobian products, for one row, with g the cotangent of the result:

    softmax           gx_j = y_j (g_j - Σ_k g_k y_k)
    log-softmax       gx_j = g_j - y_j Σ_k g_k                 y_j = e^{out_j}
    cross-entropy     gx_j = g (y_j - [j = t])                 y_j = e^{x_j - logsum}, where loss = logsum - x_t

Cross-entropy therefore saves one number per row, logsum = m + log Σ e^{x_j - m}, and no probabilities.

Matrices are flat, contiguous arrays of rows · cols elements, float32 or float64; every function writes into arrays
that it is given. Sums are kept in LANES partial sums, one per lane of a vector register (and so are maxima): their
order depends on `cols` alone. From PARALLEL elements on, the rows are divided among the threads; one row is always
the work of one thread, so the number of threads cannot be seen in the result.

Source: J. Bridle, Probabilistic interpretation of feedforward classification network outputs, 1990; P. Blanchard,
D. Higham and N. Higham, Accurately computing the log-sum-exp and softmax functions, IMA Journal of Numerical
Analysis 41(4), 2021.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numba.extending import overload

from tinygrad_kernels.cpu.jit import jit
from tinygrad_kernels.cpu.math import exp_float32, exp_float64

PARALLEL = 65536  # elements: below, starting the threads costs more than they save
IGNORE_INDEX = -100  # a target that counts for nothing; PyTorch's default
