"""Solution 14.3. On paper: 0, 960, 640, 0, 1152, together 1216 bytes."""

Interval = tuple[int, int, int]


def lay_out(values: list[Interval]) -> list[int]:
    """The offset of each value, in the order of the list."""
    offsets: dict[int, int] = {}
    for k in sorted(range(len(values)), key=lambda k: (-values[k][2], values[k][0], k)):
        first, last, nbytes = values[k]
        taken = sorted(
            (offsets[j], offsets[j] + values[j][2]) for j in offsets if values[j][0] <= last and first <= values[j][1]
        )
        at = 0
        for begin, end in taken:
            if at + nbytes <= begin:
                break
            at = max(at, -(-end // 64) * 64)
        offsets[k] = at
    return [offsets[k] for k in range(len(values))]


def arena(values: list[Interval]) -> int:
    """How many bytes all of them take together."""
    return max((at + nbytes for at, (_, _, nbytes) in zip(lay_out(values), values, strict=True)), default=0)
