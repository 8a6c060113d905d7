"""Scores of models with the best one against their errors of energies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    FAINT,
    MUTED,
    UNTRAINED_MARK,
    ModelLabel,
    family_colours,
    family_handles,
    family_markers,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    style,
)

SIDE, LEFT, GAP, EDGE = 3.6, 0.72, 0.85, 0.2
# From this ratio of the largest to the smallest error on the axis is logarithmic.
_WIDE = 10.0
_SIZES = ((1e6, "1 M"), (1e7, "10 M"), (1e8, "100 M"), (1e9, "1 B parameters"))


@dataclass(frozen=True)
class Panel:
    """One plot: the column of its scores, the label of its axis, and a line above it."""

    column: str
    label: str
    text: str


def convergence_figure(
    points: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    panels: Sequence[Panel],
    heads: tuple[str, str],
) -> Figure:
    """Draw each model's score with the best one against its error; sizes are parameters.

    Parameters
    ----------
    points
        Table ``convergence``.
    heads
        Title and subtitle.
    """
    shown = points[points["value"].notna()]
    with style():
        return _draw(shown, labels, panels, heads)


def _draw(
    shown: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    panels: Sequence[Panel],
    heads: tuple[str, str],
) -> Figure:
    handles: list[Artist] = [*family_handles(labels, [str(m) for m in shown["model"]])]
    handles += [
        Line2D([], [], linestyle="none", marker="o", markersize=np.sqrt(_size(count)),
               markerfacecolor="none", markeredgecolor=MUTED, label=name)
        for count, name in _SIZES
    ]  # fmt: skip
    notes = []
    if shown["parameters"].isna().any():
        notes.append("Models of unknown size are drawn as of 1 M parameters.")
    if any(label_for(labels, str(m)).untrained for m in shown["model"]):
        notes.append(f"Hollow: untrained weights {UNTRAINED_MARK}.")
    if shown["floor"].notna().any():
        notes.append("Dashed: mean score under random pairing of structures (the floor); 0 when "
                     "debiased.")  # fmt: skip
    width = LEFT + len(panels) * SIDE + (len(panels) - 1) * GAP + EDGE
    width = max(width, 6.2)
    bottom = footnote_height(notes) + legend_height(handles, width - 2 * EDGE) + 0.5
    height = bottom + SIDE + 0.95
    fig = new_figure(width, height)
    heading(fig, *heads)
    for place, panel in enumerate(panels):
        left = LEFT + place * (SIDE + GAP)
        ax = fig.add_axes((left / width, bottom / height, SIDE / width, SIDE / height))
        _plot(ax, shown, labels, panel)
    bottom_legend(fig, handles, EDGE, footnote_height(notes))
    footnotes(fig, notes, EDGE)
    return fig


def _size(parameters: float) -> float:
    """Return the area of a point in square points: equal steps for equal factors."""
    return float(10.0 + 20.0 * np.clip(np.log10(max(parameters, 1.0)) - 5.5, 0.0, 4.5))


def _plot(ax: Axes, shown: pd.DataFrame, labels: Mapping[str, ModelLabel], panel: Panel) -> None:
    colours, markers = family_colours(labels), family_markers(labels)
    low, high = ("ci_low", "ci_high") if panel.column == "value" else (
        "debiased_low", "debiased_high")  # fmt: skip
    x, y = shown["mae"].to_numpy(float), shown[panel.column].to_numpy(float)
    families = [label_for(labels, str(m)).family for m in shown["model"]]
    ax.hlines(y, shown["mae_low"], shown["mae_high"], color=MUTED, linewidth=0.6, alpha=0.5)
    ax.vlines(x, shown[low], shown[high], color=MUTED, linewidth=0.6, alpha=0.5)
    for family in dict.fromkeys(families):
        rows = np.flatnonzero([f == family for f in families])
        rows = rows[np.argsort(x[rows], kind="stable")]
        colour = colours.get(family, MUTED)
        if len(rows) >= 3:
            ax.plot(x[rows], y[rows], color=colour, linewidth=0.7, alpha=0.5, zorder=1)
    for row, (model, parameters) in enumerate(
        zip(shown["model"], shown["parameters"], strict=True)
    ):
        label = label_for(labels, str(model))
        colour = colours.get(label.family, MUTED)
        ax.scatter(
            [x[row]],
            [y[row]],
            s=_size(1e6 if pd.isna(parameters) else float(parameters)),
            marker=markers.get(label.family, "o"),
            facecolors="none" if label.untrained else colour,
            edgecolors=colour,
            linewidths=0.9,
            alpha=0.8,
            zorder=3,
        )
    floor = float(shown["floor"].median()) if panel.column == "value" else 0.0
    if np.isfinite(floor):
        ax.axhline(floor, color=MUTED, linestyle="--", linewidth=0.9, zorder=0)
    if x.min() > 0 and x.max() > _WIDE * x.min():
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    else:
        ax.set_xlim(left=0.0)
        ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel("error of energies (MAE), eV per structure")
    ax.set_ylabel(panel.label)
    ax.set_title(panel.text, size=8, loc="left", pad=5)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    for edge in ("top", "right"):
        ax.spines[edge].set_visible(False)
