"""Random pairing of the rows of two doubly centred matrices: tr(A P B P^T)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from matteralign.stats.calibrated import gamma_threshold
from matteralign.stats.pairing import gamma_p


@dataclass(frozen=True)
class CentredMoments:
    """Sums over one doubly centred symmetric matrix.

    Attributes
    ----------
    trace : float
    squares : float
        Sum of all squared elements.
    diagonal : float
        Sum of the squared diagonal.
    """

    trace: float
    squares: float
    diagonal: float

    @classmethod
    def of(cls, diagonal: npt.NDArray[np.float64], squares: float) -> CentredMoments:
        """Return the sums from the diagonal and the sum of squares."""
        return cls(float(diagonal.sum()), squares, float(diagonal @ diagonal))


@dataclass(frozen=True)
class Null:
    """Law of a score under random pairing: mean, deviation, upper tail, 95 % quantile."""

    mean: float
    sd: float
    p: float
    threshold: float


def trace_null(a: CentredMoments, b: CentredMoments, n: int) -> tuple[float, float] | None:
    """Return mean and standard deviation of ``sum_ij A_ij B_pi(i)pi(j)``, None for n < 4.

    Exact (Kazi-Aoual, Hitier, Sabatier & Lebreton 1995, Comput. Stat. Data Anal. 20, 643).
    """
    if n < 4:
        return None
    mean = a.trace * b.trace / (n - 1)
    spread = 2.0 * math.prod((n - 1) * m.squares - m.trace**2 for m in (a, b))
    spread /= (n - 1) ** 2 * (n + 1) * (n - 2)
    tilt = math.prod(
        n * (n + 1) * m.diagonal - (n - 1) * (m.trace**2 + 2.0 * m.squares) for m in (a, b)
    )
    tilt /= float(n + 1) * n * (n - 1) * (n - 2) * (n - 3)
    return mean, math.sqrt(max(0.0, spread + tilt))


def gamma_null(value: float, mean: float, sd: float) -> Null:
    """Return the law of a sum of weighted squares that has this mean and deviation.

    Without a third moment the gamma law through zero is taken, as for HSIC in Gretton et al.
    (NeurIPS 20, 2008); its skewness is 2 sd / mean.
    """
    skewness = 2.0 * sd / mean if mean > 0.0 else 0.0
    threshold = gamma_threshold(mean, sd, skewness)
    return Null(mean, sd, gamma_p(value, mean, sd, skewness), threshold)


def root_of(null: Null) -> Null:
    """Return the law of the square root of a variable with the gamma law of `null`."""
    threshold = math.sqrt(max(0.0, null.threshold))
    if not (null.sd > 0.0 and null.mean > 0.0):
        return Null(math.sqrt(max(0.0, null.mean)), 0.0, null.p, threshold)
    shape = (null.mean / null.sd) ** 2
    log_ratio = float(special.gammaln(shape + 0.5) - special.gammaln(shape))
    mean = math.sqrt(null.mean / shape) * math.exp(log_ratio)
    return Null(mean, math.sqrt(max(0.0, null.mean - mean**2)), null.p, threshold)
