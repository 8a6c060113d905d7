"""Scores against the number of structures they rest on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from matteralign.report.figures.grid import plot_titles, small_plots
from matteralign.report.figures.style import (
    BASELINE,
    FIRST,
    SECOND,
    UNTRAINED_PAIR,
    ModelLabel,
    label_for,
    pairs_with,
    style,
)

SPEC = ["metric", "definition", "params"]
PAIR = ["model_a", "model_b"]


def sweep_figure(
    sweep: pd.DataFrame, labels: Mapping[str, ModelLabel], subtitle: str = ""
) -> Figure | None:
    """Draw every score of every pair at growing, nested samples, one plot for each score.

    Parameters
    ----------
    sweep
        Columns of ``sweep.parquet``, one direction of symmetric definitions.

    Returns
    -------
    Figure or None
        None when the sweep is empty.
    """
    if sweep.empty:
        return None
    groups = [
        ((str(m), str(d), str(p)), rows) for (m, d, p), rows in sweep.groupby(SPEC, sort=False)
    ]
    handles = [Line2D([], [], color=FIRST, linewidth=1.2, label="score")]
    if sweep["debiased"].notna().any():
        handles.append(Line2D([], [], color=SECOND, linewidth=1.2, label="debiased"))
    handles.append(
        Line2D([], [], color=BASELINE, linewidth=1.2, label="pair with the random baseline")
    )
    notes = []
    if len(handles) == 3:
        notes.append("Dashed, grey: debiased score of a pair with the random baseline.")
    if pairs_with(labels, sweep, "untrained").any():
        notes.append(f"Dotted: {UNTRAINED_PAIR}.")
    with style():
        titles = plot_titles([spec for spec, _ in groups])
        heads = ("Scores and the number of structures", subtitle)
        grid = small_plots(titles, heads, handles, notes)
        for ax, (_, rows) in zip(grid.plots, groups, strict=True):
            _draw(ax, rows, labels)
        return grid.figure


def _draw(ax: Axes, rows: pd.DataFrame, labels: Mapping[str, ModelLabel]) -> None:
    for (a, b), curve in rows.groupby(PAIR, sort=False):
        points = curve.sort_values("n")
        both = label_for(labels, str(a)), label_for(labels, str(b))
        base = any(label.baseline for label in both)
        plain = ":" if any(label.untrained for label in both) else "-"
        for column, colour, line in (("value", FIRST, "-"), ("debiased", SECOND, "--")):
            ax.plot(
                points["n"],
                points[column],
                color=BASELINE if base else colour,
                linestyle=line if base else plain,
                linewidth=0.9,
                alpha=0.6,
                marker=".",
                markersize=3,
            )
    sizes = sorted({int(n) for n in rows["n"]})
    ax.set_xscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(_spaced(sizes))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    ax.set_xlabel("structures", size=8)
    ax.set_ylabel("score", size=8)


def _spaced(sizes: list[int]) -> list[int]:
    """Return the sizes to write: pairs with masked rows differ by a few, these would overlap."""
    kept: list[int] = []
    for size in reversed(sizes):
        if not kept or size < 0.6 * kept[-1]:
            kept.append(size)
    return kept[::-1]
