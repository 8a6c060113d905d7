"""Intervals of whatever is computed from scores: differences, means, ratios, slopes.

The same rows are left out of every score of a slice, so the values without a block are those
of one experiment: what is computed from them anew without each block varies as it would
between samples of structures, however strongly the scores depend on each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.core.errors import MatterAlignError
from matteralign.stats.jackknife import LEVEL, interval, standard_error, two_sided_p

FloatArray = npt.NDArray[np.float64]


class NoEstimate(MatterAlignError):  # noqa: N818 - an outcome, not a fault
    """Sound scores of which a statistic cannot be had; the message says why."""


@dataclass(frozen=True)
class Estimate:
    """A statistic of scores.

    Attributes
    ----------
    value : float
    low, high : float or None
        Ends of its 95 % interval; None where the scores have no replicates.
    error : float or None
        Its standard error; of its logarithm where the interval is on that scale.
    p : float or None
        Two-sided p-value of the hypothesis that it is `null`. None without an error, or
        where the error is zero and the value is not `null`: then there is no scale for it.
    null : float
    """

    value: float
    low: float | None
    high: float | None
    error: float | None
    p: float | None
    null: float = 0.0


def estimate(
    statistic: Callable[[FloatArray], float],
    values: FloatArray,
    replicates: FloatArray | None,
    *,
    null: float = 0.0,
    logarithmic: bool = False,
    level: float = LEVEL,
) -> Estimate:
    """Return a statistic of some scores with its interval.

    Parameters
    ----------
    statistic : callable
        Of the scores, shape (m,); smooth in them, as means, differences and slopes are.
    values : ndarray, shape (m,)
    replicates : ndarray, shape (m, B), or None
        The same scores without each block of rows.
    null : float
        What the p-value asks about.
    logarithmic : bool
        Take the interval on the scale of logarithms: for ratios. `null` is a ratio too.

    Raises
    ------
    NoEstimate
        If the statistic is not finite, or not positive where its logarithm is taken.

    Notes
    -----
    Delete-one-block jackknife of the statistic itself, Student's t with B - 1 degrees of
    freedom. Ranks and maxima are not smooth: see `ranking`.
    """
    value = _finite(statistic(values), logarithmic)
    if replicates is None:
        return Estimate(value, None, None, None, None, null)
    left = [_finite(statistic(column), logarithmic) for column in replicates.T]
    if logarithmic:
        left = [math.log(one) for one in left]
    middle, asked = (math.log(value), math.log(null)) if logarithmic else (value, null)
    error, found = standard_error(left), interval(middle, left, level)
    if error is None or found is None:
        return Estimate(value, None, None, None, None, null)
    # Replicates are kept in single precision, and a spread of its size is none.
    rounding = 4.0 * float(np.finfo(np.float32).eps * np.abs(values).max())
    p = two_sided_p(middle - asked, error, len(left) - 1, nothing=rounding)
    low, high = (math.exp(end) for end in found) if logarithmic else found
    return Estimate(value, low, high, error, p, null)


def _finite(value: float, logarithmic: bool) -> float:
    if not math.isfinite(value):
        raise NoEstimate("it is not finite for these scores, or without one of the blocks")
    if logarithmic and value <= 0.0:
        raise NoEstimate("a ratio needs scores of one sign, also without each of the blocks")
    return float(value)


def difference(values: FloatArray, replicates: FloatArray | None) -> Estimate:
    """Return the first of two scores less the second; arguments as `estimate`, m = 2."""
    return estimate(lambda s: float(s[0] - s[1]), values, replicates)


def ratio(values: FloatArray, replicates: FloatArray | None) -> Estimate:
    """Return the first of two scores over the second, compared with 1; as `estimate`, m = 2."""
    return estimate(
        lambda s: float(s[0] / s[1]) if s[1] else math.nan,
        values,
        replicates,
        null=1.0,
        logarithmic=True,
    )


def mean(values: FloatArray, replicates: FloatArray | None) -> Estimate:
    """Return the mean of some scores; arguments as `estimate`."""
    return estimate(lambda s: float(s.mean()), values, replicates)


def slope(x: FloatArray, values: FloatArray, replicates: FloatArray | None) -> Estimate:
    """Return the slope of the least-squares line of scores on fixed numbers.

    Parameters
    ----------
    x : ndarray, shape (m,)
        One number for each score, such as the size of its model.
    values, replicates
        As `estimate`.

    Raises
    ------
    NoEstimate
        If all of `x` are equal.

    Notes
    -----
    The interval is over structures: these models, other structures. It does not say what
    the slope of other models would be.
    """
    centred = x - x.mean()
    squares = float(centred @ centred)
    if squares == 0.0:
        raise NoEstimate("a slope needs two different numbers to stand the scores over")
    return estimate(lambda s: float(centred @ s) / squares, values, replicates)
