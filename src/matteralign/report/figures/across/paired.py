"""Scores in one slice against the same scores in another, one point for each pair of models."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.report.figures.captions import count_text
from matteralign.report.figures.grid import plot_titles, small_plots
from matteralign.report.figures.style import (
    BASELINE,
    CROWD,
    FAINT,
    MUTED,
    PAPER,
    UNTRAINED_PAIR,
    ModelLabel,
    family_colours,
    family_handles,
    family_markers,
    label_for,
    pairs_with,
    style,
)

SPEC = ["metric", "definition", "params"]
SIDE = 3.1
OTHER = "two families"


def paired_figure(
    pairs: pd.DataFrame, summary: pd.DataFrame, labels: Mapping[str, ModelLabel]
) -> Figure:
    """Draw the score in the first slice (x) against that in the second (y).

    Pairs within one family have its colour. Bars are the 95 % intervals of the scores where
    they have one; the dotted lines are the mean floors of both slices.

    Parameters
    ----------
    pairs, summary
        From `matteralign.findings.across.paired.paired` and `difference_summary`, of two slices.
    """
    groups = list(pairs.groupby(SPEC, sort=False))
    first, second = (str(pairs[f"slice_{i}"].iloc[0]) for i in (1, 2))
    family = _family_of(pairs, labels)
    drawn = [str(m) for m, f in zip(pairs["model_a"], family, strict=True) if f != OTHER]
    handles = family_handles(labels, drawn)
    handles.append(_handle("o", FAINT, MUTED, f"pair of {OTHER}"))
    if pairs_with(labels, pairs, "untrained").any():
        handles.append(_handle("o", "none", MUTED, UNTRAINED_PAIR))
    if pairs_with(labels, pairs, "baseline").any():
        handles.append(_handle("D", "none", BASELINE, "pair with the random baseline"))
    handles.append(Line2D([], [], color=MUTED, linestyle="--", linewidth=0.9, label="equal"))
    if pairs[["null_mean_1", "null_mean_2"]].notna().any(axis=None):
        handles.append(Line2D([], [], color=MUTED, linestyle=":", linewidth=0.9, label="floor"))
    notes = ["rho: Spearman's rank correlation over pairs without the baseline; in brackets 95 %"]
    notes += ["intervals from leaving out one model at a time."]
    title = f"Pairs of models in {first} and in {second}"
    counts = pairs[["n_1", "n_2"]].to_numpy(int)
    n = count_text(int(counts.min()), int(counts.max()))
    with style():
        titles = plot_titles([(str(m), str(d), str(p)) for (m, d, p), _ in groups])
        grid = small_plots(titles, (title, n), handles, notes, side=SIDE)
        for ax, (spec, rows) in zip(grid.plots, groups, strict=True):
            _draw(ax, rows, labels)
            ax.set_xlabel(f"score in {first}")
            ax.set_ylabel(f"score in {second}")
            for row in summary[(summary[SPEC] == list(spec)).all(axis=1)].to_dict("records"):
                _say(ax, row)
        return grid.figure


def paired_caption(pairs: pd.DataFrame, summary: pd.DataFrame) -> str:
    """Caption of the scores in two slices."""
    one, two = (f"{pairs[f'slice_{i}'].iloc[0]} ({pairs[f'dataset_{i}'].iloc[0]})" for i in (1, 2))
    parts = [
        f"Scores of {len(pairs.drop_duplicates(['model_a', 'model_b']))} pairs of models in {one} "
        f"against the same scores in {two}. Below the dashed line a pair is less alike in the "
        "second slice; of information imbalance and reconstruction errors it is more alike there."
    ]
    titles = plot_titles(list(summary[SPEC].itertuples(index=False, name=None)))
    for title, row in zip(titles, summary.to_dict("records"), strict=True):
        parts.append(
            f"{title}: mean {row['mean_1']:.3f} and {row['mean_2']:.3f}, difference "
            f"{_with_interval(row, 'difference', '+.3f')}{_structures(row)}; "
            f"{row['share_lower']:.0%} of "
            f"{row['pairs']} pairs are lower in the second."
        )
    parts.append(
        "Intervals of means leave out one model at a time; they say how far a number depends on "
        "which models were taken, not how well each score is known."
    )
    return " ".join(parts)


def _with_interval(row: Mapping[Hashable, Any], name: str, form: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    text = format(value, form)
    return text if np.isnan(low) else f"{text} [{low:{form}}, {high:{form}}]"


def _structures(row: Mapping[Hashable, Any]) -> str:
    low, high = (row[f"difference_structures_{end}"] for end in ("low", "high"))
    return "" if np.isnan(low) else f" (over structures [{low:+.3f}, {high:+.3f}])"


def _say(ax: Axes, row: Mapping[Hashable, Any]) -> None:
    lines = [
        f"{row['pairs']} pairs of {row['models']} models",
        f"difference {_with_interval(row, 'difference', '+.3f')}",
    ]
    if not np.isnan(row["rank_correlation"]):
        lines.append(f"rho {_with_interval(row, 'rank_correlation', '.2f')}")
    ax.text(
        0.02,
        0.985,
        "\n".join(lines),
        transform=ax.transAxes,
        size=7,
        va="top",
        color=MUTED,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
    )


def _family_of(pairs: pd.DataFrame, labels: Mapping[str, ModelLabel]) -> list[str]:
    found = []
    for a, b in zip(pairs["model_a"], pairs["model_b"], strict=True):
        one, two = (label_for(labels, str(m)).family for m in (a, b))
        found.append(one if one == two else OTHER)
    return found


def _handle(marker: str, face: str, edge: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=marker, markersize=4.5,
        markerfacecolor=face, markeredgecolor=edge, label=label,
    )  # fmt: skip


def _draw(ax: Axes, rows: pd.DataFrame, labels: Mapping[str, ModelLabel]) -> None:
    x, y = (rows[f"value_{i}"].to_numpy(float) for i in (1, 2))
    bars, size = (0.5, 4.5) if len(rows) <= CROWD else (0.06, 3.0)
    for axis, other, side, draw in ((x, y, 1, ax.hlines), (y, x, 2, ax.vlines)):
        low, high = (rows[f"ci_{end}_{side}"].to_numpy(float) for end in ("low", "high"))
        draw(other, np.minimum(low, axis), np.maximum(high, axis), color=MUTED, lw=0.6, alpha=bars)
    base = pairs_with(labels, rows, "baseline")
    untrained = pairs_with(labels, rows, "untrained") & ~base
    family = np.array(_family_of(rows, labels))
    colours, markers = family_colours(labels), family_markers(labels)
    order = [OTHER, *(name for name in colours if name in set(family))]
    for name in order:
        colour = FAINT if name == OTHER else colours[name]
        edge = MUTED if name == OTHER else colour
        for hollow in (False, True):
            chosen = (family == name) & ~base & (untrained == hollow)
            if chosen.any():
                ax.plot(
                    x[chosen], y[chosen], linestyle="none", marker=markers.get(name, "o"),
                    markersize=size, markerfacecolor="none" if hollow else colour,
                    markeredgecolor=edge, markeredgewidth=0.5, alpha=0.9,
                )  # fmt: skip
    if base.any():
        ax.plot(
            x[base], y[base], linestyle="none", marker="D", markersize=size,
            markerfacecolor="none", markeredgecolor=BASELINE, markeredgewidth=0.8,
        )  # fmt: skip
    least, most = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
    room = max(most - least, 0.02) * 0.06
    # Room above the points for what is said there.
    limits = (least - room, most + room + 0.22 * (most - least))
    ax.set_xlim(*limits)
    ax.set_ylim(*limits)
    ax.plot(limits, limits, color=MUTED, linestyle="--", linewidth=0.9, zorder=1)
    for side, line in ((1, ax.axvline), (2, ax.axhline)):
        floor = rows[f"null_mean_{side}"].mean()
        if np.isfinite(floor):
            line(floor, color=MUTED, linestyle=":", linewidth=0.9, zorder=1)
