"""Intrinsic dimension from ordered neighbour distances: TwoNN and Levina-Bickel MLE.

Both break on rows at distance zero. Rule: of every group of identical rows only the first
is kept, and everything is computed on the rows that remain; the others are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.metrics.errors import MetricInputError, NotApplicable
from matteralign.metrics.inputs import FloatArray, require_neighbors, require_rows
from matteralign.metrics.kernels import dimensions as loops
from matteralign.metrics.local_result import LocalScore
from matteralign.metrics.specs import MetricSpec

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


@dataclass(frozen=True)
class ListBlocks:
    """Which block every row and every neighbour belongs to, for the jackknife.

    Attributes
    ----------
    row : ndarray of int, shape (n,)
    neighbor : ndarray of int, shape (n, L)
        -1 where there is no entry.
    """

    row: npt.NDArray[np.int16]
    neighbor: npt.NDArray[np.int16]


def estimates(
    specs: Sequence[MetricSpec], distances: FloatArray, blocks: ListBlocks | None = None
) -> list[LocalScore]:
    """Return every intrinsic dimension that `specs` ask for, with replicates.

    Parameters
    ----------
    specs : sequence of MetricSpec
        Of metrics ``twonn`` and ``mle``; all k of ``mle`` are read from one pass.
    distances : ndarray, shape (n, L)
        Ascending neighbour distances of distinct rows.
    blocks : ListBlocks, optional
        For an interval. A replicate leaves a block out as rows and as neighbours; where a
        list runs out before k entries it takes those there are, so L should exceed k.
    """
    ks = sorted({s.integer("k") for s in specs if s.metric == "mle"})
    ks = [k for k in ks if k <= distances.shape[1]]
    inverse: dict[int, FloatArray] = {}
    lanes: dict[int, FloatArray] = {}
    jackknifed = blocks is not None and bool(blocks.row.size) and int(blocks.row.max()) > 0
    if ks and _usable(distances):
        inverse = dict(zip(ks, loops.inverse_dimensions(distances, np.asarray(ks)).T, strict=True))
        if blocks is not None and jackknifed:
            found = loops.inverse_lanes(distances, np.asarray(ks), blocks.row, blocks.neighbor)
            lanes = {k: found[i] for i, k in enumerate(ks)}
    results = []
    for spec in specs:
        replicates: list[float] = []
        try:
            if spec.metric == "mle" and spec.integer("k") in inverse:
                k, average = spec.integer("k"), str(spec.params["average"])
                _check(distances, k, "mle")
                value = _averaged(inverse[k], k, average)
                if k in lanes:
                    with np.errstate(divide="ignore"):
                        plain, reciprocal = lanes[k]
                        found = 1.0 / plain if average == "inverse_mean" else reciprocal
                    replicates = found.tolist()
            else:
                value = estimate(spec, distances)
                if blocks is not None and jackknifed:
                    replicates = _twonn_lanes(distances, float(spec.params["fraction"]), blocks)
        except NotApplicable as reason:
            results.append(LocalScore(len(distances), None, str(reason)))
            continue
        if not all(map(math.isfinite, replicates)):
            replicates = []
        results.append(LocalScore(len(distances), value, replicates=tuple(replicates)))
    return results


def _usable(distances: FloatArray) -> bool:
    return bool(len(distances)) and bool((distances[:, 0] > 0.0).all())


def _twonn_lanes(distances: FloatArray, fraction: float, blocks: ListBlocks) -> list[float]:
    count = int(blocks.row.max()) + 1
    ratios = loops.first_two_lanes(distances, blocks.row, blocks.neighbor, count)
    return [_slope(lane[np.isfinite(lane)], fraction) for lane in ratios.T]
