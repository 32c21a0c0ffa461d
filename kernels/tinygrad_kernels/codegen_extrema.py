"""The loops that look for the place of an extremum: what codegen_reduction.py prints for argmax and argmin.

The problem. A loop that keeps the best element *and* its place has a branch in it, or two dependent choices, and does
not vectorise well. A loop that keeps only the best does.

The idea, for rows. Find the maximum of each block of 1024 elements by the fast loop. Where it beats all blocks before,
remember the block (not the element). At the end one block is searched for the first element that equals the maximum.
One pass over memory, and a block more.

    x = 3 1 | 4 1 | 5 9 | 2 6 | 5 3        blocks of two
    best  3     4     9     9     9        the third block is remembered, and searched: place 4 + 1

For columns there are as many searches as columns, side by side, and the choice of the place is vectorised across them.

In both, an element is compared as its *key* (cpu/reduction.py), an integer in the same order, with nan as the greatest,
and a strict comparison lets the first of equal elements win.

The naive version, which the tests compare with:

    best = 0
    for i in range(1, n):
        if x[i] > x[best] or (x[i] != x[i] and x[best] == x[best]):
            best = i

Source: D. Knuth, The Art of Computer Programming 1, section 1.2.10 (Algorithm M, and how rarely a maximum changes).
"""

# The first half of every reduction of rows by several threads (sums too, in
# codegen_reduction.py): what each block of each row comes to.
EVERY_BLOCK = """
@jit(parallel=True)
def rows_parallel(result, width, divisor, {arguments}):
    blocks = (width + {block} - 1) // {block}
    totals = empty(result.size * blocks, {wide})
    for task in prange((totals.size + 63) // 64):
        for k in range(task * 64, min(task * 64 + 64, totals.size)):
            end = (k // blocks + 1) * width
            lo = end - width + k % blocks * {block}
            hi = min(lo + {block}, end)
            totals[k] = block_total({cut})
"""

ARG_ROWS = (
    """

@jit
def first(best, {arguments}):
    n = {first}.size
    for lo in range(0, n, 64):  # the fast loop finds the 64 elements, the slow one the element
        hi = min(lo + 64, n)
        if block_total({cut}) == best:
            for i in range(lo, hi):
                if {wide}({element}) == best:
                    return i
    return 0


@jit
def rows(result, width, divisor, {arguments}):
    for row in range(result.size):
        begin, end = row * width, (row + 1) * width
        best, lo = {wide}({identity}), begin
        for block in range(begin, end, {block}):
            lo, before = block, lo
            hi = min(lo + {block}, end)
            top = block_total({cut})
            lo = lo if top > best else before
            best = max(best, top)
        hi = min(lo + {block}, end)
        result[row] = lo - begin + first(best, {cut})

"""
    + EVERY_BLOCK
    + """    for row in prange(result.size):
        best, found = {wide}({identity}), 0
        for k in range(blocks):
            top = totals[row * blocks + k]
            found = k if top > best else found
            best = max(best, top)
        lo = row * width + found * {block}
        hi = min(lo + {block}, (row + 1) * width)
        result[row] = found * {block} + first(best, {cut})
"""
)

ARG_COLUMNS = """
{term}@jit
def tile_best(best, places, start, stop, width, left, {arguments}):
    # The best of rows [start, stop), columns [left, left + best.size), and where it is, counted from `start`.
    n = best.size
    best[:] = {identity}
    places[:] = 0
    for row in range(start, stop):
        at = row * width + left
{one_row}
        for i in range(n):
            key = {element0}
            places[i] = row - start if key > best[i] else places[i]
            best[i] = max(best[i], key)


@jit
def columns(result, height, width, divisor, {arguments}):
    best = empty(min(width, 2048), {lane})
    for outer in range(result.size // max(width, 1)):
        for left in range(0, width, 2048):
            n, to = min(2048, width - left), outer * width + left
            start, stop = outer * height, (outer + 1) * height
            tile_best(best[:n], result[to : to + n], start, stop, width, left, {arguments})


@jit(parallel=True)
def columns_parallel(result, height, width, divisor, {arguments}):
    spans, lefts = (height + 1023) // 1024, (width + 2047) // 2048
    groups = result.size // max(width, 1) * lefts
    bests = empty((groups * spans, min(width, 2048)), {lane})
    places = empty((groups * spans, min(width, 2048)), int64)
    for task in prange(groups * spans):
        group, span = task // spans, task % spans
        outer, left = group // lefts, group % lefts * 2048
        start = outer * height + span * 1024
        stop, n = min(start + 1024, (outer + 1) * height), min(2048, width - left)
        tile_best(bests[task, :n], places[task, :n], start, stop, width, left, {arguments})
    for group in prange(groups):
        outer, left = group // lefts, group % lefts * 2048
        for i in range(min(2048, width - left)):
            best, place = bests[group * spans, i], places[group * spans, i]
            for span in range(1, spans):
                task = group * spans + span
                if bests[task, i] > best:
                    best, place = bests[task, i], places[task, i] + span * 1024
            result[outer * width + left + i] = place
"""
