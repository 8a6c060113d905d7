"""FAIRChemCalculator on each structure by itself, forces and stress included."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from fairchem.core import FAIRChemCalculator
from fairchem.core.units.mlip_unit import load_predict_unit

from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.contract import relative_deviation
from matteralign.models.inputs.atoms import to_atoms
from matteralign.store.structures import Structure


def deviations(wrapper: Wrapper, path: Path, structures: list[Structure]) -> dict[str, float]:
    """Return how far the wrapper's batch is from the package's own results."""
    logging.disable(logging.WARNING)
    ion = replace(structures[0], id="ion", charge=1, spin=2)
    tried = [*structures, ion]
    batch = wrapper.embed(tried)
    unit = load_predict_unit(path, "batch", device="cpu")
    latents, energies, seen = [], [], []
    # What the energy head is given.
    head = unit.model.module.output_heads["energyandforcehead"]
    head.register_forward_pre_hook(lambda module, given: seen.append(given[1]["node_embedding"]))
    for structure in tried:
        periodic = structure.periodic
        task = "omat" if periodic else "omol"
        calculator = FAIRChemCalculator(unit, task_name=task)
        atoms = to_atoms(structure)
        if not periodic:
            atoms.info.update(charge=structure.charge, spin=structure.spin)
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
        latents.append(seen[-1][:, 0].detach().numpy().mean(axis=0))
    counts = np.array([s.n_atoms for s in tried])
    far = relative_deviation(batch.latents[:1], batch.latents[-1:])
    assert far > 1e-4, f"charge and spin change nothing: {far}"
    assert wrapper.refuse(replace(ion, charge=200)).code == "charge"
    lone = replace(ion, numbers=ion.numbers[:1], positions=ion.positions[:1])
    assert wrapper.refuse(lone).code == "size"
    return {
        "latent": relative_deviation(np.stack(latents), batch.latents),
        "energy": float((np.abs(np.array(energies) - batch.energies) / counts).max()),
    }
