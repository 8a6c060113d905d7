"""Data frames as cells for the report: formatted, sortable, nothing missing unseen."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from matteralign.metrics.base.registry import METRICS
from matteralign.report.analysis.matrices import ScoreMatrix

HASH = re.compile(r"[0-9a-f]{64}")
NO_VALUE = "–"
SMALL = 0.01
HEADS = {
    "model_a": "model a",
    "model_b": "model b",
    "n_rows": "rows",
    "n_valid": "valid",
    "n_masked": "masked",
    "example_id": "first id",
    "example_reason": "first reason",
    "wrapper_version": "wrapper version",
}


@dataclass(frozen=True)
class Cell:
    """One cell: text shown, sort key, CSS classes and a tooltip."""

    text: str
    sort: str = ""
    kind: str = ""
    title: str = ""


@dataclass(frozen=True)
class HtmlTable:
    """Head, body and which rows stand for the baseline."""

    heads: tuple[Cell, ...]
    rows: tuple[tuple[tuple[Cell, ...], bool], ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


def cell_of(value: object) -> Cell:
    """Format a value: 3 decimals, 2 digits where that leaves too few, hashes cut to 12."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return Cell(NO_VALUE, kind="none", title="no value")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, numbers.Integral):
        return Cell(f"{int(value):,}", str(int(value)), "num")
    if isinstance(value, numbers.Real):
        number = float(value)
        # At 50,000 rows a floor is 0.0005: rounded to 0.001 it would be twice that.
        text = f"{number:.2g}" if 0.0 < abs(number) < SMALL else f"{number:.3f}"
        return Cell(text.replace("-", "−"), repr(number), "num")
    text = str(value)
    if HASH.fullmatch(text):
        return Cell(text[:12] + "…", text, "hash", text)
    return Cell(text or NO_VALUE, kind="" if text else "none")


def _named(column: str, value: object) -> Cell:
    return Cell(str(value), kind="key") if column == "key" else cell_of(value)


def frame_html(frame: pd.DataFrame, marked: Collection[str] = ()) -> HtmlTable:
    """Format a frame; rows whose ``model`` is in `marked` are those of the baseline."""
    columns = [str(c) for c in frame.columns]
    numeric = {c for c in columns if pd.api.types.is_numeric_dtype(frame[c])}
    heads = tuple(Cell(HEADS.get(c, c), kind="num" if c in numeric else "") for c in columns)
    at = columns.index("model") if "model" in columns else None
    rows = [
        (
            tuple(_named(c, v) for c, v in zip(columns, row, strict=True)),
            at is not None and str(row[at]) in marked,
        )
        for row in frame.astype(object).itertuples(index=False, name=None)
    ]
    return HtmlTable(heads, tuple(rows))


def matrix_html(
    matrix: ScoreMatrix,
    names: Mapping[str, str],
    baselines: Collection[str],
    floor: tuple[float, float] | None,
) -> HtmlTable:
    """Format a score matrix: missing pairs marked, scores no better than chance pale.

    Parameters
    ----------
    floor
        Lowest and highest score of the baselines.
    """
    why = {
        (a, b): f"{status}: {reason}"
        for a, b, status, reason in matrix.missing.itertuples(index=False, name=None)
    }
    larger = METRICS[matrix.metric].larger_is_closer
    shown = [names.get(m, m) for m in matrix.models]
    heads = (
        Cell("model"),
        *(
            Cell(name, kind="num base" if key in baselines else "num")
            for key, name in zip(matrix.models, shown, strict=True)
        ),
    )
    rows = []
    data = matrix.values.to_numpy()
    for i, a in enumerate(matrix.models):
        cells = [Cell(shown[i])]
        for j, b in enumerate(matrix.models):
            cell = cell_of(float(data[i, j]))
            if i == j:
                cell = Cell(NO_VALUE, kind="num self", title="the model with itself")
            elif (a, b) in why:
                cell = Cell("no score", kind="num hole", title=why[a, b])
            else:
                base = a in baselines or b in baselines
                kind = "num base" if base else "num"
                if floor is not None and not base:
                    chance = data[i, j] <= floor[1] if larger else data[i, j] >= floor[0]
                    kind = "num floor" if chance else kind
                cell = Cell(cell.text, cell.sort, kind)
            cells.append(cell)
        rows.append((tuple(cells), a in baselines))
    return HtmlTable(heads, tuple(rows))
