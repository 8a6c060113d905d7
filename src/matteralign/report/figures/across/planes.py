"""Planes of information imbalance of several slices on the same axes, coloured by scores."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.metrics.base.registry import METRICS
from matteralign.report.figures.captions import count_text, options_of, options_text, scaling_text
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    BASELINE,
    FAINT,
    INK,
    MUTED,
    SCORES,
    UNTRAINED_PAIR,
    ModelLabel,
    footnote_height,
    footnotes,
    heading,
    new_figure,
    pairs_with,
    shorten,
    style,
)

SIDE, LEFT, GAP_X, GAP_Y, EDGE, BAR = 2.5, 0.75, 0.3, 0.35, 0.15, 0.55
COLOUR = ["colour_metric", "colour_definition", "colour_params"]
SHARES = 1.75


def planes_figure(
    points: pd.DataFrame,
    corners: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    slices: Sequence[str],
    border: float,
) -> Figure:
    """Draw a row of planes for each slice and a column for each colour.

    Parameters
    ----------
    points, corners
        Tables of the analysis.
    slices
        Their order, from above.
    border
        Imbalance below which a corner counts.
    """
    there = [name for name in slices if (points["slice"] == name).any()]
    specs = list(points[COLOUR].drop_duplicates().itertuples(index=False, name=None))
    handles = [Line2D([], [], color=MUTED, linestyle="--", linewidth=0.9, label="Δ(a→b) = Δ(b→a)")]
    if pairs_with(labels, points, "untrained").any():
        handles.append(_handle("s", INK, UNTRAINED_PAIR))
    if pairs_with(labels, points, "baseline").any():
        handles.append(_handle("D", BASELINE, "pair with the random baseline"))
    if points["colour"].isna().any():
        handles.append(_handle("x", MUTED, "no score to colour by"))
    params = str(points["params"].iloc[0])
    notes = [
        f"Equivalent: both imbalances below {border:g} (dotted lines); orthogonal: neither.",
        "Shares are of pairs without the baseline; in brackets 95 % intervals that know that",
        "pairs share models.",
    ]
    with style():
        width = max(LEFT + len(specs) * (SIDE + GAP_X) + SHARES, 6.2)
        foot = footnote_height(notes) + legend_height(handles, width - 2 * EDGE) + BAR + 0.45
        height = foot + len(there) * SIDE + (len(there) - 1) * GAP_Y + 0.95
        fig = new_figure(width, height)
        counts = points["n"].to_numpy(int)
        n = count_text(int(counts.min()), int(counts.max()))
        heading(fig, "Information imbalance by slice", f"{options_text(params)} · {n}")
        top = _top(points)
        own = points[~pairs_with(labels, points, "baseline")]
        for column, spec in enumerate(specs):
            rows = points[(points[COLOUR] == list(spec)).all(axis=1)]
            known = own.loc[(own[COLOUR] == list(spec)).all(axis=1), "colour"].dropna()
            scale = Normalize(*((0.0, 1.0) if known.empty else (known.min(), known.max())))
            left = (LEFT + column * (SIDE + GAP_X)) / width
            for row, name in enumerate(there):
                low = (foot + (len(there) - 1 - row) * (SIDE + GAP_Y)) / height
                ax = fig.add_axes((left, low, SIDE / width, SIDE / height))
                mine = rows[rows["slice"] == name]
                drawn = _draw(ax, mine, labels, scale, top)
                _borders(ax, border)
                if column == len(specs) - 1:
                    mine = corners[corners["slice"] == name]
                    _say(fig, mine, (left + (SIDE + 0.2) / width, low + SIDE / height))
                if column == 0:
                    ax.set_ylabel(f"{shorten(name, 30)}\nΔ(b→a)")
                else:
                    ax.tick_params(labelleft=False)
                if row == 0:
                    ax.set_title(_title(*spec), size=8.5, loc="left", pad=5)
                if row == len(there) - 1:
                    ax.set_xlabel("Δ(a→b)")
                else:
                    ax.tick_params(labelbottom=False)
            bar = fig.add_axes((left, (foot - BAR - 0.12) / height, SIDE / width, 0.1 / height))
            fig.colorbar(drawn, cax=bar, orientation="horizontal")
            bar.tick_params(labelsize=7, length=2)
        bottom_legend(fig, handles, EDGE, footnote_height(notes))
        footnotes(fig, notes, EDGE)
        return fig


def planes_caption(points: pd.DataFrame, corners: pd.DataFrame) -> str:
    """Caption of the planes."""
    params = str(points["params"].iloc[0])
    scaled = scaling_text(params)
    parts = [
        "Information imbalance of every pair of models, one row of planes for each slice, all on "
        "the same axes. Δ(a→b) is near 0 when neighbours in a are neighbours in b, near 1 when a "
        f"says nothing about b. {options_text(params)}{f' ({scaled})' if scaled else ''}. Colours "
        "are other scores of the same pairs, one scale for each column."
    ]
    for row in corners.to_dict("records"):
        if row["corner"] == "one contains the other":
            continue
        text = f"{row['slice']}: {_share(row)} of {row['pairs']} pairs are {row['corner']}"
        if not np.isnan(row["difference"]):
            text += f" (difference to the first slice {row['difference']:+.0%}"
            if not np.isnan(row["difference_low"]):
                text += f" [{row['difference_low']:+.0%}, {row['difference_high']:+.0%}]"
            text += ")"
        parts.append(f"{text}.")
    parts.append(
        f"Equivalent: both imbalances below {corners['border'].iloc[0]:g}; orthogonal: neither."
        if len(corners)
        else ""
    )
    return " ".join(part for part in parts if part)


def _share(row: Mapping[Hashable, Any]) -> str:
    text = f"{row['share']:.0%}"
    if np.isnan(row["share_low"]):
        return text
    return f"{text} [{row['share_low']:.0%}, {row['share_high']:.0%}]"


def _top(points: pd.DataFrame) -> float:
    most = float(points[["forward", "backward"]].to_numpy(float).max())
    return max(most, 1.0) * 1.06


def _handle(marker: str, edge: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=4.5,
        markerfacecolor="none", markeredgecolor=edge, label=label,
    )  # fmt: skip


def _draw(
    ax: Axes, rows: pd.DataFrame, labels: Mapping[str, ModelLabel], scale: Normalize, top: float
) -> PathCollection:
    x, y, c = (rows[name].to_numpy(float) for name in ("forward", "backward", "colour"))
    base = pairs_with(labels, rows, "baseline")
    untrained = pairs_with(labels, rows, "untrained") & ~base
    blank = np.isnan(c) & ~base
    size = 14.0 if len(rows) <= 300 else 7.0
    ax.scatter(x[base], y[base], s=10, marker="D", facecolor="none", edgecolor=BASELINE, lw=0.6)
    ax.scatter(x[blank], y[blank], s=size, marker="x", color=MUTED, lw=0.7)
    for chosen, marker in ((untrained & ~blank, "s"), (~untrained & ~blank & ~base, "o")):
        # The closest last, or the many weak pairs hide them.
        order = np.flatnonzero(chosen)[np.argsort(c[chosen], kind="stable")]
        drawn = ax.scatter(
            x[order], y[order], s=size, c=c[order], cmap=SCORES, norm=scale, marker=marker,
            edgecolor=INK, linewidth=0.2,
        )  # fmt: skip
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    ax.plot([0, top], [0, top], color=MUTED, linestyle="--", linewidth=0.9, zorder=0)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=7.5, length=2.5)
    return drawn


def _borders(ax: Axes, border: float) -> None:
    ax.axvline(border, color=MUTED, linestyle=":", linewidth=0.9, zorder=0)
    ax.axhline(border, color=MUTED, linestyle=":", linewidth=0.9, zorder=0)


def _say(fig: Figure, corners: pd.DataFrame, at: tuple[float, float]) -> None:
    """Write the shares beside the last plane of a row, where no point can lie."""
    lines = [f"{row['corner']}:\n  {_share(row)}" for row in corners.to_dict("records")]
    if len(corners):
        lines.append(f"{corners['pairs'].iloc[0]} pairs of\n{corners['models'].iloc[0]} models")
    fig.text(*at, "\n".join(lines), size=7.5, color=MUTED, va="top", linespacing=1.35)


def _title(metric: str, definition: str, params: str) -> str:
    options = options_of(params)
    k = f", k = {options['k']}" if "k" in options else ""
    return f"colour: {METRICS[metric].short_name} {definition}{k}"
