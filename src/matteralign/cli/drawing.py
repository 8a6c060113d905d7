"""The figures of a slice, each with its caption, from the slice's tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from matteralign.analysis.dimensions import dimension_estimates
from matteralign.analysis.imbalance import imbalance_pairs
from matteralign.analysis.matrices import ScoreMatrix, score_matrix
from matteralign.analysis.tables import spec_slug
from matteralign.analysis.tree import ModelTree, TreeError, model_tree
from matteralign.cli.slice_view import SliceView
from matteralign.figures.bars import dimension_bars
from matteralign.figures.captions import (
    count_text,
    dimension_caption,
    heatmap_caption,
    plane_caption,
    subtitle,
    tree_caption,
)
from matteralign.figures.heatmap import clustered_heatmap
from matteralign.figures.phylogram import tree_figure
from matteralign.figures.plane import imbalance_plane
from matteralign.figures.style import labels_of


@dataclass(frozen=True)
class Drawing:
    """One figure before it is rendered."""

    stem: str
    title: str
    caption: str
    figure: Figure


def matrices(view: SliceView) -> list[ScoreMatrix]:
    """Return the matrix of every configured pair metric, in the order of the configuration."""
    return [
        score_matrix(view.scores, m.spec.metric, m.spec.definition, m.params, view.keys)
        for m in view.study.pair_measures
    ]


def tree_of(view: SliceView) -> tuple[ModelTree, ScoreMatrix] | None:
    """Return the tree of the first CKNNA of the configuration, or None without one.

    A panel too small for a tree, or pairs without scores, give None as well.
    """
    chosen = [m for m in matrices(view) if m.metric == "cknna"]
    if not chosen:
        return None
    baselines = [fact.model for fact in view.facts if fact.baseline]
    settings = view.study.config.tree
    try:
        tree = model_tree(
            chosen[0], exclude=baselines, alpha=settings.alpha, epsilon=settings.epsilon
        )
    except TreeError:
        return None
    return tree, chosen[0]


def draw(view: SliceView) -> Iterator[Drawing]:
    """Yield the figures of a slice in the order of the report."""
    labels = labels_of(view.tables["models"])
    dataset = view.study.slice(view.layout.slice).dataset
    for matrix in matrices(view):
        if matrix.metric == "information_imbalance":
            yield from _plane(view, matrix)
            continue
        stem = f"heatmap_{spec_slug(matrix.metric, matrix.definition, matrix.params)}"
        title = f"{matrix.metric.upper()} ({matrix.definition})"
        figure = clustered_heatmap(matrix, labels)
        yield Drawing(stem, title, heatmap_caption(matrix, dataset), figure)
    estimates = dimension_estimates(view.dimensions, view.keys)
    counted = view.dimensions["n"]
    caption = dimension_caption(count_text(int(counted.min()), int(counted.max())), dataset)
    yield Drawing(
        "intrinsic_dimension", "Intrinsic dimension", caption, dimension_bars(estimates, labels)
    )
    found = tree_of(view)
    if found is not None:
        tree, matrix = found
        caption = tree_caption(tree, matrix, dataset)
        figure = tree_figure(tree, labels, subtitle=subtitle(matrix))
        yield Drawing("tree", "Evolutionary tree of the models", caption, figure)


def _plane(view: SliceView, matrix: ScoreMatrix) -> Iterator[Drawing]:
    labels = labels_of(view.tables["models"])
    dataset = view.study.slice(view.layout.slice).dataset
    pairs = imbalance_pairs(view.scores, matrix.params, view.keys, matrix.definition)
    caption = plane_caption(
        matrix.definition, matrix.params, count_text(matrix.n_min, matrix.n_max), dataset
    )
    slug = spec_slug(matrix.metric, matrix.definition, matrix.params)
    figure = imbalance_plane(pairs, labels, subtitle=subtitle(matrix))
    yield Drawing(f"plane_{slug}", "Information imbalance", caption, figure)
