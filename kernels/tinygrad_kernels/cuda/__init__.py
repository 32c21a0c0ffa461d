"""Kernels for NVIDIA GPUs. Read in this order: simulator, device, memory, jit, math, elementwise, reduction, matmul."""
