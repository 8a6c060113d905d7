"""Confidence intervals from the delete-one-block jackknife."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
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


def evened(replicates: Sequence[float], counted: float) -> tuple[float, ...]:
    """Return replicates moved towards their mean, so that `standard_error` is right of them.

    Parameters
    ----------
    counted : float
        As in `interval`: how many times the variance of the replicates is too large.
    """
    mean = math.fsum(replicates) / max(len(replicates), 1)
    return tuple(mean + (r - mean) / math.sqrt(counted) for r in replicates)


def two_sided_p(value: float, error: float, degrees: int, *, nothing: float = 0.0) -> float | None:
    """Return the p-value of the hypothesis that a statistic is zero, by Student's t.

    Parameters
    ----------
    value, error : float
        The statistic and its standard error.
    nothing : float
        What rounding may leave of a zero.

    Returns
    -------
    float or None
        None where there is no error to measure the value by, and the value is not zero.
    """
    if error <= nothing:
        return 1.0 if abs(value) <= nothing else None
    return float(2.0 * special.stdtr(degrees, -abs(value) / error))


def resampled(
    values: npt.NDArray[np.float64], replicates: npt.NDArray[np.float64], draws: int, seed: int
) -> npt.NDArray[np.float64]:
    """Draw statistics as other samples of rows would give them.

    Values without one of B blocks lie nearer together than values of other samples, by a factor
    of about sqrt(B): they are no bootstrap samples and must not be counted as such. A draw is
    ``value + sqrt((B - 1)/B) / g * sum_b z_b (r_b - mean)`` with z standard normal, one number
    for each block and all statistics, and g^2 chi-squared with B - 1 degrees of freedom over
    B - 1: a multiplier bootstrap of the blocks, whose covariance given g is that of the
    jackknife.  g makes single statistics follow Student's t, like their intervals.

    Parameters
    ----------
    values : ndarray, shape (m,)
    replicates : ndarray, shape (m, B)
    draws, seed : int

    Returns
    -------
    ndarray, shape (draws, m)
    """
    blocks = replicates.shape[1]
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((draws, blocks))
    g = np.sqrt(rng.chisquare(blocks - 1, (draws, 1)) / (blocks - 1))
    apart = replicates - replicates.mean(axis=1, keepdims=True)
    return np.asarray(values + math.sqrt((blocks - 1) / blocks) * (z / g) @ apart.T)


@cache
def _quantile(level: float, degrees: int) -> float:
    return float(special.stdtrit(degrees, 0.5 + level / 2.0))
