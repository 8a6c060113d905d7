"""Planes of information imbalance, one for each slice, coloured by other scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from matteralign.config.analyses import Planes
from matteralign.findings.corners import corner_of, corner_table
from matteralign.report.across.analysis_view import (
    AnalysisView,
    Findings,
    Missing,
    no_score,
    one_per_model,
)
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.figures.across.planes import planes_caption, planes_figure
from matteralign.report.figures.style import labels_of
from matteralign.report.slice_findings.results import Drawing

POINT_COLUMNS = [
    "slice", "dataset", "model_a", "model_b", "weights_a", "weights_b", "n", "definition",
    "params", "forward", "backward", "corner", "colour_metric", "colour_definition",
    "colour_params", "colour",
]  # fmt: skip


def find(view: AnalysisView) -> Findings:
    """Draw the planes of all slices on the same axes."""
    out = Findings()
    (plane,) = view.measures("plane")
    colours = view.measures("colours")
    border = view.section(Planes).border
    parts = []
    for name, of in view.slices.items():
        models = view.models_in(name)
        pairs = imbalance_pairs(of.scores, plane.params, models, plane.spec.definition)
        out.missing += no_score(pairs, name, str(plane))
        known = pairs[(pairs["status"] == "ok")].drop(columns=["status", "reason"])
        counts = view.scores(name, plane)[["model_a", "model_b", "weights_a", "weights_b", "n"]]
        known = known.merge(counts, on=["model_a", "model_b"])
        for measure in colours:
            scores = view.scores(name, measure)
            out.missing += no_score(scores, name, str(measure))
            values = scores.loc[scores["status"] == "ok", ["model_a", "model_b", "value"]]
            values = values.rename(columns={"value": "colour"})
            if measure.spec.info.directional:
                reason = "has a direction; a point stands for both"
                what = str(measure)
                out.missing.append(Missing(name, "", "", what, "not_applicable", reason))
                values = values.iloc[:0]
            parts.append(
                known.merge(values, on=["model_a", "model_b"], how="left").assign(
                    slice=name,
                    dataset=view.dataset(name),
                    definition=plane.spec.definition,
                    params=plane.params,
                    colour_metric=measure.spec.metric,
                    colour_definition=measure.spec.definition,
                    colour_params=measure.params,
                )
            )
    points = pd.concat(parts, ignore_index=True)
    forward, backward = (points[side].to_numpy(np.float64) for side in ("forward", "backward"))
    points["corner"] = corner_of(forward, backward, border)
    points = points[POINT_COLUMNS].astype({"colour": float})
    labels = labels_of(one_per_model(view.facts))
    base = {model for model, label in labels.items() if label.baseline}
    own = points[~(points["model_a"].isin(base) | points["model_b"].isin(base))]
    corners = corner_table(own.drop_duplicates(["slice", "model_a", "model_b"]), border)
    out.tables = {"points": points, "corners": corners}
    if points.empty:
        reason = "no pair of models has the information imbalance both ways"
        out.missing.append(Missing("", "", "", "planes", "absent", reason))
        return out
    out.drawings.append(
        Drawing(
            "planes",
            "Information imbalance by slice",
            planes_caption(points, corners),
            planes_figure(points, corners, labels, view.asked.slices, border),
        )
    )
    return out
