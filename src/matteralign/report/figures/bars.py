"""Intrinsic dimensions as bars, estimators side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from matteralign.report.figures.style import (
    BASELINE,
    FAINT,
    FIRST,
    INK,
    MUTED,
    PAPER,
    SECOND,
    UNTRAINED_NOTE,
    ModelLabel,
    family_colours,
    footnote_height,
    footnotes,
    heading,
    label_for,
    new_figure,
    style,
    widest,
)

EXTRA = ("#009e73", "#cc79a7", "#56b4e9", "#d55e00")
PLOT_WIDTH, EDGE, THICK = 4.6, 0.2, 0.17
CUT_AT, CUT_TO = 1.6, 1.35


def dimension_bars(
    estimates: pd.DataFrame,
    labels: Mapping[str, ModelLabel],
    title: str = "Intrinsic dimension",
    subtitle: str = "",
) -> Figure:
    """Draw the intrinsic dimensions of all models.

    Models are sorted by the first estimator, baselines last and pale. A baseline far
    above every model is cut, with the break marked and its value written, so that the models
    stay readable.

    Parameters
    ----------
    estimates
        From `matteralign.report.analysis.dimensions.dimension_estimates`.
    """
    with style():
        return _draw(estimates, labels, title, subtitle)


def _draw(
    estimates: pd.DataFrame, labels: Mapping[str, ModelLabel], title: str, subtitle: str
) -> Figure:
    names = list(dict.fromkeys(map(str, estimates["estimator"])))
    wide = estimates.pivot(index="model", columns="estimator", values="value")[names]
    reasons = estimates.pivot(index="model", columns="estimator", values="status")[names]
    models = sorted(map(str, wide.index), key=lambda m: _rank(m, wide, labels))
    shown = [label_for(labels, m) for m in models]
    trained = [m for m, label in zip(models, shown, strict=True) if not label.baseline]
    limit = _limit(wide.loc[trained].to_numpy(), wide.to_numpy())

    group = THICK * len(names) + 0.12
    label_room = widest([label.text for label in shown], 8.5) + 0.3
    cut = bool((wide.to_numpy() > limit).any())
    notes = ["Italic, pale: random baseline."] if any(s.baseline for s in shown) else []
    if cut:
        notes.append("Bars with a break are cut; their value is written at the end.")
    if any(label.untrained for label in shown):
        notes.append(UNTRAINED_NOTE)
    bottom = footnote_height(notes) + 0.5
    side = group * len(models)
    width = EDGE + label_room + PLOT_WIDTH + 0.75
    height = bottom + side + 0.9
    fig = new_figure(width, height)
    heading(fig, title, subtitle)
    ax = fig.add_axes(
        ((EDGE + label_room) / width, bottom / height, PLOT_WIDTH / width, side / height)
    )
    colours = [FIRST, SECOND, *EXTRA]
    for j, name in enumerate(names):
        for i, (model, label) in enumerate(zip(models, shown, strict=True)):
            y = i * group + 0.06 + THICK * (j + 0.5)
            value = float(wide.at[model, name])  # type: ignore[arg-type]
            if np.isnan(value):
                ax.text(
                    0.0,
                    y,
                    f" no value: {reasons.at[model, name]!s}",
                    size=7,
                    color=MUTED,
                    va="center_baseline",
                    style="italic",
                )
                continue
            _bar(ax, y, (value, limit), colours[j % len(colours)], label.baseline)
    tick = [i * group + group / 2 for i in range(len(models))]
    ax.set_yticks(tick, [label.text for label in shown])
    ax.tick_params(axis="y", length=0, pad=15, labelsize=8.5)
    families = family_colours(labels)
    for text, label, y in zip(ax.get_yticklabels(), shown, tick, strict=True):
        text.set_fontstyle("italic" if label.baseline else "normal")
        ax.plot(
            [-9 / (PLOT_WIDTH * 72)],
            [y],
            marker="s",
            markersize=5.5,
            clip_on=False,
            color=families.get(label.family, MUTED),
            markeredgecolor="none",
            transform=ax.get_yaxis_transform(),
        )
    ax.set_xlim(0, limit)
    ax.set_ylim(side, 0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("intrinsic dimension")
    ax.grid(axis="x", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)
    for edge in ("top", "right", "left"):
        ax.spines[edge].set_visible(False)
    fig.legend(
        handles=[Patch(facecolor=colours[j % len(colours)], label=n) for j, n in enumerate(names)],
        loc="lower left",
        bbox_to_anchor=((EDGE + label_room) / width, (bottom + side + 0.06) / height),
        ncols=len(names),
        borderpad=0,
        borderaxespad=0,
    )
    footnotes(fig, notes, EDGE)
    return fig


def _bar(ax: Axes, y: float, span: tuple[float, float], colour: str, baseline: bool) -> None:
    value, limit = span
    length = min(value, limit)
    ax.barh(
        y,
        length,
        height=THICK * 0.92,
        color=colour,
        edgecolor=PAPER,
        linewidth=0,
        alpha=0.5 if baseline else None,
    )
    text = f"{value:.1f}" if value < 100 else f"{value:.0f}"
    if value > limit:
        for x in (0.955, 0.97):
            ax.plot(
                [limit * x - limit * 0.008, limit * x + limit * 0.008],
                [y + THICK * 0.46, y - THICK * 0.46],
                color=PAPER,
                linewidth=2.2,
            )
    ax.annotate(
        text,
        (length, y),
        xytext=(3, 0),
        textcoords="offset points",
        size=7.5,
        va="center_baseline",
        color=BASELINE if baseline else INK,
        annotation_clip=False,
    )


def _rank(
    model: str, wide: pd.DataFrame, labels: Mapping[str, ModelLabel]
) -> tuple[bool, float, str]:
    found = wide.loc[model].to_numpy(dtype=np.float64)
    found = found[~np.isnan(found)]
    first = float(found[0]) if found.size else np.inf
    return label_for(labels, model).baseline, first, model


def _limit(models: npt.NDArray[np.float64], every: npt.NDArray[np.float64]) -> float:
    top = float(np.nanmax(every)) if np.isfinite(every).any() else 1.0
    if not np.isfinite(models).any():
        return top * 1.08
    own = float(np.nanmax(models))
    return own * CUT_TO if top > own * CUT_AT else top * 1.08
