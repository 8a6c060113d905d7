"""Confidence intervals from the delete-one-block jackknife."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from scipy import special

LEVEL = 0.95
_LEAST_REPLICATES = 4


def standard_error(replicates: Sequence[float]) -> float | None:
    """Return the jackknife standard error of a statistic.

    Parameters
    ----------
    replicates : sequence of float, length B
        The statistic without each block in turn.

    Returns
    -------
    float or None
        ``sqrt((B - 1)/B * sum (r_b - mean)^2)`` (Tukey 1958; Künsch 1989 for blocks), None
        with fewer than four replicates.
    """
    count = len(replicates)
    if count < _LEAST_REPLICATES or not all(map(math.isfinite, replicates)):
        return None
    mean = math.fsum(replicates) / count
    spread = math.fsum((r - mean) ** 2 for r in replicates)
    return math.sqrt(spread * (count - 1) / count)


def interval(
    value: float, replicates: Sequence[float], level: float = LEVEL, *, counted: float = 1.0
) -> tuple[float, float] | None:
    """Return a confidence interval around `value`, or None where there is no error.

    `counted` says with how many blocks each term of the statistic is left out: the variance
    of the replicates is so many times too large.

    Student's t with B - 1 degrees of freedom. For a statistic that is degenerate at the null
    (a debiased score of independent data) the jackknife overstates the variance, up to
    twice, so the interval errs on the wide side there.
    """
    error = standard_error(replicates)
    if error is None:
        return None
    half = _quantile(level, len(replicates) - 1) * error / math.sqrt(counted)
    return value - half, value + half


@cache
def _quantile(level: float, degrees: int) -> float:
    return float(special.stdtrit(degrees, 0.5 + level / 2.0))
