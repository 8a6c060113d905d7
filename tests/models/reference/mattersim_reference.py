"""MatterSimCalculator: its energy, molecules in the box it makes itself, and its features."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from harness import compare
from mattersim.forcefield import MatterSimCalculator

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    (path,) = files.values()
    os.environ["HOME"] = tempfile.mkdtemp()  # it makes a folder there, used or not
    calculator = MatterSimCalculator.from_checkpoint(str(path), device="cpu")
    seen: list[np.ndarray] = []
    calculator.potential.model.final.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].detach().numpy())
    )
    return calculator, seen


def one(package: Any, structure: Structure) -> tuple[np.ndarray, float]:
    calculator, seen = package
    seen.clear()
    atoms = to_atoms(structure)
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    return seen[0].mean(axis=0), energy


compare(setup, one)
