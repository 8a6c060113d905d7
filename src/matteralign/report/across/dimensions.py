"""Intrinsic dimension over models, by slice and by kind of embedding."""

from __future__ import annotations

import pandas as pd

from matteralign.findings.across.bands import dimension_bands
from matteralign.report.across.analysis_view import AnalysisView, Findings, Missing, one_per_model
from matteralign.report.analysis.dimensions import estimator_label
from matteralign.report.figures.across.violins import violins_caption, violins_figure
from matteralign.report.figures.style import labels_of
from matteralign.report.slice_findings.results import Drawing

DIMENSION_COLUMNS = [
    "slice", "dataset", "model", "weights", "embedding", "baseline", "metric", "definition",
    "params", "n", "value", "ci_low", "ci_high",
]  # fmt: skip


def find(view: AnalysisView) -> Findings:
    """Put the intrinsic dimensions of the slices side by side."""
    out = Findings()
    about = view.facts[["slice", "dataset", "model", "embedding", "baseline"]]
    parts = []
    for name, of in view.slices.items():
        known = of.dimensions
        known = known[known["model"].isin(view.models_in(name))]
        for measure in view.measures("estimates"):
            score = (measure.spec.metric, measure.spec.definition, measure.params)
            rows = known[(known[["metric", "definition", "params"]] == list(score)).all(axis=1)]
            lacking = rows[rows["status"] != "ok"]
            fields = lacking[["model", "status", "reason"]]
            for model, status, reason in fields.itertuples(index=False, name=None):
                out.missing.append(Missing(name, model, "", str(measure), status, reason))
            own = rows[rows["status"] == "ok"].drop(columns="dataset")
            parts.append(own.merge(about[about["slice"] == name], on=["slice", "model"]))
    table = pd.concat(parts, ignore_index=True)[DIMENSION_COLUMNS]
    out.tables = {"dimensions": table, "bands": dimension_bands(table)}
    labels = labels_of(one_per_model(view.facts))
    for (metric, definition, params), rows in table.groupby(
        ["metric", "definition", "params"], sort=False
    ):
        label = estimator_label(str(metric), str(params))
        stem = f"{metric}_{definition}_{len(out.drawings) + 1}"
        figure = violins_figure(rows, labels, view.asked.slices, f"{label}, {definition}")
        caption = violins_caption(rows, out.tables["bands"], label, str(params))
        title = f"Intrinsic dimension over models ({label})"
        out.drawings.append(Drawing(stem, title, caption, figure))
    return out
