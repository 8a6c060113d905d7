"""Scores of each pair of models in one slice against the same scores in another."""

from __future__ import annotations

import pandas as pd

from matteralign.findings.across.paired import difference_summary, paired
from matteralign.report.across.analysis_view import (
    AnalysisView,
    Findings,
    Missing,
    no_score,
    one_per_model,
)
from matteralign.report.figures.across.paired import paired_caption, paired_figure
from matteralign.report.figures.style import labels_of
from matteralign.report.slice_findings.results import Drawing

PAIRED_COLUMNS = [
    "metric", "definition", "params", "model_a", "model_b", "weights_a", "weights_b",
    "slice_1", "dataset_1", "n_1", "value_1", "ci_low_1", "ci_high_1", "null_mean_1",
    "slice_2", "dataset_2", "n_2", "value_2", "ci_low_2", "ci_high_2", "null_mean_2",
    "difference", "difference_low", "difference_high",
]  # fmt: skip


def find(view: AnalysisView) -> Findings:
    """Compare the first slice with each of the others, score by score."""
    first, *others = view.asked.slices
    out = Findings()
    if not others:
        reason = "a comparison needs two slices, and the analysis names one"
        out.missing.append(Missing(first, "", "", "second slice", "absent", reason))
    measures = view.measures("scores")
    for measure in measures:
        for name in view.asked.slices:
            out.missing += no_score(view.scores(name, measure), name, str(measure))
    parts = []
    for other in others:
        # Slices of one dataset may draw the same structures.
        apart = _source(view, first) != _source(view, other)
        if not apart:
            what, reason = "interval of differences", "both slices draw from one dataset"
            out.missing.append(Missing(other, "", "", what, "not_applicable", reason))
        for measure in measures:
            both = paired(
                view.scores(first, measure), view.scores(other, measure), independent=apart
            )
            both["dataset_1"], both["dataset_2"] = view.dataset(first), view.dataset(other)
            parts.append(both)
    empty = pd.DataFrame(columns=[*PAIRED_COLUMNS, "replicates_1", "replicates_2"])
    pairs = pd.concat(parts, ignore_index=True) if parts else empty
    labels = labels_of(one_per_model(view.facts))
    baselines = [model for model, label in labels.items() if label.baseline]
    summary = difference_summary(pairs, baselines)
    pairs = pairs[PAIRED_COLUMNS]
    out.tables = {"pairs": pairs, "summary": summary}
    for other in others:
        chosen = pairs[pairs["slice_2"] == other]
        if chosen.empty:
            what = f"pairs of models in both {first} and {other}"
            reason = "no pair of models has a score in both"
            out.missing.append(Missing("", "", "", what, "absent", reason))
            continue
        about = summary[summary["slice_2"] == other]
        out.drawings.append(
            Drawing(
                f"{first}_{other}",
                f"Scores in {first} and in {other}",
                paired_caption(chosen, about),
                paired_figure(chosen, about, labels),
            )
        )
    return out


def _source(view: AnalysisView, slice_name: str) -> str:
    return view.dataset(slice_name).partition("@")[0]
