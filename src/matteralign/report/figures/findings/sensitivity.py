"""Scores of disturbed latents against the amount of the disturbance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.report.figures.grid import plot_titles, small_plots
from matteralign.report.figures.style import FAMILY_COLOURS, FAMILY_MARKERS, MUTED, style

AXES = {
    "rattle": "displacement of atoms (Å)",
    "exchange": "exchanges of two elements",
    "shuffle": "share of rows shuffled",
}


def sensitivity_figure(
    scores: pd.DataFrame, names: Mapping[str, str], heads: tuple[str, str]
) -> Figure:
    """Draw one plot for each metric and change: a row of plots for each metric.

    Parameters
    ----------
    scores
        Columns model, change, level, metric, definition, params, value and null_mean.
    names
        Name of each model by its key.
    """
    specs = list(dict.fromkeys(zip(*(scores[c] for c in _SPEC), strict=True)))
    titles = plot_titles(specs)
    models = list(dict.fromkeys(scores["model"]))
    look: dict[str, dict[str, Any]] = {
        model: {"color": colour, "marker": FAMILY_MARKERS[i % len(FAMILY_MARKERS)]}
        for i, (model, colour) in enumerate(zip(models, FAMILY_COLOURS, strict=False))
    }
    handles = [
        Line2D([], [], linewidth=1.4, markersize=4, label=names[model], **look[model])
        for model in models
    ]
    handles.append(
        Line2D([], [], color=MUTED, linestyle="--", linewidth=1.1, label="floor (rows at random)")
    )
    with style():
        heading = [f"{title}" for title in titles for _ in AXES]
        grid = small_plots(heading, heads, handles, [])
        for ax, (spec, change) in zip(
            grid.plots, ((s, c) for s in specs for c in AXES), strict=True
        ):
            chosen = scores[
                (scores[_SPEC] == list(spec)).all(axis=1) & (scores["change"] == change)
            ]
            levels = sorted(set(chosen["level"]))
            places = {level: i for i, level in enumerate(levels)}
            for model, rows in chosen.groupby("model", sort=False):
                x = rows["level"].map(places)
                ax.plot(x, rows["value"], linewidth=1.4, markersize=4, **look[str(model)])
            floor = chosen.groupby("level")["null_mean"].mean()
            ax.plot(
                [places[level] for level in floor.index],
                floor,
                color=MUTED,
                linestyle="--",
                linewidth=1.1,
            )
            ax.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
            ax.set_xlabel(AXES[change], size=8)
            ax.margins(y=0.08)
        return grid.figure


_SPEC = ["metric", "definition", "params"]
