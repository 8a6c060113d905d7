"""Maps of latents coloured by the error of the model's energies, composition aside."""

from __future__ import annotations

import numpy as np
import pandas as pd

from matteralign.findings.energies.regression import EnergyRegression
from matteralign.report.across.analysis_view import AnalysisView, Findings, Missing, one_per_model
from matteralign.report.across.maps import place_all
from matteralign.report.figures.across.energy_maps import energy_maps_caption, energy_maps_figure
from matteralign.report.figures.style import labels_of
from matteralign.report.slice_findings.results import Drawing

ERROR_COLUMNS = [
    "model", "weights", "slice", "dataset", "n", "mae_per_atom", "mae_per_atom_low",
    "mae_per_atom_high", "median", "most_of_nine_tenths", "composition_mae_per_atom",
]  # fmt: skip


def find(view: AnalysisView) -> Findings:
    """Draw each model's map twice: by slice, and by the error of its energies."""
    out = place_all(view)
    parts, rows = [], []
    placed = {str(key) for key in out.tables["maps"]["model"]}
    for name, of in view.slices.items():
        for key in view.models_in(name):
            found = of.energies.regressions[key]
            if found.status != "ok":
                what = "error of energies"
                out.missing.append(Missing(name, key, "", what, found.status, found.reason))
                continue
            atoms = np.array([len(numbers) for numbers in of.energies.structures.numbers])
            error = (found.deviation - found.dft_deviation) / atoms[found.rows]
            weights = next(fact.weights for fact in of.facts if fact.model == key)
            rows.append(
                {"model": key, "weights": weights, "slice": name, "dataset": view.dataset(name)}
                | _about(found, error)
            )
            if key in placed:
                table = pd.DataFrame({"row": found.rows, "error_per_atom": error})
                parts.append(table.assign(model=key, slice=name))
    errors = pd.DataFrame(rows, columns=ERROR_COLUMNS)
    known = pd.DataFrame(columns=["model", "slice", "row", "error_per_atom"])
    if parts:
        known = pd.concat(parts, ignore_index=True)
    at = ["model", "slice", "row"]
    coordinates = out.tables["coordinates"].astype({"row": np.int64})
    coordinates = coordinates.merge(known.astype({"row": np.int64}), on=at, how="left")
    coordinates = coordinates.astype({"error_per_atom": float})
    out.tables |= {"coordinates": coordinates, "errors": errors}
    shown = [m for m in out.tables["maps"]["model"] if m in set(known["model"])]
    if shown:
        labels = labels_of(one_per_model(view.facts))
        maps = out.tables["maps"].set_index("model", drop=False).loc[shown]
        out.drawings.append(
            Drawing(
                "energy_maps",
                "Errors of energies over maps of latents",
                energy_maps_caption(errors, labels),
                energy_maps_figure(coordinates, maps, errors, labels, view.asked.slices),
            )
        )
    return out


def _about(found: EnergyRegression, error: np.ndarray) -> dict[str, float | int | None]:
    size = np.abs(error)
    mae = found.mae_per_atom
    return {
        "n": found.n,
        "mae_per_atom": mae.value,
        "mae_per_atom_low": mae.low,
        "mae_per_atom_high": mae.high,
        "median": float(np.median(size)),
        "most_of_nine_tenths": float(np.quantile(size, 0.9)),
        "composition_mae_per_atom": found.composition_mae_per_atom,
    }
