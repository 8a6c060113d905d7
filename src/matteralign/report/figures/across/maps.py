"""Maps of latents, one for each model, coloured by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.report.figures.grid import small_plots
from matteralign.report.figures.style import (
    FAMILY_COLOURS,
    UNTRAINED_NOTE,
    ModelLabel,
    label_for,
    shorten,
    style,
)

SIDE = 2.15
FEW = 9
"""Of more maps six stand in a row."""
DPI = 200
"""Points of a map are pixels, also in an SVG; there may be millions."""


def maps_figure(
    coordinates: pd.DataFrame,
    maps: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    slices: Sequence[str],
) -> Figure:
    """Draw the maps in the order of the table ``maps``.

    Points are drawn in a shuffled order, so that no slice lies on top of another.

    Parameters
    ----------
    coordinates, maps
        Tables of the analysis.
    slices
        Their order.
    """
    there = [name for name in slices if (coordinates["slice"] == name).any()]
    colour = dict(zip(there, FAMILY_COLOURS, strict=False))
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=5, color=colour[name], label=name)
        for name in there
    ]
    notes = ["T: trustworthiness, the share of neighbourhoods that the map keeps (1: all)."]
    notes.append("Axes have no unit and no direction; only who is near whom has a meaning.")
    if any(label_for(labels, str(model)).untrained for model in maps["model"]):
        notes.append(f"{UNTRAINED_NOTE}.")
    titles = [
        f"{shorten(label_for(labels, row['model']).text, 36)}\n"
        f"n = {row['n']:,}{_trust(row['trustworthiness'])}"
        for row in maps.to_dict("records")
    ]
    with style():
        about = settings(maps)
        across = 3 if len(titles) <= FEW else 6
        grid = small_plots(
            titles, ("Maps of latents", about), handles, notes, side=SIDE, across=across
        )
        grid.figure.set_dpi(DPI)
        for ax, model in zip(grid.plots, maps["model"], strict=True):
            draw_slices(ax, coordinates[coordinates["model"] == model], colour)
        return grid.figure


def settings(maps: pd.DataFrame) -> str:
    """Return in a line how the maps were made."""
    first = maps.iloc[0]
    return (
        f"UMAP, {first['neighbors']} neighbours, min_dist = {first['min_dist']:g}, "
        f"start: principal components, seed {first['seed']}"
    )


def maps_caption(
    maps: pd.DataFrame, separation: pd.DataFrame, labels: Mapping[str, ModelLabel]
) -> str:
    """Caption of the maps."""
    known = maps["trustworthiness"].dropna()
    parts = [
        "Maps (UMAP) of the latents of structures of several slices together, one for each model. "
        "Each point is a structure. Distances between groups, their sizes and densities have no "
        "meaning."
    ]
    if len(known):
        lowest = maps.sort_values("trustworthiness", kind="stable")["model"].iloc[0]
        parts.append(
            f"Trustworthiness is between {known.min():.3f} "
            f"({label_for(labels, str(lowest)).name}) and {known.max():.3f}."
        )
    if separation["slice"].nunique() > 1:
        mean = separation.groupby("slice", sort=False)[["share_latents", "share_map", "chance"]]
        parts += [
            f"Of the neighbours of {row['slice']}, {row['share_latents']:.0%} are of the same "
            f"slice in the latents and {row['share_map']:.0%} in the map, mean over models "
            f"({row['chance']:.0%} by chance)."
            for row in mean.mean().reset_index().to_dict("records")
        ]
    return " ".join(parts)


def _trust(value: float) -> str:
    return "" if np.isnan(value) else f", T = {value:.3f}"


def shuffled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the points in the order in which they are drawn, the same every time."""
    return rows.iloc[np.random.default_rng(0).permutation(len(rows))]


def point_size(rows: pd.DataFrame) -> float:
    """Return the area of a point: small where there are many."""
    return float(np.clip(6000.0 / max(len(rows), 1), 0.15, 9.0))


def draw_slices(ax: Axes, rows: pd.DataFrame, colour: Mapping[str, str]) -> None:
    """Draw the points of one map, coloured by slice."""
    shown = shuffled(rows)
    ax.scatter(
        shown["x"], shown["y"], s=point_size(rows),
        c=[to_rgb(colour[name]) for name in shown["slice"]],
        linewidths=0, alpha=0.8, rasterized=True,
    )  # fmt: skip
    no_scale(ax)


def no_scale(ax: Axes) -> None:
    """Take ticks and grid away: a map has no scale."""
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel("UMAP 1", size=7.5)
    ax.set_ylabel("UMAP 2", size=7.5)
