"""The evolutionary tree of the models as a midpoint-rooted phylogram."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from matteralign.report.analysis.tree import ModelTree
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    INK,
    MUTED,
    UNTRAINED_NOTE,
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
    widest,
)

PLOT_WIDTH, EDGE, ROW, TIP_FONT = 4.4, 0.2, 0.26, 8.5
SUPPORT_FONT = 6.0
SURE = 0.7
"""Support below this is drawn pale."""


def tree_figure(
    tree: ModelTree,
    labels: Mapping[str, ModelLabel],
    title: str = "Evolutionary tree of the models",
    subtitle: str = "",
) -> Figure:
    """Draw the tree: families in colour, distances along the horizontal, a scale bar.

    Branches of negative length are drawn as zero and their stem dotted, with a footnote.
    """
    with style():
        return _draw(tree, labels, title, subtitle)


def _draw(tree: ModelTree, labels: Mapping[str, ModelLabel], title: str, subtitle: str) -> Figure:
    layout = tree.layout
    tips = [str(m) for m in layout["model"] if m]
    shown = {m: label_for(labels, m) for m in tips}
    notes = _notes(tree, shown.values())
    handles = family_handles(labels, tips)
    tip_room = widest([label.text for label in shown.values()], TIP_FONT) + 0.25
    width = max(2 * EDGE + PLOT_WIDTH + tip_room, 5.5)
    legend_room = legend_height(handles, width - 2 * EDGE)
    scale_room = 0.4
    bottom = footnote_height(notes) + legend_room + scale_room
    side = ROW * len(tips)
    height = bottom + side + 0.7
    fig = new_figure(width, height)
    heading(fig, title, subtitle)
    ax = fig.add_axes((EDGE / width, bottom / height, PLOT_WIDTH / width, side / height))
    depth = max(float(layout["x"].max()), 1e-9)
    colours, markers = family_colours(labels), family_markers(labels)

    place = {
        int(node): (float(x), float(y))
        for node, x, y in zip(layout["node"], layout["x"], layout["y"], strict=True)
    }
    for node, parent, clamped in layout[["node", "parent", "clamped"]].itertuples(
        index=False, name=None
    ):
        if parent < 0:
            continue
        (x, y), (px, py) = place[int(node)], place[int(parent)]
        ax.plot([px, x], [y, y], color=INK, linewidth=1.1, solid_capstyle="projecting")
        dots = ":" if clamped else "-"
        ax.plot([px, px], [py, y], color=INK, linewidth=1.1, linestyle=dots)
    _supports(ax, layout, place)
    for node, model in layout[["node", "model"]].itertuples(index=False, name=None):
        if not model:
            continue
        label = shown[str(model)]
        x, y = place[int(node)]
        ax.plot(
            [x],
            [y],
            marker=markers.get(label.family, "o"),
            color=colours.get(label.family, MUTED),
            markersize=6.5,
            markeredgecolor="none",
            clip_on=False,
            zorder=3,
        )
        ax.annotate(
            label.text,
            (x, y),
            xytext=(7, 0),
            textcoords="offset points",
            va="center_baseline",
            size=TIP_FONT,
        )
    ax.set_xlim(0, depth)
    ax.set_ylim(len(tips) - 0.5, -0.5)
    ax.set_axis_off()

    unit = _round_down(depth / 3.0)
    scale = fig.add_axes(
        (EDGE / width, (bottom - scale_room) / height, PLOT_WIDTH / width, scale_room / height)
    )
    scale.set_xlim(0, depth)
    scale.set_ylim(0, 1)
    scale.set_axis_off()
    scale.plot([0, unit], [0.62, 0.62], color=INK, linewidth=1.4, solid_capstyle="butt")
    scale.annotate(
        f"{unit:g} √bit",
        (unit, 0.62),
        xytext=(5, 0),
        textcoords="offset points",
        va="center_baseline",
        size=8,
        color=MUTED,
    )
    bottom_legend(fig, handles, EDGE, footnote_height(notes))
    footnotes(fig, notes, EDGE)
    return fig


def _notes(tree: ModelTree, shown: Iterable[ModelLabel]) -> list[str]:
    notes = ["Rooted at the midpoint for drawing only."]
    if tree.negative_branches:
        notes.append("Dotted: negative branch length, drawn as zero.")
    if tree.support_draws:
        notes.append("Numbers: support of the clade to the right, in percent; pale below 70.")
    if tree.dropped:
        notes.append(f"Left out, pairs without a score: {len(tree.dropped)} (see caption).")
    if any(label.untrained for label in shown):
        notes.append(UNTRAINED_NOTE)
    return notes


def _supports(ax: Axes, layout: pd.DataFrame, place: Mapping[int, tuple[float, float]]) -> None:
    """Write the support of each clade behind the node where it begins."""
    for node, support in layout[["node", "support"]].itertuples(index=False, name=None):
        if not math.isnan(support):
            x, y = place[int(node)]
            ax.annotate(
                f"{100 * support:.0f}",
                (x, y),
                xytext=(2.5, 0),
                textcoords="offset points",
                va="center_baseline",
                size=SUPPORT_FONT,
                color=MUTED if support < SURE else INK,
                path_effects=[withStroke(linewidth=1.6, foreground="white")],
                zorder=4,
            )


def _round_down(value: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (5.0, 2.0, 1.0) if step * power <= value * (1 + 1e-12))
