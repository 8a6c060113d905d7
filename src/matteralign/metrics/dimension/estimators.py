"""Intrinsic dimension from ordered neighbour distances: TwoNN and Levina-Bickel MLE.

Both break on rows at distance zero. Rule: of every group of identical rows only the first
is kept, and everything is computed on the rows that remain; the others are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
from scipy import special

from matteralign.metrics.base.errors import MetricInputError, NotApplicable
from matteralign.metrics.base.inputs import FloatArray, IndexArray, require_neighbors, require_rows
from matteralign.metrics.base.registry import definition_of
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.dimension import mle_loops as loops
from matteralign.metrics.local.list_loops import reverse_places
from matteralign.stats.neighbours import around, interval

LEAST_ROWS = definition_of("twonn", "fit").min_n


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


def twonn_from_distances(distances: Annotated[FloatArray, "n 2"], fraction: float) -> float:
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


def twonn_without_each(
    distances: Annotated[FloatArray, "n 2"], fraction: float
) -> Annotated[FloatArray, "n"]:
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


JUMP = 1.5
"""Ratio of two inverse dimensions, that of the shell of the k-th neighbour and that within it,
above which k is near the number of rows of a group. Even data: 1.0 to 1.3."""


def estimates(
    specs: Sequence[MetricSpec],
    distances: Annotated[FloatArray, "n L"],
    near: Annotated[IndexArray, "n L"] | None = None,
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
        intervals on the scale of logarithms, see `_twonn_interval` and `_mle_interval`, and
        a note where k is near the size of a group of rows.
    """
    found: dict[MetricSpec, Scored] = {}
    for info in {id(d): d for d in (spec.definition_info for spec in specs)}.values():
        same = [spec for spec in specs if spec.definition_info is info]
        found.update(zip(same, info.load()(same, distances, near), strict=True))
    return [found[spec] for spec in specs]


def twonn_estimates(
    specs: Sequence[MetricSpec],
    distances: Annotated[FloatArray, "n L"],
    near: Annotated[IndexArray, "n L"] | None,
) -> list[Scored]:
    """Return TwoNN dimensions, parameters as `estimates`."""

    def estimate(spec: MetricSpec) -> Scored:
        value = twonn_from_distances(distances, float(spec.params["fraction"]))
        low, high = _twonn_interval(value, spec, distances, near) or (None, None)
        return Scored.ok(value, len(distances), ci_low=low, ci_high=high)

    return _each(estimate, specs, len(distances))


def mle_estimates(
    specs: Sequence[MetricSpec],
    distances: Annotated[FloatArray, "n L"],
    near: Annotated[IndexArray, "n L"] | None,
) -> list[Scored]:
    """Return maximum-likelihood dimensions, parameters as `estimates`; one pass for all k."""
    ks = sorted({k for spec in specs if (k := spec.integer("k")) <= distances.shape[1]})
    inverse: dict[int, FloatArray] = {}
    if ks and len(distances) and (distances[:, 0] > 0.0).all():
        inverse = dict(zip(ks, loops.inverse_dimensions(distances, np.asarray(ks)).T, strict=True))

    def estimate(spec: MetricSpec) -> Scored:
        k, average = spec.integer("k"), str(spec.params["average"])
        _check(distances, k, "mle")
        value = _averaged(inverse[k], k, average)
        if near is None:
            return Scored.ok(value, len(distances))
        slope = _slopes(distances, k)
        found = _mle_interval(value, k, average, distances, near, inverse[k], slope)
        low, high = found or (None, None)
        note = _jump(k, slope, inverse[k])
        return Scored.ok(value, len(distances), ci_low=low, ci_high=high, note=note)

    return _each(estimate, specs, len(distances))


def _each(
    estimate: Callable[[MetricSpec], Scored], specs: Sequence[MetricSpec], n: int
) -> list[Scored]:
    """Return what each spec gives, or the reason why it gives nothing."""
    results = []
    for spec in specs:
        try:
            results.append(estimate(spec))
        except NotApplicable as reason:
            results.append(Scored.not_applicable(str(reason), n))
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


def _slopes(distances: FloatArray, k: int) -> FloatArray:
    """Return the derivative of ln r by the logarithm of the number of neighbours at the k-th.

    From as many neighbours to either side of it as chance moves their number in a ball: where
    k is near the size of a group, the mean over the gap behind it.
    """
    step = math.ceil(math.sqrt(k))
    # A list may end at k, and never holds the row itself.
    low, high = max(1, k - step), min(k + step, distances.shape[1], len(distances) - 1)
    across = np.log(distances[:, high - 1]) - np.log(distances[:, low - 1])
    # Mean of ln(r_high / r_low) times the dimension, for even density.
    out: FloatArray = across / float(special.digamma(high) - special.digamma(low))
    return out


def _jump(k: int, slope: FloatArray, inverse: FloatArray) -> str:
    """Say so where the estimate of this sample hangs on how many rows a group happens to have."""
    if slope.mean() <= JUMP * inverse.mean():
        return ""
    return (
        f"k = {k} is near the number of rows of a group, with which the estimate jumps: "
        "no safe interval, take a smaller k"
    )


def _mle_interval(
    value: float,
    k: int,
    average: str,
    distances: FloatArray,
    near: IndexArray,
    inverse: FloatArray,
    slope: FloatArray,
) -> tuple[float, float] | None:
    """Return an interval from the infinitesimal jackknife.

    A row counts by its own estimate and by what it does to those of its neighbours. The sum
    of squares counts twice what pairs of rows do to each other alone, so that is taken off
    once (Efron & Stein 1981, Ann. Statist. 9, 586).
    """
    each = inverse if average == "inverse_mean" else 1.0 / inverse
    weight = np.ones(len(each)) if average == "inverse_mean" else -each * each
    near = np.ascontiguousarray(near[:, :k], np.int32)
    effect, pairs = loops.influences(
        distances, near, reverse_places(near), inverse, slope, weight, k
    )
    terms = each + effect
    terms -= terms.mean()
    variance = float(terms @ terms) - pairs
    if not (math.isfinite(variance) and variance > 0.0):
        return None
    return around(value, math.sqrt(variance) / float(each.sum()), len(each), logarithmic=True)
