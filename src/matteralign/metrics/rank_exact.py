"""Ranks of edges by sorting whole rows of exact distances, for samples that are not large."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from matteralign.metrics.kernels.ranks import add_sorted_ranks
from matteralign.metrics.members import Member
from matteralign.metrics.rank_counts import RankRequest
from matteralign.metrics.workers import Workers
from matteralign.stats.blocks import block_of

_BLOCK_BYTES = 32 * 1024**2


def sort_ranks(member: Member, requests: Sequence[RankRequest], *, threads: int = 1) -> None:
    """Add the exact ranks of all edges in one target to the sums of the requests.

    Distances are sums of squared differences in float64; equal ones rank by lower row. The
    bounds of the requests are not used.
    """
    x = np.concatenate([member.block(start, stop) for start, stop in member.spans()])
    blocks = block_of(member.n)

    def part(request: RankRequest, start: int, stop: int) -> tuple[npt.NDArray[np.int64], ...]:
        squares = cdist(x[start:stop], x[: request.limit], "sqeuclidean")
        if request.common is not None:
            squares[:, ~request.common[: request.limit]] = np.inf
        # Below every distance, so that a row stands before all others.
        squares[np.arange(stop - start), np.arange(start, stop)] = -1.0
        order = np.argsort(squares, axis=1, kind="stable")
        sources, size = len(request.sources), request.sums.nearer_touching.shape[2]
        total = np.zeros(sources, np.int64)
        touched, seen = np.zeros((2, sources, size), np.int64)
        add_sorted_ranks(order, request.nearest[start:stop], blocks, start, total, touched, seen)
        return total, touched, seen

    with Workers(threads) as pool:
        for request in requests:
            step = max(1, _BLOCK_BYTES // (24 * request.limit))
            starts = range(0, request.limit, step)
            stops = [min(start + step, request.limit) for start in starts]
            for counts in pool.map(partial(part, request), starts, stops):
                request.add(*counts)
