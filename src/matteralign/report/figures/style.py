"""One look for every figure: colours, fonts, labels of models, text that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

INK = "#1b1f24"
"""Text and axes; the report turns this exact colour into a style-sheet variable."""
MUTED = "#5b6470"
"""Secondary text; a style-sheet variable in the report."""
PAPER = "#fffffe"
"""Background and gaps between cells; a style-sheet variable in the report."""
FAINT = "#d8dce1"
"""Grid lines and empty cells; a style-sheet variable in the report."""
BASELINE = "#8a8f98"
"""Colour of the random baseline, readable on light and dark."""
FIRST, SECOND = "#0072b2", "#e69f00"
"""The two series of a grouped chart (Okabe and Ito 2008)."""

# Okabe and Ito's colours, then the muted set of Tol (2021): distinct under the common
# kinds of colour blindness. Black and the palest yellow are left out. The last ones are for
# panels of all families.
FAMILY_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#999933",
    "#882255",
    "#44aa99",
    "#aa4499",
    "#ddcc77",
    "#6f63c5",
    "#117733",
    "#a07855",
    "#c2185b",
)
FAMILY_MARKERS = "osD^vP"

SCORES = LinearSegmentedColormap.from_list(
    "scores", ["#f3f6f9", "#c5dbe8", "#86b9cf", "#3f8fb0", "#1c6488", "#0c3a5b"]
)
"""One hue, light to dark: low to high scores."""
ERRORS = SCORES.reversed("errors")
"""The same for errors, so that dark is alike in all figures."""

LABEL_LIMIT = 48
FAMILY_LIMIT = 24
UNTRAINED_MARK = "†"
UNTRAINED_NOTE = "† untrained weights"
UNTRAINED_PAIR = f"pair with untrained weights {UNTRAINED_MARK}"
POINTS = 72.0
CROWD = 300
"""Points of one plot from which on they are drawn small."""

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.facecolor": "none",
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "figure.facecolor": PAPER,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "legend.handlelength": 1.2,
    "svg.fonttype": "path",
}


@dataclass(frozen=True)
class ModelLabel:
    """How a model is shown: display name, family, and what to warn of."""

    name: str
    family: str
    untrained: bool = False
    baseline: bool = False

    @property
    def text(self) -> str:
        """Display name, shortened to fit a figure, with † for untrained weights."""
        return shorten(self.name, LABEL_LIMIT) + (f" {UNTRAINED_MARK}" if self.untrained else "")


def labels_of(models: pd.DataFrame) -> dict[str, ModelLabel]:
    """Read the labels from the models table (columns model, name, family, weights, baseline)."""
    columns = ["model", "name", "family", "weights", "baseline"]
    return {
        str(model): ModelLabel(str(name), str(family), weights == "untrained", bool(baseline))
        for model, name, family, weights, baseline in models[columns].itertuples(
            index=False, name=None
        )
    }


def label_for(labels: Mapping[str, ModelLabel], model: str) -> ModelLabel:
    """Return the label of a model; a model without one is shown under its key."""
    return labels.get(model, ModelLabel(model, "other"))


def pairs_with(
    labels: Mapping[str, ModelLabel], rows: pd.DataFrame, flag: Literal["baseline", "untrained"]
) -> npt.NDArray[np.bool_]:
    """Return for each row (columns model_a, model_b) whether one of its models has a flag."""
    return np.array(
        [
            any(getattr(label_for(labels, str(model)), flag) for model in pair)
            for pair in zip(rows["model_a"], rows["model_b"], strict=True)
        ],
        dtype=bool,
    )


def family_colours(labels: Mapping[str, ModelLabel]) -> dict[str, str]:
    """Give each family a colour, in order of first appearance; baselines are grey."""
    colours: dict[str, str] = {}
    position = 0
    for label in labels.values():
        if label.family in colours:
            continue
        if label.baseline:
            colours[label.family] = BASELINE
        else:
            colours[label.family] = FAMILY_COLOURS[position % len(FAMILY_COLOURS)]
            position += 1
    colours.setdefault("other", BASELINE)
    return colours


def family_markers(labels: Mapping[str, ModelLabel]) -> dict[str, str]:
    """Give each family a marker; families sharing a colour differ in it."""
    families = list(dict.fromkeys(label.family for label in labels.values()))
    colours = len(FAMILY_COLOURS)
    return {f: FAMILY_MARKERS[(i // colours) % len(FAMILY_MARKERS)] for i, f in enumerate(families)}


def family_handles(labels: Mapping[str, ModelLabel], models: Sequence[str]) -> list[Line2D]:
    """Return legend entries of the families among `models`, in the order of the labels."""
    present = {label_for(labels, m).family for m in models}
    markers = family_markers(labels)
    return [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=markers.get(family, "o"),
            markersize=6.5,
            markerfacecolor=colour,
            markeredgecolor="none",
            label=shorten(family, FAMILY_LIMIT),
        )
        for family, colour in family_colours(labels).items()
        if family in present
    ]


def marker_handle(marker: str, face: str, edge: str, label: str) -> Line2D:
    """Return a legend entry of one kind of point."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=marker,
        markersize=4.5,
        markerfacecolor=face,
        markeredgecolor=edge,
        label=label,
    )


def shorten(text: str, limit: int) -> str:
    """Return `text` on one line, cut to `limit` characters with an ellipsis."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "?"
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


@contextmanager
def style() -> Iterator[None]:
    """Apply the look to figures made inside the block, and leave the user's settings alone."""
    with rc_context():
        rcdefaults()
        rcParams.update(RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given size in inches, without touching pyplot."""
    return Figure(figsize=(width, height))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Return the width of one line in inches at a font size in points, inside `style`."""
    return float(TextPath((0, 0), text, size=size).get_extents().x1) / POINTS if text else 0.0


def widest(texts: Sequence[str], size: float) -> float:
    """Return the width in inches of the widest line."""
    return max((text_width(t, size) for t in texts), default=0.0)


def heading(fig: Figure, title: str, subtitle: str, left: float = 0.15) -> None:
    """Write title and subtitle at the top left; `left` in inches."""
    width, height = (float(v) for v in fig.get_size_inches())
    fig.text(left / width, 1 - 0.15 / height, title, size=11, weight="bold", va="top")
    fig.text(left / width, 1 - 0.38 / height, subtitle, size=8.5, color=MUTED, va="top")


def footnotes(fig: Figure, notes: Sequence[str], left: float = 0.15) -> None:
    """Write notes at the bottom left, one a line."""
    width, height = (float(v) for v in fig.get_size_inches())
    for i, note in enumerate(reversed(notes)):
        y = (0.1 + 0.16 * i) / height
        fig.text(left / width, y, note, size=7.5, color=MUTED, va="bottom")


def footnote_height(notes: Sequence[str]) -> float:
    """Return the height in inches that `footnotes` takes."""
    return 0.1 + 0.16 * len(notes)
