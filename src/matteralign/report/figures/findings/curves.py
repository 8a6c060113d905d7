"""Scores of pairs of models against a parameter."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from matteralign.core.hashing import canonical_json
from matteralign.report.analysis.matrices import parse_params
from matteralign.report.figures.grid import plot_titles, small_plots
from matteralign.report.figures.style import (
    BASELINE,
    FIRST,
    INK,
    MUTED,
    ModelLabel,
    pairs_with,
    style,
)


def over_k_figure(
    curves: pd.DataFrame, labels: Mapping[str, ModelLabel], heads: tuple[str, str]
) -> Figure:
    """Draw CKNNA against k, one plot for each definition and scaling, one line for each pair.

    Parameters
    ----------
    curves
        Columns definition, params, model_a, model_b, k, value and floor.
    """
    groups = list(curves.groupby(["definition", "params"], sort=False))
    # The scaling is part of the name: k is not, it is the axis.
    titles = plot_titles([("cknna", str(d), str(p)) for (d, p), _ in groups])
    titles = [
        title if title.count("normalize") else f"{title}, {_scaling(str(params))}"
        for title, ((_, params), _) in zip(titles, groups, strict=True)
    ]
    handles = [
        Line2D([], [], color=FIRST, linewidth=0.9, alpha=0.6, label="pair of models"),
        Line2D([], [], color=BASELINE, linewidth=0.9, label="pair with a random baseline"),
        Line2D([], [], color=INK, linewidth=2, label="median of the pairs"),
        Line2D([], [], color=MUTED, linewidth=1.2, linestyle="--", label="floor (median)"),
    ]
    with style():
        grid = small_plots(titles, heads, handles, [])
        for ax, (_, rows) in zip(grid.plots, groups, strict=True):
            wide = rows.pivot_table(index=["model_a", "model_b"], columns="k", values="value")
            pairs = wide.index.to_frame(index=False)
            base = pairs_with(labels, pairs, "baseline")
            ks = [int(k) for k in wide.columns]
            many = len(wide) > 150
            for chosen, colour in ((~base, FIRST), (base, BASELINE)):
                lines = [list(zip(ks, row, strict=True)) for row in wide.to_numpy()[chosen]]
                drawn = LineCollection(
                    lines,
                    colors=colour,
                    linewidths=0.5 if many else 0.9,
                    alpha=0.08 if many else 0.6,
                    rasterized=many,
                )
                ax.add_collection(drawn)
            if (~base).any():
                ax.plot(ks, wide[~base].median(), color=INK, linewidth=2, zorder=4)
            floor = rows.groupby("k")["floor"].median()
            ax.plot(floor.index, floor, color=MUTED, linestyle="--", linewidth=1.2, zorder=3)
            ax.set_xscale("log")
            ax.autoscale_view()
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.set_xticks(ks)
            ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ax.set_xlabel("neighbours k", size=8)
            ax.set_ylabel("CKNNA", size=8)
        return grid.figure


def _scaling(params: str) -> str:
    options = parse_params(params)
    return str(options.get("normalize", canonical_json(options)))
