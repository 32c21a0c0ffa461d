"""temporary"""
PARALLEL_FROM = 65536
def parallel(kernel, serial): return kernel
