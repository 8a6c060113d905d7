"""UPETCalculator's energy and the last-layer features of one structure after another."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from metatomic.torch import ModelEvaluationOptions, ModelOutput, systems_to_torch
from metatrain.utils.io import load_model
from metatrain.utils.neighbor_lists import get_system_with_neighbor_lists
from upet.ase import UPETCalculator

from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.contract import relative_deviation
from matteralign.models.inputs.atoms import to_atoms
from matteralign.store.structures import Structure

FEATURES = "mtt::aux::energy_last_layer_features"


def deviations(wrapper: Wrapper, path: Path, structures: list[Structure]) -> dict[str, float]:
    """Return how far the wrapper's batch is from the package's own results."""
    warnings.simplefilter("ignore")
    batch = wrapper.embed(structures)
    calculator = UPETCalculator(checkpoint_path=path, device="cpu")
    # Without the exported, scripted model: the network as metatrain loads it, mean by its labels.
    model = load_model(path).export()
    options = ModelEvaluationOptions(
        length_unit="angstrom", outputs={FEATURES: ModelOutput(sample_kind="atom")}
    )
    latents, energies = [], []
    for structure in structures:
        atoms = to_atoms(structure)
        system = systems_to_torch(atoms, dtype=torch.float32)
        system = get_system_with_neighbor_lists(system, model.requested_neighbor_lists())
        block = model([system], options, check_consistency=True)[FEATURES].block()
        latents.append(block.values.detach().numpy().mean(axis=0))
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
    counts = np.array([s.n_atoms for s in structures])
    return {
        "latent": relative_deviation(np.stack(latents), batch.latents),
        "energy": float((np.abs(np.array(energies) - batch.energies) / counts).max()),
    }
