"""Which element is mine? The place (plane, row, column) of element number i, found by dividing.

A launch numbers its threads 0, 1, 2, ...; a thread that works on an image needs a row and a column:

    i = (plane * rows + row) * columns + column       ──▶       column = i % columns,  i // columns = ...

Processors of a GPU have no instruction that divides: it is a function, of some twenty instructions for 32 bits and a
hundred for 64. So where there are fewer than 2^31 elements, which is nearly always, 32 bits do it, without a sign.

Where i grows by the same step again and again, there is no need to divide at all. `turn` is an *odometer*: (plane, row,
column) grows by what the step is in that number system, digit by digit, with a carry:

    4 rows of 5 columns, step 8:      (0, 0, 3)  +  (0, 1, 3)  =  (0, 1, 6)  =  (0, 2, 1)

Source: CUDA C++ Programming Guide, section 8.4.1 (integer division and modulo).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba
from numba import int64

from .jit import device


@cache
def place(index: str) -> Any:
    """The function that finds (plane, row, column) of element i, as int64."""
    Index = getattr(numba, index)

    @device
    def place(i, rows, columns):
        at, height, width = Index(i), Index(rows), Index(columns)
        line = at // width
        return int64(line // height), int64(line % height), int64(at % width)

    return place


@device
def turn(plane, row, column, planes_on, rows_on, columns_on, rows, columns):
    """The odometer: (plane, row, column), moved on by a step that is a place itself."""
    plane += planes_on
    row += rows_on
    column += columns_on
    if column >= columns:
        column -= columns
        row += 1
    if row >= rows:
        row -= rows
        plane += 1
    return plane, row, column
