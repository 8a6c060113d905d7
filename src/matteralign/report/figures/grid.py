"""Several small plots of one kind, one for each score, under one heading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from matteralign.metrics.base.registry import METRICS
from matteralign.report.figures import captions
from matteralign.report.figures.legend import bottom_legend, legend_height
from matteralign.report.figures.style import FAINT, footnote_height, footnotes, heading, new_figure

ACROSS = 3
SIDE, LEFT, GAP_X, GAP_Y, EDGE = 2.15, 0.62, 0.62, 0.72, 0.15


@dataclass(frozen=True)
class Grid:
    """A figure and its plots, in reading order."""

    figure: Figure
    plots: tuple[Axes, ...]


def small_plots(
    titles: Sequence[str],
    heads: tuple[str, str],
    handles: Sequence[Artist],
    notes: Sequence[str],
    side: float = SIDE,
    across: int = ACROSS,
    gap: float = GAP_Y,
) -> Grid:
    """Make the empty plots; call inside `style`.

    Parameters
    ----------
    titles
        One for each plot.
    heads
        Title and subtitle of the figure.
    side
        Width and height of a plot in inches.
    across
        Plots of a row, at most.
    gap
        Height between two rows in inches.
    """
    across = min(across, max(len(titles), 1))
    down = max(1, math.ceil(len(titles) / across))
    width = max(LEFT + across * side + (across - 1) * GAP_X + EDGE, 6.2)
    bottom = footnote_height(notes) + legend_height(handles, width - 2 * EDGE) + 0.5
    height = bottom + down * side + (down - 1) * gap + 0.95
    fig = new_figure(width, height)
    heading(fig, *heads)
    plots = []
    for i, title in enumerate(titles):
        left = LEFT + (i % across) * (side + GAP_X)
        low = bottom + (down - 1 - i // across) * (side + gap)
        ax = fig.add_axes((left / width, low / height, side / width, side / height))
        ax.set_title(title, size=8.5, loc="left", pad=5)
        ax.grid(color=FAINT, linewidth=0.5)
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=7.5, length=2.5)
        for edge in ("top", "right"):
            ax.spines[edge].set_visible(False)
        plots.append(ax)
    bottom_legend(fig, handles, EDGE, footnote_height(notes))
    footnotes(fig, notes, EDGE)
    return Grid(fig, tuple(plots))


def plot_titles(specs: Sequence[tuple[str, str, str]]) -> list[str]:
    """Name each score (metric, definition, params) in few words: ``CKNNA huh2024, k = 25``.

    The scaling is named where two would read alike without it.
    """
    short = [_title(*spec) for spec in specs]
    return [
        _title(*spec, scaling=short.count(title) > 1)
        for spec, title in zip(specs, short, strict=True)
    ]


def _title(metric: str, definition: str, params: str, *, scaling: bool = False) -> str:
    options = captions.options_of(params)
    shown = {k: v for k, v in options.items() if scaling or k != "normalize"}
    named = [f"{METRICS[metric].short_name} {definition}"]
    return ", ".join([*named, *(f"{k} = {v}" for k, v in sorted(shown.items()))])
