"""One score of every pair of models against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from matteralign.report.figures.grid import small_plots
from matteralign.report.figures.style import (
    BASELINE,
    CROWD,
    FIRST,
    SECOND,
    UNTRAINED_PAIR,
    ModelLabel,
    label_for,
    marker_handle,
    pairs_with,
    style,
)


@dataclass(frozen=True)
class Panel:
    """One plot: its title, the columns of its axes, and a line of text inside."""

    title: str
    x: str
    y: str
    text: str = ""


def pair_scatter(
    points: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    panels: Sequence[Panel],
    *,
    axes: tuple[str, str],
    heads: tuple[str, str],
    diagonal: bool = False,
) -> Figure:
    """Draw one plot for each panel; each pair of models is a point.

    Parameters
    ----------
    points
        Columns model_a, model_b and those of the panels; a row with a missing value is left out.
    axes
        Labels of the x and y axis.
    heads
        Title and subtitle of the figure.
    diagonal
        Draw the line on which both scores are equal.
    """
    marks = _groups(points, labels)
    handles = [marker_handle(*mark) for mark, chosen in marks if chosen.any()]
    with style():
        grid = small_plots([p.title for p in panels], heads, handles, [])
        for ax, panel in zip(grid.plots, panels, strict=True):
            whole = points[[panel.x, panel.y]].notna().all(axis=1)
            crowded = int(whole.sum()) > CROWD
            for (marker, face, edge, _), chosen in marks:
                rows = points[whole & chosen]
                ax.plot(
                    rows[panel.x],
                    rows[panel.y],
                    linestyle="none",
                    marker=marker,
                    markersize=2.6 if crowded else 4.2,
                    markerfacecolor=face,
                    markeredgecolor=edge,
                    markeredgewidth=0.6,
                    alpha=0.65 if crowded else 0.85,
                    rasterized=crowded,
                )
            if diagonal:
                low = max(ax.get_xlim()[0], ax.get_ylim()[0])
                high = min(ax.get_xlim()[1], ax.get_ylim()[1])
                ax.plot([low, high], [low, high], color=BASELINE, linestyle="--", linewidth=0.8)
            ax.set_xlabel(axes[0], size=8)
            ax.set_ylabel(axes[1], size=8)
            if panel.text:
                # Room above the points, so that the text covers none.
                low, high = ax.get_ylim()
                ax.set_ylim(low, high + 0.14 * (high - low))
                ax.text(0.03, 0.97, panel.text, size=7.5, va="top", transform=ax.transAxes)
        return grid.figure


def _groups(
    points: pd.DataFrame, labels: Mapping[str, ModelLabel]
) -> list[tuple[tuple[str, str, str, str], pd.Series]]:
    base = pd.Series(pairs_with(labels, points, "baseline"), index=points.index)
    untrained = pd.Series(pairs_with(labels, points, "untrained"), index=points.index) & ~base
    family = pd.Series(
        [
            label_for(labels, str(a)).family == label_for(labels, str(b)).family
            for a, b in zip(points["model_a"], points["model_b"], strict=True)
        ],
        index=points.index,
        dtype=bool,
    )
    plain = ~base & ~untrained
    return [
        (("D", "none", BASELINE, "pair with a random baseline"), base),
        (("o", FIRST, FIRST, "two families"), plain & ~family),
        (("o", SECOND, SECOND, "one family"), plain & family),
        (("o", "none", FIRST, UNTRAINED_PAIR), untrained),
    ]
