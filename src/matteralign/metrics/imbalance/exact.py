"""Exact ranks of edges, for samples that are not large.

Whole rows of distances come from a product; what it cannot decide is summed from differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.base.inputs import LongArray
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.embedding.exact_loops import row_norms
from matteralign.metrics.tiles.loops.rank_loops import add_exact_ranks
from matteralign.metrics.tiles.rank_counts import RankRequest
from matteralign.metrics.tiles.scores import rounding
from matteralign.stats.blocks import block_of

_ROWS = 128

_SINGLE_EDGES = 64
"""Up to so many bounds per row few distances are too near to one for single precision."""

Counts = tuple[LongArray, ...]


def exact_ranks(
    embedding: Embedding, requests: Sequence[RankRequest], resources: Resources
) -> None:
    """Add the exact ranks of all edges in one target to the sums of the requests.

    Distances are sums of squared differences in float64; equal ones share the mean of their
    ranks. The bounds of the requests are not used.
    """
    if not requests:
        return
    x = np.concatenate([embedding.block(start, stop) for start, stop in embedding.spans()])
    edges = max(request.nearest.shape[1] for request in requests)
    dtype = np.float32 if edges <= _SINGLE_EDGES else np.float64
    centred: npt.NDArray[Any] = (x - embedding.mean).astype(dtype)
    squares = row_norms(centred) ** 2
    slack, lost = rounding(embedding.d, centred.dtype)
    # The exact sum is rounded as well, of at most twice both squared lengths.
    slack += 2.0 * rounding(embedding.d, np.float64)[0]
    blocks = block_of(embedding.n).astype(np.int64)
    all_rows = np.ones(embedding.n, np.bool_)

    def part(start: int) -> list[Counts | None]:
        found: list[Counts | None] = []
        stop = min(start + _ROWS, widest)
        products = centred[start:stop] @ centred[:widest].T
        for request in requests:
            rows = max(0, min(stop, request.limit) - start)
            found.append(_counts(request, products[:rows], start) if rows else None)
        return found

    def _counts(request: RankRequest, products: npt.NDArray[Any], start: int) -> Counts:
        sources, size = len(request.sources), request.sums.nearer_touching.shape[2]
        total = np.zeros(sources, np.int64)
        touched, seen = np.zeros((2, sources, size), np.int64)
        add_exact_ranks(
            x, products[:, : request.limit], squares, slack, lost,
            all_rows if request.common is None else request.common,
            request.nearest[start : start + len(products)], blocks, start, total, touched, seen,
        )  # fmt: skip
        return total, touched, seen

    widest = max(request.limit for request in requests)
    with threadpool_limits(1), Workers(resources.threads) as pool:
        for made in pool.map(part, range(0, widest, _ROWS)):
            for request, counts in zip(requests, made, strict=True):
                if counts is not None:
                    request.add(*counts)
