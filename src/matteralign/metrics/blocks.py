"""Row blocks: the one place that computes distances and kernels.

Everything above asks for a block of rows against all rows. A faster engine replaces the
two block functions and the block size; nothing else knows how they are obtained.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from matteralign.metrics.errors import MetricInputError
from matteralign.metrics.inputs import FloatArray

DEFAULT_MEMORY_BYTES = 4 * 1024**3
"""Default bound on the working blocks of one call."""


def row_blocks(n: int, bytes_per_row: int, memory_bytes: int) -> Iterator[slice]:
    """Yield slices that cover ``range(n)``, each within the memory bound (at least one row)."""
    if memory_bytes <= 0:
        raise MetricInputError(f"memory_bytes must be positive, got {memory_bytes}")
    step = max(1, min(n, memory_bytes // max(1, bytes_per_row)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def squared_distances(x: FloatArray, rows: slice) -> FloatArray:
    """Return squared Euclidean distances of ``x[rows]`` to all rows, shape (b, n).

    Sums of squared differences in float64, never norms minus products: offsets cancel
    exactly, duplicates are at exactly zero, and the block is symmetric bit for bit.
    """
    block: FloatArray = cdist(x[rows], x, "sqeuclidean")
    return block


def inner_products(x: FloatArray, rows: slice) -> FloatArray:
    """Return inner products of ``x[rows]`` with all rows, shape (b, n)."""
    block: FloatArray = np.matmul(x[rows], x.T)
    return block
