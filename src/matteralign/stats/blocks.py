"""Equal blocks of rows: what the jackknife leaves out, and the nested samples of a sweep.

Users sort rows, by size say, or lay groups out in turn. Blocks are therefore drawn: which
block a row is in follows from a hash of its number and from n alone, so that intervals of
sorted rows are those of shuffled ones, and the same in every run. A sweep takes leading rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BLOCKS = 16
"""A power of two, so that a half, a quarter, an eighth and a sixteenth end at a border."""

LEAST_ROWS = 32
"""Fewer rows give no interval: a block would hold one row."""


def block_edges(n: int, blocks: int = BLOCKS) -> npt.NDArray[np.int64]:
    """Return the borders of `blocks` nearly equal runs of `n` places, shape (blocks + 1,).

    Below `LEAST_ROWS` rows there is one block. Block b holds the rows that stand at these
    places of `block_order`.
    """
    count = blocks if n >= LEAST_ROWS else 1
    return np.asarray([(i * n) // count for i in range(count + 1)], dtype=np.int64)


def block_of(n: int, blocks: int = BLOCKS) -> npt.NDArray[np.int16]:
    """Return the block of every row, shape (n,)."""
    edges = block_edges(n, blocks)
    out = np.empty(n, np.int16)
    drawn = np.argsort(_hashes(n), kind="stable")
    out[drawn] = np.repeat(np.arange(len(edges) - 1, dtype=np.int16), np.diff(edges))
    return out


def block_order(n: int, blocks: int = BLOCKS) -> npt.NDArray[np.int64]:
    """Return the rows block by block, ascending in each, shape (n,)."""
    return np.argsort(block_of(n, blocks), kind="stable")


def _hashes(n: int) -> npt.NDArray[np.uint64]:
    """Return SplitMix64 of 0 to n - 1 (Steele, Lea & Flood 2014), the same everywhere."""
    z = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


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
