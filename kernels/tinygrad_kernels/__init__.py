"""Kernels: arrays in, arrays out. This package knows no graph and no Tensor; `tinygrad_edu` is built on top of it."""
