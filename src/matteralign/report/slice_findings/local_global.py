"""Whether local and global alignment order the pairs of models alike (study's figure 1D)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from matteralign.findings.pairwise import MatrixCorrelation, matrix_correlation
from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.calibration import has_debiased
from matteralign.report.analysis.matrices import complete_models
from matteralign.report.figures.captions import count_text, options_text
from matteralign.report.figures.findings.scatter import Panel, pair_scatter
from matteralign.report.slice_findings.results import Drawing, SliceResults

LOCAL, GLOBAL = ("cknna", "mutual_knn"), ("dcor", "cka")
Spec = tuple[str, str, str]
CORRELATIONS = [
    "local_metric",
    "local_definition",
    "local_params",
    "global_metric",
    "global_definition",
    "global_params",
    "column",
    "models",
    "pairs",
    "spearman",
    "ci_low",
    "ci_high",
    "p",
    "left_out",
]


def absent(results: SliceResults) -> str | None:
    """Return why the slice has no such finding."""
    for names, kind in ((LOCAL, "local"), (GLOBAL, "global")):
        if not results.of_metric(*names):
            shown = " or ".join(METRICS[name].display_name for name in names)
            return f"local against global alignment: no {kind} score ({shown}) is asked for"
    return None


def _chosen(results: SliceResults) -> tuple[Spec, Spec]:
    return results.of_metric(*LOCAL)[0], results.of_metric(*GLOBAL)[0]


def tables(results: SliceResults) -> dict[str, pd.DataFrame]:
    """Return the points of the figure, and the correlation of every local with every global."""
    rows = []
    for local in results.of_metric(*LOCAL):
        for other in results.of_metric(*GLOBAL):
            for column in ("value", "debiased"):
                both = all(has_debiased(results.scores, *spec) for spec in (local, other))
                if column == "debiased" and not both:
                    continue
                found, dropped = _correlation(results, local, other, column)
                told = (found.models, found.pairs, found.value, found.low, found.high, found.p)
                rows.append((*local, *other, column, *told, ", ".join(dropped)))
    return {
        "local_global": _points(results, *_chosen(results)),
        "local_global_correlation": pd.DataFrame(rows, columns=CORRELATIONS),
    }


def _correlation(
    results: SliceResults, local: Spec, other: Spec, column: str
) -> tuple[MatrixCorrelation, tuple[str, ...]]:
    first, second = (results.symmetric(spec, column) for spec in (local, other))
    kept, dropped = complete_models(first + second)
    arrays = [frame.loc[list(kept), list(kept)].to_numpy(float) for frame in (first, second)]
    return matrix_correlation(*arrays), dropped


def _points(results: SliceResults, local: Spec, other: Spec) -> pd.DataFrame:
    """Return one row per pair of models, those with a baseline too."""
    columns = {}
    for name, spec in (("local", local), ("global", other)):
        for column in ("value", "debiased"):
            if column == "debiased" and not has_debiased(results.scores, *spec):
                continue
            values = results.matrix(spec, column).values.to_numpy(float)
            columns[name if column == "value" else f"{name}_debiased"] = (values + values.T) / 2
    upper = np.triu_indices(len(results.keys), 1)
    keys = np.array(results.keys, dtype=object)
    frame = pd.DataFrame({"model_a": keys[upper[0]], "model_b": keys[upper[1]]})
    return frame.assign(**{name: array[upper] for name, array in columns.items()})


def drawings(results: SliceResults) -> Iterator[Drawing]:
    """Yield the scatter of the first local against the first global score."""
    local, other = _chosen(results)
    points = _points(results, local, other)
    if not points[["local", "global"]].notna().all(axis=1).any():
        return
    panels, told = [], []
    for column in ("value", "debiased"):
        names = [n if column == "value" else f"{n}_debiased" for n in ("global", "local")]
        if not set(names) <= set(points):
            continue
        found, dropped = _correlation(results, local, other, column)
        text = f"Spearman ρ = {found.value:.2f}"
        if np.isfinite(found.low):
            text += f" [{found.low:.2f}, {found.high:.2f}]"
        kind = "scores" if column == "value" else "debiased scores"
        panels.append(Panel(kind, names[0], names[1], text))
        p = f", p = {found.p:.3g}" if np.isfinite(found.p) else ""
        left = f" (without {', '.join(dropped)}, which lack pairs)" if dropped else ""
        told.append(f"{kind}: {text} over {found.pairs:,} pairs of {found.models} models{p}{left}")
    heads = [f"{METRICS[s[0]].short_name} {s[1]}, {options_text(s[2])}" for s in (other, local)]
    matrix = results.matrix(local)
    scaled = "; ".join(dict.fromkeys(options_text(spec[2]) for spec in (local, other)))
    counted = count_text(matrix.n_min, matrix.n_max)
    figure = pair_scatter(
        points,
        results.labels,
        panels,
        axes=(_short(other), _short(local)),
        heads=("Local against global alignment", f"{results.dataset} · {scaled} · {counted}"),
    )
    caption = (
        f"Local ({heads[1]}) against global ({heads[0]}) alignment of every pair of models on "
        f"{results.dataset}, {counted}. {'; '.join(told)}. Pairs with a random baseline are drawn "
        "and not counted. Pairs share models, so the interval leaves out one model at a time and "
        "the p-value permutes models (Mantel's test)."
    )
    yield Drawing("local_global", "Local against global alignment", caption, figure)


def _short(spec: Spec) -> str:
    return f"{METRICS[spec[0]].short_name} {spec[1]}"
