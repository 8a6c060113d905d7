"""Specification curve: one number under every choice, and which choices each point is of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.findings.across.claims import CHOICES, FAILS, HOLDS, UNDECIDED
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    FAINT,
    FIRST,
    INK,
    MUTED,
    SECOND,
    heading,
    new_figure,
    shorten,
    style,
    widest,
)

_COLOURS = {HOLDS: FIRST, FAILS: SECOND, UNDECIDED: MUTED}
_ROW, _FONT, _CURVE = 0.17, 7.0, 2.2


def specification_figure(
    specifications: pd.DataFrame, heads: tuple[str, str], border: float
) -> Figure:
    """Draw the values in order with their intervals, above a grid of the choices.

    Parameters
    ----------
    specifications
        Columns of `matteralign.findings.across.claims.SPECIFICATION_COLUMNS`, of one claim, tested.
    heads
        Title and subtitle.
    border
        Above it the claim holds.
    """
    rows = specifications.sort_values("value", kind="stable").reset_index(drop=True)
    grid = [
        (choice, value)
        for choice in CHOICES
        if rows[choice].nunique() > 1
        for value in dict.fromkeys(specifications[choice])
    ]
    names = [f"{choice}: {shorten(str(value) or 'none', 30)}" for choice, value in grid]
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=5, color=colour, label=name)
        for name, colour in _COLOURS.items()
        if (rows["outcome"] == name).any()
    ]
    with style():
        room = max(widest(names, _FONT) + 0.25, 0.8)
        wide = max(3.6, min(0.14 * len(rows), 8.0))
        width = max(room + wide + 0.25, widest([heads[1]], 8.5) + 0.4)
        low = legend_height(handles, width - 0.3) + 0.15
        below = low + _ROW * len(grid) + 0.1
        height = below + _CURVE + 0.7
        fig = new_figure(width, height)
        heading(fig, *heads)
        at = np.arange(len(rows))
        top = fig.add_axes((room / width, below / height, wide / width, _CURVE / height))
        top.axhline(border, color=INK, linewidth=0.9, linestyle="--")
        for name, colour in _COLOURS.items():
            own = rows["outcome"] == name
            part = rows[own]
            top.vlines(at[own], part["ci_low"], part["ci_high"], color=colour, linewidth=1.1)
            top.plot(at[own], part["value"], "o", color=colour, markersize=3.2)
        top.set_xlim(-0.7, len(rows) - 0.3)
        top.set_xticks([])
        top.grid(axis="y", color=FAINT, linewidth=0.5)
        top.set_ylabel("value", size=8)
        if grid:
            sides = (room / width, low / height, wide / width, _ROW * len(grid) / height)
            bottom = fig.add_axes(sides)
            for place, (choice, value) in enumerate(grid):
                own = (rows[choice] == value).to_numpy()
                bottom.plot(at[own], np.full(own.sum(), place), "s", color=INK, markersize=2.2)
                bottom.axhline(place, color=FAINT, linewidth=0.4, zorder=0)
            bottom.set_xlim(-0.7, len(rows) - 0.3)
            bottom.set_ylim(len(grid) - 0.5, -0.5)
            bottom.set_xticks([])
            bottom.set_yticks(range(len(grid)), names, size=_FONT)
            bottom.tick_params(length=0)
        for ax in fig.axes:
            for edge in ("top", "right", "bottom"):
                ax.spines[edge].set_visible(False)
        bottom_legend(fig, handles, 0.15, 0.0)
        return fig
