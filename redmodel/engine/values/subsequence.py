"""The longest common subsequence of two strings, with Redis' choice among equally long ones."""

from __future__ import annotations


def common_subsequence(first: bytes, second: bytes) -> tuple[bytes, list[tuple[int, int, int]]]:
    """Find the longest common subsequence.

    Returns:
        The subsequence, and its unbroken runs from the last to the first: start in ``first``, start in ``second``,
        length.

    Cost: O(n * m) time and memory.

    >>> common_subsequence(b"ohmytext", b"mynewtext")
    (b'mytext', [(4, 5, 4), (2, 0, 2)])
    """
    width = len(second) + 1
    lengths: list[list[int]] = [[0] * width]
    for byte in first:
        above, row = lengths[-1], [0]
        left = 0
        for n, other in enumerate(second):
            # The values of a row never fall, so the last one is the left neighbour.
            left = above[n] + 1 if byte == other else max(above[n + 1], left)
            row.append(left)
        lengths.append(row)

    found = bytearray()
    runs: list[tuple[int, int, int]] = []
    one, two, run = len(first), len(second), 0
    while one and two:
        if first[one - 1] == second[two - 1]:
            one, two, run = one - 1, two - 1, run + 1
            found.append(first[one])
            continue
        if run:
            runs.append((one, two, run))
            run = 0
        if lengths[one - 1][two] > lengths[one][two - 1]:
            one -= 1
        else:
            two -= 1
    if run:
        runs.append((one, two, run))
    return bytes(reversed(found)), runs
