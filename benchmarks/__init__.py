"""How fast is it? One command that answers with ratios.

    python -m benchmarks                          # the whole table, all threads
    python -m benchmarks --threads 1,2 --save     # one table for 1 thread, one for 2, kept as JSON
    python -m benchmarks --only sin_fit,matmul    # the rows whose names contain one of these
    python -m benchmarks.roofline                 # what this machine can do at most, and how near the kernels come
    python -m benchmarks.gpu                      # what the kernels reach on a GPU
    python -m benchmarks.budget                   # how many lines of code the library has

The files, in reading order: `measure` (how to time two programs fairly), `training`, `scalars` and `arrays`
(the workloads, each written once and run by both libraries), `startup` (fresh processes), `table` (the
floor and the stretch of every row), `report` (printing and JSON), `roofline` (the bounds of the machine),
`gpu` (the kernels on a GPU), `budget` (counting lines).
"""
