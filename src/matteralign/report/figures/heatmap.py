"""Clustered heatmap of a matrix of scores with dendrogram and family strip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.cluster.hierarchy import dendrogram

from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import (
    Clustering,
    ScoreMatrix,
    baseline_range,
    both_ways,
    cluster_order,
)
from matteralign.report.figures import captions
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    ERRORS,
    FAINT,
    INK,
    MUTED,
    PAPER,
    SCORES,
    UNTRAINED_NOTE,
    ModelLabel,
    family_colours,
    family_handles,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    style,
    widest,
)

ANNOTATE_UP_TO = 20
DENDROGRAM, STRIP, GAP, EDGE = 0.95, 0.13, 0.06, 0.15
BAR_WIDTH, BAR_ROOM = 0.16, 0.95
MISSING_NOTE = "Hatched: no score; reasons are in the table of pairs without a score."
DARK_CELL = 0.55
LARGE = 100.0


def clustered_heatmap(
    matrix: ScoreMatrix, labels: Mapping[str, ModelLabel], title: str | None = None
) -> Figure:
    """Draw a matrix of scores, similar models side by side; dark cells are alike.

    Up to 20 models the cells carry their values. The colours run from 0 (or the lowest
    negative score) to the highest off-diagonal score; those of an error from 0 to at most what
    says nothing (1 for a reconstruction). The range of the baselines' scores is marked beside
    them.

    Parameters
    ----------
    matrix
        Of a metric whose card asks for a heat map. The two directions are averaged, but for
        a directional metric: there rows are the first model of a pair, columns the second.
    labels
        Display name, family and marks by model key.
    title
        Defaults to the metric's name and whether its values are debiased.

    Raises
    ------
    UserError
        If no heat map is drawn of the metric.
    """
    clustering = cluster_order(matrix)
    with style():
        return _draw(matrix, clustering, labels, title or captions.matrix_name(matrix))


def _draw(
    matrix: ScoreMatrix, clustering: Clustering, labels: Mapping[str, ModelLabel], title: str
) -> Figure:
    size = len(clustering.order)
    shown = [label_for(labels, m) for m in clustering.order]
    annotate = size <= ANNOTATE_UP_TO
    cell, font = (0.44, 8.5) if annotate else (0.17, 6.5)
    names = [label.text for label in shown]
    side = max(cell * size, 1.6)
    label_room = widest(names, font) + 0.12
    drop = label_room * 0.7072 + 0.15

    info = METRICS[matrix.metric]
    notes = [f"Row a, column b: {info.direction}."] if info.directional else []
    notes += [MISSING_NOTE] if len(matrix.missing) else []
    if any(label.untrained for label in shown):
        notes.append(UNTRAINED_NOTE)
    handles = family_handles(labels, clustering.order)
    x0 = EDGE + max(DENDROGRAM + STRIP + 2 * GAP, drop - cell / 2)
    subtitle = captions.subtitle(matrix)
    headed = widest([subtitle], 8.5) + 3 * EDGE
    width = max(x0 + side + label_room + BAR_ROOM + EDGE, headed, 6.2)
    legend_room = legend_height(handles, width - 2 * EDGE)
    bottom = footnote_height(notes) + legend_room + drop
    height = bottom + side + 0.75
    fig = new_figure(width, height)
    heading(fig, title, subtitle)

    def place(left: float, low: float, wide: float, high: float) -> Axes:
        return fig.add_axes((left / width, low / height, wide / width, high / height))

    ax = place(x0, bottom, side, side)
    values = matrix.values.loc[list(clustering.order), list(clustering.order)]
    values = values if info.directional else both_ways(values)
    norm = _cells(ax, values.to_numpy(copy=True), annotate, info.no_better)
    ax.set_xticks(np.arange(size) + 0.5, names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(size) + 0.5, names)
    ax.yaxis.tick_right()
    ax.tick_params(length=0, labelsize=font, pad=3)
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        for text, label in zip(ticks, shown, strict=True):
            text.set_fontstyle("italic" if label.baseline else "normal")

    strip = place(x0 - GAP - STRIP, bottom, STRIP, side)
    colours = family_colours(labels)
    for i, label in enumerate(shown):
        strip.add_patch(
            Rectangle((0, i), 1, 1, facecolor=colours.get(label.family, MUTED), edgecolor=PAPER)
        )
    _bare(strip, (0, 1), (size, 0))
    _dendrogram(place(x0 - 2 * GAP - STRIP - DENDROGRAM, bottom, DENDROGRAM, side), clustering)

    bar = place(x0 + side + label_room + 0.12, bottom + side * 0.15, BAR_WIDTH, side * 0.7)
    _colourbar(fig, bar, norm, matrix, labels)
    bottom_legend(fig, handles, EDGE, footnote_height(notes))
    footnotes(fig, notes)
    return fig


def _cells(
    ax: Axes, values: npt.NDArray[np.float64], annotate: bool, no_better: float | None
) -> Normalize:
    size = len(values)
    np.fill_diagonal(values, np.nan)
    seen = values[~np.isnan(values)]
    low = min(0.0, float(seen.min())) if seen.size else 0.0
    high = float(seen.max()) if seen.size else 1.0
    errors = no_better is not None
    high = high if no_better is None else min(high, no_better)
    norm = Normalize(low, high if high > low else low + 1.0)
    ax.pcolormesh(
        np.arange(size + 1),
        np.arange(size + 1),
        np.ma.masked_invalid(values),
        cmap=ERRORS if errors else SCORES,
        norm=norm,
        edgecolors=PAPER,
        linewidth=0.8 if annotate else 0.25,
    )
    for i in range(size):
        ax.add_patch(Rectangle((i, i), 1, 1, facecolor=FAINT, edgecolor=PAPER, linewidth=0.8))
        for j in range(size):
            if i != j and np.isnan(values[i, j]):
                ax.add_patch(
                    Rectangle(
                        (j, i), 1, 1, facecolor=PAPER, edgecolor=MUTED, hatch="/////", linewidth=0
                    )
                )
            elif i != j and annotate:
                depth = 1.0 - norm(values[i, j]) if errors else norm(values[i, j])
                ink = "#ffffff" if depth > DARK_CELL else "#101418"
                ax.text(
                    j + 0.5,
                    i + 0.52,
                    _short(values[i, j]),
                    size=8,
                    ha="center",
                    va="center",
                    color=ink,
                )
    _bare(ax, (0, size), (size, 0))
    return norm


def _short(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < LARGE else f"{value:.2g}"
    text = text.replace("-", "−").replace("e+0", "e")
    return "0.00" if text == "−0.00" else text


def _bare(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> None:
    ax.set_xlim(*x)
    ax.set_ylim(*y)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)


def _dendrogram(ax: Axes, clustering: Clustering) -> None:
    size = len(clustering.order)
    top = 1.0
    if clustering.linkage is not None:
        drawn = dendrogram(clustering.linkage, no_plot=True)
        top = max(float(clustering.linkage[:, 2].max()), 1e-9)
        for along, depth in zip(drawn["icoord"], drawn["dcoord"], strict=True):
            # SciPy puts leaf i at 10 i + 5.
            ax.plot(depth, np.asarray(along) / 10.0, color=INK, linewidth=0.9)
    _bare(ax, (top * 1.04, 0), (size, 0))


def _colourbar(
    fig: Figure, ax: Axes, norm: Normalize, matrix: ScoreMatrix, labels: Mapping[str, ModelLabel]
) -> None:
    errors = METRICS[matrix.metric].no_better is not None
    bar = fig.colorbar(ScalarMappable(norm, ERRORS if errors else SCORES), cax=ax)
    bar.outline.set_visible(False)
    ax.tick_params(labelsize=7.5, length=2.5)
    ax.set_title("error" if errors else "score", size=8, color=MUTED, pad=6, loc="left")
    floor = baseline_range(matrix, [m for m, label in labels.items() if label.baseline])
    if floor is not None:
        end, sign = (floor[0], "≥") if errors else (floor[1], "≤")
        ax.axhline(min(max(end, norm.vmin or 0.0), norm.vmax or 1.0), color="#d55e00", lw=1.6)
        ax.text(
            0,
            -0.03,
            f"line:\nrandom\n{sign} {_short(end)}",
            size=7,
            color=MUTED,
            va="top",
            transform=ax.transAxes,
        )
