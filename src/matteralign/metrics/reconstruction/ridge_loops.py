"""Errors of many small local fits for one target, column by column of the target.

What depends on the source alone is given; a target costs its part of the two folds that
choose the cutoff, and one prediction. Columns are taken `TILE` at a time, so that the rows of
a fold stay in the first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.base.jit import jit_sums

TILE = 64


@jit_sums
def _mean_square_roots(left: FloatArray, rows: int, width: int, room: FloatArray) -> Any:
    room[:width] = 0.0
    for r in range(rows):
        for q in range(width):
            room[q] += left[r, q] * left[r, q]
    total = 0.0
    for q in range(width):
        total += np.sqrt(room[q] / rows)
    return total


@jit_sums
def _fold(
    own: FloatArray,
    crossed: FloatArray,
    ranks: LongArray,
    near: FloatArray,
    mine: LongArray,
    other: LongArray,
    width: int,
    left: FloatArray,
    weight: FloatArray,
    losses: FloatArray,
) -> None:
    for r in range(len(other)):
        left[r, :width] = near[other[r], :width]
    loss = _mean_square_roots(left, len(other), width, weight)
    done = 0
    # Singular values come largest first, so each cutoff adds columns to the one above it.
    for c in range(len(ranks) - 1, -1, -1):
        if ranks[c] > done:
            for j in range(done, ranks[c]):
                weight[:width] = 0.0
                for r in range(len(mine)):
                    factor = own[j, r]
                    for q in range(width):
                        weight[q] += factor * near[mine[r], q]
                for r in range(len(other)):
                    factor = crossed[r, j]
                    for q in range(width):
                        left[r, q] -= factor * weight[q]
            done = ranks[c]
            loss = _mean_square_roots(left, len(other), width, weight)
        losses[c] += loss


@jit_sums
def local_errors(
    own: tuple[FloatArray, FloatArray],
    crossed: tuple[FloatArray, FloatArray],
    ranks: LongArray,
    u: FloatArray,
    along: FloatArray,
    halves: tuple[LongArray, LongArray],
    rows: LongArray,
    points: LongArray,
    y: FloatArray,
    out: FloatArray,
) -> None:
    """Write the squared error of every point of a batch to `out`, shape (B,).

    Parameters
    ----------
    own : two ndarrays, shapes (B, r, rows of the half)
        Left singular vectors of each half over the singular values, transposed.
    crossed : two ndarrays, shapes (B, rows of the other half, r)
        The other half in the right singular vectors of each half.
    ranks : ndarray of int64, shape (B, cutoffs, 3)
        Singular values that each cutoff leaves of the halves and of all rows.
    u : ndarray, shape (B, k, r)
        Left singular vectors of all rows.
    along : ndarray, shape (B, r)
        The point in the right singular vectors of all rows, over the singular values.
    halves : two ndarrays of int64
        Places among the k rows.
    rows : ndarray of int64, shape (B, k)
        Rows of `y` behind each point.
    points : ndarray of int64, shape (B,)
        Rows of `y` to be predicted.
    y : ndarray, shape (n, t)
    """
    count, k = rows.shape
    t = y.shape[1]
    near = np.empty((k, TILE))
    left = np.empty((k, TILE))
    weight = np.empty(TILE)
    mean = np.empty(TILE)
    pull = np.empty(k)
    losses = np.empty(ranks.shape[1])
    for i in range(count):
        losses[:] = 0.0
        for start in range(0, t, TILE):
            width = min(TILE, t - start)
            mean[:width] = 0.0
            for r in range(k):
                for q in range(width):
                    near[r, q] = y[rows[i, r], start + q]
                    mean[q] += near[r, q]
            for r in range(k):
                for q in range(width):
                    near[r, q] -= mean[q] / k
            for f in range(2):
                _fold(
                    own[f][i], crossed[f][i], ranks[i, :, f], near, halves[f], halves[1 - f],
                    width, left, weight, losses,
                )  # fmt: skip
        rank = ranks[i, np.argmin(losses), 2]
        # The prediction is the mean plus a combination of the rows about their mean.
        rest = 0.0
        for r in range(k):
            pull[r] = 0.0
            for j in range(rank):
                pull[r] += u[i, r, j] * along[i, j]
            rest += pull[r]
        square = 0.0
        for start in range(0, t, TILE):
            width = min(TILE, t - start)
            for q in range(width):
                mean[q] = 0.0
            for r in range(k):
                share = pull[r] + (1.0 - rest) / k
                for q in range(width):
                    mean[q] += share * (y[rows[i, r], start + q] - y[points[i], start + q])
            for q in range(width):
                square += mean[q] * mean[q]
        out[i] = square
