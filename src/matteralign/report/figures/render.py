"""Figures to bytes: the same figure gives the same SVG and PNG."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from matteralign.core.files import write_bytes
from matteralign.report.figures.style import style

PNG_DPI = 200


@dataclass(frozen=True)
class Rendered:
    """A figure as SVG and PNG bytes."""

    svg: bytes
    png: bytes

    def write(self, path: str | Path) -> tuple[Path, Path]:
        """Write ``<path>.svg`` and ``<path>.png`` atomically and return both paths."""
        svg, png = Path(f"{path}.svg"), Path(f"{path}.png")
        write_bytes(svg, self.svg)
        write_bytes(png, self.png)
        return svg, png


def render(figure: Figure, name: str) -> Rendered:
    """Render a figure.

    Parameters
    ----------
    figure
        Not shown or changed.
    name
        Seeds the ids inside the SVG: fixed for the same figure, different between figures.
    """
    FigureCanvasAgg(figure)
    svg, png = io.BytesIO(), io.BytesIO()
    with style(), rc_context({"svg.hashsalt": name}):
        figure.savefig(svg, format="svg", dpi=PNG_DPI, metadata={"Date": None, "Creator": None})
        figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return Rendered(svg.getvalue(), png.getvalue())
