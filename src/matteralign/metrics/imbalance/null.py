"""The ranks of a target as a matrix: what random pairing of rows needs to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.base.inputs import BoolArray, FloatArray, LongArray
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.tiles.loops.rank_loops import share_ranks
from matteralign.metrics.tiles.neighbors import DOUBLE_ROWS
from matteralign.metrics.tiles.scores import likely_rounding
from matteralign.stats.pairing import PairingMoments
from matteralign.stats.third import LEAST_ROWS_OF_THIRD, Sums, thirds_of_sample

SAMPLED_ROWS = 512
"""Rows whose ranks stand for all: the sums are means over rows and over pairs of rows."""

_RANKED, _READ_ROWS = 32, 1024


class RankNulls:
    """The pairing sums of the ranks in every target, worked out once.

    Parameters
    ----------
    embeddings : sequence of Embedding
    """

    def __init__(self, embeddings: Sequence[Embedding]) -> None:
        self._embeddings = embeddings
        self._found: dict[tuple[int, bytes], PairingMoments] = {}

    def prepare(self, targets: Iterable[tuple[int, BoolArray]], threads: int) -> None:
        """Work out those of targets and the rows that count in them, side by side."""
        missing = {(g, common.tobytes()): common for g, common in targets}
        missing = {key: common for key, common in missing.items() if key not in self._found}

        def one(key: tuple[int, bytes]) -> PairingMoments:
            return rank_moments(self._embeddings[key[0]], missing[key])

        # BLAS on one thread: on more, sums could come out in another order.
        with threadpool_limits(1), Workers(threads) as pool:
            self._found |= zip(missing, pool.map(one, missing), strict=True)

    def of(self, target: int, common: BoolArray) -> PairingMoments:
        """Return those of one target."""
        key = (target, common.tobytes())
        if key not in self._found:
            self.prepare([(target, common)], 1)
        return self._found[key]


def rank_moments(embedding: Embedding, common: Annotated[BoolArray, "n"]) -> PairingMoments:
    """Return the pairing sums of a target's ranks less their mean.

    R_ij is the rank of row j seen from row i, 1 to n - 1, rows that are equally far sharing the
    mean of theirs, so every row sums to the same. How large the squares are (ties make them
    smaller), how unequal the columns (hubs) and how much R_ij and R_ji have in common is
    measured on `SAMPLED_ROWS` of the rows, exactly when there are no more.

    Parameters
    ----------
    embedding : Embedding
    common : ndarray of bool, shape (n,)
        Rows that count.
    """
    rows = np.flatnonzero(common)
    n = len(rows)
    chosen = np.unique(np.linspace(0, n - 1, min(SAMPLED_ROWS, n)).astype(np.int64))
    m = len(chosen)
    if m < 2:
        return PairingMoments(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    scale = n * (n - 1.0) / (m * (m - 1.0))
    columns, among, squares = np.zeros(n), np.empty((m, m)), 0.0
    distances, lengths = _squared_distances(embedding, rows, chosen)
    rounding = likely_rounding(embedding.d, distances.dtype)
    for start in range(0, m, _RANKED):
        part = slice(start, start + _RANKED)
        ranks = _ranks(distances[part], lengths[chosen[part]], rounding) - n / 2.0
        ranks[np.arange(len(ranks)), chosen[part]] = 0.0
        columns += ranks.sum(axis=0)
        squares += float(np.einsum("ij,ij->", ranks, ranks))
        among[part] = ranks[:, chosen]
    crossed = float(columns @ columns) - squares
    reciprocal = float(np.einsum("ij,ji->", among, among))
    return PairingMoments(
        total=0.0,
        squares=n / m * squares,
        reciprocal=scale * reciprocal,
        rows=0.0,
        columns=max(0.0, n / m * squares + scale * crossed),
        crossed=0.0,
        third=_thirds(among, n),
    )


def _thirds(among: FloatArray, n: int) -> Sums:
    """Return what the skewness takes of the ranks, from those among the sampled rows."""
    m = len(among)
    if m < LEAST_ROWS_OF_THIRD:
        return ()
    # Ranks sum to zero over all rows, over a sample nearly: left so, triples that share no
    # row, by far the most, would count with the error of the sample.
    among = among - among.sum(axis=1, keepdims=True) / (m - 1.0)
    np.fill_diagonal(among, 0.0)
    return thirds_of_sample(among, n)


def _squared_distances(
    embedding: Embedding, rows: LongArray, chosen: LongArray
) -> tuple[npt.NDArray[Any], FloatArray]:
    """Return squared distances, shape (m, n), self infinite, and the lengths of all rows."""
    # Of many rows only the sums matter, to the precision of a sample.
    dtype = np.float64 if len(rows) <= DOUBLE_ROWS else np.float32
    some = np.concatenate([embedding.centred(r, r + 1, dtype) for r in rows[chosen]])
    squares = np.empty((len(chosen), len(rows)), dtype)
    lengths = np.empty(len(rows), dtype)
    counted = np.zeros(embedding.n, bool)
    counted[rows] = True
    place = 0
    for start, stop in embedding.spans():
        part = embedding.centred(start, stop, dtype)[counted[start:stop]]
        for low in range(0, len(part), _READ_ROWS):
            piece = part[low : low + _READ_ROWS]
            at = slice(place, place + len(piece))
            lengths[at] = np.einsum("ij,ij->i", piece, piece)
            np.matmul(-2.0 * some, piece.T, out=squares[:, at])
            squares[:, at] += lengths[at]
            place += len(piece)
    squares += lengths[chosen, None]
    squares[np.arange(len(chosen)), chosen] = np.inf
    return squares, np.sqrt(lengths.astype(np.float64))


def _ranks(
    squares: npt.NDArray[Any], lengths: FloatArray, rounding: tuple[float, float]
) -> FloatArray:
    """Return the ranks of every row, shape (r, n), from 1; that of the row itself is void."""
    order = np.argsort(squares, axis=1)
    ranks = np.empty(order.shape)
    share_ranks(squares, order, lengths, *rounding, ranks)
    return ranks
