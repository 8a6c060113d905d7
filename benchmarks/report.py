"""Numbers to Markdown tables and log-log plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def number(x: float | None) -> str:
    """Return three significant digits, without an exponent in the usual range."""
    if x is None:
        return "–"
    if x == 0.0:
        return "0"
    if not 1e-3 <= abs(x) < 1e6:
        return f"{x:.1e}"
    digits = max(0, 2 - int(np.floor(np.log10(abs(x)))))
    return f"{x:.{digits}f}"


def spread(values: Sequence[float]) -> str:
    """Return ``median (min–max)``."""
    middle = number(float(np.median(values)))
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values))}–{number(max(values))})"


def met(holds: bool) -> str:
    """Return how a bar fared."""
    return "met" if holds else "**not met**"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def exponent(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Return the slope of log y on log x, None with fewer than two points."""
    if len(x) < 2:
        return None
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def plot(
    path: Path,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    title: str,
) -> None:
    """Write a log-log plot of the series with their fitted exponents as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, NullLocator, StrMethodFormatter

    from matteralign.report.figures.style import FAMILY_COLOURS, FAMILY_MARKERS, RC

    with mpl.rc_context({**RC, "svg.hashsalt": "bench", "svg.fonttype": "path"}):
        figure = Figure(figsize=(5.4, 3.4), layout="constrained")
        axes = figure.subplots()
        axes.set(xscale="log", yscale="log", xlabel=labels[0], ylabel=labels[1], title=title)
        for i, (name, (x, y)) in enumerate(series.items()):
            slope = exponent(x, y)
            label = name if slope is None else f"{name}: exponent {slope:.2f}"
            colour = FAMILY_COLOURS[i % len(FAMILY_COLOURS)]
            marker = FAMILY_MARKERS[i % len(FAMILY_MARKERS)]
            axes.plot(x, y, marker=marker, color=colour, label=label, linewidth=1.2, markersize=4)
        ticks = sorted({value for x, _ in series.values() for value in x})
        axes.set_xticks(ticks)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, which="major", linewidth=0.4, alpha=0.5)
        axes.legend()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
