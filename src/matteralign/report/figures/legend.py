"""Legends below a figure, packed into rows that fit its width."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from matteralign.report.figures.style import text_width

FONT, HANDLE, ROW = 8.0, 0.42, 0.2


def legend_columns(names: Sequence[str], width: float) -> int:
    """Return the largest number of columns whose rows fit `width` inches."""
    entries = [text_width(name, FONT) + HANDLE for name in names]
    for columns in range(len(entries), 1, -1):
        if sum(max(entries[c::columns]) for c in range(columns)) <= width:
            return columns
    return 1


def legend_height(handles: Sequence[Artist], width: float) -> float:
    """Return the height in inches that `bottom_legend` takes, with room around it."""
    if not handles:
        return 0.0
    columns = legend_columns([str(h.get_label()) for h in handles], width)
    return ROW * -(-len(handles) // columns) + 0.2


def bottom_legend(fig: Figure, handles: Sequence[Artist], left: float, low: float) -> None:
    """Draw a legend that reads row by row; `left` and `low` in inches from the corner."""
    if not handles:
        return
    width, height = (float(v) for v in fig.get_size_inches())
    columns = legend_columns([str(h.get_label()) for h in handles], width - 2 * left)
    # Matplotlib fills columns first: give it the entries in that order.
    by_column = [h for c in range(columns) for h in handles[c::columns]]
    fig.legend(
        handles=by_column,
        loc="lower left",
        bbox_to_anchor=((left - 0.04) / width, (low + 0.08) / height),
        ncols=columns,
        borderpad=0,
        borderaxespad=0,
        handletextpad=0.4,
        columnspacing=1.1,
        fontsize=FONT,
    )
