"""The ranks of a target as a matrix: what random pairing of rows needs to know of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from matteralign.metrics.members import BoolArray, Member
from matteralign.stats.pairing import PairingMoments

SAMPLED_ROWS = 512
"""Rows whose ranks stand for all: the sums are means over rows and over pairs of rows."""


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
    ranks = _ranks(member, rows, chosen) - n / 2.0
    ranks[np.arange(m), chosen] = 0.0
    spread = np.arange(1, n) - n / 2.0
    per_row = float(spread @ spread)
    if m < 2:
        return PairingMoments(0.0, n * per_row, 0.0, 0.0, 0.0, 0.0)
    scale = n * (n - 1.0) / (m * (m - 1.0))
    columns = ranks.sum(axis=0)
    crossed = float(columns @ columns) - float(np.einsum("ij,ij->", ranks, ranks))
    among = ranks[:, chosen]
    reciprocal = float(np.einsum("ij,ji->", among, among))
    return PairingMoments(
        total=0.0,
        squares=n * per_row,
        reciprocal=scale * reciprocal,
        rows=0.0,
        columns=max(0.0, n * per_row + scale * crossed),
        crossed=0.0,
    )


def _ranks(
    member: Member, rows: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Return ranks of all counted rows seen from the chosen ones, shape (m, n), self 0."""
    some = np.concatenate([member.centred(r, r + 1, np.float64) for r in rows[chosen]])
    squares = np.empty((len(chosen), len(rows)))
    counted = np.zeros(member.n, bool)
    counted[rows] = True
    place = 0
    for start, stop in member.spans():
        part = member.centred(start, stop, np.float64)[counted[start:stop]]
        lengths = np.einsum("ij,ij->i", part, part)
        squares[:, place : place + len(part)] = lengths - 2.0 * (some @ part.T)
        place += len(part)
    squares[np.arange(len(chosen)), chosen] = -np.inf
    order = np.argsort(squares, axis=1)
    ranks = np.empty(order.shape, np.float32)
    np.put_along_axis(ranks, order, np.arange(order.shape[1], dtype=np.float32)[None], axis=1)
    return ranks
