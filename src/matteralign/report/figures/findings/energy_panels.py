"""Energies of every model as small plots, several pages of them for a large panel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    FAINT,
    MUTED,
    UNTRAINED_NOTE,
    ModelLabel,
    family_colours,
    family_handles,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    shorten,
    style,
    text_width,
)

ACROSS, PAGE = 5, 30
SIDE, LEFT, RIGHT, GAP_X, GAP_Y, EDGE = 1.4, 0.82, 0.45, 0.58, 0.3, 0.15
_TITLE, _UNDER = 8.0, 7.0
# Points of one plot from which on they are drawn small and pale.
_CROWD = 2000
# Deviations beyond these quantiles of DFT's do not widen the axes.
_CENTRAL = (0.002, 0.998)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Panel:
    """One plot: a model's points, a line below its name, and the limits of both axes."""

    model: str
    x: Floats
    y: Floats
    told: str
    limits: tuple[float, float]


def composition_figures(
    regression: pd.DataFrame,
    deviations: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    subtitle: str = "",
) -> list[Figure]:
    """Draw each model's energies against a linear function of the composition.

    Parameters
    ----------
    regression, deviations
        Tables ``energy_regression`` and ``energy_deviations``.

    Returns
    -------
    list of Figure
        One for each page of models; none where no model has energies.
    """
    panels = []
    for row, points in _models(regression, deviations):
        energy = points["energy"].to_numpy(float)
        fitted = energy - points["deviation"].to_numpy(float)
        told = f"R² {_share(row['composition_r2'])}, n = {row['n']:,}"
        both = np.concatenate([energy, fitted])
        panels.append(_Panel(str(row["model"]), energy, fitted, told, _padded(both)))
    axes = ("energy of the model, eV per structure", "composition fit, eV per structure")
    return _pages(panels, labels, ("Energies and composition", subtitle), axes, [])


def deviation_figures(
    regression: pd.DataFrame,
    deviations: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    subtitle: str = "",
) -> list[Figure]:
    """Draw what composition leaves of each model's energies against what it leaves of DFT's.

    All plots have the same axes. Parameters and result as `composition_figures`.
    """
    if deviations.empty:
        return []
    known = deviations["dft_deviation"].to_numpy(float)
    limits = _padded(np.quantile(known, _CENTRAL))
    panels, beyond = [], 0
    for row, points in _models(regression, deviations):
        x, y = (points[c].to_numpy(float) for c in ("dft_deviation", "deviation"))
        outside = int(((np.minimum(x, y) < limits[0]) | (np.maximum(x, y) > limits[1])).sum())
        beyond += outside
        told = f"MAE {row['mae']:.3g} eV, slope {row['slope']:.2f}".replace("-", "−")
        told += f"\nn = {row['n']:,}" + (f" ({outside:,} outside)" if outside else "")
        panels.append(_Panel(str(row["model"]), x, y, told, limits))
    notes = ["All plots have the same axes; points outside them are counted."] if beyond else []
    axes = ("ΔE of DFT, eV per structure", "ΔE of the model, eV per structure")
    return _pages(panels, labels, ("Energies without composition", subtitle), axes, notes)


def _models(
    regression: pd.DataFrame, deviations: pd.DataFrame
) -> Iterator[tuple[pd.Series, pd.DataFrame]]:
    groups = dict(iter(deviations.groupby("model", observed=True)))
    for _, row in regression.iterrows():
        if row["model"] in groups:
            yield row, groups[row["model"]]


def _share(value: float) -> str:
    """Write a share of variance with as many digits as tell it from 1."""
    for digits in (3, 5, 7):
        text = f"{value:.{digits}f}"
        if float(text) < 1.0:
            return text.replace("-", "−")
    return "1"


def _padded(values: Floats) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def _pages(
    panels: Sequence[_Panel],
    labels: Mapping[str, ModelLabel],
    heads: tuple[str, str],
    axes: tuple[str, str],
    notes: Sequence[str],
) -> list[Figure]:
    if not panels:
        return []
    count = math.ceil(len(panels) / PAGE)
    each = math.ceil(len(panels) / count)
    made = []
    with style():
        for page in range(count):
            title = heads[0] if count == 1 else f"{heads[0]}, {page + 1} of {count}"
            chosen = panels[page * each : (page + 1) * each]
            made.append(_page(chosen, labels, (title, heads[1]), axes, notes))
    return made


