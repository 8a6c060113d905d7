"""Scores beside what chance gives: floor, debiased value, intervals, adjusted p-values."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from matteralign.metrics.base.registry import METRICS

COLUMNS = [
    "metric",
    "definition",
    "params",
    "model_a",
    "model_b",
    "weights_a",
    "weights_b",
    "n",
    "value",
    "ci_low",
    "ci_high",
    "null_mean",
    "null_sd",
    "debiased",
    "debiased_low",
    "debiased_high",
    "null_p",
    "p_adjusted",
    "p_holm",
]


def calibration_table(scores: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Return every score that there is with its calibration.

    Parameters
    ----------
    scores
        Tidy score table of one slice; statistics that it lacks are missing values.
    models
        Models and their order.

    Returns
    -------
    DataFrame
        `COLUMNS`; one row per pair of models of a symmetric definition, one per direction
        of the others, in the order of the table and the models.
    """
    rows = once_per_pair(scores[scores["status"] == "ok"], models)
    order = {spec: i for i, spec in enumerate(dict.fromkeys(_specs(scores)))}
    place = {model: i for i, model in enumerate(models)}
    keyed = rows.assign(
        _spec=[order[spec] for spec in _specs(rows)],
        _a=rows["model_a"].map(place),
        _b=rows["model_b"].map(place),
    ).sort_values(["_spec", "_a", "_b"], kind="stable")
    table = keyed.reindex(columns=COLUMNS).reset_index(drop=True)
    return table.astype(dict.fromkeys(COLUMNS[COLUMNS.index("value") :], float))


def once_per_pair(rows: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Leave one of the two equal directions of symmetric definitions, all of the others.

    Models that are not among `models` are left out.
    """
    place = {model: i for i, model in enumerate(models)}
    inside = rows[rows["model_a"].isin(place) & rows["model_b"].isin(place)]
    symmetric = [
        METRICS[str(metric)].definitions[str(definition)].symmetric
        for metric, definition in zip(inside["metric"], inside["definition"], strict=True)
    ]
    forward = inside["model_a"].map(place) < inside["model_b"].map(place)
    return inside[forward | ~pd.Series(symmetric, index=inside.index, dtype=bool)]


def has_debiased(scores: pd.DataFrame, metric: str, definition: str, params: str) -> bool:
    """Whether any pair has a debiased value of this score."""
    if "debiased" not in scores:
        return False
    chosen = (
        (scores["metric"] == metric)
        & (scores["definition"] == definition)
        & (scores["params"] == params)
        & (scores["status"] == "ok")
    )
    return bool(scores.loc[chosen, "debiased"].notna().any())


def _specs(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    names = rows[["metric", "definition", "params"]].itertuples(index=False, name=None)
    return [(str(m), str(d), str(p)) for m, d, p in names]
