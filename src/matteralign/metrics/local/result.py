"""What a score from neighbour lists comes with: replicates, null, interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matteralign.metrics.base.specs import Scored
from matteralign.stats import jackknife
from matteralign.stats.pairing import gamma_p

Null = tuple[float, float, float]
"""Mean, standard deviation and skewness under random pairing."""


@dataclass(frozen=True)
class LocalScore:
    """One score of one k, or the reason why there is none.

    Attributes
    ----------
    n : int
        Rows it rests on.
    value : float or None
    reason : str
        Empty exactly when there is a value.
    null_mean, null_sd : float or None
        Under random pairing of the rows; None below four rows.
    null_skewness : float
        0 where it was not worked out.
    debiased : float or None
        (value - null_mean) / (1 - null_mean): 0 on average for independent embeddings, 1
        where the value is 1 (the correction of Cohen's kappa for chance; Gröger et al.
        2026 calibrate similarity scores so).
    replicates, debiased_replicates : tuple of float
        Without each block of rows, each against the floor of its own sample size; empty
        without a jackknife.
    note : str
        What to know before the value is used.
    """

    n: int
    value: float | None
    reason: str = ""
    null_mean: float | None = None
    null_sd: float | None = None
    null_skewness: float = 0.0
    debiased: float | None = None
    replicates: tuple[float, ...] = ()
    debiased_replicates: tuple[float, ...] = ()
    note: str = ""

    def scored(self) -> Scored:
        """Return the score with its p-value (gamma law) and 95 % intervals."""
        if self.value is None:
            return Scored.not_applicable(self.reason, self.n)
        p = None
        if self.null_mean is not None and self.null_sd is not None:
            p = gamma_p(self.value, self.null_mean, self.null_sd, self.null_skewness)
        low, high = jackknife.interval(self.value, self.replicates) or (None, None)
        debiased_low, debiased_high = (
            None
            if self.debiased is None
            else jackknife.interval(self.debiased, self.debiased_replicates)
        ) or (None, None)
        return Scored.ok(
            self.value,
            self.n,
            debiased=self.debiased,
            null_mean=self.null_mean,
            null_sd=self.null_sd,
            null_p=p,
            ci_low=low,
            ci_high=high,
            debiased_low=debiased_low,
            debiased_high=debiased_high,
            note=self.note,
        )


def calibrated(
    n: int,
    value: float,
    null: Null | None,
    replicates: Sequence[float] = (),
    floors: Sequence[float] = (),
) -> LocalScore:
    """Return a score with its chance-corrected value.

    Parameters
    ----------
    n : int
    value : float
    null : Null, optional
        In the units of `value`.
    replicates, floors : sequence of float
        Values without each block and their means under random pairing.
    """
    if null is None:
        return LocalScore(n, value, replicates=tuple(replicates))
    mean, sd, skewness = null
    corrected = [_corrected(v, m) for v, m in zip(replicates, floors, strict=True)]
    return LocalScore(
        n,
        value,
        null_mean=mean,
        null_sd=sd,
        null_skewness=skewness,
        debiased=_corrected(value, mean),
        replicates=tuple(replicates),
        # None of them or all: a jackknife with a hole has no standard error.
        debiased_replicates=tuple(c for c in corrected if c is not None)
        if None not in corrected
        else (),
    )


def _corrected(value: float, floor: float) -> float | None:
    """Return the share of the way from chance to 1; None where chance is 1 already."""
    # k = n - 1: every row is everyone's neighbour, and rounding must not decide.
    return (value - floor) / (1.0 - floor) if floor < 1.0 - 1e-9 else None
