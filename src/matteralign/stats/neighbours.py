"""Confidence interval of a statistic of nearest neighbours.

Such a statistic is close to a sum over rows, but a row and its nearest neighbour share a
distance, so their terms are correlated; and it changes abruptly when rows are left out, so
that deleting blocks, or taking small samples, misjudges its spread. The variance is therefore
put together from the terms and from the products of those of neighbours, as for data with
known local dependence (Conley 1999, J. Econometrics 92, 1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

from matteralign.stats.blocks import LEAST_ROWS
from matteralign.stats.jackknife import LEVEL

ROWS_PER_DEGREE = 10
"""Rows for each degree of freedom: the error itself scatters by about sqrt(5 / n)."""


def standard_error(
    terms: npt.NDArray[np.float64],
    nearest: Sequence[npt.NDArray[np.integer]],
) -> float | None:
    """Return the standard error of a sum of terms that are correlated between neighbours.

    Parameters
    ----------
    terms : ndarray, shape (n,)
        What each row adds to the statistic, with mean zero.
    nearest : sequence of ndarray of int, shape (n,)
        The nearest row of each row in every space that the statistic looks at; negative for
        none.

    Returns
    -------
    float or None
        ``sqrt(sum_i t_i^2 + 2 sum_(i,j) t_i t_j)`` over all pairs of which one is the nearest
        row of the other somewhere; None where that is not positive.
    """
    n = len(terms)
    pairs = []
    for near in nearest:
        rows = np.flatnonzero(near >= 0)
        ends = np.sort(np.stack([rows, near[rows].astype(np.int64)]), axis=0)
        pairs.append(ends[0] * n + ends[1])
    one, two = np.divmod(np.unique(np.concatenate(pairs)), n)
    variance = float(terms @ terms + 2.0 * (terms[one] @ terms[two]))
    return math.sqrt(variance) if math.isfinite(variance) and variance > 0.0 else None


def interval(
    value: float,
    terms: npt.NDArray[np.float64],
    nearest: Sequence[npt.NDArray[np.integer]],
    level: float = LEVEL,
    *,
    logarithmic: bool = False,
) -> tuple[float, float] | None:
    """Return a confidence interval, None without a standard error; others as `around`.

    The terms are those of the logarithm of the value with `logarithmic`, see `standard_error`.
    Rows that have no nearest row anywhere do not count.
    """
    n = int(np.any([near >= 0 for near in nearest], axis=0).sum())
    error = standard_error(terms, nearest)
    return None if error is None else around(value, error, n, level, logarithmic=logarithmic)


def around(
    value: float, error: float, n: int, level: float = LEVEL, *, logarithmic: bool = False
) -> tuple[float, float] | None:
    """Return a confidence interval around a value of n rows, None below 32 rows.

    Student's t with n / `ROWS_PER_DEGREE` degrees of freedom. With `logarithmic` the standard
    error is that of the logarithm of a positive value, and so the interval is positive.
    """
    if n < LEAST_ROWS:
        return None
    half = float(special.stdtrit(n / ROWS_PER_DEGREE, 0.5 + level / 2.0)) * error
    if logarithmic:
        return value * math.exp(-half), value * math.exp(half)
    return value - half, value + half
