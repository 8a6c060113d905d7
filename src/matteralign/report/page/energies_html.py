"""The report's table of the errors of energies."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from matteralign.report.page.html_tables import HtmlTable, frame_html

_COLUMNS = {
    "model": "model",
    "functional": "level of theory",
    "n": "n",
    "mae": "MAE, eV",
    "mae_low": "from",
    "mae_high": "to",
    "mae_left_out": "left out, eV",
    "mae_per_atom": "MAE, eV per atom",
    "slope": "slope",
    "r2": "R²",
    "composition_mae": "composition alone, eV",
    "note": "note",
}


def no_energies(table: pd.DataFrame | None, names: Mapping[str, str]) -> str:
    """Return why models have no error of energies, each reason with its models; "": all have."""
    if table is None:
        return "Not applicable: the notes at the top say why."
    missing = table[table["status"] != "ok"]
    parts = [
        f"{reason}: {', '.join(names.get(str(m), str(m)) for m in rows['model'])}"
        for reason, rows in missing.groupby("reason", sort=False)
    ]
    return f"Not applicable: {'; '.join(parts)}." if parts else ""


def energies_html(table: pd.DataFrame | None, names: Mapping[str, str]) -> HtmlTable:
    """Format the errors of the models that have one, smallest first; empty where none has."""
    if table is None:
        return HtmlTable((), ())
    known = table[table["status"] == "ok"].sort_values(["mae", "model"])
    known = known.assign(model=[names.get(str(m), str(m)) for m in known["model"]])
    return frame_html(known[list(_COLUMNS)].rename(columns=_COLUMNS))
