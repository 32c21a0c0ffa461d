"""The CPU backend: Numba loops over flat NumPy arrays."""
