"""SevenNetCalculator: its energy, and what enters its read-out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import sevenn._keys as key
from harness import compare
from sevenn.calculator import SevenNetCalculator

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    (path,) = files.values()
    calculator = SevenNetCalculator(str(path), device="cpu", modal=card.options["modal"])
    seen: list[np.ndarray] = []
    calculator.model._modules["reduce_input_to_hidden"].register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0][key.NODE_FEATURE].detach().numpy())
    )
    return calculator, seen, card.latent.dim


def one(package: Any, structure: Structure) -> tuple[np.ndarray, float]:
    calculator, seen, width = package
    seen.clear()
    atoms = to_atoms(structure)
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    return seen[0][:, :width].mean(axis=0), energy


compare(setup, one)
