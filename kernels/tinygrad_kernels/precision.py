"""What the user allows kernels to give up for speed. Set by tinygrad_edu.backends, read where a kernel is chosen."""

# May a GPU multiply float32 matrices with 10 bits after the point instead of 23? (cuda/matmul_tf32.py)
allow_tf32 = False
