"""What a reader must know beside a number: a k that is large against n, few rows, wide values.

Bounds on k come from simulation (docs/statistics.md, *Small samples*): scores of related and
unrelated Gaussian rows, n from 30 to 500.
"""

from __future__ import annotations

from dataclasses import replace

from matteralign.metrics.base.card import Rows
from matteralign.metrics.base.errors import NotApplicable
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.stats.blocks import LEAST_ROWS
from matteralign.stats.calibrated import LEAST_DRAWS

LOCAL_SHARE = 0.1
"""Share of the rows above which k neighbours are no neighbourhood: the floor is as large."""

_ROUNDING = 1e-9


def require_local(spec: MetricSpec, n: int) -> None:
    """Raise NotApplicable where k is so large against n that a score means nothing."""
    if not spec.definition_info.unstable_above_half:
        return
    k, most = spec.integer("k"), n // 2
    if most < k < n:
        raise NotApplicable(
            f"k = {k} is more than half of {n} rows, where this definition has no stable value; "
            f"take k = {most} at most, k = {_local(n)} for a local score"
        )


def with_note(spec: MetricSpec, scored: Scored) -> Scored:
    """Return a score with what must be known to read it, in `Scored.note`.

    Too few rows have no interval: a pair may share far fewer than the embeddings have.
    """
    if scored.value is None:
        return scored
    notes = [scored.note] if scored.note else []
    k = spec.integer("k") if "k" in spec.params else 0
    reads = spec.definition_info.reads
    # A local fit has the training half to choose its neighbours from.
    split = isinstance(reads, Rows) and reads.split
    rows = scored.n if split else scored.n - 1
    if k > LOCAL_SHARE * scored.n and k > 1:
        notes.append(
            f"k = {k} is {k / max(rows, 1):.0%} of the other rows: not a neighbourhood; "
            f"k = {_local(scored.n)} would be one"
        )
    if scored.n < LEAST_ROWS:
        notes.append(f"fewer than {LEAST_ROWS} rows: chance moves it, and it has no interval")
    notes += _not_calibrated(spec, scored)
    low, high = spec.definition_info.value_range
    above = spec.definition_info.above_one
    if above and scored.value > 1.0 + _ROUNDING:
        notes.append(above)
    if not low - _ROUNDING <= scored.value <= high + _ROUNDING:
        notes.append(f"outside [{low:g}, {high:g}], which this definition cannot leave: a fault")
    noted = replace(scored, note="; ".join(notes))
    if scored.n >= LEAST_ROWS:
        return noted
    bare = replace(noted, replicates=(), debiased_replicates=())
    return replace(bare, ci_low=None, ci_high=None, debiased_low=None, debiased_high=None)


def _not_calibrated(spec: MetricSpec, scored: Scored) -> list[str]:
    """Say why a similarity with a null has no calibrated score."""
    without = scored.null_p is None or scored.calibrated is not None
    # A debiased definition has its floor at 0 already.
    if without or not spec.info.larger_is_closer or scored.debiased == scored.value:
        return []
    drawn = spec.params.get("permutations")
    if drawn is not None and spec.integer("permutations") < LEAST_DRAWS:
        return [f"no calibrated score: it takes {LEAST_DRAWS} permutations, there are {drawn}"]
    return ["no calibrated score: 5 % of random pairings reach 1 as well"]


def few_rows_note(share: float, n: int) -> str:
    """Say that few of n rows carry a score, as if there were `share` of them."""
    return (
        f"rows far out carry it, as if there were {share * n:.0f} rows of {n}: "
        "the interval is too narrow"
    )


def _local(n: int) -> int:
    return max(2, int(LOCAL_SHARE * n))
