"""dCor and CKA of pairs, with their statistics, from the sums of one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from matteralign.metrics.base.cautions import few_rows_note
from matteralign.metrics.base.errors import NotApplicable
from matteralign.metrics.base.registry import definition_of
from matteralign.metrics.base.specs import Scored, interval_fields
from matteralign.metrics.tiles.sums import MatrixSums, Sample
from matteralign.stats.calibrated import calibrated_score
from matteralign.stats.jackknife import interval
from matteralign.stats.trace import CentredMoments, Null, gamma_null, root_of, trace_null

LEAST_ROWS = definition_of("cka", "plain").min_n
LEAST_UNBIASED = definition_of("cka", "debiased").min_n

LEAST_SHARE = 0.25
"""Share of the rows that must carry a matrix. Kernels of Gaussian rows: 0.33 with one column,
0.83 with ten; of rows with three degrees of freedom (t): 0.1 to 0.3."""

# What is left of a constant matrix after centring, relative to what went in.
_NOTHING = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-7}


class GlobalScores:
    """Scores of all pairs on one kind of matrix: distances for dCor, kernels for CKA.

    Parameters
    ----------
    sums : MatrixSums
    leading : sequence of MatrixSums
        Over growing numbers of leading rows, for a sweep.
    statistics : bool
        Add intervals and the null.
    sweep : bool
        Add the value at growing sample sizes.
    """

    def __init__(
        self,
        sums: MatrixSums,
        leading: Sequence[MatrixSums] = (),
        *,
        statistics: bool,
        sweep: bool,
    ) -> None:
        self._sums, self._statistics, self._sweep = sums, statistics, sweep
        self._fewer = leading
        self._moments: dict[tuple[int, int], CentredMoments] = {}
        self._whole = sums.sample()

    def score(self, a: int, b: int, definition: str, what: str) -> Scored:
        """Return the score of two models, given by their places, that share rows enough for it.

        Parameters
        ----------
        definition : {"plain", "squared", "root", "debiased"}
            ``root`` takes the square root of a ratio of V-statistics, ``debiased`` is the
            ratio of U-statistics.
        what : str
            What vanishes when there is no score, for the reason.
        """
        n = self._whole.n(a, b)
        squared = self._plain(self._whole, a, b)
        if squared is None:
            raise NotApplicable(f"the {what} of one embedding is zero to working precision")
        debiased = self._debiased(self._whole, a, b)
        if definition == "debiased":
            return self._finish_debiased(a, b, n, squared, debiased)
        value = math.sqrt(squared) if definition == "root" else squared
        fields: dict[str, object] = {}
        if debiased is not None:
            fields["debiased"] = _signed_root(debiased) if definition == "root" else debiased
        if self._statistics:
            null = self._null(a, b, n, squared)
            if null is not None:
                null = root_of(null) if definition == "root" else null
                fields |= {"null_mean": null.mean, "null_sd": null.sd, "null_p": null.p}
                fields["calibrated"] = calibrated_score(value, null.threshold)
            fields |= self._intervals(a, b, definition, value, debiased)
            fields["note"] = self._few_rows(a, b, n) if "ci_low" in fields else ""
        return self._swept(a, b, definition, Scored.ok(value, n, **fields))

    def _finish_debiased(
        self, a: int, b: int, n: int, squared: float, debiased: float | None
    ) -> Scored:
        if debiased is None:
            raise NotApplicable("the unbiased variance of one embedding is not positive")
        fields: dict[str, object] = {"debiased": debiased}
        if self._statistics:
            null = self._null(a, b, n, squared)
            # U-centred rows sum to zero, so the variance over all pairings depends on n alone.
            fields |= {"null_mean": 0.0, "null_sd": math.sqrt(2.0 / (n * (n - 3.0)))}
            fields["null_p"] = null.p if null else None
            unbiased = self._replicates(a, b)[1]
            found = interval(debiased, unbiased)
            fields |= interval_fields(found) | interval_fields(found, "debiased")
            whole = self._whole_of(unbiased)
            fields |= {"replicates": whole, "debiased_replicates": whole}
            fields["note"] = self._few_rows(a, b, n) if found else ""
        return self._swept(a, b, "debiased", Scored.ok(debiased, n, **fields))

    def _plain(self, sample: Sample, a: int, b: int) -> float | None:
        """Return the ratio of V-statistics in [0, 1]."""
        if sample.n(a, b) < LEAST_ROWS:
            return None
        own_a, own_b = sample.biased_own(a, b), sample.biased_own(b, a)
        least = _NOTHING[self._sums.rows.dtype]
        if not all(
            own > least * sample.entries(one, two)
            for own, one, two in ((own_a, a, b), (own_b, b, a))
        ):
            return None
        ratio = sample.biased(a, b) / (math.sqrt(own_a) * math.sqrt(own_b))
        # Sums of squares by construction: only rounding can leave [0, 1].
        return min(1.0, max(0.0, ratio))

    @staticmethod
    def _debiased(sample: Sample, a: int, b: int) -> float | None:
        if sample.n(a, b) < LEAST_UNBIASED:
            return None
        own_a, own_b = sample.unbiased_own(a, b), sample.unbiased_own(b, a)
        if not (own_a > 0.0 and own_b > 0.0):
            return None
        return sample.unbiased(a, b) / (math.sqrt(own_a) * math.sqrt(own_b))

    def _null(self, a: int, b: int, n: int, squared: float) -> Null | None:
        moments = self._moments_of(a, b), self._moments_of(b, a)
        found = trace_null(*moments, n)
        if found is None:
            return None
        scale = math.sqrt(moments[0].squares) * math.sqrt(moments[1].squares)
        return gamma_null(squared, found[0] / scale, found[1] / scale)

    def _moments_of(self, a: int, b: int) -> CentredMoments:
        key = (a, int(self._sums.pattern_of[b]))
        if key not in self._moments:
            diagonal = self._whole.centred_diagonal(a, b)
            self._moments[key] = CentredMoments.of(diagonal, self._whole.biased_own(a, b))
        return self._moments[key]

    def _few_rows(self, a: int, b: int, n: int) -> str:
        """Say so where a few rows far out carry a matrix, so that no sample tells its spread.

        Of equal rows the diagonal of the centred matrix is as good as constant, and the
        square of its sum n times the sum of its squares.
        """
        shares = [m.trace**2 / (n * m.diagonal) for m in map(self._moments_of, (a, b), (b, a))]
        if min(shares) >= LEAST_SHARE:
            return ""
        return few_rows_note(min(shares), n)

    @cached_property
    def _deleted(self) -> list[Sample]:
        if self._sums.blocks < 2:
            return []
        return [self._sums.sample(without=block) for block in range(self._sums.blocks)]

    @cached_property
    def _leading(self) -> list[Sample]:
        return [sums.sample() for sums in self._fewer]

    def _replicates(self, a: int, b: int) -> tuple[list[float], list[float]]:
        plain = [self._plain(sample, a, b) for sample in self._deleted]
        debiased = [self._debiased(sample, a, b) for sample in self._deleted]
        return [v for v in plain if v is not None], [v for v in debiased if v is not None]

    def _intervals(
        self, a: int, b: int, definition: str, value: float, debiased: float | None
    ) -> dict[str, object]:
        plain, unbiased = self._replicates(a, b)
        root = definition == "root"
        if root:
            plain = [math.sqrt(v) for v in plain]
        fields: dict[str, object] = {**interval_fields(interval(value, plain))}
        fields["replicates"] = self._whole_of(plain)
        if debiased is None:
            return fields
        found = interval(debiased, unbiased)
        if found is not None and root:
            found = _signed_root(found[0]), _signed_root(found[1])
        rooted = [_signed_root(v) for v in unbiased] if root else unbiased
        fields["debiased_replicates"] = self._whole_of(rooted)
        return fields | interval_fields(found, "debiased")

    def _whole_of(self, replicates: list[float]) -> tuple[float, ...]:
        """Return replicates where no block lacks its own: they are told apart by their place."""
        return tuple(replicates) if len(replicates) == len(self._deleted) else ()

    def _swept(self, a: int, b: int, definition: str, whole: Scored) -> Scored:
        if not self._sweep:
            return whole
        return whole.swept(self._among(sample, a, b, definition) for sample in self._leading)

    def _among(self, sample: Sample, a: int, b: int, definition: str) -> Scored:
        """Return the score of some leading rows, without statistics."""
        n, plain, debiased = sample.n(a, b), self._plain(sample, a, b), self._debiased(sample, a, b)
        value = debiased if definition == "debiased" else plain
        if plain is None or value is None:
            return Scored.not_applicable("too little varies in these rows", n)
        if definition == "root":
            debiased = None if debiased is None else _signed_root(debiased)
            return Scored.ok(math.sqrt(plain), n, debiased=debiased)
        return Scored.ok(value, n, debiased=debiased)


def _signed_root(x: float) -> float:
    return math.copysign(math.sqrt(abs(x)), x)
