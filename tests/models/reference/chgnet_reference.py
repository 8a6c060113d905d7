"""predict_structure of the package's own model, molecules in a much larger box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from chgnet.model import CHGNet
from harness import compare
from pymatgen.io.ase import AseAtomsAdaptor

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    name = card.key.removeprefix("chgnet-")
    return CHGNet.load(model_name=name, use_device="cpu", verbose=False)


def one(model: Any, structure: Structure) -> tuple[np.ndarray, float]:
    atoms = to_atoms(structure)
    if not structure.periodic:
        atoms.center(vacuum=15.0)
        atoms.pbc = True
    out = model.predict_structure(
        AseAtomsAdaptor.get_structure(atoms), task="e", return_crystal_feas=True
    )
    return out["crystal_fea"] / len(atoms), float(out["e"]) * len(atoms)


compare(setup, one)
