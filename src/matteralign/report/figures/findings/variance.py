"""What training data, architecture and input explain of the distances between models."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    FAINT,
    FIRST,
    INK,
    MUTED,
    SECOND,
    footnote_height,
    footnotes,
    heading,
    new_figure,
    style,
    widest,
)

PLOT_WIDTH, EDGE, THICK, GAP = 4.2, 0.2, 0.24, 0.2


def variance_bars(table: pd.DataFrame, heads: tuple[str, str], notes: Sequence[str]) -> Figure:
    """Draw two bars for each factor: what it explains alone, and after all the others.

    Parameters
    ----------
    table
        Rows of `findings.permanova.variance_table` with the names of factors to show.
    """
    factors = list(dict.fromkeys(table["factor"]))
    handles = [
        Patch(color=FIRST, label="alone"),
        Patch(color=SECOND, label="after the other factors"),
        Line2D([], [], color=INK, linewidth=1.6, label="mean under permutation"),
        Line2D([], [], color=INK, marker="D", markersize=4, linewidth=0, label="adjusted share"),
    ]
    with style():
        names = [f"{name} ({_levels(table, name)})" for name in factors]
        room = widest(names, 8.5) + 0.2
        width = EDGE + room + PLOT_WIDTH + 1.5
        side = len(factors) * (2 * THICK + GAP)
        low = footnote_height(notes) + legend_height(handles, width - 2 * EDGE) + 0.5
        height = low + side + 0.9
        fig = new_figure(width, height)
        heading(fig, *heads)
        ax = fig.add_axes(((EDGE + room) / width, low / height, PLOT_WIDTH / width, side / height))
        ax.set_xlim(min(0.0, float(table["r2_adjusted"].min(skipna=True)) - 0.03), 1)
        ax.set_ylim(side, 0)
        for i, name in enumerate(factors):
            rows = table[table["factor"] == name]
            for j, row in enumerate(rows.to_dict("records")):
                y = i * (2 * THICK + GAP) + GAP / 2 + (j + 0.5) * THICK
                if row["reason"]:
                    ax.text(0.01, y, str(row["reason"]), size=7, color=MUTED, va="center_baseline")
                    continue
                ax.barh(y, row["r2"], THICK * 0.9, color=(FIRST, SECOND)[j])
                ax.plot([row["r2_permuted"]] * 2, [y - THICK / 2, y + THICK / 2], color=INK, lw=1.6)
                ax.plot([row["r2_adjusted"]], [y], color=INK, marker="D", markersize=4)
                told = f"{row['r2']:.2f}, p = {row['p']:.3f}"
                ax.text(1.02, y, told, size=7.5, va="center_baseline", clip_on=False)
        ticks = [(i + 0.5) * (2 * THICK + GAP) for i in range(len(factors))]
        ax.set_yticks(ticks, names)
        ax.tick_params(axis="y", length=0, labelsize=8.5)
        ax.tick_params(axis="x", labelsize=7.5)
        ax.set_xlabel("share of the squared distances between models (R²)", size=8)
        ax.grid(axis="x", color=FAINT, linewidth=0.5)
        ax.set_axisbelow(True)
        for edge in ("top", "right", "left"):
            ax.spines[edge].set_visible(False)
        bottom_legend(fig, handles, EDGE, footnote_height(notes))
        footnotes(fig, notes, EDGE)
        return fig


def _levels(table: pd.DataFrame, name: str) -> str:
    row = table[table["factor"] == name].iloc[0]
    single = f", {row['single_levels']} of one model" if row["single_levels"] else ""
    return f"{row['levels']} levels{single}"
