"""Ranks of many edges per row: whole rows of distances against sorted bounds.

With k neighbours of every source a row has hundreds or thousands of bounds. They are sorted
once per row; a table over their range tells for every distance where to start looking, so
that a distance costs a few steps however many bounds there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.kernels.ranks import add_strip_ranks
from matteralign.metrics.members import Member
from matteralign.metrics.rank_counts import RankRequest
from matteralign.stats.blocks import block_of

_ROWS = 128


def strip_ranks(member: Member, requests: Sequence[RankRequest], *, threads: int = 1) -> None:
    """Add the ranks of all edges in one target to the sums of the requests.

    Distances come from single-precision products of centred rows; one that differs from a
    bound by less than rounding may fall on either side. An edge's bound is read from the
    same row of distances, so its far end never counts itself. The bounds of the requests
    are not used.
    """
    x = member.centred(0, member.n, np.float32)
    squares = np.einsum("ij,ij->i", x, x)
    blocks = block_of(member.n).astype(np.int64)

    def part(request: RankRequest, start: int, stop: int) -> tuple[npt.NDArray[np.int64], ...]:
        strip = x[start:stop] @ x[: request.limit].T
        strip *= -2.0
        strip += squares[: request.limit]
        strip += squares[start:stop, None]
        np.maximum(strip, 0.0, out=strip)
        if request.common is not None:
            strip[:, ~request.common[: request.limit]] = np.inf
        strip[np.arange(stop - start), np.arange(start, stop)] = np.inf
        sources, size = len(request.sources), request.sums.nearer_touching.shape[2]
        total = np.zeros(sources, np.int64)
        touched, seen = np.zeros((2, sources, size), np.int64)
        add_strip_ranks(strip, request.nearest[start:stop], blocks, start, total, touched, seen)
        return total, touched, seen

    with threadpool_limits(1), ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for request in requests:
            starts = range(0, request.limit, _ROWS)
            work = [
                pool.submit(part, request, start, min(start + _ROWS, request.limit))
                for start in starts
            ]
            for done in work:
                request.add(*done.result())
