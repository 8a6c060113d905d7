"""The information-imbalance plane: one point for every pair of models."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.placement import Box, place_labels
from matteralign.report.figures.style import (
    BASELINE,
    FAINT,
    INK,
    MUTED,
    PAPER,
    UNTRAINED_NOTE,
    ModelLabel,
    family_colours,
    family_handles,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    pairs_with,
    style,
    widest,
)

SIDE, LEFT, KEY_FONT, KEY_ROW = 5.0, 0.75, 7.0, 0.148
NUMBER_UP_TO = 60
LOG_WHEN_SPREAD = 8.0
RADIUS = 4.0


def imbalance_plane(
    pairs: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    title: str = "Information imbalance",
    subtitle: str = "",
) -> Figure:
    """Draw Δ(a→b) against Δ(b→a) for every pair with both directions.

    The axes are logarithmic when the values spread over more than a factor of eight. Pairs
    are numbered and listed beside the plane; beyond 60 pairs only those nearest to the
    origin and those farthest from the diagonal are. Pairs with a baseline are grey and not
    numbered.

    Parameters
    ----------
    pairs
        From `matteralign.report.analysis.imbalance.imbalance_pairs`.
    """
    with style():
        return _draw(pairs, labels, title, subtitle)


def _draw(
    pairs: pd.DataFrame, labels: Mapping[str, ModelLabel], title: str, subtitle: str
) -> Figure:
    whole = pairs[(pairs["status"] == "ok") & pairs[["forward", "backward"]].notna().all(axis=1)]
    base = pairs_with(labels, whole, "baseline")
    own, floor = whole[~base].reset_index(drop=True), whole[base]
    numbered = _numbered(own)
    key = [
        f"{label_for(labels, str(own.at[i, 'model_a'])).text}  |  "
        f"{label_for(labels, str(own.at[i, 'model_b'])).text}"
        for i in numbered
    ]
    models = [*map(str, whole["model_a"]), *map(str, whole["model_b"])]
    notes = ["Left half of a point: family of a; right half: family of b."]
    if len(numbered) < len(own):
        notes.append(f"Numbered: {len(numbered)} of {len(own)} pairs (closest, most one-sided).")
    if len(pairs) > len(whole):
        notes.append(f"Not shown, no score: {len(pairs) - len(whole)} of {len(pairs)} pairs.")
    if any(label_for(labels, m).untrained for m in models):
        notes.append(UNTRAINED_NOTE)
    handles = family_handles(labels, [m for m in models if not label_for(labels, m).baseline])
    if len(floor):
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="D",
                markersize=4.5,
                markerfacecolor="none",
                markeredgecolor=BASELINE,
                label="pair with the random baseline",
            )
        )
    handles.append(
        Line2D([], [], color=MUTED, linestyle="--", linewidth=0.8, label="Δ(a→b) = Δ(b→a)")
    )

    per_column = int((SIDE - 0.25) / KEY_ROW)
    blocks = [key[i : i + per_column] for i in range(0, len(key), per_column)]
    room = [widest(block, KEY_FONT) + 0.42 for block in blocks]
    width = max(LEFT + SIDE + 0.3 + sum(room) + 0.1, 6.2)
    legend_room = legend_height(handles, width - 0.3)
    bottom = footnote_height(notes) + legend_room + 0.55
    height = bottom + SIDE + 0.75
    fig = new_figure(width, height)
    heading(fig, title, subtitle)
    ax = fig.add_axes((LEFT / width, bottom / height, SIDE / width, SIDE / height))
    both = whole[["forward", "backward"]].to_numpy(dtype=np.float64)
    _axes(ax, both)
    corners = _corners(ax)
    if len(floor):
        ax.plot(
            floor["forward"],
            floor["backward"],
            linestyle="none",
            marker="D",
            markersize=4.5,
            markerfacecolor="none",
            markeredgecolor=BASELINE,
            markeredgewidth=0.9,
        )
    colours = family_colours(labels)
    size = 2 * RADIUS if len(own) <= 150 else RADIUS
    for a, b, x, y in own[["model_a", "model_b", "forward", "backward"]].itertuples(
        index=False, name=None
    ):
        ax.plot(
            [x],
            [y],
            linestyle="none",
            marker="o",
            markersize=size,
            fillstyle="left",
            markerfacecolor=colours.get(label_for(labels, a).family, MUTED),
            markerfacecoloralt=colours.get(label_for(labels, b).family, MUTED),
            markeredgecolor=INK,
            markeredgewidth=0.5 if size > RADIUS else 0.2,
        )
    _number(ax, own, numbered, both, corners)
    left = LEFT + SIDE + 0.3
    top = bottom + SIDE
    if key:
        fig.text(left / width, top / height, "pair   a  |  b", size=KEY_FONT, color=MUTED, va="top")
    for start, (block, wide) in enumerate(zip(blocks, room, strict=True)):
        for row, text in enumerate(block):
            y = (top - 0.22 - KEY_ROW * row) / height
            number = start * per_column + row + 1
            fig.text(
                (left + 0.17) / width,
                y,
                str(number),
                size=KEY_FONT,
                weight="bold",
                ha="right",
                va="top",
            )
            fig.text((left + 0.24) / width, y, text, size=KEY_FONT, va="top")
        left += wide
    bottom_legend(fig, handles, 0.15, footnote_height(notes))
    footnotes(fig, notes)
    return fig


def _numbered(own: pd.DataFrame) -> list[int]:
    if len(own) <= NUMBER_UP_TO:
        return list(range(len(own)))
    forward, backward = own["forward"].to_numpy(), own["backward"].to_numpy()
    near = np.argsort(np.hypot(forward, backward), kind="stable")[:20]
    lopsided = np.argsort(-np.abs(np.log(forward / backward)), kind="stable")[:12]
    return sorted({*map(int, near), *map(int, lopsided)})


def _axes(ax: Axes, both: npt.NDArray[np.float64]) -> None:
    low, high = (float(both.min()), float(both.max())) if both.size else (0.0, 1.0)
    if low > 0 and high / low > LOG_WHEN_SPREAD:
        limits = (low / 1.7, max(high, 1.0) * 1.7)
        ax.set_xscale("log")
        ax.set_yscale("log")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.set_minor_formatter(NullFormatter())
    else:
        limits = (min(0.0, low), max(high, 1.0) * 1.12)
    ax.set_xlim(*limits)
    ax.set_ylim(*limits)
    ax.plot(limits, limits, color=MUTED, linestyle="--", linewidth=0.8, zorder=1)
    ax.grid(color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel("Δ(a→b)   0: a predicts b's neighbours,  1: not at all")
    ax.set_ylabel("Δ(b→a)")
    ax.tick_params(which="minor", length=0)


def _corners(ax: Axes) -> list[Box]:
    boxes = []
    renderer = (
        ax.figure.canvas.get_renderer() if hasattr(ax.figure.canvas, "get_renderer") else None
    )
    for x, y, text in (
        (0.02, 0.02, "equivalent"),
        (0.02, 0.98, "a contains b"),
        (0.98, 0.02, "b contains a"),
        (0.98, 0.98, "orthogonal"),
    ):
        drawn = ax.text(
            x,
            y,
            text,
            size=8.5,
            style="italic",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
            color=MUTED,
            transform=ax.transAxes,
            ha="left" if x < 0.5 else "right",
            va="bottom" if y < 0.5 else "top",
        )
        extent = drawn.get_window_extent(renderer)
        boxes.append(Box(extent.x0, extent.y0, extent.x1, extent.y1))
    return boxes


def _number(
    ax: Axes,
    own: pd.DataFrame,
    numbered: list[int],
    both: npt.NDArray[np.float64],
    corners: list[Box],
) -> None:
    """Write the numbers beside the points, with a leader where they had to move away."""
    dpi = ax.figure.dpi / 72.0
    points = ax.transData.transform(both) / dpi
    anchors = ax.transData.transform(own.loc[numbered, ["forward", "backward"]].to_numpy()) / dpi
    obstacles = [Box(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    obstacles += [Box(*(v / dpi for v in (b.x0, b.y0, b.x1, b.y1))) for b in corners]
    frame = ax.get_window_extent()
    bounds = Box(*(v / dpi for v in (frame.x0, frame.y0, frame.x1, frame.y1)))
    texts = [str(i + 1) for i in range(len(numbered))]
    sizes = [(4.6 * len(t) + 0.5, 7.0) for t in texts]
    spots = place_labels(anchors, sizes, obstacles, bounds)
    for i, text, anchor, spot in zip(numbered, texts, anchors, spots, strict=True):
        offset = (spot[0] - anchor[0], spot[1] - anchor[1])
        far = float(np.hypot(*offset)) > RADIUS + 9.0
        ax.annotate(
            text,
            (own.at[i, "forward"], own.at[i, "backward"]),
            xytext=offset,
            textcoords="offset points",
            size=7,
            weight="bold",
            ha="center",
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": MUTED,
                "lw": 0.5,
                "shrinkA": 0.5,
                "shrinkB": RADIUS,
            }
            if far
            else None,
        )
