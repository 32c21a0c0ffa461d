"""Solution 14.2. Of the four steps all pairs may be one as far as the order goes, except 0 and 3, which step 1 keeps
apart. (That z needs the whole of s before its first element is another reason, for which 1 and 3 stay two loops.)"""

Step = tuple[set[str], set[str]]


def must_follow(steps: list[Step]) -> set[tuple[int, int]]:
    """The pairs (k, j): step k must come after step j."""
    pairs = set()
    writer: dict[str, int] = {}
    readers: dict[str, set[int]] = {}  # since it was written
    for k, (reads, writes) in enumerate(steps):
        pairs |= {(k, writer[m]) for m in reads | writes if m in writer}
        pairs |= {(k, j) for m in writes for j in readers.get(m, ())}
        for m in reads:
            readers.setdefault(m, set()).add(k)
        for m in writes:
            writer[m] = k
            readers[m] = set()
    return {(k, j) for k, j in pairs if k != j}


def may_join(steps: list[Step], j: int, k: int) -> bool:
    """Is there an order in which no step must stand between the two?"""
    pairs = must_follow(steps)
    above: dict[int, set[int]] = {}
    for step in range(k + 1):
        direct = {i for s, i in pairs if s == step}
        above[step] = direct.union(*(above[i] for i in direct))
    return not any(j in above[i] for i in above[k])
