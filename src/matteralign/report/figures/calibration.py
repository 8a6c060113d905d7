"""Raw scores against the floor that chance gives them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.report.figures.grid import plot_titles, small_plots
from matteralign.report.figures.style import (
    BASELINE,
    CROWD,
    FIRST,
    MUTED,
    UNTRAINED_PAIR,
    ModelLabel,
    marker_handle,
    pairs_with,
    style,
)

SPEC = ["metric", "definition", "params"]


def calibration_figure(
    table: pd.DataFrame, labels: Mapping[str, ModelLabel], subtitle: str = ""
) -> Figure | None:
    """Draw every score against its mean under random pairing, one plot for each score.

    On the line a pair is no more alike than chance makes it. Vertical bars are 95 %
    intervals of the score, horizontal ones two standard deviations of the floor.

    Parameters
    ----------
    table
        From `matteralign.report.analysis.calibration.calibration_table`.

    Returns
    -------
    Figure or None
        None when no score has a floor.
    """
    known = table[table["null_mean"].notna() & table["value"].notna()]
    if known.empty:
        return None
    groups = [
        ((str(m), str(d), str(p)), rows) for (m, d, p), rows in known.groupby(SPEC, sort=False)
    ]
    handles = [marker_handle("o", FIRST, FIRST, "pair of models")]
    if pairs_with(labels, known, "untrained").any():
        handles.append(marker_handle("o", "none", FIRST, UNTRAINED_PAIR))
    handles += [
        marker_handle("D", "none", BASELINE, "pair with the random baseline"),
        Line2D([], [], color=MUTED, linestyle="--", linewidth=0.9, label="score = floor"),
    ]
    with style():
        titles = plot_titles([spec for spec, _ in groups])
        grid = small_plots(titles, ("Scores and their floors", subtitle), handles, [])
        for ax, (_, rows) in zip(grid.plots, groups, strict=True):
            _draw(ax, rows, labels)
        return grid.figure


def _draw(ax: Axes, rows: pd.DataFrame, labels: Mapping[str, ModelLabel]) -> None:
    base = pairs_with(labels, rows, "baseline")
    untrained = pairs_with(labels, rows, "untrained") & ~base
    floor, value = rows["null_mean"].to_numpy(float), rows["value"].to_numpy(float)
    spread = 2.0 * np.nan_to_num(rows["null_sd"].to_numpy(float))
    low, high = (rows[name].to_numpy(float) for name in ("ci_low", "ci_high"))
    # Of a large panel the bars would be one block: they fade and the points shrink.
    bars, size = (0.6, 4.0) if len(rows) <= CROWD else (0.08, 2.4)
    ax.hlines(value, floor - spread, floor + spread, color=MUTED, linewidth=0.6, alpha=bars)
    ax.vlines(floor, low, high, color=MUTED, linewidth=0.6, alpha=bars)
    for chosen, marker, face, edge in (
        (~base & ~untrained, "o", FIRST, FIRST),
        (untrained, "o", "none", FIRST),
        (base, "D", "none", BASELINE),
    ):
        if not chosen.any():
            continue
        ax.plot(
            floor[chosen],
            value[chosen],
            linestyle="none",
            marker=marker,
            markersize=size,
            markerfacecolor=face,
            markeredgecolor=edge,
            markeredgewidth=0.8,
            alpha=0.8,
        )
    left, right = float((floor - spread).min()), float((floor + spread).max())
    room = max(right - left, 0.02) * 0.15
    limits = (left - room, right + room)
    ax.set_xlim(*limits)
    ax.plot(limits, limits, color=MUTED, linestyle="--", linewidth=0.9, zorder=1)
    bottom, top = min(0.0, float(value.min())), max(float(value.max()), limits[1])
    ax.set_ylim(bottom - 0.03 * (top - bottom), top + 0.06 * (top - bottom))
    ax.set_xlabel("floor", size=8)
    ax.set_ylabel("score", size=8)
