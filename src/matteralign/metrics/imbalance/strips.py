"""Ranks of many edges per row: whole rows of distances against sorted bounds.

With k neighbours of every source a row has hundreds or thousands of bounds. They are sorted
once per row; a table over their range tells for every distance where to start looking, so
that a distance costs a few steps however many bounds there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.tiles.backend import backend_of
from matteralign.metrics.tiles.rank_counts import RankRequest
from matteralign.stats.blocks import block_of

_ROWS = 128


def strip_ranks(
    embedding: Embedding, requests: Sequence[RankRequest], resources: Resources
) -> None:
    """Add the ranks of all edges in one target to the sums of the requests.

    Distances come from single-precision products of centred rows; those that differ by less
    than rounding count as equal and share the mean of their ranks. The bounds of the requests
    are not used.
    """
    backend = backend_of(resources)
    x = embedding.centred(0, embedding.n, np.float32)
    squares = np.einsum("ij,ij->i", x, x)
    blocks = block_of(embedding.n).astype(np.int64)
    with (
        backend.session(),
        threadpool_limits(1),
        Workers(backend.workers(resources.threads)) as pool,
    ):
        part = backend.strips(x, squares, blocks)
        for request in requests:
            starts = range(0, request.limit, _ROWS)
            stops = [min(start + _ROWS, request.limit) for start in starts]
            for counts in pool.map(partial(part, request), starts, stops):
                request.add(*counts)
