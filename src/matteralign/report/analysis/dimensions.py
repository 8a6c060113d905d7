"""Intrinsic dimensions of the models, one column per estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from matteralign.core.errors import MatterAlignError
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import parse_params


def estimator_label(metric: str, params: str) -> str:
    """Name an estimator for a legend: ``TwoNN`` or ``MLE (k = 50)``."""
    name = METRICS[metric].display_name
    k = parse_params(params).get("k")
    return name if k is None else f"{name} (k = {k})"


def dimension_estimates(table: pd.DataFrame, models: Sequence[str] | None = None) -> pd.DataFrame:
    """Tidy the intrinsic-dimension table for a figure.

    Parameters
    ----------
    table
        ``tables/intrinsic_dimension``: model, metric, definition, params, value, status,
        reason and the identity columns.
    models
        Models and their order; by default all, sorted by key.

    Returns
    -------
    DataFrame
        model, estimator (a label, unique per metric, definition and params), value (NaN
        unless the status is ok), status, reason, n (distinct rows), note; every model with every
        estimator. A row that the table lacks has the status ``absent``.

    Raises
    ------
    MatterAlignError
        If a model has one estimator twice.
    """
    keys = ["metric", "definition", "params"]
    specs = table[keys].drop_duplicates()
    rank = {name: place for place, name in enumerate(METRICS)}
    spec_list = sorted(
        (tuple(map(str, s)) for s in specs.itertuples(index=False, name=None)),
        key=lambda s: (rank[s[0]], s[1], s[2]),
    )
    labels = _labels(spec_list)
    wanted = list(models) if models is not None else sorted(map(str, table["model"].unique()))
    twice = table.duplicated(["model", *keys])
    if twice.any():
        first = table[twice].iloc[0]
        raise MatterAlignError(
            f"intrinsic-dimension table: {first['model']} has {first['metric']} "
            f"{first['definition']} {first['params']} twice; summarize it again"
        )
    fields = ["value", "status", "reason", "n", "note"]
    told = {
        (str(model), *map(str, spec)): (value, str(status), str(reason), int(n), str(note))
        for model, *spec, value, status, reason, n, note in table[
            ["model", *keys, *fields]
        ].itertuples(index=False, name=None)
    }
    absent = (np.nan, "absent", "no row in the table", 0, "")
    rows = []
    for model in wanted:
        for spec, label in zip(spec_list, labels, strict=True):
            value, *rest = told.get((model, *spec), absent)
            rows.append((model, label, value if rest[0] == "ok" else np.nan, *rest))
    frame = pd.DataFrame(rows, columns=["model", "estimator", *fields])
    return frame.astype({"value": np.float64})


def dimension_table(table: pd.DataFrame, models: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one row per model, one column per estimator (see `dimension_estimates`)."""
    tidy = dimension_estimates(table, models)
    order = list(dict.fromkeys(tidy["model"]))
    columns = list(dict.fromkeys(tidy["estimator"]))
    wide = tidy.pivot(index="model", columns="estimator", values="value")
    wide = wide.reindex(index=order, columns=columns).reset_index()
    wide.columns = pd.Index([str(name) for name in wide.columns])
    return wide


def _labels(specs: Sequence[tuple[str, ...]]) -> list[str]:
    """Label specs; where two would read the same, add the definition, then the params."""
    plain = [estimator_label(metric, params) for metric, _, params in specs]
    named = [
        label if plain.count(label) == 1 else f"{label} {definition}"
        for label, (_, definition, _) in zip(plain, specs, strict=True)
    ]
    return [
        label if named.count(label) == 1 else f"{label} {params}"
        for label, (_, _, params) in zip(named, specs, strict=True)
    ]
