"""The ranks of a target as a matrix: what random pairing of rows needs to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.members import BoolArray, Member
from matteralign.metrics.neighbors import DOUBLE_ROWS
from matteralign.metrics.workers import Workers
from matteralign.stats.pairing import PairingMoments

SAMPLED_ROWS = 512
"""Rows whose ranks stand for all: the sums are means over rows and over pairs of rows."""

_RANKED, _READ_ROWS = 32, 1024


class RankNulls:
    """The pairing sums of the ranks in every target, worked out once.

    Parameters
    ----------
    members : sequence of Member
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._found: dict[tuple[int, bytes], PairingMoments] = {}

    def prepare(self, targets: Iterable[tuple[int, BoolArray]], threads: int) -> None:
        """Work out those of targets and the rows that count in them, side by side."""
        missing = {(g, common.tobytes()): common for g, common in targets}
        missing = {key: common for key, common in missing.items() if key not in self._found}

        def one(key: tuple[int, bytes]) -> PairingMoments:
            return rank_moments(self._members[key[0]], missing[key])

        # BLAS on one thread: on more, sums could come out in another order.
        with threadpool_limits(1), Workers(threads) as pool:
            self._found |= zip(missing, pool.map(one, missing), strict=True)

    def of(self, target: int, common: BoolArray) -> PairingMoments:
        """Return those of one target."""
        key = (target, common.tobytes())
        if key not in self._found:
            self.prepare([(target, common)], 1)
        return self._found[key]


def rank_moments(member: Member, common: BoolArray) -> PairingMoments:
    """Return the pairing sums of a target's ranks less their mean.

    R_ij is the rank of row j seen from row i, 1 to n - 1, so every row sums to the same and
    the squares are known. How unequal the columns are (hubs) and how much R_ij and R_ji
    have in common is measured on `SAMPLED_ROWS` of the rows, exactly when there are no more.

    Parameters
    ----------
    member : Member
    common : ndarray of bool, shape (n,)
        Rows that count.
    """
    rows = np.flatnonzero(common)
    n = len(rows)
    chosen = np.unique(np.linspace(0, n - 1, min(SAMPLED_ROWS, n)).astype(np.int64))
    m = len(chosen)
    spread = np.arange(1, n) - n / 2.0
    per_row = float(spread @ spread)
    if m < 2:
        return PairingMoments(0.0, n * per_row, 0.0, 0.0, 0.0, 0.0)
    scale = n * (n - 1.0) / (m * (m - 1.0))
    columns, among, squares = np.zeros(n), np.empty((m, m)), 0.0
    distances = _squared_distances(member, rows, chosen)
    for start in range(0, m, _RANKED):
        part = slice(start, start + _RANKED)
        ranks = _ranks(distances[part]) - n / 2.0
        ranks[np.arange(len(ranks)), chosen[part]] = 0.0
        columns += ranks.sum(axis=0)
        squares += float(np.einsum("ij,ij->", ranks, ranks))
        among[part] = ranks[:, chosen]
    crossed = float(columns @ columns) - squares
    reciprocal = float(np.einsum("ij,ji->", among, among))
    return PairingMoments(
        total=0.0,
        squares=n * per_row,
        reciprocal=scale * reciprocal,
        rows=0.0,
        columns=max(0.0, n * per_row + scale * crossed),
        crossed=0.0,
    )


def _squared_distances(
    member: Member, rows: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> npt.NDArray[Any]:
    """Return squared distances, less the chosen row's length, shape (m, n); self lowest."""
    # Of many rows only the sums matter, to the precision of a sample.
    dtype = np.float64 if len(rows) <= DOUBLE_ROWS else np.float32
    some = np.concatenate([member.centred(r, r + 1, dtype) for r in rows[chosen]])
    squares = np.empty((len(chosen), len(rows)), dtype)
    counted = np.zeros(member.n, bool)
    counted[rows] = True
    place = 0
    for start, stop in member.spans():
        part = member.centred(start, stop, dtype)[counted[start:stop]]
        for low in range(0, len(part), _READ_ROWS):
            piece = part[low : low + _READ_ROWS]
            lengths = np.einsum("ij,ij->i", piece, piece)
            np.matmul(-2.0 * some, piece.T, out=squares[:, place : place + len(piece)])
            squares[:, place : place + len(piece)] += lengths
            place += len(piece)
    squares[np.arange(len(chosen)), chosen] = -np.inf
    return squares


def _ranks(squares: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    order = np.argsort(squares, axis=1)
    ranks = np.empty(order.shape)
    np.put_along_axis(ranks, order, np.arange(order.shape[1], dtype=np.float64)[None], axis=1)
    return ranks
