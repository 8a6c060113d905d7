"""One linear fit per test row, on its nearest training rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np

from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.exact_loops import EUCLID, rank_candidates
from matteralign.metrics.embedding.ties import Labels
from matteralign.metrics.reconstruction.cutoff_ridge import Halves, Source, factorise, predict
from matteralign.metrics.reconstruction.ridge_loops import local_errors
from matteralign.metrics.tiles.plan import row_blocks
from matteralign.metrics.tiles.scores import rounding

_BATCH_BYTES = 1 << 25

_COMPILED = 1 << 12
"""Up to so many target values a fit is done in compiled loops, beyond by matrix products."""


def nearest(
    x: Annotated[FloatArray, "n d"],
    train: Annotated[LongArray, "m"],
    test: Annotated[LongArray, "p"],
    labels: Annotated[Labels, "n"],
    k: int,
    memory_bytes: int,
) -> Annotated[LongArray, "p k"]:
    """Return the `k` nearest training rows of every test row, nearest first, shape (t, k).

    Of equally near ones that comes first which `ties` says.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
    train, test : ndarray of int64
        Rows of x.
    labels : ndarray of uint64, shape (n,)
        See `ties`.
    k : int
    memory_bytes : int
    """
    index = np.empty((len(test), k), np.int64)
    slack, lost = rounding(x.shape[1], np.float64)
    squares = np.einsum("ij,ij->i", x, x)
    known = x[train]
    least = squares[train] * (1.0 - slack) - lost
    spread = 2.0 * slack * squares[train] + 2.0 * lost
    for part in row_blocks(len(test), 48 * len(train), memory_bytes):
        rows = test[part]
        # Rows beyond all measure are infinite here: what is not a number stays a candidate.
        with np.errstate(over="ignore", invalid="ignore"):
            proposed = least - 2.0 * (x[rows] @ known.T)
            most = np.partition(proposed + spread, k - 1, axis=1)[:, k - 1]
            most += 2.0 * slack * squares[rows]
        counts = len(train) - (proposed > most[:, None]).sum(axis=1)
        width = int(counts.max())
        chosen = np.argpartition(proposed, width - 1, axis=1)[:, :width]
        scores = np.take_along_axis(proposed, chosen, axis=1)
        rank_candidates(
            x, labels, EUCLID, rows, k, train[chosen], scores,
            np.argsort(scores, axis=1), counts, squares[rows] * (1.0 - slack),
            index[part], np.empty((len(rows), k)),
        )  # fmt: skip
    return index


def local_squares(
    source: Annotated[FloatArray, "n d"],
    targets: Sequence[Annotated[FloatArray, "n t"]],
    near: Annotated[LongArray, "p k"],
    test: Annotated[LongArray, "p"],
    halves: Halves,
    orders: Sequence[Annotated[LongArray, "n"]],
    pool: Workers,
    memory_bytes: int,
) -> tuple[Annotated[FloatArray, "targets p"], Annotated[FloatArray, "targets orders"]]:
    """Return squared reconstruction errors of the test rows.

    Parameters
    ----------
    source : ndarray, shape (n, d)
    targets : sequence of ndarray of float64, shapes (n, t)
    near : ndarray of int, shape (p, k)
        Rows behind each test row.
    test : ndarray of int64, shape (p,)
    halves : Halves
        Of k places.
    orders : sequence of ndarray of int64, shape (n,)
        Row of a target that is paired with each row of the source; a fit serves them all.

    Returns
    -------
    ndarray, shape (targets, p)
        With the rows as they are.
    ndarray, shape (targets, orders)
        Sums over the test rows, in each order.
    """
    k, d = near.shape[1], source.shape[1]

    as_they_are = np.empty((len(targets), len(near)))

    def batch(rows: slice) -> FloatArray:
        chosen, points = near[rows].astype(np.int64), test[rows]
        local = source[chosen]
        centre = local.mean(axis=1, keepdims=True)
        local -= centre
        fits = factorise(local, source[points, None] - centre, halves, centred=True)
        small = [k * y.shape[1] <= _COMPILED for y in targets]
        compiled, plain = _Compiled(fits).errors if any(small) else None, partial(_errors, fits)
        sums = np.empty((len(targets), len(orders)))
        for m, y in enumerate(targets):
            errors = compiled if compiled is not None and small[m] else plain
            as_they_are[m, rows] = errors(chosen, points, y)
            for at, order in enumerate(orders):
                sums[m, at] = errors(order[chosen], order[points], y).sum()
        return sums

    # The rows, their Gram matrices and the decompositions of a batch.
    share = max(1, min(_BATCH_BYTES, memory_bytes // pool.threads))
    sums = pool.map(batch, row_blocks(len(near), 8 * k * (4 * d + 6 * k), share))
    return as_they_are, np.sum(sums, axis=0)


class _Compiled:
    """A batch of fits as the compiled loops read it."""

    def __init__(self, fits: Source) -> None:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # Columns beyond the rank of every cutoff are never read.
            own = [
                np.swapaxes(u, 1, 2) / s[:, :, None] for u, s in zip(fits.u, fits.s, strict=True)
            ]
            along = fits.along[:, 0] / fits.s[2]
        self._own = np.ascontiguousarray(own[0]), np.ascontiguousarray(own[1])
        one, two = fits.crossed
        self._crossed = np.ascontiguousarray(one), np.ascontiguousarray(two)
        self._ranks, self._u = fits.ranks, np.ascontiguousarray(fits.u[2])
        self._along = np.ascontiguousarray(along)
        self._halves = fits.halves.one, fits.halves.two

    def errors(self, rows: LongArray, points: LongArray, y: FloatArray) -> FloatArray:
        out = np.empty(len(rows))
        local_errors(
            self._own, self._crossed, self._ranks, self._u, self._along, self._halves,
            rows, points, y, out,
        )  # fmt: skip
        return out


def _errors(fits: Source, rows: LongArray, points: LongArray, y: FloatArray) -> FloatArray:
    squares = np.empty(len(rows))
    # Rows beyond all measure are infinite here; an infinite error has its reason later.
    with np.errstate(over="ignore", invalid="ignore"):
        for i, behind in enumerate(rows):
            local = y[behind]
            mean = local.mean(axis=0)
            error = y[points[i]] - mean - predict(fits.fit(i), local - mean)[0]
            squares[i] = error @ error
    return squares
