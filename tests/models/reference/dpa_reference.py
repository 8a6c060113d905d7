"""The frozen model called as a whole: its own neighbours, energy and forces, no box for molecules.

deepmd-kit's calculator makes this very call; its wheels do not load with every torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import compare

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    (path,) = files.values()
    # With the other executor the gradients of each shape are compiled for minutes.
    torch._C._jit_set_profiling_executor(True)
    torch._C._jit_set_profiling_mode(True)
    model = torch.jit.load(path, map_location="cpu").eval()
    model.set_eval_descriptor_hook(True)
    return model, {name: number for number, name in enumerate(model.get_type_map())}


def one(package: Any, structure: Structure) -> tuple[np.ndarray, float]:
    model, types = package
    atoms = to_atoms(structure)
    kinds = torch.tensor([[types[name] for name in atoms.get_chemical_symbols()]])
    box = torch.tensor(np.array(atoms.cell).reshape(1, 9)) if structure.periodic else None
    out = model(torch.from_numpy(atoms.positions)[None], kinds, box)
    features = model.atomic_model.eval_descriptor_list[-1][0]
    return features.detach().numpy().mean(axis=0), float(out["energy"].detach())


compare(setup, one)
