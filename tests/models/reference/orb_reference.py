"""ORBCalculator: its energy, and the node features of its model for one structure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import compare
from orb_models.forcefield.atomic_system import ase_atoms_to_atom_graphs
from orb_models.forcefield.calculator import ORBCalculator
from orb_models.forcefield.pretrained import orb_d3_xs_v2

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    (path,) = files.values()
    model = orb_d3_xs_v2(
        weights_path=str(path), device="cpu", precision="float32-highest", compile=False
    )
    return ORBCalculator(model, device="cpu")


def one(calculator: Any, structure: Structure) -> tuple[np.ndarray, float]:
    atoms = to_atoms(structure)
    graph = ase_atoms_to_atom_graphs(atoms, calculator.system_config, device=torch.device("cpu"))
    with torch.no_grad():
        nodes = calculator.model.model(graph)["node_features"]
    atoms.calc = calculator
    return nodes.numpy().mean(axis=0), atoms.get_potential_energy()


compare(setup, one)
