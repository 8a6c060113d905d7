"""How much of the energies can be read from each model's latents."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import (
    FAINT,
    INK,
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
    style,
    widest,
)

_PLOT, _PITCH, _NAME = 3.6, 0.22, 8.0


def probe_figure(
    table: pd.DataFrame, labels: Mapping[str, ModelLabel], subtitle: str
) -> Figure | None:
    """Draw R² of each model with its interval, best first, and its mean under permutation.

    Parameters
    ----------
    table
        Columns of `matteralign.stages.checks.probe.COLUMNS`.

    Returns
    -------
    Figure or None
        None where no model has a value.
    """
    known = table[table["status"] == "ok"].sort_values("r2", ascending=False)
    if known.empty:
        return None
    models = [str(model) for model in known["model"]]
    names = [label_for(labels, model).text for model in models]
    untrained = any(label_for(labels, model).untrained for model in models)
    notes = [UNTRAINED_NOTE] if untrained else []
    handles = [
        *family_handles(labels, models),
        Line2D([], [], color=INK, linewidth=1.2, label="95 % interval"),
        Line2D([], [], color=MUTED, marker="|", linestyle="none", label="mean under permutation"),
    ]
    with style():
        room = widest(names, _NAME) + 0.25
        width = max(room + _PLOT + 0.6, 5.2)
        bottom = footnote_height(notes) + legend_height(handles, width - 0.3) + 0.5
        height = bottom + _PITCH * len(models) + 0.75
        fig = new_figure(width, height)
        heading(fig, "Energies read from latents", subtitle)
        ax = fig.add_axes(
            (room / width, bottom / height, _PLOT / width, _PITCH * len(models) / height)
        )
        colours = family_colours(labels)
        place = np.arange(len(models))
        low = float(min(known["r2_permuted"].min(), known["low"].min(), known["r2"].min(), 0.0))
        # Values far below 0 say no more than 0 does.
        left = max(low, -0.5)
        ax.barh(
            place,
            known["r2"].clip(lower=left),
            height=0.68,
            color=[colours[label_for(labels, model).family] for model in models],
        )
        ax.hlines(place, known["low"].clip(lower=left), known["high"], color=INK, linewidth=1.2)
        ax.plot(known["r2_permuted"].clip(lower=left), place, "|", color=MUTED, markersize=8)
        for at, value in enumerate(known["r2"]):
            ax.text(1.02, at, f"{round(value, 2) + 0.0:.2f}", size=7.5, va="center",
                    transform=ax.get_yaxis_transform())  # fmt: skip
        ax.axvline(0, color=MUTED, linewidth=0.8)
        ax.set_xlim(left * 1.05, 1)
        ax.set_ylim(len(models) - 0.4, -0.6)
        ax.set_yticks(place, names, size=_NAME)
        ax.set_xlabel("R² on held-out structures of the energy beyond composition", size=8)
        ax.grid(axis="x", color=FAINT, linewidth=0.5)
        ax.set_axisbelow(True)
        for edge in ("top", "right", "left"):
            ax.spines[edge].set_visible(False)
        ax.tick_params(axis="y", length=0)
        bottom_legend(fig, handles, 0.15, footnote_height(notes))
        footnotes(fig, notes)
        return fig
