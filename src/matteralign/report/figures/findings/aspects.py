"""The plane of information imbalance, coloured by what two models have in common."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from matteralign.findings.aspects import ASPECTS, OTHER, SAME, SOME, Relation
from matteralign.report.figures.grid import small_plots
from matteralign.report.figures.style import BASELINE, CROWD, FIRST, SECOND, style

_COLOURS = {OTHER: "#b9c0c9", SOME: SECOND, SAME: FIRST}
_WORDS = {OTHER: "nothing in common", SOME: "some training data in common", SAME: "the same"}


def aspect_figure(
    pairs: pd.DataFrame,
    related: Mapping[str, Relation],
    differences: pd.DataFrame,
    heads: tuple[str, str],
) -> Figure:
    """Draw one plane for each aspect.

    Parameters
    ----------
    pairs
        Columns model_a, model_b, forward, backward.
    related
        What the models have in common, by aspect.
    differences
        Index: aspect. Columns of `matteralign.findings.aspects.DIFFERENCE_COLUMNS`.
    heads
        Title and subtitle.
    """
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=5, color=_COLOURS[k], label=words)
        for k, words in reversed(_WORDS.items())
    ]
    with style():
        grid = small_plots(
            [_title(a, differences.loc[[a]].iloc[0]) for a in related], heads, handles, []
        )
        high = float(pairs[["forward", "backward"]].to_numpy().max()) * 1.06
        for ax, relation in zip(grid.plots, related.values(), strict=True):
            _plane(ax, pairs, relation, high)
        return grid.figure


def _title(aspect: str, row: pd.Series) -> str:
    same, other = int(row["same"]), int(row["other"])
    first = f"{ASPECTS[aspect]} ({same + other:,} pairs)"
    if not same or not other:
        return f"{first}\nno pair {'has it in common' if not same else 'differs in it'}"
    return f"{first}\nsame − other: {row['difference']:+.3f}, p = {row['p']:.2g}"


def _plane(ax: Axes, pairs: pd.DataFrame, related: Relation, high: float) -> None:
    kinds = np.array(
        [related.of(str(a), str(b)) for a, b in zip(pairs.model_a, pairs.model_b, strict=True)],
        dtype=object,
    )
    ax.plot([0, high], [0, high], color=BASELINE, linestyle="--", linewidth=0.7, zorder=1)
    crowded = len(pairs) > CROWD
    for kind, colour in _COLOURS.items():
        rows = pairs[kinds == kind]
        ax.plot(
            # Every pair on both sides of the diagonal: which of the two is a says nothing.
            np.concatenate([rows["forward"], rows["backward"]]),
            np.concatenate([rows["backward"], rows["forward"]]),
            linestyle="none",
            marker="o",
            markersize=2.2 if crowded else 4,
            color=colour,
            markeredgewidth=0,
            alpha=0.75,
            rasterized=crowded,
        )
    ax.set_xlim(0, high)
    ax.set_ylim(0, high)
    ax.set_xlabel("Δ(a→b)", size=8)
    ax.set_ylabel("Δ(b→a)", size=8)
