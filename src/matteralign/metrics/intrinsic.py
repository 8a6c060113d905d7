"""Intrinsic dimension from ordered neighbour distances: TwoNN and Levina-Bickel MLE.

Both break on rows at distance zero. Rule: of every group of identical rows only the first
is kept, and everything is computed on the rows that remain; the others are counted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from matteralign.metrics.errors import MetricInputError, NotApplicable
from matteralign.metrics.inputs import FloatArray, require_neighbors, require_rows
from matteralign.metrics.specs import MetricSpec

LEAST_ROWS = 3


def first_of_duplicates(x: FloatArray) -> npt.NDArray[np.int64]:
    """Return, ascending, the first row of every group of identical rows of `x`."""
    _, first = np.unique(x + 0.0, axis=0, return_index=True)  # -0.0 equals 0.0
    return np.sort(first).astype(np.int64)


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
    if not (distances[:, 0] > 0.0).all():
        raise NotApplicable(
            f"{what}: distinct rows lie at distance zero to working precision "
            f"(first at row {int(np.argmin(distances[:, 0] > 0.0))})"
        )


def twonn_from_distances(distances: FloatArray, fraction: float) -> float:
    """Return the TwoNN slope of -ln(1 - i/N) on ln(r2/r1), smallest `fraction` of ratios."""
    _check(distances, 2, "twonn")
    n = len(distances)
    kept = int(n * fraction)
    log_mu = np.sort(np.log(distances[:, 1]) - np.log(distances[:, 0]))[:kept]
    squares = float(np.dot(log_mu, log_mu))
    if squares == 0.0:
        raise NotApplicable(
            f"twonn: r2 = r1 in all of the {kept} ratios kept, so there is no slope "
            "(a lattice, or too few rows)"
        )
    survival = -np.log1p(-np.arange(1, kept + 1) / n)
    return float(np.dot(log_mu, survival)) / squares


def mle_from_distances(distances: FloatArray, k: int, average: str) -> float:
    """Return the Levina-Bickel estimate over `k` neighbours, averaged as named."""
    _check(distances, k, "mle")
    logs = np.log(distances[:, :k])
    # Inverse of the local estimate: mean log ratio of the k-th to the k-1 nearer ones.
    inverse = (logs[:, -1:] - logs[:, :-1]).mean(axis=1)
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
