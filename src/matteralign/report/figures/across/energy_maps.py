"""Maps of latents, once by slice and once by the error of the model's energies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from matteralign.report.figures.across.maps import (
    DPI,
    draw_slices,
    no_scale,
    point_size,
    settings,
    shuffled,
)
from matteralign.report.figures.grid import small_plots
from matteralign.report.figures.style import (
    FAINT,
    FAMILY_COLOURS,
    SCORES,
    UNTRAINED_NOTE,
    ModelLabel,
    label_for,
    shorten,
    style,
)

SIDE = 2.9
MEV = 1000.0
LINES = 2
"""Slices whose mean errors find room above a map."""


def energy_maps_figure(
    coordinates: pd.DataFrame,
    maps: pd.DataFrame,
    errors: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    slices: Sequence[str],
) -> Figure:
    """Draw two maps for each model that has errors: by slice, and by the size of its error.

    Parameters
    ----------
    coordinates, maps, errors
        Tables of the analysis.
    slices
        Their order.
    """
    coordinates = coordinates[coordinates["model"].isin(maps["model"])]
    there = [name for name in slices if (coordinates["slice"] == name).any()]
    colour = dict(zip(there, FAMILY_COLOURS, strict=False))
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=5, color=colour[name], label=name)
        for name in there
    ]
    if coordinates["error_per_atom"].isna().any():
        blank = Line2D([], [], linestyle="none", marker="o", markersize=5, color=FAINT)
        blank.set_label("no error")
        handles.append(blank)
    notes = [
        "Error: |ΔE of the model − ΔE of DFT| per atom, each freed from what composition explains",
        "in its slice. Axes of a map have no unit. T: trustworthiness (1: all neighbours kept).",
    ]
    if any(label_for(labels, str(model)).untrained for model in maps["model"]):
        notes.append(f"{UNTRAINED_NOTE}.")
    titles = []
    for row in maps.to_dict("records"):
        name = shorten(label_for(labels, row["model"]).text, 38)
        titles.append(f"{name}\nn = {row['n']:,}, T = {row['trustworthiness']:.3f}")
        told = errors[errors["model"] == row["model"]].to_dict("records")
        lines = [f"{_mean(e)} meV/atom" for e in told]
        titles.append("\n".join(lines) if len(lines) <= LINES else "error of the energies")
    with style():
        heads = ("Errors of energies over maps of latents", settings(maps))
        grid = small_plots(titles, heads, handles, notes, side=SIDE, across=2, gap=1.1)
        grid.figure.set_dpi(DPI)
        for place, model in enumerate(maps["model"]):
            rows = coordinates[coordinates["model"] == model]
            draw_slices(grid.plots[2 * place], rows, colour)
            _draw_errors(grid.plots[2 * place + 1], rows)
        return grid.figure


def energy_maps_caption(errors: pd.DataFrame, labels: Mapping[str, ModelLabel]) -> str:
    """Caption of the maps of errors."""
    parts = [
        "Maps (UMAP) of the latents of structures of several slices together, left by slice, right "
        "by the error of the model's energy. A linear function of the composition is fitted to the "
        "DFT energies of each slice and, separately, to the model's; the error is the difference "
        "of what is left, per atom."
    ]
    for row in errors.to_dict("records"):
        name = label_for(labels, str(row["model"])).name
        parts.append(
            f"{name} on {row['slice']} ({row['dataset']}): {_mean(row, named=False)} meV/atom "
            f"over {row['n']:,} structures; composition alone leaves "
            f"{MEV * row['composition_mae_per_atom']:.3g}."
        )
    return " ".join(parts)


def _mean(row: Mapping[Hashable, Any], *, named: bool = True) -> str:
    text = f"{MEV * row['mae_per_atom']:.3g}"
    low, high = row["mae_per_atom_low"], row["mae_per_atom_high"]
    if low is not None and np.isfinite([low, high]).all():
        text += f" [{MEV * low:.3g}, {MEV * high:.3g}]"
    return f"{shorten(str(row['slice']), 14)} {text}" if named else text


def _draw_errors(ax: Axes, rows: pd.DataFrame) -> None:
    blank = rows[rows["error_per_atom"].isna()]
    known = shuffled(rows[rows["error_per_atom"].notna()])
    size = point_size(rows)
    ax.scatter(blank["x"], blank["y"], s=size, c=FAINT, linewidths=0, rasterized=True)
    no_scale(ax)
    ax.set_xlabel("")
    if known.empty:
        return
    errors = MEV * known["error_per_atom"].abs().to_numpy(float)
    low, high = np.quantile(errors, [0.05, 0.95])
    # An error of nothing, as of energies that are a function of composition.
    low = max(low, 1e-3)
    scale = LogNorm(low, max(high, 2.0 * low), clip=True)
    drawn = ax.scatter(
        known["x"], known["y"], s=size, c=errors, cmap=SCORES, norm=scale, linewidths=0,
        rasterized=True,
    )  # fmt: skip
    bar = ax.inset_axes((0.05, -0.06, 0.9, 0.03))
    ax.figure.colorbar(drawn, cax=bar, orientation="horizontal", extend="both")
    bar.tick_params(labelsize=7, length=2)
    bar.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    bar.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    bar.xaxis.set_minor_formatter(NullFormatter())
    bar.set_xlabel("error, 5 to 95 % of structures (meV/atom)", size=7.5, labelpad=1)