def _page(
    panels: Sequence[_Panel],
    labels: Mapping[str, ModelLabel],
    heads: tuple[str, str],
    axes: tuple[str, str],
    notes: Sequence[str],
) -> Figure:
    models = [p.model for p in panels]
    handles = family_handles(labels, models)
    if any(label_for(labels, m).untrained for m in models):
        notes = [*notes, UNTRAINED_NOTE]
    lines = max(p.told.count("\n") for p in panels) + 1
    room = SIDE + RIGHT - 0.08
    names = [_named(label_for(labels, m), room) for m in models]
    named = 0.05 + 0.14 * (max(name.count("\n") for name in names) + 1)
    above = 0.04 + 0.13 * lines + named
    across = min(ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    width = max(LEFT + across * SIDE + (across - 1) * GAP_X + RIGHT, 6.2)
    legend = legend_height(handles, width - 2 * EDGE)
    bottom = footnote_height(notes) + legend + 0.55
    pitch = SIDE + above + GAP_Y
    height = bottom + (down - 1) * pitch + SIDE + above + 0.65
    fig = new_figure(width, height)
    heading(fig, *heads)
    colours = family_colours(labels)
    for i, panel in enumerate(panels):
        left = LEFT + (i % across) * (SIDE + GAP_X)
        low = bottom + (down - 1 - i // across) * pitch
        ax = fig.add_axes((left / width, low / height, SIDE / width, SIDE / height))
        label = label_for(labels, panel.model)
        _draw(ax, panel, colours.get(label.family, MUTED), hollow=label.untrained)
        ax.text(0, 1 + (above - named) / SIDE, names[i], size=_TITLE,
                transform=ax.transAxes, va="bottom", linespacing=1.1)  # fmt: skip
        ax.text(0, 1.03, panel.told, size=_UNDER, color=MUTED, transform=ax.transAxes, va="bottom")
    middle = LEFT + (across * SIDE + (across - 1) * GAP_X) / 2
    fig.text(middle / width, (bottom - 0.42) / height, axes[0], size=8.5, ha="center")
    centre = bottom + ((down - 1) * pitch + SIDE) / 2
    fig.text(0.1 / width, centre / height, axes[1], size=8.5, rotation=90, va="center")
    bottom_legend(fig, handles, EDGE, footnote_height(notes))
    footnotes(fig, notes, EDGE)
    return fig


def _named(label: ModelLabel, room: float) -> str:
    """Return a model's name on one or two lines of a width in inches: ends tell models apart."""
    first, rest = "", label.text.split(" ")
    while rest and text_width(f"{first} {rest[0]}".strip(), _TITLE) <= room:
        first = f"{first} {rest.pop(0)}".strip()
    lines = [line for line in (first, " ".join(rest)) if line]
    return "\n".join(_cut(line, room) for line in lines)


def _cut(line: str, room: float) -> str:
    for limit in range(len(line), 3, -1):
        if text_width(shorten(line, limit), _TITLE) <= room:
            return shorten(line, limit)
    return line


def _draw(ax: Axes, panel: _Panel, colour: str, *, hollow: bool) -> None:
    crowd = len(panel.x) > _CROWD
    ax.plot(panel.limits, panel.limits, color=MUTED, linewidth=0.7, linestyle="--", zorder=1)
    ax.plot(
        panel.x,
        panel.y,
        linestyle="none",
        marker="o",
        markersize=1.4 if crowd else 2.4,
        markerfacecolor="none" if hollow else colour,
        markeredgecolor=colour,
        markeredgewidth=0.4 if hollow else 0.0,
        alpha=0.25 if crowd else 0.6,
        rasterized=True,  # tens of thousands of points would be as many elements
        zorder=2,
    )
    ax.set_xlim(*panel.limits)
    ax.set_ylim(*panel.limits)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}".replace("-", "−")))
    ax.tick_params(labelsize=6.5, length=2.0, pad=2)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    for edge in ("top", "right"):
        ax.spines[edge].set_visible(False)
