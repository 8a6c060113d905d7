"""One linear fit per test row, on its nearest training rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matteralign.metrics.cutoff_ridge import Halves, Rows, assemble, predict
from matteralign.metrics.inputs import FloatArray
from matteralign.metrics.plan import row_blocks
from matteralign.metrics.workers import Workers

_BATCH_BYTES = 1 << 25

Parts = tuple[FloatArray, FloatArray]


def nearest(train: FloatArray, test: FloatArray, k: int, memory_bytes: int) -> Rows:
    """Return the `k` nearest training rows of every test row, nearest first, shape (t, k)."""
    index = np.empty((len(test), k), np.int64)
    norms = np.einsum("ij,ij->i", train, train)
    for rows in row_blocks(len(test), 32 * len(train), memory_bytes):
        block = norms - 2.0 * (test[rows] @ train.T)
        chosen = np.sort(np.argpartition(block, k - 1, axis=1)[:, :k], axis=1)
        order = np.argsort(np.take_along_axis(block, chosen, axis=1), axis=1, kind="stable")
        index[rows] = np.take_along_axis(chosen, order, axis=1)
    return index


def local_squares(
    source: Parts,
    targets: Sequence[Parts],
    near: Rows,
    halves: Halves,
    pool: Workers,
    threads: int,
    memory_bytes: int,
) -> list[FloatArray]:
    """Return squared reconstruction errors of the test rows, per target, shapes (t,).

    Parameters
    ----------
    source, targets
        Training and test rows of the source and of each target.
    near : ndarray of int64, shape (t, k)
        Training rows behind each test row, nearest first.
    halves : Halves
        Of k places.
    """
    train, test = source
    k, d = near.shape[1], train.shape[1]
    squares = np.empty((len(targets), len(near)))

    def batch(rows: slice) -> None:
        chosen = near[rows]
        local = train[chosen]
        centre = local.mean(axis=1, keepdims=True)
        local -= centre
        points = test[rows, None] - centre
        if d > k:
            # Orthogonal coordinates of the rows' span: k columns instead of d.
            basis, upper = np.linalg.qr(local.transpose(0, 2, 1))
            local = np.ascontiguousarray(upper.transpose(0, 2, 1))
            points = points @ basis
        parts = [
            np.linalg.svd(z, full_matrices=False)
            for z in (local[:, halves.one], local[:, halves.two], local)
        ]
        for i in range(len(chosen)):
            mine = [(u[i], s[i], vt[i]) for u, s, vt in parts]
            fit = assemble(local[i], halves, mine, max(k, d))
            for m, (target, truth) in enumerate(targets):
                y = target[chosen[i]]
                mean = y.mean(axis=0)
                error = truth[rows.start + i] - mean - predict(fit, y - mean, points[i])[0]
                with np.errstate(over="ignore"):  # an infinite error has its reason later
                    squares[m, rows.start + i] = error @ error

    # The rows, their coordinates and the decompositions of a batch.
    share = max(1, min(_BATCH_BYTES, memory_bytes // threads))
    pool.map(batch, row_blocks(len(near), 8 * k * (4 * d + 6 * k), share))
    return list(squares)
