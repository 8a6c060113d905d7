"""Intrinsic dimension over models as violins, every model a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from matteralign.report.figures.captions import count_text, scaling_text
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    BASELINE,
    FAINT,
    FAMILY_COLOURS,
    INK,
    MUTED,
    UNTRAINED_NOTE,
    ModelLabel,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    style,
)

LEFT, WIDE, HIGH, GAP, EDGE = 0.7, 1.35, 2.5, 0.85, 0.15
LEAST = 4
"""Fewer points have no violin."""
CUT = 1.25
KINDS = ("invariant", "equivariant", "vanilla")


def violins_figure(
    rows: pd.DataFrame, labels: Mapping[str, ModelLabel], slices: Sequence[str], subtitle: str
) -> Figure:
    """Draw one estimate: above over all models of a slice, below by kind of embedding.

    Every model is a point, hollow where it ran on untrained weights. The value of the random
    baseline is a line; where it lies far above the models it is written instead.

    Parameters
    ----------
    rows
        Of the table ``dimensions`` of an analysis, one estimate.
    slices
        Their order.
    """
    own, base = rows[~rows["baseline"]], rows[rows["baseline"]]
    there = [name for name in slices if (rows["slice"] == name).any()]
    kinds = [k for k in KINDS if (own["embedding"] == k).any()]
    kinds += sorted(set(own["embedding"]) - set(kinds))
    colour = dict(zip(kinds, FAMILY_COLOURS, strict=False))
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=5, color=colour[k], label=k)
        for k in kinds
    ]
    if len(base):
        handles.append(
            Line2D([], [], color=BASELINE, linewidth=1.4, linestyle="--", label="random baseline")
        )
    notes = [f"Violins from {LEAST} models on; thick bar: quartiles; white point: median."]
    if any(label_for(labels, str(m)).untrained for m in own["model"]):
        notes.append(f"Hollow: {UNTRAINED_NOTE.removeprefix('† ')}.")
    with style():
        width = max(LEFT + WIDE * max(len(there), 1) * max(1.0, 0.28 * len(kinds)) + EDGE, 6.2)
        foot = footnote_height(notes) + legend_height(handles, width - 2 * EDGE) + 0.55
        height = foot + 2 * HIGH + GAP + 0.95
        fig = new_figure(width, height)
        counts = rows["n"].to_numpy(int)
        n = count_text(int(counts.min()), int(counts.max())).replace("by pair", "by model")
        heading(fig, "Intrinsic dimension over models", f"{subtitle} · {n}")
        across = (width - LEFT - EDGE) / width
        top = fig.add_axes((LEFT / width, (foot + HIGH + GAP) / height, across, HIGH / height))
        low = fig.add_axes((LEFT / width, foot / height, across, HIGH / height))
        for ax, split in ((top, False), (low, True)):
            _frame(ax, there, own, base)
            for place, name in enumerate(there):
                mine = own[own["slice"] == name]
                groups = [("", mine)]
                if split:
                    groups = [(k, mine[mine["embedding"] == k]) for k in kinds]
                step = 0.86 / len(groups)
                for i, (kind, chosen) in enumerate(groups):
                    centre = place + (i - (len(groups) - 1) / 2) * step
                    _violin(ax, chosen, centre, step, colour, labels, FAINT if not split else kind)
        top.set_title("all models", size=8.5, loc="left", pad=5)
        low.set_title("by kind of embedding", size=8.5, loc="left", pad=5)
        bottom_legend(fig, handles, EDGE, footnote_height(notes))
        footnotes(fig, notes, EDGE)
        return fig


def violins_caption(rows: pd.DataFrame, bands: pd.DataFrame, label: str, params: str) -> str:
    """Caption of the violins of one estimate."""
    scaled = scaling_text(params)
    parts = [
        f"Intrinsic dimension ({label}{f'; {scaled}' if scaled else ''}) of each model's latents, "
        "by slice, and below by kind of embedding. Each point is a model."
    ]
    mine = bands[(bands["params"] == params) & (bands["metric"] == rows["metric"].iloc[0])]
    for row in mine[mine["embedding"] == "all"].to_dict("records"):
        base = "" if np.isnan(row["baseline"]) else f"; random baseline {row['baseline']:.1f}"
        parts.append(
            f"{row['slice']} ({row['dataset']}): median {row['median']:.1f}, half of "
            f"{row['models']} models between {row['quarter']:.1f} and "
            f"{row['three_quarters']:.1f}{base}."
        )
    parts.append(
        "Estimates of high dimensions are too low for this many structures; the random baseline, "
        "which has no structure at all, shows how far."
    )
    return " ".join(parts)


def _frame(ax: Axes, slices: Sequence[str], own: pd.DataFrame, base: pd.DataFrame) -> None:
    most = float(own["value"].max()) if len(own) else float(base["value"].max())
    top = CUT * most
    ax.set_ylim(0, top)
    ax.set_xlim(-0.5, max(len(slices), 1) - 0.5)
    models = [int((own["slice"] == name).sum()) for name in slices]
    ticks = [f"{name}\n{count} models" for name, count in zip(slices, models, strict=True)]
    ax.set_xticks(range(len(slices)), ticks, size=8)
    ax.set_ylabel("intrinsic dimension (no unit)")
    ax.yaxis.set_major_locator(MaxNLocator(6))
    ax.grid(axis="y", color=FAINT, linewidth=0.5)
    ax.set_axisbelow(True)
    for edge in ("top", "right"):
        ax.spines[edge].set_visible(False)
    for place, name in enumerate(slices):
        values = base.loc[base["slice"] == name, "value"]
        if values.empty:
            continue
        value = float(values.mean())
        if value <= 0.97 * top:
            ax.hlines(
                value, place - 0.45, place + 0.45, color=BASELINE, lw=1.4, linestyle="--", zorder=1
            )
        else:
            text = f"random: {value:.1f} ↑"
            ax.text(place, 0.995 * top, text, size=7.5, color=MUTED, ha="center", va="top")


def _violin(
    ax: Axes,
    rows: pd.DataFrame,
    centre: float,
    step: float,
    colour: Mapping[str, str],
    labels: Mapping[str, ModelLabel],
    kind: str,
) -> None:
    values = rows["value"].to_numpy(float)
    if not len(values):
        return
    if len(values) >= LEAST and np.ptp(values) > 0:
        drawn = ax.violinplot([values], [centre], widths=0.9 * step, showextrema=False)
        for body in drawn["bodies"]:  # type: ignore[attr-defined]
            body.set_facecolor(colour.get(kind, FAINT))
            body.set_alpha(0.3 if kind in colour else 0.7)
            body.set_edgecolor("none")
            body.set_zorder(1)
        low, high = np.quantile(values, [0.25, 0.75])
        ax.vlines(centre, low, high, color=INK, linewidth=2.2, alpha=0.6, zorder=2)
    across = centre + spread(values, 0.32 * step)
    facts = rows[["model", "embedding", "value"]].itertuples(index=False, name=None)
    for x, (model, embedding, value) in zip(across, facts, strict=True):
        hollow = label_for(labels, str(model)).untrained
        ax.plot(
            [x], [value], linestyle="none", marker="o", markersize=3.2, zorder=3,
            markerfacecolor="none" if hollow else colour[embedding],
            markeredgecolor=colour[embedding], markeredgewidth=0.7, alpha=0.9,
        )  # fmt: skip
    if len(values) >= LEAST:
        ax.plot(
            [centre], [float(np.median(values))], marker="o", markersize=4, color="white",
            markeredgecolor=INK, markeredgewidth=0.7, zorder=4,
        )  # fmt: skip


def spread(values: npt.NDArray[np.float64], half: float) -> npt.NDArray[np.float64]:
    """Return offsets that keep points of similar value apart, within `half` of 0, shape (m,).

    Neighbours in value take places of a low-discrepancy sequence in turn.
    """
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    offsets: npt.NDArray[np.float64] = half * (2.0 * ((order * golden + 0.5) % 1.0) - 1.0)
    return offsets
