"""The calibrated score of Gröger et al. (2026): what is left above the edge of the null.

Gröger, Wen & Brbić, *Revisiting the Platonic Representation Hypothesis*, ICML 2026, algorithm 1:
``(s - tau) / (1 - tau)``, at least 0 and at most 1, with tau the 1 - alpha quantile of the null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

ALPHA = 0.05

LEAST_DRAWS = math.ceil(1.0 / ALPHA) - 1
"""With fewer random pairings the quantile is the largest score, the observed one included."""

# Rounding must not decide whether random pairings reach 1.
_ROUNDING = 1e-9
_NO_SKEWNESS = 1e-5


def calibrated_score(value: float, threshold: float | None) -> float | None:
    """Return a similarity as the share of the way from the threshold to 1.

    Parameters
    ----------
    value : float
        At most 1 where two embeddings are the same.
    threshold : float, optional
        The 1 - alpha quantile of its null.

    Returns
    -------
    float or None
        In [0, 1], 0 at and below the threshold. None without a threshold, or where it is 1.
    """
    if threshold is None or threshold >= 1.0 - _ROUNDING:
        return None
    return min(1.0, max(0.0, (value - threshold) / (1.0 - threshold)))


def gamma_threshold(mean: float, sd: float, skewness: float) -> float:
    """Return the 1 - alpha quantile of a shifted gamma law (Pearson type III).

    The inverse of `pairing.gamma_p`; negative skewness mirrors the law, none gives the normal
    law.
    """
    if sd == 0.0:
        return mean
    if abs(skewness) < _NO_SKEWNESS:
        return mean + sd * float(special.ndtri(1.0 - ALPHA))
    shape, root = 4.0 / (skewness * skewness), 2.0 / abs(skewness)
    if skewness > 0.0:
        return mean + sd * (float(special.gammainccinv(shape, ALPHA)) - shape) / root
    return mean + sd * (shape - float(special.gammaincinv(shape, ALPHA))) / root


def drawn_threshold(value: float, permuted: Sequence[float]) -> float | None:
    """Return the 1 - alpha quantile of permuted scores and the observed one together.

    Number ``ceil((1 - alpha)(m + 1))`` of the m + 1 scores in ascending order; None with fewer
    than `LEAST_DRAWS` permuted ones.
    """
    if len(permuted) < LEAST_DRAWS:
        return None
    both = sorted((value, *permuted))
    return both[math.ceil((1.0 - ALPHA) * len(both)) - 1]
