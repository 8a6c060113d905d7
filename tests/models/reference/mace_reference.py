"""MACECalculator: its descriptors averaged over atoms, its energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harness import compare
from mace.calculators import MACECalculator

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    (path,) = files.values()
    return MACECalculator(model_paths=str(path), device="cpu", default_dtype="float64")


def one(calculator: Any, structure: Structure) -> tuple[np.ndarray, float]:
    atoms = to_atoms(structure)
    latent = calculator.get_descriptors(atoms, invariants_only=True).mean(axis=0)
    atoms.calc = calculator
    return latent, atoms.get_potential_energy()


compare(setup, one)
