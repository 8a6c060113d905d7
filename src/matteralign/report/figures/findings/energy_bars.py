"""Errors of energies by model, as bars coloured by the level of theory that a model learnt."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from matteralign.registry.vocabulary import FUNCTIONALS
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    FAINT,
    FAMILY_COLOURS,
    INK,
    MUTED,
    PAPER,
    UNTRAINED_NOTE,
    ModelLabel,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    style,
    text_width,
    widest,
)

PLOT, EDGE, THICK, PITCH, BETWEEN = 2.9, 0.2, 0.17, 0.24, 0.75
# Values so many times their median are cut, to so many times the largest that is not.
CUT_AT, CUT_TO = 6.0, 1.25
COLUMNS = (("mae", "eV per structure"), ("mae_per_atom", "eV per atom"))

Floats = npt.NDArray[np.float64]


def error_bars(
    regression: pd.DataFrame, labels: Mapping[str, ModelLabel], subtitle: str = ""
) -> Figure | None:
    """Draw the mean absolute error of each model per structure and, beside it, per atom.

    Models are sorted by the error per structure. An error far above the others is cut, with the
    break marked and its value written.

    Parameters
    ----------
    regression
        Table ``energy_regression``.

    Returns
    -------
    Figure or None
        None where no model has an error.
    """
    known = regression[regression["status"] == "ok"].sort_values(["mae", "model"])
    if known.empty:
        return None
    with style():
        return _draw(known, labels, subtitle)


def level_colours(functionals: pd.Series) -> dict[str, str]:
    """Give each level of theory a colour, the same in every figure."""
    named = [*FUNCTIONALS[1:], *sorted(set(functionals) - set(FUNCTIONALS)), FUNCTIONALS[0]]
    colours = {f: FAMILY_COLOURS[i % len(FAMILY_COLOURS)] for i, f in enumerate(named)}
    return {f: colours[f] for f in named if f in set(functionals)}


def _draw(known: pd.DataFrame, labels: Mapping[str, ModelLabel], subtitle: str) -> Figure:
    shown = [label_for(labels, str(m)) for m in known["model"]]
    colours = level_colours(known["functional"])
    untrained = np.array([label.untrained for label in shown])
    handles = [
        Patch(facecolor=c, label="learnt no energies" if f == FUNCTIONALS[0] else f)
        for f, c in colours.items()
    ]
    notes = ["Dashed line or arrow: error of a model that knows the composition alone."]
    if known["mae_low"].notna().any():
        notes.append("Black lines: 95 % interval.")
    if untrained.any():
        notes.append(f"Hatched: {UNTRAINED_NOTE[2:]} (†).")
    label_room = widest([label.text for label in shown], 8.5) + 0.2
    width = EDGE + label_room + 2 * PLOT + BETWEEN + 0.85
    bottom = footnote_height(notes) + legend_height(handles, width - 2 * EDGE) + 0.5
    side = PITCH * len(shown)
    height = bottom + side + 0.65
    fig = new_figure(width, height)
    heading(fig, "Errors of energies", subtitle, EDGE)
    for place, (column, unit) in enumerate(COLUMNS):
        left = EDGE + label_room + place * (PLOT + BETWEEN)
        ax = fig.add_axes((left / width, bottom / height, PLOT / width, side / height))
        _bars(ax, known, column, colours, untrained)
        ax.set_xlabel(f"MAE, {unit}")
        ax.set_yticks(np.arange(len(shown)) + 0.5, [s.text for s in shown] if not place else [])
    bottom_legend(fig, handles, EDGE, footnote_height(notes))
    footnotes(fig, notes, EDGE)
    return fig


def _bars(
    ax: Axes,
    known: pd.DataFrame,
    column: str,
    colours: Mapping[str, str],
    untrained: npt.NDArray[np.bool_],
) -> None:
    values = known[column].to_numpy(float)
    low, high = (known[f"{column}_{end}"].to_numpy(float) for end in ("low", "high"))
    ends = np.fmax(values, high)
    limit = _limit(ends if untrained.all() else ends[~untrained], ends)
    for i, (value, functional) in enumerate(zip(values, known["functional"], strict=True)):
        y = i + 0.5
        ax.barh(
            y,
            min(value, limit),
            height=THICK / PITCH,
            color=colours[str(functional)],
            hatch="/////" if untrained[i] else None,
            edgecolor=PAPER,
            linewidth=0,
        )
        if value > limit:
            for x in (0.955, 0.97):
                slant = [limit * (x - 0.008), limit * (x + 0.008)]
                ax.plot(slant, [y + 0.36, y - 0.36], color=PAPER, linewidth=2.2)
        elif np.isfinite(low[i]):
            ax.plot([low[i], min(high[i], limit)], [y, y], color=INK, linewidth=1.0)
        end = min(ends[i], limit)
        ax.annotate(f"{value:.3g}", (end, y), xytext=(3, 0), textcoords="offset points", size=7.5,
                    va="center_baseline", annotation_clip=False)  # fmt: skip
    composition = float(known[f"composition_{column}"].median())
    if composition <= limit:
        ax.axvline(composition, color=MUTED, linestyle="--", linewidth=0.9, zorder=0)
    else:
        told = f"composition alone: {composition:.3g} →"
        inside = 1.0 - (text_width(told, 7.0) + 0.02) / PLOT
        ax.text(inside, 1.0, told, transform=ax.transAxes, size=7, color=MUTED, va="bottom")
    ax.set_xlim(0, limit)
    ax.set_ylim(len(values), 0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.tick_params(axis="y", length=0, labelsize=8.5)
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)
    for edge in ("top", "right", "left"):
        ax.spines[edge].set_visible(False)


def _limit(chosen: Floats, every: Floats) -> float:
    """Return where the axis ends: past all errors, or where those far above are cut."""
    top = float(every.max())
    near = chosen[chosen <= CUT_AT * np.median(chosen)]
    largest = float(near.max()) if near.size else top
    if top > CUT_TO * largest:
        return CUT_TO * largest or 1.0
    return 1.05 * top or 1.0
