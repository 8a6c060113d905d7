"""Intrinsic dimension from ordered neighbour distances: TwoNN and Levina-Bickel MLE.

Both break on rows at distance zero. Rule: of every group of identical rows only the first
is kept, and everything is computed on the rows that remain; the others are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from matteralign.metrics.errors import MetricInputError, NotApplicable
from matteralign.metrics.inputs import FloatArray, IndexArray, require_neighbors, require_rows
from matteralign.metrics.kernels import dimensions as loops
from matteralign.metrics.specs import MetricSpec, Scored
from matteralign.stats.neighbours import interval

LEAST_ROWS = 3


def neighbors_needed(spec: MetricSpec) -> int:
    """Return how many Euclidean neighbours `spec` reads."""
    return 2 if spec.metric == "twonn" else spec.integer("k")


def estimate(spec: MetricSpec, distances: FloatArray) -> float:
    """Return the intrinsic dimension `spec` asks for.

    Parameters
    ----------
    spec : MetricSpec
        Of metric ``twonn`` or ``mle``.
    distances : ndarray, shape (n, >= neighbors_needed(spec))
        Ascending neighbour distances of distinct rows.
    """
    if spec.metric == "twonn":
        return twonn_from_distances(distances, float(spec.params["fraction"]))
    if spec.metric == "mle":
        average = str(spec.params["average"])
        return mle_from_distances(distances, spec.integer("k"), average)
    raise MetricInputError(f"{spec} is not an intrinsic dimension")


def _check(distances: FloatArray, k: int, what: str) -> None:
    n = len(distances)
    require_rows(n, LEAST_ROWS, f"{what} (after duplicates are dropped)")
    require_neighbors(n, k, "distinct rows")
    if distances.shape[1] < k:
        raise MetricInputError(f"{what} needs lists of {k} distances, got {distances.shape[1]}")
    if not (distances[:, 0] > 0.0).all():
        raise NotApplicable(
            f"{what}: distinct rows lie at distance zero to working precision "
            f"(first at row {int(np.argmin(distances[:, 0] > 0.0))})"
        )


def twonn_from_distances(distances: FloatArray, fraction: float) -> float:
    """Return the TwoNN slope of -ln(1 - i/N) on ln(r2/r1), smallest `fraction` of ratios."""
    _check(distances, 2, "twonn")
    log_mu = np.log(distances[:, 1]) - np.log(distances[:, 0])
    slope = _slope(log_mu, fraction)
    if not math.isfinite(slope):
        raise NotApplicable(
            f"twonn: r2 = r1 in all of the {int(len(distances) * fraction)} ratios kept, so "
            "there is no slope (a lattice, or too few rows)"
        )
    return slope


def _slope(log_mu: FloatArray, fraction: float) -> float:
    n = len(log_mu)
    kept = int(n * fraction)
    smallest = np.sort(log_mu)[:kept]
    squares = float(np.dot(smallest, smallest))
    survival = -np.log1p(-np.arange(1, kept + 1) / n)
    return float(np.dot(smallest, survival)) / squares if squares > 0.0 else math.inf


def twonn_without_each(distances: FloatArray, fraction: float) -> FloatArray:
    """Return the TwoNN slope without each row, the neighbours of the others held fixed.

    Parameters
    ----------
    distances : ndarray, shape (n, 2)
    fraction : float

    Returns
    -------
    ndarray of float64, shape (n,)
        Infinite where no ratio above 1 is left.
    """
    log_mu = np.log(distances[:, 1]) - np.log(distances[:, 0])
    n = len(log_mu)
    order = np.argsort(log_mu, kind="stable")
    ratios = log_mu[order]
    kept = int((n - 1) * fraction)
    survival = -np.log1p(-np.arange(1, kept + 1) / (n - 1))
    # Ratios above the one left out move down by one place.
    below = np.append(0.0, np.cumsum(ratios[:kept] * survival))
    above = np.append(0.0, np.cumsum(ratios[1 : kept + 1] * survival))
    squares = np.append(0.0, np.cumsum(ratios * ratios))
    place = np.minimum(np.arange(n), kept)
    total = np.where(np.arange(n) < kept, squares[kept + 1] - ratios**2, squares[kept])
    slopes = np.empty(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes[order] = (below[place] + above[kept] - above[place]) / total
    return np.where(np.isfinite(slopes), slopes, np.inf)


def mle_from_distances(distances: FloatArray, k: int, average: str) -> float:
    """Return the Levina-Bickel estimate over `k` neighbours, averaged as named."""
    _check(distances, k, "mle")
    return _averaged(loops.inverse_dimensions(distances, np.asarray([k]))[:, 0], k, average)


def _averaged(inverse: FloatArray, k: int, average: str) -> float:
    if average == "inverse_mean":
        mean = float(inverse.mean())
        if mean == 0.0:
            raise NotApplicable("mle: all neighbours of every row are equally far: no estimate")
        return 1.0 / mean
    if (inverse == 0.0).any():
        raise NotApplicable(
            f"mle: all {k} neighbours of row {int(np.argmin(inverse != 0.0))} are equally far, "
            "so its local estimate is infinite; use average = 'inverse_mean'"
        )
    return float((1.0 / inverse).mean())


LOCAL_ROWS = 25
"""Neighbours whose terms are averaged for what rows of one place have in common."""


def estimates(
    specs: Sequence[MetricSpec], distances: FloatArray, near: IndexArray | None = None
) -> list[Scored]:
    """Return every intrinsic dimension that `specs` ask for, with intervals.

    Parameters
    ----------
    specs : sequence of MetricSpec
        Of metrics ``twonn`` and ``mle``; all k of ``mle`` are read from one pass.
    distances : ndarray, shape (n, L)
        Ascending neighbour distances of distinct rows.
    near : ndarray of int, shape (n, L), optional
        The neighbours, as places among these rows; negative for none. With it come
        intervals: on the scale of logarithms, from what each row adds and from the products
        of neighbours, see `stats.neighbours`.
    """
    n = len(distances)
    ks = sorted({s.integer("k") for s in specs if s.metric == "mle"})
    ks = [k for k in ks if k <= distances.shape[1]]
    inverse: dict[int, FloatArray] = {}
    if ks and n and (distances[:, 0] > 0.0).all():
        inverse = dict(zip(ks, loops.inverse_dimensions(distances, np.asarray(ks)).T, strict=True))
    results = []
    for spec in specs:
        try:
            if spec.metric == "mle" and spec.integer("k") in inverse:
                k, average = spec.integer("k"), str(spec.params["average"])
                _check(distances, k, "mle")
                value = _averaged(inverse[k], k, average)
                found = _mle_interval(value, inverse[k], average, near)
            else:
                value = estimate(spec, distances)
                found = _twonn_interval(value, spec, distances, near)
        except NotApplicable as reason:
            results.append(Scored.not_applicable(str(reason), n))
            continue
        low, high = found or (None, None)
        results.append(Scored.ok(value, n, ci_low=low, ci_high=high))
    return results


def _twonn_interval(
    value: float, spec: MetricSpec, distances: FloatArray, near: IndexArray | None
) -> tuple[float, float] | None:
    if near is None:
        return None
    without = twonn_without_each(distances[:, :2], float(spec.params["fraction"]))
    with np.errstate(invalid="ignore"):  # an infinite slope leaves no interval
        terms = (without.mean() - without) / value
    return interval(value, terms, [near[:, 0]], logarithmic=True)


def _mle_interval(
    value: float, inverse: FloatArray, average: str, near: IndexArray | None
) -> tuple[float, float] | None:
    if near is None:
        return None
    each = inverse if average == "inverse_mean" else 1.0 / inverse
    terms = (each - each.mean()) / (each.mean() * len(each))
    around = near[:, :LOCAL_ROWS]
    there = around >= 0
    local = np.where(there, terms[around], 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return interval(value, terms, list(near[:, :2].T), local=local, logarithmic=True)
