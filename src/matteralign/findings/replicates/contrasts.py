"""Differences between scores of one slice: pair against pair, group against group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Any, get_args

import numpy as np
import pandas as pd

from matteralign.findings.replicates.estimates import FloatArray, difference
from matteralign.findings.replicates.matrices import Kind, ScoreMatrix
from matteralign.stats.multiple import benjamini_hochberg, holm

COLUMNS = (
    "metric", "definition", "params", "of", "a", "b", "value_a", "value_b", "difference", "low",
    "high", "error", "p", "p_adjusted", "p_holm", "n_a", "n_b", "status", "reason", "note",
)  # fmt: skip

Group = Sequence[str]
"""Two models: their pair, from the first to the second where a metric has a direction. More:
the mean over all pairs among them."""


def contrasts(
    rows: pd.DataFrame, models: Sequence[str], a: Sequence[Group], b: Sequence[Group]
) -> pd.DataFrame:
    """Return the difference of every group of `a` and every group of `b`, by every measure.

    Parameters
    ----------
    rows : DataFrame
        Of `matrices.with_replicates`; each of its measures gives rows, for the values and,
        where there are any, for the debiased values.
    models : sequence of str
        Models of the slice.
    a, b : sequence of Group

    Returns
    -------
    DataFrame
        With `COLUMNS`; `low` and `high` are the 95 % interval of the difference a - b, `p` is
        two-sided. `p_adjusted` (Benjamini-Hochberg) and `p_holm` are adjusted for all
        differences of the table. A difference that cannot be had has status
        ``not_applicable`` and a reason.
    """
    found: list[dict[str, Any]] = []
    for _, same in rows.groupby(["metric", "definition", "params"], sort=False):
        for kind in get_args(Kind):
            if same[kind].notna().any() or kind == "value":
                matrix = ScoreMatrix.of(same, models, kind)
                notes = {(r["model_a"], r["model_b"]): r["note"] for r in same.to_dict("records")}
                found += [_contrast(matrix, kind, one, two, notes) for one in a for two in b]
    told = [row for row in found if row["p"] is not None]
    p = [row["p"] for row in told]
    for row, discovery, family in zip(told, benjamini_hochberg(p), holm(p), strict=True):
        row |= {"p_adjusted": float(discovery), "p_holm": float(family)}
    return pd.DataFrame(found, columns=list(COLUMNS))


def _contrast(
    matrix: ScoreMatrix, kind: Kind, a: Group, b: Group, notes: dict[tuple[str, str], str]
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"metric": matrix.metric, "definition": matrix.definition, "params": matrix.params}
    row |= {"of": kind, "a": _named(matrix, a), "b": _named(matrix, b), "status": "ok"}
    row |= {"reason": "", "note": ""}
    sides = [list(_pairs(matrix, group)) for group in (a, b)]
    told = dict.fromkeys(note for pairs in sides for pair in pairs if (note := notes.get(pair)))
    places = [[tuple(map(matrix.models.index, pair)) for pair in pairs] for pairs in sides]
    missing = [
        (matrix.models[i], matrix.models[j], str(matrix.reasons[i, j]))
        for side in places
        for i, j in side
        if np.isnan(matrix.values[i, j])
    ]
    if missing:
        first, second, reason = missing[0]
        why = reason or f"this definition has no {kind} score of them"
        more = f" (and {len(missing) - 1} more pairs)" if len(missing) > 1 else ""
        return row | {"status": "not_applicable", "reason": f"{first}, {second}: {why}{more}"}
    means = [np.mean([matrix.values[at] for at in side]) for side in places]
    left = [np.mean([matrix.replicates[at] for at in side], axis=0) for side in places]
    stacked: FloatArray = np.asarray(left)
    replicates = stacked if stacked.size and not np.isnan(stacked).any() else None
    if replicates is None:
        reasons = dict.fromkeys(str(matrix.reasons[at]) for side in places for at in side)
        told |= {f"no interval: {reason}": None for reason in reasons if reason}
    one = difference(np.asarray(means), replicates)
    ns = [sorted({int(matrix.n[at]) for at in side}) for side in places]
    if len({*ns[0], *ns[1]}) > 1:
        told["the pairs are scored on different rows"] = None
    return row | {
        "value_a": float(means[0]),
        "value_b": float(means[1]),
        "difference": one.value,
        "low": one.low,
        "high": one.high,
        "error": one.error,
        "p": one.p,
        "n_a": ns[0][0],
        "n_b": ns[1][0],
        "note": "; ".join(told),
    }


def _pairs(matrix: ScoreMatrix, group: Group) -> Iterator[tuple[str, str]]:
    """Yield the ordered pairs whose mean stands for a group."""
    if len(group) == 2 and matrix.directional:
        yield group[0], group[1]
    else:
        yield from permutations(group, 2)


def _named(matrix: ScoreMatrix, group: Group) -> str:
    if len(group) > 2:
        return f"mean of {len(group)} models: {', '.join(group)}"
    return (" → " if matrix.directional else ", ").join(group)
