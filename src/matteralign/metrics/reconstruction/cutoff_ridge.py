"""Linear regression by singular values above a cutoff, chosen by two-fold cross-validation.

The estimator of Goscinski et al. 2021: cutoffs are `CUTOFFS` times the largest singular
value of either half; a cutoff is judged by the root mean squared error of the half that
was left out, averaged over target columns and then over halves; the smallest of equally good
ones is taken. Factorisations belong to the source and serve every target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from matteralign.metrics.base.inputs import FloatArray, LongArray
from matteralign.metrics.base.jit import jit, jit_sums
from matteralign.metrics.reconstruction.decompose import decompose

CUTOFFS = np.geomspace(1e-9, 0.9, 20)


@dataclass(frozen=True)
class Halves:
    """The two halves of the rows of a fit, as places among them."""

    one: LongArray
    two: LongArray


@dataclass(frozen=True)
class Source:
    """Factorised source rows of one fit, or of a batch of them with a first axis B.

    Attributes
    ----------
    halves : Halves
    u, s, vt : sequence of ndarray
        Singular value decompositions of half one, half two and all rows.
    crossed : sequence of ndarray, shapes (rows of the other half, r)
        The other half in the right singular vectors of each half.
    along : ndarray, shape (p, r)
        The points to be predicted in the right singular vectors of all rows.
    ranks : ndarray of int64, shape (20, 3)
        Singular values that each cutoff leaves of half one, half two and all rows.
    """

    halves: Halves
    u: Sequence[FloatArray]
    s: Sequence[FloatArray]
    vt: Sequence[FloatArray]
    crossed: Sequence[FloatArray]
    along: FloatArray
    ranks: LongArray

    def fit(self, i: int) -> Source:
        """Return fit `i` of a batch."""
        u, s, vt, crossed = (
            [part[i] for part in each] for each in (self.u, self.s, self.vt, self.crossed)
        )
        return Source(self.halves, u, s, vt, crossed, self.along[i], self.ranks[i])


def factorise(
    x: Annotated[FloatArray, "*B n d"],
    points: Annotated[FloatArray, "*B p d"],
    halves: Halves,
    *,
    centred: bool = False,
) -> Source:
    """Return source rows ready for any target.

    Parameters
    ----------
    x : ndarray, shape (n, d) or (B, n, d)
        Rows less their mean.
    points : ndarray, shape (p, d) or (B, p, d)
        What will be predicted.
    centred : bool
        Whether the rows of `x` sum to zero but for rounding, which leaves one rank less.
    """
    parts = [
        decompose(x[..., halves.one, :]),
        decompose(x[..., halves.two, :]),
        decompose(x, centred=centred),
    ]
    u, s, vt = zip(*parts, strict=True)
    least = max(x.shape[-2:]) * np.finfo(np.float64).eps
    largest = np.maximum(s[0].max(axis=-1, initial=0.0), s[1].max(axis=-1, initial=0.0))
    cutoffs = CUTOFFS * largest[..., None]
    # Rounding errors of a half must not be fitted; of all rows the chosen cutoff takes care.
    bars = [np.maximum(cutoffs, least), np.maximum(cutoffs, least), cutoffs]
    above = [(s[i][..., None, :] > bars[i][..., None]).sum(axis=-1) for i in range(3)]
    crossed = (
        x[..., halves.two, :] @ np.swapaxes(vt[0], -1, -2),
        x[..., halves.one, :] @ np.swapaxes(vt[1], -1, -2),
    )
    along = points @ np.swapaxes(vt[2], -1, -2)
    return Source(halves, u, s, vt, crossed, along, np.stack(above, axis=-1).astype(np.int64))


def predict(source: Source, y: Annotated[FloatArray, "n t"]) -> Annotated[FloatArray, "p t"]:
    """Return predictions for the points of one fit after a fit of `y` on the source rows.

    Parameters
    ----------
    source : Source
    y : ndarray, shape (n, t)
        Centred targets of the source rows.

    Returns
    -------
    ndarray, shape (p, t)
    """
    rank = int(source.ranks[_best(source, y), 2])
    u, s = source.u[2][:, :rank], source.s[2][:rank]
    predicted: FloatArray = (source.along[:, :rank] / s) @ (u.T @ y)
    return predicted


def _best(source: Source, y: FloatArray) -> int:
    halves = (y[source.halves.one], y[source.halves.two])
    losses = np.zeros(len(CUTOFFS))
    for i in (0, 1):
        # Singular values come largest first, so each cutoff adds columns to the one above it.
        most = int(source.ranks[0, i])
        weights = (source.u[i][:, :most].T @ halves[i]) / source.s[i][:most, None]
        left = halves[1 - i].copy()
        crossed = np.ascontiguousarray(source.crossed[i][:, :most])
        losses += _losses(crossed, weights, left, source.ranks[:, i])
    return int(np.argmin(losses))


def _losses(
    crossed: FloatArray, weights: FloatArray, left: FloatArray, ranks: LongArray
) -> FloatArray:
    losses = np.empty(len(ranks))
    done, loss = 0, _mean_rmse(left)
    small = crossed.shape[0] * left.shape[1] < _SMALL
    for c in range(len(ranks) - 1, -1, -1):
        if ranks[c] > done:
            if small:
                _subtract(crossed, weights, left, done, int(ranks[c]))
            else:
                left -= crossed[:, done : ranks[c]] @ weights[done : ranks[c]]
            done, loss = int(ranks[c]), _mean_rmse(left)
        losses[c] = loss
    return losses


_SMALL = 1 << 16


@jit
def _subtract(
    crossed: FloatArray, weights: FloatArray, left: FloatArray, start: int, stop: int
) -> None:
    for i in range(left.shape[0]):
        for j in range(start, stop):
            factor = crossed[i, j]
            for t in range(left.shape[1]):
                left[i, t] -= factor * weights[j, t]


@jit_sums
def _mean_rmse(left: FloatArray) -> float:
    squares = np.zeros(left.shape[1])
    for i in range(left.shape[0]):
        for t in range(left.shape[1]):
            squares[t] += left[i, t] * left[i, t]
    total = 0.0
    for t in range(left.shape[1]):
        total += np.sqrt(squares[t] / left.shape[0])
    return float(total / left.shape[1])
