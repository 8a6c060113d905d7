"""The report's table of scores beside what chance gives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from matteralign.metrics.base.registry import METRICS
from matteralign.report.figures import captions
from matteralign.report.page.html_tables import NO_VALUE, Cell, HtmlTable, cell_of

SHOWN = 600
_TEXT = ("score", "model a", "model b", "n")


def calibrated_cut(table: pd.DataFrame | None) -> int:
    """Return how many rows `calibration_html` leaves to the table file."""
    return 0 if table is None else max(0, len(table) - SHOWN)


def intervals_told(table: pd.DataFrame | None) -> str:
    """Return the sentence about the intervals of `calibration_html`."""
    if table is not None and table[["ci_low", "debiased_low"]].notna().to_numpy().any():
        return "Intervals are of 95 %, over the structures."
    return captions.NO_INTERVAL


def calibration_html(
    table: pd.DataFrame | None, names: Mapping[str, str], baselines: Collection[str]
) -> HtmlTable:
    """Format scores with floor, debiased value, intervals and p-values side by side.

    Columns without any value are left out; pairs with a baseline are marked. A table in
    which no score has a floor or a debiased value comes out empty: it would repeat the
    matrices.
    """
    if table is None or not table[["null_mean", "debiased"]].notna().to_numpy().any():
        return HtmlTable((), ())
    rows = []
    for row in table.head(SHOWN).to_dict("records"):
        base = row["model_a"] in baselines or row["model_b"] in baselines
        rows.append((_cells(row, names), base))
    used = {
        head
        for cells, _ in rows
        for head, cell in cells.items()
        if head in _TEXT or cell.text != NO_VALUE
    }
    heads = [head for head in rows[0][0] if head in used]
    return HtmlTable(
        tuple(Cell(head, kind="" if head in _TEXT[:3] else "num") for head in heads),
        tuple((tuple(cells[head] for head in heads), base) for cells, base in rows),
    )


def _cells(row: Mapping[Any, Any], names: Mapping[str, str]) -> dict[str, Cell]:
    options = captions.options_text(str(row["params"]))
    name = f"{METRICS[str(row['metric'])].short_name} {row['definition']}"
    return {
        "score": Cell(f"{name}, {options}" if options else name),
        "model a": Cell(names.get(str(row["model_a"]), str(row["model_a"]))),
        "model b": Cell(names.get(str(row["model_b"]), str(row["model_b"]))),
        "n": cell_of(row["n"]),
        "value": cell_of(row["value"]),
        "95 % interval": _interval(row["ci_low"], row["ci_high"]),
        "null mean": cell_of(row["null_mean"]),
        "null sd": cell_of(row["null_sd"]),
        "debiased": cell_of(row["debiased"]),
        "debiased, 95 % interval": _interval(row["debiased_low"], row["debiased_high"]),
        "adjusted p": _p(row["p_adjusted"]),
    }


def _interval(low: object, high: object) -> Cell:
    first, last = cell_of(low), cell_of(high)
    if NO_VALUE in (first.text, last.text):
        return cell_of(None)
    return Cell(f"{first.text} … {last.text}", first.sort, "num")


def _p(value: object) -> Cell:
    cell = cell_of(value)
    small = cell.text != NO_VALUE and isinstance(value, float) and value < 0.001
    return Cell("< 0.001", cell.sort, "num", f"{value:.2g}") if small else cell
