"""Sums of ranks for the information imbalance, counted while distance tiles stream by.

An edge joins a row to one of its neighbours in a source embedding. Its rank in a target is
one more than the number of rows that are nearer there and half of those that are as near, so
it is a count over the target's tiles against bounds of each edge, known beforehand. As near
is what the precision of the tiles cannot tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import BoolArray, IndexArray, LongArray
from matteralign.metrics.embedding.embedding import Embedding, place_of
from matteralign.metrics.embedding.exact_loops import row_norms
from matteralign.metrics.tiles.loops.rank_loops import edge_bounds
from matteralign.metrics.tiles.scores import SUMMED_AGAIN, likely_rounding


@dataclass
class RankSums:
    """Sums over edges of source f, counted in target g.

    Attributes
    ----------
    edges : ndarray of int64, shape (F, G)
        Number of edges.
    edges_touching : ndarray of int64, shape (F, G, B)
        Edges with an end in a block.
    nearer : ndarray of int64, shape (F, G)
        Rows nearer than the far end, two for each, and rows as near as it, one for each, summed
        over edges: twice what is added to a rank of 1.
    nearer_touching : ndarray of int64, shape (F, G, B)
        The same over edges with an end in a block.
    nearer_inside : ndarray of int64, shape (F, G, B)
        The same of rows that lie in a block, over edges with no end in it.
    """

    edges: LongArray
    edges_touching: LongArray
    nearer: LongArray
    nearer_touching: LongArray
    nearer_inside: LongArray

    @classmethod
    def zeros(cls, sources: int, targets: int, blocks: int) -> RankSums:
        """Return empty sums."""
        pair, by_block = (sources, targets), (sources, targets, blocks)
        return cls(*(np.zeros(s, np.int64) for s in (pair, by_block, pair, by_block, by_block)))

    def arrays(self) -> tuple[LongArray, ...]:
        """Return the arrays, in the order of the attributes."""
        return (
            self.edges,
            self.edges_touching,
            self.nearer,
            self.nearer_touching,
            self.nearer_inside,
        )

    def imbalance(self, f: int, g: int, n: int) -> float:
        """Return ``2/n`` times the mean rank over the edges.

        Ranks count from 1; rows that are equally far have the mean of their ranks.
        """
        edges = int(self.edges[f, g])
        return (2 * edges + int(self.nearer[f, g])) / (n * edges)

    def replicates(self, f: int, g: int, sizes: Sequence[int]) -> list[float]:
        """Return the imbalance without each block in turn.

        Parameters
        ----------
        sizes : sequence of int, length B
            Rows that remain without each block. Edges that lost an end are left out.
        """
        out = []
        for block, n in enumerate(sizes):
            edges = int(self.edges[f, g] - self.edges_touching[f, g, block])
            nearer = int(
                self.nearer[f, g]
                - self.nearer_touching[f, g, block]
                - self.nearer_inside[f, g, block]
            )
            out.append((2 * edges + nearer) / (n * edges) if edges else float("nan"))
        return out

    def count_edges(
        self, nearest: IndexArray, f: int, g: int, blocks: npt.NDArray[np.int16]
    ) -> None:
        """Count the edges of a list of neighbours, shape (n, k), negative where absent."""
        rows, places = np.nonzero(nearest >= 0)
        near, far = blocks[rows], blocks[nearest[rows, places]]
        size = self.edges_touching.shape[2]
        self.edges[f, g] += len(rows)
        self.edges_touching[f, g] += np.bincount(near, minlength=size)
        self.edges_touching[f, g] += np.bincount(far[far != near], minlength=size)


@dataclass(frozen=True)
class RankRequest:
    """Edges to be counted in one target among the first `limit` rows.

    Attributes
    ----------
    limit : int
    nearest : ndarray of int32, shape (limit, F)
        Far ends of the edges of each source, in rows of the sample set; -1 where absent.
    bounds : ndarray, shape (limit, F, 2)
        Between these squared distances a row of the target is as near as the far end.
    sources : ndarray of int, shape (F,)
        Row of `sums` that each column belongs to; with k neighbours a row stands k times.
    target : int
        Column of `sums`.
    sums : RankSums
    common : ndarray of bool, shape (n,), or None
        Rows that count, where not all do.
    narrower : tuple of (int, RankSums)
        Sums over fewer neighbours of each source, the nearest of those here: what is counted
        here serves them as well.
    """

    limit: int
    nearest: IndexArray
    bounds: npt.NDArray[Any]
    sources: LongArray
    target: int
    sums: RankSums
    common: BoolArray | None = None
    narrower: tuple[tuple[int, RankSums], ...] = ()

    def in_order(self, rows: npt.NDArray[np.integer[Any]]) -> RankRequest:
        """Return the request for rows that stand in another order, with their new numbers."""
        places = np.empty(len(rows) + 1, np.int32)
        places[rows] = np.arange(len(rows), dtype=np.int32)
        places[-1] = -1  # an absent far end stays absent
        common = None if self.common is None else self.common[rows]
        return replace(
            self, nearest=places[self.nearest[rows]], bounds=self.bounds[rows], common=common
        )

    def add(
        self,
        total: LongArray,
        touching: LongArray,
        inside: LongArray,
    ) -> None:
        """Add counts per column to the sums of their sources."""
        _add(self.sums, (self.sources, self.target), total, touching, inside)
        if not self.narrower:
            return
        k = len(self.sources) // len(np.unique(self.sources))
        place = np.arange(len(self.sources)) % k
        for fewer, sums in self.narrower:
            first = place < fewer
            at = (self.sources[first], self.target)
            _add(sums, at, total[first], touching[first], inside[first])


def _add(
    sums: RankSums,
    at: Any,
    total: LongArray,
    touching: LongArray,
    inside: LongArray,
) -> None:
    np.add.at(sums.nearer, at, total)
    np.add.at(sums.nearer_touching, at, touching)
    np.add.at(sums.nearer_inside, at, inside)


def rank_bounds(
    embedding: Embedding, nearest: Annotated[IndexArray, "n F"], dtype: npt.DTypeLike
) -> Annotated[npt.NDArray[Any], "n F 2"]:
    """Return the `bounds` of edges in a target for tiles of type `dtype`, shape (n, F, 2).

    Parameters
    ----------
    embedding : Embedding
    nearest : ndarray of int32, shape (n, F)
        Far ends, -1 where absent.
    """
    x = embedding.compact()
    out = np.zeros((*nearest.shape, 2), dtype)
    if nearest.size:
        lengths = np.concatenate(
            [
                row_norms(embedding.centred(start, stop, np.float64)[embedding.valid[start:stop]])
                for start, stop in embedding.spans()
            ]
        )
        edge_bounds(
            x, lengths, place_of(embedding.valid), nearest,
            float(np.finfo(dtype).eps) / 2.0, float(SUMMED_AGAIN[np.dtype(dtype)]),
            *likely_rounding(embedding.d, dtype), out,
        )  # fmt: skip
    return out
