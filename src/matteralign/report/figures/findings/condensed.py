"""A small matrix with its values written into the cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from matteralign.report.figures.style import (
    FAINT,
    INK,
    MUTED,
    PAPER,
    SCORES,
    heading,
    new_figure,
    style,
    text_width,
    widest,
)

CELL, FONT, NAME = 0.44, 6.8, 8.0


def condensed_figure(
    values: pd.DataFrame, heads: tuple[str, str], *, diagonal: bool = True
) -> Figure:
    """Draw a square frame of scores with every value in its cell.

    Parameters
    ----------
    values
        Index and columns are the names shown; NaN is an empty, hatched cell.
    heads
        Title and subtitle.
    diagonal
        Whether the range of colours takes the diagonal in.
    """
    names = [str(name) for name in values.index]
    data = values.to_numpy(dtype=np.float64)
    with style():
        room = widest(names, NAME) + 0.2
        side = CELL * len(names)
        # Column names run upwards at 45 degrees; the last ones beyond the right edge.
        slope = 0.72 * room
        width = max(room + side + max(0.85, slope), text_width(heads[1], 8.5) + 0.4, 4.2)
        top = 0.72 + slope
        height = top + side + 0.2
        fig = new_figure(width, height)
        heading(fig, *heads)
        ax = fig.add_axes((room / width, 0.2 / height, side / width, side / height))
        off = data[~np.eye(len(names), dtype=bool)] if not diagonal else data.ravel()
        off = off[np.isfinite(off)]
        high = float(off.max()) if off.size else 1.0
        scale = Normalize(min(0.0, float(off.min()) if off.size else 0.0), max(high, 1e-9))
        ax.pcolormesh(
            np.ma.masked_invalid(data), cmap=SCORES, norm=scale, edgecolors=PAPER, linewidth=1.2
        )
        ax.invert_yaxis()
        for i, j in np.ndindex(*data.shape):
            if np.isnan(data[i, j]):
                ax.fill_between(
                    [j, j + 1],
                    i,
                    i + 1,
                    facecolor="none",
                    hatch="////",
                    edgecolor=FAINT,
                    linewidth=0,
                )
                continue
            dark = scale(data[i, j]) > 0.55
            ax.text(
                j + 0.5,
                i + 0.5,
                f"{data[i, j]:.2f}",
                ha="center",
                va="center",
                size=FONT,
                color="#ffffff" if dark else "#12202e",
            )
        ax.set_yticks(np.arange(len(names)) + 0.5, names, size=NAME)
        ax.set_xticks(np.arange(len(names)) + 0.5, names, size=NAME, rotation=45, ha="left")
        ax.xaxis.tick_top()
        ax.tick_params(length=0, labelcolor=INK, pad=3)
        for edge in ax.spines.values():
            edge.set_visible(False)
        bar = fig.add_axes(
            ((room + side + 0.18) / width, 0.2 / height, 0.12 / width, min(side, 2.2) / height)
        )
        steps = np.linspace(scale.vmin or 0.0, scale.vmax or 1.0, 256)
        bar.pcolormesh([0, 1], steps, steps[:-1, None], cmap=SCORES, norm=scale, rasterized=True)
        bar.yaxis.tick_right()
        bar.set_xticks([])
        bar.tick_params(labelsize=7, length=2, color=MUTED)
        return fig
