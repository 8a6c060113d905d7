"""What a score from neighbour lists comes with: replicates, null, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matteralign.metrics.base.specs import Scored, interval_fields
from matteralign.stats import jackknife
from matteralign.stats.calibrated import calibrated_score, gamma_threshold
from matteralign.stats.pairing import gamma_p

Null = tuple[float, float, float]
"""Mean, standard deviation and skewness under random pairing."""


def calibrated(
    n: int,
    value: float,
    null: Null | None,
    replicates: Sequence[float] = (),
    floors: Sequence[float] = (),
) -> Scored:
    """Return a score with its 95 % interval, p-value (gamma law) and chance-corrected value.

    The latter is (value - mean) / (1 - mean) with the mean under random pairing: 0 on average
    for independent embeddings, 1 where the value is 1 (the correction of Cohen's kappa for
    chance). The calibrated score takes the 95 % quantile instead of the mean.

    Parameters
    ----------
    n : int
        Rows it rests on.
    value : float
    null : Null, optional
        In the units of `value`; None below four rows.
    replicates, floors : sequence of float
        Values without each block and their means under random pairing.
    """
    fields: dict[str, Any] = {"replicates": tuple(replicates)}
    fields |= interval_fields(jackknife.interval(value, replicates))
    if null is None:
        return Scored.ok(value, n, **fields)
    mean, sd, skewness = null
    fields |= {"null_mean": mean, "null_sd": sd, "null_p": gamma_p(value, mean, sd, skewness)}
    fields["calibrated"] = calibrated_score(value, gamma_threshold(mean, sd, skewness))
    debiased = _corrected(value, mean)
    corrected = [_corrected(v, m) for v, m in zip(replicates, floors, strict=True)]
    # None of them or all: a jackknife with a hole has no standard error.
    whole = tuple(c for c in corrected if c is not None) if None not in corrected else ()
    fields |= {"debiased": debiased, "debiased_replicates": whole}
    if debiased is not None:
        fields |= interval_fields(jackknife.interval(debiased, whole), "debiased")
    return Scored.ok(value, n, **fields)


def _corrected(value: float, floor: float) -> float | None:
    """Return the share of the way from chance to 1; None where chance is 1 already."""
    # k = n - 1: every row is everyone's neighbour, and rounding must not decide.
    return (value - floor) / (1.0 - floor) if floor < 1.0 - 1e-9 else None
