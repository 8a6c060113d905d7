"""Equal blocks of rows: what the jackknife leaves out, and the nested samples of a sweep.

Rows of a sample set are in random order, so contiguous blocks are exchangeable and every
run of leading blocks is a random sample of its own.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLOCKS = 16
"""A power of two, so that a half, a quarter, an eighth and a sixteenth end at a border."""

LEAST_ROWS = 32
"""Fewer rows give no interval: a block would hold one row."""


def block_edges(n: int, blocks: int = BLOCKS) -> npt.NDArray[np.int64]:
    """Return the borders of `blocks` nearly equal runs of `n` rows, shape (blocks + 1,).

    Below `LEAST_ROWS` rows there is one block.
    """
    count = blocks if n >= LEAST_ROWS else 1
    return np.asarray([(i * n) // count for i in range(count + 1)], dtype=np.int64)


def block_of(n: int, blocks: int = BLOCKS) -> npt.NDArray[np.int16]:
    """Return the block of every row, shape (n,)."""
    edges = block_edges(n, blocks)
    return np.repeat(np.arange(len(edges) - 1, dtype=np.int16), np.diff(edges))


def sweep_blocks(count: int) -> list[int]:
    """Return how many leading blocks the nested samples of a sweep take, largest last.

    >>> sweep_blocks(16)
    [1, 2, 4, 8, 16]
    """
    sizes = []
    taken = count
    while taken >= 1:
        sizes.append(taken)
        if taken % 2:
            break
        taken //= 2
    return sizes[::-1]
