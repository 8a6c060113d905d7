"""Which figures a slice has, and of which results: what the report takes them by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matteralign.core.errors import IntegrityError
from matteralign.core.files import read_json, write_json
from matteralign.report.slice_view import SliceView


def write_drawn(view: SliceView, figures: Sequence[dict[str, str]]) -> Path:
    """Write the list of a slice's figures: stem, title and caption of each; return its path."""
    path = view.layout.figure_list
    write_json(path, {"results": view.identity, "figures": list(figures)})
    return path


def read_drawn(view: SliceView) -> list[dict[str, str]]:
    """Return the list of a slice's figures.

    Raises
    ------
    IntegrityError
        If they were not drawn, or are of other results or settings than those of today.
    """
    path = view.layout.figure_list
    found: Any = read_json(path)
    if not isinstance(found, dict) or found.get("results") != view.identity:
        raise IntegrityError(
            f"{path}: the figures are of other results or settings; draw them again: "
            f"`matteralign figures {view.layout.slice}`"
        )
    figures: list[dict[str, str]] = found["figures"]
    return figures
