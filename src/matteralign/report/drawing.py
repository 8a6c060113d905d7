"""The figures of a slice, each with its caption, from the slice's tables."""

from __future__ import annotations

from collections.abc import Iterator

from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.calibration import has_debiased, once_per_pair
from matteralign.report.analysis.dimensions import dimension_estimates
from matteralign.report.analysis.imbalance import imbalance_pairs
from matteralign.report.analysis.matrices import (
    ScoreMatrix,
    score_matrix,
)
from matteralign.report.analysis.tables import spec_slug
from matteralign.report.analysis.tree import ModelTree, TreeError, model_tree
from matteralign.report.figures.bars import dimension_bars
from matteralign.report.figures.calibration import calibration_figure
from matteralign.report.figures.captions import (
    calibration_caption,
    count_text,
    dimension_caption,
    heatmap_caption,
    plane_caption,
    subtitle,
    sweep_caption,
    told_apart,
    tree_caption,
)
from matteralign.report.figures.heatmap import clustered_heatmap
from matteralign.report.figures.phylogram import tree_figure
from matteralign.report.figures.plane import imbalance_plane
from matteralign.report.figures.sweep import sweep_figure
from matteralign.report.slice_findings import findings_drawings
from matteralign.report.slice_findings.results import Drawing
from matteralign.report.slice_view import SliceView

TREE_METRIC = "cknna"
"""The study makes its tree of CKNNA."""


def matrices(view: SliceView) -> list[ScoreMatrix]:
    """Return the matrix of every configured pair metric, each followed by its debiased one."""
    found = []
    for m in view.pair_measures:
        score = m.spec.metric, m.spec.definition, m.params
        found.append(score_matrix(view.scores, *score, view.keys))
        if has_debiased(view.scores, *score):
            found.append(score_matrix(view.scores, *score, view.keys, column="debiased"))
    return found


def tree_of(view: SliceView, *, support: bool = True) -> tuple[ModelTree, ScoreMatrix] | str:
    """Return the tree of the first CKNNA of the configuration, or why there is none.

    Parameters
    ----------
    support
        Count the support of its clades too, which takes seconds.
    """
    chosen = [m for m in matrices(view) if m.metric == TREE_METRIC and m.column == "value"]
    if not chosen:
        return "it is made of CKNNA, which metrics.pair of the configuration does not ask for"
    baselines = [fact.model for fact in view.facts if fact.baseline]
    settings = view.study.config.tree
    left, why = None, ""
    if support:
        of = chosen[0]
        left = view.results.without_blocks((of.metric, of.definition, of.params))
        if left is None:
            why = "the study asks for no statistics, or has too few rows"
    try:
        tree = model_tree(
            chosen[0],
            exclude=baselines,
            alpha=settings.alpha,
            epsilon=settings.epsilon,
            replicates=left,
            no_support=why,
        )
    except TreeError as error:
        return str(error)
    return tree, chosen[0]


def draw(
    view: SliceView, tree_found: tuple[ModelTree, ScoreMatrix] | str | None = None
) -> Iterator[Drawing]:
    """Yield the figures of a slice in the order of the report.

    Parameters
    ----------
    tree_found
        From `tree_of`, for a caller that needs the tree too; None: it is made here.
    """
    labels = view.results.labels
    dataset = view.study.slice(view.layout.slice).dataset
    shown = matrices(view)
    for matrix, options in zip(shown, told_apart(shown), strict=True):
        drawn = METRICS[matrix.metric].figure
        if drawn == "plane" and matrix.column == "value":
            yield from _plane(view, matrix, options)
        if drawn != "heat map":
            continue
        stem = f"heatmap_{spec_slug(matrix.metric, matrix.definition, matrix.params)}"
        kind = f"{matrix.definition}, {options}" if options else matrix.definition
        title = f"{METRICS[matrix.metric].display_name} ({kind})"
        if matrix.column != "value":
            stem, title = f"{stem}_{matrix.column}", f"{title}, {matrix.column}"
        figure = clustered_heatmap(matrix, labels)
        yield Drawing(stem, title, heatmap_caption(matrix, dataset), figure)
    yield from _calibration(view)
    estimates = dimension_estimates(view.dimensions, view.keys)
    if len(estimates):
        names = {fact.model: fact.name for fact in view.facts}
        caption = dimension_caption(estimates, names, dataset)
        figure = dimension_bars(estimates, labels)
        yield Drawing("intrinsic_dimension", "Intrinsic dimension", caption, figure)
    found = tree_of(view) if tree_found is None else tree_found
    if not isinstance(found, str):
        tree, matrix = found
        caption = tree_caption(tree, matrix, dataset)
        figure = tree_figure(tree, labels, subtitle=subtitle(matrix))
        yield Drawing("tree", "Evolutionary tree of the models", caption, figure)
    yield from findings_drawings(view.results)


def _calibration(view: SliceView) -> Iterator[Drawing]:
    """Yield the scores against their floors and, where there is one, the sweep."""
    labels = view.results.labels
    dataset = view.study.slice(view.layout.slice).dataset
    table = view.score_tables["calibration"]
    counted = count_text(int(table["n"].min()), int(table["n"].max())) if len(table) else ""
    figure = calibration_figure(table, labels, counted)
    if figure is not None:
        some = bool(table["ci_low"].notna().any())
        caption = calibration_caption(counted, dataset, intervals=some)
        yield Drawing("calibration", "Scores and their floors", caption, figure)
    if view.sweep is not None:
        figure = sweep_figure(once_per_pair(view.sweep, view.keys), labels, dataset)
        if figure is not None:
            title = "Scores and the number of structures"
            yield Drawing("sweep", title, sweep_caption(dataset), figure)


def _plane(view: SliceView, matrix: ScoreMatrix, options: str) -> Iterator[Drawing]:
    labels = view.results.labels
    dataset = view.study.slice(view.layout.slice).dataset
    pairs = imbalance_pairs(view.scores, matrix.params, view.keys, matrix.definition)
    caption = plane_caption(
        matrix.definition, matrix.params, count_text(matrix.n_min, matrix.n_max), dataset
    )
    slug = spec_slug(matrix.metric, matrix.definition, matrix.params)
    figure = imbalance_plane(pairs, labels, subtitle=subtitle(matrix))
    name = METRICS[matrix.metric].display_name
    title = f"{name} ({options})" if options else name
    yield Drawing(f"plane_{slug}", title, caption, figure)
