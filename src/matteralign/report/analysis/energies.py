"""Energy regression of a slice as tables: one row per model, and one per model and structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from matteralign.findings.energies.regression import (
    EnergyRegression,
    Estimate,
    element_counts,
    energy_regressions,
)
from matteralign.store.predictions import NO_ENERGY
from matteralign.store.structures import Compositions

if TYPE_CHECKING:
    from matteralign.report.analysis.tables import ModelFacts

NO_DFT = "the structures of this slice have no DFT energies"


@dataclass(frozen=True)
class SliceEnergies:
    """Energies of DFT and of each model on the structures of a slice.

    Attributes
    ----------
    structures
        Atoms and DFT energy of each structure.
    predicted
        Energies of each model in eV, shape (n,), NaN where it has none; None of a model that
        predicts no energy.
    level_of_theory
        Of the DFT energies.
    functional_notes
        What is to be known of the level of theory that a model learnt; "" for nothing.
    """

    structures: Compositions
    predicted: Mapping[str, npt.NDArray[np.float64] | None]
    level_of_theory: str
    functional_notes: Mapping[str, str]

    @cached_property
    def regressions(self) -> dict[str, EnergyRegression]:
        """Each model's energies against those of DFT; a model that has none says why."""
        if not np.isfinite(self.structures.energies).any():
            return {k: EnergyRegression("not_applicable", NO_DFT) for k in self.predicted}
        known = {key: found for key, found in self.predicted.items() if found is not None}
        _, counts = element_counts(self.structures.numbers)
        compared = energy_regressions(counts, self.structures.energies, known)
        return {
            key: compared.get(key, EnergyRegression("not_applicable", NO_ENERGY))
            for key in self.predicted
        }


def energy_table(energies: SliceEnergies, models: Sequence[ModelFacts]) -> pd.DataFrame:
    """Return one row per model; energies in eV per structure and in eV per atom.

    Parameters
    ----------
    models
        In the order of the rows.
    """
    rows = []
    for facts in models:
        found = energies.regressions[facts.model]
        rows.append(
            {
                "model": facts.model,
                "functional": facts.functional,
                "functional_note": energies.functional_notes[facts.model],
                "level_of_theory": energies.level_of_theory,
                "n": found.n,
                "elements": found.elements,
                "coefficients": found.coefficients,
                "rank": found.rank,
                "fixed": found.fixed,
                **_spread("mae", found.mae),
                **_spread("mae_per_atom", found.mae_per_atom),
                "mae_left_out": found.left_out,
                "mae_per_atom_left_out": found.left_out_per_atom,
                **_spread("slope", found.slope),
                "correlation": found.correlation,
                "r2": found.r2,
                "composition_mae": found.composition_mae,
                "composition_mae_per_atom": found.composition_mae_per_atom,
                "composition_r2": found.composition_r2,
                "composition_r2_dft": found.composition_r2_dft,
                "status": found.status,
                "reason": found.reason,
                "note": found.note,
            }
        )
    frame = pd.DataFrame(rows)
    text = {"model", "functional", "functional_note", "level_of_theory"}
    text |= {"status", "reason", "note"}
    whole = {"n", "elements", "coefficients", "rank", "fixed"}
    return frame.astype({c: float for c in frame if c not in text | whole})


def _spread(name: str, found: Estimate) -> dict[str, float | None]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def deviation_table(energies: SliceEnergies) -> pd.DataFrame:
    """Return what the fits leave of each energy: one row per model and structure with both.

    Deviations are of single precision, which is finer than any energy is known.
    """
    ids = np.asarray(energies.structures.ids, dtype=object)
    atoms = np.fromiter(map(len, energies.structures.numbers), np.int32, len(ids))
    known = {key: found for key, found in energies.regressions.items() if found.status == "ok"}
    found = [EnergyRegression(), *known.values()]  # the first has no rows
    rows = np.concatenate([f.rows for f in found])
    models = np.repeat(np.arange(len(known)), [len(f.rows) for f in known.values()])
    kind = pd.CategoricalDtype(list(known))
    return pd.DataFrame(
        {
            "model": pd.Categorical.from_codes(models, dtype=kind),
            "row": rows.astype(np.int32),
            "id": ids[rows],
            "atoms": atoms[rows],
            "energy": np.concatenate([f.predicted for f in found]),
            "deviation": np.concatenate([f.deviation for f in found]).astype(np.float32),
            "dft_deviation": np.concatenate([f.dft_deviation for f in found]).astype(np.float32),
        }
    )
